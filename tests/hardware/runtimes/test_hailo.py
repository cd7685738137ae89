"""Hailo without a chip: the ways there is none, and our calls against a stand-in."""
# ruff: noqa: ARG002, ARG005, PLC0415 - names and forms are the vendor's

from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import BackendMissing, BundleError, RuntimeFailure
from hardware.catalog import open_runtime
from hardware.runtimes import hailo
from hardware.runtimes.failures import DeviceLost


class Stream:
    is_nms = False

    def __init__(self, shape):
        self.shape, self.buffer, self.format = shape, None, None

    def set_format_type(self, kind):
        self.format = kind

    def set_buffer(self, array):
        self.buffer = array


class Configured:
    def __init__(self):
        self.fails, self.closed = None, 0

    def create_bindings(self, output_buffers):
        given = Stream(())
        return SimpleNamespace(input=lambda: given, outputs=output_buffers)

    def run(self, bindings, timeout_ms):
        if self.fails:
            raise self.fails
        bindings[0].outputs["out"][:] = bindings[0].input().buffer.mean()

    def shutdown(self):
        self.closed += 1


def vendor(error=None, nms=False):
    configured, released = Configured(), []
    streams = {"in": Stream((2, 2, 3)), "out": Stream((5,))}
    streams["out"].is_nms = nms
    model = SimpleNamespace(
        input_names=["in"], output_names=["out"], set_batch_size=lambda n: None,
        input=lambda: streams["in"], output=streams.__getitem__, configure=lambda: configured,
    )  # fmt: skip

    def create(path):
        if error:
            raise error
        return model

    class VDevice:
        create_params = staticmethod(SimpleNamespace)

        def __init__(self, params):
            assert params.scheduling_algorithm == "robin"

        create_infer_model = staticmethod(create)

        def release(self):
            released.append(self)

    lib = SimpleNamespace(
        VDevice=VDevice, HailoSchedulingAlgorithm=SimpleNamespace(ROUND_ROBIN="robin"),
        FormatType=SimpleNamespace(UINT8="u8", FLOAT32="f32"), __version__="4.23.0",
    )  # fmt: skip
    return lib, configured, released


@pytest.fixture
def opened(monkeypatch, tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/hailo0").touch()
    path = tmp_path / "net.hef"
    path.write_bytes(b"hef")

    def open_it(lib):
        monkeypatch.setattr(hailo, "import_module", lambda name: lib)
        return hailo.Hailo(path, root=tmp_path)

    return open_it


def test_it_runs_and_frees_network_and_chip_once(opened):
    lib, configured, released = vendor()
    runtime = opened(lib)
    assert runtime.device == "Hailo-8 (HailoRT 4.23.0)"
    assert runtime.inputs[0].shape == (1, 2, 2, 3)
    found = runtime.run({"in": np.full((1, 2, 2, 3), 7, np.uint8)})
    assert found["out"].tolist() == [[7.0] * 5]
    with pytest.raises(RuntimeFailure, match="in is float32"):
        runtime.run({"in": np.ones((1, 2, 2, 3), np.float32)})
    runtime.close()
    runtime.close()
    assert (configured.closed, len(released)) == (1, 1)
    with pytest.raises(RuntimeFailure, match="is closed"):
        runtime.run({"in": np.full((1, 2, 2, 3), 7, np.uint8)})


def test_a_chip_that_does_not_answer_is_lost_and_gives_no_zeros(opened):
    lib, configured, _ = vendor()
    runtime = opened(lib)
    configured.fails = RuntimeError("libhailort failed with error: 4 (HAILO_TIMEOUT)")
    with pytest.raises(DeviceLost, match="HAILO_TIMEOUT"):
        runtime.run({"in": np.full((1, 2, 2, 3), 7, np.uint8)})


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (64, BackendMissing, "its driver is not loaded"),
        (73, BackendMissing, "in use by another process"),
        (74, BackendMissing, "in use by another process"),
        (76, BackendMissing, "different versions"),
        (85, BackendMissing, "different versions"),
        (36, BackendMissing, "cannot be opened"),
        (26, BundleError, "no usable HEF"),
        (92, BundleError, "Dataflow Compiler"),
        (93, BundleError, "compiled for another chip"),
    ],
)
def test_its_codes_are_words(opened, code, kind, text):
    said = f"libhailort failed with error: {code} (HAILO_SOMETHING)"
    with pytest.raises(kind, match=text) as caught:
        opened(vendor(error=RuntimeError(said))[0])
    assert said in str(caught.value)


def test_an_exception_with_a_name_and_no_code_is_understood(opened):
    class HailoRTHEFNotCompatibleWithDevice(Exception):
        pass

    with pytest.raises(BundleError, match="compiled for another chip"):
        opened(vendor(error=HailoRTHEFNotCompatibleWithDevice("no"))[0])


def test_boxes_of_free_length_are_refused(opened):
    with pytest.raises(BundleError, match="NMS on the chip"):
        opened(vendor(nms=True)[0])


def test_without_driver_or_package_it_says_which(tmp_path):
    path = tmp_path / "net.hef"
    with pytest.raises(BundleError, match="missing"):
        hailo.Hailo(path, root=tmp_path)
    path.touch()
    with pytest.raises(BackendMissing, match="there is no /dev/hailo0: its driver"):
        hailo.Hailo(path, root=tmp_path)
    try:
        import hailo_platform  # noqa: F401
    except ImportError:
        with pytest.raises(BackendMissing, match="not installed: apt install hailo-all"):
            open_runtime("hailo", path)
