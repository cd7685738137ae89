import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.receipt import encode_receipt
from tests.common.telemetry.scripted_broker import (
    HangUp,
    Published,
    ScriptedBroker,
    disconnect,
    honest,
    puback,
)
from tests.common.telemetry.uplink_rig import BASE, send, tell, until, waiting


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


@pytest.fixture
def broker(stack: ExitStack) -> ScriptedBroker:
    return stack.enter_context(closing(ScriptedBroker()))


def dead_reasons(store: Store) -> dict[int, str]:
    with closing(open_readonly(store.path)) as connection:
        return {letter.event: letter.reason for letter in rows.dead_letters(connection)}


def silent(_: Published) -> bytes:
    return b""


def only_events(script):
    """The script for batches of events; all else is answered honestly."""
    return lambda message: script(message) if message.leaf == "events" else honest(message)


def test_one_that_takes_everything_and_answers_nothing(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    broker.script = silent
    sent = tell(store, 5)
    uplink = send(store, broker, stack, ack_timeout_s=1.0)
    until(lambda: "no acknowledgement for 1 s" in uplink.state().reason)
    until(lambda: broker.connections > 2)
    again = [one for one in broker.heard if one.leaf == "events"]
    assert again[0].events == again[-1].events == sent[:2], "a small batch, to begin with"
    assert again[-1].dup
    assert waiting(store).count == 5
    broker.script = honest
    until(lambda: waiting(store).count == 0)


@pytest.mark.parametrize("code", [0x80, 0x83, 0x91, 0x97])
def test_one_that_says_not_now(
    store: Store, broker: ScriptedBroker, stack: ExitStack, code: int
) -> None:
    broker.script = only_events(lambda message: puback(message.mid, code))
    sent = tell(store, 5)
    uplink = send(store, broker, stack)
    until(lambda: "the broker delays" in uplink.state().reason)
    until(lambda: len(broker.events()) > 10)
    assert waiting(store).count == 5
    assert uplink.state().online
    broker.script = honest
    until(lambda: waiting(store).count == 0)
    assert broker.events()[-5:] == sent
    until(lambda: uplink.state().reason == "")


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0x87, "Not authorized (0x87)"), (0x90, "Topic name invalid (0x90)")],
)
def test_one_that_refuses_for_good(
    store: Store, broker: ScriptedBroker, stack: ExitStack, code: int, reason: str
) -> None:
    broker.script = only_events(lambda message: puback(message.mid, code))
    sent = tell(store, 3)
    uplink = send(store, broker, stack)
    until(lambda: waiting(store).dead == 3)
    assert sorted(dead_reasons(store)) == sent
    assert all(reason in told for told in dead_reasons(store).values())
    until(lambda: "refuses events for good" in uplink.state().reason)
    assert broker.events() == sent, "once is enough for a permanent refusal"


def test_one_to_whose_liking_a_single_row_is_not(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    def picky(message: Published) -> bytes:
        return puback(message.mid, 0x99 if 13 in message.events else 0)

    broker.script = only_events(picky)
    tell(store, 30)
    send(store, broker, stack, batch_rows=10)
    until(lambda: waiting(store).count == 0)
    assert dead_reasons(store) == {13: "Payload format invalid (0x99)"}


@pytest.mark.parametrize("code", [0x81, 0x82, 0x95, 0x99])
def test_one_that_hangs_up_on_a_row(
    store: Store, broker: ScriptedBroker, stack: ExitStack, code: int
) -> None:
    def touchy(message: Published) -> bytes:
        if 3 in message.events:
            raise HangUp(disconnect(code))
        return puback(message.mid)

    broker.script = only_events(touchy)
    tell(store, 6)
    send(store, broker, stack)
    until(lambda: waiting(store).count == 0)
    assert list(dead_reasons(store)) == [3]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x8B, "it is shutting down"),
        (0x8E, "two stations with one identity?"),
        (0x93, "more was sent at once than it takes"),
        (0x96, "too much is sent to it"),
        (0x97, "quota there is used up"),
    ],
)
def test_one_that_ends_the_connection_and_says_why(
    store: Store, broker: ScriptedBroker, stack: ExitStack, code: int, reason: str
) -> None:
    def tired(message: Published) -> bytes:
        raise HangUp(disconnect(code))

    broker.script = only_events(tired)
    tell(store, 4)
    uplink = send(store, broker, stack)
    until(lambda: reason in uplink.state().reason)
    broker.script = honest
    until(lambda: waiting(store).count == 0)
    assert dead_reasons(store) == {}


@pytest.mark.parametrize(
    ("code", "reason"), [(0x86, "user name or password is wrong"), (0x89, "it is busy")]
)
def test_one_that_does_not_let_us_in(
    store: Store, broker: ScriptedBroker, stack: ExitStack, code: int, reason: str
) -> None:
    broker.connack = code
    tell(store, 2)
    uplink = send(store, broker, stack)
    until(lambda: reason in uplink.state().reason)
    assert not uplink.state().online
    broker.connack = 0
    until(lambda: waiting(store).count == 0)


@pytest.mark.parametrize("acknowledges", [False, True])
def test_one_that_closes_after_each_packet(
    store: Store, broker: ScriptedBroker, stack: ExitStack, acknowledges: bool
) -> None:
    def shy(message: Published) -> bytes:
        raise HangUp(puback(message.mid) if acknowledges else b"")

    broker.script = shy
    tell(store, 20)
    uplink = send(store, broker, stack, batch_rows=5)
    until(lambda: broker.connections > 8)
    if not acknowledges:
        assert waiting(store).count == 20
        until(lambda: "connection lost" in uplink.state().reason)
        broker.script = honest
    until(lambda: waiting(store).count == 0)
    assert set(broker.events()) == set(range(1, 21))
    assert dead_reasons(store) == {}


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_never_more_is_under_way_than_the_broker_takes(
    store: Store, broker: ScriptedBroker, stack: ExitStack, most: int
) -> None:
    held: list[int] = []

    def slow(message: Published) -> bytes:
        held.append(message.mid)
        if len(held) < max(1, most - 1):  # one place is for the station's own messages
            return b""
        said = b"".join(puback(mid) for mid in held)
        held.clear()
        return said

    broker.script, broker.receive_maximum = only_events(slow), most
    send(store, broker, stack, batch_rows=1, ack_timeout_s=1.0)
    until(lambda: broker.heard)
    tell(store, 30)
    until(lambda: len(set(broker.events())) > 5)
    assert broker.outstanding_at_most <= most
    broker.script = honest
    until(lambda: waiting(store).count == 0)
    assert broker.outstanding_at_most <= most


def test_no_packet_is_larger_than_the_broker_takes(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    broker.maximum_packet_size = 3000
    noise = random.Random(3)  # noqa: S311 - text that zstd cannot make small
    for _ in range(20):
        tell(store, 1, text="".join(chr(noise.randrange(0x4E00, 0x9E00)) for _ in range(250)))
    tell(store, 1, text="".join(chr(noise.randrange(0x4E00, 0x9E00)) for _ in range(2000)))
    send(store, broker, stack)
    until(lambda: waiting(store).count == 0)
    assert max(one.size for one in broker.heard) <= 3000
    assert [told.partition("bytes, ")[2] for told in dead_reasons(store).values()] == [
        "the broker takes 3000"
    ]


def test_one_whose_limits_shrink_from_one_connection_to_the_next(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    broker.script = only_events(silent)
    uplink = send(store, broker, stack, batch_rows=1)
    until(lambda: uplink.state().online)
    sent = tell(store, 30)
    until(lambda: len(broker.events()) == 30)
    broker.script, broker.receive_maximum = honest, 5
    broker.outstanding_at_most = 0
    broker.cut()
    until(lambda: waiting(store).count == 0)
    assert set(broker.events()) == set(sent)
    assert broker.outstanding_at_most <= 5


def test_one_that_does_not_let_us_hear_receipts(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    broker.suback = 0x87
    uplink = send(store, broker, stack, durable_on="receipt")
    until(lambda: "refuses to let this station hear" in uplink.state().reason)
    assert f"{BASE}/ack" in uplink.state().reason


@pytest.mark.parametrize(
    "junk",
    [
        b"\x32\x05\x00\xff\xff\xff\xff",
        b"\x40\x02\xff\xff" * 3,
        b"\xf0\xff\xff\xff\x7f",
        b"\x20\x00",
        b"\x32\x0a\x00\x02\xc3\x28\x00\x01\x00abc",
        b"\x00" * 100,
    ],
)
def test_one_that_sends_junk(
    store: Store, broker: ScriptedBroker, stack: ExitStack, junk: bytes
) -> None:
    uplink = send(store, broker, stack, durable_on="receipt")
    until(lambda: uplink.state().online)
    broker.say(junk)
    broker.cut()
    sent = tell(store, 3)
    until(lambda: set(broker.events()) >= set(sent))
    broker.publish(f"{BASE}/ack", encode_receipt({"e": [(1, 3)]}))
    until(lambda: waiting(store).count == 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"e":[[1]]}',
        b'{"e":[[3,1]]}',
        b'{"e":[["1","3"]]}',
        b'{"e":[[1,3]]',
        b'{"e":{"1":3}}',
        b'{"e":[[1.0,3.0]]}',
        b'{"e":[[true,3]]}',
        b"[" * 50_000,
        b'{"e":[[1,3]]}' + b" " * (1 << 20),
        encode_receipt({"another epoch": [(1, 3)], "": [(1, 10**30)]}),
    ],
)
def test_a_broken_receipt_deletes_nothing_and_stops_nothing(
    store: Store, broker: ScriptedBroker, stack: ExitStack, body: bytes
) -> None:
    uplink = send(store, broker, stack, durable_on="receipt")
    tell(store, 3)
    until(lambda: len(broker.events()) == 3)
    broker.publish(f"{BASE}/ack", body)
    whole = body.startswith(b'{"":')
    until(lambda: uplink.state().refused == (0 if whole else 1))
    assert waiting(store).count == 3
    broker.publish(f"{BASE}/ack", encode_receipt({"e": [(1, 3)]}))
    until(lambda: waiting(store).count == 0)
    assert [one.leaf for one in broker.heard].count("status") == 1, "it stayed connected"


class Capricious:
    """Does now this, now that; what it takes without more ado is committed somewhere."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test's dice
        self.committed: set[int] = set()

    def __call__(self, message: Published) -> bytes:
        mood = self.chance.randrange(9)
        if mood < 3:
            code = self.chance.choice((0x8B, 0x93, 0x97))
            raise HangUp((b"", puback(message.mid), disconnect(code))[mood])
        if mood < 6:
            code = self.chance.choice((0x10, 0x80, 0x97))
            return (b"", puback(message.mid) * 2, puback(message.mid, code))[mood - 3]
        return self.keep(message)

    def keep(self, message: Published) -> bytes:
        if message.leaf == "events":
            self.committed.update(message.events)
        return puback(message.mid)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_broker_does_no_event_is_lost(
    store: Store, broker: ScriptedBroker, stack: ExitStack, seed: int
) -> None:
    broker.script = moods = Capricious(seed)
    uplink = send(
        store, broker, stack, durable_on="receipt", batch_rows=7, receipt_timeout_s=0.2,
        receipt_timeout_cap_s=0.4, ack_timeout_s=1.0,
    )  # fmt: skip
    sent = [n for _ in range(20) for n in tell(store, 10)]
    until(lambda: broker.connections > 10)
    broker.script = moods.keep
    until(lambda: uplink.state().online)

    def settled() -> bool:
        confirmed = {"e": [(n, n) for n in sorted(moods.committed)]}
        broker.publish(f"{BASE}/ack", encode_receipt(confirmed), moods.chance.randrange(1, 9))
        return waiting(store).count == 0

    until(settled)
    assert moods.committed == set(sent)
    assert dead_reasons(store) == {}


def test_one_whose_answers_make_no_sense_is_said_and_costs_nothing(
    store: Store, broker: ScriptedBroker, stack: ExitStack
) -> None:
    broker.script = only_events(lambda message: puback(message.mid, 0x42))
    tell(store, 3)
    uplink = send(store, broker, stack)
    until(lambda: broker.connections > 2)
    until(lambda: not uplink.state().online)
    assert uplink.state().reason
    broker.script = honest
    until(lambda: waiting(store).count == 0)
