"""The board: what is listed, counted and refused."""

import threading
from dataclasses import replace

import pytest

from common.alarms import orders
from common.alarms.alarm import Why
from common.alarms.shelving import Shelving

WANTED = Shelving(100.0, "it flickers")


def test_a_delay_runs_out_with_the_tick(rig, define):
    made = rig(define("hot", on_delay_s=2.0))
    made.board.set("hot", True, "91 °C, limit 90 °C")
    assert made.board.summary() == []
    made.wait(2.0)
    (alarm,) = made.board.summary()
    assert (alarm.state.name, alarm.detail) == ("UNACK", "91 °C, limit 90 °C")
    assert (alarm.active_since, alarm.occurrence) == (made.clock.wall(), 1)
    assert made.keeper.told == [("hot", "NORM", "UNACK", "process")]


def test_a_brief_pulse_is_not_missed_between_ticks(rig, define):
    made = rig(define())
    made.board.set("plain", True)
    made.board.set("plain", False)
    assert made.states() == {"plain": "RTNUN"}


def test_who_acknowledged_is_kept_until_it_comes_again(rig, define, mia, ben):
    made = rig(define())
    made.board.set("plain", True)
    assert made.board.command("plain", orders.acknowledge(mia, "on my way")).changed
    refused = made.board.command("plain", orders.acknowledge(ben))
    assert (refused.why, refused.text) == (
        Why.NOTHING,
        "nothing to acknowledge: it is acknowledged by mia",
    )
    (alarm,) = made.board.summary()
    assert (alarm.ack_user, alarm.ack_comment) == ("mia", "on my way")
    assert alarm.ack_time == made.clock.wall()
    made.board.set("plain", False)
    assert made.alarm("plain").returned_at == made.clock.wall()
    made.board.set("plain", True)
    (alarm,) = made.board.summary()
    assert (alarm.ack_user, alarm.returned_at, alarm.occurrence) == ("", None, 2)
    assert made.keeper.told[1] == ("plain", "UNACK", "ACKED", "mia")


def test_the_summary_puts_what_needs_attention_first(rig, define, mia):
    made = rig(define("first", priority=1), define("plain"), define("later"))
    for alarm_id in ("first", "plain", "later"):
        made.board.set(alarm_id, True)
        made.wait(1.0)
    made.board.command("first", orders.acknowledge(mia))
    assert list(made.states()) == ["later", "plain", "first"]


def test_an_alarm_nobody_defined_is_an_error_of_the_process_and_an_answer_to_people(
    rig, define, mia
):
    made = rig(define())
    with pytest.raises(KeyError):
        made.board.set("gossip", True)
    outcome = made.board.command("gossip", orders.acknowledge(mia))
    assert (outcome.changed, outcome.why) == (False, Why.UNKNOWN)
    assert outcome.text == "there is no alarm gossip"


def test_an_alarm_no_longer_defined_stays_until_somebody_takes_note(rig, define, mia):
    made = rig(define("hot", off_delay_s=3.0))
    made.board.set("hot", True)
    made.definitions = {"plain": define()}
    made.restart()
    made.board.tick()
    assert made.states() == {"hot": "UNACK"}
    made.wait(3.0)
    assert made.states() == {"hot": "RTNUN"}
    assert made.board.command("hot", orders.acknowledge(mia)).changed
    assert made.states() == {}


# Two operators at once


def test_of_two_operators_none_acts_on_what_the_other_changed(rig, define, mia, ben):
    made = rig(define())
    made.board.set("plain", True)
    seen = made.alarm("plain").revision
    made.board.set("plain", False)
    made.board.set("plain", True)  # another occurrence, which ben has not seen
    refused = made.board.command("plain", orders.acknowledge(ben), seen)
    assert (refused.why, refused.text) == (
        Why.CHANGED,
        "it has changed since it was looked at, and is UNACK now",
    )
    seen = made.alarm("plain").revision
    assert made.board.command("plain", orders.acknowledge(mia), seen).changed
    assert made.board.command("plain", orders.shelve(ben, WANTED), seen).why is Why.CHANGED


def test_of_many_who_acknowledge_at_once_one_did_it(rig, define, mia):
    made = rig(define())
    made.board.set("plain", True)
    seen, outcomes = made.alarm("plain").revision, []

    def press():
        outcomes.append(made.board.command("plain", orders.acknowledge(mia), seen))

    people = [threading.Thread(target=press) for _ in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [outcome.changed for outcome in outcomes].count(True) == 1
    assert len(made.keeper.changes) == 2


def test_several_alarms_are_acknowledged_and_each_stands_alone(rig, define, mia):
    made = rig(define("one"), define("two"), define("three"))
    made.board.set("one", True)
    made.board.set("two", True)
    seen = {"one": 1, "two": 7, "three": None, "gossip": None}
    outcomes = made.board.command_all(seen, orders.acknowledge(mia))
    assert {name: outcome.why for name, outcome in outcomes.items()} == {
        "one": None,
        "two": Why.CHANGED,
        "three": Why.NOTHING,
        "gossip": Why.UNKNOWN,
    }


# Priority


def test_a_priority_rise_sounds_again_and_holds_for_the_occurrence(rig, define, mia):
    made = rig(define(priority=3))
    made.board.set("plain", True)
    made.board.command("plain", orders.acknowledge(mia))
    made.board.set("plain", True, priority=1)
    assert made.states() == {"plain": "UNACK"}
    assert made.alarm("plain").priority == 1
    made.board.command("plain", orders.acknowledge(mia))
    for said in (2, 3, 1, None):
        made.board.set("plain", True, priority=said)
    assert made.states() == {"plain": "ACKED"}, "it rises, or it says nothing new"
    assert made.alarm("plain").priority == 1
    made.board.set("plain", False)
    made.board.set("plain", True)
    assert made.alarm("plain").priority == 3


def test_a_rise_before_it_was_acknowledged_is_kept_though_no_state_changes(rig, define):
    made = rig(define(priority=3))
    made.board.set("plain", True)
    made.board.set("plain", True, priority=2)
    made.restart()
    assert made.alarm("plain").priority == 2


def test_no_priority_makes_an_alarm_less_urgent_than_its_definition(rig, define):
    made = rig(define(priority=2))
    made.board.set("plain", True, priority=4)
    assert made.alarm("plain").priority == 2
    with pytest.raises(ValueError, match="priority = 0 must be 1 to 4"):
        made.board.set("plain", True, priority=0)


# Hidden alarms are listed


def test_hidden_alarms_have_a_list_of_their_own(rig, define, mia, ben):
    made = rig(define("one"), define("two"), define("three"), define("four"))
    made.board.command("one", orders.shelve(mia, WANTED))
    made.wait(1.0)
    made.board.command("two", orders.suppress("the machine is off"))
    made.wait(1.0)
    made.board.command("three", orders.remove_from_service(ben, "sensor is changed", "P-17"))
    made.board.set("one", True)
    assert made.board.summary() == []
    found = made.board.hidden()
    assert [alarm.definition.id for alarm in found] == ["three", "two", "one"]
    why = [(h.by, h.reason, h.permit) for alarm in found for h in alarm.state.hidden]
    assert why == [
        ("ben", "sensor is changed", "P-17"),
        ("logic", "the machine is off", ""),
        ("mia", "it flickers", ""),
    ]
    (shelved,) = found[2].state.hidden
    assert shelved.until == shelved.since + 100.0


def test_why_an_alarm_is_not_hidden(rig, define, mia, ben):
    made = rig(define(shelve_max_s=60.0), define("never", shelve_max_s=0.0))

    def answer(alarm_id, order):
        outcome = made.board.command(alarm_id, order)
        return outcome.why, outcome.text

    assert answer("plain", orders.shelve(mia, Shelving(60.0, " "))) == (
        Why.NO_REASON,
        "shelving takes a reason",
    )
    assert answer("plain", orders.shelve(mia, WANTED)) == (
        Why.NOT_PERMITTED,
        "it may be shelved for at most 60 s; 100 s were asked for",
    )
    assert answer("never", orders.shelve(mia, Shelving(1.0, "flickers"))) == (
        Why.NOT_PERMITTED,
        "this alarm must not be shelved",
    )
    assert answer("plain", orders.suppress("")) == (
        Why.NO_REASON,
        "suppressing takes a reason",
    )
    assert answer("plain", orders.remove_from_service(ben, "", "P-17"))[0] is Why.NO_REASON
    assert answer("plain", orders.remove_from_service(ben, "repair", " ")) == (
        Why.NOT_PERMITTED,
        "removing from service takes a work permit",
    )
    for order in (orders.unshelve(mia), orders.unsuppress(), orders.return_to_service(ben)):
        assert answer("plain", order)[0] is Why.NOTHING
    assert made.keeper.changes == []
    assert made.board.command("plain", orders.shelve(mia, Shelving(60.0, "flickers"))).changed
    assert answer("plain", orders.shelve(ben, Shelving(60.0, "flickers"))) == (
        Why.NOTHING,
        "it is shelved already, by mia",
    )


@pytest.mark.parametrize(
    ("latched", "done", "why", "text"),
    [
        (True, ["set"], Why.NOT_YET, "acknowledge it first, and its cause must be gone"),
        (True, ["set", "ack"], Why.NOT_YET, "its cause is not gone"),
        (True, ["set", "gone"], Why.NOT_YET, "acknowledge it first, and its cause must be"),
        (True, [], Why.NOTHING, "nothing to reset: it is back to normal"),
        (False, ["set"], Why.NOTHING, "nothing to reset: it is not acknowledged"),
    ],
)
def test_why_an_alarm_is_not_reset(rig, define, mia, latched, done, why, text):
    made = rig(define(latched=latched))
    for what in done:
        if what == "ack":
            made.board.command("plain", orders.acknowledge(mia))
        else:
            made.board.set("plain", what == "set")
    outcome = made.board.command("plain", orders.reset(mia))
    assert outcome.why is why
    assert outcome.text.startswith(text)


# First-out, flood, chattering, stale


def test_the_first_alarm_of_a_group_is_marked_on_all_that_follow(rig, define):
    group = {"first_out_group": "rejector", "first_out_s": 10.0}
    made = rig(define("air", **group), define("gate", **group), define("alone"))
    made.board.set("air", True)
    made.wait(5.0)
    made.board.set("gate", True)
    made.board.set("alone", True)
    assert [made.alarm(i).first_out for i in ("air", "gate", "alone")] == ["air", "air", ""]
    made.board.set("gate", False)
    made.wait(10.0)
    made.board.set("gate", True)
    assert made.alarm("gate").first_out == "gate", "after the window it is a first again"
    assert made.alarm("air").first_out == "air"


def test_a_first_that_is_over_and_acknowledged_is_first_no_more(rig, define, mia):
    group = {"first_out_group": "rejector", "first_out_s": 10.0}
    made = rig(define("air", **group), define("gate", **group), define("belt", **group))
    made.board.set("air", True)
    made.board.set("air", False)
    made.board.set("gate", True)
    assert made.alarm("gate").first_out == "air", "it still waits for a person"
    made.board.command("air", orders.acknowledge(mia))
    made.board.set("belt", True)
    assert made.alarm("belt").first_out == "belt"


def test_a_re_alarm_does_not_make_an_alarm_the_first(rig, define, mia):
    group = {"first_out_group": "rejector", "first_out_s": 10.0, "re_alarm_s": 60.0}
    made = rig(define("air", **group), define("gate", **group))
    made.board.set("air", True)
    made.board.set("gate", True)
    made.board.command("gate", orders.acknowledge(mia))
    made.wait(60.0)
    assert made.states()["gate"] == "UNACK"
    assert made.alarm("gate").first_out == "air"


def test_a_flood_is_shown_and_ends(rig, define):
    made = rig(*(define(f"alarm-{number}") for number in range(12)))
    for number in range(12):
        made.board.set(f"alarm-{number}", True)
        made.wait(1.0)
    burden = made.board.burden()
    assert burden.flood_since == made.clock.wall() - 3.0
    assert burden.flood_count == 12
    made.wait(594.0)
    assert made.board.burden().flood_since is not None
    made.wait(1.0)
    assert made.board.burden().flood_since is None


def test_what_is_hidden_burdens_nobody(rig, define):
    made = rig(*(define(f"alarm-{number}") for number in range(12)))
    for number in range(12):
        made.board.command(f"alarm-{number}", orders.suppress("the machine is off"))
        for active in (True, False, True, False, True):
            made.board.set(f"alarm-{number}", active)
    made.wait(90_000.0)
    burden = made.board.burden()
    assert (burden.flood_count, burden.chattering, burden.stale) == (0, (), ())


def test_a_chattering_alarm_is_named_for_a_minute(rig, define):
    made = rig(define())
    for _ in range(3):
        made.board.set("plain", True)
        made.board.set("plain", False)
        made.wait(10.0)
    assert made.board.burden().chattering == ("plain",)
    made.wait(30.0)
    assert made.board.burden().chattering == ()


def test_a_stale_alarm_is_named_also_after_a_restart(rig, define, mia):
    made = rig(define())
    made.board.set("plain", True)
    made.board.command("plain", orders.acknowledge(mia))
    made.restart(80_000.0)
    made.board.tick()
    assert made.board.burden().stale == ()
    made.wait(7000.0)
    assert made.board.burden().stale == ("plain",)


def test_the_re_alarm_timer_goes_on_over_a_restart(rig, define, mia):
    made = rig(define(re_alarm_s=100.0))
    made.board.set("plain", True)
    made.board.command("plain", orders.acknowledge(mia))
    made.restart(60.0)
    made.wait(39.0)
    assert made.states() == {"plain": "ACKED"}
    made.wait(1.0)
    assert made.states() == {"plain": "UNACK"}


def test_a_clock_that_went_back_makes_an_acknowledged_alarm_sound_rather_than_sleep(
    rig, define, mia
):
    made = rig(define(re_alarm_s=100.0))
    made.board.set("plain", True)
    made.board.command("plain", orders.acknowledge(mia))
    made.restart(60.0, clock_set_s=-1000.0)
    assert made.states() == {"plain": "ACKED"}
    made.board.tick()
    assert made.states() == {"plain": "UNACK"}


def test_what_a_restart_finds_is_what_was(rig, define, mia, ben):
    made = rig(*(define(name, latched=name == "held") for name in ("a", "held", "g", "h", "i")))
    made.board.set("a", True, "seen", priority=1)
    made.board.command("a", orders.acknowledge(mia, "on my way"))
    made.board.set("held", True)
    made.board.set("held", False)
    made.board.command("g", orders.shelve(mia, WANTED))
    made.board.command("h", orders.suppress("the machine is off"))
    made.board.command("g", orders.suppress("the machine is off"))
    made.board.command("i", orders.remove_from_service(ben, "new sensor", "P-17"))
    before = [replace(made.alarm(name), state=None) for name in made.definitions]
    states = [made.alarm(name).state.hidden for name in made.definitions]
    made.restart(reboot=False)
    assert [replace(made.alarm(name), state=None) for name in made.definitions] == before
    assert [made.alarm(name).state.hidden for name in made.definitions] == states


def test_a_thousand_alarms_in_ten_seconds_are_all_there(rig, define, mia):
    names = [f"alarm-{number}" for number in range(1000)]
    made = rig(*(define(name) for name in names))
    for name in names:
        made.board.set(name, True)
        made.clock.sleep(0.01)
    assert set(made.states()) == set(names)
    assert [alarm for alarm, *_ in made.keeper.told] == names
    outcomes = made.board.command_all(dict.fromkeys(names), orders.acknowledge(mia))
    assert all(outcome.changed for outcome in outcomes.values())
    assert made.board.burden().flood_count == 1000
