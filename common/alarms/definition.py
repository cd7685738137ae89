"""What makes a condition an alarm: the rationalisation table alarms.toml (ISA-18.2).

One table per alarm. Without a cause, a consequence and something an operator does within
a time it is an event and no alarm; such an entry is refused:

    [plc_unreachable]
    priority = 1
    text = "PLC does not answer"
    cause = "Its power, the network cable or its Modbus server is off."
    consequence = "No verdict reaches the gate; the PLC rejects every part."
    response = "Check the PLC's power and the network cable."
    time_to_respond_s = 300
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import config
from common.config import setting
from common.errors import ConfigError

DAY_S = 86_400.0
SHELVE_MOST_S = 28_800.0
"""8 h, one shift: the longest that any alarm may be shelved."""
NEEDED = ("id", "text", "cause", "consequence", "response", "role")


@dataclass(frozen=True)
class AlarmDefinition:
    """What an operator needs to know of an alarm, and how it behaves."""

    id: str = setting()
    priority: int = setting(low=1, high=4)
    """1 critical, 2 high, 3 medium, 4 low or technical."""
    text: str = setting()
    """What is wrong, as the operator shall read it."""
    cause: str = setting()
    """What it probably comes from."""
    consequence: str = setting()
    """What happens if nobody acts."""
    response: str = setting()
    """What the operator does."""
    time_to_respond_s: float = setting(low=1.0, high=7 * DAY_S, unit="s")
    """How long the response may take before the consequence is there."""
    on_delay_s: float = setting(0.0, low=0.0, high=DAY_S, unit="s")
    off_delay_s: float = setting(0.0, low=0.0, high=DAY_S, unit="s")
    latched: bool = setting(default=False)
    """Held after the process is normal again, until a person resets it."""
    re_alarm_s: float = setting(0.0, low=0.0, high=7 * DAY_S, unit="s")
    """Acknowledged for this long and still abnormal, it sounds again; 0 is never."""
    shelve_max_s: float = setting(SHELVE_MOST_S, low=0.0, high=SHELVE_MOST_S, unit="s")
    """The longest that an operator may shelve it; 0 forbids it."""
    first_out_group: str = setting("")
    """Alarms that one failure sets off together; the first to come is marked."""
    first_out_s: float = setting(10.0, low=0.0, high=3600.0, unit="s")
    """How long after the first of its group it still counts as what followed from it."""
    role: str = setting("operator")
    """Who responds."""
    place: str = setting("")
    """Of many alike the one that it is about, e.g. "Bed 3"; `text` begins with it."""

    def __post_init__(self) -> None:
        for name in NEEDED:
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty: without it this is no alarm but an event")


def at_place(definition: AlarmDefinition, alarm_id: str, place: str) -> AlarmDefinition:
    """The same alarm of one of many, e.g. of Bed 3; its text says so."""
    text = f"{place}: {definition.text}"
    return replace(definition, id=alarm_id, text=text, place=place)


def load_definitions(path: Path) -> dict[str, AlarmDefinition]:
    """The alarms of alarms.toml by id.

    Raises ConfigError where one lacks what makes it an alarm.
    """
    tables = config.read_toml(path)
    return {alarm_id: _definition(alarm_id, tables[alarm_id], path) for alarm_id in tables}


def _definition(alarm_id: str, table: Any, path: Path) -> AlarmDefinition:
    if not isinstance(table, dict) or "id" in table:
        raise ConfigError(
            f"{path}: {alarm_id} must be a table [{alarm_id}] without an id of its own"
        )
    return config.from_table(AlarmDefinition, {**table, "id": alarm_id}, path, alarm_id)
