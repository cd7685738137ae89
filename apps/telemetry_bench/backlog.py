"""A week without a network, and then: the backlog drains, and nothing live waits for it.

The whole way is there: a station's store and uplink as they ship, mosquitto, and a
collector process with its archive. An event is live from its enqueue to its receipt.
"""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.demo import broker, collector
from apps.telemetry_bench.records import messages, station
from common.clock import SystemClock
from common.errors import LinesideError
from common.inference.benchmark import rss_mb
from common.pipeline import percentiles
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry.message import Message
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, Outbox, OutboxSettings
from common.telemetry.outbox_rows import backlog
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink

EVENT_EVERY_S = 2.0
WEEK = int(7 * 86_400 / EVENT_EVERY_S)
"""Events of seven days: a fog node's score every two seconds."""
LIVE_EVERY_S = 0.1
LOOK_S = 0.02
SELF = Identity("bench", "plant", "hall", "backlog", "bench")
PATIENCE_S = 900.0
IN_A_SUBMIT = 500


def figures(events: int) -> dict[str, Any] | None:
    """How the backlog went, and the live events meanwhile; None without a broker."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with broker(folder) as port:
            if port is None:
                return None
            outbox = OutboxSettings(max_bytes=1 << 30)
            with station(folder, SELF, StoreSettings(max_bytes=2 << 30), outbox) as parts:
                return _drained(*parts, events, port, folder)


def _drained(
    store: Store, outbox: Outbox, events: int, port: int, folder: Path
) -> dict[str, Any]:
    _fill(store, outbox, events)
    before, most = rss_mb(), 0.0
    uplink = Uplink(store, SELF, UplinkSettings(host="127.0.0.1", port=port))
    live = _Live(store, outbox)
    with collector(port, folder / "archive.sqlite"):
        begun = time.monotonic()
        uplink.start()
        try:
            while live.backlog() or not live.waits_s:
                if time.monotonic() - begun > PATIENCE_S:
                    raise LinesideError(f"{live.backlog()} of {events} events still wait")
                live.turn()
                most = max(most, rss_mb())
                time.sleep(LOOK_S)
            seconds = time.monotonic() - begun
        finally:
            uplink.stop()
            live.close()
    return {
        "events": events,
        "seconds": round(seconds, 1),
        "live_events": len(live.waits_s),
        "live_s": percentiles(live.waits_s),
        "memory_before_mb": round(before, 1),
        "memory_most_mb": round(most, 1),
    }


def _fill(store: Store, outbox: Outbox, events: int) -> None:
    waiting: list[Message] = []
    for message in messages(events, SystemClock()):
        waiting.append(message)
        if len(waiting) == IN_A_SUBMIT:
            store.submit(partial(outbox.append_many, messages=waiting)).result()
            waiting = []
    store.submit(partial(outbox.append_many, messages=waiting)).result()


class _Live:
    """Puts an event in ten times a second, and looks when its receipt took it out."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store, self._outbox = store, outbox
        self._reader = open_readonly(store.path)
        self._mark = int(self._reader.execute("SELECT max(seq) FROM outbox").fetchone()[0])
        self._under_way: dict[str, float] = {}
        self._new, self._due = messages(1_000_000, SystemClock(), seed=2), 0.0
        self.waits_s: list[float] = []

    def backlog(self) -> int:
        """How many events of the week still wait."""
        return max(0, backlog(self._reader, MQTT).count - len(self._under_way))

    def turn(self) -> None:
        """One event more where it is time, and a look at those under way."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + LIVE_EVERY_S
            append = partial(self._outbox.append, message=next(self._new))
            self._under_way[self._store.submit(append).result()] = now
        waiting = {
            f"{epoch}-{event}"
            for epoch, event in self._reader.execute(
                "SELECT epoch, event FROM outbox WHERE seq > ?", (self._mark,)
            )
        }
        for gone in self._under_way.keys() - waiting:
            self.waits_s.append(time.monotonic() - self._under_way.pop(gone))

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
