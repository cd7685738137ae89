"""The deterioration model behind its contract: a day of signs → a risk and its reasons.

The network gives both: the calibrated probability, and what every feature adds to its log
odds beside the ordinary patient. So the reasons a nurse reads are the network's own sum and
no afterthought.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.trends import FEATURES, enough
from common.errors import BundleError
from common.inference.bundle import Model

INPUT, RISK, CONTRIBUTIONS = "features", "risk", "contributions"
SHOWN = 3
"""Reasons that are told of one patient at most."""
LAYOUT = f"NaN for what is not known; {', '.join(FEATURES)}"
"""As the card says it: a network of other features is refused."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that raises a patient's risk."""

    text: str
    factor: float
    """By how much it multiplies the odds beside the ordinary patient; above 1."""
    feature: str = ""
    value: float = float("nan")

    def document(self) -> dict[str, Any]:
        """As JSON; a screen says it anew in the language of who reads it."""
        return {
            "text": self.text, "factor": round(self.factor, 3), "feature": self.feature,
            "value": round(self.value, 2),
        }  # fmt: skip


class RiskModel:
    """Features → risk and contributions; raises BundleError for a network of other features."""

    def __init__(self, model: Model) -> None:
        if model.card.inputs[0].layout != LAYOUT:
            raise BundleError(f"{model.card.name}: was made for other features than this app's")
        self._model = model

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Risk float [n] and contributions float32 [n, features].

        NaN for those of whom too little is known; raises RuntimeFailure.
        """
        risk = np.full(len(features), np.nan)
        adds = np.full(features.shape, np.nan, np.float32)
        known = np.flatnonzero(enough(features))
        if len(known):
            outputs = self._model.run({INPUT: np.ascontiguousarray(features[known])})
            risk[known] = outputs[RISK].reshape(-1)
            adds[known] = outputs[CONTRIBUTIONS]
        return risk, adds


WORDS = {
    "hr": ("pulse", "/min", 0),
    "spo2": ("SpO₂", "%", 0),
    "temp": ("temperature", "°C", 1),
    "sbp": ("systolic pressure", "mmHg", 0),
    "rr": ("respiration", "/min", 0),
}


def reasons(features: Array, contributions: Array) -> tuple[Reason, ...]:
    """What raises one patient's risk most, the weightiest first; empty where nothing does.

    What is missing is no reason: the network saw an ordinary value in its place.
    """
    order = np.argsort(-np.nan_to_num(contributions))[:SHOWN]
    return tuple(
        Reason(
            _sentence(FEATURES[i], float(features[i])), float(np.exp(contributions[i])),
            FEATURES[i], float(features[i]),
        )
        for i in order
        if contributions[i] > 0 and np.isfinite(features[i])
    )  # fmt: skip


def _sentence(feature: str, value: float) -> str:
    if feature == "oxygen":
        return "on oxygen" if value else "on air"
    sign, _, kind = feature.partition("_")
    name, unit, digits = WORDS[sign]
    amount = f"{abs(value):.{digits}f} {unit}"
    return {
        "now": f"{name} {amount}",
        "mean_6h": f"{name} {amount} over 6 h",
        "mean_24h": f"{name} {amount} over the day",
        "spread_6h": f"{name} varies by ±{abs(value):.1f} {unit} over 6 h",
        "spread_24h": f"{name} varies by ±{abs(value):.1f} {unit} over the day",
        "lowest_24h": f"{name} was down to {amount} within the day",
        "highest_24h": f"{name} was up to {amount} within the day",
        "change": f"{name} {abs(value):.1f} {unit} {'above' if value > 0 else 'below'} "
        "the hours before",
    }[kind]
