import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from common.clock import HeldClock
from common.store import Store, StoreSettings
from common.store_queries import open_readonly
from common.telemetry import outbox_rows as rows
from common.telemetry.drain import Drain
from common.telemetry.event import decode_batch
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, Message, Outbox
from common.telemetry.sender import NoLongerFits, Sender
from common.telemetry.topics import Identity

WAIT_S = 10.0
SELF = Identity("acme", "plant1", "line2", "cam01", "inspection")


class Wire:
    """Takes the place of paho's client: keeps what is published, by packet id."""

    def __init__(self) -> None:
        self.sent: dict[int, list[int]] = {}
        self.topics: dict[int, str] = {}
        self.backlog: dict[int, bool] = {}
        self.full = False

    def publish(self, topic: str, body: bytes, *, qos: int, properties) -> SimpleNamespace:
        assert qos == 1
        if self.full:
            return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_QUEUE_SIZE, mid=0)
        mid = len(self.sent) + 1
        about = dict(getattr(properties, "UserProperty", []))
        events = decode_batch(body, about.get("content-encoding", ""))
        self.sent[mid] = [event.sequence for event in events]
        self.topics[mid] = topic.rpartition("/")[2]
        self.backlog[mid] = about.get("historical") == "true"
        return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_SUCCESS, mid=mid)


class Line:
    """A sender between a real store and a wire, on a time of its own."""

    def __init__(self, store: Store, **settings) -> None:
        fast = {"backlog_per_s": 10_000.0, "back_off_base_s": 1.0, "back_off_cap_s": 8.0}
        self.store, self.wire, self.now = store, Wire(), 100.0
        self.drain = Drain(store, MQTT)
        self.sender = Sender(self.drain, SELF, UplinkSettings(**{**fast, **settings}))
        self._outbox = Outbox(
            source=SELF.source, epoch="e", boot_id=store.boot_id, clock=store.clock
        )

    def tell(self, count: int, of_class: str = "verdict", text: str = "") -> None:
        message = Message(of_class, "lineside.test.v1", "s", {"text": text}, 1.0)
        for _ in range(count):
            future = self.store.submit(lambda c: self._outbox.append(c, message))
        future.result(WAIT_S)

    def connect(self, **limits: int) -> None:
        self.sender.begin(SimpleNamespace(**limits), self.now)  # type: ignore[arg-type]

    def pump(self, seconds: float = 1.0) -> dict[int, list[int]]:
        """What is newly published."""
        self.now += seconds
        before = set(self.wire.sent)
        self.sender.pump(self.wire, self.now)  # type: ignore[arg-type]
        return {mid: seqs for mid, seqs in self.wire.sent.items() if mid not in before}

    def answer(self, mid: int, code: int = 0) -> None:
        reason = ReasonCode(PacketTypes.PUBACK, identifier=code)
        self.sender.answered(mid, reason, self.now)

    def settle(self) -> rows.Backlog:
        """Let the store take note, and count anew."""
        for _ in range(2):
            self.drain.settle(self.now)
            self.store.submit(lambda _: None).result(WAIT_S)
        return self.drain.look()

    def dead(self) -> list[tuple[int, str]]:
        with closing(open_readonly(self.store.path)) as connection:
            return [(letter.event, letter.reason) for letter in rows.dead_letters(connection)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(group_ms=0.0)
    with closing(Store(tmp_path / "station.db", HeldClock(), settings)) as store:
        yield store


@pytest.fixture
def line(store: Store) -> Iterator[Line]:
    line = Line(store, batch_rows=3)
    with closing(line.drain):
        yield line


def another(store: Store, **settings) -> "closing[Drain]":
    line = Line(store, **settings)
    line.close = line.drain.close  # type: ignore[attr-defined]
    return closing(line)  # type: ignore[arg-type]


def test_a_row_goes_only_with_its_puback(line: Line) -> None:
    line.tell(5)
    line.connect()
    assert line.pump() == {1: [1, 2, 3], 2: [4, 5]}
    assert line.pump() == {}, "nothing is sent twice while it is under way"
    assert line.settle().count == 5
    line.answer(2)
    assert line.settle().count == 3
    line.answer(1)
    assert line.settle().count == 0
    assert line.drain.sent == 5


def test_the_window_is_ours_or_the_brokers_whichever_is_smaller(store: Store) -> None:
    with another(store, batch_rows=1, window=4) as line:
        line.tell(10)
        line.connect()
        assert len(line.pump()) == 4
    with another(store, batch_rows=1, window=4) as line:
        line.connect(ReceiveMaximum=3)
        assert len(line.pump()) == 2, "one place is the status message's"


def test_batches_keep_to_their_bytes(store: Store) -> None:
    with another(store, batch_bytes=3000) as line:
        line.tell(4, text="x" * 1000)
        line.connect()
        assert list(line.pump().values()) == [[1, 2], [3, 4]]


def test_what_is_new_goes_before_what_has_waited(line: Line) -> None:
    line.tell(2)
    line.connect()
    line.tell(1)
    line.tell(1, "alarm")
    assert list(line.pump().values()) == [[4, 3], [1, 2]]
    assert line.wire.backlog == {1: False, 2: True}


def test_the_backlog_is_limited_in_its_rate_but_what_is_new_is_not(store: Store) -> None:
    with another(store, batch_rows=1, backlog_per_s=2.0) as line:
        line.tell(9)
        line.connect()
        assert len(line.pump(0.0)) == 1
        assert len(line.pump(1.0)) == 2
        line.tell(3)
        assert len(line.pump(0.0)) == 3
        assert len(line.pump(0.5)) == 1


def test_a_delay_asked_for_pauses_that_topic_and_sends_again(line: Line) -> None:
    line.tell(2)
    line.connect()
    line.pump()
    line.answer(1, 0x97)
    assert "delays: Quota exceeded" in line.sender.trouble
    line.tell(1, "sample")
    assert line.wire.topics[min(line.pump(0.0))] == "telemetry"
    again = line.pump(8.0)
    assert list(again.values()) == [[1, 2]]
    line.answer(min(again))
    assert line.sender.trouble == ""


def test_the_one_bad_row_of_a_batch_is_found(line: Line) -> None:
    line.tell(3)
    line.connect()
    assert line.pump() == {1: [1, 2, 3]}
    line.answer(1, 0x99)
    for mid, code in ((2, 0), (3, 0x99), (4, 0)):
        assert list(line.pump()) == [mid], "each by itself, one at a time"
        line.answer(mid, code)
        line.settle()
    assert line.dead() == [(2, "Payload format invalid (0x99)")]
    assert line.settle().count == 0
    line.tell(2)
    assert line.pump() == {5: [4, 5]}, "and then on as before"


def test_a_row_on_which_the_broker_hangs_up_is_found(line: Line) -> None:
    line.tell(3)
    for expected in ([1, 2, 3], [1], [2]):
        line.connect()
        (mid,) = line.pump()
        assert line.wire.sent[mid] == expected
        if expected == [1]:
            line.answer(mid)
            line.settle()
            (mid,) = line.pump()
            assert line.wire.sent[mid] == [2]
        line.sender.ground(0x95)
        line.settle()
        if line.dead():
            break
    assert line.dead() == [(2, "the broker disconnects on it (0x95)")]
    line.connect()
    assert list(line.pump().values()) == [[3]]


def test_what_was_under_way_is_cut_anew_when_the_broker_takes_less(line: Line) -> None:
    noise = random.Random(7)  # noqa: S311 - text that zstd cannot make small
    for _ in range(3):
        line.tell(1, text="".join(chr(noise.randrange(0x4E00, 0x9E00)) for _ in range(700)))
    line.connect()
    line.pump()
    with pytest.raises(NoLongerFits):
        line.connect(MaximumPacketSize=4000)
    line.sender.ground()
    line.connect(MaximumPacketSize=4000)
    assert list(line.pump().values()) == [[1], [2], [3]]


def test_a_connection_that_comes_back_keeps_what_paho_sends_again(line: Line) -> None:
    line.tell(4)
    line.connect()
    line.pump()
    line.connect()
    assert line.pump() == {}
    line.answer(1)
    line.answer(2)
    assert line.settle().count == 0


def test_an_answer_that_does_not_come_is_noticed(line: Line) -> None:
    line.connect()
    assert not line.sender.overdue(line.now + 1000.0)
    line.tell(1)
    line.pump()
    assert not line.sender.overdue(line.now + 59.0)
    assert line.sender.overdue(line.now + 61.0)


def test_what_paho_does_not_take_is_sent_later(line: Line) -> None:
    line.tell(1)
    line.connect()
    line.wire.full = True
    assert line.pump() == {}
    line.wire.full = False
    assert line.pump() == {1: [1]}


def test_a_damaged_row_becomes_a_dead_letter(line: Line) -> None:
    line.tell(2)
    rot = "UPDATE outbox SET payload = zeroblob(9) WHERE seq = 1"
    line.store.submit(lambda c: c.execute(rot).close()).result(WAIT_S)
    line.connect()
    assert line.pump() == {1: [2]}
    line.settle()
    assert line.dead() == [(1, "damaged in the store: its checksum is wrong")]


def test_a_store_that_refuses_for_a_while_leads_to_no_second_sending(line: Line) -> None:
    line.tell(1)
    line.connect()
    line.pump()
    line.answer(1)
    hold = "CREATE TRIGGER no BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
    line.store.submit(lambda c: c.execute(hold).close()).result(WAIT_S)
    assert line.settle().count == 1
    assert line.pump() == {}
    line.store.submit(lambda c: c.execute("DROP TRIGGER no").close()).result(WAIT_S)
    line.now += 2.0
    line.settle()
    assert line.settle().count == 0
    assert line.pump() == {}
