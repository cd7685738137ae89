"""The station's state as one document: for the screens, the API and Prometheus."""

from typing import TYPE_CHECKING, Any

from apps.defect_inspection.domain import Challenge
from common.metrics import Metrics
from common.ports import PlcView
from common.snapshot import keep, shared

if TYPE_CHECKING:
    from apps.defect_inspection.station import Station


class Snapshots:
    """Takes the document and hands it to the store; `last` may be read by any thread."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self.last: dict[str, Any] = {}

    def take(self, plc: PlcView | None) -> None:
        """Make the document of this moment."""
        station = self._station
        state, parts = station.pipeline.state, station.parts
        failures = station.status.failures
        document = {
            **shared(station.settings.station, "defect_inspection", parts),
            "model": parts.model.document(),
            "healthy": not failures,
            "faults": [f"{device}: {cause}" for device, cause in failures.items()],
            "line": self._line(plc),
            "counts": station.tally.counts(),
            "reject_rate": station.tally.reject_rate(),
            "challenge": _challenge(state.challenge),
            "latency_ms": station.pipeline.timings.percentiles(),
            "deadline_ms": station.settings.line.deadline_ms,
        }
        before, self.last = self.last, document
        keep(parts.store, document, before)

    def _line(self, plc: PlcView | None) -> dict[str, Any]:
        station, status = self._station, self._station.status
        state, now = station.pipeline.state, station.parts.clock.monotonic()
        recipe_id = plc.recipe_id if plc else 0
        recipe = station.settings.recipe(recipe_id)
        period = station.settings.station.golden_period_s
        return {
            "mode": plc.mode if plc else 0,
            "state": plc.state if plc else 0,
            "speed_mm_s": plc.line_speed_mm_s if plc else 0,
            "recipe_id": recipe_id,
            "recipe": recipe.name if recipe else "",
            "plc": station.parts.gate.name,
            "plc_alive": bool(plc and plc.heartbeat_alive and "plc" not in status.failures),
            "vision_alive": now - status.last_work < 3 * max(period, 0.5),
            "vision_beats": status.beats,
            "batch": status.batch,
            "consecutive_rejects": state.consecutive_rejects,
            "consecutive_limit": station.settings.line.consecutive_rejects,
            "line_stop": state.line_stop,
            "reject_faults": plc.reject_faults if plc else None,
            "refused_ids": plc.refused if plc else None,
        }

    def metrics(self) -> bytes:
        """The counts and states that a plant's Prometheus watches."""
        return Metrics("inspection", self.last, "Parts: ").text()


def _challenge(challenge: Challenge | None) -> dict[str, Any] | None:
    if challenge is None:
        return None
    return {
        "outcome": challenge.outcome,
        "pieces": challenge.pieces,
        "rejected": len(challenge.rejected),
        "confirmed": len(challenge.confirmed & challenge.rejected),
        "passed": len(challenge.passed),
    }
