"""SIMULATOR: a PLC in software, with conveyor, shift register, rejector and confirm eye.

    python -m hardware.virtual_plc --port 5020

A Modbus TCP server with the register map of hardware/fieldbus/registers.py, in a process of
its own, so that vision meets a real network, a foreign scan cycle and a peer that can die.
With --vision HOST:PORT it is the Modbus client of a vision system that is the server. Faults
and counters are registers from 200 on: see hardware/virtual_line/simulator.py.
"""

import argparse
import contextlib
import dataclasses
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import typed
from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError, PlcError
from hardware.fieldbus.registers import WORD_ORDERS
from hardware.virtual_line.cell import VirtualPlc
from hardware.virtual_line.conveyor import LineSettings
from hardware.virtual_line.link import VisionLink
from hardware.virtual_line.packml import Command, Stop
from hardware.virtual_line.simulator import Counters, Fault, SimulatorControl

__all__ = [
    "Command",
    "Counters",
    "Fault",
    "LineSettings",
    "SimulatorControl",
    "Stop",
    "VirtualPlc",
    "main",
]

PARENT_LOOK_S = 1.0
log = logging.getLogger("virtual_plc")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 done, 1 it could not serve, 2 wrong settings."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        line = from_table(LineSettings, _line_table(given), Path("virtual PLC"))
        plc = VirtualPlc(line, host=given.host, port=given.port, word_order=given.word_order)
        plc.open()
    except (ConfigError, PlcError) as error:
        log.error("%s", error)  # noqa: TRY400 - a user's mistake needs no traceback
        return 2 if isinstance(error, ConfigError) else 1
    log.info("SIMULATOR, not a real PLC: listening on %s:%d", given.host, plc.port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not given.stopped:
        plc.command(Command.RUN)  # starts as soon as vision's heartbeat is alive
    if given.attended_s:
        attend = functools.partial(_attend, plc, stop, given.attended_s)
        threading.Thread(target=attend, name="attendant", daemon=True).start()
    if given.with_parent:
        ends = functools.partial(_end_with_parent, os.getppid(), stop)
        threading.Thread(target=ends, name="parent-watch", daemon=True).start()
    with contextlib.closing(plc), _linked(plc, given.vision, stop):
        plc.run(stop)
    return 0


def _attend(plc: VirtualPlc, stop: threading.Event, patience_s: float) -> None:
    """A simulated person at the panel: resets a stopped line and presses run.

    The line starts only when nothing is against it any more, vision's line stop included.
    """
    while not stop.wait(patience_s):
        if plc.program.line.reasons:
            plc.command(Command.RESET)
            plc.command(Command.RUN)


def _end_with_parent(parent: int, stop: threading.Event) -> None:
    """A killed station cannot end us: a demo must leave no line running behind it."""
    while not stop.wait(PARENT_LOOK_S):
        if os.getppid() != parent:
            stop.set()


@contextlib.contextmanager
def _linked(
    plc: VirtualPlc, vision: tuple[str, int] | None, stop: threading.Event
) -> Iterator[None]:
    """A thread that talks to vision's server, if vision is one."""
    if vision is None:
        yield
        return
    with contextlib.closing(VisionLink(plc, *vision, SystemClock())) as link:
        thread = threading.Thread(target=link.run, args=(stop,), name="vision-link")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hardware.virtual_plc",
        description="SIMULATOR of a PLC with conveyor and rejector; it moves nothing real.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=typed.whole(0, 65_535), default=5020, help="0 takes a free one"
    )
    parser.add_argument("--word-order", choices=WORD_ORDERS, default=WORD_ORDERS[0])
    parser.add_argument("--stopped", action="store_true", help="wait for RUN before starting")
    parser.add_argument(
        "--attended-s", type=typed.number(0, 1e6), default=0.0, metavar="S",
        help="somebody resets a stopped line after S seconds; 0 is nobody",
    )  # fmt: skip
    parser.add_argument(
        "--vision", type=_address, metavar="HOST:PORT", help="vision is the server"
    )
    parser.add_argument(
        "--with-parent", action="store_true", help="end when the starting process has ended"
    )
    for field in dataclasses.fields(LineSettings):
        name, unit = f"--{field.name.replace('_', '-')}", field.metadata["unit"]
        about = f"{unit + '; ' if unit else ''}default {field.default}"
        kind = type(field.default)
        parser.add_argument(name, type=kind, default=field.default, help=about)
    return parser


def _line_table(given: argparse.Namespace) -> dict[str, object]:
    return {
        field.name: getattr(given, field.name) for field in dataclasses.fields(LineSettings)
    }


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, typed.whole(1, 65_535)(port)


if __name__ == "__main__":
    sys.exit(main())
