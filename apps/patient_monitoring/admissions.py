"""Admissions, transfers, discharges, swaps and merges, as moves of the census."""

import math
from dataclasses import dataclass, replace

from apps.patient_monitoring.census import Census, Move
from apps.patient_monitoring.domain import Patient
from apps.patient_monitoring.identity import KeyMap
from apps.patient_monitoring.incoming.adt import Event, Moved, Person
from apps.patient_monitoring.incoming.observed import Refused


@dataclass(frozen=True)
class Admissions:
    """Changes a census; the caller holds its lock. Every method raises Refused."""

    census: Census
    people: KeyMap

    def moved(self, moved: Moved, wall: float) -> list[Move]:
        """What an ADT message means here; `place` and `other_place` are beds of this
        gateway, or empty for any other place and for none.
        """
        if moved.event is Event.MERGE:
            return self.merge(moved)
        if moved.event is Event.SWAP:
            return self.swap(moved, wall)
        if moved.event is Event.DISCHARGE:
            return self.discharge(self.people.pseudonym(moved.person.number), moved.place)
        if moved.event is Event.UPDATE:
            return self.update(moved.person)
        return self.arrive(moved, wall)

    def arrive(self, moved: Moved, wall: float) -> list[Move]:
        """An admission or a transfer: into this ward, within it, or out of it.

        A place that cannot be read takes nobody away: only another unit's does.
        """
        pseudonym = self.people.pseudonym(moved.person.number)
        was = self.census.bed_of(pseudonym) if moved.event is Event.TRANSFER else None
        if was and moved.elsewhere:
            return self.census.discharge(pseudonym, was)
        if not moved.place:
            raise Refused("bed", "PV1-3 is no bed of this gateway")
        if was:
            return self.census.transfer(pseudonym, moved.place, wall)
        return self.admit(moved.person, moved.place, wall)

    def admit(self, person: Person, bed: str, wall: float) -> list[Move]:
        """A person into an empty bed."""
        patient = Patient(self.people.pseudonym(person.number), bed, person.age)
        here = self.census.patient(bed)
        if here is not None and here.pseudonym == patient.pseudonym:
            return self.update(person)  # told twice
        self.census.takes(patient)
        self.people.remember(person.number, person.initials)  # may fail: then nobody is here
        return self.census.admit(patient, wall)

    def discharge(self, pseudonym: str, bed: str = "") -> list[Move]:
        """A patient leaves; `bed` is where the sender believes them, if it says."""
        where = bed or self.census.bed_of(pseudonym)
        if not where:
            raise Refused("empty", "this patient is not admitted to this ward")
        return self.census.discharge(pseudonym, where)

    def update(self, person: Person) -> list[Move]:
        """Something else is known of a person who may lie here."""
        pseudonym = self.people.pseudonym(person.number)
        bed = self.census.bed_of(pseudonym)
        if bed is None:
            return []
        self.people.remember(person.number, person.initials)
        patient = self.census.stays[bed].patient
        if math.isnan(person.age) or person.age == patient.age:
            return []
        return self.census.describe(replace(patient, age=person.age))

    def swap(self, moved: Moved, wall: float) -> list[Move]:
        """Two patients change beds."""
        if moved.other is None:
            raise Refused("patient", "a swap is about two patients")
        one, other = (self.people.pseudonym(p.number) for p in (moved.person, moved.other))
        if (
            self.census.bed_of(one) == moved.place
            and self.census.bed_of(other) == moved.other_place
        ):
            return []  # told twice
        return self.census.swap(one, other, wall)

    def merge(self, moved: Moved) -> list[Move]:
        """Two numbers are one person's; signs and score of whoever lies here stay."""
        if moved.other is None:
            raise Refused("patient", "a merge names the number that ends (MRG-1)")
        names = [self.people.pseudonym(p.number) for p in (moved.person, moved.other)]
        beds = {name: bed for name in names if (bed := self.census.bed_of(name)) is not None}
        if len(beds) == 2:
            where = " and ".join(beds.values())
            raise Refused("merged", f"both numbers lie here, in beds {where}")
        goes_by = next(iter(beds), names[0])
        self.people.merge(moved.person.number, moved.other.number, goes_by)
        return []
