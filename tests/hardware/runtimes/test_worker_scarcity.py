"""A station that runs out of descriptors or threads for a while still gets its process back."""

import os
import resource
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from common.errors import BackendMissing, RuntimeFailure
from hardware.runtimes.shared_arrays import Area
from hardware.runtimes.worker import WorkerRuntime
from hardware.runtimes.worker_process import WorkerProcess
from tests.hardware.runtimes import faulty_runtime as fault
from tests.hardware.runtimes.test_worker import LAUNCH, LIMITS, asking, back, failure

OPEN = Path("/proc/self/fd")
NONE = 3  # those of standard input, output and error are never closed


def free(spare):
    """The limit that leaves so many to be opened, as long as none is closed."""
    numbers = (number for number in count() if not (OPEN / str(number)).exists())
    return next(islice(numbers, spare, None))


@contextmanager
def descriptors_below(limit):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def inputs():
    area = Area()
    yield area
    area.close()


@pytest.mark.parametrize("spare", range(7))
def test_a_start_without_descriptors_is_a_failure_that_keeps_none(inputs, spare):
    before = sorted(OPEN.iterdir())
    with (
        descriptors_below(free(spare)),
        pytest.raises((RuntimeFailure, BackendMissing)) as caught,
    ):
        WorkerProcess(LAUNCH, inputs)
    assert "Too many open files" in str(caught.value)
    assert sorted(OPEN.iterdir()) == before


@pytest.mark.parametrize("spare", range(8))
def test_a_first_start_without_descriptors_is_a_failure_that_keeps_none(spare):
    before = sorted(OPEN.iterdir())
    with (
        descriptors_below(free(spare)),
        pytest.raises((RuntimeFailure, BackendMissing)) as caught,
    ):
        WorkerRuntime(LAUNCH, LIMITS)
    assert "Too many open files" in str(caught.value)
    assert sorted(OPEN.iterdir()) == before


def test_a_first_start_without_threads_is_a_failure_that_keeps_nothing(monkeypatch):
    def none_left(_):
        raise RuntimeError("can't start new thread")

    before = sorted(OPEN.iterdir())
    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(RuntimeFailure, match="faulty: its process cannot be started: can't"):
        WorkerRuntime(LAUNCH, LIMITS)
    assert sorted(OPEN.iterdir()) == before


def test_a_start_without_threads_leaves_no_process(inputs, monkeypatch):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *words, **settings):
            super().__init__(*words, **settings)
            started.append(self)

    def none_left(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(subprocess, "Popen", Watched)
    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(RuntimeFailure, match="faulty: its process cannot be started: can't"):
        WorkerProcess(LAUNCH, inputs)
    assert [child.returncode for child in started] == [-signal.SIGKILL]


@pytest.fixture
def worker():
    runtime = WorkerRuntime(LAUNCH, LIMITS)
    yield runtime
    runtime.close()


def test_new_starts_go_on_when_there_are_descriptors_again(worker):
    worker.run(asking(fault.FINE))
    with descriptors_below(NONE):
        failure(worker, asking(fault.SEGV))
        end = time.monotonic() + 20
        while "cannot be started: [Errno 24]" not in worker.state()["reason"]:
            assert time.monotonic() < end
            time.sleep(0.02)
    back(worker)
    assert worker.run(asking(fault.FINE))["mean"].tolist() == [2.0, 2.0]


def test_inputs_that_could_not_be_handed_over_are_a_failure_and_come_whole_later(worker):
    with descriptors_below(NONE):
        assert "no shared memory for its inputs" in failure(worker, asking(fault.FINE))
    assert worker.run(asking(fault.FINE, 3.0))["mean"].tolist() == [6.0, 6.0]


def test_memory_that_could_not_be_mapped_is_not_taken_for_written(inputs):
    arrays = {"picture": np.ones((64, 64), np.float32)}
    for _ in range(2):
        with descriptors_below(NONE), pytest.raises(OSError, match="Too many open files"):
            inputs.put(arrays)
    laid, _ = inputs.put(arrays)
    there = Area(os.dup(inputs.descriptor), writable=False)
    assert there.view(laid[0]).min() == 1
    there.close()
