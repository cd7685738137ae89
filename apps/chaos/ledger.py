"""The books are closed: what became of every event that the station was promised to keep.

    accepted = stored upstream + still queued and not stored + dropped and counted + lost

Arithmetic on sets of ids, nothing else; `lost` is what is left over. Beside the accepted
events, every sequence number that the station ever gave has to be somewhere, too, and the
drops have to be counted to the last one, in the station's table and in what it tells.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from common.telemetry.outbox_loss import DROPPED

NOTHING_WRONG = (
    "lost", "duplicates_stored", "altered", "unaccounted", "invented", "drops_miscounted",
    "records_lost", "replaced", "gaps_unexplained",
)  # fmt: skip
"""Figures that are 0 when all went well."""
LOSES, CORRUPTS = "control: normal", "control: off"
"""The settings that have to lose events, or to corrupt the file: they prove the harness."""


@dataclass(frozen=True, slots=True)
class Promise:
    """An event whose future resolved."""

    of_class: str
    subject: str
    """Of the event, and of its local record."""
    mark: int
    """Fingerprint of what it says."""


@dataclass(slots=True)
class Books:
    """What the three witnesses say: who was promised, the station's file, the archive."""

    accepted: dict[str, Promise] = field(default_factory=dict)
    """By id."""
    stored: list[tuple[str, int | None]] = field(default_factory=list)
    """Id and fingerprint of every row of the archive; None for events not the producer's."""
    queued: set[str] = field(default_factory=set)
    """In the station's outbox, waiting or dead, and sound."""
    dropped: dict[str, str] = field(default_factory=dict)
    """Id → class, as seen at the moment of dropping."""
    given: set[str] = field(default_factory=set)
    """All ids that the station has ever given to anything."""
    counted: Counter[str] = field(default_factory=Counter)
    """Class → drops in the station's table."""
    told: Counter[str] = field(default_factory=Counter)
    """Class → drops in the events that tell of them, and those not told yet."""
    records: set[str] = field(default_factory=set)
    """Subjects of the station's local records."""
    records_dropped: int = 0
    """Of these, gone for want of space and counted."""
    replaced: int = 0
    """Files that the station moved aside as damaged."""
    untold: int = 0
    """Drops of which the station has yet to tell."""
    gaps: int = 0
    """Events that the archive itself misses and can explain by no telling."""


def close(books: Books) -> dict[str, int]:
    """The figures; those of NOTHING_WRONG are 0 when all went well."""
    promised = set(books.accepted)
    archive = {event for event, _ in books.stored}
    queued = books.queued - archive
    dropped = set(books.dropped) - archive - queued
    return {
        "accepted": len(promised),
        "stored": len(promised & archive),
        "queued": len(promised & queued),
        "dropped_counted": len(promised & dropped),
        "lost": len(promised - archive - queued - dropped),
        "duplicates_stored": len(books.stored) - len(archive),
        "altered": _altered(books),
        "unaccounted": len(books.given - archive - queued - dropped),
        "invented": len(archive - books.given),
        "drops_miscounted": _miscounted(books),
        "records_lost": _records_lost(books),
        "replaced": books.replaced,
        # While something is queued or untold, not every telling can have arrived.
        "gaps_unexplained": 0 if queued or books.untold else books.gaps,
    }


def _records_lost(books: Books) -> int:
    """Local records of accepted events that went without being counted."""
    gone = sum(promise.subject not in books.records for promise in books.accepted.values())
    return max(0, gone - books.records_dropped)


def _altered(books: Books) -> int:
    """Accepted events that arrived saying something else."""
    return sum(
        event in books.accepted and mark != books.accepted[event].mark
        for event, mark in books.stored
    )


def _miscounted(books: Books) -> int:
    seen = Counter(books.dropped.values())
    return _difference(seen, books.counted) + _difference(seen, books.told)


def _difference(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    keys: Set[str] = set(one) | set(other)
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in keys)


def told_of(type_: str, data: Any) -> Counter[str]:
    """Class → drops told by an event; none by one that tells of something else."""
    return Counter({data["class"]: data["count"]}) if type_ == DROPPED else Counter()
