"""Records over a real broker: found by topic, queued with a limit, back after an outage."""

import time
from contextlib import ExitStack, closing, suppress

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

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
    yield lambda topic, payload, **more: client.publish(
        topic, payload, qos=1, **more
    ).wait_for_publish(WAIT_S)
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
        thread = source._client._thread
        monkeypatch.setattr("hardware.sensors.mqtt.decode", lambda *_: 1 / 0)
        sensor("vibration/m0/record", b"x")
        assert away(source) == "the listener has ended"
        thread.join(WAIT_S)  # it tells of its exception last of all


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


def test_the_last_record_of_a_sensor_that_is_silent_since_is_not_heard_anew(broker, sensor):
    sensor("vibration/fan-3/record", encode(reading(1)), retain=True)
    with closing(MqttSource(MqttSensorSettings(port=broker.port), SystemClock())) as source:
        connected(source)
        sensor("vibration/fan-3/record", encode(reading(2)), retain=True)
        assert [one.sequence for one in fetched(source, 1)] == [2]


def test_what_a_broker_kept_though_it_was_told_to_leave_it_is_not_heard(broker):
    with closing(MqttSource(MqttSensorSettings(port=broker.port), SystemClock())) as source:
        connected(source)
        for retain in (True, False):
            message = MQTTMessage(topic=b"vibration/fan-3/record")
            message.payload, message.retain = encode(reading(int(retain))), retain
            source._client.on_message(source._client, None, message)
        assert [one.sequence for one in source.poll(0.0)] == [0]


def test_a_topic_that_the_broker_does_not_grant_is_said(broker):
    with closing(MqttSource(MqttSensorSettings(port=broker.port), SystemClock())) as source:
        connected(source)
        code = ReasonCode(PacketTypes.SUBACK, "Not authorized")
        source._client.on_subscribe(source._client, None, 1, [code], None)
        assert away(source) == (
            "the broker refuses to let us hear vibration/+/record: Not authorized"
        )


def test_a_broker_that_is_away_is_said_and_comes_back(broker, sensor):
    settings = MqttSensorSettings(port=broker.port, reconnect_max_s=1)
    with closing(MqttSource(settings, SystemClock())) as source:
        connected(source)
        broker.kill()
        assert away(source) in ("the connection is lost", "the broker does not answer")
        broker.start()
        connected(source)
        with suppress(RuntimeError):  # it is not back yet: it sends it when it is
            sensor("vibration/fan-3/record", encode(reading(2)))
        assert fetched(source, 1)[0].asset == "fan-3"


def test_settings_name_one_machine_level():
    for topic in ("vibration/record", "+/+/record", "$share/hall/vibration/+/record"):
        with pytest.raises(ValueError, match="exactly one level"):
            MqttSensorSettings(topic=topic)


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
