"""What training writes into model.toml reads back as what was meant."""

import pytest

from common.inference import card_text
from common.inference.bundle import NotBuilt, open_bundle, sha256
from tests.common.inference.cards import TINY


@pytest.fixture
def folder(tmp_path):
    for name in ("int8.xml", "int8.bin", "fp32.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def read_back(folder, *tables):
    (folder / "model.toml").write_text("\n".join([TINY, *tables]))
    return open_bundle(folder)


def test_an_artefact_is_read_back_with_the_hash_of_its_file(folder):
    made = card_text.artefact_of(folder / "fp32.onnx", "onnxruntime", "fp32", ["CUDA"])
    bundle = read_back(folder, card_text.artefact_table(made))
    (artefact,) = bundle.card.artefacts
    assert artefact == made
    assert artefact.also == ("CUDA",)
    assert bundle.path(artefact) == folder / "fp32.onnx"


def test_an_xml_names_the_weights_it_loads(folder):
    made = card_text.artefact_of(folder / "int8.xml", "openvino", "int8")
    (artefact,) = read_back(folder, card_text.artefact_table(made)).card.artefacts
    assert artefact.companion == "int8.bin"
    assert artefact.companion_sha256 == sha256(folder / "int8.bin")


def test_what_is_empty_goes_unsaid(folder):
    text = card_text.artefact_table(
        card_text.artefact_of(folder / "fp32.onnx", "onnxruntime", "fp32")
    )
    assert [line.partition(" = ")[0] for line in text.splitlines()] == [
        "[[artefacts]]", "runtime", "precision", "file", "sha256",
    ]  # fmt: skip


def test_devices_without_a_file_are_read_back_with_why(folder):
    made = card_text.artefact_of(folder / "fp32.onnx", "onnxruntime", "fp32")
    absent = card_text.not_built(["NVIDIA GPU"], 'they call it "new"', "make engine")
    card = read_back(folder, card_text.artefact_table(made), absent).card
    assert card.not_built == (NotBuilt(("NVIDIA GPU",), 'they call it "new"', "make engine"),)
