r"""CEF, as SIEMs read it: a header of seven fields and an extension of key=value pairs.

Escaped so that no text can add a field: "|" and "\" in the header, "=" and "\" in the
extension, whose line ends are spelled out; other control characters are shown by pictures.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from apps.patient_monitoring.outgoing.rfc5424 import cut, shown

VALUE_ESCAPES = {"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r"}
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]*")


@dataclass(frozen=True, slots=True)
class Head:
    """What kind of event it is."""

    version: str
    """Of this software."""
    signature: str
    """The same for all events of a kind."""
    name: str
    severity: int
    """0 to 10, 10 is the gravest."""


def render(head: Head, extension: Mapping[str, str]) -> str:
    """One CEF message; keys are CEF's own, empty values are left out."""
    wrong = [key for key in extension if not _KEY.fullmatch(key)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no key of CEF")
    fields = ("Lineside", "ward", head.version, head.signature, head.name)
    start = "|".join(("CEF:0", *(_header(one) for one in fields), str(head.severity)))
    told = (f"{key}={_value(value)}" for key, value in extension.items() if value)
    return f"{start}|{' '.join(told)}"


def _header(text: str) -> str:
    return shown(cut(text).replace("\\", "\\\\").replace("|", "\\|"))


def _value(text: str) -> str:
    return "".join(VALUE_ESCAPES.get(one) or shown(one) for one in cut(text))
