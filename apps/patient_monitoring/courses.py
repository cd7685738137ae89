"""How patients get worse: five courses with a known onset and a known crisis.

A course is a drive that rises from 0 at the onset to 1 at the crisis, when without help it
would be an emergency, stays there until it is treated, and then falls again. Each sign
follows it from its own start and by its own amount: a bleeding patient's pulse rises long
before the pressure falls.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from apps.patient_monitoring.domain import Acvpu, Array

HOUR = 3600.0
TREATED_AFTER_S = 0.5 * HOUR
RECOVERY_S = 2 * HOUR


class CourseKind(StrEnum):
    """What happens to the patient."""

    SEPSIS = "sepsis"
    BLEEDING = "bleeding"
    HYPOXIA = "hypoxia"
    OPIOID = "opioid"
    ARRHYTHMIA = "arrhythmia"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a sign does: nothing up to `begins` of the drive, `amount` at the crisis."""

    amount: float
    begins: float = 0.0

    def at(self, drive: float) -> float:
        """The change at this drive."""
        return self.amount * max(0.0, drive - self.begins) / (1.0 - self.begins)


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of course."""

    lasts_s: float
    """From onset to crisis."""
    hr: Effect
    rr: Effect
    spo2: Effect
    sbp: Effect
    temp: Effect
    perfusion: Effect = Effect(0.0)
    deficit: Effect = Effect(0.0)
    """Beats that reach no finger, /min."""
    irregular: float = 0.0
    """Standard deviation of the rate from second to second, /min."""
    consciousness: tuple[tuple[float, Acvpu], ...] = ()
    """From which drive on it is no longer Alert but …"""


SHAPES = {
    CourseKind.SEPSIS: Shape(
        14 * HOUR, Effect(42), Effect(11, 0.05), Effect(-6, 0.4), Effect(-40, 0.5),
        Effect(2.2), Effect(-1.2, 0.6), consciousness=((0.8, Acvpu.CONFUSION),),
    ),
    CourseKind.BLEEDING: Shape(
        3 * HOUR, Effect(52), Effect(9, 0.2), Effect(-2, 0.5), Effect(-52, 0.4),
        Effect(-0.6), Effect(-2.4, 0.2), consciousness=((0.9, Acvpu.VOICE),),
    ),
    CourseKind.HYPOXIA: Shape(
        1.5 * HOUR, Effect(30, 0.1), Effect(14), Effect(-14), Effect(8), Effect(0),
        consciousness=((0.85, Acvpu.CONFUSION),),
    ),
    CourseKind.OPIOID: Shape(
        1 * HOUR, Effect(-10), Effect(-10.5), Effect(-15, 0.35), Effect(-12, 0.3), Effect(0),
        consciousness=((0.4, Acvpu.VOICE), (0.8, Acvpu.PAIN)),
    ),
    CourseKind.ARRHYTHMIA: Shape(
        60.0, Effect(72), Effect(5), Effect(-1), Effect(-16), Effect(0), Effect(-0.8),
        deficit=Effect(24), irregular=9.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """One patient's course. Times in s of the simulation."""

    kind: CourseKind
    bed: int
    onset: float

    @property
    def shape(self) -> Shape:
        """What it does."""
        return SHAPES[self.kind]

    @property
    def crisis(self) -> float:
        """When it is an emergency."""
        return self.onset + self.shape.lasts_s

    @property
    def end(self) -> float:
        """When nothing is left of it."""
        return self.crisis + TREATED_AFTER_S + RECOVERY_S

    def drive(self, now: float) -> float:
        """0 before and long after, 1 at the crisis."""
        if now < self.crisis:
            return min(max((now - self.onset) / self.shape.lasts_s, 0.0), 1.0)
        fallen = (now - self.crisis - TREATED_AFTER_S) / RECOVERY_S
        return min(max(1.0 - fallen, 0.0), 1.0)

    def consciousness(self, now: float) -> Acvpu:
        """What a nurse would find."""
        drive, level = self.drive(now), Acvpu.ALERT
        for begins, worse in self.shape.consciousness:
            if drive >= begins:
                level = worse
        return level


def schedule(beds: int, days: float, each: int, seed: int) -> list[Course]:
    """`each` courses of every kind, one at most per bed and no two at once in one bed.

    The onset lies on any day, at any time of it, early enough for the course to end.
    """
    rng = np.random.default_rng([seed, 77])
    kinds = [kind for kind in CourseKind for _ in range(each)]
    if len(kinds) > beds:
        raise ValueError(f"{len(kinds)} courses need as many beds; there are {beds}")
    chosen = rng.permutation(beds)[: len(kinds)]
    made = []
    for kind, bed in zip(kinds, chosen, strict=True):
        lasts = SHAPES[kind].lasts_s + TREATED_AFTER_S + RECOVERY_S
        latest = max(days * 24 * HOUR - lasts, 3 * HOUR)
        made.append(Course(kind, int(bed), float(rng.uniform(2 * HOUR, latest))))
    return made


def effects(courses: list[Course], beds: int, now: float) -> dict[str, Array]:
    """What all courses together add to each bed's signs at this moment."""
    names = ("hr", "rr", "spo2", "sbp", "temp", "perfusion", "deficit")
    added = {name: np.zeros(beds) for name in (*names, "irregular")}
    for course in courses:
        drive = course.drive(now)
        if drive > 0:
            for name in names:
                added[name][course.bed] += getattr(course.shape, name).at(drive)
            added["irregular"][course.bed] += course.shape.irregular * drive
    return added
