"""Acting: orders in the store and the outbox in one transaction, and a light beside it."""

import json
from contextlib import closing

import pytest

from apps.predictive_maintenance.act import Act
from apps.predictive_maintenance.config import OrderRules
from apps.predictive_maintenance.desk import EVENT, Desk
from apps.predictive_maintenance.domain import Verdict
from apps.predictive_maintenance.orders import Orders
from apps.predictive_maintenance.remembered import Memory
from common.pipeline import Fault
from common.ports import LightState
from common.storage.queries import latest, open_readonly
from tests.apps.predictive_maintenance.maintenance_rig import (
    MACHINES,
    FakeLight,
    decision,
    evidence,
    open_store,
    outbox_of,
)

PLAN = evidence("velocity", Verdict.PLAN)
STOP = evidence("velocity", Verdict.STOP, 8.0, 4.5)
DEAD = Fault("sense", "broker", "away")


@pytest.fixture
def store(tmp_path, clock):
    made = open_store(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def light():
    return FakeLight()


def a_desk(store, clock):
    orders = Orders(OrderRules(), {"m0": 1, "m1": 3})
    return Desk(orders, MACHINES, "plant", store, outbox_of(store, clock), ("mqtt", "webhook"))


@pytest.fixture
def desk(store, clock):
    return a_desk(store, clock)


def settled(desk, store):
    """Everything that was handed to the store is in it."""
    while desk.unstored:
        store.submit(lambda _: None).result()
        desk.flush()


def close(desk, store, key, reason):
    order = desk.closing(key, "anna", reason)
    store.submit(desk.writing(order)).result()
    desk.closed(order, kept=True)
    return order


def sent(store):
    """Work orders in the outbox: (sink, external_ref, revision)."""
    with closing(open_readonly(store.path)) as connection:
        rows = connection.execute("SELECT sink, payload FROM outbox ORDER BY seq").fetchall()
    events = [(sink, json.loads(payload)) for sink, payload in rows]
    return [
        (sink, event["data"]["external_ref"], event["data"]["revision"])
        for sink, event in events
        if event["type"] == EVENT
    ]


def test_an_order_goes_to_both_ways_out_with_its_record(desk, store):
    desk.take(decision("m0", PLAN))
    desk.take(decision("m0", PLAN))
    settled(desk, store)
    assert sent(store) == [("mqtt", "plant/m0/VIB/1", 1), ("webhook", "plant/m0/VIB/1", 1)]
    with closing(open_readonly(store.path)) as connection:
        (record,) = latest(connection, "order")
    assert record.subject == "m0/VIB/1"
    assert record.body["priority"] == 2


def test_after_a_restart_the_open_order_is_still_open(desk, store, clock):
    desk.take(decision("m0", PLAN))
    settled(desk, store)
    again = a_desk(store, clock)
    again.take(decision("m0", PLAN))
    again.take(decision("m0", STOP))
    settled(again, store)
    assert {ref for _, ref, _ in sent(store)} == {"plant/m0/VIB/1"}
    assert [order.revision for order in again.open_orders()] == [2]


def test_a_closed_order_is_told_and_the_next_one_has_the_next_number(desk, store, clock):
    desk.take(decision("m0", PLAN))
    closed = close(desk, store, "m0/VIB/1", "bearing replaced")
    desk.take(decision("m0", PLAN))  # before the store has any of it
    settled(desk, store)
    assert closed.closed_reason == "bearing replaced"
    told = [(ref, revision) for sink, ref, revision in sent(store) if sink == "mqtt"]
    assert told[-1] == ("plant/m0/VIB/2", 1)
    assert ("plant/m0/VIB/1", 2) in told
    assert [order.key for order in a_desk(store, clock).open_orders()] == ["m0/VIB/2"]


def test_only_an_open_order_can_be_closed(desk):
    with pytest.raises(ValueError, match="no open order m0/VIB/1"):
        desk.closing("m0/VIB/1", "anna", "why not")


def test_what_is_found_while_an_order_is_being_closed_does_not_open_it_again(
    desk, store, clock
):
    desk.take(decision("m0", PLAN))
    order = desk.closing("m0/VIB/1", "anna", "bearing replaced")
    with pytest.raises(ValueError, match="no open order"):
        desk.closing("m0/VIB/1", "ben", "me too")
    desk.take(decision("m0", STOP))
    store.submit(desk.writing(order)).result()
    desk.closed(order, kept=True)
    settled(desk, store)
    assert a_desk(store, clock).open_orders() == []
    desk.take(decision("m0", STOP))
    assert [order.key for order in desk.open_orders()] == ["m0/VIB/2"]


def test_an_order_that_was_refused_before_its_closing_does_not_open_it_again(
    desk, store, clock, monkeypatch
):
    real = desk._write
    monkeypatch.setattr(desk, "_write", lambda *_, **__: 1 / 0)
    desk.take(decision("m0", PLAN))
    store.submit(lambda _: None).result()
    monkeypatch.setattr(desk, "_write", real)
    late = desk.writing(desk.open_orders()[0])
    close(desk, store, "m0/VIB/1", "bearing replaced")
    store.submit(late).result()
    clock.sleep(1.5)
    desk.flush()
    assert desk.unstored == 0
    assert a_desk(store, clock).open_orders() == []


def test_an_order_whose_closing_is_not_kept_stays_open_and_is_added_to(desk, store):
    desk.take(decision("m0", PLAN))
    order = desk.closing("m0/VIB/1", "anna", "bearing replaced")
    desk.closed(order, kept=False)
    desk.take(decision("m0", STOP))
    assert [(order.key, order.revision) for order in desk.open_orders()] == [("m0/VIB/1", 2)]


def test_what_the_store_refuses_waits_and_is_not_lost(desk, store, clock, monkeypatch):
    real = desk._write

    def full(connection, **words):
        raise OSError("disk full")

    monkeypatch.setattr(desk, "_write", full)
    desk.take(decision("m0", PLAN))
    store.submit(lambda _: None).result()
    desk.flush()
    assert desk.unstored == 1
    assert "disk full" in desk.failure
    monkeypatch.setattr(desk, "_write", real)
    desk.flush()
    assert sent(store) == []  # it rests before it tries again
    clock.sleep(1.5)
    settled(desk, store)
    assert len(sent(store)) == 2
    assert desk.failure == ""


def an_act(desk, light, **verdicts):
    """Acting on a plant whose machines have these verdicts."""
    return Act(desk, light, lambda: {asset: Memory(one) for asset, one in verdicts.items()})


@pytest.mark.parametrize(
    ("verdicts", "unsure", "shown"),
    [
        ({}, (), LightState.FAULT),
        ({"m0": Verdict.UNKNOWN}, (), LightState.FAULT),
        ({"m0": Verdict.RUN, "m1": Verdict.UNKNOWN}, (), LightState.RUN),
        ({"m0": Verdict.RUN, "m1": Verdict.PLAN}, (), LightState.PLAN),
        ({"m0": Verdict.RUN, "m1": Verdict.WATCH}, ("m1",), LightState.RUN),
        ({"m0": Verdict.RUN, "m1": Verdict.WATCH}, ("m0", "m1"), LightState.FAULT),
        ({"m0": Verdict.RUN, "m1": Verdict.STOP}, ("m0", "m1"), LightState.STOP),
    ],
)
def test_the_light_shows_the_worst_verdict_that_can_be_believed(
    desk, light, verdicts, unsure, shown
):
    act = an_act(desk, light, **verdicts)
    act.unsure = frozenset(unsure)
    act.show()
    assert light.shown == [shown]


def test_the_safe_state_says_that_nothing_is_known_until_something_is_judged(desk, light):
    act = an_act(desk, light, m0=Verdict.RUN)
    act((decision("m0"),))
    act.safe_state(DEAD)
    assert light.shown == [LightState.FAULT]
    act((decision("m0", judged=False),))
    assert act.light_state is LightState.FAULT
    act((decision("m0"),))
    assert act.light_state is LightState.RUN


def test_a_dead_light_costs_no_machine_its_order(desk, light):
    act = an_act(desk, light)
    light.broken = True
    act((decision("m0", PLAN),))
    act.show()
    act.safe_state(DEAD)
    assert act.light_failure == "fake light: no answer"
    assert [order.key for order in desk.open_orders()] == ["m0/VIB/1"]
    light.broken = False
    act.show()
    assert act.light_failure == ""


def test_without_a_light_nothing_is_shown(desk):
    act = an_act(desk, None)
    act.safe_state(DEAD)
    act.show()
    assert act.light_failure == ""
