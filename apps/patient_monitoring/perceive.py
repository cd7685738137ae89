"""From what sensors said to what is known of a ward: signs, NEWS2, risk and anomaly.

One calculation for all beds. The order is the chapter's: gates and medians, then the score
of what is left, then the model once a minute, then the distance from each patient's own
normal. What was not measured, or is too old, is said to be missing in every one of them.
"""

from collections.abc import Sequence

import numpy as np

from apps.patient_monitoring import news2
from apps.patient_monitoring.baseline import BaselineBoard, distance
from apps.patient_monitoring.config import EscalationRules, Settings
from apps.patient_monitoring.domain import (
    Array,
    Flag,
    Parameter,
    Patient,
    Risk,
    Score,
    Sign,
)
from apps.patient_monitoring.gates import TOGETHER_S
from apps.patient_monitoring.readings import Reading, Readings
from apps.patient_monitoring.risk import RiskModel
from apps.patient_monitoring.signs import SignBoard
from apps.patient_monitoring.trends import FEATURES, TrendBoard, features
from apps.patient_monitoring.ward import Percept
from common.errors import RuntimeFailure
from common.ports import Sample

MODEL_PERIOD_S = 60.0
LOOKED_S = 60.0
"""A consciousness entered no longer ago: whoever entered it has just looked."""
RISEN = 2
"""Points above what the score was when a person last looked: then they look within the hour.

A bleeding patient's pulse rises for hours before anybody takes the pressure."""


class Perceive:
    """Sample of Readings → Percept. A model that fails takes no score away: it says nothing."""

    def __init__(
        self, patients: Sequence[Patient | None], settings: Settings, model: RiskModel | None
    ) -> None:
        beds = len(patients)
        self.signs = SignBoard(beds, settings.signs, settings.extremes)
        self._trends = TrendBoard(beds)
        self._baselines = BaselineBoard(beds, settings.baseline)
        self._model = model
        self._intervals = intervals(settings.escalation)
        self._patients = list(patients)
        self._scale2 = np.array([bool(p and p.scale2) for p in patients])
        self._refused = np.array([bool(p and p.refusal) for p in patients])
        self._due_s = np.full(beds, self._intervals[Risk.ROUTINE])
        self._looked_at = np.zeros(beds, np.int64)
        """The score when a person last entered an observation."""
        self._next_model = -np.inf
        self.model_fault = ""
        """Why the model says nothing of anybody; empty while it does."""
        self._features = np.full((beds, len(FEATURES)), np.nan, np.float32)
        self._risk = np.full(beds, np.nan)
        self._contributions = self._features.copy()

    def admit(self, bed: int, patient: Patient | None) -> None:
        """Who lies in `bed` from now on; None: nobody.

        Signs are kept only where it is the same person (an order or the age has changed).
        """
        before, self._patients[bed] = self._patients[bed], patient
        self._scale2[bed] = bool(patient and patient.scale2)
        self._refused[bed] = bool(patient and patient.refusal)
        if before and patient and before.pseudonym == patient.pseudonym:
            return
        for board in (self.signs, self._trends, self._baselines):
            board.clear(bed)
        self._looked_at[bed] = 0
        self._due_s = _with(self._due_s, bed, self._intervals[Risk.ROUTINE])
        self._features = _with(self._features, bed, np.nan)
        self._contributions = _with(self._contributions, bed, np.nan)
        self._risk = _with(self._risk, bed, np.nan)

    def __call__(self, sample: Sample[Readings]) -> Percept:
        """The ward as it is at the sample's time, which is now."""
        now, new = sample.monotonic, sample.data
        self.signs.update(new)
        reading = self.signs.read(now, self._due_s)
        score = news2.score(inputs(reading), self._scale2, self._refused)
        confirmed = self._looked(new, now)
        self._looked_at = np.where(confirmed, score.at_least, self._looked_at)
        risen = score.at_least >= self._looked_at + RISEN
        self._due_s = observed_every(score, self._due_s, self._intervals, risen)
        self._trends.add(reading, now)
        if now >= self._next_model:
            self._next_model = now + MODEL_PERIOD_S
            self._ask_model(reading)
        usual = self._baselines.follow(reading, now)
        anomaly, shares = distance(usual)
        return Percept(
            at=now,
            reading=reading,
            score=score,
            due_s=self._due_s,
            confirmed=confirmed,
            features=self._features,
            risk=self._risk,
            contributions=self._contributions,
            anomaly=anomaly,
            anomaly_shares=shares,
            usual=usual,
        )

    def _looked(self, new: Readings, now: float) -> Array:
        """Bool [beds]: a person has just observed the patient, and says how conscious they are.

        An observation that comes along to another bed or over a restart is no look.
        """
        fresh = np.isfinite(new.value) & (now - new.at <= LOOKED_S)
        beds = new.bed[fresh & (new.sign == Sign.ACVPU)]
        return np.isin(np.arange(len(self._patients)), beds)

    def _ask_model(self, reading: Reading) -> None:
        self._features = features(self._trends.hours(), reading.value[:, Sign.OXYGEN])
        if self._model is None:
            return
        self.model_fault = ""
        try:
            risk, self._contributions = self._model.predict(self._features)
        except RuntimeFailure as error:
            self.model_fault = str(error)
            risk = np.full(len(self._refused), np.nan)
            self._contributions = np.full_like(self._features, np.nan)
        self._risk = np.where(self._refused, np.nan, risk)


def _with(told: Array, bed: int, value: float) -> Array:
    """The same with another value for one bed; percepts given out keep what they had."""
    changed = told.copy()
    changed[bed] = value
    return changed


def intervals(rules: EscalationRules) -> Array:
    """[risks]: how often at least a patient of each risk is observed, in s."""
    every = {
        Risk.ROUTINE: rules.routine_s,
        Risk.LOW: rules.low_s,
        Risk.LOW_MEDIUM: rules.medium_s,
        Risk.MEDIUM: rules.medium_s,
        Risk.HIGH: rules.high_s,
    }
    return np.array([every[risk] for risk in Risk])


def observed_every(
    score: Score, due_s: Array, every_s: Array, risen: Array | bool = False
) -> Array:
    """[beds]: how often each is to be observed; only a complete score makes it less often.

    By the chart, and within the hour where the score has risen since somebody looked.

    Else a pressure that has become too old for a rising score would, by being left out,
    lower the score and so become young enough again.
    """
    wanted = every_s[news2.risk(score.at_least, score.red)]
    wanted = np.where(risen, np.minimum(wanted, every_s[Risk.MEDIUM]), wanted)
    return np.asarray(np.where(score.complete, wanted, np.minimum(due_s, wanted)))


def inputs(reading: Reading) -> Array:
    """[beds, parameters]: what NEWS2 is given.

    The pulse is the ECG's rate, else the oximeter's; where the two disagree it is the one
    that scores higher, for nobody knows which is right. A rate of long before the
    oximeter's, taken by hand as a rule, stands for nothing that has changed since.
    """
    value, age_s = reading.value, reading.age_s
    heart, pulse = value[:, Sign.HR], value[:, Sign.PULSE]
    differ = reading.flags[:, Sign.HR] & int(Flag.DISAGREE) != 0
    higher = news2.points(Parameter.PULSE, pulse) > news2.points(Parameter.PULSE, heart)
    old = np.isfinite(pulse) & (age_s[:, Sign.HR] > age_s[:, Sign.PULSE] + TOGETHER_S)
    rate = np.where(np.isnan(heart) | old | (differ & higher), pulse, heart)
    order = (Sign.RR, Sign.SPO2, Sign.OXYGEN, Sign.SBP, Sign.HR, Sign.ACVPU, Sign.TEMP)
    found = value[:, order]
    found[:, Parameter.PULSE] = rate
    return np.asarray(found)
