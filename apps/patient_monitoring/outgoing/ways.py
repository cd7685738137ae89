"""The ways out of a ward's gateway: opened by settings, each a sink of the outbox.

Every way has a courier with a thread of its own, so that a security desk that is down
holds up no alarm, and what one receiver refuses the others still get.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from apps.patient_monitoring.outgoing.fhir import Fhir
from apps.patient_monitoring.outgoing.mllp import Mllp
from apps.patient_monitoring.outgoing.pulse import Pulse
from apps.patient_monitoring.outgoing.settings import OutgoingSettings
from apps.patient_monitoring.outgoing.siem import Siem
from apps.patient_monitoring.outgoing.who import Reveal, Who
from common.store import Store
from common.telemetry.courier import NOTHING_SENT, Courier
from common.telemetry.drain import SinkState
from common.telemetry.outbox_rows import FHIR, HL7, SIEM

NAMES = {
    HL7: "alarm manager (HL7)",
    FHIR: "hospital record (FHIR)",
    SIEM: "security desk (SIEM)",
}


class Way(Protocol):
    """A way out, as whoever starts and stops a station sees it."""

    def start(self) -> None:
        """Begin to send."""

    def stop(self) -> None:
        """End; before the store is closed."""

    def state(self) -> SinkState:
        """How it fares."""


def open_ways(
    settings: OutgoingSettings, store: Store, reveal: Reveal | None = None
) -> dict[str, Way]:
    """Sink → the way that settings switch on, not started; raises ConfigError.

    `reveal` tells whom a pseudonym stands for, to the receivers that may know; it is called
    in the ways' own threads.
    """
    found: dict[str, Way] = {}
    hl7, fhir, siem = settings.hl7, settings.fhir, settings.siem
    if hl7.enabled:
        mllp = Mllp(hl7, Who(reveal, identify=hl7.identify), Pulse(store.path))
        found[HL7] = Courier(store, HL7, mllp, hl7.back_off)
    if fhir.enabled:
        record = Fhir(fhir, Who(reveal, identify=fhir.identify))
        found[FHIR] = Courier(store, FHIR, record, fhir.back_off)
    if siem.enabled:
        found[SIEM] = Courier(store, SIEM, Siem(siem), siem.back_off)
    return found


def failing(link: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Alarm id → detail for every way out; an empty detail is "not active".

    `link` is the state of each sink as the screens have it. A way fails from the first
    attempt that finds nobody, and as long as something lies there that was refused.
    """
    return {f"{sink}_failing": _detail(NAMES[sink], link.get(sink, {})) for sink in NAMES}


def _detail(name: str, state: Mapping[str, Any]) -> str:
    waits, dead = int(state.get("queued") or 0), int(state.get("dead") or 0)
    told = []
    why = str(state.get("reason", ""))
    if state.get("state") == "offline" and why != NOTHING_SENT:
        told.append(f"{waits} wait for the {name}: {why}")
    if dead:
        told.append(f"{dead} were refused for good by the {name}: see the dead letters")
    return "; ".join(told)
