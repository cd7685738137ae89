"""One contract, every runtime with every artefact of the shipped model."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from apps.defect_inspection.perceive import Detector
from apps.defect_inspection.simulate import make_board
from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.inference.bundle import Model, open_bundle
from common.inference.images import Detections, binarise, iou
from hardware.catalog import RUNTIMES, installed, open_runtime

ROOT = Path(__file__).parents[2]
BUNDLE = open_bundle(ROOT / "apps" / "defect_inspection" / "models" / "pcb")
ARTEFACTS = [a for a in BUNDLE.card.artefacts if installed(RUNTIMES[a.runtime])]
FLOAT = [artefact for artefact in ARTEFACTS if artefact.precision != "int8"]
NAME = BUNDLE.card.inputs[0].name
SHAPE = BUNDLE.card.inputs[0].shape
SURE = 0.5
DAMAGE = {
    "truncated": lambda d: d[: len(d) // 2],
    "empty": lambda _: b"",
    "text": lambda _: b"hi",
}


def label(artefact):
    return artefact.label


def opened(artefact, folder=BUNDLE.folder):
    """On one thread: the other cores are busy with other tests."""
    return open_runtime(artefact.runtime, folder / artefact.file, threads=1)


def picture(seed):
    return {NAME: np.random.default_rng(seed).random(SHAPE, np.float32)}


@pytest.fixture(scope="module", params=ARTEFACTS, ids=label)
def artefact(request):
    return request.param


@pytest.fixture(scope="module")
def runtime(artefact):
    runtime = opened(artefact)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def model(artefact, runtime):
    return Model(BUNDLE.card, artefact, runtime)


def test_no_artefact_is_for_a_runtime_that_the_catalogue_does_not_know():
    named = {artefact.runtime.partition(":")[0] for artefact in BUNDLE.card.artefacts}
    assert named <= set(RUNTIMES)


class TestContract:
    """What common.ports.Runtime promises."""

    def test_it_says_what_it_is_and_takes(self, artefact, runtime):
        assert runtime.name == artefact.runtime
        assert runtime.device == "CPU"
        assert [spec.name for spec in runtime.inputs] == [s.name for s in BUNDLE.card.inputs]
        assert [spec.name for spec in runtime.outputs] == [s.name for s in BUNDLE.card.outputs]
        for spec in (*runtime.inputs, *runtime.outputs):
            assert spec.dtype == "float32"
            assert all(size > 0 or size == -1 for size in spec.shape)

    def test_its_outputs_are_those_it_describes(self, runtime):
        outputs = runtime.run(picture(1))
        assert list(outputs) == [spec.name for spec in runtime.outputs]
        for spec in runtime.outputs:
            found = outputs[spec.name]
            assert found.dtype == spec.dtype
            assert all(w in (-1, h) for w, h in zip(spec.shape, found.shape, strict=True))

    def test_the_same_picture_gives_the_same_numbers(self, runtime):
        first = runtime.run(picture(1))
        runtime.run(picture(2))
        again = runtime.run(picture(1))
        assert all(np.array_equal(first[name], again[name]) for name in first)

    def test_outputs_are_not_overwritten_by_the_next_run(self, runtime):
        first = runtime.run(picture(1))
        kept = {name: array.copy() for name, array in first.items()}
        second = runtime.run(picture(2))
        assert all(np.array_equal(first[name], kept[name]) for name in first)
        assert not any(np.array_equal(first[name], second[name]) for name in first)

    def test_its_input_is_left_as_it_was_and_may_be_read_only(self, runtime):
        arrays = picture(1)
        arrays[NAME].flags.writeable = False
        before = arrays[NAME].copy()
        runtime.run(arrays)
        assert np.array_equal(arrays[NAME], before)

    def test_an_array_that_lies_otherwise_in_memory_gives_the_same(self, runtime):
        arrays = picture(1)
        turned = {NAME: np.asfortranarray(arrays[NAME])}
        for name, array in runtime.run(turned).items():
            assert np.array_equal(array, runtime.run(arrays)[name])

    @pytest.mark.parametrize(
        "arrays",
        [
            {},
            {"other": np.zeros(SHAPE, np.float32)},
            {NAME: np.zeros(SHAPE, np.float32), "other": np.zeros(1, np.float32)},
            {NAME: np.zeros(SHAPE[:-1], np.float32)},
            {NAME: np.zeros((*SHAPE[:-1], 32), np.float32)},
            {NAME: np.array(["text"])},
        ],
        ids=["none", "other name", "one too many", "three dimensions", "narrow", "text"],
    )
    def test_wrong_arrays_are_a_failure_and_never_the_answer_before(self, runtime, arrays):
        runtime.run(picture(1))
        with pytest.raises(RuntimeFailure) as caught:
            runtime.run(arrays)
        assert caught.value.device == runtime.name
        assert "\n" not in str(caught.value)
        runtime.run(picture(1))  # and it goes on working

    @pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, np.int64])
    def test_a_wrong_kind_of_number_is_a_failure_through_the_model(self, model, dtype):
        with pytest.raises(RuntimeFailure, match=f"{NAME} is {np.dtype(dtype)}"):
            model.run({NAME: np.zeros(SHAPE, dtype)})

    @pytest.mark.parametrize("shape", [SHAPE[1:], (2, *SHAPE[1:]), (*SHAPE[:3], 1), (0,)])
    def test_a_wrong_shape_is_a_failure_through_the_model(self, model, shape):
        with pytest.raises(RuntimeFailure, match=f"{NAME} is float32"):
            model.run({NAME: np.zeros(shape, np.float32)})

    def test_a_wrong_name_is_a_failure_through_the_model(self, model):
        with pytest.raises(RuntimeFailure, match=f"{NAME} is missing"):
            model.run({"other": np.zeros(SHAPE, np.float32)})

    def test_two_side_by_side_do_not_disturb_each_other_nor_does_closing_one(
        self, artefact, runtime
    ):
        alone = [runtime.run(picture(seed)) for seed in (1, 2)]
        other = opened(artefact)
        with ThreadPoolExecutor(2) as threads:
            for _ in range(2):
                both = [
                    threads.submit(r.run, picture(s)) for r, s in ((runtime, 1), (other, 2))
                ]
                for expected, future in zip(alone, both, strict=True):
                    found = future.result()
                    assert all(np.array_equal(found[name], expected[name]) for name in found)
        other.close()
        other.close()
        with pytest.raises(RuntimeFailure, match="is closed"):
            other.run(picture(1))
        runtime.run(picture(1))


FILES = [
    pytest.param(artefact, name, id=f"{artefact.label} {name}")
    for artefact in ARTEFACTS
    for name in (artefact.file, artefact.companion)
    if name
]


def copied(artefact, folder):
    for name in filter(None, (artefact.file, artefact.companion)):
        shutil.copy(BUNDLE.folder / name, folder / name)


def refused(artefact, folder):
    with pytest.raises(BundleError) as caught:
        opened(artefact, folder)
    assert str(folder / artefact.file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("of", "name"), FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_with_its_path(of, name, damage, tmp_path):
    copied(of, tmp_path)
    path = tmp_path / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    refused(of, tmp_path)


@pytest.mark.parametrize(("of", "name"), FILES)
def test_a_missing_file_is_refused_with_its_path(of, name, tmp_path):
    copied(of, tmp_path)
    (tmp_path / name).unlink()
    refused(of, tmp_path)


def test_a_device_openvino_does_not_have_is_one_line_with_those_it_has():
    artefact = next(a for a in ARTEFACTS if a.runtime == "openvino")
    path = BUNDLE.folder / artefact.file
    with pytest.raises(BackendMissing, match=r"no device ABACUS here; it has: .*CPU"):
        open_runtime("openvino", path, device="ABACUS")


# ------------------------------------------------------------------ all see the same

# Never tensors: runtimes round differently (HARDWARE.md fact 6). So boxes are compared, and
# a box that is sure (score over 0.5) in one must be there in the other, nearly as sure.
# Between float32 and float16 nothing else is allowed; INT8 shifts scores by a few hundredths
# and now and then takes a neighbouring anchor's box.
FLOAT_LIMITS = {"overlap": 0.9, "score": 0.02}
INT8_LIMITS = {"overlap": 0.7, "score": 0.2}
BOARDS = 5


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(5)
    return [binarise(make_board(rng, defective=True).frame) for _ in range(BOARDS)]


@pytest.fixture(scope="module")
def reference(pictures):
    artefact = next(a for a in FLOAT if a.precision == "fp32")
    runtime = opened(artefact)
    yield detections(Model(BUNDLE.card, artefact, runtime), pictures)
    runtime.close()


def detections(model, pictures):
    detector = Detector(model)
    return [detector.detect(picture, SURE - INT8_LIMITS["score"]) for picture in pictures]


def unmatched(found: Detections, other: Detections, limits):
    """Sure boxes of `found` that `other` has not, of the same kind, place and score."""
    overlaps = iou(found.boxes, other.boxes)
    alike = (
        (overlaps >= limits["overlap"])
        & (found.classes[:, None] == other.classes)
        & (np.abs(found.scores[:, None] - other.scores) <= limits["score"])
    )
    return [i for i in np.flatnonzero(found.scores > SURE) if not alike[i].any()]


def test_all_artefacts_see_the_same_defects(artefact, model, pictures, reference):
    limits = INT8_LIMITS if artefact.precision == "int8" else FLOAT_LIMITS
    assert sum(int((one.scores > SURE).sum()) for one in reference) >= BOARDS
    for found, expected in zip(detections(model, pictures), reference, strict=True):
        assert not unmatched(found, expected, limits)
        assert not unmatched(expected, found, limits)
