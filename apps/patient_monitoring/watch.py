"""The alarms that are not the protocol's: wrong patient, wrong clock, listeners, disk, links.

What is told of a bed here is technical: that its signs are refused, and so nothing is seen.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from apps.patient_monitoring.bed_alarms import CLOCK, IDENTITY, alarm_of
from apps.patient_monitoring.outgoing.ways import failing
from apps.patient_monitoring.sources import SOURCE
from common.alarms.diagnostics import Diagnostics
from common.alarms.engine import ABNORMAL

if TYPE_CHECKING:
    from apps.patient_monitoring.station import Station

CLOCK_TOLD_S = 600.0


class Listener(Protocol):
    """Something that hears devices, as the screen and the alarms see it."""

    @property
    def name(self) -> str:
        """E.g. "HL7 127.0.0.1:2575"."""

    @property
    def wrong(self) -> str:
        """Why it hears nothing; empty while it does its work."""


def silent(listeners: Iterable[Listener]) -> list[str]:
    """Those that hear nothing, each with why."""
    return [f"{one.name}: {one.wrong}" for one in listeners if one.wrong]


class Watch:
    """Sets them, once per snapshot."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._diagnostics = Diagnostics(station.parts.store)
        beds, board = station.beds, station.parts.alarms
        ours = {alarm_of(kind, bed) for kind in (IDENTITY, CLOCK) for bed in beds}
        self._told = {one for one in ours if board.alarm(one).state.life in ABNORMAL}

    def cleared(self, bed: str) -> None:
        """Another patient lies there: what was told was about the last one."""
        for kind in (IDENTITY, CLOCK):
            alarm_id = alarm_of(kind, bed)
            if alarm_id in self._told:
                self._told.discard(alarm_id)
                self._station.parts.alarms.set(alarm_id, active=False)

    def set_alarms(self, now: float, link: dict[str, Any]) -> None:
        """Tell what is wrong now, and what no longer is."""
        board = self._station.parts.alarms
        for alarm_id, detail in self._whole(now, link).items():
            board.set(alarm_id, active=bool(detail), detail=detail)
        problems = self._station.intake.problems(now)
        there = {alarm_of(*key): (key[1], text) for key, text in problems.items() if key[1]}
        for alarm_id in self._told - set(there):
            board.set(alarm_id, active=False)
        for alarm_id, (bed, text) in there.items():
            board.set(alarm_id, active=True, detail=text, about=self._about(bed))
        self._told = set(there)

    def _about(self, bed: str) -> dict[str, Any]:
        patient = self._station.intake.census.patient(bed)
        who = patient.pseudonym if patient else ""
        return {"bed": bed, "patient": who, "kind": "technical", "what": ["REFUSED"]}

    def _whole(self, now: float, link: dict[str, Any]) -> dict[str, str]:
        station = self._station
        jumped = now - station.intake.jumped_at < CLOCK_TOLD_S
        refused = station.intake.problems(now).get((SOURCE, ""), "")
        return {
            "source_refused": refused,
            "gateway_clock": "the wall clock was set" if jumped else "",
            "listener_down": "; ".join(silent(station.parts.listeners)),
            "inference_failed": station.perceive.model_fault,
            **self._diagnostics.details(station.snapshot().get("host", {}), link),
            **failing(link),
        }
