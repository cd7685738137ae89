"""Who lies in which bed: what every value that comes in is held against.

Pure but for its own memory; whoever calls it holds the lock. A bed takes one patient, a
patient lies in one bed, and what contradicts that is refused: two people in one bed would
be one score for both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from apps.patient_monitoring.domain import NONE, Patient
from apps.patient_monitoring.incoming.observed import Refused


@dataclass(frozen=True, slots=True)
class Stay:
    """A patient in a bed."""

    patient: Patient
    since: float
    """Wall time, UTC s."""


@dataclass(frozen=True, slots=True)
class Move:
    """What changed of one bed: who lies there from now on, or nobody."""

    row: int
    patient: Patient | None
    what: str


class Census:
    """The beds of a gateway by name, and who lies there."""

    def __init__(self, beds: Sequence[str]) -> None:
        self.beds = tuple(beds)
        self.rows = {bed: row for row, bed in enumerate(beds)}
        self.stays: dict[str, Stay] = {}
        self._bed_of: dict[str, str] = {}

    def row(self, bed: str) -> int:
        """The bed's row in every array; raises Refused for one that is not here."""
        row = self.rows.get(bed)
        if row is None:
            raise Refused("bed", f"bed {bed[:20]!r} is not on this gateway")
        return row

    def patient(self, bed: str) -> Patient | None:
        """Who lies there."""
        stay = self.stays.get(bed)
        return stay.patient if stay else None

    def bed_of(self, pseudonym: str) -> str | None:
        """Where a patient lies."""
        return self._bed_of.get(pseudonym)

    def lies(self, pseudonym: str, bed: str) -> None:
        """Raises Refused unless that patient lies in that bed."""
        self.row(bed)
        here = self.patient(bed)
        if here is None:
            raise Refused("empty", f"nobody is admitted to bed {bed}")
        if here.pseudonym != pseudonym:
            raise Refused("swapped", f"another patient is admitted to bed {bed}")

    def admit(self, patient: Patient, wall: float) -> list[Move]:
        """Put a patient into an empty bed."""
        self.takes(patient)
        self._put(patient, wall)
        return [Move(self.row(patient.bed), patient, "admit")]

    def takes(self, patient: Patient) -> None:
        """Raises Refused unless their bed is empty and they lie in no other."""
        bed, elsewhere = patient.bed, self.bed_of(patient.pseudonym)
        self.row(bed)
        if self.patient(bed) is not None:
            raise Refused("occupied", f"bed {bed} is taken; discharge or transfer first")
        if elsewhere is not None:
            raise Refused("elsewhere", f"this patient lies in bed {elsewhere}; transfer them")

    def describe(self, patient: Patient) -> list[Move]:
        """The same patient in the same bed, of whom something else is known now."""
        self.lies(patient.pseudonym, patient.bed)
        before = self.stays[patient.bed]
        self.stays[patient.bed] = replace(before, patient=patient)
        return [Move(self.row(patient.bed), patient, "update")]

    def discharge(self, pseudonym: str, bed: str) -> list[Move]:
        """The patient leaves the ward."""
        self.lies(pseudonym, bed)
        del self.stays[bed], self._bed_of[pseudonym]
        return [Move(self.row(bed), None, "discharge")]

    def transfer(self, pseudonym: str, bed: str, wall: float) -> list[Move]:
        """To another, empty bed of this ward; nothing changes where they lie there."""
        row, was = self.row(bed), self.bed_of(pseudonym)
        if was is None:
            raise Refused("empty", "this patient is not admitted to this ward")
        if was == bed:
            return []
        if self.patient(bed) is not None:
            raise Refused("occupied", f"bed {bed} is taken; discharge, transfer or swap first")
        patient = replace(self.stays[was].patient, bed=bed)
        del self.stays[was]
        self._put(patient, wall)
        return [Move(self.row(was), None, "transfer"), Move(row, patient, "transfer")]

    def swap(self, one: str, other: str, wall: float) -> list[Move]:
        """Two patients (pseudonyms) change beds."""
        beds = self.bed_of(one), self.bed_of(other)
        if beds[0] is None or beds[1] is None:
            raise Refused("empty", "a swap takes two patients who both lie here")
        first, second = (self.stays[bed].patient for bed in beds if bed)
        moved = [replace(first, bed=beds[1]), replace(second, bed=beds[0])]
        for patient in moved:
            self._put(patient, wall)
        return [Move(self.row(patient.bed), patient, "swap") for patient in moved]

    def _put(self, patient: Patient, wall: float) -> None:
        self.stays[patient.bed] = Stay(patient, wall)
        self._bed_of[patient.pseudonym] = patient.bed

    # ------------------------------------------------------------------ kept over a restart

    def document(self) -> dict[str, Any]:
        """All stays as JSON; pseudonyms only."""
        return {
            "stays": [
                {**asdict(stay.patient), "age": _known(stay.patient.age), "since": stay.since}
                for stay in self.stays.values()
            ]
        }

    def restore(self, document: Mapping[str, Any]) -> list[Move]:
        """The stays of a document that can be read and whose beds are still here; the moves
        that make them.
        """
        for stay in map(_stay, document.get("stays", ())):
            if stay and stay.patient.bed in self.rows:
                self._put(stay.patient, stay.since)
        return [
            Move(self.row(bed), stay.patient, "restore") for bed, stay in self.stays.items()
        ]


def beds_in(document: Mapping[str, Any]) -> list[str]:
    """The beds in which somebody lies by a document, whether or not they are here."""
    return [str(kept["bed"]) for kept in document.get("stays", ())]


def _stay(kept: Mapping[str, Any]) -> Stay | None:
    """One stay; None where it cannot be read, e.g. as it is of a later release."""
    fields = {name: value for name, value in kept.items() if name != "since"}
    try:
        fields["age"] = NONE if fields["age"] is None else float(fields["age"])
        return Stay(Patient(**fields), float(kept["since"]))
    except (KeyError, TypeError, ValueError):
        return None


def _known(age: float) -> float | None:
    return age if math.isfinite(age) else None
