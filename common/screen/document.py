"""Reading a station's JSON without trusting it: what is missing or of another type is None.

A screen must say "–" where a value is missing. It must not fail, and never show a zero.
"""

import math
from collections.abc import Mapping
from typing import Any

from common.screen.language import THIN, decimal

MISSING = "–"


class Document:
    """A JSON object from outside; of anything else an empty one."""

    def __init__(self, value: object = None) -> None:
        self._value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}

    def __bool__(self) -> bool:
        return bool(self._value)

    def at(self, key: str) -> "Document":
        """The object under `key`."""
        return Document(self._value.get(key))

    def number(self, key: str) -> float | None:
        """A finite number."""
        return _number(self._value.get(key))

    def whole(self, key: str) -> int | None:
        """A number without a fraction."""
        value = self.number(key)
        return int(value) if value is not None and value == int(value) else None

    def text(self, key: str) -> str:
        """A text; "" when there is none."""
        value = self._value.get(key)
        return value if isinstance(value, str) else ""

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value = self._value.get(key)
        return value if isinstance(value, bool) else None

    def documents(self, key: str) -> tuple["Document", ...]:
        """The objects in a list."""
        return tuple(Document(v) for v in self._list(key) if isinstance(v, Mapping))

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts in a list."""
        return tuple(v for v in self._list(key) if isinstance(v, str))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers; empty when any of them is not."""
        values = [_number(v) for v in self._list(key)]
        found = tuple(v for v in values if v is not None)
        return found if len(found) == len(values) else ()

    def values(self, key: str) -> tuple[float | None, ...]:
        """A list with gaps: None for everything in it that is no finite number."""
        return tuple(_number(v) for v in self._list(key))

    def rows(self, key: str) -> tuple[tuple[float, ...], ...]:
        """The lists of finite numbers in a list; one in which anything is not is left out."""
        found = (Document({"row": v}).numbers("row") for v in self._list(key))
        return tuple(row for row in found if row)

    def names(self) -> tuple[str, ...]:
        """What it has entries for."""
        return tuple(name for name in self._value if isinstance(name, str))

    def _list(self, key: str) -> list[Any]:
        value = self._value.get(key)
        return value if isinstance(value, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON knows whole numbers of any length
        return None
    return number if math.isfinite(number) else None


def count(value: float | None) -> str:
    """A count with thin gaps: 1 234; "–" when it is missing."""
    return MISSING if value is None else decimal(value)


def share(value: float | None) -> str:
    """A share as percent: 6.7 %; "–" when it is missing."""
    return MISSING if value is None else f"{decimal(value * 100, 1)}{THIN}%"


def milliseconds(value: float | None) -> str:
    """A duration in ms, with a decimal where it counts."""
    return measure(value, "ms", 1 if value is not None and value < 10 else 0)


def measure(value: float | None, unit: str, digits: int = 0) -> str:
    """A number with its unit: 51 °C; "–" when it is missing."""
    return MISSING if value is None else f"{decimal(value, digits)}{THIN}{unit}"
