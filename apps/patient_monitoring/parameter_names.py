"""What the parameters of NEWS2 are called, wherever a person reads them."""

from apps.patient_monitoring.domain import Parameter

PARAMETER_NAMES = {
    Parameter.RESPIRATION: "respiration",
    Parameter.SPO2: "SpO2",
    Parameter.OXYGEN: "oxygen",
    Parameter.SYSTOLIC: "systolic pressure",
    Parameter.PULSE: "pulse",
    Parameter.CONSCIOUSNESS: "consciousness",
    Parameter.TEMPERATURE: "temperature",
}
