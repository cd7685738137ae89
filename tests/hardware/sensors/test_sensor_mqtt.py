"""Records over a real broker: found by topic, queued with a limit, back after an outage."""

import time
from contextlib import ExitStack, closing

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from common.clock import SystemClock
from common.errors import SensorError
from common.ports import VibrationReading
from hardware.sensors.mqtt import MqttSensorSettings, MqttSource
from hardware.sensors.payload import encode
from hardware.sensors.waiting import Waiting
from tests.common.telemetry.uplink_rig import MOSQUITTO, NO_MOSQUITTO, a_broker

WAIT_S = 15.0


@pytest.fixture
def broker(tmp_path):
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    with ExitStack() as stack:
        yield a_broker(tmp_path, stack)


@pytest.fixture
def sensor(broker):
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield lambda topic, payload: client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


def reading(number):
    return VibrationReading("x", np.full((1, 300), number, np.float32), 1000.0, "s1", number)


def connected(source):
    """Until the source has subscribed: before, what is published is nobody's."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            source.poll(0.05)
        except SensorError:
            continue
        time.sleep(0.3)
        return source
    raise AssertionError("never connected")


def away(source):
    """Why the source is away, once it is."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            source.poll(0.1)
        except SensorError as error:
            return str(error).partition(": ")[2]
    raise AssertionError("never away")


def fetched(source, count):
    found, end = [], time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < end:
        try:
            found += source.poll(0.2)
        except SensorError:
            time.sleep(0.05)
    return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_whose_thread_has_ended_says_so(broker, sensor, monkeypatch):
    with closing(MqttSource(MqttSensorSettings(port=broker.port), SystemClock())) as source:
        connected(source)
        monkeypatch.setattr("hardware.sensors.mqtt.decode", lambda *_: 1 / 0)
        sensor("vibration/m0/record", b"x")
        assert away(source) == "the listener has ended"


def test_records_are_known_by_their_topic(broker, sensor):
    with closing(MqttSource(MqttSensorSettings(port=broker.port), SystemClock())) as source:
        connected(source)
        sensor("vibration/fan-3/record", encode(reading(1)))
        sensor("vibration/fan-4/record", b"LSV1 and no more")
        sensor("vibration/fan-5/else", encode(reading(3)))
        found = fetched(source, 2)
    assert [(one.asset, one.sequence) for one in found] == [("fan-3", 1), ("fan-4", None)]
    assert found[0].fault == ""
    assert "header" in found[1].fault


def test_a_broker_that_is_away_is_said_and_comes_back(broker, sensor):
    settings = MqttSensorSettings(port=broker.port, reconnect_max_s=1)
    with closing(MqttSource(settings, SystemClock())) as source:
        connected(source)
        broker.kill()
        assert away(source) in ("the connection is lost", "the broker does not answer")
        broker.start()
        connected(source)
        end, found = time.monotonic() + WAIT_S, []
        while not found and time.monotonic() < end:  # the sensor has to come back as well
            sensor("vibration/fan-3/record", encode(reading(2)))
            found = fetched(source, 1)
    assert found[0].asset == "fan-3"


def test_settings_name_one_machine_level():
    with pytest.raises(ValueError, match="exactly one level"):
        MqttSensorSettings(topic="vibration/record")
    with pytest.raises(ValueError, match="exactly one level"):
        MqttSensorSettings(topic="+/+/record")


def test_over_the_limit_the_oldest_goes_and_is_counted():
    waiting = Waiting("w", 2)
    for number in range(5):
        waiting.put(reading(number))
    assert [one.sequence for one in waiting.fetch(0.0)] == [3, 4]
    assert waiting.dropped == 3
    with pytest.raises(SensorError, match="not connected yet"):
        waiting.fetch(0.0)
    waiting.away("")
    assert waiting.fetch(0.0) == []
