"""HL7 v2 as it is written: fields, components, escapes, times, and the answer to a message.

Whatever a text holds, it can end no field, no segment and no MLLP block: the five marks
have their escapes, and control characters go as hexadecimal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from common.arguments import visible

CHARSET = "UNICODE UTF-8"
MARKS = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_SPECIAL = re.compile(r"[\\|^&~]|[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ESCAPED = re.compile(r"\\([^\\]*)\\")
_MEANING = {escaped[1:-1]: mark for mark, escaped in MARKS.items()}


def escape(text: str) -> str:
    """`text` as a field, component or sub-component may hold it."""
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return MARKS.get(found) or f"\\X{found.encode().hex().upper()}\\"


def unescape(text: str) -> str:
    """What an escaped text says; escapes that are not known stay as they are."""
    return _ESCAPED.sub(_meant, text)


def _meant(match: re.Match[str]) -> str:
    found = match.group(1)
    if found in _MEANING:
        return _MEANING[found]
    if found.startswith("X"):
        try:
            return bytes.fromhex(found[1:]).decode()
        except ValueError:
            return match.group()
    return match.group()


def composite(*parts: str, mark: str = "^") -> str:
    """Components (or with "&" sub-components) from plain texts."""
    return mark.join(escape(part) for part in parts).rstrip(mark)


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment from field number → encoded field; numbers between are empty."""
    found = {number: value for number, value in fields.items() if value}
    values = [found.get(number, "") for number in range(1, max(found, default=0) + 1)]
    if name == "MSH":  # its first field is the mark before the second
        values = values[1:]
    return "|".join((name, *values))


def hl7_time(wall: float) -> str:
    """UTC wall time (s since 1970) as YYYYMMDDHHMMSS.sss+0000."""
    moment = datetime.fromtimestamp(wall, UTC)
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03d}+0000"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a receiver answered."""

    code: str
    """MSA-1: AA, AE, AR, or CA, CE, CR for "stored"."""
    control_id: str
    """MSA-2: which message it is about."""
    error: str = ""
    """ERR-3's code, e.g. "207" for an internal error; empty where there is none."""
    text: str = ""


def read_acknowledgement(body: bytes) -> Acknowledgement:
    """The answer in an MLLP block; raises ValueError where it is none."""
    segments = body.decode("utf-8", "replace").replace("\n", "\r").split("\r")
    if not segments[0].startswith("MSH") or len(segments[0]) < 8:
        raise ValueError("it has no header")
    mark, parted = segments[0][3], segments[0][4]
    rows = [one.split(mark) for one in segments if one]
    msa = next((row for row in rows if row[0] == "MSA"), [])
    if len(msa) < 3:
        raise ValueError("it has no MSA segment")
    err = next((row for row in rows if row[0] == "ERR"), [])
    told = [_part(msa, 3), _part(err, 8), *_part(err, 3).split(parted)[1:2]]
    text = visible("; ".join(unescape(one) for one in told if one))
    return Acknowledgement(msa[1], msa[2], _part(err, 3).split(parted)[0], text[:300])


def _part(row: list[str], field: int) -> str:
    return row[field] if len(row) > field else ""
