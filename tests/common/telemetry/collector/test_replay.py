"""Requests that stations understand, and answers as they give them."""

import json

import pytest

from common.telemetry import remote
from common.telemetry import replay as station_side
from common.telemetry.collector import replay
from common.telemetry.collector.archive import Ask
from common.telemetry.collector.replay import gone_of, receipt_messages, request_messages
from common.telemetry.receipt import decode_receipt
from common.telemetry.topics import Identity
from tests.common.telemetry.collector.rig import EPOCH, STATION

SOURCE = STATION.source
OTHER = Identity("acme", "plant1", "line2", "cam02", "inspection")


def test_a_station_takes_the_request_as_it_is_made():
    (message,) = request_messages([Ask(SOURCE, EPOCH, ((3, 7),)), Ask(SOURCE, "e2", ((1, 1),))])
    assert message.topic == STATION.topic("cmd/replay")
    command = remote.read_command(
        "replay", message.topic, message.body, lambda _: None, unsigned=True
    )
    assert station_side.asked_for(command.args) == {EPOCH: [(3, 7)], "e2": [(1, 1)]}
    assert message.properties.ResponseTopic == STATION.topic("resp")
    assert message.properties.CorrelationData == replay.MARK


def test_the_answer_is_taken_as_a_station_gives_it():
    result = {EPOCH: {"resent": 2, "gone": [(3, 4), (7, 7)]}, "e2": {"resent": 1, "gone": []}}
    found = gone_of(STATION.topic("resp"), remote.answer(result))
    assert found == (SOURCE, {EPOCH: [(3, 4), (7, 7)]})
    refused = remote.refusal(ValueError("not now"))
    assert gone_of(STATION.topic("resp"), refused) == (SOURCE, {})


def test_each_station_is_asked_once_and_not_for_too_much():
    many = tuple((n, n) for n in range(1, 3000, 2))
    asks = [Ask(SOURCE, EPOCH, many), Ask(OTHER.source, EPOCH, ((5, 6),))]
    asks += [Ask(SOURCE, f"e{n}", ((1, 1),)) for n in range(50)]
    first, second = request_messages(asks)
    assert len(first.body) <= remote.MOST_BYTES
    assert json.loads(first.body)["args"] == {EPOCH: [list(one) for one in many[:1000]]}
    assert (second.topic, json.loads(second.body)) == (
        OTHER.topic("cmd/replay"), {"args": {EPOCH: [[5, 6]]}},
    )  # fmt: skip
    (message,) = request_messages(asks[2:])
    assert len(json.loads(message.body)["args"]) == station_side.MOST_EPOCHS


def test_even_the_longest_request_fits():
    top = 2**63 - 1
    ranges = tuple((top - n, top - n) for n in range(5000))
    (message,) = request_messages([Ask(SOURCE, "e" * 64, ranges)])
    assert len(message.body) <= remote.MOST_BYTES


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        (STATION.topic("resp"), b"{"),
        (STATION.topic("resp"), b"[1]"),
        (STATION.topic("resp"), b'{"result":[1]}'),
        (STATION.topic("resp"), b'{"result":{"e1":7}}'),
        (STATION.topic("resp"), b'{"result":{"e1":{"gone":[[3,1]]}}}'),
        (STATION.topic("resp"), b'{"result":{"e1":{"gone":"all"}}}'),
        (STATION.topic("resp"), b" " * (replay.MOST_BYTES + 1)),
        (STATION.topic("events"), b"{}"),
        ("v1/a/resp", b"{}"),
    ],
)
def test_answers_that_are_none(topic, body):
    with pytest.raises(ValueError, match=r"answer|object|needed|JSON|Expecting"):
        gone_of(topic, body)


def test_a_receipt_goes_to_its_station():
    (message,) = receipt_messages(SOURCE, {EPOCH: [(1, 5)]})
    assert message.topic == STATION.topic("ack")
    assert decode_receipt(message.body) == {EPOCH: [(1, 5)]}


def test_no_receipt_is_larger_than_a_station_takes():
    ranges = [(10**17 + n, 10**17 + n) for n in range(0, 200_000, 2)]  # of the largest batch
    messages = receipt_messages(SOURCE, {EPOCH: ranges, "e2": [(1, 2)]})
    told = [decode_receipt(message.body) for message in messages]
    assert [one for receipt in told for one in receipt.get(EPOCH, ())] == ranges
    assert told[-1] == {"e2": [(1, 2)]}
