"""What is kept of each machine, what leaves, and what never does.

Kept: every change of a verdict or of what it rests on (kind "verdict"), what is wrong with a
machine's records where that has changed, at most once in QUALITY_PERIOD_S ("quality"), and a
row of figures and features now and then ("health"): trends, and later baselines, are made of
these. Leaves: verdicts, quality, and rows as metrics. Never leaves: waveforms.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

from apps.predictive_maintenance import memory as memories
from apps.predictive_maintenance.domain import Batch, Decision, Health
from apps.predictive_maintenance.remembered import Memory
from apps.predictive_maintenance.rows import figures, health_row, outlook_as_json, rounded
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.zones import EDITION
from common import records
from common.pipeline import Fault, Outcome
from common.provenance import Provenance
from common.records import Record
from common.store import Store
from common.telemetry.event import iso_time
from common.telemetry.outbox import Message, Outbox

SCHEMA = "lineside.maintenance.verdict/1"
VERDICT_EVENT = "lineside.maintenance.verdict.v1"
HEALTH_EVENT = "lineside.maintenance.health.v1"
QUALITY_EVENT = "lineside.maintenance.quality.v1"
QUALITY_PERIOD_S = 10.0
"""A sensor that flickers is told at most once in so long, as it is then; what it was between
is not kept."""
RETRY_S = 1.0
SOON = 0.99
"""Of the period: a record that comes a moment early is not worth waiting for the next."""
Turn = Outcome[Batch, tuple[Health, ...], tuple[Decision, ...]]
Write = Callable[[sqlite3.Connection], None]


class Seen(Protocol):
    """What is known of the last batch beside its health."""

    measured: Mapping[str, Measured]
    """By asset, of judged windows."""

    def baseline_version(self, asset: str) -> int:
        """Of the baseline it was compared with; 0 is none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All that is known of one machine after one turn."""

    sample_id: str
    health: Health
    decision: Decision
    memory: Memory


@dataclass(slots=True)
class _Last:
    """What was last written of a machine."""

    verdict: tuple[Any, ...] = ()
    unstored: tuple[Write, Future[None]] | None = None
    """The latest of its verdict, until it is known that the store has it."""
    quality: str = ""
    quality_at: float = float("-inf")
    health_at: float = float("-inf")
    """In the window's own time: a simulated hour has as many rows as a real one."""


class Recorder:
    """Judged machines → records and events, each written when it says something new."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        sinks: tuple[str, ...],
        provenance: Provenance,
        health_period_s: float,
        seen: Seen,
        memory_of: Callable[[], Mapping[str, Memory]],
    ) -> None:
        self._store, self._outbox = store, outbox
        self._sinks = tuple(sink for sink in sinks if sink != "webhook")
        self._provenance, self._period_s = provenance, health_period_s
        self._seen, self._memory_of = seen, memory_of
        self._last: dict[str, _Last] = {}
        self._fault, self._retry_at = "", 0.0
        self.rows: Counter[str] = Counter()
        """Rows written since the start, by asset."""

    def begin(self, states: Mapping[str, Memory]) -> None:
        """What the last start left: a verdict that goes on is no change."""
        for asset, memory in states.items():
            self._last[asset] = _Last(verdict=_said(memory))

    def __call__(self, turn: Turn) -> None:
        """Hand what is new to the store; returns at once."""
        if isinstance(turn.percept, Fault) or turn.sample is None:
            if isinstance(turn.percept, Fault):
                self.fault(turn.percept)
            return
        self._fault, hurry, states = "", False, self._memory_of()
        for health, decision in zip(turn.percept, turn.decision, strict=True):
            memory = states.get(health.asset)
            if memory is None:
                continue  # never judged so far
            judged = Judged(turn.sample.id, health, decision, memory)
            last = self._last.setdefault(health.asset, _Last())
            hurry |= self._verdict(judged, last, turn.stage_ms)
            self._health(judged, last)
        self._qualities(turn.percept)
        if hurry:
            self._store.hurry()

    def fault(self, fault: Fault) -> None:
        """Keep a fault of the loop, once as long as it lasts."""
        text = f"{fault.stage} {fault.device}: {fault.cause}"
        if text == self._fault:
            return
        self._fault = text
        self._submit("fault", fault.device, asdict(fault), self._store.clock.wall())

    def remember(self, asset: str, memory: Memory) -> None:
        """A person changed what is remembered of a machine: so it is after a restart, too."""
        self._last[asset] = last = _Last()  # what is decided next is news
        self._keep(last, partial(memories.keep, asset=asset, memory=memory))

    def flush(self) -> None:
        """Try again what the store refused: a restart must not forget a STOP."""
        now = self._store.clock.monotonic()
        if now < self._retry_at:
            return
        self._retry_at = now + RETRY_S
        for last in self._last.values():
            if last.unstored is not None and last.unstored[1].done():
                write, stored = last.unstored
                last.unstored = None
                if stored.cancelled() or stored.exception() is not None:
                    self._keep(last, write, of_class="")  # that it was refused is counted

    # ------------------------------------------------------------------------- what is new

    def _verdict(self, judged: Judged, last: _Last, stage_ms: Mapping[str, float]) -> bool:
        said = _said(judged.memory)
        if not judged.decision.judged or said == last.verdict:
            return False
        was = last.verdict[0] if last.verdict else "unknown"
        last.verdict = said
        body = self._body(judged, was, stage_ms)
        asset, wall = judged.health.asset, self._store.clock.wall()
        write = partial(
            self._write, subject=f"{asset}/{judged.sample_id}", kind="verdict", body=body,
            wall=wall, message=self._message("verdict", VERDICT_EVENT, asset, body, wall),
            memory=(asset, judged.memory),
        )  # fmt: skip
        self._keep(last, write)
        return True

    def _qualities(self, found: tuple[Health, ...]) -> None:
        for health in found:
            last = self._last.setdefault(health.asset, _Last())
            reason = "" if health.judged else health.reason
            now = self._store.clock.monotonic()
            if reason == last.quality or now < last.quality_at + QUALITY_PERIOD_S:
                continue
            last.quality, last.quality_at = reason, now
            body = {"quality": health.quality.value, "reason": reason, "asset": health.asset}
            wall = self._store.clock.wall()
            self._submit("quality", health.asset, body, wall, QUALITY_EVENT)

    def _health(self, judged: Judged, last: _Last) -> None:
        health = judged.health
        if not health.judged or health.at_s < last.health_at + SOON * self._period_s:
            return
        last.health_at = health.at_s
        self.rows[health.asset] += 1
        measured = self._seen.measured.get(health.asset)
        row = health_row(health, judged.decision, measured.features if measured else None)
        wall = self._store.clock.wall()
        told = {key: value for key, value in row.items() if key != "features"}
        write = partial(
            self._write, subject=health.asset, kind="health", body=row, wall=wall,
            message=self._message("metric", HEALTH_EVENT, health.asset, told, wall),
        )  # fmt: skip
        self._store.submit(write, of_class="metric")

    def _body(self, judged: Judged, was: str, stage_ms: Mapping[str, float]) -> dict[str, Any]:
        decision, health = judged.decision, judged.health
        return {
            "schema": SCHEMA,
            **asdict(self._provenance),
            **figures(health),
            "asset": decision.asset,
            "verdict": decision.verdict.value,
            "was": was,
            "severity": rounded(decision.severity),
            "latched": decision.latched,
            "zone": decision.zone,
            "zone_reason": decision.zone_reason,
            "edition": EDITION,
            "evidence": [memories.evidence_as_json(e) for e in decision.evidence],
            "outlook": outlook_as_json(decision),
            "baseline": self._seen.baseline_version(decision.asset),
            "t_taken": iso_time(health.wall_time),
            "latency_ms": {stage: round(ms, 3) for stage, ms in stage_ms.items()},
        }

    # ----------------------------------------------------------------------------- storing

    def _keep(self, last: _Last, write: Write, of_class: str = "verdict") -> None:
        last.unstored = write, self._store.submit(write, of_class=of_class)

    def _submit(
        self, kind: str, subject: str, body: dict[str, Any], wall: float, event: str = ""
    ) -> None:
        message = self._message("verdict", event, subject, body, wall) if event else None
        write = partial(
            self._write, subject=subject, kind=kind, body=body, wall=wall, message=message
        )
        self._store.submit(write, of_class="verdict")

    def _message(
        self, of_class: str, event: str, asset: str, body: dict[str, Any], wall: float
    ) -> Message | None:
        if not self._sinks:
            return None
        return Message(of_class, event, f"asset/{asset}", body, wall, self._sinks)

    def _write(
        self,
        connection: sqlite3.Connection,
        *,
        subject: str,
        kind: str,
        body: dict[str, Any],
        wall: float,
        message: Message | None = None,
        memory: tuple[str, Memory] | None = None,
    ) -> None:
        monotonic = self._store.clock.monotonic()
        records.add(
            connection, Record(kind, subject, wall, monotonic, self._store.boot_id, body)
        )
        if memory is not None:
            memories.keep(connection, *memory)
        if message is not None:
            self._outbox.append(connection, message)


def _said(memory: Memory) -> tuple[Any, ...]:
    """What a verdict says: it is news when this changes, not when a figure moves."""
    kinds = tuple(sorted((e.kind, e.verdict.value) for e in memory.evidence))
    return memory.verdict.value, memory.unacknowledged, kinds
