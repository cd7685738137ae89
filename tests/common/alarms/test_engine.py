"""Delays, timers and hidings of one alarm: DOMAIN H9, and properties."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.alarms.definition import AlarmDefinition
from common.alarms.engine import (
    ABNORMAL,
    HIDDEN,
    AlarmState,
    Hiding,
    State,
    acknowledge,
    hide,
    raised,
    reset,
    reveal,
    step,
)

TEXTS = "Motor is hot", "Too much load.", "The winding burns.", "Stop the motor."
DELAYED = AlarmDefinition("hot", 2, *TEXTS, 60.0, on_delay_s=2, off_delay_s=3)
PLAIN = replace(DELAYED, id="plain", on_delay_s=0.0, off_delay_s=0.0)
LATCHED = replace(PLAIN, id="latched", latched=True)


def shelved(deadline=None, one_shot=False):
    return Hiding(State.SHELVED, "mia", "flickers", 0.0, 0.0, deadline, one_shot)


def hidden_by(how):
    return Hiding(how, "mia", "because", 0.0)


# DOMAIN H9 (on 2 s, off 3 s)


def run(abnormal, until, ack_at=-1, definition=DELAYED):
    """States at 0, 1, 2 … s, with the process abnormal in these seconds."""
    state, seen = AlarmState(), []
    for second in range(until + 1):
        state = step(definition, state, second in abnormal, float(second))
        if second == ack_at:
            state = acknowledge(state, float(second))
        seen.append(state.name.value)
    return seen


def test_a_brief_excursion_is_no_alarm():
    assert set(run(range(2), 10)) == {"NORM"}


def test_acknowledged_then_normal():
    seen = run(range(5), 8, ack_at=4)
    assert seen == ["NORM"] * 2 + ["UNACK"] * 2 + ["ACKED"] * 4 + ["NORM"]


def test_normal_without_acknowledgement_waits_for_it():
    seen = run(range(5), 10, ack_at=10)
    assert seen == ["NORM"] * 2 + ["UNACK"] * 6 + ["RTNUN"] * 2 + ["NORM"]


def test_returned_and_abnormal_again_sounds_again():
    assert run(range(5), 8)[-1] == "RTNUN"
    assert run([*range(5), *range(9, 20)], 11)[-2:] == ["RTNUN", "UNACK"]


def test_a_brief_return_clears_nothing():
    abnormal = [0, 1, 2, 3, 6, 7, 8]  # normal for 2 s only
    assert run(abnormal, 8)[2:] == ["UNACK"] * 7


def test_shelved_while_acknowledged_and_abnormal_it_is_back_unacknowledged():
    state = hide(AlarmState(State.ACKED), shelved(deadline=60.0))
    assert step(PLAIN, state, True, 59.9).name is State.SHELVED
    assert step(PLAIN, state, True, 60.0).name is State.UNACK


# Latching


def test_a_latched_alarm_is_held_until_acknowledged_and_reset():
    state = step(LATCHED, AlarmState(), True, 0.0)
    state = step(LATCHED, state, False, 1.0)
    assert state.name is State.LATCHED_UNACK
    assert reset(state) is state, "nobody has taken note"
    state = acknowledge(state, 2.0)
    assert state.name is State.LATCHED_ACK
    assert reset(state).name is State.NORM
    acked = step(LATCHED, AlarmState(State.ACKED), False, 2.0)
    assert acked.name is State.LATCHED_ACK


def test_a_latched_alarm_is_not_reset_while_the_process_is_abnormal_again():
    slow = replace(LATCHED, on_delay_s=5.0)
    state = step(slow, AlarmState(State.LATCHED_ACK), True, 10.0)
    assert reset(state) is state
    assert step(slow, state, True, 15.0).name is State.UNACK


# Timers and priority


def test_an_acknowledged_alarm_that_lasts_sounds_again():
    nagging = replace(PLAIN, re_alarm_s=60.0)
    state = acknowledge(step(nagging, AlarmState(), True, 0.0), 5.0)
    assert step(nagging, state, True, 64.9).name is State.ACKED
    again = step(nagging, state, True, 65.0)
    assert again.name is State.UNACK
    assert again.active_at == 0.0, "it is the same occurrence"
    once_more = acknowledge(again, 70.0)
    assert step(nagging, once_more, True, 129.9).name is State.ACKED
    assert step(nagging, once_more, True, 130.0).name is State.UNACK


def test_an_alarm_about_to_return_does_not_sound_again():
    nagging = replace(PLAIN, re_alarm_s=60.0, off_delay_s=10.0)
    state = acknowledge(step(nagging, AlarmState(), True, 0.0), 0.0)
    state = step(nagging, state, False, 55.0)
    assert step(nagging, state, False, 60.0).name is State.ACKED
    assert step(nagging, state, False, 65.0).name is State.NORM


def test_without_a_re_alarm_time_it_stays_acknowledged():
    state = acknowledge(step(PLAIN, AlarmState(), True, 0.0), 0.0)
    assert step(PLAIN, state, True, 1e9).name is State.ACKED


@pytest.mark.parametrize("life", [s for s in State if s not in HIDDEN])
def test_a_priority_rise_is_heard_where_the_alarm_was_acknowledged(life):
    after = raised(AlarmState(life))
    assert after.name is (State.UNACK if life is State.ACKED else life)


# Hiding


def test_of_several_hidings_the_last_one_shows_and_none_is_forgotten():
    state = AlarmState(State.ACKED)
    for how in HIDDEN:
        state = hide(state, hidden_by(how))
        assert state.name is how
    for how in HIDDEN[::-1]:
        assert state.name is how
        state = reveal(state, how)
    assert state.name is State.UNACK


def test_a_second_hiding_of_a_kind_changes_nothing_so_no_shelving_is_extended():
    state = hide(AlarmState(), shelved(deadline=60.0))
    assert hide(state, shelved(deadline=999.0)) is state
    assert step(PLAIN, state, False, 60.0).name is State.NORM


def test_what_is_hidden_can_be_neither_acknowledged_nor_reset():
    for life in (State.UNACK, State.RTNUN, State.LATCHED_UNACK, State.LATCHED_ACK):
        state = AlarmState(life, (hidden_by(State.SUPPRESSED_BY_DESIGN),))
        assert acknowledge(state, 0.0) is state
        assert reset(state) is state


@pytest.mark.parametrize("how", HIDDEN)
def test_what_comes_and_goes_unseen_is_not_there_when_it_is_shown_again(how):
    state = hide(AlarmState(), hidden_by(how))
    state = step(PLAIN, step(PLAIN, state, True, 1.0), False, 2.0)
    assert reveal(state, how).name is State.NORM
    latched = hide(AlarmState(), hidden_by(how))
    latched = step(LATCHED, step(LATCHED, latched, True, 1.0), False, 2.0)
    assert reveal(latched, how).name is State.LATCHED_UNACK, "a latch is never forgotten"


@pytest.mark.parametrize(
    ("how", "after"),
    [
        (State.SHELVED, State.NORM),
        (State.OUT_OF_SERVICE, State.NORM),
        (State.SUPPRESSED_BY_DESIGN, State.RTNUN),
    ],
)
def test_a_person_who_hides_an_alarm_has_taken_note_logic_has_not(how, after):
    state = hide(AlarmState(State.UNACK), hidden_by(how))
    state = step(PLAIN, state, False, 1.0)
    assert reveal(state, how).name is after


def test_what_logic_hid_unacknowledged_stays_so_though_it_comes_and_goes_again():
    state = hide(AlarmState(State.RTNUN), hidden_by(State.SUPPRESSED_BY_DESIGN))
    state = step(PLAIN, step(PLAIN, state, True, 1.0), False, 2.0)
    assert reveal(state, State.SUPPRESSED_BY_DESIGN).name is State.RTNUN


def test_one_shot_shelving_ends_when_the_process_is_normal_again():
    state = hide(AlarmState(State.UNACK), shelved(deadline=60.0, one_shot=True))
    state = step(PLAIN, state, True, 1.0)
    assert state.name is State.SHELVED
    state = step(PLAIN, state, False, 2.0)
    assert (state.name, state.hidden) == (State.NORM, ())
    assert step(PLAIN, state, True, 3.0).name is State.UNACK


def test_one_shot_shelving_of_a_normal_alarm_hides_one_occurrence():
    state = hide(AlarmState(), shelved(deadline=60.0, one_shot=True))
    state = step(PLAIN, state, False, 1.0)
    assert state.name is State.SHELVED
    state = step(PLAIN, step(PLAIN, state, True, 2.0), False, 3.0)
    assert state.name is State.NORM


def test_one_shot_shelving_ends_by_its_time_too():
    state = hide(AlarmState(State.UNACK), shelved(deadline=60.0, one_shot=True))
    assert step(PLAIN, state, True, 60.0).name is State.UNACK


# Properties

SECONDS = st.sampled_from([0.0, 0.5, 1.0, 2.5, 4.0])
SEEN = st.lists(st.tuples(st.booleans(), SECONDS), max_size=40)
DEFINITIONS = st.builds(
    replace,
    st.just(DELAYED),
    on_delay_s=SECONDS,
    off_delay_s=SECONDS,
    latched=st.booleans(),
)


@settings(deadline=None)
@given(DEFINITIONS, SEEN)
def test_an_alarm_comes_and_goes_exactly_after_its_delay(definition, seen):
    """It changes when the process said otherwise on end for the delay, not before or later."""
    state, now, since, said = AlarmState(), 0.0, 0.0, False
    for active, seconds in seen:
        now += seconds
        since, said = (since, said) if active == said else (now, active)
        was = state.life in ABNORMAL
        state = step(definition, state, active, now)
        delay = definition.on_delay_s if active else definition.off_delay_s
        due = active != was and now - since >= delay
        assert (state.life in ABNORMAL) == (active if due else was)


@settings(deadline=None)
@given(DEFINITIONS, SEEN, st.sampled_from(HIDDEN))
def test_the_process_is_followed_the_same_whether_the_alarm_is_hidden_or_not(
    definition, seen, how
):
    plain, unseen, now = AlarmState(), hide(AlarmState(), hidden_by(how)), 0.0
    for active, seconds in seen:
        now += seconds
        plain, unseen = (step(definition, s, active, now) for s in (plain, unseen))
        assert unseen.name is how
        assert (plain.life in ABNORMAL) == (unseen.life in ABNORMAL)
        shown = reveal(unseen, how)
        assert (shown.name is State.UNACK) == (plain.life in ABNORMAL)


@settings(deadline=None)
@given(DEFINITIONS, SEEN)
def test_what_changes_nothing_gives_back_the_very_same_state(definition, seen):
    state, now = AlarmState(), 0.0
    for active, seconds in seen:
        now += seconds
        state = step(definition, state, active, now)
        assert step(definition, state, active, now) is state
