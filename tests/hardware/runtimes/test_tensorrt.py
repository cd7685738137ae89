"""TensorRT without a GPU: the way there is none, and our calls against a stand-in.

The stand-in checks what we ask of NVIDIA's module, not what that would answer.
"""
# ruff: noqa: ARG002, ARG005, C901, N802, N815, PLC0415 - names and forms are the vendor's

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import BackendMissing, BundleError, RuntimeFailure
from hardware.catalog import RUNTIMES, open_runtime
from hardware.runtimes import cuda, tensorrt, tensorrt_engine
from hardware.runtimes.failures import DeviceLost


class Driver:
    def __init__(self, code=0, count=1):
        self._code, self._count = code, count

    def cuInit(self, flags):
        return self._code

    def cuDeviceGetCount(self, out):
        ctypes.cast(out, ctypes.POINTER(ctypes.c_int))[0] = self._count
        return 0


def test_the_driver_is_asked_first_and_its_absence_is_one_line():
    try:
        ctypes.CDLL(cuda.DRIVER)
    except OSError:
        with pytest.raises(BackendMissing, match=r"no NVIDIA driver here .*--runtime nvidia"):
            cuda.gpu_count()
    else:
        pytest.skip("an NVIDIA driver is here")


@pytest.mark.parametrize(
    ("driver", "text"),
    [
        (Driver(code=100), "no GPU"),
        (Driver(code=35), "its driver says error 35"),
        (Driver(count=0), "none is listed"),
    ],
)
def test_a_driver_without_a_gpu_says_why(driver, text):
    with pytest.raises(BackendMissing, match=text):
        cuda.gpu_count(lambda name: driver)


def test_gpus_are_counted():
    assert cuda.gpu_count(lambda name: Driver(count=2)) == 2


def test_where_the_package_is_missing_the_catalogue_says_where_it_comes_from(tmp_path):
    try:
        import tensorrt as vendor  # noqa: F401
    except ImportError:
        with pytest.raises(
            BackendMissing, match=r"not installed: apt install python3-libnvinfer"
        ):
            open_runtime("tensorrt", tmp_path / "net.engine")
    else:
        pytest.skip("tensorrt is installed")


# ------------------------------------------------------------------ the stand-in


class Memory:
    """CUDA's runtime calls on the host's own memory."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __init__(self):
        self.blocks, self.fail = {}, ""

    def __getattr__(self, name):
        def call(*given):
            if name == self.fail:
                return (700,)
            known = getattr(Memory, f"on_{name}", None)
            return (0, *(known(self, *given) if known else ()))

        return call

    def on_cudaStreamCreate(self):
        return (11,)

    def on_cudaMalloc(self, size):
        block = ctypes.create_string_buffer(size)
        self.blocks[ctypes.addressof(block)] = block
        return (ctypes.addressof(block),)

    def on_cudaFree(self, address):
        del self.blocks[address]
        return ()

    def on_cudaMemcpyAsync(self, to, source, size, kind, stream):
        assert stream == 11
        ctypes.memmove(to, source, size)
        return ()

    def on_cudaGetDeviceProperties(self, number):
        return (SimpleNamespace(name=b"Orin NX\0", major=8, minor=7),)


class Context:
    def __init__(self, engine):
        self._engine, self.places, self.works = engine, {}, True

    def set_tensor_address(self, name, address):
        self.places[name] = address

    def execute_async_v3(self, stream_handle):
        given = np.ctypeslib.as_array(
            ctypes.cast(self.places["x"], ctypes.POINTER(ctypes.c_float)), (4,)
        )
        found = np.ctypeslib.as_array(
            ctypes.cast(self.places["y"], ctypes.POINTER(ctypes.c_float)), (4,)
        )
        found[:] = 2 * given
        return self.works


class Engine:
    num_io_tensors = 2

    def __init__(self, shape=(1, 4)):
        self._shape = shape

    def create_execution_context(self):
        return Context(self)

    def get_tensor_name(self, index):
        return "xy"[index]

    def get_tensor_mode(self, name):
        return "in" if name == "x" else "out"

    def get_tensor_shape(self, name):
        return self._shape

    def get_tensor_dtype(self, name):
        return "DataType.FLOAT"


def vendor(flags=("FP16",), says="", shape=(1, 4), builds=True):
    """A module like NVIDIA's; `says` is what its logger hears when it gives no engine."""
    built = SimpleNamespace(flags=[], count=0)

    class ILogger:
        ERROR, INTERNAL_ERROR, INFO = 1, 0, 3

    class Runtime:
        def __init__(self, log):
            self._log = log

        def deserialize_cuda_engine(self, content):
            if says:
                self._log.log(ILogger.INFO, "loading")
                self._log.log(ILogger.ERROR, says)
                return None
            return Engine(shape)

    class Builder:
        def __init__(self, log):
            pass

        def create_network(self, flags):
            assert flags == 0
            return "network"

        def create_builder_config(self):
            return SimpleNamespace(
                set_memory_pool_limit=lambda pool, size: None, set_flag=built.flags.append
            )

        def build_serialized_network(self, network, config):
            built.count += 1
            return b"engine" if builds else None

    class OnnxParser:
        num_errors = 1

        def __init__(self, network, log):
            pass

        def parse(self, content):
            return content.startswith(b"onnx")

        def get_error(self, index):
            return "In node 3:\nunsupported"

    lib = SimpleNamespace(
        __version__="10.3.0", ILogger=ILogger, Runtime=Runtime, Builder=Builder,
        OnnxParser=OnnxParser, TensorIOMode=SimpleNamespace(INPUT="in"),
        MemoryPoolType=SimpleNamespace(WORKSPACE=0),
        BuilderFlag=SimpleNamespace(**{flag: flag for flag in flags}),
    )  # fmt: skip
    return lib, built


@pytest.fixture
def memory(monkeypatch):
    memory = Memory()
    monkeypatch.setattr(tensorrt, "gpu_count", lambda: 1)
    monkeypatch.setattr(cuda, "_runtime_library", lambda: memory)
    return memory


@pytest.fixture
def opened(memory, monkeypatch, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"onnx bytes")

    def open_it(lib, path=path, **options):
        monkeypatch.setattr(tensorrt, "import_module", lambda name: lib)
        return tensorrt.TensorRt(path, **options)

    return open_it


def test_it_runs_by_tensor_names_and_frees_all_it_took(opened, memory):
    runtime = opened(vendor()[0])
    assert runtime.device == "GPU (Orin NX 8.7, TensorRT 10.3.0)"
    found = runtime.run({"x": np.array([[1, 2, 3, 4]], np.float32)})
    assert found["y"].tolist() == [[2, 4, 6, 8]]
    with pytest.raises(RuntimeFailure, match="x is float64"):
        runtime.run({"x": np.ones((1, 4))})
    runtime.close()
    runtime.close()
    assert not memory.blocks
    with pytest.raises(RuntimeFailure, match="is closed"):
        runtime.run({"x": np.ones((1, 4), np.float32)})


def test_a_call_that_cuda_refuses_is_a_lost_device(opened, memory):
    runtime = opened(vendor()[0])
    memory.fail = "cudaStreamSynchronize"
    with pytest.raises(DeviceLost, match="cudaStreamSynchronize failed: CUDA error 700"):
        runtime.run({"x": np.ones((1, 4), np.float32)})
    memory.fail, runtime._context.works = "", False
    with pytest.raises(DeviceLost, match="could not be put on the GPU"):
        runtime.run({"x": np.ones((1, 4), np.float32)})


def test_an_engine_is_built_once_and_kept_for_this_gpu_and_version(opened, tmp_path):
    lib, built = vendor()
    opened(lib)
    opened(lib)
    assert (built.count, built.flags) == (1, ["FP16"])
    (kept,) = tmp_path.glob("*.engine")
    assert kept.name.endswith("trt10.3.0-Orin-NX-8.7-fp16.engine")
    lib.__version__ = "10.7.0"
    opened(lib)
    assert built.count == 2


def test_an_engine_is_kept_where_systemd_says(opened, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("CACHE_DIRECTORY", str(folder))
    opened(vendor()[0])
    assert [*folder.glob("*.engine")]
    assert not [*tmp_path.glob("*.engine")]


def test_an_engine_that_cannot_be_kept_runs_all_the_same(opened, tmp_path, capsys):
    lib, built = vendor()
    opened(lib, cache=str(tmp_path / "gone"))
    opened(lib, cache=str(tmp_path / "gone"))
    assert built.count == 2
    assert "cannot be kept: No such file" in capsys.readouterr().err


def test_where_there_is_no_flag_the_file_says_its_precision(opened):
    lib, built = vendor(flags=())  # TensorRT 11
    opened(lib, precision="fp16")
    assert built.flags == []


def test_int8_is_not_built_from_a_flag(opened):
    with pytest.raises(BackendMissing, match="Q/DQ nodes"):
        opened(vendor()[0], precision="int8")


@pytest.mark.parametrize(
    "says",
    [
        "Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed. Version tag "
        "does not match",
        "plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed",
        "The engine plan file is generated on an incompatible device, expecting compute 8.6",
    ],
)
def test_an_engine_of_another_version_or_gpu_says_what_to_do(opened, tmp_path, says):
    path = tmp_path / "net.engine"
    path.write_bytes(b"engine")
    with pytest.raises(BundleError, match=r"net\.engine: .*give the \.onnx") as caught:
        opened(vendor(says=says)[0], path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "changes", "text"),
    [
        (b"hello", {}, "cannot read it: In node 3: unsupported"),
        (b"onnx", {"builds": False}, "cannot build it"),
        (b"onnx", {"says": "out of memory"}, "cannot load it: out of memory"),
        (b"onnx", {"shape": (-1, 4)}, "export the model with fixed shapes"),
    ],
)
def test_what_cannot_be_run_is_one_line(opened, tmp_path, content, changes, text):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        opened(vendor(**changes)[0], path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"gone\.engine: cannot be read"):
        tensorrt_engine.plan(None, tmp_path / "gone.engine", "", "fp16", tmp_path)


def test_a_risky_runtime_is_one_of_those_with_a_process_of_their_own():
    for name in ("tensorrt", "hailo"):
        assert RUNTIMES[name].own_process == RUNTIMES[name].devices
