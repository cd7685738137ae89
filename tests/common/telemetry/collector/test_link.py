"""What a broker may refuse, in words; the rest of the link is tested with a real one."""

import pytest
from paho.mqtt.client import DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from common.clock import HeldClock
from common.errors import ConfigError
from common.telemetry.collector.inbox import Inbox
from common.telemetry.collector.link import Link
from common.telemetry.collector.settings import BrokerSettings, CollectorSettings
from tests.common.telemetry.collector.rig import STATION, until


@pytest.fixture
def link():
    link = Link(
        BrokerSettings(host="127.0.0.1", port=1), CollectorSettings(), Inbox(5), HeldClock()
    )
    yield link
    link.stop()


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (["Granted QoS 1"] * 3, ""),
        (["Granted QoS 1", "Shared subscription not supported"], 'collector.group = ""'),
        (["Not authorized"], "look at its ACL"),
    ],
)
def test_a_refused_subscription_is_explained(link, codes, reason):
    answers = [ReasonCode(PacketTypes.SUBACK, name) for name in codes]
    link._on_subscribe(link._client, None, 1, answers, None)
    assert reason in link._refused
    assert link.online is (reason == "")


def test_a_broker_that_is_not_there_is_named(link):
    link.start()
    until(lambda: link.reason != "connecting")
    assert link.reason == "broker 127.0.0.1:1: nothing listens there"
    assert not link.online


def test_two_collectors_of_one_name_are_not_called_stations(link):
    flags = DisconnectFlags(is_disconnect_packet_from_server=True)
    taken = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
    link._on_disconnect(link._client, None, flags, taken, None)
    assert link._refused == "another client has the same id: two collectors with one identity?"


def test_tls_files_that_are_not_there_are_a_setting_gone_wrong(tmp_path):
    broker = BrokerSettings(tls=True, ca_file=tmp_path / "none.crt")
    with pytest.raises(ConfigError, match=r"none\.crt"):
        Link(broker, CollectorSettings(), Inbox(5), HeldClock())


def test_a_message_that_a_broker_retained_tells_nothing_of_a_clock():
    inbox = Inbox(5)
    link = Link(BrokerSettings(), CollectorSettings(), inbox, HeldClock())
    message = MQTTMessage(1, STATION.topic("events").encode())
    message.retain = True
    link._on_message(link._client, None, message)
    assert inbox.take(0.0).arrival.historical


def test_what_is_subscribed_to():
    plain = "v1/+/+/+/+/+"
    assert CollectorSettings().filters == [
        f"$share/lineside/{plain}/{leaf}" for leaf in ("events", "telemetry", "resp")
    ]
    assert CollectorSettings(group="", topics=("v1/a/+/+/+/+",)).filters == [
        f"v1/a/+/+/+/+/{leaf}" for leaf in ("events", "telemetry", "resp")
    ]
