"""What Prometheus reads of a station, whatever its app."""

from common.metrics import Metrics

SNAPSHOT = {
    "counts": {"parts": 3, "bad_image": 1},
    "latency_ms": {"perceive": {"p50": 1.5, "p99": 4.0}},
    "healthy": True,
    "alarms": [{"id": "dark"}],
    "link": {"mqtt": {"queued": 7}},
}


def lines(metrics: Metrics) -> list[str]:
    return metrics.text().decode().splitlines()


def test_counts_latencies_and_health_are_told_for_every_app():
    told = lines(Metrics("inspection", SNAPSHOT, "Parts: "))
    assert "lineside_inspection_parts 3.0" in told
    assert "# HELP lineside_inspection_bad_image Parts: bad image" in told
    assert 'lineside_inspection_latency_ms{quantile="p99",stage="perceive"} 4.0' in told
    assert "lineside_healthy 1.0" in told
    assert "lineside_alarms 1.0" in told
    assert "lineside_outbox_queued 7.0" in told


def test_an_app_adds_its_own():
    metrics = Metrics("ward", SNAPSHOT)
    metrics.gauge("beds", "Beds by priority", "priority").labels("LOW").inc()
    assert 'lineside_ward_beds{priority="LOW"} 1.0' in lines(metrics)


def test_before_the_first_snapshot_nothing_is_healthy():
    told = lines(Metrics("ward", {}))
    assert "lineside_healthy 0.0" in told
    assert "lineside_outbox_queued 0.0" in told
