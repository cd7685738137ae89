"""Work orders: one open for a machine and family, whatever comes; and what a CMMS reads."""

import json
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.predictive_maintenance.config import Machine, OrderRules
from apps.predictive_maintenance.domain import Outlook, Verdict
from apps.predictive_maintenance.latches import Latch
from apps.predictive_maintenance.order_document import SHORT, document, kept, restored
from apps.predictive_maintenance.orders import (
    DAY_S,
    OVERHEATING,
    VIBRATION,
    Orders,
    repaired,
)
from apps.predictive_maintenance.remembered import Memory
from common.errors import ConfigError
from tests.apps.predictive_maintenance.maintenance_rig import decision, evidence

RULES = Orders(OrderRules(), {"m0": 1, "m1": 3})
NOW = 1_767_225_600.0
WATCH = evidence("bearing", Verdict.WATCH, 9.0, 6.0, "dB")
PLAN = evidence("velocity", Verdict.PLAN)
STOP = evidence("velocity", Verdict.STOP, 8.0, 4.5)
HOT = evidence("temperature", Verdict.PLAN, 96.0, 95.0, "°C")


def opened(*found, asset="m0"):
    return RULES.after(None, decision(asset, *found), VIBRATION, NOW)


def test_watch_opens_nothing_and_plan_does():
    assert opened(WATCH) is None
    assert opened() is None
    order = opened(WATCH, PLAN)
    assert (order.key, order.revision, order.verdict) == ("m0/VIB/1", 1, Verdict.PLAN)
    assert [entry.kind for entry in order.evidence] == ["bearing", "velocity"]
    assert order.component == "bearing"
    assert opened(PLAN).component == "rotor and mounting"


def test_priority_follows_verdict_and_criticality():
    assert opened(PLAN).priority == 2
    assert opened(PLAN, asset="m1").priority == 3
    assert opened(STOP, asset="m1").priority == 1
    assert opened(STOP).due == NOW + DAY_S


def test_the_outlook_brings_the_date_forward():
    soon = Outlook("velocity", 4.5, 60.0, 48.0, float("inf"))
    order = RULES.after(None, decision("m0", PLAN, outlook=soon), VIBRATION, NOW)
    assert order.due == NOW + 48 * 3600


def test_a_repair_takes_back_what_spoke_for_its_own_kind_of_failure_alone():
    latches = {"velocity/stop": Latch(3, 0, True), "temperature/plan": Latch(3, 0, True)}
    before = Memory(Verdict.STOP, latches, (STOP, HOT), 1.8, unacknowledged=True)
    hot = RULES.after(None, decision("m0", HOT), OVERHEATING, NOW)
    cooled = repaired(before, hot)
    assert (cooled.verdict, cooled.evidence) == (Verdict.STOP, (STOP,))
    assert (set(cooled.latches), cooled.unacknowledged) == ({"velocity/stop"}, True)
    assert repaired(replace(before, evidence=(HOT,)), hot).verdict is Verdict.STOP
    balanced = repaired(before, opened(STOP))
    assert (balanced.verdict, balanced.evidence) == (Verdict.PLAN, (HOT,))
    assert (set(balanced.latches), balanced.unacknowledged) == ({"temperature/plan"}, False)
    assert repaired(cooled, opened(STOP)) == Memory()


def test_the_same_again_changes_nothing_and_news_is_added():
    first = opened(PLAN)
    same = RULES.after(first, decision("m0", PLAN), VIBRATION, NOW + 60)
    assert same is first
    little = evidence("velocity", Verdict.PLAN, 3.3)
    assert RULES.after(first, decision("m0", little), VIBRATION, NOW + 60) is first
    more = RULES.after(first, decision("m0", PLAN, WATCH), VIBRATION, NOW + 60)
    assert (more.revision, len(more.evidence), more.number) == (2, 2, 1)
    worse = RULES.after(more, decision("m0", STOP, WATCH), VIBRATION, NOW + 120)
    assert (worse.verdict, worse.priority, worse.revision) == (Verdict.STOP, 1, 3)
    grown = evidence("velocity", Verdict.STOP, 13.0, 4.5)
    assert RULES.after(worse, decision("m0", grown), VIBRATION, NOW + 180).revision == 4


def test_the_evidence_going_away_closes_nothing():
    first = opened(PLAN)
    assert RULES.after(first, decision("m0"), VIBRATION, NOW + 60) is first


def test_what_was_not_judged_is_no_news():
    first = opened(PLAN)
    blind = decision("m0", STOP, judged=False)
    assert RULES.after(first, blind, VIBRATION, NOW) is first
    assert RULES.after(None, blind, VIBRATION, NOW) is None


def test_heat_is_an_order_of_its_own():
    both = decision("m0", PLAN, HOT)
    assert RULES.after(None, both, VIBRATION, NOW).key == "m0/VIB/1"
    assert RULES.after(None, both, OVERHEATING, NOW).key == "m0/OHE/1"


def test_after_closing_the_next_fault_is_the_next_number():
    closed = RULES.closed(opened(PLAN), "anna", "bearing replaced", NOW + 100)
    assert (closed.is_open, closed.revision, closed.closed_by) == (False, 2, "anna")
    assert RULES.after(closed, decision("m0"), VIBRATION, NOW + 200) is closed
    again = RULES.after(closed, decision("m0", PLAN), VIBRATION, NOW + 200)
    assert (again.key, again.revision) == ("m0/VIB/2", 1)


class OrderMachine(RuleBasedStateMachine):
    """Whatever is decided and closed, in whatever order."""

    @initialize(most=st.integers(5, 12))
    def begin(self, most):
        self.rules = Orders(OrderRules(most_evidence=most), {"m0": 2})
        self.most, self.now, self.order, self.before = most, NOW, None, []

    @rule(
        values=st.lists(
            st.tuples(
                st.sampled_from(["velocity", "acceleration", "bearing", "agreement"]),
                st.sampled_from([Verdict.WATCH, Verdict.PLAN, Verdict.STOP]),
                st.floats(0.1, 1e6),
            ),
            max_size=4,
        ),
        judged=st.booleans(),
    )
    def decide(self, values, judged):
        self.now += 60
        found = [evidence(*value) for value in values]
        made = decision("m0", *found, judged=judged)
        after = self.rules.after(self.order, made, VIBRATION, self.now)
        worst = max((v[1].rank for v in values), default=0)
        if judged and worst >= Verdict.PLAN.rank:
            assert after is not None
            assert after.is_open
        self.step(after)

    @rule()
    def close(self):
        if self.order is not None and self.order.is_open:
            self.now += 60
            self.step(self.rules.closed(self.order, "anna", "done", self.now))

    @rule()
    def restart(self):
        if self.order is not None:
            self.order = restored(json.loads(json.dumps(kept(self.order))))

    def step(self, after):
        last, self.order = self.order, after
        if last is None or after is None:
            assert after is None or (after.number, after.revision) == (1, 1)
            return
        if after.number == last.number:
            assert after.revision in (last.revision, last.revision + 1)
            assert after.priority <= last.priority
            assert after.due <= last.due
            assert after.verdict.rank >= last.verdict.rank
            assert after.opened == last.opened
            assert last.is_open or not after.is_open
            assert after.evidence[:1] == last.evidence[:1]
        else:
            assert not last.is_open
            assert (after.number, after.revision) == (last.number + 1, 1)

    @invariant()
    def is_bounded(self):
        order = getattr(self, "order", None)
        assert order is None or len(order.evidence) <= self.most


TestOrderMachine = OrderMachine.TestCase


def test_an_order_reads_as_a_cmms_wants_it():
    order = replace(opened(WATCH, PLAN), zone="C", outlook=Outlook("velocity", 4.5, 60, 48, 90))
    told = document(order, Machine(name="Exhaust fan 3"), "plant")
    assert told["external_ref"] == "plant/m0/VIB/1"
    assert (told["notification_type"], told["priority"], told["status"]) == ("M1", 2, "OPEN")
    assert (told["failure_mode"], told["component"]) == ("VIB", "bearing")
    assert told["equipment"] == "Exhaust fan 3"
    assert told["detection_method"] == "condition monitoring"
    assert told["severity_zone"] == "ISO 20816-3:2022 zone C"
    assert told["rul"] == {
        "p05": 48, "p50": 60, "p95": 90, "unit": "h",
        "method": "trend of velocity to 4.5 (Theil and Sen)",
    }  # fmt: skip
    assert told["confidence"] == "2 signs that agree"
    assert told["evidence"][1]["sentence"] == "velocity 3 mm/s, limit 2"
    assert told["long_text"].startswith("2026-01-01T00:00:00.000Z bearing 9 dB")
    assert len(told["short_text"]) <= SHORT
    json.dumps(told, allow_nan=False)


def test_a_stop_is_a_malfunction_and_an_end_that_never_comes_is_null():
    endless = Outlook("velocity", 4.5, 60, 48, float("inf"))
    order = replace(opened(STOP), outlook=endless)
    told = document(order, Machine(), "plant")
    assert (told["notification_type"], told["rul"]["p95"]) == ("M2", None)
    assert restored(json.loads(json.dumps(kept(order), allow_nan=False))) == order


@pytest.mark.parametrize("body", [{}, {"verdict": "great"}, {"verdict": "plan"}])
def test_a_stored_order_that_is_none_is_one_line(body):
    with pytest.raises(ConfigError, match="stored work order"):
        restored(body)
