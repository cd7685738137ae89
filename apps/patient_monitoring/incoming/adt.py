"""ADT → who lies where: admissions, transfers, discharges, swaps and merges."""

from dataclasses import dataclass
from enum import StrEnum

from apps.patient_monitoring.domain import NONE
from apps.patient_monitoring.incoming.hl7 import Message, part, wall_time
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.incoming.oru import patient_in, patient_of

YEAR_S = 365.2425 * 86_400


class Event(StrEnum):
    """What a trigger event means to a ward."""

    ADMIT = "admit"
    TRANSFER = "transfer"
    DISCHARGE = "discharge"
    UPDATE = "update"
    SWAP = "swap"
    MERGE = "merge"


EVENTS = {
    "A01": Event.ADMIT, "A04": Event.ADMIT, "A13": Event.ADMIT,
    "A02": Event.TRANSFER, "A03": Event.DISCHARGE, "A11": Event.DISCHARGE,
    "A08": Event.UPDATE, "A17": Event.SWAP, "A40": Event.MERGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a PID segment is about; none of it is kept as it stands."""

    number: str
    """With its authority: "HOSP:MRN123"."""
    initials: str
    age: float
    """Years; NaN is not known."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What an ADT message says."""

    event: Event
    person: Person
    place: str
    """PV1-3 as unit and bed, e.g. "W7/BED3"; empty where it says none."""
    other: Person | None = None
    """Of a swap the second patient, lying now at `other_place`; of a merge, `number` is
    the one that ends."""
    other_place: str = ""
    elsewhere: bool = False
    """PV1-3 names a unit, and it is another one."""


def read(message: Message, wall: float) -> Moved:
    """The move; raises Refused for one that is not understood."""
    event = EVENTS.get(message.kind[1])
    if event is None:
        raise Refused(
            "type", f"event {message.kind[1][:5]} is not taken; {', '.join(EVENTS)} are"
        )
    if event is Event.SWAP:
        return _swap(message, wall)
    patient_of(message)
    person = _person(message, message.all("PID")[0], wall)
    if event is Event.MERGE:
        old = Person(patient_of(message, 1, "MRG"), "", NONE)
        return Moved(event, person, "", old)
    places = message.all("PV1")
    return Moved(event, person, place_of(message, places[0]) if places else "")


def _swap(message: Message, wall: float) -> Moved:
    people, places = message.all("PID"), message.all("PV1")
    if len(people) != 2 or len(places) != 2:
        raise Refused("patient", "A17 is about two patients, each with PID and PV1")
    first, second = (_person(message, segment, wall) for segment in people)
    here, there = (place_of(message, segment) for segment in places)
    return Moved(Event.SWAP, first, here, second, there)


def place_of(message: Message, segment: list[str]) -> str:
    """Unit and bed of a PV1 segment."""
    place = part(segment, 3)
    return f"{message.component(place)}/{message.component(place, 3)}"


def _person(message: Message, segment: list[str], wall: float) -> Person:
    number = patient_in(message, part(segment, 3))
    family, given = (message.component(part(segment, 5), n).strip() for n in (1, 2))
    return Person(number, (given[:1] + family[:1]).upper(), _age(part(segment, 7), wall))


def _age(born: str, wall: float) -> float:
    """Years; of a birth date cut to year or month the youngest age that fits."""
    if not born:
        return NONE
    day = {4: born + "1231", 6: born + "28"}.get(len(born), born[:8])
    try:
        at = wall_time(day + "0000")
    except Refused:
        raise Refused("time", "PID-7 is no date") from None  # never the date itself
    return NONE if at is None else max((wall - at) / YEAR_S, 0.0)
