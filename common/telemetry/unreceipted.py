"""Events that have been sent and that no collector has confirmed yet.

A PUBACK says that a broker has a message; a receipt, that it is safe (FLEET fact 1). Between
the two an event is remembered here, by its number alone: its row stays in the outbox. A
receipt that does not come in time has the row sent again, and waits longer after each time.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from common.telemetry.outbox_rows import Row
from common.telemetry.ranges import Range, count
from common.telemetry.receipt import Receipt


@dataclass(slots=True)
class _Late:
    """A row whose receipt did not come in time."""

    first: float
    """When the broker took it for the first time."""
    times: int = 0
    """How often it has been sent again."""


class Unreceipted:
    """Used by one thread only. Times are monotonic seconds of the process."""

    def __init__(self, timeout_s: float, cap_s: float) -> None:
        self._patience = [timeout_s]
        """Seconds to wait for a receipt, by how often the row has been sent again."""
        while self._patience[-1] * 2 <= cap_s:
            self._patience.append(self._patience[-1] * 2)
        self._seqs: dict[str, dict[int, int]] = {}  # epoch → event → seq
        self._waiting = [OrderedDict[int, float]() for _ in self._patience]  # seq → PUBACK
        self._late: dict[int, _Late] = {}  # seq → what is known of one sent again

    @property
    def count(self) -> int:
        """How many events are sent and not confirmed."""
        return sum(map(len, self._seqs.values()))

    @property
    def late(self) -> bool:
        """Whether a receipt has not come in time."""
        return bool(self._late)

    @property
    def since(self) -> float | None:
        """When the broker took the event that has waited longest; None where none waits."""
        first = [late.first for late in self._late.values()]
        return min([*first, *islice(self._waiting[0].values(), 1)], default=None)

    def sent(self, rows: Iterable[Row]) -> None:
        """These are on their way; a receipt may come before the PUBACK does."""
        for row in rows:
            events = self._seqs.get(row.epoch)
            if events is None:
                events = self._seqs[row.epoch] = {}
            events[row.event] = row.seq

    def accepted(self, rows: Iterable[Row], now: float) -> None:
        """The broker has them: from now on the receipt is due."""
        for row in rows:
            if row.event in self._seqs.get(row.epoch, ()):
                self._queue(row.seq)[row.seq] = now

    def withdraw(self, rows: Iterable[Row]) -> list[Row]:
        """Those of `rows` that no receipt has settled: as if they had never been sent."""
        return [row for row in rows if self._forgets(row)]

    def settled(self, rows: Iterable[Row]) -> list[int]:
        """The broker's word is enough for these: the seqs that no receipt has settled."""
        return [row.seq for row in rows if self._forgets(row)]

    def _forgets(self, row: Row) -> bool:
        seq = self._seqs.get(row.epoch, {}).pop(row.event, None)
        if seq is not None:
            self._drop(seq)
        return seq is not None

    def vanished(self, seqs: Iterable[int]) -> None:
        """These rows are no longer in the outbox: dropped for age or for want of space."""
        gone = set(seqs)
        if not gone:
            return
        for epoch, events in self._seqs.items():
            self._seqs[epoch] = {event: seq for event, seq in events.items() if seq not in gone}
        for seq in gone:
            self._drop(seq)

    def confirmed(self, receipt: Receipt) -> list[int]:
        """The seqs of the rows a receipt names; what it names beyond is not ours to judge."""
        found = []
        for epoch, ranges in receipt.items():
            events = self._seqs.get(epoch, {})
            for event in _named(events, ranges):
                found.append(events.pop(event))
                self._drop(found[-1])
            if not events:
                self._seqs.pop(epoch, None)
        return found

    def overdue(self, now: float) -> list[int]:
        """The seqs whose receipt has not come in time, each told once per sending."""
        found: list[int] = []
        for patience_s, waiting in zip(self._patience, self._waiting, strict=True):
            while waiting and next(iter(waiting.values())) + patience_s <= now:
                seq, accepted = waiting.popitem(last=False)
                self._late.setdefault(seq, _Late(accepted)).times += 1
                found.append(seq)
        return found

    def asked_again(self, asked: Receipt) -> list[int]:
        """The seqs of those asked for that wait for their receipt: send them once more."""
        found = []
        for epoch, ranges in asked.items():
            events = self._seqs.get(epoch, {})
            for event in _named(events, ranges):
                seq = events[event]
                if self._queue(seq).pop(seq, None) is not None:
                    found.append(seq)
        return found

    def _queue(self, seq: int) -> OrderedDict[int, float]:
        """Where a row waits that has been sent again so often."""
        late = self._late.get(seq) if self._late else None
        return self._waiting[min(late.times, len(self._waiting) - 1) if late else 0]

    def _drop(self, seq: int) -> None:
        self._queue(seq).pop(seq, None)
        if self._late:
            self._late.pop(seq, None)


def _named(events: dict[int, int], ranges: list[Range]) -> list[int]:
    """Which of `events` lie in `ranges`, at a cost that a huge range cannot drive up."""
    if count(ranges) <= len(events):
        return [n for first, last in ranges for n in range(first, last + 1) if n in events]
    firsts = [first for first, _ in ranges]
    return [n for n in events if (at := bisect_right(firsts, n)) and n <= ranges[at - 1][1]]
