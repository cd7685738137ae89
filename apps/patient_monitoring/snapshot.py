"""The gateway's state as one document: for the screens, the API and Prometheus.

The document lies in the station's file, and nothing in that file says who somebody is: a
tile has bed and pseudonym. Initials come with the command `names`, which is audited, or
where [ward].initials puts them here.
"""

from typing import TYPE_CHECKING, Any

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.tiles import Tiles
from apps.patient_monitoring.watch import silent
from common.metrics import Metrics
from common.snapshot import keep, shared

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station

SOURCES_SHOWN = 200


class Snapshots:
    """Takes the document and hands it to the store; `last` may be read by any thread."""

    def __init__(self, station: "Station") -> None:
        self._station, self._tiles = station, Tiles(station)
        self.last: dict[str, Any] = {}

    def take(self) -> None:
        """Make the document of this moment."""
        station, parts = self._station, self._station.parts
        wall, now = parts.clock.wall(), parts.clock.monotonic()
        alarms = parts.alarms.summary()
        failed = filter(None, (station.fault, station.perceive.model_fault))
        faults = [*failed, *silent(parts.listeners)]
        document = {
            **shared(station.settings.station, "patient_monitoring", parts),
            "not_a_device": NOT_A_DEVICE,
            "model": parts.model.document() if parts.model else None,
            "healthy": not faults,
            "faults": faults,
            "ward": {
                "name": station.settings.station.area,
                "unit": station.settings.ward.unit,
                "beds": len(station.beds),
                "occupied": len(station.intake.census.stays),
                "fault": station.fault,
            },
            "beds": self._tiles.all(alarms, wall, now),
            "counts": self._counts(),
            "refused": dict(station.intake.sources.refused),
            "refusals": station.intake.sources.refusals,
            "sources": self._sources(now),
            "latency_ms": station.pipeline.timings.percentiles(),
        }
        before, self.last = self.last, document
        keep(parts.store, document, before)

    def _counts(self) -> dict[str, int]:
        station = self._station
        return {
            **station.intake.counts,
            "refused": station.intake.sources.refused.total(),
            "late": station.perceive.signs.late,
            "beats": station.beats,
            "beats_missed": station.behind,
        }

    def _sources(self, now: float) -> list[dict[str, Any]]:
        known = list(self._station.intake.sources.known.items())
        known.sort(key=lambda one: -one[1].refused)
        return [
            {
                "name": name,
                "kind": source.way,
                "heard_s": round(now - source.heard, 1),
                "messages": source.messages,
                "refused": source.refused,
                "clock_s": round(source.clock_s, 1),
            }
            for name, source in known[:SOURCES_SHOWN]
        ]

    def metrics(self) -> bytes:
        """The counts and states that a hospital's Prometheus watches; nothing of a patient."""
        metrics, last = Metrics("ward", self.last, "Since start: "), self.last
        refused = metrics.gauge("refused_by", "Refused by reason", "reason")
        for reason, count in last.get("refused", {}).items():
            refused.labels(reason).set(count)
        beds = metrics.gauge("beds", "Beds by priority", "priority")
        for tile in last.get("beds", ()):
            beds.labels(tile["priority"] if tile["patient"] else "EMPTY").inc()
        return metrics.text()
