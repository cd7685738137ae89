"""What a gateway's work costs, step by step, from 50 to 4,000 patients in one process.

The steps are those of the loop and those around it: a message on the wire read and put
(`receive`), perceive, decide, act, record, and the snapshot. Time between beats is skipped,
the steps are timed by the machine's own clock. From the wire to the nurse on whole gateways
measures apps/ward_bench.py.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.patient_monitoring import bed_alarms, speak, station
from apps.patient_monitoring.config import Settings, WardSettings
from apps.patient_monitoring.domain import Sign
from apps.patient_monitoring.identity import KEY_BYTES, KeyMap
from apps.patient_monitoring.incoming.hl7_desk import Hl7Desk
from apps.patient_monitoring.station import Parts, Station
from common.alarms.persist import stored_board
from common.clock import SystemClock
from common.inference.benchmark import rss_mb
from common.inference.selection import Choice
from common.pipeline import percentiles
from common.store import Store
from common.telemetry.outbox import Outbox

SIZES = (50, 200, 1000, 4000)
SECONDS, QUICK_SECONDS = 30, 6
WELL = {
    Sign.HR: 72.0, Sign.PULSE: 72.0, Sign.SPO2: 97.0, Sign.RR: 15.0, Sign.PI: 3.2,
    Sign.SBP: 124.0, Sign.DBP: 72.0, Sign.TEMP: 36.8,
}  # fmt: skip


class SkippingClock(SystemClock):
    """The machine's clocks, but who sleeps is there at once."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def wall(self) -> float:
        """As if the skipped time had passed."""
        return super().wall() + self._skipped

    def monotonic(self) -> float:
        """As if the skipped time had passed."""
        return super().monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Skip."""
        self._skipped += seconds


class Bench:
    """A gateway of one size, fed by messages as they are on the wire."""

    def __init__(
        self, beds: int, model: Choice | None, folder: Path, opened: ExitStack
    ) -> None:
        self.settings = Settings(ward=WardSettings(beds=beds))
        self.clock, self._number = SkippingClock(), 0
        store = Store(folder / "station.sqlite", self.clock)
        opened.callback(store.close)
        outbox = Outbox(
            source="urn:lineside:bench", epoch=store.epoch, boot_id=store.boot_id,
            clock=self.clock,
        )  # fmt: skip
        alarms = stored_board(bed_alarms.definitions(self.settings.ward.names), store)
        people = KeyMap(folder / "identities.bin", bytes(KEY_BYTES))
        parts = Parts(
            people, model, store=store, outbox=outbox, alarms=alarms, clock=self.clock
        )
        self.station: Station = station.build(self.settings, parts)
        self._desk = Hl7Desk(self.settings.ward, self.station.intake, self.clock)
        for bed in self.settings.ward.names:
            place = self.settings.ward.place(bed)
            self._desk(speak.admission(place, f"SIM{bed}", self._now(), born="19500101"))

    def run(self, seconds: int) -> dict[str, Any]:
        """Figures of so many seconds at 1 Hz per bed."""
        receive: list[float] = []
        snapshots: list[float] = []
        record: list[float] = []
        keep = self.station.pipeline.record
        self.station.pipeline.record = _timed(keep, record)
        take = self.station._snapshots.take
        self.station._snapshots.take = _timed(take, snapshots)  # type: ignore[method-assign]
        began = time.process_time()
        for _ in range(seconds):
            messages = self._second()
            start = time.perf_counter()
            for message in messages:
                self._desk(message)
            receive.append((time.perf_counter() - start) * 1e6 / len(messages))
            self._beats()
        spent = time.process_time() - began
        return {
            "receive_us_per_message": round(sorted(receive)[len(receive) // 2], 1),
            "steps_ms": {
                **self.station.pipeline.timings.percentiles(),
                "record": percentiles(record),
                "snapshot": percentiles(snapshots),
            },
            "cpu_cores": round(spent / seconds, 3),
            "memory_mb": rss_mb(),
            "refused": self.station.intake.sources.refused.total(),
        }

    def _second(self) -> list[bytes]:
        said = [(sign, value, 0) for sign, value in WELL.items()]
        place = self.settings.ward.place
        return [
            speak.observation(place(bed), f"SIM{bed}", f"MON{bed}", said, self._now())
            for bed in self.settings.ward.names
        ]

    def _beats(self) -> None:
        looks = round(1.0 / self.settings.ward.period_s)
        while looks:
            looks -= self.station.turn() is not None

    def _now(self) -> tuple[int, float]:
        self._number += 1
        return self._number, self.clock.wall()


def run(model: Choice | None, *, quick: bool = False) -> dict[str, Any]:
    """Figures by number of patients; `cpu_cores` has the making of the messages in it."""
    figures: dict[str, Any] = {}
    for beds in SIZES[:2] if quick else SIZES:
        with TemporaryDirectory() as folder, ExitStack() as opened:
            bench = Bench(beds, model, Path(folder), opened)
            figures[str(beds)] = bench.run(QUICK_SECONDS if quick else SECONDS)
    return {"patients": figures}


def _timed(work: Callable[..., Any], ms: list[float]) -> Callable[..., Any]:
    def timed(*given: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*given)
        finally:
            ms.append((time.perf_counter() - start) * 1000)

    return timed
