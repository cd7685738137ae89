"""Batches as our stations spell them, made into rows by the short way.

Every event could go through `decode_event`, the checks of border.py and an encoder again.
But nearly all are spelt exactly as `Event.encode` spells them: members in one order, no
blanks, no escapes in the envelope. Of those only `data` has to be parsed, to know that it is
JSON and where it ends; its text is kept as it came. A batch that is not plain in every
respect is left to the long way as a whole, which also knows how to say why.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from common.telemetry.collector.rows import EventRow
from common.telemetry.collector.tidings import DROPPED, EPOCH

MOST_NAME, MOST_TEXT = 64, 500
"""Characters of a name in a topic or an epoch, and of any other text in an envelope."""
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
CANONICAL_TIME = re.compile(TIME)
TEXT = r'([^"\\]*)'
HEAD = re.compile(rf'{{"bootid":"{TEXT}","clockquality":"{TEXT}","data":(?={{)')
TAIL = re.compile(
    rf',"datacontenttype":"application/json","id":"{TEXT}-([1-9][0-9]{{0,17}})",'
    rf'"recordedtime":"({TIME})","sequence":"([0-9]{{1,18}})","source":"{TEXT}",'
    rf'"specversion":"1\.0","subject":"{TEXT}","time":"({TIME})","type":"{TEXT}"}}'
)
ESCAPE = "\\u"
"""In data: the characters that no database takes are spelt so, and hardly any other."""
VERSION = re.compile(r".+\.v([0-9]{1,4})")
OF_TELEMETRY = (EPOCH, DROPPED)
"""What tells of the telemetry itself is read the long way."""


class _NotPlain(Exception):
    """The long way is needed."""


def _refuse(constant: str) -> None:
    raise _NotPlain(constant)


_scan: Callable[[str, int], tuple[Any, int]]
_scan = vars(json.JSONDecoder(parse_constant=_refuse))["scan_once"]
_of_values = tuple.__new__  # a named tuple's own constructor costs as much as its checks
fromisoformat = datetime.fromisoformat


def plain_rows(
    plain: bytes, source: str, times: tuple[str, str], majors: tuple[int, ...], most: int
) -> list[EventRow] | None:
    """The rows of a batch in which all is plain and of `source`; None for any other.

    `times` are when it was received, and from when on a time lies too far ahead to be
    believed; `most` is how many bytes an event's data may have.
    """
    try:
        text = plain.decode()
        rows, place, end = [], 1, len(text) - 1
        if text[:1] != "[" or text[end:] != "]" or end < place:
            return None
        while place < end:
            row, place = _row(text, place, source, times, majors, most)
            rows.append(row)
            if place < end and text[place] != ",":
                return None
            place += 1
    except (_NotPlain, ValueError, StopIteration, RecursionError):
        return None
    return rows if rows and place == end + 1 else None


def _row(
    text: str, place: int, source: str, times: tuple[str, str], majors: tuple[int, ...],
    most: int,
) -> tuple[EventRow, int]:  # fmt: skip
    head = HEAD.match(text, place)
    if head is None:
        raise _NotPlain
    start = head.end()
    _, end = _scan(text, start)
    data = text[start:end]
    tail = TAIL.match(text, end)
    if tail is None or 4 * len(data) > most or ESCAPE in data:
        raise _NotPlain
    boot_id, clock = head.groups()
    epoch, number, recorded, digits, named, subject, time, of_type = tail.groups()
    sequence = int(number)
    plain = (
        named == source
        and int(digits) == sequence
        and time < times[1]
        and fromisoformat(time)
        and fromisoformat(recorded)
        and are_plain(epoch, of_type, subject, boot_id, clock, majors)
    )
    if not plain:
        raise _NotPlain
    values = (
        source, epoch, sequence, of_type, subject, time, recorded, times[0], time, "",
        boot_id, clock, data,
    )  # fmt: skip
    return _of_values(EventRow, values), tail.end()


@lru_cache(maxsize=1000)
def are_plain(
    epoch: str, of_type: str, subject: str, boot_id: str, clock: str, majors: tuple[int, ...]
) -> bool:
    """Whether an envelope's texts are such as stations write; few differ from the last."""
    texts = f"{epoch}{of_type}{subject}{boot_id}{clock}"
    return (
        0 < len(epoch) <= MOST_NAME
        and len(texts) <= MOST_TEXT
        and texts.isprintable()
        and not type_trouble(of_type, majors)
        and of_type not in OF_TELEMETRY
    )


@lru_cache(maxsize=1000)
def type_trouble(of_type: str, majors: tuple[int, ...]) -> str:
    """Why events of this type are not kept; "" where they are."""
    match = VERSION.fullmatch(of_type)
    if match is None:
        return f"type {of_type!r} names no major version"
    if int(match[1]) not in majors:
        return f"type {of_type!r}: this major version is not known here"
    return ""


def is_canonical_time(text: str) -> bool:
    """Whether a time, known to be one, is spelt as stations spell it."""
    return CANONICAL_TIME.fullmatch(text) is not None
