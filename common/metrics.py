"""What a plant's Prometheus watches of a station, read from its last snapshot.

Every station has its counts, its latencies and whether it works; an app adds its own.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest


class Metrics:
    """The gauges of one station: `lineside_<app>_…`, beside those that all apps share."""

    def __init__(self, app: str, snapshot: Mapping[str, Any], counted: str = "") -> None:
        """`counted` comes before the name of each count, in its help."""
        self._app, self._registry = app, CollectorRegistry()
        for name, value in snapshot.get("counts", {}).items():
            self.gauge(name, counted + name.replace("_", " ")).set(value)
        latency = self.gauge("latency_ms", "Duration in ms", "stage", "quantile")
        for stage, values in snapshot.get("latency_ms", {}).items():
            for quantile, ms in values.items():
                latency.labels(stage, quantile).set(ms)
        self._shared("healthy", "1 while nothing fails", bool(snapshot.get("healthy")))
        self._shared("alarms", "Alarms not in NORM", len(snapshot.get("alarms", ())))
        queued = snapshot.get("link", {}).get("mqtt", {}).get("queued", 0)
        self._shared("outbox_queued", "Events that wait", queued)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """One more of this app's, to be set by the caller."""
        return Gauge(f"lineside_{self._app}_{name}", text, labels, registry=self._registry)

    def text(self) -> bytes:
        """All of them in Prometheus' own text form."""
        return generate_latest(self._registry)

    def _shared(self, name: str, text: str, value: float) -> None:
        Gauge(f"lineside_{name}", text, registry=self._registry).set(value)
