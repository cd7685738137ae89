"""A gateway in one process: the real store, alarms and intake, a held clock, no network."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from apps.patient_monitoring import bed_alarms, speak, station
from apps.patient_monitoring.config import Settings, WardSettings
from apps.patient_monitoring.domain import Acvpu, Sign
from apps.patient_monitoring.identity import KeyMap
from apps.patient_monitoring.incoming.hl7_desk import Hl7Desk
from apps.patient_monitoring.station import Parts
from common.alarms.persist import stored_board
from common.canonical import read_object
from common.clock import HeldClock
from common.inference.selection import Choice
from common.store import Store, StoreSettings
from common.telemetry.outbox import MQTT, Outbox
from common.users import User

NURSE = User("anna", "operator")
WELL = {Sign.HR: 72, Sign.PULSE: 72, Sign.SPO2: 97, Sign.RR: 15}
ROUND = {
    Sign.ACVPU: Acvpu.ALERT, Sign.OXYGEN: 0, Sign.SBP: 122, Sign.DBP: 70, Sign.TEMP: 36.8,
}  # fmt: skip
KEY = bytes(range(64))


class Gateway:
    """A ward's gateway that is told everything as HL7, and moves on when told to."""

    def __init__(self, folder: Path, settings: Settings, model: Choice | None) -> None:
        self.folder, self.settings, self.model = folder, settings, model
        self.clock = HeldClock(monotonic=1000.0)
        self.number = 0
        self.start()

    def start(self) -> None:
        """Begin, or begin again with what the last start left."""
        fast = StoreSettings(group_ms=0.0)
        self.store = Store(self.folder / "station.sqlite", self.clock, fast)
        outbox = Outbox(
            source="urn:lineside:test", epoch=self.store.epoch, boot_id=self.store.boot_id,
            clock=self.clock,
        )  # fmt: skip
        names = self.settings.ward.names
        self.board = stored_board(bed_alarms.definitions(names), self.store)
        parts = Parts(
            identities=KeyMap(self.folder / "identities.bin", KEY), model=self.model,
            store=self.store, outbox=outbox, alarms=self.board, clock=self.clock,
            sinks=(MQTT,), software="test",
        )  # fmt: skip
        self.station = station.build(self.settings, parts)
        self.desk = Hl7Desk(self.settings.ward, self.station.intake, self.clock)

    def stop(self) -> None:
        """End as a process does that is told to."""
        self.store.close()

    def restart(self, seconds: float = 5.0) -> None:
        """Stop, be away for a while, start."""
        self.stop()
        self.clock.sleep(seconds)
        self.start()

    # ------------------------------------------------------------------- what is said

    def now(self) -> tuple[int, float]:
        self.number += 1
        return self.number, self.clock.wall()

    def say(self, message: bytes) -> str:
        """MSA-1 and ERR-8 of the answer."""
        answer = self.desk(message)
        text = (answer if isinstance(answer, bytes) else answer.result(10)).decode()
        lines = {line[:3]: line.split("|") for line in text.split("\r")}
        error = lines["ERR"][8] if "ERR" in lines else ""
        return f"{lines['MSA'][1]} {error}".strip()

    def place(self, bed: str) -> tuple[str, str]:
        return self.settings.ward.place(bed)

    def admit(self, *beds: str, born: str = "19500101") -> None:
        for bed in beds:
            message = speak.admission(self.place(bed), f"SIM{bed}", self.now(), born=born)
            assert self.say(message) == "AA"

    def measure(self, bed: str, mrn: str = "", **changed: float) -> str:
        """One message of a monitor."""
        said = [(s, float(changed.get(s.name, v)), 0) for s, v in WELL.items()]
        mrn = mrn or f"SIM{bed}"
        place = self.place(bed)
        return self.say(speak.observation(place, mrn, f"MON{bed}", said, self.now()))

    def observe(self, bed: str, mrn: str = "", **changed: float) -> str:
        """What a nurse measures on a round, from a spot-check device."""
        said = [(s, float(changed.get(s.name, v)), 0) for s, v in ROUND.items()]
        place = self.place(bed)
        return self.say(speak.observation(place, mrn or f"SIM{bed}", "SPOT", said, self.now()))

    def run(self, seconds: float, **beds: dict[str, float]) -> None:
        """Every second each of `beds` (b1={"SPO2": 90}) says its signs; two turns a second."""
        for _ in range(int(seconds)):
            for name, changed in beds.items():
                assert self.measure(name[1:], **changed) == "AA"
            self.beat(1.0)

    def beat(self, seconds: float = 0.5) -> None:
        """Turn until so much time has passed, a look at the ward every half second."""
        looks = round(seconds / self.settings.ward.period_s)
        while looks:
            looks -= self.station.turn() is not None

    # ------------------------------------------------------------------- what is seen

    def tile(self, bed: str) -> dict[str, Any]:
        self.station._look_around(self.clock.monotonic())
        return next(t for t in self.station.snapshot()["beds"] if t["bed"] == bed)

    def state(self, alarm_id: str) -> str:
        return self.board.alarm(alarm_id).state.name.value

    def command(self, name: str, **arguments: Any) -> Any:
        future = self.station.command(name, arguments, NURSE)
        self.station._queue.carry_out(self.station._commands.carry_out)
        return future.result(10)

    def settle(self) -> None:
        """Wait until all that was submitted is on disk."""
        self.store.submit(lambda _: None).result()

    def records(self, kind: str) -> list[dict[str, Any]]:
        self.settle()
        with closing(sqlite3.connect(self.store.path)) as connection:
            rows = connection.execute(
                "SELECT body FROM records WHERE kind = ? ORDER BY seq", (kind,)
            ).fetchall()
        return [read_object(row[0]) for row in rows]

    def query(self, sql: str) -> list[Any]:
        self.settle()
        with closing(sqlite3.connect(self.store.path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def make_gateway(tmp_path: Path):
    """Makes gateways; each is stopped at the end."""
    made: list[Gateway] = []

    def make(
        settings: Settings | None = None, model: Choice | None = None, name: str = "ward"
    ) -> Gateway:
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        gateway = Gateway(folder, settings or Settings(ward=WardSettings(beds=6)), model)
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture
def gateway(make_gateway: Callable[..., Gateway]) -> Gateway:
    """A ward of six beds, three of them taken."""
    made = make_gateway()
    made.admit("1", "2", "3")
    made.beat()
    return made


@pytest.fixture
def key() -> bytes:
    return os.urandom(64)
