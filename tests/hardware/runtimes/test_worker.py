"""A runtime in its own process: whatever happens there, a true answer or a failure in time."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BackendMissing, BundleError, RuntimeFailure
from hardware.runtimes.failures import DeviceLost
from hardware.runtimes.worker import BackOff, Launch, WorkerLimits, WorkerRuntime
from hardware.runtimes.worker_process import ROOT
from tests.hardware.runtimes import faulty_runtime as fault

RUN_S = 0.3
LIMITS = WorkerLimits(
    start_s=30, first_s=RUN_S, run_s=RUN_S, back_off_s=0.05, back_off_most_s=0.2, steady_s=3600
)
LAUNCH = Launch(
    "faulty", "faulty_runtime", "Faulty", Path("net.onnx"),
    search=(ROOT, Path(fault.__file__).parent),
)  # fmt: skip


def asking(what, value=1.0):
    return {
        "what": np.array([what]),
        "picture": np.full((64, 64, 3), value, np.float32),
    }


def opened(limits=LIMITS, crash_hint="", **options):
    return WorkerRuntime(replace(LAUNCH, options=options, crash_hint=crash_hint), limits)


@pytest.fixture
def worker():
    runtime = opened()
    yield runtime
    runtime.close()


def failure(worker, arrays):
    with pytest.raises(RuntimeFailure) as caught:
        worker.run(arrays)
    assert caught.value.device == "faulty"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def back(worker, within_s=20.0):
    """Wait until it is there again."""
    end = time.monotonic() + within_s
    while not worker.state()["alive"]:
        assert time.monotonic() < end, worker.state()
        time.sleep(0.02)


def test_it_tells_what_an_inference_took_over_there():
    worker = opened(replace(LIMITS, run_s=30, first_s=30))
    try:
        for _ in range(2):  # the second answer is the short one
            start = time.monotonic()
            worker.run(asking(fault.LATE))
            assert fault.LATE_S <= worker.took_s <= time.monotonic() - start
    finally:
        worker.close()


def test_it_answers_as_the_runtime_itself_would(worker):
    assert worker.run(asking(fault.FINE, 3.0))["mean"].tolist() == [6.0, 6.0]
    assert (worker.name, worker.device) == ("faulty", "CPU")
    assert [spec.name for spec in worker.inputs] == ["what", "picture"]
    assert worker.outputs[0].shape == (2,)
    assert worker.state() == {
        "alive": True, "reason": "", "restarts": 0, "last_fault": "", "next_start_s": 0.0,
    }  # fmt: skip


def test_where_arrays_lie_is_told_anew_when_it_changes(worker):
    """The process is told once; a greater answer, an error or a new process changes it."""
    for what, value in ((fault.FINE, 1.0), (fault.FINE, 2.0), (fault.HUGE, 3.0)):
        assert worker.run(asking(what, value))["mean"][0] == 2 * value
    failure(worker, asking(fault.FAIL))
    assert worker.run(asking(fault.HUGE, 4.0))["mean"].tolist() == [8.0] * 1_000_000
    assert worker.run(asking(fault.FINE, 5.0))["mean"].tolist() == [10.0, 10.0]
    failure(worker, asking(fault.SEGV))
    back(worker)
    assert worker.run(asking(fault.FINE, 6.0))["mean"].tolist() == [12.0, 12.0]


def test_answers_are_kept_when_the_next_call_comes(worker):
    first = worker.run(asking(fault.FINE, 1.0))["mean"]
    worker.run(asking(fault.FINE, 2.0))
    assert first.tolist() == [2.0, 2.0]


def test_an_answer_greater_than_any_before_it_comes_whole(worker):
    assert worker.run(asking(fault.HUGE, 2.0))["mean"].shape == (1_000_000,)
    assert worker.run(asking(fault.FINE, 2.0))["mean"].tolist() == [4.0, 4.0]


def test_arrays_may_come_in_any_order_and_not_beside_others(worker):
    picture, what = asking(fault.FINE, 5.0)["picture"], asking(fault.FINE, 5.0)["what"]
    assert worker.run({"picture": picture, "what": what})["mean"].tolist() == [10.0, 10.0]
    with pytest.raises(RuntimeFailure, match="needs"):
        worker.run({"picture": picture, "else": what})
    with pytest.raises(RuntimeFailure, match="expected"):
        worker.run({"picture": picture, "what": None})


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (fault.HANG, "inference gave no answer within 0.3 s"),
        (fault.HOLD, "inference gave no answer within 0.3 s"),
        (fault.LATE, "inference gave no answer within 0.3 s"),
        (fault.SEGV, "its process died of SIGSEGV"),
        (fault.ABORT, "its process died of SIGABRT"),
        (fault.REAL_TIME, "its process died of signal 40"),
        (fault.EXIT, "its process ended (exit code 3): vendor: licence expired"),
        (fault.LOST, "the device is gone from the bus"),
        (fault.EMPTY, "gave no usable answer (outputs [])"),
    ],
    ids=[
        "hang",
        "hang in native code",
        "late",
        "segv",
        "abort",
        "real time",
        "exit",
        "lost",
        "empty",
    ],
)
def test_what_goes_wrong_is_a_failure_in_time_and_a_new_start(worker, what, text):
    worker.run(asking(fault.FINE))
    began = time.monotonic()
    said = failure(worker, asking(what))
    assert time.monotonic() - began < RUN_S + 5  # seconds for a busy machine; see the bench
    assert text in said
    assert text in failure(worker, asking(fault.FINE)) or worker.state()["alive"]
    back(worker)
    assert worker.restarts == 1
    assert text in worker.state()["last_fault"]
    assert worker.run(asking(fault.FINE, 4.0))["mean"].tolist() == [8.0, 8.0]


def test_a_late_answer_is_never_taken_for_the_next_one(worker):
    failure(worker, asking(fault.LATE, 1.0))
    back(worker)
    time.sleep(fault.LATE_S)
    assert worker.run(asking(fault.FINE, 2.0))["mean"].tolist() == [4.0, 4.0]


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (fault.RAISE, "faulty: ValueError: two lines"),
        (fault.FAIL, "faulty: inference failed: code 5"),
    ],
)
def test_an_error_is_told_and_the_process_lives_until_they_pile_up(worker, what, text):
    for _ in range(LIMITS.failures - 1):
        assert failure(worker, asking(what)) == text
        assert worker.state()["alive"]
    worker.run(asking(fault.FINE))  # a good one: the count begins anew
    for _ in range(LIMITS.failures):
        assert failure(worker, asking(what)) == text
    back(worker)
    assert worker.restarts == 1


def test_a_lost_device_is_its_own_type(worker):
    with pytest.raises(DeviceLost):
        worker.run(asking(fault.LOST))


def test_while_it_is_away_every_call_fails_at_once_and_says_until_when():
    slow = opened(replace(LIMITS, back_off_s=30.0, back_off_most_s=30.0))
    try:
        assert failure(slow, asking(fault.SEGV)).endswith("it starts again in 30.0 s")
        began = time.monotonic()
        assert "died of SIGSEGV; it starts again in" in failure(slow, asking(fault.FINE))
        assert time.monotonic() - began < 1
        assert not slow.state()["alive"]
    finally:
        slow.close()


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        ("bundle", BundleError, "net.onnx: half a file"),
        ("missing", BackendMissing, "no device here: connect one"),
        ("import", RuntimeFailure, "faulty: ImportError: libvendor.so.3: cannot open"),
        ("crash", RuntimeFailure, "faulty: net.onnx: its process died of SIGSEGV: too old"),
        ("hang", RuntimeFailure, "faulty: net.onnx: start gave no answer within 1 s"),
    ],
)
def test_what_cannot_be_opened_is_said_at_once(start, error, text):
    with pytest.raises(error) as caught:
        opened(replace(LIMITS, start_s=1 if start == "hang" else 30), "too old", start=start)
    assert str(caught.value) == text


def test_a_crash_leaves_no_image_of_what_it_was_shown():
    with pytest.raises(BundleError, match="dumpable: 0"):
        opened(start="dumpable")


def test_what_takes_long_is_told_in_our_words_and_the_vendors_chatter_is_not(caplog):
    worker = opened(start="tells")
    worker.close()
    assert caplog.messages == ["faulty: building for this device"]


def test_an_interpreter_that_is_not_there_is_one_line():
    with pytest.raises(BackendMissing, match="its Python cannot be started"):
        WorkerRuntime(replace(LAUNCH, python="/nowhere/python"), LIMITS)


def test_a_start_that_fails_is_tried_again_later(tmp_path):
    """It opens the first time; every later start crashes."""
    launch = replace(LAUNCH, path=tmp_path / "mark", options={"start": "crash once"})
    worker = WorkerRuntime(launch, LIMITS)
    try:
        failure(worker, asking(fault.SEGV))
        end = time.monotonic() + 20
        while "mark: its process died" not in worker.state()["reason"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        (tmp_path / "mark").unlink()
        back(worker)
        assert worker.run(asking(fault.FINE))["mean"].tolist() == [2.0, 2.0]
    finally:
        worker.close()


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"what": np.zeros(1, np.int64)},
        {"what": np.zeros(1, np.int64), "picture": np.zeros((64, 64, 3))},
        {"what": np.zeros(1, np.int64), "picture": np.zeros((64, 3), np.float32)},
        {"what": np.zeros(0, np.int64), "picture": np.zeros((64, 64, 3), np.float32)},
        {"what": np.zeros(1, np.int64), "picture": np.array(["text"])},
    ],
    ids=["none", "one too few", "float64", "two dimensions", "batch of 0", "text"],
)
def test_wrong_arrays_are_refused_before_they_cross(worker, arrays):
    failure(worker, arrays)
    assert worker.state()["alive"]
    assert worker.restarts == 0


def test_a_batch_of_a_hundred_gigabytes_is_refused_unread(worker):
    picture = np.broadcast_to(np.float32(1), (64, 64, 3))
    giant = np.broadcast_to(picture, (2_000_000, 64, 64, 3))
    said = failure(worker, {"what": np.zeros(1, np.int64), "picture": giant})
    assert said.startswith("faulty: picture is float32 [2000000, 64, 64, 3], expected")


def test_several_threads_may_ask_it(worker):
    found, threads = {}, []
    for value in range(8):

        def ask(value=value):
            found[value] = worker.run(asking(fault.FINE, float(value)))["mean"][0]

        threads.append(threading.Thread(target=ask))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {value: 2.0 * value for value in range(8)}


def test_closed_is_closed_and_may_be_said_twice(worker):
    worker.close()
    worker.close()
    assert failure(worker, asking(fault.FINE)) == "faulty: is closed"


def test_who_waits_for_an_answer_when_it_is_closed_is_told_so():
    worker = opened(replace(LIMITS, first_s=30.0))
    said = []
    waiting = threading.Thread(target=lambda: said.append(failure(worker, asking(fault.HANG))))
    waiting.start()
    while not worker._lock.locked():
        assert waiting.is_alive()
    worker.close()
    waiting.join()
    assert said == ["faulty: is closed"]


def test_closing_does_not_wait_for_a_start_that_hangs(tmp_path):
    worker = opened()
    failure(worker, asking(fault.SEGV))
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < 10


def test_it_does_not_outlive_a_killed_station():
    code = (
        "import sys, time, pathlib\n"
        "from hardware.runtimes.worker import Launch, WorkerRuntime\n"
        "w = WorkerRuntime(Launch('faulty', 'faulty_runtime', 'Faulty', pathlib.Path('x'),\n"
        f"    search=(pathlib.Path({str(ROOT)!r}), pathlib.Path({str(LAUNCH.search[1])!r}))))\n"
        "print(w._process._child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    station = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    child = int(station.stdout.readline())
    os.kill(child, 0)
    station.send_signal(signal.SIGKILL)
    station.wait()
    station.stdout.close()
    end = time.monotonic() + 20
    while _runs(child):
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs(pid):
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_back_off_doubles_up_to_its_most_and_a_steady_life_ends_it(lives):
    limits = WorkerLimits(back_off_s=0.5, back_off_most_s=30, steady_s=60)
    back_off, expected = BackOff(limits), 0.5
    for lived_s in lives:
        expected = 0.5 if lived_s >= 60 else expected
        assert back_off.after(lived_s) == expected
        expected = min(2 * expected, 30)
