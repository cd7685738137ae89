"""A bundle is trusted only when every file is the one its card was written for."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from common.errors import BundleError, RuntimeFailure
from common.inference.bundle import Model, open_bundle, sha256
from common.ports import TensorSpec

WEIGHTS = b"some weights"
CARD = """
name = "tiny"
version = "1.2.3"
task = "detection"
licence = "Apache-2.0"
labels = ["a", "b"]
[[inputs]]
name = "images"
shape = [1, 2]
layout = "NC"
[[outputs]]
name = "boxes"
shape = [1, 3]
[[outputs]]
name = "count"
shape = [1]
dtype = "int64"
[[artefacts]]
runtime = "fake"
precision = "int8"
"""
INPUTS = (TensorSpec("images", (1, 2), "float32"),)
OUTPUTS = (TensorSpec("boxes", (1, 3), "float32"), TensorSpec("count", (1,), "int64"))
GOOD = {"boxes": np.ones((1, 3), np.float32), "count": np.array([1])}


class FakeRuntime:
    """Implements common.ports.Runtime: answers what it was told to."""

    name, device = "fake", "CPU"

    def __init__(self, inputs=INPUTS, outputs=OUTPUTS, answer=GOOD):
        self.inputs, self.outputs, self.answer = inputs, outputs, answer
        self.runs, self.closed, self.seen = 0, 0, None

    def run(self, arrays):
        self.runs, self.seen = self.runs + 1, arrays
        return self.answer

    def close(self):
        self.closed += 1


def digest(data):
    return hashlib.sha256(data).hexdigest()


def made(folder: Path, artefact: str, card: str = CARD):
    (folder / "model.toml").write_text(card + artefact)
    (folder / "net.onnx").write_bytes(WEIGHTS)
    return folder


def net(name="net.onnx", hashed=WEIGHTS):
    return f'file = "{name}"\nsha256 = "{digest(hashed)}"\n'


def a_model(tmp_path, **runtime):
    bundle = open_bundle(made(tmp_path, net()))
    return Model(bundle.card, bundle.card.artefacts[0], FakeRuntime(**runtime))


def test_a_card_is_read_and_its_artefact_found(tmp_path):
    bundle = open_bundle(made(tmp_path, net()))
    artefact = bundle.card.artefacts[0]
    assert bundle.path(artefact) == tmp_path / "net.onnx"
    assert artefact.label == "fake/int8"
    assert bundle.card.inputs[0].dtype == "float32"
    assert bundle.card.overlap == 0.45


def test_a_folder_without_a_card_is_no_model(tmp_path):
    with pytest.raises(BundleError, match=r"no model here \(model\.toml is missing\)"):
        open_bundle(tmp_path)
    with pytest.raises(BundleError, match="no model here"):
        open_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('task = "detection"', 'task = "poetry"', "task = 'poetry'; allowed: detection"),
        ('version = "1.2.3"', "", "version is missing"),
        (
            'dtype = "int64"',
            'dtype = "pickle"',
            "outputs[1].dtype = 'pickle'; allowed: float32",
        ),
        ("shape = [1, 2]", 'shape = "1x2"', "inputs[0].shape = '1x2' must be a list"),
        ('precision = "int8"', 'precision = "fp8"', "artefacts[0].precision = 'fp8'; allowed"),
        ("licence", "license", "unknown key license"),
        ("labels = [", "labels = ", "is not valid TOML"),
    ],
)
def test_a_wrong_card_is_named_with_its_key(tmp_path, old, new, text):
    with pytest.raises(BundleError) as caught:
        open_bundle(made(tmp_path, net(), CARD.replace(old, new, 1)))
    assert str(tmp_path / "model.toml") in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("artefact", "text"),
    [
        (net("other.onnx"), "other.onnx: missing; restore it or train the model again"),
        (net(hashed=b"other"), "net.onnx: is not the file model.toml was written for"),
        (net("../net.onnx"), "../net.onnx lies outside the model's folder"),
        (net("/etc/hostname"), "/etc/hostname lies outside the model's folder"),
        (net("link.onnx"), "link.onnx lies outside the model's folder"),
        (net("."), "missing"),
        (net("a\\u0000b"), "'a\\x00b' is no name of a file"),
        (net("x" * 300), "cannot be read (File name too long)"),
        (net() + 'companion = "w.bin"\ncompanion_sha256 = "0"', "w.bin: missing"),
        (net() + 'companion = "net.onnx"\ncompanion_sha256 = "0"', "is not the file"),
        (
            net() + 'companion = "../w.bin"\ncompanion_sha256 = "0"',
            "outside the model's folder",
        ),
    ],
)
def test_no_file_is_given_out_that_is_not_the_cards(tmp_path, artefact, text):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "net.onnx").write_bytes(WEIGHTS)
    (folder / "link.onnx").symlink_to(tmp_path / "net.onnx")
    bundle = open_bundle(made(folder, artefact))
    with pytest.raises(BundleError) as caught:
        bundle.path(bundle.card.artefacts[0])
    assert str(folder) in str(caught.value)
    assert text in str(caught.value)


def test_weights_that_no_hash_covers_are_refused(tmp_path):
    entry = b"j\x1a\n\x08location\x12\x0efp32.onnx.data"  # as ONNX saves a tensor elsewhere
    bundle = open_bundle(made(tmp_path, net(hashed=entry)))
    (tmp_path / "net.onnx").write_bytes(entry)
    with pytest.raises(BundleError, match="in another file"):
        bundle.path(bundle.card.artefacts[0])


def test_one_changed_bit_is_noticed(tmp_path):
    bundle = open_bundle(made(tmp_path, net()))
    (tmp_path / "net.onnx").write_bytes(bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:])
    with pytest.raises(BundleError, match="SHA-256"):
        bundle.path(bundle.card.artefacts[0])


@pytest.mark.parametrize("companion", ["", 'companion = "other.bin"\ncompanion_sha256 = "0"'])
def test_the_weights_openvino_loads_beside_a_file_must_be_named(tmp_path, companion):
    with pytest.raises(BundleError, match=r"artefacts\[0\]: net\.xml loads net\.bin: name it"):
        open_bundle(made(tmp_path, net("net.xml") + companion))


def test_a_file_is_hashed_as_everywhere(tmp_path):
    assert sha256(made(tmp_path, net()) / "net.onnx") == digest(WEIGHTS)


@pytest.mark.parametrize(
    ("runtime", "text"),
    [
        ({"inputs": ()}, "net.onnx: no input named images; it has "),
        ({"inputs": (TensorSpec("x", (1, 2), "float32"),)}, "no input named images; it has x"),
        ({"outputs": OUTPUTS[:1]}, "net.onnx: no output named count; it has boxes"),
        (
            {"inputs": (TensorSpec("images", (1, 4), "float32"),)},
            "input images is float32 [1, 4], model.toml says float32 [1, 2]",
        ),
        ({"inputs": (TensorSpec("images", (1, 2, 1), "float32"),)}, "is float32 [1, 2, 1], mo"),
        ({"inputs": (TensorSpec("images", (1, 2), "uint8"),)}, "images is uint8 [1, 2], model"),
        (
            {"outputs": (OUTPUTS[0], TensorSpec("count", (1,), "float32"))},
            "output count is float32 [1], model.toml says int64 [1]",
        ),
    ],
)
def test_a_network_that_is_not_what_the_card_says_is_refused(tmp_path, runtime, text):
    with pytest.raises(BundleError) as caught:
        a_model(tmp_path, **runtime)
    assert text in str(caught.value)


def test_a_free_dimension_fits_any_size(tmp_path):
    a_model(tmp_path, inputs=(TensorSpec("images", (-1, 2), "float32"),))


def test_right_arrays_go_through(tmp_path):
    model = a_model(tmp_path)
    assert model.run({"images": np.zeros((1, 2), np.float32)}) is GOOD
    assert model.describe() == "tiny 1.2.3 (int8 on fake CPU)"
    model.close()
    assert model.runtime.closed == 1


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({}, "fake: images is missing"),
        ({"image": np.zeros((1, 2), np.float32)}, "images is missing"),
        ({"images": np.zeros((1, 2))}, "images is float64 [1, 2], expected float32 [1, 2]"),
        ({"images": np.zeros((2, 1), np.float32)}, "images is float32 [2, 1], expected"),
        ({"images": np.zeros(2, np.float32)}, "images is float32 [2], expected"),
    ],
)
def test_a_wrong_array_never_reaches_the_network(tmp_path, arrays, text):
    model = a_model(tmp_path)
    with pytest.raises(RuntimeFailure) as caught:
        model.run(arrays)
    assert text in str(caught.value)
    assert caught.value.device == "fake"
    assert model.runtime.runs == 0


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({}, "boxes is missing"),
        (GOOD | {"boxes": np.zeros((0, 3), np.float32)}, "boxes is float32 [0, 3], expected"),
        (GOOD | {"boxes": np.zeros((1, 3))}, "boxes is float64 [1, 3], expected float32"),
        (GOOD | {"boxes": np.float32([[1, np.nan, 1]])}, "boxes holds NaN or infinity"),
        (GOOD | {"boxes": np.float32([[1, np.inf, 1]])}, "boxes holds NaN or infinity"),
        (GOOD | {"count": np.array([1], np.int32)}, "count is int32 [1], expected int64 [1]"),
    ],
)
def test_a_wrong_answer_is_a_failure_and_never_a_result(tmp_path, answer, text):
    model = a_model(tmp_path, answer=answer)
    with pytest.raises(RuntimeFailure) as caught:
        model.run({"images": np.zeros((1, 2), np.float32)})
    assert text in str(caught.value)


def test_outputs_in_another_order_and_more_than_the_card_names_are_found_by_name(tmp_path):
    """Converters reorder outputs and keep some that nobody asked for."""
    extra = TensorSpec("debug", (9,), "float32")
    answer = {"debug": np.zeros(9, np.float32), **dict(reversed(GOOD.items()))}
    model = a_model(tmp_path, outputs=(extra, *reversed(OUTPUTS)), answer=answer)
    found = model.run({"images": np.ones((1, 2), np.float32)})
    assert found["boxes"].shape == (1, 3)
    assert found["count"].tolist() == [1]


def test_a_file_that_may_not_be_read_is_one_line_with_the_way_out(tmp_path, monkeypatch):
    bundle = open_bundle(made(tmp_path, net()))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BundleError, match=r"net\.onnx: cannot be read \(Permission denied\);"):
        bundle.path(bundle.card.artefacts[0])


def test_a_file_for_further_devices_is_a_candidate_on_each(tmp_path):
    card = open_bundle(made(tmp_path, net() + 'also = ["GPU", "NPU"]\n')).card
    labels = [artefact.label for artefact in card.candidates()]
    assert labels == ["fake/int8", "fake:GPU/int8", "fake:NPU/int8"]
    assert all(artefact.file == "net.onnx" for artefact in card.candidates())
