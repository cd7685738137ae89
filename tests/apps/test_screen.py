"""The overview: every station a line, and nothing that is silent looks alive."""

import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import screen
from common.screen.document import Document


def overview() -> AppTest:
    page = AppTest.from_file(screen.__file__, default_timeout=50).run()
    assert not page.exception
    return page


def text(page: AppTest) -> str:
    """What is drawn, without the style sheet."""
    return " ".join(b.value for b in page.html if not b.value.startswith("<style>"))


def test_without_stations_it_says_so(var: Any) -> None:
    assert "No inspection station yet" in text(overview())


def test_a_station_is_a_line_with_a_way_to_its_page(var: Any) -> None:
    var.station("press-1").say()
    page = overview()
    shown = text(page)
    for part in ("press-1", "Execute", "No alarms", "00:0", "MQTT online", "pcb 1.0.0", "CPU"):
        assert part in shown
    assert "ls-line ls-stale" not in shown


def test_alarm_link_and_silence_are_seen_from_afar(var: Any) -> None:
    backlog = {"state": "offline", "queued": 1234, "oldest_age_s": 720.0, "dead": 0}
    var.station("a").say(
        alarms=[var.alarm("reject_bin", 2), var.alarm("line_stopped", 1)],
        link={"mqtt": backlog},
    )
    var.station("b").say(age_s=75.0)
    shown = text(overview())
    assert "ls-square ls-p1" in shown
    assert "line stopped" in shown
    assert "1\u202f234 queued, oldest 00:12:00" in shown
    assert "station silent for 01:1" in shown
    assert shown.count("ls-line ls-stale") == 1


def test_one_broken_file_does_not_hide_the_others(var: Any) -> None:
    broken = var.station("broken")
    broken.file.write_bytes(b"not a database" * 400)
    var.station("silent-yet")
    var.station("well").say()
    shown = text(overview())
    assert "broken: cannot be read" in shown
    assert "it has not said anything yet" in shown
    assert "Execute" in shown


def test_names_from_outside_stay_names(var: Any) -> None:
    var.station("x").say(model={"name": "<script>alert(1)</script>"})
    assert "<script>" not in text(overview())


def test_an_app_without_a_page_still_has_its_line(var: Any) -> None:
    var.station("ward").say(app="patient_monitoring", line=None)
    shown = text(overview())
    assert "patient_monitoring" in shown
    assert "working" in shown


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ({"line": {"state": 6}, "healthy": True}, "Execute"),
        ({"line": {"state": 2}, "healthy": False}, "Stopped, NOT WORKING"),
        ({"line": {"state": 6, "plc_alive": False}, "healthy": True}, "PLC SILENT"),
        ({"healthy": True}, "working"),
        ({}, "NOT WORKING"),
    ],
)
def test_states_in_words(word: dict[str, Any], said: str) -> None:
    assert screen.state_text(Document(word)) == said


def test_a_line_knows_its_age(var: Any) -> None:
    station = var.station("x")
    station.say(age_s=10.0)
    line = screen.station_line(station.file, time.time())
    assert line.freshness is not None
    assert line.freshness.stale
    assert line.state.startswith("station silent for 00:1")
