"""Who is told when: by example, and against a simple model at random."""

import json
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from common.alarms import orders
from common.alarms.alarm import Alarm
from common.alarms.definition import AlarmDefinition
from common.alarms.engine import AlarmState, Hiding, State
from common.alarms.escalation import Escalation, decide, recalled, remembered
from common.alarms.notification import NotificationSettings, Recipient, Step
from common.alarms.shelving import Moment, Shelving
from common.users import User
from tests.common.alarms.rig import Rig

SHIFT, HEAD = Recipient("email", "shift@x.example"), Recipient("email", "head@x.example")
CALL = Recipient("webhook", "head")
GROUPS = {"operator": (SHIFT.to,), "head": (HEAD.to,)}
FIRST = Step(300.0, ("role",), ("email",))
SECOND = Step(900.0, ("head",), ("email", "webhook"), priority_from=2)


def settings(*steps, **changes):
    facts = {"gather_s": 0.0, "gather_most_s": 0.0, "gap_s": 0.0, **changes}
    return NotificationSettings(steps=steps or (FIRST, SECOND), groups=GROUPS, **facts)


class Watch:
    """A board with its escalation, second by second; `said` is (time, recipient, alarms)."""

    def __init__(self, rules, *definitions):
        self.rig, self.rules = Rig(*definitions), rules
        self.escalation, self.busy, self.said = Escalation(), set(), []
        self.start = self.rig.clock.monotonic()

    @property
    def now(self):
        clock = self.rig.clock
        return Moment(clock.wall(), clock.monotonic(), self.rig.keeper.boot)

    def look(self):
        decision = decide(
            self.rules, self.escalation, self.rig.board.summary(), self.busy, self.now
        )
        self.escalation = decision.escalation
        for recipient, items in decision.notices:
            names = [due.alarm.definition.id for due in items]
            self.said.append((self.rig.clock.monotonic() - self.start, recipient, names))

    def wait(self, seconds, every=1.0):
        for _ in range(int(seconds / every)):
            self.rig.wait(every)
            self.look()

    def acknowledge(self, alarm_id, user):
        assert self.rig.board.command(alarm_id, orders.acknowledge(user)).changed
        self.look()


def test_each_step_tells_its_recipients_once(define):
    watch = Watch(settings(), define())
    watch.rig.board.set("plain", True)
    watch.wait(3600)
    assert watch.said == [
        (300.0, SHIFT, ["plain"]),
        (900.0, HEAD, ["plain"]),
        (900.0, CALL, ["plain"]),
    ]


def test_nobody_is_told_once_a_person_has_taken_note(define, mia):
    watch = Watch(settings(), define())
    watch.rig.board.set("plain", True)
    watch.wait(400)
    watch.acknowledge("plain", mia)
    watch.wait(3600)
    assert watch.said == [(300.0, SHIFT, ["plain"])]


def test_a_step_is_for_its_priorities_only(define):
    watch = Watch(settings(), define(priority=3))
    watch.rig.board.set("plain", True)
    watch.wait(1000)
    watch.rig.board.set("plain", True, priority=2)
    watch.look()
    told = [recipient for _, recipient, _ in watch.said]
    assert told == [SHIFT, HEAD, CALL], "risen: what is overdue for its priority goes at once"


def test_what_is_gone_by_itself_calls_nobody_but_chattering_does(define):
    watch = Watch(settings(), define())
    watch.rig.board.set("plain", True)
    watch.wait(200)
    watch.rig.board.set("plain", False)
    watch.wait(3600)
    assert watch.said == []
    watch.rig.board.set("plain", True)
    watch.look()
    assert [recipient for _, recipient, _ in watch.said] == [SHIFT, HEAD, CALL]


def test_a_latched_alarm_goes_on_although_its_cause_is_gone(define):
    watch = Watch(settings(FIRST), define(latched=True))
    watch.rig.board.set("plain", True)
    watch.wait(10)
    watch.rig.board.set("plain", False)
    watch.wait(600)
    assert watch.said == [(300.0, SHIFT, ["plain"])]


def test_shelving_ends_the_episode_and_what_comes_back_begins_anew(define, mia):
    watch = Watch(settings(FIRST), define())
    watch.rig.board.set("plain", True)
    watch.wait(299)
    order = orders.shelve(mia, Shelving(1000.0, "known"))
    assert watch.rig.board.command("plain", order).changed
    watch.wait(1299)
    assert watch.said == []
    watch.wait(10)
    assert watch.said == [(1599.0, SHIFT, ["plain"])]


def test_an_alarm_that_sounds_again_is_told_again(define, mia):
    watch = Watch(settings(FIRST), define(re_alarm_s=600.0))
    watch.rig.board.set("plain", True)
    watch.wait(310)
    watch.acknowledge("plain", mia)
    watch.wait(1000)
    assert [at for at, _, _ in watch.said] == [300.0, 310.0 + 600.0 + 300.0]


def test_a_step_may_repeat_until_somebody_takes_note(define, mia):
    rules = settings(replace(FIRST, repeat_s=600.0))
    watch = Watch(rules, define())
    watch.rig.board.set("plain", True)
    watch.wait(1600)
    watch.acknowledge("plain", mia)
    watch.wait(3600)
    assert [at for at, _, _ in watch.said] == [300.0, 900.0, 1500.0]


def test_whoever_is_in_two_groups_or_steps_is_told_once(define):
    twice = replace(FIRST, to=("role", "operator", SHIFT.to))
    watch = Watch(settings(twice, replace(twice, priority_from=2)), define())
    watch.rig.board.set("plain", True)
    watch.wait(600)
    assert watch.said == [(300.0, SHIFT, ["plain"])]


def test_steps_that_fall_due_together_are_one_word(define):
    both = settings(FIRST, Step(320.0, ("role",), ("email",)), gap_s=60.0)
    watch = Watch(both, define())
    watch.rig.board.set("plain", True)
    watch.busy = {SHIFT}
    watch.wait(400)
    watch.busy = set()
    watch.wait(400)
    assert watch.said == [(401.0, SHIFT, ["plain"])]


def test_a_flood_is_one_digest_with_its_first_alarm_on_top(define):
    plain = [define(f"a{n:04}", priority=1 + n % 4, first_out_group="bus") for n in range(1000)]
    rules = settings(FIRST, gather_s=5.0, gather_most_s=30.0, gap_s=60.0)
    watch = Watch(rules, *plain)
    for second in range(10):
        for n in range(second * 100, second * 100 + 100):
            watch.rig.board.set(f"a{n:04}", True)
        watch.wait(1)
    watch.wait(400)
    assert [(len(names), names[0]) for _, _, names in watch.said] == [(1000, "a0000")]


def test_what_is_due_soon_after_a_message_waits_for_the_gap(define):
    rules = settings(FIRST, gather_s=2.0, gather_most_s=10.0, gap_s=60.0)
    watch = Watch(rules, *(define(name) for name in "abc"))
    watch.rig.board.set("a", True)
    watch.wait(10)
    watch.rig.board.set("b", True)
    watch.wait(20)
    watch.rig.board.set("c", True)
    watch.wait(600)
    assert watch.said == [(302.0, SHIFT, ["a"]), (362.0, SHIFT, ["b", "c"])]


def test_while_a_message_has_not_left_there_is_no_other_to_that_recipient(define, mia):
    watch = Watch(settings(FIRST), *(define(name) for name in "ab"))
    watch.rig.board.set("a", True)
    watch.busy = {SHIFT}
    watch.wait(400)
    watch.rig.board.set("b", True)
    watch.wait(400)
    watch.acknowledge("a", mia)
    watch.busy = set()
    watch.look()
    assert watch.said == [(800.0, SHIFT, ["b"])], "only what is still true"


def test_what_asked_before_the_start_has_waited_for_as_long(define):
    watch = Watch(settings(FIRST), define())
    watch.rig.board.set("plain", True)
    watch.rig.wait(1000)
    watch.look()
    assert watch.said == [(1000.0, SHIFT, ["plain"])]


def test_after_a_boot_with_a_wrong_clock_timers_have_run_out(define):
    watch = Watch(settings(FIRST), define())
    watch.rig.board.set("plain", True)
    watch.wait(5)
    stored = remembered(watch.escalation, watch.now)
    watch.rig.restart(clock_set_s=-1e6)
    watch.escalation = recalled(stored, watch.now)
    watch.look()
    assert [recipient for _, recipient, _ in watch.said] == [SHIFT]


def test_hidden_alarms_are_not_told_of(define):
    hiding = Hiding(State.SUPPRESSED_BY_DESIGN, "logic", "off", 0.0)
    hidden = Alarm(define(), AlarmState(State.UNACK, (hiding,), active_at=0.0))
    decision = decide(settings(), Escalation(), [hidden], (), Moment(1e6, 1e6))
    assert decision.notices == ()
    assert decision.escalation.episodes == {}


# --------------------------------------------------------------------------- at random

NAMES = ("a", "b")
AFTER_S = {SHIFT: 300.0, HEAD: 900.0, CALL: 900.0}
WAITING = ("UNACK", "RTNUN")


class Escalating(RuleBasedStateMachine):
    """The model: in each episode every recipient once, at its time, while it sounds.

    A restart, of the station or of the whole machine, must make no difference.
    """

    @initialize(gap_s=st.sampled_from((0.0, 60.0)))
    def begin(self, gap_s):
        definitions = [
            AlarmDefinition(n, 2, "Hot", "Load.", "Burns.", "Stop.", 60.0) for n in NAMES
        ]
        self.watch, self.gap_s = Watch(settings(gap_s=gap_s), *definitions), gap_s
        self.time, self.begun, self.told, self.last = 0.0, {}, set(), {}

    @rule(name=st.sampled_from(NAMES), on=st.booleans())
    def process(self, name, on):
        self.watch.rig.board.set(name, on)

    @rule(name=st.sampled_from(NAMES))
    def acknowledge(self, name):
        self.watch.rig.board.command(name, orders.acknowledge(User("mia", "operator")))

    @rule(turns=st.integers(1, 20))
    def wait(self, turns):
        for _ in range(turns):
            self.watch.rig.wait(20.0)
            self.time += 20.0
            self.look()

    @rule(reboot=st.booleans())
    def restart(self, reboot):
        watch = self.watch
        stored = json.loads(json.dumps(remembered(watch.escalation, watch.now)))
        watch.rig.restart(reboot=reboot)
        watch.escalation = recalled(stored, watch.now)

    @invariant()
    def look(self):
        if not hasattr(self, "watch"):
            return
        states = self.watch.rig.states()
        for name in NAMES:
            if states.get(name) in WAITING:
                self.begun.setdefault(name, self.time)
            else:
                self.begun.pop(name, None)
                self.told -= {(name, recipient) for recipient in AFTER_S}
        self.watch.said.clear()
        self.watch.look()
        self.check_told()
        for name in self.begun:
            if states[name] == "UNACK":
                self.check_nothing_lost(name)

    def check_told(self):
        for _, recipient, names in self.watch.said:
            assert self.time - self.last.get(recipient, -1e9) >= self.gap_s, "no gap"
            self.last[recipient] = self.time
            for name in names:
                assert (name, recipient) not in self.told, "told twice"
                assert self.time - self.begun[name] >= AFTER_S[recipient], "told too early"
                self.told.add((name, recipient))

    def check_nothing_lost(self, name):
        for recipient, after_s in AFTER_S.items():
            due_at = max(
                self.begun[name] + after_s, self.last.get(recipient, -1e9) + self.gap_s
            )
            assert self.time < due_at or (name, recipient) in self.told, "a step was lost"


TestEscalating = Escalating.TestCase
