"""A runtime that does whatever can go wrong, told by its input: opened in the worker."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from common.errors import BackendMissing, BundleError, RuntimeFailure
from common.ports import TensorSpec
from hardware.runtimes.failures import DeviceLost

FINE, HANG, SEGV, LATE, RAISE, FAIL, LOST, EXIT, EMPTY, HUGE, ABORT, HOLD, REAL_TIME = range(13)
LATE_S = 0.6


class Faulty:
    """Answers twice its picture's mean, or fails as the first value of `what` asks."""

    name, device = "faulty", "CPU"

    def __init__(self, path: Path, start: str = "", side: int = 64, dtype: str = "float32"):
        if start == "crash once" and not path.exists():
            path.touch()
        elif start.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if start == "tells":
            sys.stderr.write("vendor: chatter\nfaulty: building for this device\n")
        if start == "hang":
            time.sleep(60)
        if start in REFUSALS:
            raise REFUSALS[start](path)
        self.inputs = (
            TensorSpec("what", (1,), "int64"),
            TensorSpec("picture", (side, side, 3), dtype),
        )
        self.outputs = (TensorSpec("mean", (2,), "float32"),)

    def run(self, arrays):
        what = int(arrays["what"][0])
        _misbehave(what)
        if what == EMPTY:
            return {}
        size = 1_000_000 if what == HUGE else 2
        mean = arrays["picture"].reshape(-1)[:64].mean(dtype=np.float64)
        return {"mean": np.full(size, 2 * mean, np.float32)}

    def close(self):
        pass


REFUSALS = {
    "bundle": lambda path: BundleError(f"{path}: half a file"),
    "missing": lambda _: BackendMissing("no device here: connect one"),
    "import": lambda _: ImportError("libvendor.so.3: cannot open"),
    "dumpable": lambda _: BundleError(f"dumpable: {ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)}"),
}


def _misbehave(what):
    ACTIONS.get(what, lambda: None)()


def _raise(error):
    raise error


def _exit():
    sys.stderr.write("vendor: licence expired\n")
    sys.stderr.flush()
    os._exit(3)


ACTIONS = {
    HANG: lambda: time.sleep(60),
    LATE: lambda: time.sleep(LATE_S),
    HOLD: lambda: ctypes.PyDLL(None).sleep(60),  # never gives the interpreter back
    SEGV: lambda: os.kill(os.getpid(), signal.SIGSEGV),
    ABORT: os.abort,
    REAL_TIME: lambda: os.kill(os.getpid(), 40),
    RAISE: lambda: _raise(ValueError("two\nlines")),
    FAIL: lambda: _raise(RuntimeFailure("faulty", "inference failed: code 5")),
    LOST: lambda: _raise(DeviceLost("faulty", "the device is gone from the bus")),
    EXIT: _exit,
}
