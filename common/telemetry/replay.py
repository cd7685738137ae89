"""What a station still holds of the events that a collector asks for once more.

What it holds will be sent, be it for the first time or again; what it does not hold was
confirmed or dropped and is told as gone, so that nobody asks for it for ever.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.canonical import canonical_json
from common.storage.epoch import present
from common.telemetry import ranges
from common.telemetry.outbox_rows import DEAD
from common.telemetry.ranges import Range
from common.telemetry.receipt import Receipt, decode_receipt

MOST_EPOCHS = 20
"""In one request: each costs a look through the outbox."""
MOST_TOLD = 500
"""Ranges gone, and dead, of an epoch: an answer must fit into a broker's packet. Whoever
takes note of them asks again for the rest."""


@dataclass(slots=True)
class Held:
    """Which events of an epoch wait in the outbox, and which are dead letters in it."""

    waiting: list[Range] = field(default_factory=list)
    dead: list[Range] = field(default_factory=list)


def asked_for(args: Mapping[str, Any]) -> Receipt:
    """Epoch → ranges, as in a receipt; raises ReceiptError or ValueError."""
    if len(args) > MOST_EPOCHS:
        raise ValueError(f"{len(args)} epochs, {MOST_EPOCHS} at once are allowed")
    return decode_receipt(canonical_json(args).encode())


def answer_replay(
    connection: sqlite3.Connection, sink: str, asked: Receipt
) -> dict[str, dict[str, Any]]:
    """Per epoch how many of the events `asked` for `sink` will come, and which are gone.

    "dead" holds those that a broker refused for good: they come once they are revived.
    """
    # What has been given a number is read first: an event that comes in between is no loss.
    given = {epoch: _given(connection, epoch, wanted) for epoch, wanted in asked.items()}
    return {
        epoch: _told(held(connection, sink, epoch, wanted), wanted)
        for epoch, wanted in given.items()
    }


def _told(there: Held, wanted: Iterable[Range]) -> dict[str, Any]:
    resent, gone, dead = 0, [], []
    for first, last in wanted:
        missing = ranges.missing(there.waiting, first, last)
        resent += last - first + 1 - ranges.count(missing)
        gone += [gap for hole in missing for gap in ranges.missing(there.dead, *hole)]
        dead += [one for hole in missing for one in _common(there.dead, *hole)]
    told = {"resent": resent, "gone": gone[:MOST_TOLD]}
    return told | ({"dead": dead[:MOST_TOLD]} if dead else {})


def _common(known: Iterable[Range], first: int, last: int) -> list[Range]:
    return [(max(first, a), min(last, b)) for a, b in known if a <= last and b >= first]


def held(connection: sqlite3.Connection, sink: str, epoch: str, wanted: list[Range]) -> Held:
    """What the outbox holds between the first and the last of `wanted`.

    A look through all of it, for no index serves this: to be done beside the station's work.
    """
    found = Held()
    if not wanted:
        return found
    rows = connection.execute(
        "SELECT event, state FROM outbox NOT INDEXED WHERE sink = ? AND epoch = ?"
        " AND event BETWEEN ? AND ? ORDER BY seq",
        (sink, epoch, wanted[0][0], wanted[-1][1]),
    )
    for event, state in rows:
        into = found.dead if state == DEAD else found.waiting
        if into and into[-1][1] == event - 1:
            into[-1] = (into[-1][0], event)
        else:
            into.append((event, event))
    return Held(ranges.merged(found.waiting), ranges.merged(found.dead))


def _given(connection: sqlite3.Connection, epoch: str, wanted: list[Range]) -> list[Range]:
    """`wanted` without numbers that no event of this epoch has been given yet."""
    now = present(connection)
    if now is None or now.epoch != epoch:
        return wanted
    return [(first, min(last, now.sequence)) for first, last in wanted if first <= now.sequence]
