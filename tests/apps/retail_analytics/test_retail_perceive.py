"""Masks first, then the view's health, then people: with fakes, and with real networks."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.retail_analytics import detector as detecting
from apps.retail_analytics import simulate
from apps.retail_analytics.camera import CameraSettings, MaskSettings, ViewLimits
from apps.retail_analytics.config import Tracking
from apps.retail_analytics.decoding import Options, ssd, yolo, yolox
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Glance
from apps.retail_analytics.masks import Masks
from apps.retail_analytics.perceive import Perceive
from apps.retail_analytics.pose import posenet
from apps.retail_analytics.sight import Sight
from apps.retail_analytics.tracking import MotionTracker
from common.errors import BundleError
from common.inference.bundle import Model, open_bundle
from common.inference.card_text import artefact_of, artefact_table
from common.inference.images import PAD_GREY, Detections
from common.inference.selection import open_model
from common.ports import Sample, TensorSpec
from common.quality import Quality
from hardware.catalog import open_runtime

SHARED = Path(__file__).parents[4] / "shared" / "data"
MODELS, PICTURES = SHARED / "models", SHARED / "people" / "images"
LEFT = MaskSettings("left", ((0.0, 0.0), (320.0, 0.0), (320.0, 480.0), (0.0, 480.0)))


def scene(seed=1):
    random = np.random.default_rng(seed)
    picture = np.full((480, 640, 3), 120, np.uint8)
    for _ in range(40):
        x, y = random.integers(0, 600), random.integers(0, 440)
        cv2.rectangle(
            picture,
            (int(x), int(y)),
            (int(x) + 40, int(y) + 30),
            random.integers(0, 255, 3).tolist(),
            -1,
        )
    return picture


@dataclass
class SeesAll:
    """A detector that remembers what it was shown."""

    boxes: np.ndarray
    seen: np.ndarray | None = None

    def begin(self, picture, _threshold):
        self.seen = picture.copy()
        return self._answer

    def _answer(self):
        return Detections(
            self.boxes.astype(np.float32), np.full(len(self.boxes), 0.9, np.float32),
            np.zeros(len(self.boxes), np.int64),
        )  # fmt: skip


def sample(frame, now=1.0, quality=Quality.GOOD):
    return Sample("1", Glance("cam", frame), 1, now, now, quality)


# ----------------------------------------------------------------------------- masks


def test_what_is_masked_never_reaches_the_network():
    camera = CameraSettings("cam", mask=(LEFT,))
    network = SeesAll(np.zeros((0, 4)))
    frame = scene()
    Perceive(camera, network, Tracking())(sample(frame))
    assert (network.seen[:, :320] == PAD_GREY).all()
    assert (frame[:, :320] == PAD_GREY).all()  # the pixels themselves, not a copy
    assert not (network.seen[:, 330:] == PAD_GREY).all()


def test_masks_that_overlap_do_not_open_each_other():
    other = MaskSettings("more", ((100.0, 0.0), (400.0, 0.0), (400.0, 480.0), (100.0, 480.0)))
    frame = scene()
    assert Masks(CameraSettings("cam", mask=(LEFT, other))).burn(frame) == ""
    assert (frame[:, :400] == PAD_GREY).all()


def test_a_picture_of_another_size_is_not_looked_at():
    camera = CameraSettings("cam", mask=(LEFT,))
    network = SeesAll(np.zeros((0, 4)))
    frame = scene()[:240, :320].copy()
    view = Perceive(camera, network, Tracking())(sample(frame))
    assert view.quality is Quality.BAD
    assert "drawn for 640×480" in view.reason
    assert network.seen is None
    assert (frame == PAD_GREY).all()


# ------------------------------------------------------------------------------ sight


def shown(sight, frames, fps=10.0, start=0.0):
    return [sight.check(frame, start + index / fps) for index, frame in enumerate(frames)]


def noisy(frame, index):
    random = np.random.default_rng(index)
    noise = random.integers(-3, 4, frame.shape[:2])[:, :, None]
    return (frame.astype(int) + noise).clip(0, 255).astype(np.uint8)


def test_dark_and_covered_views_say_so():
    sight = Sight(ViewLimits())
    assert sight.check(np.full((480, 640, 3), 3, np.uint8), 0.0).startswith("dark")
    assert sight.check(np.full((480, 640, 3), 130, np.uint8), 1.0).startswith("blocked")


@pytest.mark.parametrize(("grey", "reason"), [(3, "dark"), (130, "blocked")])
def test_what_masks_cover_lights_no_dark_view_and_makes_no_contrast(grey, reason):
    masks = Masks(CameraSettings("cam", mask=(LEFT,)))
    frame = np.full((480, 640, 3), grey, np.uint8)
    assert masks.burn(frame) == ""
    assert Sight(ViewLimits(), masks.unmasked()).check(frame, 0.0).startswith(reason)


def test_a_frozen_stream_is_noticed():
    sight, frame = Sight(ViewLimits(frozen_s=2.0)), scene()
    reasons = shown(sight, [frame] * 30)
    assert reasons[10] == ""
    assert reasons[-1].startswith("frozen")
    assert sight.check(noisy(frame, 1), 4.0) == ""


def test_a_turned_camera_is_noticed_and_a_still_one_is_not():
    sight, frame = Sight(ViewLimits()), scene()
    still = shown(sight, [noisy(frame, index) for index in range(60)])
    assert set(still) == {""}
    turned = np.roll(frame, 60, axis=1)
    after = shown(sight, [noisy(turned, index) for index in range(60, 100)], start=6.0)
    assert after[-1].startswith("moved")


def test_the_edge_of_a_mask_does_not_hide_that_a_camera_was_turned():
    masks = Masks(CameraSettings("cam", mask=(LEFT,)))
    sight, frame = Sight(ViewLimits(), masks.unmasked()), scene()
    views = [noisy(frame, index) for index in range(60)]
    views += [noisy(np.roll(frame, 60, axis=1), index) for index in range(60, 100)]
    assert not any(masks.burn(view) for view in views)
    reasons = shown(sight, views)
    assert set(reasons[:60]) == {""}
    assert reasons[-1].startswith("moved")


def test_people_close_to_the_camera_have_not_turned_it():
    camera = simulate.ShopCamera("above", 21, people_per_min=20.0, fps=10.0, open_s=120.0)
    reasons = shown(Sight(ViewLimits()), [camera.capture() for _ in range(160)])
    assert set(reasons) == {""}


def test_people_walking_by_do_not_turn_the_camera():
    sight = Sight(ViewLimits())
    frames = [
        frame
        for frame, _ in simulate.pictures("corner", 12.0, seed=3, people_per_min=30.0, fps=6.0)
    ]
    assert set(shown(sight, frames, fps=6.0)) == {""}


def test_other_light_does_not_turn_the_camera():
    sight, frame = Sight(ViewLimits()), scene()
    shown(sight, [noisy(frame, index) for index in range(40)])
    dimmer = (frame * 0.6).astype(np.uint8)
    assert set(shown(sight, [noisy(dimmer, index) for index in range(20)], start=5.0)) == {""}


# ---------------------------------------------------------------------- with a fake


def test_a_bad_view_says_nothing_of_people():
    perceive = Perceive(
        CameraSettings("cam"), SeesAll(np.array([[10, 10, 50, 150]])), Tracking()
    )
    view = perceive(sample(np.zeros((480, 640, 3), np.uint8)))
    assert (view.quality, view.tracks) == (Quality.BAD, ())
    stale = perceive(sample(scene(), now=2.0, quality=Quality.STALE))
    assert (stale.quality, stale.reason) == (Quality.BAD, "stale")


def test_who_was_seen_before_a_dark_is_forgotten_in_it():
    perceive = Perceive(
        CameraSettings("cam"), SeesAll(np.array([[10, 10, 50, 150]])), Tracking()
    )
    for view in range(5):
        perceive(sample(noisy(scene(), view), now=1.0 + view / 10))
    assert len(perceive._tracker._people) == 1
    for now in (2.0, 3.0):
        perceive(sample(None, now))
    assert perceive._tracker._people == []


@pytest.mark.parametrize(("anchor", "y"), [("foot", 150.0), ("centre", 80.0)])
def test_people_stand_at_their_feet_or_under_their_head(anchor, y):
    camera = CameraSettings("cam", anchor=anchor, person_m=1.4)
    view = Perceive(camera, SeesAll(np.array([[10, 10, 50, 150]])), Tracking())(sample(scene()))
    assert view.tracks[0].spot == pytest.approx((30.0, y))
    assert view.tracks[0].metre == pytest.approx(100.0)
    assert not view.tracks[0].confirmed


def test_tracks_do_not_come_in_disorder():
    tracker = MotionTracker(Tracking())
    tracker.update(np.zeros((0, 4)), np.zeros(0), 1.0)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update(np.zeros((0, 4)), np.zeros(0), 1.0)


def test_numbers_are_never_used_again_and_differ_between_processes():
    tracker, seen = MotionTracker(Tracking()), []
    for index in range(200):
        boxes = np.array([[10, 10, 50, 130.0]]) if index % 40 < 5 else np.zeros((0, 4))
        tracked = tracker.update(boxes, np.full(len(boxes), 0.9), index / 10)
        seen += [one.id for one in tracked if one.id not in seen[-1:]]
    assert len(seen) == len(set(seen)) == 5
    (other,) = MotionTracker(Tracking()).update(
        np.array([[0, 0, 9, 9.0]]), np.array([0.9]), 0.0
    )
    assert other.id not in seen


# ------------------------------------------------------------------- readers by hand


def options(**tensors):
    return Options(64, 64, 1, {role: (role, numbers) for role, numbers in tensors.items()})


def test_yolox_by_hand():
    rows = np.zeros((1, 84, 6), np.float32)  # 8×8 + 4×4 + 2×2 cells
    rows[0, 8 * 2 + 3] = [0.5, 0.25, np.log(2), np.log(4), 0.9, 0.8]
    raw = yolox({"boxes": rows}, options(boxes={}), 0.5)
    assert raw.boxes == pytest.approx(np.array([[28 - 8, 18 - 16, 28 + 8, 18 + 16]]))
    assert raw.scores == pytest.approx([0.72])


def test_yolox_with_strides_that_do_not_fit_is_refused():
    with pytest.raises(BundleError, match="strides"):
        yolox({"boxes": np.zeros((1, 5, 6), np.float32)}, options(boxes={}), 0.5)


def test_ssd_and_yolo_by_hand():
    found = [0, 1, 0.9, 0.25, 0.25, 0.5, 0.75]
    rows = np.array([[[found, [0, 1, 0.2, 0, 0, 1, 1], [-1, 1, 0.9, 0, 0, 1, 1]]]], np.float32)
    assert ssd({"boxes": rows}, options(boxes={}), 0.5).boxes == pytest.approx(
        np.array([[16, 16, 32, 48]])
    )
    planes = np.array([[[32.0], [32.0], [8.0], [16.0], [0.7]]], np.float32)
    assert yolo({"boxes": planes}, options(boxes={}), 0.5).boxes == pytest.approx(
        np.array([[28, 24, 36, 40]])
    )


def test_a_pose_of_one_likely_part_is_one_person():
    heat = np.full((1, 4, 4, 17), -20.0, np.float32)
    heat[0, 2, 1, 0] = 5.0
    outputs = {
        "heatmaps": heat, "short": np.zeros((1, 4, 4, 34), np.float32),
        "mid": np.zeros((1, 4, 4, 64), np.float32),
    }  # fmt: skip
    raw = posenet(outputs, options(heatmaps={}, short={}, mid={}), 0.05)
    assert len(raw.boxes) == 1
    left, top, right, bottom = raw.boxes[0]
    assert left <= 16 <= right
    assert top <= 32 <= bottom


class FakeRuntime:
    """A YOLO-shaped network that answers what it is told."""

    name, device = "fake", "CPU"
    inputs = (TensorSpec("images", (1, 3, 64, 64), "float32"),)
    outputs = (TensorSpec("out", (1, 5, 2), "float32"),)

    def __init__(self, rows):
        self._rows = rows

    def run(self, _arrays):
        return {"out": self._rows}

    def close(self):
        pass


def card(folder, layout="yolo", labels='["person"]', picture="NCHW, RGB, 0-1"):
    folder.mkdir(exist_ok=True)
    (folder / "model.toml").write_text(
        f'name = "m"\nversion = "1"\ntask = "detection"\nlicence = "x"\nlabels = {labels}\n'
        f'[[inputs]]\nname = "images"\nshape = [1, 3, 64, 64]\nlayout = "{picture}"\n'
        f'[[outputs]]\nname = "out"\nshape = [1, 5, 2]\nlayout = "{layout}"\n'
        '[[artefacts]]\nruntime = "fake"\nprecision = "fp32"\nfile = "x.onnx"\nsha256 = "0"\n'
    )
    return open_bundle(folder).card


def fake(tmp_path, depth=1, **more):
    rows = np.array([[[32, 33], [32, 33], [16, 16], [32, 32], [0.9, 0.8]]], np.float32)
    found = card(tmp_path / "m", **more)
    return PersonDetector(Model(found, found.artefacts[0], FakeRuntime(rows)), depth)


@pytest.mark.parametrize("depth", [1, 3])
def test_no_input_of_the_network_keeps_a_picture_through_a_dark(tmp_path, depth):
    network = fake(tmp_path, depth)
    perceive = Perceive(CameraSettings("cam"), network, Tracking())
    for view in range(5):
        perceive(sample(noisy(scene(), view), now=1.0 + view / 10))
    inputs = [next(network._fitters) for _ in range(depth + 1)]
    assert all(np.ptp(one.tensor) > 0 for one in inputs)
    asked = network._questions._asked
    for view in range(20):
        assert "no picture" in perceive(sample(None, 2.0 + view)).reason
    for one in inputs:
        assert [np.ptp(array) for array in (one.tensor, one._canvas, *one._planes)] == [0] * 5
    assert network._questions._asked - asked < 10  # then it rests
    network.close()


def test_boxes_find_their_way_back_into_a_wide_picture(tmp_path):
    found = fake(tmp_path).detect(np.zeros((320, 640, 3), np.uint8), 0.5)
    assert found.boxes == pytest.approx(np.array([[240, 0, 400, 320]]))  # 10 px per input px


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"layout": "unheard"}, "no reader for 'unheard'"),
        ({"layout": "yolo", "labels": '["dog"]'}, "person or head"),
        ({"picture": "NCHW, RGB, upside-down"}, "'upside-down' is not known"),
        ({"picture": "NHWC, RGB"}, "3 channels"),
    ],
)
def test_a_card_that_cannot_be_followed_is_refused(tmp_path, more, why):
    with pytest.raises(BundleError, match=why):
        fake(tmp_path, **more)


# ------------------------------------------------- real networks, by model.toml alone

RETAIL, POSE = "openvino_person-detection-retail-0013", "posenet_mobilenet_v1_075"
NEAR = "scale 0.0784, zero 128"
HEAT, MID = f"posenet heatmaps, {NEAR}, stride 16", "posenet mid, scale 1.3876, zero 117"
CARDS = {
    "yolox": (
        "yolox_nano_416_coco/yolox_nano.onnx", "onnxruntime", "fp32",
        [("images", [1, 3, 416, 416], "float32", "NCHW, BGR, 0-255, top-left")],
        [("output", [1, 3549, 85], "float32", "yolox, strides 8 16 32")],
    ),
    "fastestdet": (
        "fastestdet_352_coco/FastestDet.onnx", "onnxruntime", "fp32",
        [("input.1", [1, 3, 352, 352], "float32", "NCHW, BGR, 0-1, stretched")],
        [("758", [1, 85, 22, 22], "float32", "fastestdet")],
    ),
    "ssd": (
        f"{RETAIL}/person-detection-retail-0013.xml", "openvino", "fp32",
        [("data", [1, 3, 320, 544], "float32", "NCHW, BGR, 0-255, stretched")],
        [("detection_out", [1, 1, 200, 7], "float32", "ssd, first 1")],
    ),
    "posenet": (
        f"{POSE}/{POSE}_353_481_quant.tflite", "openvino", "int8",
        [("sub_2", [1, 353, 481, 3], "uint8", "NHWC, RGB, 0-255, top-left")],
        [
            ("float_heatmaps", [1, 23, 31, 17], "uint8", HEAT),
            ("float_short_offsets", [1, 23, 31, 34], "uint8", f"posenet short, {NEAR}"),
            ("float_mid_offsets", [1, 23, 31, 64], "uint8", MID),
        ],
    ),
}  # fmt: skip


def tensor(kind, name, shape, dtype, layout):
    text = f'[[{kind}]]\nname = "{name}"\nshape = {shape}\n'
    return text + f'dtype = "{dtype}"\nlayout = "{layout}"\n'


@pytest.fixture(params=sorted(CARDS))
def real(request, tmp_path):
    """A real network, brought in by writing a model.toml beside its file."""
    file, runtime, precision, inputs, outputs = CARDS[request.param]
    source = MODELS / file
    if not source.is_file():
        pytest.skip(f"{file} is not here")
    if runtime == "openvino":
        pytest.importorskip("openvino")
    lines = [
        'name = "m"\nversion = "1"\ntask = "detection"\nlicence = "x"\nlabels = ["person"]\n'
    ]
    lines += [tensor("inputs", *one) for one in inputs]
    lines += [tensor("outputs", *one) for one in outputs]
    names = [source.name] + (
        [source.with_suffix(".bin").name] if source.suffix == ".xml" else []
    )
    lines.append(artefact_table(artefact_of(source, runtime, precision)))
    for name in names:  # a link would lie outside the model's folder
        (tmp_path / name).write_bytes(source.with_name(name).read_bytes())
    (tmp_path / "model.toml").write_text("".join(lines))
    model = open_model(open_bundle(tmp_path), open_runtime).model
    yield PersonDetector(model)
    model.close()


def test_real_networks_find_the_person(real):
    picture = cv2.imread(str(PICTURES / "person.jpg"))
    found = real.detect(picture, 0.5)
    assert len(found.boxes) == 1
    left, top, right, bottom = found.boxes[0]
    assert 160 < left < 205
    assert 260 < right < 290
    assert 80 < top < 115
    assert 350 < bottom < 390


def test_real_networks_find_nobody_in_a_picture_of_a_dog(real):
    picture = cv2.imread(str(PICTURES / "dog.jpg"))
    assert len(real.detect(picture, 0.5).boxes) == 0


def test_every_reader_is_named_in_the_error():
    assert set(detecting.READERS) == {"yolox", "fastestdet", "ssd", "yolo", "posenet"}
