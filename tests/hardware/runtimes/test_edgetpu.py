"""A Coral Edge TPU that does not open: the reason is found, whatever the library says."""
# ruff: noqa: ARG005, PLC0415 - names and forms are the vendor's

import ctypes
from pathlib import Path

import pytest

from common.errors import BackendMissing, BundleError
from hardware.catalog import RUNTIMES, installed, open_runtime
from hardware.runtimes import edgetpu

TFLITE = b"\x1c\0\0\0TFL3" + bytes(200)


class Library:
    """libedgetpu's three calls, with these devices."""

    def __init__(self, *found):
        self._listed = (edgetpu._Device * max(1, len(found)))(*found)
        self._count, self.freed = len(found), 0
        self.edgetpu_list_devices, self.edgetpu_version = _Call(self._list), _Call(None)

    def _list(self, count):
        ctypes.cast(count, ctypes.POINTER(ctypes.c_size_t))[0] = self._count
        return self._listed

    def edgetpu_free_devices(self, _):
        self.freed += 1


class _Call:
    def __init__(self, call):
        self._call = call

    def __call__(self, *given):
        return self._call(*given)


def test_devices_are_listed_and_what_was_lent_is_given_back():
    library = edgetpu.library(
        lambda name: Library((1, b"/sys/bus/usb/2-1"), (0, b"/dev/apex_0"))
    )
    assert edgetpu.devices(library) == ["usb /sys/bus/usb/2-1", "pci /dev/apex_0"]
    assert library.freed == 1
    assert edgetpu.devices(Library()) == []


def stick(root, vendor="1a6e", product="089a"):
    folder = root / "sys/bus/usb/devices/2-1"
    folder.mkdir(parents=True)
    (folder / "idVendor").write_text(f"{vendor}\n")
    (folder / "idProduct").write_text(f"{product}\n")


def test_nothing_on_any_bus(tmp_path):
    assert "check power and cable" in edgetpu.why_none(0, tmp_path)
    stick(tmp_path, "046d", "0825")  # a camera
    assert "check power and cable" in edgetpu.why_none(0, tmp_path)


@pytest.mark.parametrize("product", [("1a6e", "089a"), ("18d1", "9302")])
def test_a_stick_on_the_bus_that_may_not_be_used(tmp_path, product):
    stick(tmp_path, *product)
    assert "group plugdev" in edgetpu.why_none(0, tmp_path)


def test_a_card_that_does_not_answer_or_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert "see dmesg" in edgetpu.why_none(0, tmp_path)
    monkeypatch.setattr(edgetpu.os, "access", lambda *_: False)
    assert "group apex" in edgetpu.why_none(0, tmp_path)


def test_one_that_is_listed_but_taken():
    assert "in use by another process" in edgetpu.why_none(1)


def test_the_impostor_from_the_package_index_is_recognised(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert edgetpu.impostor() == ""
    record = tmp_path / "pycoral-0.2.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: pycoral\nVersion: 0.2.0\n")
    (record / "RECORD").write_text("pycoral/pycoral.py,,\n")
    assert edgetpu.impostor().endswith("pip uninstall pycoral")
    (record / "RECORD").write_text("pycoral/utils/edgetpu.py,,\n")
    assert edgetpu.impostor() == ""


needs_litert = pytest.mark.skipif(
    not installed(RUNTIMES["litert"]), reason=f"not here: {RUNTIMES['litert'].install}"
)


def tflite(tmp_path, *parts):
    path = tmp_path / "net.tflite"
    path.write_bytes(TFLITE + b"".join(parts))
    return path


@needs_litert
def test_a_model_for_the_other_chip_is_refused_before_it_is_tried(tmp_path, as_if_present):
    with pytest.raises(BundleError, match="is compiled for the Edge TPU; give litert"):
        open_runtime("litert", tflite(tmp_path, edgetpu.CUSTOM_OP))
    with pytest.raises(BundleError, match="is not compiled for the Edge TPU"):
        open_runtime("litert:EdgeTPU", tflite(tmp_path), own_process=False)
    with pytest.raises(BundleError, match="is not compiled for the Edge TPU"):
        open_runtime("litert:EdgeTPU", tflite(tmp_path))  # the same through a process


@needs_litert
def test_without_the_library_its_package_is_named(tmp_path, as_if_present):
    try:
        ctypes.CDLL(edgetpu.LIBRARY)
    except OSError:
        with pytest.raises(BackendMissing, match=r"install libedgetpu1-std .* not the PyPI"):
            open_runtime("litert:EdgeTPU", tflite(tmp_path, edgetpu.CUSTOM_OP))
    else:
        pytest.skip("libedgetpu is installed here")


@needs_litert
def test_a_library_that_refuses_is_explained(tmp_path, monkeypatch):
    """What load_delegate raises for every reason there is."""
    from ai_edge_litert import interpreter

    def refuse(*_):
        raise ValueError("Failed to load delegate from libedgetpu.so.1")

    monkeypatch.setattr(interpreter, "load_delegate", refuse)
    monkeypatch.setattr(edgetpu, "library", lambda: Library((1, b"usb")))
    path = tflite(tmp_path, edgetpu.CUSTOM_OP)
    with pytest.raises(BackendMissing, match="in use by another process"):
        open_runtime("litert:EdgeTPU", path, own_process=False)


@needs_litert
def test_another_custom_operation_is_named():
    from tests.contracts.real_models import MODELS, POSE

    if not MODELS.is_dir():
        pytest.skip("the published models are not here")
    with pytest.raises(BundleError, match="unresolved custom op: PosenetDecoderOp"):
        open_runtime("litert", Path(f"{MODELS / POSE}_decoder.tflite"), threads=1)
    with pytest.raises(BundleError, match="is compiled for the Edge TPU"):
        open_runtime("litert", Path(f"{MODELS / POSE}_decoder_edgetpu.tflite"), threads=1)
