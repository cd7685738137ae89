"""The RCP chart of 2017: what each clinical risk asks of the ward. Data, and nothing else.

A hospital's own protocol goes here. Times to respond that the chart leaves to the hospital
are the ones often attached to it.
"""

from dataclasses import dataclass

from apps.patient_monitoring.domain import Extreme, Flag, Priority, Risk


@dataclass(frozen=True, slots=True)
class Response:
    """What a risk asks for."""

    priority: Priority
    text: str
    """What is wrong."""
    within_s: float
    """By when a nurse is at the bed; 0: no alarm."""
    response: str
    """What is done."""
    observe: str
    """How often at least, as the chart words it."""


CHART = {
    Risk.ROUTINE: Response(
        Priority.NONE, "NEWS2 0", 0, "Go on with routine observations.", "every 12 h",
    ),
    Risk.LOW: Response(
        Priority.NONE, "NEWS2 1–4", 0,
        "Assess the patient; decide on more observations or on escalation.", "every 4–6 h",
    ),
    Risk.LOW_MEDIUM: Response(
        Priority.LOW, "NEWS2: 3 in a single parameter", 900,
        "Inform the medical team, who review and decide.", "every hour",
    ),
    Risk.MEDIUM: Response(
        Priority.MEDIUM, "NEWS2 5–6: urgent response", 180,
        "Inform the medical team at once; urgent assessment within an hour by a clinician "
        "competent in acutely ill patients; care where monitoring is possible.",
        "every hour",
    ),
    Risk.HIGH: Response(
        Priority.HIGH, "NEWS2 7 or more: emergency response", 60,
        "Inform the medical team at once, registrar at least; emergency assessment within "
        "30 minutes with critical-care and airway skills; consider a higher level of care.",
        "continuously",
    ),
}  # fmt: skip

EXTREMES = {
    Extreme.DESATURATION: "SpO2 extremely low",
    Extreme.BRADYCARDIA: "heart rate extremely low",
    Extreme.TACHYCARDIA: "heart rate extremely high",
    Extreme.APNOEA: "no breath",
}
"""Each is an emergency by itself: Priority.HIGH, with the response of Risk.HIGH."""

TECHNICAL = {
    Flag.SENSOR_OFF: "probe off",
    Flag.LEAD_OFF: "electrode off",
    Flag.LOW_SIGNAL: "weak signal",
    Flag.DISAGREE: "heart rate and pulse differ",
    Flag.OFFLINE: "device silent",
}
"""Faults of the monitoring: Priority.LOW, never mixed with what the body does."""
