"""Whose signs are told: the pseudonym, or the hospital's own number where settings say so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

PSEUDONYMS = "LINESIDE"
"""Who gave the pseudonyms, as HL7 names an assigning authority."""


class Person(Protocol):
    """What is read of whoever stands behind a pseudonym."""

    @property
    def number(self) -> str:
        """The hospital's number with its authority: "HOSP:MRN123"."""


Reveal = Callable[[str], Person | None]


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient as one receiver knows them."""

    value: str
    authority: str
    revealed: bool
    """The hospital's own number, and no pseudonym."""


class Who:
    """Pseudonym → subject, for one receiver."""

    def __init__(self, reveal: Reveal | None = None, *, identify: bool = False) -> None:
        self._reveal = reveal if identify else None

    def __call__(self, pseudonym: str) -> Subject:
        """The patient's number where the receiver may have it and it is known."""
        person = self._reveal(pseudonym) if self._reveal and pseudonym else None
        if person is None:
            return Subject(pseudonym, PSEUDONYMS, revealed=False)
        authority, _, number = person.number.rpartition(":")
        return Subject(number, authority, revealed=True)
