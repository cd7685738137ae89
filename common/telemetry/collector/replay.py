"""Asking stations for what is missing, and hearing what they no longer have.

The collector's requests carry no signature: they make a station send what it still holds,
and nothing else (see `common.telemetry.remote`). The broker says who may publish them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paho.mqtt.properties import Properties

from common.canonical import canonical_json, read_object
from common.telemetry.collector.archive import Ask
from common.telemetry.collector.settings import RESPONSE
from common.telemetry.mqtt_client import publish_properties
from common.telemetry.ranges import Range
from common.telemetry.receipt import ReceiptError, decode_receipt, encode_receipt
from common.telemetry.topics import Identity, parse_topic

COMMAND = "cmd/replay"
MOST_RANGES, MOST_EPOCHS = 1000, 20
"""In one message: the rest of a receipt goes in another, of a request the next time."""
MARK = b"lineside-replay"
"""Correlation Data of our requests: other answers on `resp` are not for us."""
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish, QoS 1."""

    topic: str
    body: bytes
    properties: Properties


def identity_of(source: str) -> Identity:
    """The station that a source names."""
    return Identity(*source.split(":")[2:])


def receipt_messages(source: str, told: Mapping[str, list[Range]]) -> list[Message]:
    """What tells a station that its events are kept; none is larger than it takes."""
    topic = identity_of(source).topic("ack")
    return [
        Message(
            topic,
            encode_receipt({epoch: ranges[at : at + MOST_RANGES]}),
            publish_properties("application/json"),
        )
        for epoch, ranges in told.items()
        for at in range(0, len(ranges), MOST_RANGES)
    ]


def request_messages(asks: Iterable[Ask]) -> list[Message]:
    """One request per station."""
    wanted: dict[str, dict[str, list[Range]]] = {}
    for ask in asks:
        epochs = wanted.setdefault(ask.source, {})
        room = MOST_RANGES - sum(map(len, epochs.values()))
        if room > 0 and len(epochs) < MOST_EPOCHS:
            epochs[ask.epoch] = list(ask.ranges[:room])
    return [_request(source, epochs) for source, epochs in wanted.items()]


def _request(source: str, wanted: dict[str, list[Range]]) -> Message:
    station = identity_of(source)
    properties = publish_properties("application/json")
    properties.ResponseTopic = station.topic(RESPONSE)
    properties.CorrelationData = MARK
    return Message(
        station.topic(COMMAND), canonical_json({"args": wanted}).encode(), properties
    )


def gone_of(topic: str, body: bytes) -> tuple[str, dict[str, list[Range]]]:
    """Whose answer it is, and what is gone by epoch; nothing when the request was refused.

    Raises ValueError for what is no answer.
    """
    station, leaf = parse_topic(topic)
    if leaf != RESPONSE or len(body) > MOST_BYTES:
        raise ValueError(f"{topic[:100]}: no answer to a replay request")
    try:
        result = read_object(body).get("result", {})
        gone = {epoch: told["gone"] for epoch, told in result.items() if told["gone"]}
        return station.source, decode_receipt(json.dumps(gone).encode())
    except (AttributeError, KeyError, TypeError, RecursionError, ReceiptError) as error:
        raise ValueError(f"{topic[:100]}: no answer to a replay request ({error})") from error
