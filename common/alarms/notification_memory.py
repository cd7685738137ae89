"""What the notifier remembers from one turn to the next, and over a restart."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

from common.alarms import escalation
from common.alarms.escalation import Escalation
from common.alarms.notification_letters import DELIVERED, Letter, read, spelled
from common.alarms.shelving import Moment

KEY = "notification"
"""Of the document in the meta table."""
SHOWN = 20
"""Receipts that are kept at hand; all are records."""
log = logging.getLogger("lineside.alarms")


@dataclass(frozen=True, slots=True)
class Memory:
    """What one turn hands to the next, and a start to the one after it."""

    escalation: Escalation = field(default_factory=Escalation)
    open: tuple[Letter, ...] = ()
    last: tuple[Letter, ...] = ()
    """The newest receipts, newest first."""
    delivered: int = 0
    refused: int = 0

    def document(self, now: Moment) -> dict[str, Any]:
        """As JSON."""
        return {
            "escalation": escalation.remembered(self.escalation, now),
            "open": spelled(self.open),
            "last": spelled(self.last),
            "delivered": self.delivered,
            "refused": self.refused,
        }

    def closed(self, done: list[Letter]) -> "Memory":
        """The memory once the fate of these letters is known."""
        if not done:
            return self
        gone = {letter.event_id for letter in done}
        delivered = sum(letter.result == DELIVERED for letter in done)
        return replace(
            self,
            open=tuple(letter for letter in self.open if letter.event_id not in gone),
            last=(*reversed(done), *self.last)[:SHOWN],
            delivered=self.delivered + delivered,
            refused=self.refused + len(done) - delivered,
        )


def recalled(document: dict[str, Any] | None, now: Moment) -> Memory:
    """The memory of the last start; an empty one where it makes no sense."""
    if not document:
        return Memory()
    try:
        return Memory(
            escalation.recalled(document["escalation"], now),
            tuple(read(letter) for letter in document["open"]),
            tuple(read(letter) for letter in document["last"]),
            int(document["delivered"]),
            int(document["refused"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("notifications: what was remembered cannot be read (%s)", error)
        return Memory()
