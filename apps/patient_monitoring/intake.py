"""What arrives, held against who lies where; what passes waits here for the next turn.

Listeners call from their own threads. Everything that is taken or refused is decided under
one lock together with the census, so that no value of one patient can reach a bed in the
moment in which another is put there. Every refusal is counted by its reason, kept for the
screen, and told to whoever sent it.
"""

import math
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.patient_monitoring.admissions import Admissions
from apps.patient_monitoring.bed_alarms import CLOCK, IDENTITY
from apps.patient_monitoring.census import Census, Move
from apps.patient_monitoring.config import IntakeRules
from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.identity import KeyMap
from apps.patient_monitoring.incoming.adt import Moved
from apps.patient_monitoring.incoming.observed import Observed, Refused, Value
from apps.patient_monitoring.readings import Readings
from apps.patient_monitoring.sources import Source, Sources
from apps.patient_monitoring.spots import Spots
from apps.patient_monitoring.timing import Timing, Told
from common.ports import Clock

COLUMNS = 6
JUMP_S = 2.0
Keep = Callable[[Mapping[str, Any], list[Move], str], "Future[Any]"]
"""Makes the census durable, with who changed it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came since the last turn: who moved first, then what was measured."""

    moves: tuple[Move, ...]
    readings: Readings


class Intake:
    """Takes what listeners hear for one gateway's beds."""

    def __init__(
        self, census: Census, people: KeyMap, rules: IntakeRules, clock: Clock, keep: Keep
    ) -> None:
        self.census, self.people = census, people
        self.sources = Sources(clock, rules.clock_memory_s)
        self.spots = Spots()
        self.counts: Counter[str] = Counter()
        self._rules, self._clock, self._keep = rules, clock, keep
        self._admissions = Admissions(census, people)
        self._timing = Timing(self.spots, len(census.beds), rules, self.counts)
        self._mutex = threading.RLock()
        self._waiting = array("d")
        self._cut: dict[int, int] = {}
        """Row → where in `_waiting` its present patient's values begin."""
        self._moves: list[Move] = []
        self._apart = clock.wall() - clock.monotonic()
        self.jumped_at = -math.inf
        """Monotonic s: when this gateway's own wall clock was last set."""

    # --------------------------------------------------------------- from the listeners

    def take(self, said: Observed) -> bool:
        """Take a message's values; False for one that came before; raises Refused."""
        with self._mutex:
            source = self.sources.heard(said.way, said.source)
            try:
                return self._take(said, source)
            except Refused as error:
                self.sources.refuse(said.way, said.source, error, said.bed)
                raise

    def refuse(self, way: str, source: str, error: Refused) -> None:
        """Count what could not even be read."""
        with self._mutex:
            self.sources.refuse(way, source, error, "")

    def move(self, moved: Moved, by: str) -> "Future[Any]":
        """Change who lies where; the future resolves when it is durable. Raises Refused."""
        wall = self._clock.wall()
        return self.change(lambda admissions: admissions.moved(moved, wall), by)

    def change(self, deed: Callable[[Admissions], list[Move]], by: str) -> "Future[Any]":
        """The same for a command."""
        with self._mutex:
            moves = deed(self._admissions)
            for move in moves:
                self._follow(move)
            self._moves += moves
            self.counts["moves"] += len(moves)
            return self._keep(self.census.document(), moves, by)

    def enter(self, pseudonym: str, bed: str, values: tuple[Value, ...]) -> None:
        """Observations that a person has just entered; raises Refused."""
        with self._mutex:
            self.census.lies(pseudonym, bed)
            self._put(pseudonym, bed, values, self._clock.wall(), 0.0)
            self.counts["entered"] += len(values)

    def _take(self, said: Observed, source: Source) -> bool:
        self.census.row(said.bed)
        pseudonym = self.people.pseudonym(said.patient)
        self.census.lies(pseudonym, said.bed)
        late_s = self._clock.wall() - said.sent
        late_s -= self._offset(source, late_s)
        key = (said.id, said.sent)
        if said.id and key in source.ids:
            self.counts["duplicates"] += 1
            return False
        if len(self._waiting) > self._rules.waiting * COLUMNS:
            raise Refused("full", "the gateway does not keep up; send again later")
        self._put(pseudonym, said.bed, said.values, said.sent, late_s)
        source.ids.append(key)
        source.messages += 1
        self.counts["messages"] += 1
        self.counts["values"] += len(said.values)
        return True

    def _offset(self, source: Source, delay_s: float) -> float:
        """Our clock less the source's; raises Refused where it is too much to be sure."""
        offset = source.clock.offset(delay_s, self._clock.monotonic())
        source.clock_s = offset
        tolerance = self._rules.clock_tolerance_s
        if abs(offset) > tolerance:
            way = "behind" if offset > 0 else "ahead of"
            raise Refused(
                "clock",
                f"the clock is {abs(offset):.0f} s {way} the gateway's, or this is so old; "
                f"{tolerance:g} s are taken",
            )
        return offset

    def _put(
        self, pseudonym: str, bed: str, values: tuple[Value, ...], sent: float, late_s: float
    ) -> None:
        """Queue values that were sent at `sent`, and arrive `late_s` after that.

        One that is too old is left out and counted; where all are, that is Refused.
        """
        row, now = self.census.rows[bed], self._clock.monotonic()
        told = Told(values, sent, now - max(late_s, 0.0))
        for one in self._timing.taken(row, self.spots.of(pseudonym), told, now):
            self._waiting.extend((row, *one))

    def _follow(self, move: Move) -> None:
        """Nothing that waits for the bed is its new patient's; what they had goes with them."""
        if move.what == "update":
            return
        self._cut[move.row] = len(self._waiting)
        self._timing.clear(move.row)
        for kind in (IDENTITY, CLOCK):
            self.sources.settled(kind, self.census.beds[move.row])
        if move.patient is None:
            self.spots.changed = True  # who left is forgotten with the next document
            return
        now = self._clock.monotonic()
        for one in self._timing.known(move.row, move.patient.pseudonym, now):
            self._waiting.extend((move.row, *one))

    # ------------------------------------------------------------------- from the loop

    def gather(self, now: float) -> Gathered:
        """All that came, and who moved before it; `now` is the turn's monotonic time."""
        with self._mutex:
            waiting, self._waiting = self._waiting, array("d")
            cut, self._cut = self._cut, {}
            moves, self._moves = tuple(self._moves), []
        table = np.frombuffer(waiting, np.float64).reshape(-1, COLUMNS)
        if cut:
            begins = np.zeros(len(self.census.beds), np.int64)
            begins[list(cut)] = list(cut.values())
            index = np.arange(len(table)) * COLUMNS
            table = table[index >= begins[table[:, 0].astype(np.int64)]]
        return Gathered(moves, _readings(table, now))

    def problems(self, now: float) -> dict[tuple[str, str], str]:
        """What a person must know of: (kind of alarm, bed) → text, while it lasts."""
        with self._mutex:
            return self.sources.problems(now - self._rules.problem_s)

    def watch_clock(self) -> bool:
        """Whether this gateway's wall clock was set; then no source's offset holds."""
        apart = self._clock.wall() - self._clock.monotonic()
        jumped = abs(apart - self._apart) > JUMP_S
        self._apart = apart
        if jumped:
            with self._mutex:
                self.jumped_at = self._clock.monotonic()
                self.sources.forget_clocks()
        return jumped

    # ------------------------------------------------------------------ kept over a restart

    def spots_document(self) -> dict[str, Any]:
        """The newest spot values of those who lie here."""
        with self._mutex:
            here = {stay.patient.pseudonym for stay in self.census.stays.values()}
            return self.spots.document(here, self._clock.wall() - self._clock.monotonic())

    def restore(
        self, stays: Mapping[str, Any], spots: Mapping[str, Any], last_wall: float
    ) -> None:
        """Who lay where, and what was measured of them, when the station last ran.

        `last_wall` is the latest wall time that is on record.
        """
        wall, now = self._clock.wall(), self._clock.monotonic()
        with self._mutex:
            if wall < last_wall:
                self.jumped_at = now
            believed = wall if wall >= last_wall else -math.inf
            lost = self.spots.restore(spots, wall - now, believed)
            self.counts["of_no_known_age"] += lost
            moves = self.census.restore(stays)
            for move in moves:
                self._follow(move)
            self._moves += moves


def _readings(table: Array, now: float) -> Readings:
    bed, sign, value, at, flags, interval_s = table.T
    return Readings(
        bed.astype(np.int64), sign.astype(np.int64), value.copy(), np.minimum(at, now),
        flags.astype(np.int32), interval_s.copy(),
    )  # fmt: skip
