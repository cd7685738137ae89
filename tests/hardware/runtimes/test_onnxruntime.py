"""ONNX Runtime's silent fall to the processor is found before and after."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import BackendMissing, RuntimeFailure
from common.inference.pipelined import Pipelined
from hardware.catalog import open_runtime, opener_for
from hardware.runtimes import onnxruntime as backend
from hardware.runtimes.onnxruntime import CPU, PROVIDERS

MODEL = Path(__file__).parents[3] / "apps/defect_inspection/models/pcb/fp32.onnx"
CUDA = PROVIDERS["CUDA"]


class Session:
    """A session that runs its parts on these providers."""

    def __init__(self, *providers, parts=()):
        self._providers, self._parts = [*providers], parts

    def get_providers(self):
        return self._providers

    def get_provider_graph_assignment_info(self):
        return [SimpleNamespace(ep_name=name) for name in self._parts]


@pytest.mark.parametrize("device", ["CUDA", "TensorRT", "OpenVINO", "ABACUS"])
@pytest.mark.parametrize("own_process", [False, True])
def test_a_provider_that_this_build_lacks_is_refused_not_replaced(
    device, own_process, as_if_present
):
    if PROVIDERS.get(device) in backend.ort.get_available_providers():
        pytest.skip(f"this onnxruntime has {device}")
    with pytest.raises(BackendMissing, match=f"asked for {device}, this build offers only CPU"):
        open_runtime(f"onnxruntime:{device}", MODEL, own_process=own_process)


def test_one_that_fell_back_to_the_processor_is_refused():
    with pytest.raises(BackendMissing, match="asked for CUDA, it runs on CPUExecutionProvider"):
        backend.device_used(Session(CPU), "CUDA", CUDA)


def test_one_that_takes_no_part_of_the_network_is_refused():
    with pytest.raises(BackendMissing, match="takes no part of this network"):
        backend.device_used(Session(CUDA, CPU, parts=[CPU, CPU]), "CUDA", CUDA)


def test_what_shares_the_network_with_the_processor_says_so():
    session = Session(CUDA, CPU, parts=[CUDA, CUDA, CPU])
    assert backend.device_used(session, "CUDA", CUDA) == (
        "CUDA (2 parts on CUDAExecutionProvider, 1 parts on CPUExecutionProvider)"
    )
    assert backend.device_used(Session(CUDA, CPU, parts=[CUDA]), "CUDA", CUDA) == "CUDA"


def test_the_real_library_tells_where_its_parts_are():
    """That it says so at all is what `device_used` stands on."""
    options = backend.ort.SessionOptions()
    options.add_session_config_entry(backend.ASSIGNMENT, "1")
    session = backend.ort.InferenceSession(str(MODEL), options, providers=[CPU])
    assert {part.ep_name for part in session.get_provider_graph_assignment_info()} == {CPU}


def picture(runtime, seed):
    (spec,) = runtime.inputs
    return {spec.name: np.random.default_rng(seed).random(spec.shape, np.float32)}


def test_several_under_way_each_with_its_own_answer_and_a_core_of_its_own():
    runtime = opener_for(2)("onnxruntime", MODEL)
    assert runtime._session.get_session_options().intra_op_num_threads == 1
    asked = [picture(runtime, seed) for seed in range(3)]
    pipeline = Pipelined(runtime, depth=2)
    for seed, arrays in enumerate(asked):
        pipeline.submit(seed, arrays)
    for seed, arrays in enumerate(asked):
        answer, alone = pipeline.collect(60), runtime.run(arrays)
        assert answer.tag == seed
        assert all(np.array_equal(answer.outputs[name], alone[name]) for name in alone)
    with pytest.raises(RuntimeFailure, match="needs"):
        runtime.start({}).result(60)
    pipeline.close()
    runtime.close()
    with pytest.raises(RuntimeFailure, match="is closed"):
        runtime.start(asked[0])


def test_who_waits_for_each_answer_has_all_cores_for_it():
    runtime = opener_for(1)("onnxruntime", MODEL)
    threads = runtime._session.get_session_options().intra_op_num_threads
    assert threads == len(os.sched_getaffinity(0))
    assert not hasattr(runtime, "start")
    runtime.close()
