"""One HL7 message in, one acknowledgement out: AA taken, AE cannot be taken, AR not here.

AA for signs means that they are with the score; AA for an admission or transfer, that it
is on disk as well. A sender that is told AE or AR gets the reason in ERR-8; nothing of its
message has been used.
"""

import logging
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from apps.patient_monitoring.config import WardSettings
from apps.patient_monitoring.incoming import adt, hl7, oru
from apps.patient_monitoring.incoming.hl7 import Message
from apps.patient_monitoring.incoming.observed import Observed, Refused
from apps.patient_monitoring.intake import Intake
from common.errors import LinesideError
from common.ports import Clock

REAL = "P"
REJECTED = frozenset(("type", "version", "processing", "encoding", "form"))
"""Reasons that are AR: the same message will never be taken here."""
VERSIONS = ("2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9")
NEVER = "NE"
log = logging.getLogger(__name__)


class Hl7Desk:
    """Reads messages for one ward; safe to use from several threads."""

    def __init__(
        self,
        ward: WardSettings,
        intake: Intake,
        clock: Clock,
        *,
        real_patients: bool = False,
        utc_offset_min: int = 0,
        replayed: bool = False,
    ) -> None:
        """Of what is `replayed` the first message's time is taken for now."""
        self._ward, self._intake, self._clock = ward, intake, clock
        self._real, self._utc_offset_min = real_patients, utc_offset_min
        self._way = "replay" if replayed else "hl7"
        self._shift_s: float | None = None

    def __call__(self, data: bytes) -> "bytes | Future[bytes]":
        """The acknowledgement, or a future of it where the disk is waited for; never raises."""
        message = None
        try:
            message = hl7.parse(data)
            done = self._take(message)
        except Refused as error:
            return self._refused(message, error)
        except LinesideError as error:  # of this gateway: the same message may be taken later
            return self._refused(message, Refused("disk", f"it could not be kept: {error}"))
        except Exception as error:
            log.exception("an HL7 message that no rule foresaw")
            unforeseen = Refused("form", f"cannot be read ({type(error).__name__})")
            return self._refused(message, unforeseen)
        return self._taken(message, done)

    def too_long(self, most: int) -> bytes:
        """The answer to a frame that is longer than is taken."""
        return self._refused(None, Refused("size", f"a message has at most {most} bytes"))

    def misframed(self, what: str) -> None:
        """Count bytes that are no frame; there is nobody to answer."""
        self._intake.refuse(self._way, "", Refused("frame", what))

    def _take(self, message: Message) -> "Future[Any] | None":
        kind = message.kind
        if message.header(12).split(message.marks.component)[0][:3] not in VERSIONS:
            raise Refused("version", f"version {message.header(12)[:10]!r} is not read here")
        if not message.header(10):
            raise Refused("form", "MSH-10 is empty: an answer could not name the message")
        if kind == ("ORU", "R01"):
            self._observe(message)
            return None
        if kind[0] == "ADT":
            return self._move(message)
        raise Refused("type", f"{kind[0][:5]} {kind[1][:5]} is not taken; ORU R01 and ADT are")

    def _observe(self, message: Message) -> None:
        places = message.all("PV1")
        if len(places) != 1:
            raise Refused("bed", f"{len(places)} PV1 segments; one patient per message")
        bed = self._bed(adt.place_of(message, places[0]))
        if not bed:
            raise Refused("bed", "PV1-3 is no bed of this gateway")
        self._intake.take(self._shifted(oru.read(message, bed, self._utc_offset_min)))

    def _shifted(self, said: Observed) -> Observed:
        """What was recorded as if it were said now, its ages as they were."""
        if self._way == "hl7":
            return said
        if self._shift_s is None:
            self._shift_s = self._clock.wall() - said.sent
        by = self._shift_s
        values = tuple(v._replace(at=v.at + by) if v.at is not None else v for v in said.values)
        return replace(said, way=self._way, sent=said.sent + by, values=values)

    def _move(self, message: Message) -> "Future[Any]":
        if message.header(11)[:1] == REAL and not self._real:
            raise Refused(
                "processing",
                "MSH-11 P: real patients are not admitted to this simulation and research "
                "software (intake.real_patients)",
            )
        moved = adt.read(message, self._clock.wall())
        here, there = self._bed(moved.place), self._bed(moved.other_place)
        unit = moved.place.partition("/")[0].strip(' "').casefold()
        elsewhere = unit not in ("", self._ward.unit.casefold())
        placed = replace(moved, place=here, other_place=there, elsewhere=elsewhere)
        return self._intake.move(placed, oru.source_of(message) or "ADT")

    def _bed(self, place: str) -> str:
        unit, _, bed = place.partition("/")
        name = self._ward.bed(unit, bed)
        return name if name in self._intake.census.rows else ""

    def _refused(self, message: Message | None, error: Refused) -> bytes:
        if not error.counted:
            self._intake.refuse(self._way, oru.source_of(message) if message else "", error)
        code = "AR" if error.reason in REJECTED else "AE"
        return self._answer(message, code, str(error))

    def _taken(self, message: Message, done: "Future[Any] | None") -> "bytes | Future[bytes]":
        if done is None:
            return self._answer(message, "AA")
        told: Future[bytes] = Future()

        def kept(stored: "Future[Any]") -> None:
            if not told.set_running_or_notify_cancel():
                return  # the line was closed meanwhile: nobody waits for this answer
            error = stored.exception()
            if error is None:
                told.set_result(self._answer(message, "AA"))
            else:
                told.set_result(self._answer(message, "AE", f"it could not be kept: {error}"))

        done.add_done_callback(kept)
        return told

    def _answer(self, message: Message | None, code: str, error: str = "") -> bytes:
        if message is not None and message.header(16) == NEVER:
            return b""
        return hl7.answer(message, self._clock.wall(), code, error)
