"""The bench over the wire runs on a real gateway and its figures are of the work it names."""

import pytest

from apps import ward_bench
from apps.browser import free_port
from apps.patient_monitoring.config import APP
from common.errors import LinesideError


@pytest.mark.timeout(240)
def test_every_alarm_of_a_small_hospital_is_expected_and_seen(monkeypatch):
    monkeypatch.setattr(ward_bench, "WARM_S", 2.0)
    monkeypatch.setattr(ward_bench, "FIRST_PORT", free_port())
    monkeypatch.setattr(ward_bench, "FIRST_API", free_port())
    figures = ward_bench.hospital(APP / "app.toml", ["extremes.hold_s=3"], 1, 12, 9.0)
    assert (figures["wards"], figures["beds"]) == (1, 12)
    assert figures["alarms_seen"] == figures["alarms_expected"] > 0
    assert 0 < figures["wire_to_visible_ms"]["p50"] <= figures["wire_to_visible_ms"]["max"]
    assert figures["refused"] == figures["not_acknowledged"] == 0
    assert figures["messages_per_s"] > 0
    assert set(figures["steps_ms"]) == {"perceive", "decide", "act", "total"}
    assert figures["memory_mb"] > 10


def test_a_gateway_that_ends_at_once_is_one_clear_line():
    with pytest.raises(LinesideError, match="ward 0 ended with 2"):
        ward_bench.hospital(APP / "app.toml", ["ward.unit=''", "hl7.backend='none'"], 1, 2, 1.0)
