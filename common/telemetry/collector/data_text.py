"""Events' `data` as JSON text for a database: all of a batch in one go.

Read from JSON, it is fit for JSON again but for three things: numbers that overflowed, for
nobody knows any more what they were, and what databases refuse, the character NUL and halves
of surrogate pairs.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MARK = "\0"
WOVEN = ',"\\u0000",'
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape itself, not one that a backslash takes back."""
ENCODER = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that no database would take."""

    reason: str


def data_texts(values: Sequence[Any], most_bytes: int) -> list[str | Unfit]:
    """The JSON of each value, or why there is none."""
    texts = _all_at_once(values)
    if texts is None or max(map(len, texts), default=0) > most_bytes // 4:
        return [_one(value, most_bytes) for value in values]
    return list(texts)


def _all_at_once(values: Sequence[Any]) -> list[str] | None:
    """All in one call, with a mark between them that none may hold; None if one is unfit.

    A call per value would cost four times as much as the encoding itself.
    """
    woven = [part for value in values for part in (value, MARK)]
    try:
        text = ENCODER.encode(woven)
        text.encode()
    except (ValueError, RecursionError):
        return None
    if text.count("\\u0000") != len(values):
        return None
    return (text[1:-1] + ",").split(WOVEN)[:-1]


def _one(value: Any, most_bytes: int) -> str | Unfit:
    try:
        text = ENCODER.encode(value)
        size = len(text.encode())
    except (ValueError, RecursionError) as error:
        return Unfit(f"data is no JSON that can be kept ({error})")
    if size > most_bytes:
        return Unfit(f"data has {size} bytes, {most_bytes} allowed")
    if NUL.search(text):
        return Unfit("data holds the character NUL")
    return text
