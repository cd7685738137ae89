"""Syslog after RFC 5424, framed for TLS by octet counting (RFC 5425).

Nothing that a text holds can end a value, an element or a line: the three marks of a value
have their escapes, and control characters are shown by their pictures (U+2400 …).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from common.telemetry.event import iso_time

FACILITY = 10
"""Security and authorisation, as the audit profile of DICOM PS3.15 has it."""
NOTICE, WARNING, ERROR = 5, 4, 3
NIL = "-"
BOM = "\ufeff"
MOST_CHARACTERS = 1000
"""Of one value; receivers need not take messages of more than 2048 octets (RFC 5425)."""
ENTERPRISE = "32473"
"""The number that RFC 5612 keeps for examples: put your own here."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who says it, when, and how grave it is."""

    severity: int
    wall_time: float
    """UTC, s since 1970."""
    host: str
    app: str
    message_id: str


def message(header: Header, values: Mapping[str, str], text: str) -> str:
    """One syslog message with one structured element; `text` is what people read."""
    fields = (
        f"<{FACILITY * 8 + header.severity}>1",
        iso_time(header.wall_time),
        _name(header.host, 255),
        _name(header.app, 48),
        NIL,
        _name(header.message_id, 32),
        _element(values),
    )
    return f"{' '.join(fields)} {BOM}{shown(text)}"


def frame(line: str) -> bytes:
    """The message behind its length in octets."""
    body = line.encode()
    return f"{len(body)} ".encode("ascii") + body


def shown(text: str) -> str:
    """`text` without control characters and line ends: each is shown by a picture."""
    return "".join(_picture(one) for one in text)


def escape(value: str) -> str:
    """A value between quotes."""
    return "".join("\\" + one if one in '"\\]' else one for one in shown(value))


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text`, and at its end a sign that there was more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _element(values: Mapping[str, str]) -> str:
    told = "".join(f' {_sd_name(key)}="{escape(cut(values[key]))}"' for key in values)
    return f"[lineside@{ENTERPRISE}{told}]"


def _picture(one: str) -> str:
    code = ord(one)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    unsafe = 0x80 <= code <= 0x9F or 0xD800 <= code <= 0xDFFF
    return "\ufffd" if unsafe or one in "\u2028\u2029\ufeff" else one


def _name(text: str, most: int) -> str:
    """Printable ASCII without spaces; "-" where nothing is left."""
    return "".join(one for one in text if "!" <= one <= "~")[:most] or NIL


def _sd_name(text: str) -> str:
    return "".join(one for one in text if "!" <= one <= "~" and one not in '="]')[:32]
