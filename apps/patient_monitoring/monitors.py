"""Sensors on the simulated patients: what they make of the truth, and how they fail.

Each fault has a rate per patient-day and a length, and comes with the flag a device would
send, or with none: half of the movement has no accelerometer to tell of it.
"""

from dataclasses import dataclass

import numpy as np

from apps.patient_monitoring.domain import Array, Flag, Sign
from apps.patient_monitoring.physiology import DAY_S, Truth
from apps.patient_monitoring.readings import CONTINUOUS, Readings

STREAMED = (Sign.HR, Sign.PULSE, Sign.SPO2, Sign.RR, Sign.PI, Sign.MOTION)
CONTEXT = (Sign.PI, Sign.MOTION)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """How often and how long a sensor fails in one way."""

    per_day: float
    mean_s: float


FAULTS = {
    "probe_off": FaultKind(2.0, 420.0),
    "lead_off": FaultKind(1.0, 300.0),
    "weak": FaultKind(1.5, 500.0),
    "movement": FaultKind(14.0, 40.0),
    "offline": FaultKind(0.4, 240.0),
    "spike": FaultKind(30.0, 2.0),
    "sentinel": FaultKind(2.0, 30.0),
}
OFTEN = 3.0  # a tenth of the patients wear their sensors badly: this much more of each fault


class Monitors:
    """One bedside monitor or wearable per bed, at 1 Hz."""

    def __init__(self, beds: int, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 2])
        self._until = {name: np.full(beds, -1.0) for name in FAULTS}
        self._worn = np.where(self._rng.random(beds) < 0.1, OFTEN, 0.75)
        self._accelerometer = self._rng.random(beds) < 0.5
        self._wrong = self._rng.normal(size=(2, beds))

    def read(self, truth: Truth, now: float, seconds: float = 1.0) -> Readings:
        """What the devices send at `now`, `seconds` after they last did."""
        there = self._faults(now, seconds)
        value = self._measured(truth)
        self._disturb(value, truth, there)
        flags = np.zeros(value.shape, np.int32)
        self._take_off(value, flags, there)
        return self._sent(value, flags, there, now)

    def _faults(self, now: float, seconds: float) -> dict[str, Array]:
        """Bool [beds] per kind of fault: whether it is there now."""
        for name, kind in FAULTS.items():
            chance = kind.per_day * self._worn * seconds / DAY_S
            begins = np.flatnonzero(self._rng.random(len(self._worn)) < chance)
            if len(begins):
                self._until[name][begins] = now + self._rng.exponential(
                    kind.mean_s, len(begins)
                )
                self._wrong[:, begins] = self._rng.normal(size=(2, len(begins)))
        return {name: until > now for name, until in self._until.items()}

    def _measured(self, truth: Truth) -> Array:
        """[beds, STREAMED], with a sensor's own noise and steps."""
        noise = self._rng.normal(size=(3, len(truth.hr)))
        return np.stack(
            [
                np.rint(truth.hr + 0.7 * noise[0]),
                np.rint(truth.pulse + 0.9 * noise[1]),
                np.minimum(np.rint(truth.spo2), 100.0),
                np.rint(truth.rr + 0.6 * noise[2]),
                truth.perfusion.round(2),
                truth.motion.round(0),
            ],
            axis=1,
        )

    def _disturb(self, value: Array, truth: Truth, there: dict[str, Array]) -> None:
        """Values that are wrong without anybody having taken a sensor off."""
        moved = there["movement"] | (truth.motion > 150)
        size = np.abs(self._wrong)
        rub = np.where(moved, (3 + 9 * size[0]).clip(max=30), 0.0)
        value[:, 2] = np.maximum(np.rint(value[:, 2] - rub), 45)
        value[:, 1] += np.where(moved, np.rint(35 * self._wrong[1]), 0.0).clip(-60, 90)
        value[:, 3] += np.where(moved, np.rint(8 * size[1]), 0.0).clip(max=25)
        doubled = there["movement"] & (self._wrong[1] > 1.0)  # T waves or tremor, counted too
        value[:, 0] = np.where(doubled, value[:, 0] * 1.8, value[:, 0]).clip(max=290)
        value[:, 5] = np.where(there["movement"], 300.0, value[:, 5])
        weak = there["weak"]
        value[:, 4] = np.where(weak, 0.08 + 0.1 * np.minimum(size[1], 1), value[:, 4])
        value[:, 2] = np.where(weak, np.maximum(value[:, 2] - np.rint(4 + 6 * size[0]), 45),
                               value[:, 2])  # fmt: skip
        spiked = there["spike"]
        which = np.argmax(np.abs(self._wrong), axis=0) * 2  # 0 heart rate, 2 saturation
        beds = np.flatnonzero(spiked)
        value[beds, which[beds]] = np.where(which[beds] == 0, 240.0, 62.0)
        sentinel = np.flatnonzero(there["sentinel"])
        value[sentinel, 2] = 8_388_607.0

    def _take_off(self, value: Array, flags: Array, there: dict[str, Array]) -> None:
        for columns, name, flag in (
            ((1, 2, 4), "probe_off", Flag.SENSOR_OFF),
            ((0, 3), "lead_off", Flag.LEAD_OFF),
        ):
            for column in columns:
                value[there[name], column] = np.nan
                flags[there[name], column] = int(flag)
        value[~self._accelerometer, 5] = np.nan

    def _sent(
        self, value: Array, flags: Array, there: dict[str, Array], now: float
    ) -> Readings:
        on = np.flatnonzero(~there["offline"])
        count = len(on) * len(STREAMED)
        return Readings(
            bed=np.repeat(on, len(STREAMED)),
            sign=np.tile(np.array(STREAMED, np.int64), len(on)),
            value=value[on].reshape(-1),
            at=np.full(count, now),
            flags=flags[on].reshape(-1),
            interval_s=np.full(count, CONTINUOUS),
        )
