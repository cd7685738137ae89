"""HL7 v2 as it comes over the wire: delimiters, characters, escapes, times and answers.

A reader of our own: what is needed of the grammar is small, a ward says thousands of
messages a second, and the libraries build a tree of every field for each. It is strict
where a mistake could change a meaning, and names what is wrong so that it can be answered.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from apps.patient_monitoring.incoming.observed import Refused

MOST_SEGMENTS = 2000
CHARSETS = {
    "": "ascii", "ASCII": "ascii", "UNICODE UTF-8": "utf-8", "UNICODE": "utf-8",
    "8859/1": "latin-1", "8859/15": "iso8859-15",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(\.\d{1,6})?([+-]\d{4})?")
_ESCAPE = re.compile(r"\\([^\\]*)\\")


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters that divide this message."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"


USUAL = Marks()


@dataclass(frozen=True, slots=True)
class Message:
    """A message cut into segments and fields; `segments[0]` is MSH."""

    segments: list[list[str]]
    """Each begins with its name; of MSH, field n stands at n − 1."""
    marks: Marks

    def header(self, field: int) -> str:
        """MSH-`field`; empty where there is none."""
        return part(self.segments[0], field - 1)

    @property
    def kind(self) -> tuple[str, str]:
        """Type and trigger event, e.g. ("ORU", "R01")."""
        kind = self.header(9).split(self.marks.component)
        return kind[0], kind[1] if len(kind) > 1 else ""

    def all(self, name: str) -> list[list[str]]:
        """The segments of that name, in order."""
        return [segment for segment in self.segments if segment[0] == name]

    def component(self, field: str, number: int = 1) -> str:
        """Component `number` of a field's first repetition, escapes undone."""
        parts = field.split(self.marks.repetition, 1)[0].split(self.marks.component)
        return self.plain(parts[number - 1]) if len(parts) >= number else ""

    def plain(self, text: str) -> str:
        """The text with its escapes undone; one that is not known is left out."""
        if self.marks.escape not in text:
            return text
        known = {
            "F": self.marks.field, "S": self.marks.component, "T": self.marks.sub,
            "R": self.marks.repetition, "E": self.marks.escape,
        }  # fmt: skip
        if self.marks.escape != "\\":
            text = text.replace("\\", "").replace(self.marks.escape, "\\")
        return _ESCAPE.sub(lambda found: known.get(found[1], ""), text)


def part(segment: list[str], field: int) -> str:
    """A field; empty where the segment ends before it."""
    return segment[field] if len(segment) > field else ""


def parse(data: bytes) -> Message:
    """The message in `data`; raises Refused naming what is wrong with its form."""
    if not data.startswith(b"MSH") or len(data) < 8:
        raise Refused("form", "a message begins with MSH")
    text = _decoded(data)
    if found := _CONTROL.search(text):
        raise Refused("form", f"control character 0x{ord(found[0]):02x} in the message")
    marks = _marks(text)
    lines = [line for line in text.replace("\n", "\r").split("\r") if line]
    if len(lines) > MOST_SEGMENTS:
        raise Refused("form", f"{len(lines)} segments, {MOST_SEGMENTS} are taken")
    segments = [line.split(marks.field) for line in lines]
    wrong = next((s[0] for s in segments if len(s[0]) != 3 or not s[0].isalnum()), None)
    if wrong is not None:
        raise Refused("form", f"{wrong[:8]!r} is no name of a segment")
    if any(segment[0] == "MSH" for segment in segments[1:]):
        raise Refused("form", "a second MSH: two messages in one frame")
    return Message(segments, marks)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        pass
    header = data.split(b"\r", 1)[0].split(data[3:4])
    named = (
        header[17].split(data[5:6])[0].decode("ascii", "replace") if len(header) > 17 else ""
    )
    charset = CHARSETS.get(named.strip())
    if charset is None:
        raise Refused("encoding", f"MSH-18 {named[:40]!r} is no character set that is known")
    try:
        return data.decode(charset)
    except UnicodeDecodeError as error:
        raise Refused("encoding", f"byte {error.start} is no {charset}") from error


def _marks(text: str) -> Marks:
    if text.startswith("MSH|^~\\&|"):
        return USUAL
    field = text[3]
    given = field + text[4:].split(field, 1)[0]
    usable = 5 <= len(given) <= 6 and len(set(given)) == len(given)
    if not usable or any(c.isalnum() or c in "\r\n" for c in given):
        raise Refused("form", "MSH-1 and MSH-2 must be five different marks, as |^~\\&")
    return Marks(*given[:5])


@lru_cache(maxsize=4096)
def wall_time(text: str, utc_offset_min: int = 0) -> float | None:
    """UTC s of an HL7 time; None for an empty one; raises Refused for what is none.

    One without a zone is taken at `utc_offset_min`.
    """
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise Refused("time", f"{text[:30]!r} is no time with hours and minutes")
    second, fraction = found[6] or "00", float(found[7] or 0.0)
    whole = "".join((*found.groups()[:5], second))
    return _whole(whole, found[8] or "", utc_offset_min) + fraction


def _whole(digits: str, zone: str, utc_offset_min: int) -> float:
    minutes = utc_offset_min
    if zone:
        minutes = (int(zone[1:3]) * 60 + int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S")
        return moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).timestamp()
    except (ValueError, OverflowError) as error:
        raise Refused("time", f"{digits}{zone} is no moment of a calendar") from error


def stamp(wall: float) -> str:
    """A wall time as HL7 writes it, in UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%d%H%M%S.%f")[:-3] + "+0000"


_HOSTILE = {ord(c): f"\\{name}\\" for c, name in zip("|^&~\\", "FSTRE", strict=True)}


def escaped(text: str) -> str:
    """Text that cannot end a field or a segment."""
    return _CONTROL.sub(" ", text.replace("\r", " ").replace("\n", " ")).translate(_HOSTILE)


def answer(message: Message | None, wall: float, code: str, error: str = "") -> bytes:
    """The acknowledgement of a message: `code` AA, AE or AR, with what is wrong."""
    asked = _asked(message)
    now = stamp(wall)
    lines = [
        f"MSH|^~\\&|LINESIDE|{asked[3]}|{asked[0]}|{asked[1]}|{now}||ACK^{asked[4]}^ACK"
        f"|{now}{asked[2][-8:]}|{asked[5]}|2.6||||||UNICODE UTF-8",
        f"MSA|{code}|{asked[2]}",
    ]
    if error:
        lines.append(f"ERR|||{_ERRORS[code]}|E||||{escaped(error[:200])}")
    return ("\r".join(lines) + "\r").encode()


_ERRORS = {
    "AE": "207^Application internal error^HL70357",
    "AR": "200^Unsupported message type^HL70357",
}


def _asked(message: Message | None) -> tuple[str, str, str, str, str, str]:
    """Who asks, its number, whom, the event and the processing id, safe to be sent back."""
    if message is None:
        return "", "", "", "", "", "P"
    header = message.header
    first = (escaped(message.component(header(n))[:60]) for n in (3, 4, 10, 6))
    application, facility, control, receiver = first
    event, processing = message.kind[1], header(11)[:1]
    return (
        application,
        facility,
        control,
        receiver,
        escaped(event[:3]),
        escaped(processing or "P"),
    )
