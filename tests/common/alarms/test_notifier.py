"""Notification with a real store, over restarts and refusals, to real servers."""

import json
import threading
import time
from contextlib import ExitStack, closing

import pytest

from common import audit
from common.alarms import orders
from common.alarms.notification import NotificationSettings, Step
from common.alarms.notification_letters import KIND
from common.alarms.notifier import Notifier
from common.alarms.persist import stored_board
from common.clock import HeldClock, SystemClock
from common.errors import ConfigError
from common.storage.queries import latest, open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.event import decode_batch
from common.telemetry.mail import EmailSettings
from common.telemetry.outbox import Message, Outbox, OutboxSettings
from common.telemetry.webhook import WebhookSettings
from tests.common.telemetry.post_office import PostOffice
from tests.common.telemetry.test_webhook import Mes
from tests.common.telemetry.uplink_rig import (
    MOSQUITTO,
    NO_MOSQUITTO,
    a_broker,
    listen,
    send,
)

WAIT_S = 15.0
MAIL = EmailSettings("127.0.0.1", "line@x.example", 1, "none", back_off_base_s=0.02)
GROUPS = {"operator": ("shift@x.example",), "head": ("head@x.example",)}
STEPS = (Step(300.0, ("role",), ("email",)), Step(900.0, ("head",), ("email",)))


def settings(*steps, **changes):
    facts = {"gather_s": 0.0, "gather_most_s": 0.0, "gap_s": 0.0, "email": MAIL, **changes}
    return NotificationSettings(True, steps or STEPS, GROUPS, **facts)


class Plant:
    """A station's alarms and their notifier; `restart` is the next start of the process."""

    def __init__(self, folder, definitions, rules, clock, *, sinks=(), **limits):
        self.folder, self.clock, self.rules, self.sinks = folder, clock, rules, sinks
        self.definitions = {one.id: one for one in definitions}
        self.limits = OutboxSettings(**limits)
        self.open()

    def open(self):
        self.store = Store(self.folder / "station.db", self.clock, StoreSettings(group_ms=0.0))
        self.outbox = Outbox(
            source="urn:lineside:a:b:c:cam01", epoch=self.store.epoch,
            boot_id=self.store.boot_id, clock=self.clock, settings=self.limits,
        )  # fmt: skip
        self.board = stored_board(self.definitions, self.store, self.outbox, self.sinks)
        self.notifier = Notifier(
            self.board, self.store, self.outbox, self.rules, self.clock, sinks=self.sinks
        )

    def close(self):
        self.notifier.stop()
        self.store.close()

    def restart(self, down_s=0.0):
        self.close()
        self.clock.sleep(down_s)
        self.open()

    def wait(self, seconds):
        self.clock.sleep(seconds)
        self.board.tick()
        self.notifier.turn()

    def read(self, query, *values):
        with closing(open_readonly(self.store.path)) as connection:
            return connection.execute(query, values).fetchall()

    def queued(self, sink=rows.EMAIL):
        """(to, alarms) of what waits for a sink, in order."""
        found = self.read(
            "SELECT payload FROM outbox WHERE sink = ? AND state = 'pending'"
            " AND CAST(payload AS TEXT) LIKE '%lineside.notification.v1%' ORDER BY seq",
            sink,
        )
        data = [json.loads(payload)["data"] for (payload,) in found]
        return [(one["to"], [alarm["alarm_id"] for alarm in one["alarms"]]) for one in data]

    def settle(self, dead=""):
        """The sender is done with all that waits: it was taken, or refused for good."""
        seqs = [seq for (seq,) in self.read("SELECT seq FROM outbox WHERE sink = 'email'")]

        def settled(connection):
            if dead:
                rows.bury(connection, seqs, dead)
            else:
                rows.confirm(connection, seqs)

        self.store.submit(settled).result(WAIT_S)

    def receipts(self):
        with closing(open_readonly(self.store.path)) as connection:
            assert audit.verify(connection) is None
            return [record.body for record in latest(connection, KIND)]

    def trail(self):
        return self.read("SELECT user, role, action, target, reason FROM audit ORDER BY seq")


@pytest.fixture
def plant(tmp_path, define):
    """Plant(…) with alarms a, b, c on a held clock, unless told otherwise."""
    with ExitStack() as stack:

        def made(rules=None, clock=None, **more):
            names = [define(name) for name in "abc"]
            one = Plant(tmp_path, names, rules or settings(), clock or HeldClock(), **more)
            stack.callback(one.close)
            return one

        yield made


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def types(messages):
    """Of all events that arrived."""
    found = set()
    for message in messages:
        if message.topic.endswith("/events"):
            encoding = dict(getattr(message.properties, "UserProperty", []))
            batch = decode_batch(message.payload, encoding.get("content-encoding", ""))
            found |= {event.type for event in batch}
    return found


def test_steps_survive_a_restart_at_any_point_and_none_comes_twice(plant):
    one = plant()
    one.board.set("a", True)
    one.wait(299)
    one.restart()
    one.wait(0.5)
    assert one.queued() == []
    one.restart()
    one.wait(0.5)
    assert one.queued() == [("shift@x.example", ["a"])]
    one.restart(down_s=599)
    one.wait(0)
    assert len(one.queued()) == 1
    one.restart(down_s=1)
    one.wait(0)
    one.restart()
    one.wait(5)
    assert one.queued() == [("shift@x.example", ["a"]), ("head@x.example", ["a"])]


def test_a_receipt_says_who_what_when_and_with_what_result(plant, mia):
    one = plant()
    one.board.set("a", True, "91 °C")
    one.wait(1)
    one.wait(299)
    asked = one.clock.wall()
    (letter,) = one.notifier.state()["open"]
    assert (letter["to"], letter["alarms"], letter["result"]) == (
        "shift@x.example",
        ["a"],
        "queued",
    )
    one.settle()
    one.wait(2)
    state = one.notifier.state()
    assert (state["open"], state["delivered"], state["refused"]) == ([], 1, 0)
    (receipt,) = state["last"]
    assert receipt["queued_at"] == asked
    assert receipt["closed_at"] == asked + 2
    assert receipt["result"] == "delivered"
    assert [body["result"] for body in one.receipts()] == ["queued", "delivered"]
    assert one.trail() == [
        (
            "escalation", "station", "notified", "alarm/a",
            "delivered by email to shift@x.example",
        )
    ]  # fmt: skip
    one.restart()
    assert one.notifier.state()["last"] == [receipt]


def test_what_is_refused_for_good_is_counted_and_shown(plant):
    one = plant()
    one.board.set("a", True)
    one.board.set("b", True)
    one.wait(1)
    one.wait(299)
    one.settle(dead="550 5.1.1 no such user")
    one.wait(1)
    state = one.notifier.state()
    assert (state["refused"], state["delivered"]) == (1, 0)
    assert state["last"][0]["reason"] == "550 5.1.1 no such user"
    said = "refused by email to shift@x.example: and 1 more (550 5.1.1 no such user)"
    assert [row[2:] for row in one.trail()] == [("notification refused", "alarm/a", said)]
    one.wait(600)
    assert [to for to, _ in one.queued()] == ["head@x.example"], "the next step goes on"


def test_while_a_letter_waits_the_rest_is_kept_for_one_digest(plant, mia):
    one = plant(settings(STEPS[0]))
    for name in "abc":
        one.board.set(name, True)
        one.wait(100)
    one.wait(300)
    one.wait(300)
    assert one.queued() == [("shift@x.example", ["a"])]
    one.board.command("b", orders.acknowledge(mia))
    one.settle()
    one.wait(1)
    assert one.queued() == [("shift@x.example", ["c"])], "b is no longer true"


def test_an_outbox_that_is_full_keeps_the_step_due(plant):
    one = plant(max_bytes=1 << 16)
    filler = Message("audit", "lineside.test.v1", "s", {"x": "x" * 64_500}, 1.0, (rows.MQTT,))
    one.store.submit(lambda c: one.outbox.append(c, filler)).result(WAIT_S)
    one.board.set("a", True)
    one.wait(1)
    one.wait(300)
    assert "audit wait already" in one.notifier.state()["trouble"]
    assert one.queued() == []
    assert one.receipts() == []
    one.store.submit(lambda c: rows.confirm(c, [1])).result(WAIT_S)
    one.wait(1)
    assert one.notifier.state()["trouble"] == ""
    assert one.queued() == [("shift@x.example", ["a"])]


def test_a_memory_that_cannot_be_read_begins_anew(plant):
    one = plant()
    one.board.set("a", True)
    one.wait(1)
    garbled = "UPDATE meta SET value = '{\"escalation\": 7}' WHERE key = 'notification'"
    one.store.submit(lambda c: c.execute(garbled).close()).result(WAIT_S)
    one.restart(down_s=300)
    one.wait(1)
    assert one.queued() == [("shift@x.example", ["a"])]


def test_with_a_broker_every_letter_goes_there_too_so_its_sequence_has_no_holes(plant):
    one = plant(settings(Step(0.0, ("role",), ("email", "mqtt"))), sinks=(rows.MQTT,))
    one.board.set("a", True)
    one.wait(1)
    assert one.queued() == [("shift@x.example", ["a"])]
    assert one.queued(rows.MQTT) == [("shift@x.example", ["a"]), ("operator", ["a"])]


def test_switched_off_what_still_waits_is_given_up_and_listed(plant):
    one = plant()
    one.board.set("a", True)
    one.wait(301)
    one.rules = NotificationSettings()
    one.restart()
    one.notifier.start()
    one.store.submit(lambda _: None).result(WAIT_S)
    assert one.queued() == []
    assert one.read("SELECT sink, reason FROM outbox WHERE state = 'dead'") == [
        ("email", "email is switched off")
    ]
    assert not one.notifier.state()["enabled"]


def test_a_channel_that_is_not_there_is_one_clear_line(plant):
    with pytest.raises(ConfigError, match=r"steps use mqtt, but telemetry\.enabled is false"):
        plant(settings(Step(0.0, ("role",), ("mqtt",))))


def test_texts_that_are_no_utf8_or_too_long_stop_no_message(plant):
    one = plant(max_event_bytes=2500)
    for name in "abc":
        one.board.set(name, True, "\udcff" + name * 499)
    one.wait(1)
    one.wait(300)
    assert one.notifier.state()["trouble"] == ""
    ((to, named),) = one.queued()
    assert to == "shift@x.example"
    assert named == ["a"], "shortened"
    assert one.notifier.state()["open"][0]["count"] == 3


def test_a_role_without_an_address_is_said(plant, define):
    one = plant()
    one.close()
    one.definitions = {"a": define("a", role="electrician")}
    one.open()
    one.board.set("a", True)
    one.wait(301)
    trouble = one.notifier.state()["trouble"]
    assert trouble == "no address in [notification.groups] for electrician"


# ----------------------------------------------------------------------- to real servers


def test_a_letter_reaches_a_mail_server(plant):
    office = PostOffice()
    email = EmailSettings("127.0.0.1", "line@x.example", office.port, "none")
    one = plant(settings(Step(0.0, ("role",), ("email",)), email=email), SystemClock())
    one.notifier.start()
    one.board.set("a", True, "=1+1\r\nBcc: all@x.example")
    until(lambda: one.notifier.state()["delivered"] == 1)
    office.stop()
    (letter,) = office.letters
    assert letter["To"] == "shift@x.example"
    assert letter["From"] == "line@x.example"
    assert letter["Bcc"] is None
    assert letter["Subject"].startswith("[cam01] 2 high: Motor is hot, not acknowledged for")
    assert "To do (operator): Stop the motor." in letter.get_content()
    assert one.notifier.state()["channels"]["email"]["state"] == "online"


def test_the_webhook_is_called_and_asked_again(plant):
    with Mes() as mes, ExitStack() as stack:
        threading.Thread(target=mes.serve_forever, args=(0.01,)).start()
        stack.callback(mes.shutdown)
        answers = iter([503, 503])
        mes.answers = lambda _: next(answers, 200)
        hook = WebhookSettings(mes.url, back_off_base_s=0.02, back_off_cap_s=0.1)
        rules = settings(Step(0.0, ("head",), ("webhook",)), webhook=hook)
        one = plant(rules, SystemClock())
        one.notifier.start()
        one.board.set("a", True)
        until(lambda: one.notifier.state()["delivered"] == 1)
        assert len(mes.tried) == 3
        assert len(set(mes.tried)) == 1, "the same key each time"
        (event,) = mes.booked
        assert event["type"] == "lineside.notification.v1"
        assert event["data"]["to"] == "head"
        assert event["data"]["alarms"][0]["response"] == "Stop the motor."


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_broker_gets_it_by_the_outbox(plant, tmp_path):
    with ExitStack() as stack:
        broker = a_broker(tmp_path, stack)
        heard = listen(broker, stack)
        rules = settings(Step(0.0, ("head",), ("mqtt",)))
        one = plant(rules, SystemClock(), sinks=(rows.MQTT,))
        send(one.store, broker, stack)
        one.notifier.start()
        one.board.set("a", True)
        until(lambda: one.notifier.state()["delivered"] == 1)
        one.notifier.stop()
        assert "lineside.notification.v1" in types(heard.messages)
