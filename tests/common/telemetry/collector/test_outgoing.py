"""What goes back to the broker, and the queue of what came."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from common.telemetry.collector.inbox import SPARE, Delivery, Inbox, Token
from common.telemetry.collector.outgoing import MOST_UNDER_WAY, Outgoing
from common.telemetry.collector.replay import Message
from tests.common.telemetry.collector.rig import arrival


@dataclass
class Client:
    """Takes what paho's client would take, and keeps it in order."""

    sent: list[str] = field(default_factory=list)
    no_id_left: bool = False

    def publish(self, topic, body, qos, properties):
        assert (body, qos) == (b"", 1)
        assert isinstance(properties, Properties)
        if self.no_id_left:
            return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_QUEUE_SIZE, mid=0)
        self.sent.append(topic)
        return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_SUCCESS, mid=len(self.sent))

    def ack(self, mid, qos):
        assert qos == 1
        self.sent.append(f"ack {mid}")


def message(topic):
    return Message(topic, b"", Properties(PacketTypes.PUBLISH))


def puback(name="Success"):
    return ReasonCode(PacketTypes.PUBACK, name)


def connack(receive_maximum):
    properties = Properties(PacketTypes.CONNACK)
    properties.ReceiveMaximum = receive_maximum
    return properties


def test_receipts_go_before_the_acknowledgements_they_belong_to():
    outgoing, client = Outgoing(), Client()
    outgoing.add([message("a"), message("b"), Token(1, 7), Token(1, 8)])
    outgoing.pump(client, 1, 0.0)
    assert client.sent == ["a", "b", "ack 7", "ack 8"]


def test_the_brokers_window_is_kept():
    outgoing, client = Outgoing(), Client()
    outgoing.begin(connack(2), 0.0)
    outgoing.add([message(str(n)) for n in range(5)])
    outgoing.pump(client, 1, 0.0)
    assert client.sent == ["0", "1"]
    outgoing.answered(1, puback())
    outgoing.pump(client, 1, 0.0)
    assert client.sent == ["0", "1", "2"]
    outgoing.begin(None, 0.0)
    outgoing.add([message("x") for _ in range(500)])
    outgoing.pump(client, 1, 0.0)
    assert len(client.sent) - 1 == MOST_UNDER_WAY


def test_a_token_of_another_connection_is_void():
    outgoing, client = Outgoing(), Client()
    outgoing.add([Token(1, 7), Token(2, 7)])
    outgoing.pump(client, 2, 0.0)
    assert client.sent == ["ack 7"]
    assert outgoing.quiet


def test_without_a_packet_id_it_waits():
    outgoing, client = Outgoing(), Client(no_id_left=True)
    outgoing.add([message("a"), Token(1, 7)])
    outgoing.pump(client, 1, 0.0)
    assert client.sent == []
    client.no_id_left = False
    outgoing.pump(client, 1, 0.0)
    assert client.sent == ["a", "ack 7"]


def test_a_broker_that_answers_no_receipt_is_noticed():
    outgoing, client = Outgoing(), Client()
    outgoing.add([message("a"), message("b")])
    outgoing.pump(client, 1, 100.0)
    assert outgoing.silence(160.0) == ""
    assert "acknowledged no receipt for 60 s" in outgoing.silence(160.1)
    outgoing.begin(None, 170.0)  # sent again by paho
    assert outgoing.silence(230.0) == ""
    assert "acknowledged no receipt" in outgoing.trouble, "as long as none is answered"
    outgoing.answered(1, puback())
    outgoing.answered(2, puback())
    assert (outgoing.silence(1000.0), outgoing.trouble) == ("", "")


def test_a_refusal_is_said_until_something_is_taken():
    outgoing = Outgoing()
    outgoing.answered(1, puback("Not authorized"))
    assert "Not authorized" in outgoing.trouble
    assert "ACL" in outgoing.trouble
    outgoing.answered(2, puback("No matching subscribers"))
    assert outgoing.trouble == "", "the station is away: that is no refusal"


def test_the_inbox_gives_in_order_and_none_when_there_is_none():
    inbox = Inbox(10)
    deliveries = [Delivery(arrival(), Token(1, n)) for n in range(3)]
    for one in deliveries:
        inbox.put(one)
    assert [inbox.take(0.0) for _ in range(4)] == [*deliveries, None]


def test_what_comes_again_is_forgotten_the_rest_is_kept():
    inbox = Inbox(10)
    fleeting = Delivery(arrival(), None)
    for one in (Delivery(arrival(), Token(1, 1)), fleeting, Delivery(arrival(), Token(1, 2))):
        inbox.put(one)
    inbox.forget_acknowledgeable()
    assert (len(inbox), inbox.take(0.0)) == (1, fleeting)


def test_what_nobody_holds_back_is_bounded_and_counted():
    inbox = Inbox(5)
    for _ in range(5 + SPARE + 3):
        inbox.put(Delivery(arrival(), None))
    assert (len(inbox), inbox.overrun) == (5 + SPARE, 3)
    assert inbox.full
    inbox.put(Delivery(arrival(), Token(1, 1)))
    assert len(inbox) == 6 + SPARE, "what the broker counts is never refused"
