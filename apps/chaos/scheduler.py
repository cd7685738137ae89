"""Kills by the dice: who, when, what else goes wrong meanwhile, and for how long.

All decisions come from one seed; what the operating system makes of them does not, so a
seed repeats the plan of a run and not its every instruction.
"""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.chaos import wal
from apps.chaos.ledger import NOTHING_WRONG, Books, Promise, close
from apps.chaos.plant import TARGETS, Plant
from apps.chaos.reading import copied, delivered_again, read_archive, read_station
from apps.chaos.small_disk import fill, free
from apps.chaos.station import CLOCK, FILE, STOP, Plan
from common.storage.queries import open_readonly
from common.telemetry import outbox_loss as losses
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox_rows import MQTT

KILLED = (
    *(("station",),) * 6, *(("broker",),) * 3, *(("collector",),) * 5,
    ("station", "broker"), ("station", "collector"), ("broker", "collector"), TARGETS,
)  # fmt: skip
"""Who is killed, each as often as it stands here."""
LIVES_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Between two kills, at most."""
CALM_SHARE, CALM_S = 0.05, 2.0
START_S = 1.0
OUTAGE_SHARE, OUTAGE_S = 0.15, 0.6
STOPPED_S = 0.3
FILLINGS = 4
STEPS_S = (-3600.0, 0.0, 3600.0)
FULL_SHARE, FULL_BYTES = 0.05, 1 << 20
"""Starts of the station whose store may not grow any more."""
QUOTAS_BYTES = (1 << 16, 1 << 18, 1 << 20)
"""Of the outbox: a small one drops events in every outage."""
TEAR_SHARE = 0.5
DRAIN_S = 120.0


class Scheduler:
    """Runs a plant whose broker lives in `folder`, and breaks it; `fills` its disk, too."""

    def __init__(
        self, folder: Path, plan: Plan, progress: Callable[[str], None], *, fills: bool = False
    ) -> None:
        self._rng = random.Random(plan.seed)  # noqa: S311 - to be repeated
        self._plan, self._progress, self._fills = plan, progress, fills
        self.accepted: dict[str, Promise] = {}
        self.killed: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.plant = Plant(folder, plan, self._accept)

    def _accept(self, word: bytes) -> None:
        event, of_class, subject, mark = json.loads(word)
        self.accepted[event] = Promise(of_class, subject, mark)

    def run(self, kills: int) -> dict[str, int]:
        """The figures; the processes are gone afterwards, whatever happened."""
        with closing(self.plant):
            for target in TARGETS:
                self.plant.start(target)
            self.plant.pump(START_S)
            self._break(kills)
            self.plant.kill(("postman", *TARGETS))
            with TemporaryDirectory(prefix="lineside-chaos-") as folder:
                crashed = self._close(copied(self._plan.folder / FILE, Path(folder)))
            self._come_to_rest()
        rested = self._close(self._plan.folder / FILE)
        worst = {name: max(crashed[name], rested[name]) for name in NOTHING_WRONG}
        return {
            **rested,
            **worst,
            "queued_after_last_kill": crashed["queued"],
            "delivered_again": delivered_again(self.plant.collector_log),
        }

    def _close(self, file: Path) -> dict[str, int]:
        books = Books(accepted=self.accepted)
        read_station(file, books)
        read_archive(self.plant.archive, books)
        return close(books)

    def _break(self, kills: int) -> None:
        self.plant.start("postman")
        for number in range(1, kills + 1):
            self._live()
            self._kill()
            accepted = len(self.accepted)
            self._progress(f"kill {number} of {kills}, {accepted} events accepted")

    # One round.

    def _live(self) -> None:
        calm = self._rng.random() < CALM_SHARE
        self.plant.pump(CALM_S if calm else self._rng.uniform(0.0, self._rng.choice(LIVES_S)))
        self._rng.choice((self._step_clock, self._stop_broker, self._save, self._fill, int))()
        for target in self.plant.ended():
            self.troubles[f"{target} ended by itself"] += 1
            self.plant.kill((target,))
            self.plant.start(target)

    def _step_clock(self) -> None:
        self.troubles["clock stepped"] += 1
        self.plant.order(CLOCK + str(self._rng.choice(STEPS_S)).encode())

    def _stop_broker(self) -> None:
        """Half open: connections stand and nobody answers."""
        self.troubles["broker stopped"] += 1
        self.plant.broker.signal(signal.SIGSTOP)
        self.plant.pump(self._rng.uniform(0.0, STOPPED_S))
        self.plant.broker.signal(signal.SIGCONT)

    def _save(self) -> None:
        """The broker will come back with what it held now: older than what it has said."""
        self.troubles["broker saved"] += self.plant.broker.save()

    def _fill(self) -> None:
        """Not one byte is left, also of what the station frees; the next kill ends it."""
        if self._fills:
            self.troubles["disk full"] += 1
            for _ in range(self._rng.randint(1, FILLINGS)):
                fill(self._plan.folder)
                self.plant.pump(self._rng.uniform(0.0, STOPPED_S))

    def _kill(self) -> None:
        targets = self._rng.choice(KILLED)
        self.killed["+".join(targets)] += 1
        self.plant.kill(targets)
        free(self._plan.folder)
        if "station" in targets and self._rng.random() < TEAR_SHARE:
            self.troubles.update(wal.tear(self._plan.folder / FILE, self._rng))
        if self._rng.random() < OUTAGE_SHARE:
            self.troubles["outage"] += 1
            self.plant.pump(self._rng.uniform(0.0, OUTAGE_S))
        for target in self._rng.sample(targets, len(targets)):
            self.plant.start(target, **self._how(target))

    def _how(self, target: str) -> dict[str, Any]:
        if target != "station":
            return {}
        how: dict[str, Any] = {
            "wall_offset_s": self._rng.choice(STEPS_S),
            "outbox_bytes": self._rng.choice(QUOTAS_BYTES),
        }
        if self._rng.random() < FULL_SHARE:
            self.troubles["store full"] += 1
            how["max_bytes"] = FULL_BYTES
        return how

    # The end.

    def _come_to_rest(self) -> None:
        """Nothing breaks any more and nothing new comes: the backlog has to leave."""
        for target in TARGETS:
            self.plant.start(target, **({"silent": True} if target == "station" else {}))
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end and (waiting := self._waiting()):
            self._progress(f"{waiting} events still to deliver")
            self.plant.pump(0.2)
        self.plant.order(STOP)
        self.plant.pump(1.0)

    def _waiting(self) -> int:
        """Events in the outbox, and losses of which it has to tell yet."""
        with closing(open_readonly(self._plan.folder / FILE)) as connection:
            return rows.backlog(connection, MQTT).count + len(losses.untold(connection))


class BrokerForgets(Scheduler):
    """The control: again and again the broker dies with what nobody else has.

    A station that trusts its PUBACK loses all of that; one that waits for receipts nothing.
    """

    def _break(self, kills: int) -> None:
        for _ in range(kills // 2):
            for victim in ("collector", "broker"):
                self.killed[victim] += 1
                self.plant.kill((victim,))
                self.plant.pump(OUTAGE_S)
            self.plant.start("broker")
            self.plant.start("collector")
            self.plant.pump(START_S)
