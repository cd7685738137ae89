"""What may be typed on a command line, as types for argparse.

Where a type raises ValueError, argparse tells the user the name of a function; these say in
words what is wanted, and refuse at the border what would be found out after minutes.
"""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


def whole(low: int, high: float = math.inf) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""
    return _within(int, low, high, "a whole number")


def number(low: float, high: float) -> Callable[[str], float]:
    """A finite number from `low` to `high`."""
    return _within(float, low, high, "a number")


def path(text: str) -> Path:
    """A path that has a name: the empty one, of a variable that is not set, is this folder."""
    if not text:
        raise ArgumentTypeError("the name of a file or folder is needed, this is empty")
    return Path(text)


def _within(kind: type[Number], low: float, high: float, what: str) -> Callable[[str], Number]:
    """What the function that is given back reads lies between; nan does not."""

    def typed(text: str) -> Number:
        with suppress(ValueError):
            found = kind(text)
            if low <= found <= high:
                return found
        most = f"{low:.15g} or more" if high == math.inf else f"from {low:.15g} to {high:.15g}"
        raise ArgumentTypeError(f"{text!r}: {what}, {most}, is needed")

    return typed


port = whole(1024, 65_535)
seconds = number(0.001, 1e9)
