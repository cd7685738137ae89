"""End to end: a station, a real broker, and a collector that commits before it confirms."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from common.clock import SystemClock
from common.storage.queries import audit_tail, open_readonly
from common.store import Store, StoreSettings
from common.telemetry.event import decode_batch, iso_time
from common.telemetry.ranges import ranges_of
from common.telemetry.receipt import encode_receipt
from common.telemetry.remote import Command, CommandSettings, seal
from tests.common.telemetry.uplink_rig import (
    BASE,
    MOSQUITTO,
    NO_MOSQUITTO,
    WAIT_S,
    Broker,
    send,
    tell,
    until,
    waiting,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
KEY = b"0123456789abcdef"
DURABLE = {"durable_on": "receipt", "receipt_timeout_s": 0.5, "receipt_timeout_cap_s": 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


class Collector:
    """Takes events, and confirms what it has taken while `confirms` is set."""

    def __init__(self, port: int, *, confirms: bool = True) -> None:
        self.kept: set[int] = set()
        self.arrivals = 0
        self.confirms = confirms
        self.answers: list[tuple[bytes, dict]] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        topics = [(f"{BASE}/{leaf}", 1) for leaf in ("events", "telemetry", "resp")]
        self._client.on_connect = lambda *_: self._client.subscribe(topics)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(WAIT_S)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic.endswith("/resp"):
            self.answers.append(
                (message.properties.CorrelationData, json.loads(message.payload))
            )
            return
        encoding = dict(getattr(message.properties, "UserProperty", []))
        events = decode_batch(message.payload, encoding.get("content-encoding", ""))
        self.arrivals += len(events)
        self.kept.update(event.sequence for event in events)
        if self.confirms:
            self.confirm(event.sequence for event in events)

    def confirm(self, sequences) -> None:
        self._client.publish(f"{BASE}/ack", encode_receipt({"e": ranges_of(sequences)}), qos=1)

    def command(self, name: str, body: bytes, correlation: bytes = b"1") -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = f"{BASE}/resp"
        properties.CorrelationData = correlation
        self._client.publish(f"{BASE}/cmd/{name}", body, qos=1, properties=properties)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def collect(broker: Broker, stack: ExitStack, *, confirms: bool = True) -> Collector:
    return stack.enter_context(closing(Collector(broker.port, confirms=confirms)))


def test_rows_stay_until_a_collector_has_them(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    collector = collect(broker, stack, confirms=False)
    sent = tell(store, 300) + tell(store, 50, "sample")
    uplink = send(store, broker, stack, durable_on="receipt")
    until(lambda: collector.kept == set(sent))
    until(lambda: uplink.state().unreceipted == 350)
    assert waiting(store).count == 350
    assert uplink.state().sent == 0
    collector.confirm(sent[:200])
    until(lambda: waiting(store).count == 150)
    collector.confirm(sent)
    until(lambda: waiting(store).count == 0)
    until(lambda: uplink.state().sent == 350)
    assert collector.arrivals == 350, "nothing was sent twice"


def test_a_broker_that_loses_what_it_acknowledged_costs_nothing(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    """FLEET fact 1: with a PUBACK alone all of it would be lost."""
    collector = collect(broker, stack, confirms=False)
    uplink = send(store, broker, stack, **DURABLE)
    sent = tell(store, 200)
    until(lambda: uplink.state().unreceipted == 200)
    collector.kept.clear()
    broker.kill()  # the collector had not committed what it was given
    broker.start()
    collector.confirms = True
    until(lambda: waiting(store).count == 0)
    assert collector.kept == set(sent)


def test_after_a_restart_all_that_is_pending_is_sent_again(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    collector = collect(broker, stack, confirms=False)
    with ExitStack() as first:
        uplink = send(store, broker, first, durable_on="receipt")
        sent = tell(store, 100)
        until(lambda: uplink.state().unreceipted == 100)
    collector.confirms = True
    send(store, broker, stack, durable_on="receipt")
    until(lambda: waiting(store).count == 0)
    assert collector.kept == set(sent)
    assert collector.arrivals == 200


def test_a_receipt_sent_while_the_station_is_away_waits_for_it(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    """The session is the broker's to keep: subscriptions outlive the connection."""
    collector = collect(broker, stack, confirms=False)
    with ExitStack() as first:
        uplink = send(store, broker, first, durable_on="receipt")
        sent = tell(store, 10)
        until(lambda: uplink.state().unreceipted == 10)
        uplink._client.disconnect()  # the line goes, the station stays
        collector.confirm(sent)
        until(lambda: waiting(store).count == 0)
    assert collector.arrivals == 10


def test_that_no_collector_listens_is_said_in_words(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    collector = collect(broker, stack, confirms=False)
    uplink = send(store, broker, stack, **DURABLE)
    tell(store, 20)
    until(lambda: "no collector has confirmed 20 events since" in uplink.state().reason)
    assert uplink.state().online
    until(lambda: collector.arrivals >= 40)
    collector.confirms = True
    until(lambda: waiting(store).count == 0)
    until(lambda: uplink.state().reason == "")


# ------------------------------------------------------------------ commands


def order(**changes) -> Command:
    now = iso_time(SystemClock().wall())
    command = Command("acknowledge", {"alarm_id": "plc_silent"}, "room", "seen", now, "n" * 16)
    return replace(command, **changes)


def test_a_signed_command_comes_through_once(
    store: Store, broker: Broker, stack: ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(KEY)
    settings = CommandSettings(acknowledge={"room": tmp_path / "key"})
    asked: list[tuple[str, dict, str]] = []

    def carry_out(name: str, args: dict, user: str) -> str:
        asked.append((name, args, user))
        return "acknowledged"

    collector = collect(broker, stack)
    uplink = send(store, broker, stack, on_command=carry_out, commands=settings)
    until(lambda: uplink.state().online)
    body = seal(order(), f"{BASE}/cmd/acknowledge", KEY)
    collector.command("acknowledge", body, b"first")
    collector.command("acknowledge", body, b"second")
    collector.command("open_gate", body, b"third")
    until(lambda: len(collector.answers) == 3)
    assert collector.answers[0] == (b"first", {"result": "acknowledged"})
    assert "sent before" in collector.answers[1][1]["refused"]
    assert collector.answers[2] == (
        b"third", {"refused": "open_gate: only on the station's own API"}
    )  # fmt: skip
    assert asked == [("acknowledge", {"alarm_id": "plc_silent"}, "room (remote)")]
    until(lambda: uplink.state().refused == 2)
    with closing(open_readonly(store.path)) as connection:
        assert [row.action for row in audit_tail(connection)] == [
            "acknowledge asked", "acknowledge refused", "open_gate refused",
        ]  # fmt: skip


def test_a_replay_brings_what_is_held_and_says_what_is_gone(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    collector = collect(broker, stack, confirms=False)
    uplink = send(store, broker, stack, durable_on="receipt")
    sent = tell(store, 30)
    until(lambda: uplink.state().unreceipted == 30)
    collector.confirm(sent[:10])
    until(lambda: waiting(store).count == 20)
    collector.kept.clear()
    collector.confirms = True
    collector.command("replay", json.dumps({"args": {"e": [[6, 15], [29, 99]]}}).encode())
    until(lambda: waiting(store).count == 13)
    assert collector.answers == [
        (b"1", {"result": {"e": {"resent": 7, "gone": [[6, 10], [31, 99]]}}})
    ]
    assert collector.kept == {11, 12, 13, 14, 15, 29, 30}


def test_an_answer_goes_nowhere_but_to_the_stations_own_topic(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    uplink = send(store, broker, stack)
    until(lambda: uplink.state().online)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for target in (f"{BASE}/events", f"{BASE}/respond", "elsewhere", f"{BASE}/resp/x" * 100):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = target
        client.publish(f"{BASE}/cmd/replay", b'{"args":{}}', qos=1, properties=properties)
    until(lambda: uplink.state().refused == 4)
    client.disconnect()
    client.loop_stop()


def test_retained_commands_and_receipts_are_left_where_they_are(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(f"{BASE}/cmd/open_gate", b"{}", qos=1, retain=True).wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()
    collector = collect(broker, stack)
    uplink = send(store, broker, stack)
    until(lambda: uplink.state().online)
    collector.command("close_gate", b"{}", b"later")
    until(lambda: len(collector.answers) == 1)
    assert collector.answers[0][0] == b"later"
    assert uplink.state().refused <= 1
