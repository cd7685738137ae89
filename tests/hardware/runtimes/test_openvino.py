"""OpenVINO: devices that are not here, the cache, several inferences under way."""
# ruff: noqa: PLC0415 - names and forms are the vendor's

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import BackendMissing, RuntimeFailure
from hardware.catalog import RUNTIMES, installed, open_runtime

pytestmark = pytest.mark.skipif(
    not installed(RUNTIMES["openvino"]), reason=f"not here: {RUNTIMES['openvino'].install}"
)
MODEL = Path(__file__).parents[3] / "apps/defect_inspection/models/pcb/int8.xml"


def picture(runtime, seed):
    (spec,) = runtime.inputs
    return {spec.name: np.random.default_rng(seed).random(spec.shape, np.float32)}


@pytest.mark.parametrize("own_process", [False, True])
@pytest.mark.parametrize(
    ("device", "remedy"),
    [("GPU", "intel-opencl-icd"), ("NPU", "intel-level-zero-npu"), ("TPU", "it has: CPU")],
)
def test_a_device_that_is_not_here_is_named_with_what_it_needs(
    device, remedy, own_process, as_if_present
):
    import openvino

    if any(name.startswith(device) for name in openvino.Core().available_devices):
        pytest.skip(f"{device} is here")
    with pytest.raises(BackendMissing, match=f"no device {device} here; it has: CPU") as caught:
        open_runtime(f"openvino:{device}", MODEL, own_process=own_process)
    assert remedy in str(caught.value)


def test_a_compiled_network_is_kept_and_gives_the_same(tmp_path):
    first = open_runtime("openvino", MODEL, threads=1, cache=tmp_path)
    assert [*tmp_path.iterdir()]
    second = open_runtime("openvino", MODEL, threads=1, cache=tmp_path)
    assert second._model.get_property("LOADED_FROM_CACHE")
    arrays = picture(first, 1)
    one, other = first.run(arrays), second.run(arrays)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    first.close()
    second.close()


def test_several_under_way_for_throughput_each_with_its_own_answer():
    runtime = open_runtime("openvino", MODEL, hint="THROUGHPUT")
    asked = [picture(runtime, seed) for seed in range(3)]
    futures = [runtime.start(arrays) for arrays in asked]
    for arrays, future in zip(asked, futures, strict=True):
        alone, found = runtime.run(arrays), future.result(60)
        assert all(np.allclose(found[name], alone[name], atol=0.5) for name in alone)
    with pytest.raises(RuntimeFailure, match="needs"):
        runtime.start({})
    runtime.close()
    with pytest.raises(RuntimeFailure, match="is closed"):
        runtime.start(asked[0])


SIGNALLED = """
import gc, pathlib, signal, sys
from hardware.catalog import open_runtime
for runtime in [open_runtime("openvino", pathlib.Path(sys.argv[1])) for _ in range(2)]:
    runtime.close()
    gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("told to end"))
signal.raise_signal(signal.SIGTERM)
"""


def test_networks_closed_in_any_order_leave_a_process_that_can_be_told_to_end():
    command = [sys.executable, "-c", SIGNALLED, str(MODEL)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "told to end\n"), ended.stderr


def test_the_bare_calls_really_ask_the_network():
    runtime = open_runtime("openvino", MODEL, hint="THROUGHPUT")
    (spec,) = runtime.inputs
    runtime.bare_several(picture(runtime, 4), depth=2, count=3)()
    with pytest.raises(RuntimeError):
        runtime.bare_several({spec.name: np.zeros((2, 2), np.float32)}, depth=2, count=3)()
    runtime.close()
