"""Wearables over a real broker: named by their topic, back after an outage."""

import threading
import time
from contextlib import ExitStack

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from hardware.sensors.vitals_mqtt import VitalsMqtt, VitalsMqttSettings
from tests.common.telemetry.uplink_rig import MOSQUITTO, NO_MOSQUITTO, a_broker

WAIT_S = 20.0


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def broker(tmp_path):
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    with ExitStack() as stack:
        yield a_broker(tmp_path, stack)


def publish(port, topic, payload, *, retain=False):
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


def test_what_comes_from_now_on_is_handed_on_with_the_device_of_its_topic(broker):
    came = []
    publish(broker.port, "vitals/WEAR7", b"who was discharged", retain=True)
    settings = VitalsMqttSettings(port=broker.port)
    source = VitalsMqtt(settings, lambda device, payload: came.append((device, payload)))
    try:
        assert source.name.endswith(str(broker.port))
        until(lambda: not source.wrong)
        publish(broker.port, "vitals/WEAR7", b"{}")
        publish(broker.port, "other/WEAR7", b"no")
        until(lambda: came)
        assert came == [("WEAR7", b"{}")]
        broker.kill()
        until(lambda: source.wrong)
    finally:
        source.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_whose_thread_has_ended_says_so(broker):
    def fail(device, payload):
        raise RuntimeError("whoever takes it made a mistake")

    before = set(threading.enumerate())
    source = VitalsMqtt(VitalsMqttSettings(port=broker.port), fail)
    (thread,) = set(threading.enumerate()) - before
    try:
        until(lambda: not source.wrong)
        publish(broker.port, "vitals/WEAR7", b"{}")
        until(lambda: source.wrong == "the listener has ended")
        thread.join(WAIT_S)  # it tells of its exception last of all
    finally:
        source.close()


def test_a_broker_that_is_away_is_said():
    source = VitalsMqtt(VitalsMqttSettings(port=1), lambda *_: None)
    try:
        until(lambda: source.wrong == "the broker does not answer")
    finally:
        source.close()


@pytest.mark.parametrize("topic", ["vitals", "vitals/+/+", "vitals/#", "$share/a/+"])
def test_a_topic_names_exactly_one_device(topic):
    with pytest.raises(ValueError, match="exactly one level"):
        VitalsMqttSettings(topic=topic)
