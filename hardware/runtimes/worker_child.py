"""The process in which a risky runtime lives: it may hang, crash or be killed here.

It answers one message at a time over the socket it was given and knows nothing of back-off
or time limits: those belong to the side that survives. `python -m` starts it, with any
interpreter that has numpy and the vendor's package.
"""

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import DeviceError, LinesideError
from common.ports import Runtime
from hardware.runtimes.shared_arrays import Area, Place, places

PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 1 << 17


def main() -> None:
    """Open the runtime that the first message names, then run it until told to end."""
    parent, inputs, outputs, control = (int(word) for word in sys.argv[1:5])
    _die_with(parent)
    link = socket.socket(fileno=control)
    try:
        runtime = _opened(json.loads(link.recv(MESSAGE_BYTES)))
    except Exception as error:  # noqa: BLE001 - told to the other side, which raises it
        _say(link, _failure(error))
        return
    areas = Area(inputs, writable=False), Area(outputs)
    _say(link, _description(runtime))
    while message := link.recv(MESSAGE_BYTES):
        _say(link, _answer(runtime, areas, json.loads(message)))
    runtime.close()


def _die_with(parent: int) -> None:
    """A hang inside the vendor's code must not outlive the station."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the station ended while this process started")


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


def _answer(
    runtime: Runtime, areas: tuple[Area, Area], request: dict[str, Any]
) -> dict[str, Any]:
    inputs, outputs = areas
    try:
        arrays = {row[0]: inputs.view(_place(row)) for row in request["arrays"]}
        found = runtime.run(arrays)
        laid = places((name, str(a.dtype), a.shape) for name, a in found.items())
        outputs.grow(max((place.end for place in laid), default=0))
        for place in laid:
            np.copyto(outputs.view(place), found[place.name])
    except Exception as error:  # noqa: BLE001 - told to the other side, which raises it
        return {"run": request["run"], **_failure(error)}
    return {"run": request["run"], "arrays": [_row(place) for place in laid]}


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
