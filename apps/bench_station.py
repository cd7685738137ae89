"""A station for `lineside bench screen`: many values, many alarms, and nothing behind them.

    python -m apps.bench_station FOLDER

Everything that a screen meets of it is real: the store, the alarm board, the API with its
users, the state written twice a second. Only the plant is not there: values walk at random,
and the commands `raise` and `clear` stand for what a process would do.
"""

import math
import os
import random
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from common import audit
from common.alarms import commands
from common.alarms.definition import AlarmDefinition
from common.alarms.document import document
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.service import ApiServer, build_api
from common.service.command_queue import CommandQueue
from common.snapshot import keep
from common.store import Store
from common.users import User, Users

VALUES, STANDING, EVENTS = 200, 50, 1000
SNAPSHOT_S, TICK_S, WAIT_S = 0.5, 0.25, 0.02
USER, PASSWORD = "bench", "LINESIDE_BENCH_PASSWORD"


class BenchStation:
    """The station's loop (common.service.commands.Commanded)."""

    roles = commands.ROLES | {"raise": "operator", "clear": "operator"}

    def __init__(self, name: str, store: Store) -> None:
        self._name, self._store, self.port = name, store, 0
        self._board = stored_board(definitions(), store)
        self._queue = CommandQueue()
        self._last: dict[str, Any] = {}
        self._random = random.Random(7)  # noqa: S311 - a simulation

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`."""
        for number in range(STANDING):
            self._board.set(f"standing_{number:02}", active=True, detail="stands for long")
        clock, say, tick = self._store.clock, 0.0, 0.0
        while not stop.is_set():
            self._queue.carry_out(self._done)
            stop.wait(WAIT_S)
            now = clock.monotonic()
            if now >= tick:
                tick = now + TICK_S
                self._board.tick()
            if now >= say:
                say = now + SNAPSHOT_S
                self._say()

    def _done(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        if name in commands.ROLES:
            return commands.carry_out(self._board, name, arguments, user)
        first, many = int(arguments["first"]), int(arguments.get("many", 1))
        wall = self._store.clock.wall()
        for number in range(first, first + many):
            detail = f"event-{number}@{wall:.3f};"
            self._board.set(f"event_{number:04}", active=name == "raise", detail=detail)
        return wall

    def _say(self) -> None:
        wall = self._store.clock.wall()
        board, before = self._board, self._last
        self._last = {
            "station": self._name, "app": "bench", "wall_time": wall, "api_port": self.port,
            "software": "bench", "healthy": True, "faults": [],
            "values": [self._value(number, wall) for number in range(VALUES)],
            "alarms": [document(alarm) for alarm in board.summary()],
            "hidden_alarms": [document(alarm) for alarm in board.hidden()],
            "alarm_burden": asdict(board.burden()),
            "link": {"mqtt": {"state": "off", "queued": 0}},
            "store": {"healthy": self._store.healthy, "refused": 0, "failed": 0},
        }  # fmt: skip
        keep(self._store, self._last, before)

    def _value(self, number: int, wall: float) -> dict[str, Any]:
        value = 50 + 30 * math.sin(wall / 60 + number) + self._random.gauss(0, 1)
        return {
            "id": f"tag_{number:03}", "text": f"Value {number:03}", "value": round(value, 2),
            "unit": "°C", "quality": "GOOD" if number % 40 else "UNCERTAIN", "at": wall,
            "low": 10.0, "high": 90.0, "max_age_s": 2.0,
        }  # fmt: skip

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        """Queue a command for the loop's own thread."""
        return self._queue.put(name, arguments, user)

    def snapshot(self) -> dict[str, Any]:
        """The last state."""
        return self._last

    def metrics(self) -> bytes:
        """Nothing to watch here."""
        return b""


def definitions() -> dict[str, AlarmDefinition]:
    """Alarms that stand, and alarms that are raised."""
    standing = [_definition(f"standing_{n:02}", 2 + n % 3) for n in range(STANDING)]
    events = [_definition(f"event_{n:04}", 1, group="flood") for n in range(EVENTS)]
    return {alarm.id: alarm for alarm in (*standing, *events)}


def _definition(name: str, priority: int, group: str = "") -> AlarmDefinition:
    return AlarmDefinition(
        name, priority, name.replace("_", " "), "the benchmark", "nothing", "nothing",
        time_to_respond_s=60.0, first_out_group=group, first_out_s=20.0,
    )  # fmt: skip


def main(folder: Path) -> None:
    """Serve until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as opened:
        clock = SystemClock()
        store = Store(folder / "station.sqlite", clock)
        opened.callback(store.close)
        station = BenchStation(folder.name, store)
        users = Users(folder / "users.json", clock)
        users.add(USER, "engineer", os.environ[PASSWORD])
        server = ApiServer(build_api(station, users, audit=partial(audit.submit, store)), 0)
        server.start()
        opened.callback(server.stop)
        station.port = server.port
        station.run(stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
