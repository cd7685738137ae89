"""What is kept of each part, what leaves, and what never does.

Kept: one trace record per part (DOMAIN: MES traceability) and the picture of every part
that did not pass. Leaves: the trace record, through the outbox, in the same transaction.
Never leaves: pictures. Everything here is only handed to the store's thread; encoding a
picture and waiting for the disk happen there.
"""

import hashlib
import sqlite3
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from apps.defect_inspection.config import Settings
from apps.defect_inspection.domain import Challenge, Decision, Inspection, Shot, Verdict
from common import records
from common.exports import iso
from common.pipeline import Outcome
from common.provenance import Provenance
from common.records import Record
from common.store import Store
from common.telemetry.outbox import Message, Outbox

SCHEMA = "lineside.inspection.verdict/1"
Turn = Outcome[Shot, Inspection, Decision]
EVENT = "lineside.inspection.verdict.v1"
CHALLENGE_EVENT = "lineside.inspection.challenge.v1"


@dataclass(frozen=True)
class PartProvenance(Provenance):
    """What made the verdict on a part."""

    camera: str


class Recorder:
    """Outcome → one trace record, and the picture of a part that did not pass."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        sinks: tuple[str, ...],
        settings: Settings,
        provenance: PartProvenance,
    ) -> None:
        self._store, self._outbox, self._sinks = store, outbox, sinks
        self._settings, self._provenance = settings, provenance

    def __call__(self, turn: Turn) -> None:
        """Hand the part to the store; a fault that cost no part is the alarms' business."""
        if not turn.decision.part_id:
            return
        frame = turn.sample.data.frame if turn.sample and self._keeps_picture(turn) else None
        size = frame.nbytes if frame is not None else 0
        now = self._store.clock.wall(), self._store.clock.monotonic()  # of the verdict
        write = partial(self._write, turn=turn, frame=frame, now=now)
        self._store.submit(write, size, of_class="verdict")

    def challenge(self, test: Challenge) -> None:
        """Keep the outcome of a challenge test, and tell it."""
        clock, store = self._store.clock, self._store
        body = {
            "schema": "lineside.inspection.challenge/1",
            **asdict(self._provenance),
            "outcome": test.outcome,
            "pieces": test.pieces,
            "rejected": sorted(test.rejected),
            "confirmed": sorted(test.confirmed & test.rejected),
            "passed": sorted(test.passed),
        }
        wall, monotonic = clock.wall(), clock.monotonic()
        record = Record("challenge", "line", wall, monotonic, store.boot_id, body)
        message = Message("verdict", CHALLENGE_EVENT, "challenge", body, wall, self._sinks)

        def write(connection: sqlite3.Connection) -> None:
            records.add(connection, record)
            if self._sinks:
                self._outbox.append(connection, message)

        store.submit(write, of_class="verdict")

    def _keeps_picture(self, turn: Turn) -> bool:
        passed = turn.decision.verdict is Verdict.PASS
        return self._settings.retention.keep_pass_pictures or not passed

    def _write(
        self,
        connection: sqlite3.Connection,
        turn: Turn,
        frame: np.ndarray | None,
        now: tuple[float, float],
    ) -> None:
        (wall, monotonic), subject = now, _subject(turn)
        body = self._body(turn, wall)
        name, data = None, _png(frame)
        if data:
            name = f"{self._store.boot_id}-{subject.replace('/', '-')}.png"
            body["image_sha256"] = hashlib.sha256(data).hexdigest()
        record = Record(
            "verdict", subject, turn.sample.wall_time if turn.sample else wall,
            turn.sample.monotonic if turn.sample else monotonic,
            self._store.boot_id, body, name,
        )  # fmt: skip
        records.add(connection, record)  # refuses a second verdict before it has a picture
        if name is not None:
            self._store.pictures.save(connection, name, data, wall)
        if self._sinks:
            message = Message("verdict", EVENT, f"part/{subject}", body, wall, self._sinks)
            self._outbox.append(connection, message)

    def _body(self, turn: Turn, now: float) -> dict[str, Any]:
        """The trace record; field names where they exist are OPC 40100-1's in spirit."""
        decision, percept = turn.decision, turn.percept
        trigger = turn.sample.data.trigger if turn.sample else getattr(percept, "about", None)
        recipe = self._settings.recipe(trigger.recipe_id) if trigger else None
        found = percept.defects if isinstance(percept, Inspection) else ()
        total = round(decision.latency_ms, 2) if turn.sample else None
        shipped = turn.sample.wall_time if turn.sample else None
        return {
            "schema": SCHEMA,
            **asdict(self._provenance),
            "part_id": decision.part_id,
            "batch": trigger.batch if trigger else None,
            "encoder": trigger.encoder if trigger else None,
            "recipe_id": trigger.recipe_id if trigger else None,
            "recipe": recipe.name if recipe else "",
            "calibration": recipe.calibration if recipe else "",
            "t_trigger": iso(shipped) if shipped else None,
            "t_result": iso(now),
            "verdict": decision.verdict.value,
            "reasons": list(decision.reasons),
            "defects": [asdict(defect) for defect in found],
            "latency_ms": {**_rounded(turn.stage_ms), "total": total},
            "challenge": decision.challenge,
            "line_stop": decision.line_stop,
        }


def _png(frame: np.ndarray | None) -> bytes:
    """The picture as a file; empty where there is none, or of a form no file can hold."""
    if frame is None:
        return b""
    try:
        return cv2.imencode(".png", frame)[1].tobytes()
    except cv2.error:  # the part keeps its record: its verdict says what came of the camera
        return b""


def _subject(turn: Turn) -> str:
    """The sample's id; of a part that was never seen its fault knows it."""
    return turn.sample.id if turn.sample else str(getattr(turn.percept, "sample_id", ""))


def _rounded(stage_ms: dict[str, float]) -> dict[str, float]:
    return {stage: round(ms, 3) for stage, ms in stage_ms.items()}
