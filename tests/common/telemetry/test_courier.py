"""One sink's way out, whatever the receiver speaks: order, patience, dead letters, state."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.courier import PATIENCE, TAKEN, Answer, BackOffSettings, Courier
from common.telemetry.drain import Verdict
from common.telemetry.event import Event
from common.telemetry.outbox import Message, Outbox
from common.telemetry.outbox_rows import MQTT, SIEM, Backlog

WAIT_S = 15.0
QUICK = BackOffSettings(0.01, 0.05)
LATER = Answer(Verdict.LATER, "busy", answered=True)
AWAY = Answer(Verdict.LATER, "nobody there")


class Receiver:
    """Says what `judge` says of each event's text."""

    name = "fake"

    def __init__(self) -> None:
        self.judge: Callable[[str], Answer] = lambda _: TAKEN
        self.tried: list[str] = []
        self.taken: list[str] = []
        self.closed = False
        self.life: Answer | None = None

    def probe(self) -> Answer | None:
        return self.life

    def render(self, event: Event) -> str | None:
        text = str(event.data["text"])
        if text == "broken":
            raise KeyError("what it needs")
        return None if text == "not for it" else text

    def send(self, message: str) -> Answer:
        self.tried.append(message)
        answer = self.judge(message)
        if answer.verdict is Verdict.DELIVERED:
            self.taken.append(message)
        return answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def courier(store: Store, receiver: Receiver) -> Iterator[Courier[str]]:
    """Not started yet."""
    made = Courier(store, SIEM, receiver, QUICK)
    yield made
    made.stop()


def tell(store: Store, *texts: str, of_class: str = "alarm", subject: str = "") -> None:
    """One event per text, each about something else unless there is a `subject`."""
    outbox = Outbox(source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock)
    for text in texts:
        about, data = subject or text, {"text": text}
        message = Message(of_class, "lineside.test.v1", about, data, 1.0, (MQTT, SIEM))
        store.submit(lambda c, m=message: outbox.append(c, m)).result(WAIT_S)


def waiting(store: Store, sink: str = SIEM) -> Backlog:
    with closing(open_readonly(store.path)) as connection:
        return rows.backlog(connection, sink)


def reasons(store: Store) -> list[str]:
    with closing(open_readonly(store.path)) as connection:
        return [letter.reason for letter in rows.dead_letters(connection)]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_messages_go_in_order_and_are_deleted(store, receiver, courier):
    tell(store, "1", "2")
    courier.start()
    until(lambda: waiting(store).count == 0)
    tell(store, "3")
    until(lambda: waiting(store).count == 0)
    assert receiver.taken == ["1", "2", "3"]
    until(lambda: (courier.state().sent, courier.state().online) == (3, True))
    assert waiting(store, MQTT).count == 3, "the other sink's are untouched"


def test_alarms_go_before_what_can_wait(store, receiver, courier):
    tell(store, "sample", of_class="sample")
    tell(store, "verdict", of_class="verdict")
    tell(store, "audit", of_class="audit")
    tell(store, "alarm")
    courier.start()
    until(lambda: waiting(store).count == 0)
    assert receiver.taken == ["alarm", "audit", "verdict", "sample"]


def test_what_is_not_for_it_is_passed_over_and_counted(store, receiver, courier):
    tell(store, "1", "not for it", "2")
    courier.start()
    until(lambda: waiting(store).count == 0)
    assert (receiver.taken, courier.passed_over) == (["1", "2"], 1)


def test_what_cannot_be_rendered_holds_up_nothing(store, receiver, courier):
    tell(store, "broken", "2")
    courier.start()
    until(lambda: waiting(store) == Backlog(0, None, 1))
    assert receiver.taken == ["2"]
    assert "cannot be rendered for siem (KeyError: 'what it needs')" in reasons(store)[0]


def test_a_refusal_is_a_dead_letter_and_no_word_of_it_is_logged(
    store, receiver, courier, caplog
):
    caplog.set_level("DEBUG")
    receiver.judge = lambda text: Answer(Verdict.NEVER, "Smith?") if text == "1" else TAKEN
    tell(store, "1", "2")
    courier.start()
    until(lambda: waiting(store) == Backlog(0, None, 1))
    assert reasons(store) == ["Smith?"]
    assert "Smith" not in caplog.text
    until(lambda: courier.state().dead == 1)


def test_away_is_waited_for_in_order(store, receiver, courier):
    receiver.judge = lambda _: AWAY
    tell(store, "1", "2", "3")
    courier.start()
    until(lambda: len(receiver.tried) > 3 * PATIENCE)
    until(lambda: courier.state().queued == 3)
    assert set(receiver.tried) == {"1"}, "the first waits, and all wait behind it"
    assert (courier.state().online, courier.state().reason) == (False, "nobody there")
    receiver.judge = lambda _: TAKEN
    until(lambda: waiting(store).count == 0)
    assert receiver.taken == ["1", "2", "3"]


def test_one_that_is_put_off_for_ever_is_found_by_the_next(store, receiver, courier):
    receiver.judge = lambda text: LATER if text == "1" else TAKEN
    tell(store, "1", "2", "3")
    courier.start()
    until(lambda: waiting(store) == Backlog(0, None, 1))
    assert receiver.taken == ["2", "3"]
    assert receiver.tried[: PATIENCE + 2] == ["1"] * PATIENCE + ["2", "1"]
    assert reasons(store) == [f"put off {PATIENCE + 1} times while others were taken: busy"]


def test_trouble_that_ends_just_then_is_no_message_s_fault(store, receiver, courier):
    """The first is put off once more, then the next one is taken: both are sound."""
    receiver.judge = lambda _: LATER if len(receiver.tried) <= PATIENCE else TAKEN
    tell(store, "1", "2", "3")
    courier.start()
    until(lambda: waiting(store).count == 0)
    assert waiting(store).dead == 0
    assert receiver.taken == ["2", "1", "3"]


def test_of_one_subject_nothing_overtakes(store, receiver, courier):
    """An end must not arrive before its beginning."""
    receiver.judge = lambda text: LATER if text == "start" else TAKEN
    tell(store, "start", "end", subject="alarm/1")
    tell(store, "other")
    courier.start()
    until(lambda: waiting(store) == Backlog(0, None, 1))
    assert receiver.taken == ["other", "end"]
    assert receiver.tried.index("other") < receiver.tried.index("end")
    assert receiver.tried[receiver.tried.index("end") :] == ["end"]


def test_what_was_passed_over_proves_nothing(store, receiver, courier):
    receiver.judge = lambda _: LATER
    tell(store, "1", *["not for it"] * (2 * PATIENCE))
    courier.start()
    until(lambda: courier.passed_over == 2 * PATIENCE)
    until(lambda: len(receiver.tried) > 4 * PATIENCE)
    assert waiting(store).dead == 0


def test_one_that_is_put_off_alone_is_tried_on(store, receiver, courier):
    receiver.judge = lambda _: LATER
    tell(store, "1")
    courier.start()
    until(lambda: len(receiver.tried) > 2 * PATIENCE)
    assert waiting(store) == Backlog(1, waiting(store).oldest_wall_time, 0)
    receiver.judge = lambda _: TAKEN
    until(lambda: waiting(store).count == 0)


def test_a_receiver_that_puts_off_everything_is_no_message_s_fault(store, receiver, courier):
    receiver.judge = lambda _: LATER
    tell(store, "1", "2")
    courier.start()
    until(lambda: receiver.tried.count("1") > 3 * PATIENCE)
    assert "2" in receiver.tried
    assert waiting(store).dead == 0


def test_a_receiver_that_goes_is_missed_before_anything_waits(store, receiver, courier):
    receiver.life = TAKEN
    courier.start()
    until(lambda: courier.state().online)
    receiver.life = AWAY
    until(lambda: not courier.state().online)
    assert (courier.state().reason, courier.state().queued) == ("nobody there", 0)
    receiver.life = None
    tell(store, "1")
    until(lambda: courier.state().online)
    assert receiver.taken == ["1"]


def test_a_bug_of_a_receiver_ends_nothing(store, receiver, courier, caplog):
    said = threading.Event()

    def judge(_text: str) -> Answer:
        if not said.is_set():
            said.set()
            raise ZeroDivisionError
        return TAKEN

    receiver.judge = judge
    tell(store, "1")
    courier.start()
    until(lambda: waiting(store).count == 0)
    assert "siem: a bug; going on" in caplog.text


def test_the_end_closes_the_receiver_and_keeps_what_waits(store, receiver):
    receiver.judge = lambda _: AWAY
    made = Courier(store, SIEM, receiver, QUICK)
    tell(store, "1")
    made.start()
    until(lambda: bool(receiver.tried))
    made.stop()
    assert receiver.closed
    assert waiting(store).count == 1


def test_it_need_not_have_been_started(store, receiver):
    Courier(store, SIEM, receiver, QUICK).stop()
    assert receiver.closed
