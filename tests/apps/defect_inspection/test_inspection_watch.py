"""Counts for the tiles, and which condition is which alarm."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.defect_inspection.config import APP
from apps.defect_inspection.decide import LineState
from apps.defect_inspection.domain import Challenge, Decision, Verdict
from apps.defect_inspection.tally import HOUR_S, WINDOW_PARTS, Tally, wilson
from apps.defect_inspection.watch import Condition, active_alarms
from common.ports import PlcView
from common.screen import language

PLC = PlcView(1, 6, True, False, 0, 0, 0, 400, 1)
WELL = Condition(LineState(), PLC)


def decision(verdict=Verdict.PASS, challenge=False):
    return Decision(1, verdict, (), challenge=challenge)


@pytest.mark.parametrize(
    ("bit", "alarm"),
    [(0, "reject_bin"), (1, "reject_bin"), (2, "confirm_missing"), (3, "track_lost")],
)
def test_each_reject_fault_of_the_plc_is_an_alarm(bit, alarm):
    found = active_alarms(replace(WELL, plc=replace(PLC, reject_faults=1 << bit)))
    assert {name for name, detail in found.items() if detail} == {alarm}


@pytest.fixture
def german():
    language.add_words(APP / "words")
    language.use("de")
    yield
    language.use("en")


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"plc": replace(PLC, reject_faults=1 << 3)}, "track_lost"),
        ({"unknown_recipe": "the PLC runs recipe 7; this station has 1, 2"}, "recipe_unknown"),
        ({"refused_ids": "9 triggers since the start, 2 just now"}, "part_ids_refused"),
        ({"stale_triggers": "9 triggers since the start, 2 just now"}, "triggers_stale"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_alarm_says_of_the_plc_is_said_in_german(german, changes, alarm):
    detail = active_alarms(replace(WELL, **changes))[alarm]
    assert language.heard(detail) not in ("", detail)


# --- tally ----------------------------------------------------------------------------


@given(st.lists(st.sampled_from(Verdict)))
def test_the_verdicts_add_up(verdicts):
    tally = Tally()
    for verdict in verdicts:
        tally.add(decision(verdict), 0.0)
    counts = tally.counts()
    assert counts["parts"] == sum(counts[v.value] for v in Verdict) == len(verdicts)
    assert counts["commanded"] == len(verdicts) - counts["pass"]


def test_a_confirmation_counts_once_and_none_of_before_the_start():
    tally = Tally()
    seen = [tally.confirm(part_id) for part_id in (77, 77, 78, 78, 0, 79)]
    assert seen == [False, False, True, False, False, True]
    assert tally.confirmed == 2


def test_without_a_confirmation_before_the_first_one_counts():
    tally = Tally()
    assert [tally.confirm(part_id) for part_id in (0, 0, 5)] == [False, False, True]


def test_what_is_not_confirmed_yet():
    tally = Tally()
    tally.confirm(0)
    for _ in range(3):
        tally.add(decision(Verdict.REJECT), 0.0)
    tally.confirm(1)
    assert tally.counts()["unconfirmed"] == 2


def test_the_reject_rate_is_of_the_last_parts_beside_the_hours_band():
    tally = Tally()
    assert tally.reject_rate() == {"now": None, "low": None, "high": None, "window_parts": 0}
    for _ in range(WINDOW_PARTS):
        tally.add(decision(Verdict.REJECT), 0.0)
    for _ in range(WINDOW_PARTS):
        tally.add(decision(), 1.0)
    rate = tally.reject_rate()
    assert (rate["now"], rate["window_parts"]) == (0.0, WINDOW_PARTS)
    assert rate["low"] < 0.5 < rate["high"]
    tally.add(decision(), HOUR_S + 0.5)
    assert tally.reject_rate()["high"] < 0.1  # the rejects are older than an hour


def test_challenge_pieces_are_no_production():
    tally = Tally()
    tally.add(decision(Verdict.REJECT, challenge=True), 0.0)
    assert tally.reject_rate()["window_parts"] == 0
    assert tally.counts()["reject"] == 1


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval(hits, total, low, high):
    """Against the published tables of the score interval."""
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_the_band_holds_the_share(hits, total):
    low, high = wilson(min(hits, total), total)
    assert 0 <= low <= min(hits, total) / total + 1e-9
    assert high <= 1
    assert high >= min(hits, total) / total - 1e-9


# --- watch ----------------------------------------------------------------------------


def active(condition):
    return {alarm: detail for alarm, detail in active_alarms(condition).items() if detail}


def faults(bits):
    return replace(WELL, plc=replace(PLC, reject_faults=bits))


def test_all_well_is_no_alarm():
    assert active(WELL) == {}
    assert active(Condition(LineState())) == {}


@pytest.mark.parametrize(
    ("condition", "alarm", "detail"),
    [
        (replace(WELL, failures={"plc": "no answer"}), "plc_unreachable", "no answer"),
        (replace(WELL, failures={"camera": "no picture"}), "camera_failed", "no picture"),
        (replace(WELL, failures={"inference": "nan"}), "inference_failed", "nan"),
        (replace(WELL, bad_pictures="black"), "bad_pictures", "black"),
        (replace(WELL, late="took 400 ms"), "late_verdicts", "took 400 ms"),
        (replace(WELL, diagnostics={"disk_low": "400 MB"}), "disk_low", "400 MB"),
        (replace(WELL, line=LineState(line_stop="5 in a row")), "line_stopped", "5 in a row"),
        (faults(0b0001), "reject_bin", "bin full"),
        (faults(0b0010), "reject_bin", "air low"),
        (faults(0b0011), "reject_bin", "bin full"),
        (faults(0b0100), "confirm_missing", "the confirm eye saw nothing"),
    ],
)
def test_one_condition_is_one_alarm(condition, alarm, detail):
    assert active(condition) == {alarm: detail}


def test_a_plc_that_has_just_been_met_is_not_called_dead():
    assert active(replace(WELL, plc=replace(PLC, heartbeat_alive=False))) == {}


def test_a_standing_heartbeat_is_an_alarm_of_its_own_unless_the_plc_is_away_anyway():
    still = replace(WELL, plc=replace(PLC, heartbeat_alive=False, heartbeat_lost=True))
    assert set(active(still)) == {"plc_heartbeat_lost"}
    away = replace(still, failures={"plc": "no answer"})
    assert set(active(away)) == {"plc_unreachable"}


def test_a_failed_challenge_names_its_pieces():
    failed = Challenge(3, passed=frozenset({9, 7}))
    assert active(replace(WELL, line=LineState(challenge=failed))) == {
        "challenge_failed": "passed: part 7, 9"
    }
    running = Challenge(3, rejected=frozenset({1}))
    assert active(replace(WELL, line=LineState(challenge=running))) == {}
