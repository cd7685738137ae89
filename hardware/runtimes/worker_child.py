"""The process in which a risky runtime lives: it may hang, crash or be killed here.

It answers one message at a time over the socket it was given and knows nothing of back-off
or time limits: those belong to the side that survives. `python -m` starts it, with any
interpreter that has numpy and the vendor's package.
"""

import ctypes
import importlib
import json
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import DeviceError, LinesideError
from common.ports import Runtime
from hardware.die_with import die_with
from hardware.runtimes.shared_arrays import SAME, SAME_TOO, Area, Place

PR_SET_DUMPABLE = 4
MESSAGE_BYTES = 1 << 17


def main() -> None:
    """Open the runtime that the first message names, then run it until told to end."""
    parent, inputs, outputs, control = (int(word) for word in sys.argv[1:5])
    die_with(parent)  # a hang inside the vendor's code must not outlive the station
    _leave_no_image()
    link = socket.socket(fileno=control)
    try:
        runtime = _opened(json.loads(link.recv(MESSAGE_BYTES)))
    except Exception as error:  # noqa: BLE001 - told to the other side, which raises it
        _say(link, _failure(error))
        return
    answers = Answers(runtime, Area(inputs, writable=False), Area(outputs))
    _say(link, _description(runtime))
    heard = memoryview(bytearray(MESSAGE_BYTES))  # a new one each time costs time
    while size := link.recv_into(heard):
        link.send(answers.to(bytes(heard[:size])))
    runtime.close()


def _leave_no_image() -> None:
    """A crash must not write what the network was shown; the station's own ban ends at exec."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _opened(launch: dict[str, Any]) -> Runtime:
    module = importlib.import_module(launch["module"])
    opener = getattr(module, launch["opener"])
    runtime: Runtime = opener(Path(launch["path"]), **launch["options"])
    return runtime


def _description(runtime: Runtime) -> dict[str, Any]:
    return {
        "name": runtime.name,
        "device": runtime.device,
        "inputs": [asdict(spec) for spec in runtime.inputs],
        "outputs": [asdict(spec) for spec in runtime.outputs],
    }


class Answers:
    """Runs what it is asked; where arrays lie is said only when it is not as before.

    Words cost time: a process that slept finds nothing of its own in the caches.
    """

    def __init__(self, runtime: Runtime, inputs: Area, outputs: Area) -> None:
        self._runtime, self._inputs, self._outputs = runtime, inputs, outputs
        self._given: dict[str, np.ndarray] = {}

    def to(self, message: bytes) -> bytes:
        """The answer to one message, in bytes too."""
        number = self._asked(message)
        try:
            start = time.perf_counter()
            found = self._runtime.run(self._given)
            took_s = time.perf_counter() - start
            laid, same = self._outputs.put(found)
        except Exception as error:  # noqa: BLE001 - told to the other side, which raises it
            return json.dumps({"run": number, **_failure(error)}).encode()
        if same:
            return SAME_TOO.pack(number, took_s)
        rows = [_row(place) for place in laid]
        return json.dumps({"run": number, "took_s": took_s, "arrays": rows}).encode()

    def _asked(self, message: bytes) -> int:
        """The number of the call; its arrays are where they were, or where it says."""
        if len(message) == SAME.size:
            (number,) = SAME.unpack(message)
            return int(number)
        request = json.loads(message)
        self._given = {row[0]: self._inputs.view(_place(row)) for row in request["arrays"]}
        return int(request["run"])


def _failure(error: Exception) -> dict[str, Any]:
    text = " ".join(str(error).split())
    if isinstance(error, DeviceError):
        text = text.removeprefix(f"{error.device}: ")  # the other side puts it back
    elif not isinstance(error, LinesideError):
        text = f"{type(error).__name__}: {text}"
    return {"failed": type(error).__name__, "text": text}


def _place(row: list[Any]) -> Place:
    name, dtype, shape, offset = row
    return Place(name, dtype, tuple(shape), offset)


def _row(place: Place) -> list[Any]:
    return [place.name, place.dtype, place.shape, place.offset]


def _say(link: socket.socket, message: dict[str, Any]) -> None:
    link.send(json.dumps(message).encode())


if __name__ == "__main__":
    main()
