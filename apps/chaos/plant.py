"""The processes of a run: real broker, real collector, real station, and the postman."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from apps import collect
from apps.chaos.postman import run_postman
from apps.chaos.processes import CONTEXT, Broker, Child
from apps.chaos.station import Plan, run_station

TARGETS = ("station", "broker", "collector")


def run_collector(archive: Path, port: int) -> None:
    """The body of the collector's process: as `lineside collect` runs it."""
    changes = [
        "broker.host='127.0.0.1'", f"broker.port={port}", "broker.back_off_base_s=0.02",
        "broker.back_off_cap_s=0.2", "collector.gap_patience_s=1.0", "collector.status_s=1.0",
    ]  # fmt: skip
    collect.run(f"sqlite:///{archive}", None, changes)


class Plant:
    """All processes of a run; what the station says is handed to `heard`.

    Station and archive live in the plan's folder, broker and logs in `folder`.
    """

    def __init__(self, folder: Path, plan: Plan, heard: Callable[[bytes], None]) -> None:
        self.archive = plan.folder / "archive.sqlite"
        self.collector_log = folder / "collector.log"
        self.broker = Broker(folder)
        self._plan = replace(plan, port=self.broker.port)
        self._heard = heard
        names = ("station", "collector", "postman")
        self._children = {name: Child(folder / f"{name}.log") for name in names}
        self._processes: dict[str, Broker | Child] = {"broker": self.broker, **self._children}
        self._pipe: Connection | None = None
        self._starts = 0
        CONTEXT.set_forkserver_preload([__name__, "common.telemetry.collector.sqlite_engine"])

    def start(self, target: str, **how: Any) -> None:
        """Start one process; `how` is what of the station's plan is other this time."""
        if target == "broker":
            self.broker.start()
        elif target == "station":
            self._start_station(**how)
        elif target == "collector":
            self._children[target].start(run_collector, self.archive, self._plan.port)
        else:
            self._children[target].start(run_postman, self._plan.port, self._plan.seed)

    def _start_station(self, **how: Any) -> None:
        self._starts += 1
        plan = replace(self._plan, seed=f"{self._plan.seed}/{self._starts}", **how)
        self._pipe, its_end = CONTEXT.Pipe()
        self._children["station"].start(run_station, plan, its_end)
        its_end.close()

    def kill(self, targets: tuple[str, ...]) -> None:
        """SIGKILL these together; what the station said before still counts."""
        victims = [self._processes[target] for target in targets]
        for victim in victims:
            victim.strike()
        for victim in victims:
            victim.reap()
        if "station" in targets and self._pipe is not None:
            while self._hear(0.0):
                pass
            self._pipe.close()
            self._pipe = None

    def pump(self, seconds: float) -> None:
        """Let the processes live for so long, and listen."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._hear(left):
                time.sleep(min(left, 0.01))

    def _hear(self, timeout_s: float) -> bool:
        """Whether something could be heard within the time."""
        if self._pipe is None or self._pipe not in wait_for([self._pipe], timeout_s):
            return False
        try:
            self._heard(self._pipe.recv_bytes())
        except (EOFError, OSError):  # killed in the middle of a word
            return False
        return True

    def order(self, order: bytes) -> None:
        """Tell the station something, if it can hear."""
        with suppress(OSError):
            if self._pipe is not None:
                self._pipe.send_bytes(order)

    def ended(self) -> list[str]:
        """Processes that have ended although nobody killed them."""
        return [name for name, process in self._processes.items() if process.ended()]

    def pids(self) -> list[int]:
        """Of all that run."""
        found = [process.pid for process in self._processes.values()]
        return [pid for pid in found if pid is not None]

    def close(self) -> None:
        """Nothing of the plant is left running."""
        self.kill((*TARGETS, "postman"))
