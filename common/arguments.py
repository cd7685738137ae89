"""Arguments of a command, as they come from outside: checked, or ValueError in one line.

And the answer that changed nothing, which the audit trail wants to know of.
"""

import math
from collections.abc import Mapping
from typing import Any

LONGEST = 500


class Unchanged(str):
    """An answer of a command that was understood, and why nothing was changed."""

    __slots__ = ()


def unchanged(answer: Any) -> str:
    """Why a command, or some part of it, changed nothing; empty where all was carried out."""
    if isinstance(answer, Unchanged):
        return str(answer)
    if isinstance(answer, Mapping):
        said = {name: unchanged(one) for name, one in answer.items()}
        return "; ".join(f"{name}: {why}" for name, why in said.items() if why)
    return ""


def text(arguments: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text of 1 to 500 characters without blanks around it; `default` when it is absent."""
    if default is not None and name not in arguments:
        return default
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise ValueError(f"{name} must be a text of 1 to {LONGEST} characters")
    if storable(value) != value:
        raise ValueError(f"{name} holds half a character: it is no UTF-8")
    if not "".join(value.split()).isprintable():  # else a reason may look like none, or another
        raise ValueError(f"{name} holds a character that nobody sees")
    return value.strip()


def storable(value: str) -> str:
    """The text with "?" for what is no UTF-8 (a lone surrogate, as JSON may bring it)."""
    return value.encode("utf-8", "replace").decode()


def visible(value: str) -> str:
    """The text on one line, without what would command a terminal or turn what follows.

    For what strangers say and people read.
    """
    return "".join(
        one if one.isprintable() else " " if one.isspace() else "\ufffd" for one in value
    )


def number(arguments: Mapping[str, Any], name: str) -> float:
    """A number; whether it is a sensible one is for the rules to say."""
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")  # noqa: TRY004 - the asker's mistake
    return float(value) if abs(value) < 2**63 else math.inf


def flag(arguments: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
    """True or false; `default` when it is absent."""
    value = arguments.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")  # noqa: TRY004 - the asker's mistake
    return value


def whole(arguments: Mapping[str, Any], name: str) -> int | None:
    """A whole number from 0; None when it is absent."""
    value = arguments.get(name)
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"{name} must be a whole number from 0")
    return value
