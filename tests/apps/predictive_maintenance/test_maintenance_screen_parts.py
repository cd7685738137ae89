"""Single parts of the maintenance page: order of machines, bars, spectra, reports."""

import xml.dom.minidom
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.predictive_maintenance import screen, screen_detail
from apps.predictive_maintenance.config import StateRules
from apps.predictive_maintenance.domain import Motion
from apps.predictive_maintenance.screen_detail import headline, hours_text, signed
from apps.predictive_maintenance.screen_history import History, iso_seconds, limit_of, trend
from apps.predictive_maintenance.screen_report import TRENDS, VerdictTally, severity
from apps.predictive_maintenance.screen_spectrum import Cursor, Spectrum, points_of, svg
from apps.predictive_maintenance.screen_table import (
    VERDICTS,
    by_urgency,
    change,
    limits_bar,
    priority_of,
    rank_of,
)
from apps.predictive_maintenance.snapshot import MOTIONS
from apps.predictive_maintenance.states import state_key
from common.plot import DARK, LIGHT
from common.records import Record
from common.report_html import plots
from common.reports import Report, Span
from common.screen.document import Document
from common.screen.language import heard, use


def machine(asset: str, verdict: str = "run", **changes: Any) -> Document:
    return Document({"asset": asset, "name": asset, "verdict": verdict, **changes})


# --------------------------------------------------------------------------- the table


def test_the_worst_verdict_first_then_severity_times_criticality() -> None:
    machines = [
        machine("spare", severity=0.9, criticality=3),
        machine("vital", severity=0.5, criticality=1),
        machine("ill", "watch", severity=0.4, criticality=3),
        machine("unknown", "unknown", severity=9.0, criticality=1),
        machine("dying", "stop", severity=1.1, criticality=3),
    ]
    found = [one.text("asset") for one in by_urgency(machines)]
    assert found == ["dying", "ill", "vital", "spare", "unknown"]


def test_a_verdict_has_the_priority_of_its_alarm() -> None:
    assert [priority_of(v, 2) for v in VERDICTS] == [None, None, 3, 1]
    assert priority_of("plan", 1) == 2
    assert priority_of("unknown", 1) is None


def test_change_is_a_share_of_the_baseline_or_not_known() -> None:
    assert change(Document({"value": 0.62, "baseline": 0.5})) == "+24\u202f%"
    assert change(Document({"value": 0.4, "baseline": 0.5})) == "−20\u202f%"
    assert change(Document({"value": 0.4, "baseline": None})) == "–"
    assert change(Document({"value": 0.4, "baseline": 0})) == "–"


def test_the_bar_ends_above_the_highest_limit_and_without_limits_is_empty() -> None:
    bar = limits_bar(Document({"value": 2.25, "baseline": 0.5, "alarm": 1.8, "trip": 4.0}))
    assert "width:45.0%" in bar
    assert "left:80.0%" in bar
    assert "left:36.0%" in bar
    assert limits_bar(Document({"value": 2.25})) == '<div class="ls-scale ls-empty"></div>'


def test_a_value_far_over_its_limits_stays_on_the_scale() -> None:
    bar = limits_bar(Document({"value": 80.0, "alarm": 1.8, "trip": 4.0}))
    assert "width:80.0%" in bar


@given(st.lists(st.sampled_from([*VERDICTS, "unknown", "?", ""]), max_size=8))
def test_the_state_for_the_overview_is_the_worst(verdicts: list[str]) -> None:
    word = Document(
        {
            "healthy": True,
            "machines": [{"asset": str(n), "verdict": v} for n, v in enumerate(verdicts)],
        }
    )
    ranks = [rank_of(one) for one in word.documents("machines")]
    said = screen.state(word)
    assert screen.worst_rank(word) == max(ranks, default=-1)
    assert said.endswith(f"× {ranks.count(max(ranks))}") if ranks else said == "no machines"
    assert bool(screen.subject(word)) is False, "they have no names here"


def test_a_station_that_does_not_work_says_so_on_the_overview() -> None:
    assert screen.state(Document({"machines": []})) == "no machines, NOT WORKING"
    word = Document({"healthy": True, "machines": [{"name": "Fan", "verdict": "plan"}]})
    assert screen.state(word) == "plan × 1"
    assert screen.subject(word) == "Fan"


# ------------------------------------------------------------------------------ spectra

finite = st.floats(0, 1e6)
points = st.lists(st.tuples(st.floats(0.1, 1e5), finite), max_size=30).map(
    lambda found: tuple(sorted(found))
)


@given(points, st.lists(st.floats(0.1, 1e5), max_size=6), st.booleans())
def test_every_spectrum_is_a_whole_picture(
    found: tuple[tuple[float, float], ...], hz: list[float], logarithmic: bool
) -> None:
    cursors = tuple(Cursor(f"<{at}>", one) for at, one in enumerate(hz))
    one = Spectrum("a & b", found, cursors, logarithmic, empty="no points")
    drawn = svg(one, LIGHT)
    xml.dom.minidom.parseString(drawn)  # noqa: S318 - our own
    assert ("no points" in drawn) is (not found)
    assert "nan" not in drawn.lower()


def test_a_cursor_stands_at_its_frequency_and_outside_it_is_left_out() -> None:
    line = ((0.0, 1.0), (1000.0, 1.0))
    drawn = svg(Spectrum("e", line, (Cursor("in", 500.0), Cursor("out", 2000.0))), DARK)
    middle = 46 + (430 - 46 - 8) / 2
    assert f'<line x1="{middle:.1f}"' in drawn
    assert ">in<" in drawn
    assert ">out<" not in drawn


@pytest.mark.parametrize("logarithmic", [True, False])
def test_a_spectrum_says_its_title_from_the_left_edge_its_time_at_the_right_and_its_unit(
    logarithmic: bool,
) -> None:
    line = ((10.0, 1.0), (1000.0, 1.0))
    title = "Envelope, dB over background"
    one = Spectrum(title, line, logarithmic=logarithmic, at="1 467 r/min, 2026-11-22 12:34:56")
    drawn = xml.dom.minidom.parseString(svg(one, LIGHT))  # noqa: S318 - our own
    places = {
        text.firstChild.data: (text.getAttribute("x"), text.getAttribute("text-anchor"))
        for text in drawn.getElementsByTagName("text")
    }
    assert places[title] == ("4", "")
    assert places[one.at] == ("422.0", "end")
    assert "Hz" in places


def test_cursors_that_stand_close_do_not_cover_each_other() -> None:
    line = ((0.0, 1.0), (1000.0, 1.0))
    close = tuple(Cursor(f"BPF{n}", 100.0 + n) for n in range(3))
    drawn = xml.dom.minidom.parseString(  # noqa: S318 - our own
        svg(Spectrum("e", line, close), LIGHT)
    )
    heights = {
        text.getAttribute("y")
        for text in drawn.getElementsByTagName("text")
        if text.firstChild and text.firstChild.data.startswith("BPF")
    }
    assert len(heights) == 3


def test_a_stored_spectrum_that_is_not_whole_is_none() -> None:
    assert points_of(Document({"hz": [1.0, 2.0], "value": [1.0]})) == ()
    assert points_of(Document({"hz": [1.0, "x"], "value": [1.0, 2.0]})) == ()


# ------------------------------------------------------------------------ trends, reports


def test_the_trend_has_the_limit_of_its_figure_and_the_alarms_that_fell_into_it() -> None:
    rows = tuple(Document({"taken": 1e9 + 60.0 * n, "velocity_mm_s": 0.5}) for n in range(9))
    history = History(rows, ((1e9 + 120, "plan"), (1e9 + 180, "watch"), (9e8, "stop")))
    one = Document(
        {"criticality": 1, "velocity": {"alarm": 1.8}, "acceleration": {"plan": 2.0}}
    )
    drawn = trend(history, one, "velocity_mm_s")
    assert drawn.limit == 1.8
    assert [(mark.time, mark.priority) for mark in drawn.marks] == [(1e9 + 120, 2)]
    assert (drawn.start, drawn.end) == (1e9, 1e9 + 480)
    assert limit_of(one, "acceleration_m_s2") == 2.0
    assert limit_of(one, "severity") == 1.0


def test_a_time_that_is_none_is_not_known() -> None:
    assert iso_seconds("2001-09-09T01:46:40Z") == 1e9
    assert iso_seconds("soon") is None


def record(verdict: str, was: str, asset: str, severity: float) -> Record:
    body = {
        "asset": asset, "verdict": verdict, "was": was, "severity": severity,
        "evidence": [{"kind": "velocity"}],
    }  # fmt: skip
    return Record("verdict", f"{asset}/1", 0.0, 0.0, "boot", body)


def test_a_report_counts_verdicts_that_began_and_their_machines() -> None:
    tally = VerdictTally()
    for each in (
        record("plan", "run", "a", 1.2), record("plan", "plan", "a", 2.0),
        record("plan", "watch", "b", 1.1), record("stop", "plan", "b", 9.0),
    ):  # fmt: skip
        tally.add(each)
    said = dict(tally.said())
    assert said["plan"] == "2 times, 2 machines"
    assert said["stop"] == "1 times, 1 machines"
    assert said["run"] == "0 times, 0 machines"
    assert said["Most frequent evidence"] == "Velocity 4"


def test_a_machine_that_falls_apart_does_not_flatten_the_trend() -> None:
    assert severity(record("stop", "run", "a", 1e300)) == 20.0
    assert severity(Record("verdict", "a", 0.0, 0.0, "boot", {})) is None
    assert TRENDS[0].limit(Document()) == 1.0


@pytest.mark.parametrize(
    ("hours", "said"),
    [(None, "–"), (0.4, "0\u202fh"), (71.0, "71\u202fh"), (240.0, "10\u202fd")],
)
def test_remaining_time_is_in_hours_then_in_days(hours: float | None, said: str) -> None:
    assert hours_text(hours) == said


def test_a_level_has_a_sign() -> None:
    assert (signed(9.44), signed(-3.0), signed(None)) == ("+9.4", "−3.0", "–")


@pytest.mark.parametrize(
    ("station", "said"),
    [
        (MOTIONS[Motion.RAMPING], "sie ändert die Drehzahl"),
        (MOTIONS[Motion.STOPPED], "sie steht"),
        (state_key(1334.0, 0.38, StateRules()), "r/min, Last 38\u202f%"),
        (state_key(None, 0.38, StateRules()), "Last 38\u202f%"),
        (state_key(None, None, StateRules()), "jeder Zustand"),
    ],
)
def test_what_a_machine_does_is_said_in_german(station: str, said: str) -> None:
    baseline = {"learned": {"states": [{"state": station}]}, "proposal": None}
    one = Document({"not_judged": station, "baseline": baseline})
    use("de")
    drawn = headline(one), screen_detail.baseline(one)
    use("en")
    assert all(said in part for part in drawn)
    assert all(station not in part for part in drawn)


def test_every_motion_has_its_words() -> None:
    assert set(MOTIONS) == set(Motion)


def test_every_cause_of_a_stop_is_said_in_german() -> None:
    use("de")
    said = heard("velocity 9 mm/s, limit 8; acceleration 30.4 m/s², limit 4.21")
    use("en")
    assert said == (
        "Schwinggeschwindigkeit 9 mm/s, Grenze 8; Beschleunigung 30,4 m/s², Grenze 4,21"
    )


def test_the_unit_of_a_trend_is_said_in_german() -> None:
    report = Report(
        "mill", Span(0.0, 1.0), {}, VerdictTally(), {"severity": [(0.5, 1.2)]}, (), (), ()
    )
    use("de")
    printed = plots(report, screen.SCREEN, Document())
    shown = trend(History((), ()), Document(), "signature")
    use("en")
    assert [one.unit for one in (*printed, shown)] == ["× Grenze", "× Grenze"]
