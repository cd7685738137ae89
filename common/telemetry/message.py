"""What a station has to say, before it has a number and an envelope.

It is spelled as JSON when it is made: what becomes of the data afterwards, in whatever
thread, does not change what is told. What is wrong with it is told when it is put in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.storage.failures import StoreError
from common.telemetry.event import Spelled, spell
from common.telemetry.outbox_rows import MQTT, PRIORITIES, SINKS


class BadMessage(StoreError, ValueError):
    """What cannot be an event: the text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell; `data` holds JSON values only."""

    of_class: str
    """alarm, audit, verdict, metric or sample."""
    type: str
    """E.g. "lineside.inspection.verdict.v1"."""
    subject: str
    data: Mapping[str, Any]
    time: float
    """When it happened: UTC, seconds since 1970."""
    sinks: tuple[str, ...] = (MQTT,)
    spelled: Spelled = field(init=False, repr=False, compare=False)
    """Empty where something is wrong."""
    wrong: str = field(init=False, repr=False, compare=False)
    """Why it cannot be an event; empty when it can."""

    def __post_init__(self) -> None:
        wrong, spelled = self._why_wrong(), Spelled("", "")
        if not wrong:
            try:
                spelled = spell(self.type, self.subject, self.time, self.data)
            except (ValueError, TypeError, RecursionError, OverflowError, OSError) as error:
                wrong = str(error) or type(error).__name__
        object.__setattr__(self, "spelled", spelled)
        object.__setattr__(self, "wrong", wrong)

    def _why_wrong(self) -> str:
        if self.of_class not in PRIORITIES:
            return f"class {self.of_class!r} is none of {', '.join(PRIORITIES)}"
        if not self.type or not isinstance(self.type, str):
            return "it has no type"
        if not isinstance(self.subject, str) or not isinstance(self.data, dict):
            return "its subject must be a text and its data a JSON object"
        if not self.sinks or not SINKS.issuperset(self.sinks):
            return f"sinks {self.sinks!r} are none of {', '.join(sorted(SINKS))}"
        return ""

    def bad(self, why: str) -> BadMessage:
        """The error that says what is wrong with this one."""
        return BadMessage(f"event {str(self.type)[:80]!r}: {why[:200]}")
