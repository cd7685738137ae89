"""Health, values, trends and reports, run whole by Streamlit's own test runner."""

import ast
import csv
import io
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from apps.defect_inspection.screen import SCREEN
from apps.screen import SCREENS
from common import exports
from common.alarms.kpi import kpis
from common.report_html import KINDS, About, document
from common.reports import Span, read_report, rows_of
from common.screen.app_screen import AppScreen
from common.screen.document import Document
from common.screen.language import tr, use
from common.screen.report_page import span_of
from tests.apps.screens import made, run, started, text


def shift() -> Span:
    """The hour behind us, and the second that is going on."""
    return Span(time.time() - 3600, time.time() + 1)


def health() -> None:
    from common.screen.health_page import health_page  # noqa: PLC0415 - a script
    from common.screen.page import begin  # noqa: PLC0415

    begin("Health")
    health_page()


def values() -> None:
    from common.screen.page import begin  # noqa: PLC0415 - a script
    from common.screen.station_page import station_page  # noqa: PLC0415

    begin("Station")
    station_page({})


def trends() -> None:
    from apps.defect_inspection.screen import SCREEN  # noqa: PLC0415 - a script
    from common.screen.page import begin  # noqa: PLC0415
    from common.screen.trend_page import trend_page  # noqa: PLC0415

    begin("Trends")
    trend_page({SCREEN.app: SCREEN})


def reports() -> None:
    from apps.defect_inspection.screen import SCREEN  # noqa: PLC0415 - a script
    from common.screen.page import begin  # noqa: PLC0415
    from common.screen.report_page import report_page  # noqa: PLC0415

    begin("Reports")
    report_page({SCREEN.app: SCREEN})


PAGES = (health, values, trends, reports)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_station_every_page_says_so(var: Any, page: Callable[[], None]) -> None:
    assert "No station yet" in text(started(page))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "word",
    [{"link": 3, "host": [], "values": "?", "store": None, "alarms": {}, "faults": 7},
     {"values": [{"id": 3}, "x"], "host": {"temperature_c": "hot"}, "app": 7}],
)  # fmt: skip
def test_a_word_of_another_shape_stops_no_page(
    var: Any, page: Callable[[], None], word: dict[str, Any]
) -> None:
    var.station("a").say(**word)
    started(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_broken_file_is_one_clear_line(var: Any, page: Callable[[], None]) -> None:
    var.station("a").file.write_bytes(b"not a database" * 400)
    assert "cannot be read" in text(started(page)) or page is values


# ------------------------------------------------------------------ health


def test_a_healthy_station_has_no_heavy_edge(var: Any) -> None:
    var.station("a").say()
    shown = text(started(health))
    for part in ("51\u202f°C", "41.0\u202f%", "50.8\u202fGB", "no fault", "online",
                 "records are kept", "0 queued", "0 dropped, 0 dead letters"):  # fmt: skip
        assert part in shown, part
    assert "ls-tile ls-abnormal" not in shown
    assert "ls-alarmed" not in shown


def test_what_is_wrong_with_a_device_is_said(var: Any) -> None:
    station = var.station("a")
    station.say(
        host={"temperature_c": 91.0, "throttled": True, "throttle_reasons": ["under-voltage"],
              "memory_used_share": 0.97, "disk_free_mb": 100.0},
        faults=["camera: no picture for 2 s"], healthy=False,
        link={"mqtt": {"state": "offline", "reason": "refused", "queued": 7, "dead": 3,
                       "oldest_age_s": 60.0}},
        store={"healthy": False, "refused": 2, "failed": 1, "error": "disk full"},
        clock={"synchronised": False, "offset_ms": 4000},
        alarms=[var.alarm("camera_failed", 2)],
    )  # fmt: skip
    shown = text(started(health))
    for part in ("SLOWED", "under-voltage", "97.0\u202f%", "0.1\u202fGB", "faults: 1",
                 "camera: no picture for 2 s", "offline", "refused", "NOT KEPT", "disk full",
                 "3 not kept", "7 queued", "oldest 00:01:00", "3 dead letters",
                 "NOT SYNCHRONISED", "4\u202f000\u202fms"):  # fmt: skip
        assert part in shown, part
    assert shown.count("ls-tile ls-abnormal") == 7
    assert shown.count("ls-tile ls-alarmed ls-p2") == 1


def test_what_a_station_does_not_say_is_missing_and_not_zero(var: Any) -> None:
    var.station("a").say_raw(f'{{"station": "a", "wall_time": {time.time() + 2}}}')
    shown = text(started(health))
    assert "– queued" in shown
    assert "0 queued" not in shown


def test_a_silent_device_is_hatched(var: Any) -> None:
    var.station("a").say(age_s=60.0)
    assert text(started(health)).count("ls-stale") == 8


# ------------------------------------------------------------------ values


def value(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"t{number}", "text": f"Tag {number}", "value": 1234.5, "unit": "mm/s",
        "quality": "GOOD", "at": time.time(), "low": 0.0, "high": 2000.0,
    } | changes  # fmt: skip


def test_two_hundred_values_with_unit_quality_and_age(var: Any) -> None:
    told = [value(n) for n in range(196)]
    told += [
        value(196, quality="UNCERTAIN"), value(197, quality="BAD"), value(198, value=3000.0),
        value(199, at=time.time() - 60, max_age_s=5.0),
    ]  # fmt: skip
    var.station("a").say(values=told, alarms=[var.alarm("t7", 2)])
    shown = text(started(values))
    assert shown.count("ls-value-cell") == 200
    assert "1\u202f234.5 mm/s" in shown
    assert shown.count("uncertain") == shown.count("bad value") == 1
    assert shown.count("ls-out") == 1
    assert "01:00 old" in shown
    assert shown.count("ls-stale") == 2  # the bad one and the old one
    assert 'ls-marked ls-p2" data-id="t7"' in shown


def test_values_of_a_silent_station_are_all_hatched(var: Any) -> None:
    var.station("a").say(age_s=60.0, values=[value(n) for n in range(5)])
    shown = text(started(values))
    assert shown.count("ls-value-cell ls-stale") == 5
    assert shown.count("01:0") >= 5


def test_a_missing_value_is_missing(var: Any) -> None:
    var.station("a").say(values=[value(1, value=None), value(2, value=float("inf"))])
    assert text(started(values)).count("– mm/s") == 2


# ------------------------------------------------------------------ trends and reports


def busy(var: Any) -> Any:
    """A station with an hour behind it."""
    station = var.station("a")
    for number in range(45):
        verdict = "reject" if number % 9 == 0 else "pass"
        took = {"latency_ms": {"total": 30.0 + number}}
        station.part(verdict, 1800.0 - number * 30, challenge=number == 9, **took)
    station.alarm_change("line_stopped", "UNACK", 600.0, priority=1, detail="5 in a row")
    station.alarm_change(
        "line_stopped", "ACKED", 580.0, priority=1, by="anna", action="acknowledge"
    )
    station.act("anna", "acknowledge", "line_stopped", "on my way")
    station.say()
    return station


def test_trends_have_their_limit_and_the_alarms_that_came(var: Any) -> None:
    busy(var)
    shown = text(started(trends))
    assert shown.count("data:image/svg+xml;base64,") == 2
    assert "Latency: last value 74 ms, 1 alarms" in shown


def test_a_report_counts_the_shift(var: Any) -> None:
    busy(var)
    page = made(reports)
    page.session_state["ls-report-span"] = "hour"
    run(page)
    shown = text(page)
    for part in ("<dt>Parts</dt><dd>44</dd>", "9.1\u202f%", "Most frequent defects",
                 "<dt>Test pieces</dt><dd>1</dd>", "74\u202fms", "line stopped"):  # fmt: skip
        assert part in shown, part


def test_the_printed_report_is_whole_and_safe(var: Any) -> None:
    station = busy(var)
    evil = "<script>alert(1)</script>"
    station.part("reject", defects=[{"kind": evil}], reasons=[evil])
    station.alarm_change("x", "UNACK", text=evil, detail=evil, by=evil, reason=evil)
    station.act(evil, evil, evil, evil)
    about = About(SCREEN, Document({"software": evil}), time.time(), evil)
    drawn = document(read_report(station.file, shift(), SCREEN), about)
    assert "<script" not in drawn
    assert drawn.startswith("<!DOCTYPE html>")
    assert drawn.count("<svg ") == 2
    for part in ("Shift report: a", "alarms/day", "Most frequent alarms", "line stopped",
                 "on my way", "Handed over by", "5 in a row", "@page"):  # fmt: skip
        assert part in drawn, part


def test_the_printed_report_in_german(var: Any) -> None:
    station = busy(var)
    station.alarm_change("x.9", "UNACK", text="Time 9: No alarm.", place="Time 9")
    use("de")
    try:
        about = About(SCREEN, Document(), time.time(), "anna")
        drawn = document(read_report(station.file, shift(), SCREEN), about)
    finally:
        use("en")
    for part in ('lang="de"', "Schichtbericht: a", "Alarme/Tag", "Übergeben von", "9,"):
        assert part in drawn, part
    assert drawn.count("Zeit 9: Kein Alarm.") == 4, "frequent ones, the list, two trends"
    assert "Time 9" not in drawn


def test_a_report_without_anything_says_so(var: Any) -> None:
    station = var.station("a")
    station.say()
    about = About(SCREEN, Document(), time.time(), "anna")
    drawn = document(read_report(station.file, shift(), SCREEN), about)
    for part in ("No alarms.", "Nobody did anything.", "no data"):
        assert part in drawn


def test_exported_rows_are_all_there_and_no_formula(var: Any, tmp_path: Path) -> None:
    station = busy(var)
    station.part("reject", reasons=["=cmd|' /C calc'!A0"], recipe="=1+1")
    station.alarm_change("x", "UNACK", text="@SUM(A1)", reason="-2+3")
    data = exports.as_csv(lambda: rows_of(station.file, "verdict", shift()))
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(rows) == 46
    assert rows[-1]["body.recipe"] == "'=1+1"
    data = exports.as_csv(lambda: rows_of(station.file, "alarm", shift()))
    row = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))[-1]
    assert (row["body.text"], row["body.reason"]) == ("'@SUM(A1)", "'-2+3")


def test_the_figures_of_a_report_are_those_of_the_alarm_system(var: Any) -> None:
    station = busy(var)
    (told,) = read_report(station.file, shift(), SCREEN).kpis
    assert told.alarms == 1
    assert [kpi.name for kpi in told.rows()] == [k.name for k in kpis([], 0, 1).rows()]


@pytest.mark.parametrize(
    ("wanted", "length_s"), [("hour", 3600.0), ("day", 86_400.0), ("before", 28_800.0)]
)
def test_spans(wanted: str, length_s: float) -> None:
    span = span_of(wanted, datetime(2026, 5, 4, 12, 0).astimezone().timestamp())
    assert span.end - span.start == length_s


def test_this_shift_is_not_over_yet() -> None:
    now = datetime(2026, 5, 4, 15, 30).astimezone()
    span = span_of("shift", now.timestamp())
    assert span.end == now.timestamp()
    assert span.start == datetime(2026, 5, 4, 14, 0).astimezone().timestamp()


WRITERS = {"Record", "_record", "_submit", "partial"}
"""Calls in an app's steps that say, first or as `kind`, what a record is."""


def written_kinds(app: Path) -> Iterator[str]:
    """The kinds of records that an app's own code writes."""
    for path in app.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        known = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            named = [k.value for k in node.keywords if k.arg == "kind"] or node.args[:1]
            said = named[0] if named and name in WRITERS else None
            if isinstance(said, ast.Name):
                said = known.get(said.id)
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield said.value


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.app)
def test_every_kind_of_record_that_a_station_writes_has_a_name_in_both_languages(
    screen: AppScreen,
) -> None:
    kinds = set(written_kinds(Path(__file__).parents[2] / "apps" / screen.app))
    assert screen.kind in kinds
    named = {**KINDS, **screen.kinds}
    assert kinds <= set(named)
    use("de")
    try:
        assert all(tr(named[kind]) != named[kind] for kind in kinds)
    finally:
        use("en")
