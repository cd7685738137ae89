"""HL7 v2 to its receiver over MLLP: one message, one answer, then the next.

A message is gone only when the receiver's answer names it and says AA (or CA, where the
settings are content with "stored"). A refusal of the message itself is for good; a
receiver that is in trouble, silent or nonsensical is asked again with the same bytes.
"""

import secrets
import time
from collections.abc import Callable

from apps.patient_monitoring.outgoing import oru_r40
from apps.patient_monitoring.outgoing.er7 import Acknowledgement, read_acknowledgement
from apps.patient_monitoring.outgoing.link import Link, LinkDown, Where, tls_context
from apps.patient_monitoring.outgoing.oru_r40 import Said
from apps.patient_monitoring.outgoing.settings import APPLICATION, Hl7Settings
from apps.patient_monitoring.outgoing.who import Who
from common.telemetry.courier import TAKEN, Answer
from common.telemetry.drain import Verdict
from common.telemetry.event import Event

START, END = b"\x0b", b"\x1c\r"
MOST_BYTES = 65_536
"""Of an answer."""
LATER_ERRORS = ("206", "207")
"""HL7 table 0357: record locked, internal error. All others are about the message."""


class Mllp:
    """Speaks ORU^R40 to one receiver; raises ConfigError for unusable TLS files."""

    def __init__(self, settings: Hl7Settings, who: Who, works: Callable[[], bool]) -> None:
        """`works` says whether the ward is watched: only then may the watchdog bark."""
        where = Where(settings.host, settings.port, settings.connect_timeout_s)
        files = (settings.ca_file, settings.cert_file, settings.key_file)
        tls = tls_context(where, *files) if settings.tls else None
        self.name = f"{where}"
        self._settings, self._who, self._works = settings, who, works
        self._link = Link(where, tls)
        self._spoke_at = time.monotonic()

    def render(self, event: Event) -> Said | None:
        """ORU^R40 of an alarm's change; None for anything else."""
        return oru_r40.render(event, self._settings, self._who)

    def send(self, message: Said) -> Answer:
        """Send it, and wait for the answer to it."""
        body, timeout_s = message.text.encode(), self._settings.ack_timeout_s
        self._spoke_at = time.monotonic()
        try:
            self._link.write(START + body + END, timeout_s)
            return self._judged(self._answer(), message)
        except LinkDown as error:
            return Answer(Verdict.LATER, str(error))
        except ValueError as error:
            self.close()  # nobody knows what else is on its way
            reason = f"{self.name}: the answer is none: {error}"
            return Answer(Verdict.LATER, reason, answered=True)

    def probe(self) -> Answer | None:
        """The watchdog's message, when it is due; any answer to it says that they live."""
        every_s = self._settings.watchdog_s
        if not every_s or time.monotonic() - self._spoke_at < every_s:
            return None
        self._spoke_at = time.monotonic()
        if not self._works():
            return None  # they shall miss us, and call somebody
        control = secrets.token_hex(10).upper()
        answer = self.send(oru_r40.watchdog(self._settings, control, time.time()))
        return TAKEN if answer.verdict is Verdict.NEVER else answer

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def _answer(self) -> Acknowledgement:
        """The application's answer; "stored" alone is waited past where that is not enough."""
        found = self._read()
        if found.code == "CA" and self._settings.acknowledgement == APPLICATION:
            found = self._read()
        return found

    def _read(self) -> Acknowledgement:
        block = self._link.read(END, MOST_BYTES, self._settings.ack_timeout_s)
        if not block.startswith(START):
            raise ValueError("it is not framed")
        return read_acknowledgement(block[len(START) : -len(END)])

    def _judged(self, answer: Acknowledgement, message: Said) -> Answer:
        if answer.control_id != message.control_id:
            raise ValueError(f"it is about another message ({answer.control_id[:40]!r})")
        if answer.code in ("AA", "CA"):
            return TAKEN
        if answer.code not in ("AE", "AR", "CE", "CR"):
            raise ValueError(f"its code is {answer.code[:10]!r}")
        code = f"{self.name}: {answer.code} {answer.error}".strip()
        if answer.error in LATER_ERRORS:  # its words stay out of alarms: they may name somebody
            return Answer(Verdict.LATER, code, answered=True)
        return Answer(Verdict.NEVER, " ".join(f"{code} {answer.text}".split()))
