"""The station's own messages, one at a time."""

from types import SimpleNamespace

import pytest
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from common.telemetry.notices import Notice, Notices


def test_what_the_broker_does_not_take_is_left_out_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[str] = []

    def publish(topic: str, *_: object, **__: object) -> SimpleNamespace:
        sent.append(topic)
        return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_SUCCESS, mid=1)

    notices = Notices()
    notices.most_bytes = 10
    for topic, size in (("resp", 11), ("status", 10)):
        notices.add(Notice(topic, b"x" * size, Properties(PacketTypes.PUBLISH)))
    notices.send(SimpleNamespace(publish=publish))
    assert sent == ["status"]
    assert "resp: 11 bytes, the broker takes 10: not sent" in caplog.text
