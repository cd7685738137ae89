"""The recipe's parts by known arithmetic, the way through where torch is, and the card."""

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.quantize_ranges import FLAT, _narrow
from apps.retail_analytics.detector import PersonDetector, input_form, reader_of
from apps.retail_analytics.training import labels, pictures, scoring
from apps.retail_analytics.training.drawn import any_camera, drawn
from apps.retail_analytics.training.pictures import Example, Looks, fitted
from apps.retail_analytics.training.readme import readme
from apps.retail_analytics.training.recipe import Recipe
from common.errors import ConfigError
from common.inference.bundle import Model, open_bundle
from common.inference.images import Detections
from hardware.catalog import open_runtime

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "apps/retail_analytics/models"
BUNDLES = [MODELS / "person", MODELS / "person-coral"]
SHARED = ROOT.parent / "shared" / "data"
TRAIN_PYTHON = ROOT / ".venv-train/bin/python"
TFLITE_PYTHON = ROOT / ".venv-tflite/bin/python"
NOBODY = np.zeros((0, 4), np.float32)
needs_torch = pytest.mark.skipif(
    not TRAIN_PYTHON.exists(), reason="no .venv-train: make setup-train"
)
needs_teachers = pytest.mark.skipif(
    not (SHARED / "models").is_dir(), reason="no shared/data/models: nothing to start from"
)


def grey(boxes, kind="COCO", size=(240, 320)):
    picture = np.full((*size, 3), 90, np.uint8)
    for left, top, right, bottom in np.array(boxes, int).reshape(-1, 4):
        picture[top:bottom, left:right] = 240
    return Example(picture, np.array(boxes, np.float32).reshape(-1, 4), NOBODY, kind, True)


def trained(script, *arguments, timeout=1500):
    command = [str(TRAIN_PYTHON), "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# --------------------------------------------------------------------------- pictures


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    left=st.integers(0, 250),
    top=st.integers(0, 150),
    wide=st.integers(20, 60),
    high=st.integers(30, 80),
)
def test_a_look_moves_the_box_with_the_person(seed, left, top, wide, high):
    """White where somebody is: after any change the brightest pixels lie in the box."""
    shown = Looks(320, 416, seed)._placed(
        grey([[left, top, left + wide, top + high]]), 320, 416
    )
    bright = np.argwhere(shown.picture[..., 0] > 200)
    if not len(shown.boxes):
        assert len(bright) == 0 or len(shown.unsure) == 1  # cut off: nobody is asked for
        return
    box = shown.boxes[0]
    (upper, most_left), (lower, most_right) = bright.min(0), bright.max(0) + 1
    assert np.allclose(box, [most_left, upper, most_right, lower], atol=3.0)


def test_four_at_once_keep_their_people():
    example = grey([[40, 40, 120, 200]])
    joined = Looks(320, 416, 3).four([example] * 4)
    assert joined.picture.shape == (320, 416, 3)
    assert 2 <= len(joined.boxes) + len(joined.unsure) <= 4
    assert (joined.boxes >= 0).all()
    assert (joined.boxes <= [416, 320, 416, 320]).all()


def test_a_fitted_picture_lies_in_the_upper_left_as_the_station_fits_it():
    shown = fitted(grey([[0, 0, 160, 120]]), 320, 416)
    assert np.allclose(shown.boxes, [[0, 0, 208, 156]])
    assert (shown.picture[313:] == pictures.PAD_GREY).all()


def test_held_out_pictures_are_never_trained_on(tmp_path):
    for folder in pictures.SETS:
        made(tmp_path / folder, 10)
    train, held = pictures.real(tmp_path)
    assert len(train) == 3 * 8
    assert len(held) == 3 * 2
    shown = {one.picture.tobytes() for one in train}
    assert not any(one.picture.tobytes() in shown for one in held)


def test_a_set_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cafe: has no images"):
        pictures.real(tmp_path)


def made(folder, count):
    """A labelled set whose pictures all differ; class 1 is a head, which is not asked for."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        picture = np.full((120, 160, 3), 40 + len(folder.name), np.uint8)
        picture[20:100, 40 + index : 80 + index] = 200
        cv2.imwrite(str(folder / "images" / f"{index:03}.jpg"), picture)
        middle = (60 + index) / 160
        rows = f"0 {middle:.4f} 0.5 0.25 0.667\n1 {middle:.4f} 0.2 0.1 0.1\n"
        (folder / "labels" / f"{index:03}.txt").write_text(rows)


# ------------------------------------------------------------------------------ drawn


@pytest.mark.parametrize("view", ["corner", "above"])
def test_drawn_people_are_where_their_labels_are(view):
    """Without its people the picture differs inside the labels, and hardly outside them."""
    first, *_ = examples = list(drawn(view, 6, seed=4))
    assert len(examples) == 6
    assert sum(len(one.boxes) for one in examples) >= 3
    again = next(iter(drawn(view, 1, seed=4)))
    assert np.array_equal(first.picture, again.picture), "one seed, one picture"
    assert np.array_equal(first.boxes, again.boxes)
    for one in examples:
        assert (one.boxes[:, 2:] > one.boxes[:, :2]).all()


def test_cameras_from_above_look_down_and_the_others_do_not():
    random = np.random.default_rng(1)
    for _ in range(20):
        assert any_camera("above", random).axes[2][2] < -0.98
        assert any_camera("corner", random).axes[2][2] > -0.9


# ----------------------------------------------------------------------------- labels


def looks(*found):
    """Teachers that say this of any picture."""
    return [
        lambda _example, rows=rows: np.array(rows, np.float32).reshape(-1, 5) for rows in found
    ]


def test_what_two_teachers_see_is_a_person_and_what_one_sees_may_be():
    known = [10, 10, 50, 100]
    both, one = [100, 10, 140, 100], [200, 10, 240, 100]
    (full,) = labels.complete(
        [grey([known])],
        looks([[*known, 0.9], [*both, 0.8], [*one, 0.9]], [[*both, 0.6]], []),
    )
    assert full.boxes.tolist() == [known, both]
    assert full.unsure.tolist() == [one]


def test_a_part_of_somebody_known_is_no_second_person():
    (full,) = labels.complete(
        [grey([[10, 10, 110, 210]])],
        looks([[40, 20, 80, 60, 0.9]], [[40, 20, 80, 60, 0.9]]),
    )
    assert len(full.boxes) == 1
    assert len(full.unsure) == 1


def test_teachers_are_not_asked_about_depth_and_drawings():
    picture = Example(np.zeros((9, 9, 3), np.uint8), NOBODY, NOBODY, "drawn corner")
    (same,) = labels.complete([picture], looks([[0, 0, 5, 5, 1.0]], [[0, 0, 5, 5, 1.0]]))
    assert same is picture


# ---------------------------------------------------------------------------- scoring


class Says:
    """A detector that says one thing of every picture."""

    def __init__(self, boxes, scores):
        self.found = Detections(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32),
            np.zeros(len(scores), np.int64),
        )  # fmt: skip

    def detect(self, _picture, _threshold):
        return self.found


def test_a_perfect_detector_scores_one_and_a_blind_one_nothing():
    person = [10, 10, 50, 100]
    perfect = scoring.score(Says([person], [0.9]), [grey([person])])
    assert perfect["ap50"] == perfect["recall"] == perfect["precision"] == 1.0
    blind = scoring.score(Says([], []), [grey([person])])
    assert blind["ap50"] == blind["recall"] == 0.0


def test_who_may_be_missed_is_neither_hit_nor_false_alarm():
    person, perhaps = [10, 10, 50, 100], [100, 10, 140, 100]
    example = grey([person])
    unsure = Example(
        example.picture, example.boxes, np.array([perhaps], np.float32), "COCO", True
    )
    detector = Says([person, perhaps], [0.9, 0.8])
    assert scoring.score(detector, [unsure])["precision"] == 1.0
    assert scoring.score(detector, [example])["precision"] == 0.5


# ----------------------------------------------------------------------------- ranges


@given(low=st.floats(-200, 0), high=st.floats(0, 200), y=st.floats(-200, 200))
def test_a_narrowed_range_loses_nothing_of_a_sigmoid_or_its_product(low, high, y):
    found = {"min": np.array([low]), "max": np.array([high])}

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    y = float(np.clip(y, low, high))
    alone, shared = _narrow(found, alone=True), _narrow(found, alone=False)
    kept = np.clip(y, alone["min"], alone["max"])
    assert abs(sigmoid(kept) - sigmoid(y)) < 1 / 256
    kept = np.clip(y, shared["min"], shared["max"])
    assert abs(kept * sigmoid(kept) - y * sigmoid(y)) < 1 / 256
    assert alone["min"] >= -FLAT
    assert shared["max"] == high


# ------------------------------------------------------------------------ with torch

SAME = """
import sys
from pathlib import Path
import numpy as np, onnxruntime, torch
from apps.retail_analytics.training.network import Shipped, corners, grid, pretrained
from apps.retail_analytics.training.steady import evened
file = Path(sys.argv[1])
network = pretrained(file)
x = np.random.default_rng(1).integers(0, 256, (1, 3, 416, 416)).astype(np.float32)
theirs = onnxruntime.InferenceSession(str(file)).run(None, {"images": x})[0][..., :6]
with torch.no_grad():
    ours = Shipped(network)(torch.tensor(x)).numpy()
    even = Shipped(evened(network, torch.tensor(x)))(torch.tensor(x)).numpy()
assert np.abs(ours - theirs).max() < 5e-3, np.abs(ours - theirs).max()
assert np.abs(ours - even).max() < 5e-3, np.abs(ours - even).max()
loud = evened(network, torch.tensor(x)).start.conv(torch.tensor(x)).detach()
before = network.start.conv(torch.tensor(x)).detach()
spread = lambda y: float(y.amax((0, 2, 3)).max() / y.amax((0, 2, 3)).clamp(0.1).median())
assert spread(loud) < spread(before) / 2, (spread(loud), spread(before))
print("same")
"""


@needs_torch
@needs_teachers
@pytest.mark.timeout(600)
def test_our_network_answers_as_the_one_it_was_taken_from_evened_or_not():
    file = SHARED / "models/yolox_nano_416_coco/yolox_nano.onnx"
    assert trained(SAME, file).strip() == "same"


TAUGHT = """
import torch
from apps.retail_analytics.training.loss import Taught, Target, assign, loss, paired
from apps.retail_analytics.training.network import Nano, corners, grid
torch.manual_seed(1)
cells, strides = grid(64, 96)
person = torch.tensor([[20.0, 8.0, 60.0, 56.0]])
nobody = torch.zeros(0, 4)
silent = Taught(torch.zeros(0, len(cells), 4), torch.zeros(0, len(cells), 2), 0.2, 1.0)
network = Nano()
optimiser = torch.optim.Adam(network.parameters(), 2e-3)
picture = torch.full((1, 3, 64, 96), 90.0)
picture[:, :, 8:56, 20:60] = 240.0
values = []
for _ in range(60):
    boxes, logits = network(picture)
    target = Target(person, nobody, False)
    value = loss(boxes, logits, [target], cells, strides, silent)
    optimiser.zero_grad(); value.backward(); optimiser.step()
    values.append(float(value.detach()))
assert values[-1] < values[0] / 2, (values[0], values[-1])
found = corners(boxes, cells, strides)[0].detach()
best = logits.sigmoid().prod(2)[0].argmax()
assert paired(found[best][None], person)[0] > 0.5
# where nobody is sure, no cell is blamed
boxes = torch.zeros(1, len(cells), 4)
logits = torch.zeros(1, len(cells), 2, requires_grad=True)
everywhere = torch.tensor([[-1.0, -1.0, 97.0, 65.0]])
target = Target(nobody, everywhere, False)
quiet = loss(boxes, logits, [target], cells, strides, silent)
assert float(quiet.detach()) == 0.0
# a teacher who agrees costs nothing, one who does not costs something
for said, free in ((0.0, True), (2.0, False)):
    taught = Taught(boxes, torch.full((1, len(cells), 2), said), 0.2, 1.0)
    cost = loss(boxes, logits, [Target(nobody, everywhere, True)], cells, strides, taught)
    assert (abs(float(cost.detach())) < 1e-3) == free, said
moved = Taught(boxes + 0.3, torch.full((1, len(cells), 2), 2.0), 0.0, 1.0)
cost = loss(boxes, logits, [Target(nobody, everywhere, True)], cells, strides, moved)
assert float(cost.detach()) > 1.0, "boxes that left the teacher's cost something"
# nor where the labels know of somebody whom the teacher does not see
blind, sees = (torch.full((1, len(cells), 2), said) for said in (-4.0, 2.0))
answering = assign(
    person, corners(boxes, cells, strides)[0], blind.sigmoid().prod(2)[0],
    (cells + 0.5) * strides, strides,
)[0]
found = blind.clone()
found[0, answering] = 4.0
costs = [
    float(loss(boxes, found, [Target(person, nobody, True)], cells, strides,
               Taught(boxes, said, weight, 0.0)))
    for said, weight in ((blind, 0.0), (blind, 1.0), (sees, 1.0))
]
assert len(answering) and abs(costs[1] - costs[0]) < 1e-3 < costs[2] - costs[0], costs
print("learned")
"""


@needs_torch
@pytest.mark.timeout(600)
def test_the_loss_teaches_one_person_and_blames_nobody_where_labels_are_unsure():
    assert trained(TAUGHT).strip() == "learned"


RUN = """
import logging, sys
from pathlib import Path
import torch
logging.disable(logging.INFO)
torch.set_num_threads(1)
from apps.retail_analytics.training import train
from hardware.catalog import open_runtime
print(train.run(Path(sys.argv[1]), Path(sys.argv[2]), "smoke", open_runtime=open_runtime,
                smoke=True))
"""


@needs_torch
@needs_teachers
@pytest.mark.timeout(1500)
def test_the_command_makes_bundles_with_their_cards_and_goes_on_where_it_stopped(tmp_path):
    data = tmp_path / "data"
    for folder in pictures.SETS:
        made(data / "people/boxes" / folder, 5)
    (data / "models").symlink_to(SHARED / "models")
    folder = Path(trained(RUN, data, tmp_path).splitlines()[-1]) / "smoke"
    bundle = open_bundle(folder)
    for artefact in bundle.card.artefacts:
        bundle.path(artefact)
    results = json.loads((folder / "results.json").read_text())
    assert {"openvino/int8", "openvino/fp16", "onnxruntime/fp32"} <= results.keys()
    assert set(results["onnxruntime/fp32"]["sets"]) == {
        "café, labelled", "COCO, labelled", "depth from above, labelled",
        "drawn corner", "drawn above",
    }  # fmt: skip
    assert "YOLOX-nano" in (folder / "NOTICE").read_text()
    assert (folder.parents[1] / "mean.npz").exists()
    if TFLITE_PYTHON.exists():
        whole = open_bundle(folder.with_name("smoke-coral")).card
        assert {one.dtype for one in (*whole.inputs, *whole.outputs)} == {"int8"}


# -------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_the_shipped_card_and_its_figures_say_the_same(folder):
    """README.md is made of model.toml and results.json, and of nothing else."""
    results = json.loads((folder / "results.json").read_text())
    card = open_bundle(folder).card
    assert (folder / "README.md").read_text() == readme(card, results, Recipe().document())
    assert "Apache" in (folder / "NOTICE").read_text()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6


def test_the_shipped_student_sees_more_than_the_network_it_started_from():
    results = json.loads((BUNDLES[0] / "results.json").read_text())
    before, *ours = results
    for name in ours:
        sets, old = results[name]["sets"], results[before]["sets"]
        for kind in (
            "café, labelled",
            "depth from above, labelled",
            "drawn corner",
            "drawn above",
        ):
            assert sets[kind]["ap50"] > old[kind]["ap50"] + 0.1, (name, kind)
        for kind in (one for one in sets if "clip" in one):
            assert sets[kind]["ap50"] > old[kind]["ap50"] - 0.05, (name, kind)


def test_eight_bits_cost_little():
    results = json.loads((BUNDLES[0] / "results.json").read_text())
    coral = json.loads((BUNDLES[1] / "results.json").read_text())["litert/int8"]
    whole = results["onnxruntime/fp32"]["sets"]
    for made_of in (results["openvino/int8"], coral):
        lost = [whole[kind]["ap50"] - made_of["sets"][kind]["ap50"] for kind in whole]
        assert np.mean(lost) < 0.05


def shipped(folder, label):
    bundle = open_bundle(folder)
    artefact = next(one for one in bundle.card.artefacts if one.label == label)
    module = {"litert": "ai_edge_litert"}.get(artefact.runtime, artefact.runtime)
    pytest.importorskip(module, reason=f"{artefact.runtime} is not installed")
    runtime = open_runtime(artefact.runtime, bundle.path(artefact))
    return Model(bundle.card, artefact, runtime)


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        (BUNDLES[0], "onnxruntime/fp32"), (BUNDLES[0], "openvino/fp16"),
        (BUNDLES[0], "openvino/int8"), (BUNDLES[1], "litert/int8"),
    ],
    ids=["onnx", "openvino", "openvino-int8", "coral"],
)  # fmt: skip
def test_every_shipped_file_finds_the_people_of_a_drawn_shop(folder, label):
    model = shipped(folder, label)
    detector = PersonDetector(model)
    found = scoring.score(detector, list(drawn("corner", 12, seed=77)))
    model.close()
    assert found["people"] >= 30
    assert found["recall"] >= 0.7
    assert found["precision"] >= 0.8


def test_the_coral_file_is_integer_to_the_last_byte():
    card = open_bundle(BUNDLES[1]).card
    assert {one.dtype for one in (*card.inputs, *card.outputs)} == {"int8"}
    name, options = reader_of(card, input_form(card.inputs[0]))
    assert name == "yolox"
    assert set(options.tensors) == {"boxes", "scores"}
    runtime = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="litert is not installed"
    )
    network = runtime.Interpreter(str(BUNDLES[1] / "int8.tflite"))
    network.allocate_tensors()
    kinds = {np.dtype(one["dtype"]).name for one in network.get_tensor_details()}
    assert kinds <= {"int8", "int32"}
