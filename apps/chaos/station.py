"""The station that is killed: the real store, outbox and uplink, and a seeded producer.

It says over its pipe which events it was promised (their future resolved, that is after
the commit); what it could not say before it was killed was never accepted by anyone.
"""

import json
import random
import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from common import records
from common.canonical import canonical_json
from common.store import Store, StoreSettings
from common.telemetry import outbox_loss as losses
from common.telemetry import outbox_rows as rows
from common.telemetry.event import iso_time
from common.telemetry.message import Message
from common.telemetry.mqtt_client import RECEIPT, UplinkSettings
from common.telemetry.outbox import Outbox, OutboxSettings
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink

SELF = Identity("chaos", "plant", "line", "station", "test")
FILE = "station.sqlite"
KIND = "chaos"
TICK_S = 0.01
BURSTS = (0, 0, 0, 1, 1, 2, 4, 20)
"""Events of one tick."""
DROPPED_TABLE = "chaos_dropped"
MAKE_TABLE = f"CREATE TABLE IF NOT EXISTS {DROPPED_TABLE}(event INTEGER, class TEXT)"
STOP, CLOCK = b"stop", b"clock "


@dataclass(frozen=True)
class Plan:
    """How one start of the station is to be."""

    folder: Path
    seed: str
    port: int = 0
    """Of the broker."""
    wall_offset_s: float = 0.0
    max_bytes: int = 1 << 30
    """Of the store's file: a small one is a full disk."""
    outbox_bytes: int = 1 << 19
    durable_on: str = RECEIPT
    silent: bool = False
    """Produces nothing, only delivers."""


class SteppedClock:
    """The machine's clocks, with the wall clock as wrong as somebody sets it."""

    def __init__(self, offset_s: float) -> None:
        self.offset_s = offset_s

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC; jumps when told to."""
        return time.time() + self.offset_s

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`."""
        time.sleep(seconds)


def type_of(of_class: str) -> str:
    """The type of the producer's events of a class."""
    return f"lineside.chaos.{of_class}.v1"


def fingerprint(type_: str, subject: str, time_text: str, data: object) -> int:
    """Of what an event says: what arrives upstream must have the same."""
    return zlib.crc32(canonical_json([type_, subject, time_text, data]).encode())


class WitnessedOutbox(Outbox):
    """The outbox, with a note of each event that it drops, in the same transaction."""

    def _drop(
        self, connection: sqlite3.Connection, doomed: Sequence[losses.Stub], reason: str
    ) -> None:
        connection.executemany(
            f"INSERT INTO {DROPPED_TABLE} VALUES(?, ?)",
            [(row.event, row.of_class) for row in doomed],
        )
        super()._drop(connection, doomed, reason)


class Producer:
    """Submits seeded events of all classes, each with its local record."""

    def __init__(self, plan: Plan, store: Store, outbox: Outbox, parent: Connection) -> None:
        self._store, self._outbox, self._parent = store, outbox, parent
        self._rng = random.Random(plan.seed)  # noqa: S311 - to be repeated
        self._made = 0

    def tick(self) -> None:
        """A burst of events, or none."""
        for _ in range(self._rng.choice(BURSTS)):
            self._made += 1
            of_class = self._rng.choice(list(rows.PRIORITIES))
            subject = f"{self._store.boot_id}/{self._made}"
            data = {"text": self._rng.randbytes(self._rng.randint(1, 150)).hex()}
            message = Message(
                of_class, type_of(of_class), subject, data, self._store.clock.wall()
            )
            mark = fingerprint(message.type, subject, iso_time(message.time), data)
            told = [of_class, subject, mark]
            self._store.submit(self._both(message)).add_done_callback(partial(self._tell, told))

    def _both(self, message: Message) -> Callable[[sqlite3.Connection], str]:
        record = records.Record(
            KIND, message.subject, message.time, self._store.clock.monotonic(),
            self._store.boot_id, message.data,
        )  # fmt: skip

        def operation(connection: sqlite3.Connection) -> str:
            records.add(connection, record)
            return self._outbox.append(connection, message)

        return operation

    def _tell(self, promise: list[Any], future: Future[str]) -> None:
        """In the store's thread, after the commit."""
        if future.exception() is None:
            self._parent.send_bytes(json.dumps([future.result(), *promise]).encode())


def run_station(plan: Plan, parent: Connection) -> None:
    """The body of the station's process, until it is told to stop or killed."""
    clock = SteppedClock(plan.wall_offset_s)
    store = Store(
        plan.folder / FILE, clock,
        StoreSettings(max_bytes=plan.max_bytes, group_ms=5.0, upkeep_s=1.0),
    )  # fmt: skip
    store.submit(lambda connection: connection.execute(MAKE_TABLE)).result()
    outbox = WitnessedOutbox(
        source=SELF.source, epoch=store.epoch, boot_id=store.boot_id, clock=clock,
        settings=OutboxSettings(max_bytes=plan.outbox_bytes),
    )  # fmt: skip
    store.add_upkeep(outbox.keep_up)
    uplink = Uplink(store, SELF, _uplink_settings(plan))
    uplink.start()
    _serve(plan, clock, Producer(plan, store, outbox, parent), parent)
    uplink.stop()
    store.close()


def _serve(plan: Plan, clock: SteppedClock, producer: Producer, parent: Connection) -> None:
    while True:
        if parent.poll(TICK_S):
            order = parent.recv_bytes()
            if order == STOP:
                return
            clock.offset_s = float(order.removeprefix(CLOCK))
        if not plan.silent:
            producer.tick()


def _uplink_settings(plan: Plan) -> UplinkSettings:
    """As shipped, but quick: a plant's minutes are this test's seconds."""
    return UplinkSettings(
        host="127.0.0.1", port=plan.port, durable_on=plan.durable_on,
        receipt_timeout_s=0.5, receipt_timeout_cap_s=2.0,
        back_off_base_s=0.02, back_off_cap_s=0.2, backlog_per_s=1000.0,
        ack_timeout_s=2.0, connect_timeout_s=2.0, will_delay_s=0,
    )  # fmt: skip
