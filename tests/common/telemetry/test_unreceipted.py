from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.telemetry.outbox_rows import Row
from common.telemetry.ranges import merged
from common.telemetry.receipt import Receipt
from common.telemetry.unreceipted import Unreceipted

EPOCHS = ("a", "b")
numbers = strategies.integers(1, 30)
some_rows = strategies.lists(
    strategies.tuples(strategies.sampled_from(EPOCHS), numbers), unique=True, max_size=8
)
receipts = strategies.dictionaries(
    strategies.sampled_from((*EPOCHS, "c")),
    strategies.lists(strategies.tuples(numbers, strategies.integers(0, 10**9)), max_size=4),
)


def row(epoch: str, event: int) -> Row:
    return Row(seq_of(epoch, event), epoch, event, "verdict", b"", sound=True)


def seq_of(epoch: str, event: int) -> int:
    return event + 1000 * EPOCHS.index(epoch)


class Machine(RuleBasedStateMachine):
    """Beside the slow and obvious: a dictionary of what is known of each event."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = Unreceipted(10.0, 45.0)  # waits 10, 20, 40, 40, …
        self.known: dict[tuple[str, int], float | None] = {}
        """Sent and not settled → when its receipt is due; None while no PUBACK has come."""
        self.again: dict[tuple[str, int], int] = {}
        self.now = 0.0

    def _patience(self, key: tuple[str, int]) -> float:
        return (10.0, 20.0, 40.0)[min(self.again.get(key, 0), 2)]

    def _settle(self, keys: list[tuple[str, int]]) -> None:
        for key in keys:
            self.known.pop(key, None)
            self.again.pop(key, None)

    @rule(keys=some_rows)
    def send(self, keys) -> None:
        self.subject.sent([row(*key) for key in keys])
        for key in keys:
            self.known.setdefault(key, None)

    @rule(keys=some_rows)
    def accept(self, keys) -> None:
        self.subject.accepted([row(*key) for key in keys], self.now)
        for key in set(keys) & set(self.known):
            self.known[key] = self.now + self._patience(key)

    @rule(keys=some_rows)
    def withdraw(self, keys) -> None:
        found = self.subject.withdraw([row(*key) for key in keys])
        assert [(one.epoch, one.event) for one in found] == [k for k in keys if k in self.known]
        self._settle(keys)

    @rule(keys=some_rows)
    def vanish(self, keys) -> None:
        self.subject.vanished([seq_of(*key) for key in keys])
        self._settle(keys)

    @rule(named=receipts)
    def confirm(self, named) -> None:
        receipt = _receipt(named)
        expected = self._named(receipt)
        assert sorted(self.subject.confirmed(receipt)) == sorted(seq_of(*k) for k in expected)
        self._settle(expected)

    @rule(named=receipts)
    def ask_again(self, named) -> None:
        receipt = _receipt(named)
        expected = [key for key in self._named(receipt) if self.known[key] is not None]
        assert sorted(self.subject.asked_again(receipt)) == sorted(
            seq_of(*key) for key in expected
        )
        for key in expected:
            self.known[key] = None

    @rule(seconds=strategies.sampled_from((0.0, 5.0, 10.0, 20.0, 40.0)))
    def wait(self, seconds) -> None:
        self.now += seconds
        due = [key for key, at in self.known.items() if at is not None and at <= self.now]
        assert sorted(self.subject.overdue(self.now)) == sorted(seq_of(*key) for key in due)
        for key in due:
            self.known[key] = None
            self.again[key] = self.again.get(key, 0) + 1

    def _named(self, receipt: Receipt) -> list[tuple[str, int]]:
        return [
            (epoch, event)
            for epoch, event in self.known
            if any(first <= event <= last for first, last in receipt.get(epoch, []))
        ]

    @invariant()
    def counts(self) -> None:
        assert self.subject.count == len(self.known)
        assert self.subject.late == bool(self.again)


def _receipt(named) -> Receipt:
    return {
        epoch: merged((first, first + more) for first, more in ranges)
        for epoch, ranges in named.items()
    }


TestUnreceipted = Machine.TestCase
TestUnreceipted.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_receipt_of_many_and_huge_ranges_is_read_in_a_moment() -> None:
    """Pair by pair it would run into the tests' time limit, number by number never end."""
    subject = Unreceipted(10.0, 40.0)
    subject.sent([row("a", number) for number in range(1, 20_001)])
    hostile = [(number, number) for number in range(100_000, 300_000, 2)]
    for _ in range(5):
        assert subject.confirmed({"a": [*hostile, (10**9, 10**15)]}) == []
    assert len(subject.confirmed({"a": [(1, 10**15)]})) == 20_000


def test_since_is_when_the_first_of_those_waiting_was_taken() -> None:
    subject = Unreceipted(10.0, 40.0)
    assert subject.since is None
    subject.sent([row("a", 1), row("a", 2)])
    subject.accepted([row("a", 1)], 5.0)
    subject.accepted([row("a", 2)], 7.0)
    subject.overdue(60.0)
    subject.accepted([row("a", 1)], 61.0)
    assert subject.since == 5.0
    subject.confirmed({"a": [(1, 1)]})
    assert subject.since == 7.0
