"""Broker and CMMS away, and a restart, in the middle of a developing fault: one order."""

import time
from contextlib import ExitStack, closing

import pytest

from apps.predictive_maintenance.desk import EVENT
from common.clock import HeldClock, SystemClock
from common.service import ApiServer
from common.storage.queries import open_readonly
from common.telemetry.event import decode_batch
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink
from common.telemetry.webhook import Webhook, WebhookSettings
from hardware.virtual_cmms import Book, build_api
from tests.apps.predictive_maintenance.maintenance_rig import (
    FakeSource,
    build,
    of_window,
    open_store,
    settings_for,
)
from tests.apps.predictive_maintenance.rotors import Rotors
from tests.common.telemetry.uplink_rig import MOSQUITTO, NO_MOSQUITTO, Listener, a_broker

SELF = Identity("acme", "plant1", "hall2", "pm01", "predictive_maintenance")
WAIT_S = 30.0


class Plant:
    """A station with both ways out, that may be stopped and started again."""

    def __init__(self, folder, broker_port, url):
        self.folder, self.port, self.url = folder, broker_port, url
        self.rotors, self.number = Rotors(1), 0

    def start(self):
        self.stack = ExitStack()
        self.store = open_store(self.folder, SystemClock())
        self.stack.callback(self.store.close)
        mqtt = UplinkSettings(
            host="127.0.0.1", port=self.port, durable_on="puback",
            back_off_base_s=0.05, back_off_cap_s=0.2,
        )  # fmt: skip
        cmms = WebhookSettings(url=self.url, back_off_base_s=0.05, back_off_cap_s=0.2)
        for way in (Uplink(self.store, SELF, mqtt), Webhook(self.store, cmms)):
            way.start()
            self.stack.callback(way.stop)
        self.source = FakeSource(HeldClock())
        self.station = build(
            self.folder, self.store, HeldClock(), [self.source],
            settings_for(self.rotors.machines),
        )  # fmt: skip
        self.stack.callback(self.station.learning.close)
        return self

    def stop(self):
        self.settle()
        self.stack.close()

    def feed(self, count, **damage):
        for _ in range(count):
            self.source.put(of_window(self.rotors.window("m0", self.number, **damage)))
            self.number += 1
            self.station.turn()

    def settle(self):
        while self.station.act.desk.unstored:
            self.store.submit(lambda _: None).result()
            self.station.act.desk.flush()

    def learn(self):
        self.station.learning.learn("m0").result()
        self.station.use(self.station.learning.accept("m0", despite=False).result())

    def order(self):
        self.settle()
        (order,) = self.station.act.desk.open_orders()
        return order

    def waiting(self):
        self.store.hurry()
        with closing(open_readonly(self.store.path)) as connection:
            return int(connection.execute("SELECT count(*) FROM outbox").fetchone()[0])


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def orders_of(listener):
    """(external_ref, revision) of the work orders that came over MQTT."""
    found = []
    for message in list(listener.messages):
        if message.topic.endswith("/events"):
            encoding = dict(getattr(message.properties, "UserProperty", []))
            batch = decode_batch(message.payload, encoding.get("content-encoding", ""))
            found += [event.data for event in batch if event.type == EVENT]
    return {(order["external_ref"], order["revision"]) for order in found}


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_one_order_and_every_revision_arrives(tmp_path):
    with ExitStack() as stack:
        broker = a_broker(tmp_path, stack)
        topic = SELF.topic("#")  # who listens to nothing of a topic lets its events wait
        listener = stack.enter_context(closing(Listener(broker.port, topic)))
        book = Book()
        server = ApiServer(build_api(book), 0)
        server.start()
        stack.callback(server.stop)
        plant = Plant(tmp_path, broker.port, f"http://127.0.0.1:{server.port}/orders").start()
        plant.feed(60)
        plant.learn()
        plant.feed(20)
        assert book.orders == {}

        plant.feed(12, damage="outer_race", severity=0.35)
        first = plant.order()
        until(lambda: len(book.orders) == 1)
        until(lambda: ("predictive-maintenance/m0/VIB/1", 1) in orders_of(listener))

        broker.kill()
        book.failing = 1_000_000
        plant.feed(12, damage="outer_race", severity=0.6)
        middle = plant.order()
        assert middle.revision > first.revision

        plant.stop()
        plant.start()
        plant.feed(15, damage="outer_race", severity=0.9)
        last = plant.order()
        assert last.key == first.key
        assert last.revision > middle.revision
        assert plant.waiting() > 0

        broker.start()
        listener.await_subscription()
        book.failing = 0
        until(lambda: plant.waiting() == 0)
        plant.stop()

        (order,) = book.orders.values()
        assert order["external_ref"] == "predictive-maintenance/m0/VIB/1"
        assert order["revision"] == last.revision
        assert len(order["evidence"]) == len(last.evidence)
        wanted = {(order["external_ref"], n) for n in range(1, last.revision + 1)}
        until(lambda: orders_of(listener) == wanted)
