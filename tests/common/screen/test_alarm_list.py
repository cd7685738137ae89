"""The alarm list: nothing is lost, nothing moves under a finger, loud is loud."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.alarms.engine import HIDDEN as HIDDEN_STATES
from common.alarms.engine import State
from common.screen.alarm_actions import facts_html
from common.screen.alarm_list import (
    Layout,
    action,
    alarm_html,
    clock_text,
    headline,
    headline_html,
)
from common.screen.alarms import (
    HIDDEN,
    WAITING,
    WORDS,
    alarms_of,
    hidden_of,
    ordered,
    sounding,
    worst,
)
from common.screen.document import Document


def found(*alarms: dict[str, Any]) -> Document:
    return Document({"alarms": list(alarms)})


def one(
    alarm_id: str, priority: int, state: str = "UNACK", since: float = 1e9
) -> dict[str, Any]:
    return {
        "id": alarm_id,
        "priority": priority,
        "state": state,
        "text": f"text of {alarm_id}",
        "detail": "detail",
        "consequence": "consequence",
        "response": "response",
        "since": since,
    }


SHOWN = [state for state in WORDS if state not in HIDDEN]
ALARMS = st.lists(
    st.builds(one, st.text(min_size=1), st.integers(1, 4), st.sampled_from(SHOWN)),
    unique_by=lambda alarm: str(alarm["id"]),
)


@given(ALARMS)
def test_all_are_shown_and_the_highest_priority_is_first(alarms: list[dict[str, Any]]) -> None:
    shown = alarms_of(found(*alarms))
    assert {alarm.id for alarm in shown} == {alarm["id"] for alarm in alarms}
    assert [alarm.priority for alarm in shown] == sorted(alarm.priority for alarm in shown)
    assert worst(shown) == min((alarm["priority"] for alarm in alarms), default=None)


@given(ALARMS, st.data())
def test_acknowledging_moves_no_row(alarms: list[dict[str, Any]], data: st.DataObject) -> None:
    before = [alarm.id for alarm in alarms_of(found(*alarms))]
    changed = [a | {"state": data.draw(st.sampled_from(SHOWN))} for a in alarms]
    assert [alarm.id for alarm in alarms_of(found(*changed))] == before


def test_the_time_of_an_acknowledgement_moves_no_row() -> None:
    """A station's `since` is that of the state: who acknowledges the first changes it."""
    came = {"active_since": 1e9}
    first = one("a", 1, "ACKED", since=1e9 + 60.0) | came
    shown = alarms_of(found(first, one("b", 1, since=1e9 + 1.0)))
    assert [alarm.id for alarm in shown] == ["a", "b"]
    assert shown[0].since == 1e9 + 60.0


def test_older_comes_before_newer_of_one_priority() -> None:
    shown = alarms_of(found(one("b", 2, since=20.0), one("a", 2, since=10.0)))
    assert [alarm.id for alarm in shown] == ["a", "b"]


def test_how_long_a_response_may_take_bears_its_unit() -> None:
    """ "within 15:00" is a time of day to who reads it at a quarter to three."""
    (alarm,) = alarms_of(found(one("a", 1) | {"time_to_respond_s": 900.0}))
    assert "within 15\u202fmin)" in alarm_html(alarm)
    assert "15\u202fmin" in facts_html(alarm)


def test_what_one_alarm_asks_goes_before_what_its_kind_asks() -> None:
    words = one("a", 1) | {"time_to_respond_s": 900.0, "about": {"within_s": 60.0}}
    (alarm,) = alarms_of(found(words))
    assert alarm.respond_s == 60.0


def test_an_unreadable_priority_is_rather_too_loud() -> None:
    (alarm,) = alarms_of(found({"id": "x", "priority": "?", "state": "UNACK"}))
    assert (alarm.priority, alarm.text) == (1, "x")


def test_an_id_that_comes_twice_is_one_alarm() -> None:
    assert len(alarms_of(found(one("a", 1), one("a", 1)))) == 1


@pytest.mark.parametrize(
    ("priority", "state", "heard"),
    [
        (1, "UNACK", 1),
        (2, "LATCHED_UNACK", 2),
        (2, "ACKED", None),
        (1, "RTNUN", None),
        (3, "UNACK", None),
    ],
)
def test_what_is_heard(priority: int, state: str, heard: int | None) -> None:
    assert sounding(alarms_of(found(one("a", priority, state)))) == heard


def test_the_worst_of_some_alarms() -> None:
    shown = alarms_of(found(one("a", 1), one("b", 3)))
    assert (worst(shown), worst(shown, "b"), worst(shown, "c")) == (1, 3, None)


def test_the_headline_counts_what_waits() -> None:
    waiting, done = one("a", 1, "RTNUN"), one("b", 2, "ACKED")
    assert headline(alarms_of(found())) == "No alarms"
    assert headline(alarms_of(found(waiting, done))) == "1 to acknowledge"
    assert headline(alarms_of(found(done))) == "all acknowledged"
    shown = alarms_of(found(waiting, done))
    drawn = headline_html(shown, "01:15 old")
    assert drawn.count("×1") == 2
    assert drawn == headline_html(shown) + '<b class="ls-alarms-age">01:15 old</b>'


def test_every_state_of_the_engine_has_a_word() -> None:
    assert set(WORDS) == set(State)
    assert set(HIDDEN) == set(HIDDEN_STATES)


@pytest.mark.parametrize("state", SHOWN)
def test_a_row_says_what_to_do(state: str) -> None:
    (alarm,) = alarms_of(found(one("a", 2, state)))
    drawn = alarm_html(alarm)
    assert all(part in drawn for part in ("text of a", "detail", "response", WORDS[state]))
    assert ("consequence" in drawn) is (state in WAITING)
    assert ("ls-flash" in drawn) is (state in ("UNACK", "LATCHED_UNACK"))


def test_a_stale_row_is_hatched() -> None:
    (alarm,) = alarms_of(found(one("a", 2)))
    assert "ls-stale" in alarm_html(alarm, stale=True)
    assert "ls-stale" not in alarm_html(alarm)


def test_texts_from_outside_stay_texts() -> None:
    (alarm,) = alarms_of(found(one("a", 1) | {"text": "<script>x</script>"}))
    assert "<script>" not in alarm_html(alarm)


@pytest.mark.parametrize("wall", [None, -1.0, 1e18])
def test_no_time_is_no_time(wall: float | None) -> None:
    assert clock_text(wall) == "–"


def test_times_of_other_days_have_their_date() -> None:
    assert len(clock_text(time.time())) == len("12:34:56")
    assert len(clock_text(time.time() - 3 * 86_400)) == len("2026-01-01 12:34:56")


def grouped(alarm_id: str, priority: int, first: str, since: float) -> dict[str, Any]:
    return one(alarm_id, priority, since=since) | {"first_out": first}


def test_what_came_first_stands_above_what_followed_even_if_that_is_more_urgent() -> None:
    alarms = (
        grouped("consequence", 1, "cause", 20.0),
        grouped("cause", 3, "cause", 10.0),
        one("other", 1, since=5.0),
    )
    shown = alarms_of(found(*alarms))
    assert [alarm.id for alarm in shown] == ["cause", "other", "consequence"]
    assert "came first" in alarm_html(shown[0])
    assert "followed: text of cause" in alarm_html(shown[2])


def test_a_flood_of_a_thousand_keeps_all_and_has_its_first_out_on_top() -> None:
    flood = [grouped(f"a{n:04}", 1 + n % 4, "a0003", float(n)) for n in range(1000)]
    shown = alarms_of(found(*flood))
    assert len(shown) == 1000
    assert shown[0].id == "a0003"


def hiding(how: str, **changes: Any) -> dict[str, Any]:
    hidden = {"how": how, "by": "anna", "reason": "why", "since": 1.0, "until": 2.0}
    return one("h", 2, how) | {"hidden": [hidden]} | changes


def test_hidden_alarms_are_a_list_of_their_own() -> None:
    document = Document({"alarms": [one("a", 1)], "hidden_alarms": [hiding("SHELVED")]})
    assert [alarm.id for alarm in alarms_of(document)] == ["a"]
    (alarm,) = hidden_of(document)
    assert (alarm.hidings[0].by, alarm.hidings[0].reason) == ("anna", "why")
    assert not alarm.sounds


def test_an_alarm_says_of_which_station_it_is() -> None:
    word = Document({"station": "press-1", "alarms": [one("a", 1)]})
    (alarm,) = alarms_of(word)
    assert alarm.key == ("press-1", "a")
    assert "press-1: text of a" in alarm_html(alarm, layout=Layout("x", 1, stations=True))


def test_alarms_of_several_stations_keep_one_order() -> None:
    words = [Document({"station": n, "alarms": [one("a", p)]}) for n, p in (("b", 1), ("a", 2))]
    shown = ordered(alarm for word in words for alarm in alarms_of(word))
    assert [alarm.station for alarm in shown] == ["b", "a"]


@pytest.mark.parametrize(
    ("state", "command"),
    [("UNACK", "acknowledge"), ("RTNUN", "acknowledge"), ("LATCHED_UNACK", "acknowledge"),
     ("LATCHED_ACK", "reset_alarm"), ("ACKED", "")],
)  # fmt: skip
def test_the_button_is_what_comes_next(state: str, command: str) -> None:
    (alarm,) = alarms_of(found(one("a", 1, state)))
    assert action(alarm)[0] == command
