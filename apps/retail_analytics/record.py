"""What is kept of a shop, what leaves, and what never does.

Kept and sent: closed, aligned intervals with what suppression lets through, in the ledger,
as a record, and through the outbox, all in one transaction. Never: pictures, tracks, times
of single crossings, a count of fewer than k. Those exist in memory until their interval is
closed, and end there.
"""

import math
import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from apps.retail_analytics import ledger
from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Privacy
from apps.retail_analytics.crowd import local_time
from apps.retail_analytics.domain import Decision, Glance, View
from apps.retail_analytics.heat import Cell, HeatMap
from apps.retail_analytics.intervals import CameraIntervals
from apps.retail_analytics.marks import Marks
from common import meta, records
from common.pipeline import Fault, Outcome
from common.provenance import Provenance
from common.records import Record
from common.store import Store
from common.telemetry.outbox import Message, Outbox

EVENT = "lineside.retail.interval.v1"
KIND = "interval"
OCCUPANCY = "retail_occupancy"
"""Key of what a restart needs to know, in the station's file."""
CELL_PX = 32.0  # side of a heat map's cell where no floor is known
Turn = Outcome[Glance, View, Decision]


@dataclass(frozen=True)
class _Heat:
    """One interval's heat map; `people` proves that it may be told, and is not kept."""

    cell: float
    unit: str
    cells: list[list[int]]
    people: Mapping[Cell, int]

    def told(self, usable: bool) -> dict[str, Any]:
        cells = self.cells if usable else []
        return {"cell": self.cell, "unit": self.unit, "cells": cells}


class Book:
    """One camera's open interval: its counts and its heat map, in memory."""

    def __init__(
        self,
        camera: CameraSettings,
        rules: Privacy,
        closed_until: float,
        dropped_s: float = 0.0,
    ) -> None:
        self._rules, self._known = rules, camera.floor().known
        lines = tuple(line.name for line in camera.line)
        zones = tuple(zone.name for zone in camera.zone)
        until = _aligned(closed_until, rules.interval_min * 60.0)
        self.intervals = CameraIntervals(camera.name, lines, zones, rules, until, dropped_s)
        self._heat, self._marks = self._empty(), Marks()

    def add(self, decision: Decision, wall: float) -> list[tuple[dict[str, Any], _Heat]]:
        """Take a decision; the intervals that it closed, each with its heat map."""
        decision = self._marks.marked(decision)
        closed = [(body, self._take_heat()) for body in self.intervals.add(decision, wall)]
        self._heat.add(decision)
        self._heat.forget(self._marks.over(decision.monotonic))
        return closed

    def finish(self) -> list[tuple[dict[str, Any], _Heat]]:
        """Close what is open, as partial; nothing if that has not begun yet."""
        return [(body, self._take_heat()) for body in self.intervals.finish()]

    def _empty(self) -> HeatMap:
        return HeatMap(self._rules.heat_cell_m if self._known else CELL_PX)

    def _take_heat(self) -> _Heat:
        heat, self._heat = self._heat, self._empty()
        told = heat.publish(self._rules.k)
        cells = sorted([x, y, seconds] for (x, y), seconds in told.items())
        people = {cell: count for cell, count in heat.people.items() if cell in told}
        return _Heat(heat.cell, "m" if self._known else "px", cells, people)


class Recorder:
    """Outcomes → published intervals."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        sinks: tuple[str, ...],
        provenance: Provenance,
        cameras: Iterable[CameraSettings],
        rules: Privacy,
    ) -> None:
        self._store, self._outbox, self._sinks = store, outbox, sinks
        self._provenance, self._rules = provenance, rules
        self.books: dict[str, Book] = {}
        self.version = 0
        """Of the set-up that counts now."""
        self.published = 0
        self.refused = 0
        """Intervals that the ledger did not take."""
        self.refusal = ""
        """Why, of the last one; empty after one that was taken."""
        self.news: deque[dict[str, Any]] = deque()
        """Published since somebody last looked."""
        self._cameras = list(cameras)

    def begin(self, closed_until: Mapping[str, float]) -> None:
        """Go on behind the last interval that the ledger has, by camera."""
        for camera in self._cameras:
            self.books[camera.name] = Book(camera, self._rules, closed_until[camera.name])

    def __call__(self, turn: Turn) -> None:
        """Count a turn; hands what it closed to the store and returns at once."""
        book = self.books.get(turn.decision.camera)
        if turn.sample is None or book is None or isinstance(turn.percept, Fault):
            return  # the time of a fault is counted at the next view, as not observed
        for body, heat in book.add(turn.decision, turn.sample.wall_time):
            self._publish(body, heat)

    def change(self, camera: CameraSettings, version: int) -> None:
        """Another set-up: what was counted by the old one is closed, as partial.

        Of an interval that has not begun yet nothing is told: the new set-up counts it.
        """
        old = self.books[camera.name]
        for body, heat in old.finish():
            body["marks"] = sorted({*body["marks"], "setup_changed"})
            self._publish(body, heat)
        self.version = version
        until, dropped_s = old.intervals.closed_until, old.intervals.dropped_s
        self.books[camera.name] = Book(camera, self._rules, until, dropped_s)

    def finish(self, occupancy: dict[str, Any]) -> None:
        """Close what is open, as partial: the station stops."""
        for book in self.books.values():
            for body, heat in book.finish():
                self._publish(body, heat)
            if book.intervals.dropped_s:
                self._store.submit(self._given_up)
        self.remember(occupancy)

    def remember(self, occupancy: dict[str, Any]) -> None:
        """Keep what a restart needs."""
        self._store.submit(partial(meta.put, key=OCCUPANCY, document=occupancy))

    def _publish(self, interval: dict[str, Any], heat: _Heat) -> None:
        wall = self._store.clock.wall()
        body = {
            **interval, **asdict(self._provenance),
            "config_version": self.version,
            "tz": local_time(interval["interval_start"]).strftime("%:z"),
            "heat": heat.told(interval["usable"]),
        }  # fmt: skip
        write = partial(self._write, body=body, people=heat.people, wall=wall)
        stored = self._store.submit(write, of_class="verdict")
        stored.add_done_callback(partial(self._stored, body))

    def _write(
        self,
        connection: sqlite3.Connection,
        body: dict[str, Any],
        people: Mapping[Cell, int],
        wall: float,
    ) -> None:
        store, camera = self._store, body["camera"]
        ledger.put(connection, body, people)
        monotonic = store.clock.monotonic()
        records.add(connection, Record(KIND, camera, wall, monotonic, store.boot_id, body))
        if self._sinks:
            subject, when = f"camera/{camera}", body["interval_end"]
            message = Message("verdict", EVENT, subject, body, when, self._sinks)
            self._outbox.append(connection, message)

    def _given_up(self, connection: sqlite3.Connection) -> None:
        now = self._store.clock.wall()
        records.count_drop(connection, "interval", "retail", "not begun", now, count=1)

    def _stored(self, body: dict[str, Any], stored: "Future[None]") -> None:
        """In the store's thread."""
        error = stored.exception()
        if error is None:
            self.published += 1
            self.refusal = ""
            self.news.append(body)
        else:
            self.refused += 1
            self.refusal = str(error)


def _aligned(until: float, width: float) -> float:
    """The first border of intervals this wide from `until` on: widths may have changed."""
    return math.ceil(until / width) * width if math.isfinite(until) else until
