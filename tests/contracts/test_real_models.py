"""The contract on published networks and on the apps' own, on every runtime that runs here.

Section by section what common.ports.Runtime promises, then that runtimes agree: on decoded
boxes and keypoints, never on tensors.
"""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import BundleError, RuntimeFailure
from common.inference.images import iou
from common.inference.pipelined import Pipelined
from hardware.catalog import RUNTIMES, installed, open_runtime
from tests.contracts.real_models import (
    BOARD,
    CASES,
    IMAGES,
    MODELS,
    POSE,
    RISK,
    YOLOX,
    Case,
    feed,
    pose_peaks,
    yolox_boxes,
    yolox_input,
)

published = pytest.mark.skipif(not MODELS.is_dir(), reason="the published models are not here")


def opened(case, path=None):
    if path is None and not case.path.is_file():
        pytest.skip(f"{case.path.name} is not here")
    if not installed(RUNTIMES[case.runtime]):
        pytest.skip(f"{case.runtime} is not installed: {RUNTIMES[case.runtime].install}")
    return open_runtime(
        case.runtime, path or case.path, threads=1, own_process=case.own_process
    )


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    if not request.param.path.is_file():
        pytest.skip(f"{request.param.path.name} is not here")
    return request.param


@pytest.fixture(scope="module")
def runtime(case):
    runtime = opened(case)
    yield runtime
    runtime.close()


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def close(one, other):
    """As near as two plans of one network on one library come."""
    return one.keys() == other.keys() and all(
        np.allclose(one[k], other[k], rtol=1e-3, atol=1e-3) for k in one
    )


def test_it_says_what_it_is_takes_and_gives(case, runtime):
    assert (runtime.name, runtime.device) == (case.runtime, "CPU")
    outputs = runtime.run(feed(runtime, 1))
    assert [*outputs] == [spec.name for spec in runtime.outputs]
    for spec in runtime.outputs:
        assert outputs[spec.name].dtype == spec.dtype
        shape = outputs[spec.name].shape
        assert all(want in (-1, have) for want, have in zip(spec.shape, shape, strict=True))
        assert outputs[spec.name].size > 0


def test_the_same_input_gives_the_same_and_no_answer_is_overwritten(runtime):
    first = runtime.run(feed(runtime, 1))
    kept = {name: array.copy() for name, array in first.items()}
    other = runtime.run(feed(runtime, 2))
    assert same(first, kept)
    assert not same(first, other)
    assert same(runtime.run(feed(runtime, 1)), first)


def test_pipelined_it_gives_what_it_gives_one_by_one_and_in_order(runtime):
    alone = [runtime.run(feed(runtime, seed)) for seed in range(6)]
    pipeline = Pipelined(runtime, depth=3, waiting=6)
    questions = [feed(runtime, seed) for seed in range(6)]
    for tag, arrays in enumerate(questions):
        pipeline.submit(tag, arrays)
    for tag in range(6):
        answer = pipeline.collect(60)
        assert answer.tag == tag
        assert answer.failure is None
        assert close(answer.outputs, alone[tag])
        assert not close(answer.outputs, alone[tag - 1])
    assert pipeline.dropped == 0
    pipeline.close()


def test_a_free_batch_gives_for_each_row_what_it_gives_alone(case, runtime):
    if (case.runtime, case.file) == ("openvino", RISK):
        pytest.skip("OpenVINO answers wrong here: no card offers it, see test_cards")
    if any(spec.shape[0] != -1 for spec in runtime.inputs):
        pytest.skip("its batch is fixed")
    alone = [runtime.run(feed(runtime, seed)) for seed in range(3)]
    rows = [feed(runtime, seed) for seed in range(3)]
    together = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    found = runtime.run(together)
    for name, array in found.items():
        assert len(array) == 3
        for row, one in enumerate(alone):
            assert np.allclose(array[row], one[name][0], rtol=1e-3, atol=1e-3)
    assert same(runtime.run(rows[0]), alone[0])  # and one again after three


def test_more_than_it_can_do_is_given_up_oldest_first_counted_and_never_empty(runtime):
    pipeline, arrays = Pipelined(runtime, depth=1, waiting=2), feed(runtime, 1)
    for tag in range(12):
        pipeline.submit(tag, arrays)
    answers = [pipeline.collect(60) for _ in range(12)]
    pipeline.close()
    assert [answer.tag for answer in answers] == [*range(12)]
    given_up = [answer for answer in answers if answer.failure is not None]
    assert len(given_up) == pipeline.dropped
    assert all("given up: newer ones came" in str(answer.failure) for answer in given_up)
    assert all((answer.outputs is None) == (answer.failure is not None) for answer in answers)
    assert [answer.tag for answer in answers[-2:] if answer.failure is None] == [10, 11]


def gigabytes(array):
    """How many of it are a hundred of them."""
    return 100_000_000_000 // array.nbytes + 1


def wrong(runtime, kind):
    good = feed(runtime, 1)
    (name, array), rest = next(iter(good.items())), {}
    return {
        "none": {},
        "other name": {"other": array},
        "one too many": {**good, "other": np.zeros(1, np.float32)},
        "flat": {name: array[0], **rest},
        "narrow": {name: array[..., :-1]},
        "empty batch": {name: array[:0]},
        "text": {name: np.array(["text"])},
        "float64": {name: array.astype(np.float64)},
        "int16": {name: array.astype(np.int16)},
        "a hundred gigabytes": {
            name: np.broadcast_to(array, (gigabytes(array), *array.shape[1:]))
        },
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "none",
        "other name",
        "one too many",
        "flat",
        "narrow",
        "empty batch",
        "text",
        "float64",
        "int16",
        "a hundred gigabytes",
    ],
)
def test_wrong_arrays_are_one_line_and_never_the_answer_before(runtime, kind):
    runtime.run(feed(runtime, 1))
    with pytest.raises(RuntimeFailure) as caught:
        runtime.run(wrong(runtime, kind))
    assert caught.value.device == runtime.name
    assert "\n" not in str(caught.value)
    runtime.run(feed(runtime, 1))  # and it goes on working


def test_two_side_by_side_and_closing_one_twice(case, runtime):
    expected = runtime.run(feed(runtime, 3))
    other = opened(case)
    assert same(other.run(feed(runtime, 3)), expected)
    other.close()
    other.close()
    with pytest.raises(RuntimeFailure, match="is closed"):
        other.run(feed(runtime, 3))
    assert same(runtime.run(feed(runtime, 3)), expected)


def of_another(path):
    """A network in the form of another runtime; OpenVINO knows ONNX by its content."""
    board = Path(BOARD)
    return board.with_suffix(".xml") if path.suffix == ".tflite" else board


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "text": lambda path: path.write_text("hello"),
    "another kind": lambda path: path.write_bytes(b"PK\3\4" + bytes(5000)),
    "another's network": lambda path: path.write_bytes(of_another(path).read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_no_network_is_refused_with_its_path(case, damage, tmp_path):
    for file in case.path.parent.glob(f"{case.path.stem}.*"):
        shutil.copyfile(file, tmp_path / file.name)
    path = tmp_path / case.path.name
    DAMAGE[damage](path)
    with pytest.raises(BundleError) as caught:
        opened(case, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ all see the same

REFERENCE = Case("onnxruntime", f"{YOLOX}/yolox_nano.onnx")
SURE = 0.5
LIMITS = {"float": (0.9, 0.03), "int8": (0.7, 0.25)}
"""Overlap and difference of scores within which two runtimes mean the same box."""
SEEN = {"person.jpg": 1, "bus.png": 3}
"""Boxes that the reference is at least sure of in each picture."""


def detections(case, threshold):
    runtime = opened(case)
    (given,), (output,) = runtime.inputs, runtime.outputs
    found = {}
    for name in SEEN:
        picture = yolox_input(cv2.imread(str(IMAGES / name)))
        found[name] = yolox_boxes(runtime.run({given.name: picture})[output.name], threshold)
    runtime.close()
    return found


@pytest.fixture(scope="module")
def reference():
    return detections(REFERENCE, 0.2)


def missed(mine, others, limits):
    """Sure boxes that the other has not of the same kind, place and score."""
    overlap, score = limits
    alike = (
        (iou(mine.boxes, others.boxes) >= overlap)
        & (mine.classes[:, None] == others.classes)
        & (np.abs(mine.scores[:, None] - others.scores) <= score)
    )
    return [i for i in np.flatnonzero(mine.scores > SURE + score) if not alike[i].any()]


@pytest.mark.parametrize("case", [c for c in CASES if YOLOX in c.file], ids=str)
def test_every_runtime_finds_the_boxes_that_the_reference_finds(case, reference):
    limits = LIMITS["int8" if "int8" in case.file else "float"]
    found = detections(case, 0.2)
    for name, least in SEEN.items():
        assert (reference[name].scores > SURE).sum() >= least
        assert not missed(reference[name], found[name], limits)
        assert not missed(found[name], reference[name], limits)


@published
@pytest.mark.parametrize("own_process", [False, True])
def test_openvino_and_litert_see_the_same_joints(own_process):
    picture = cv2.imread(str(MODELS / POSE.partition("/")[0] / "test_image.bmp"))
    arrays = {"sub_2": cv2.cvtColor(cv2.resize(picture, (481, 353)), cv2.COLOR_BGR2RGB)[None]}
    peaks = []
    for name in ("litert", "openvino"):
        runtime = opened(Case(name, f"{POSE}.tflite", own_process))
        peaks.append(pose_peaks(runtime.run(arrays), near=peaks[0] if peaks else None))
        runtime.close()
    sure = peaks[0][:, 2] > 0.8
    assert sure.sum() >= 10
    difference = np.abs(peaks[0] - peaks[1])[sure]
    assert difference[:, :2].max() < 4  # px, of 353×481
    assert difference[:, 2].max() < 0.2
