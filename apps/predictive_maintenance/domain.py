"""The nouns of machine health, from the waveform to the verdict."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from common.quality import Quality


class Verdict(Enum):
    """What is decided of a machine, from best to worst, and UNKNOWN."""

    RUN = "run"
    WATCH = "watch"
    """Something has changed: look at it; nothing needs to be ordered."""
    PLAN = "plan"
    """Maintenance is needed: plan it. A work order."""
    STOP = "stop"
    """Damage is likely: stop the machine as soon as that is safe."""
    UNKNOWN = "unknown"
    """Never judged so far; not a better verdict than RUN, it is none."""

    @property
    def rank(self) -> int:
        """0 for RUN to 3 for STOP; -1 for UNKNOWN."""
        return _RANKS[self]


_RANKS = {Verdict.RUN: 0, Verdict.WATCH: 1, Verdict.PLAN: 2, Verdict.STOP: 3,
          Verdict.UNKNOWN: -1}  # fmt: skip


class Motion(Enum):
    """What the machine does while it is measured."""

    STOPPED = "stopped"
    RAMPING = "ramping"
    """Speed changes too fast: neither levels nor lines mean anything."""
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class OperatingState:
    """Motion and, when steady, the speed and load bin that a baseline is learned for."""

    motion: Motion
    key: str
    """E.g. "1450 r/min, load 75 %"; "any" where neither speed nor load is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One measurement of one machine."""

    asset: str
    acceleration: np.ndarray
    """float32 [axes, samples], m/s²."""
    fs_hz: float
    at_s: float
    """Monotonic, when it was taken: what persistence and trends count from."""
    wall_time: float
    """UTC, seconds since 1970."""
    rpm: float | None = None
    """Of the shaft, mean over the window; None is not known."""
    rpm_change: float | None = None
    """r/min from the window's first to its last sample; None is not known."""
    load: float | None = None
    """Share of the rated load, 0–1; None is not known."""
    temperature_c: float | None = None
    """Of the bearing; None is not measured."""
    quality: Quality = Quality.GOOD
    reason: str = ""
    """What sense already found wrong with it."""


Batch = tuple[Window, ...]
"""Windows of different machines that are scored together: at most one each."""


@dataclass(frozen=True, slots=True)
class BearingLine:
    """A bearing's fault frequency in the envelope spectrum."""

    fault: str
    """BPFO outer race, BPFI inner race, BSF rolling element (at twice BSF), FTF cage."""
    hz: float
    db: float
    """Mean of its first three harmonics above the spectrum around them."""


@dataclass(frozen=True, slots=True)
class BandChange:
    """How far one band is from the machine's own normal."""

    axis: int
    low_hz: float
    high_hz: float
    db: float
    """Above (+) or below (-) the baseline of this operating state."""


@dataclass(frozen=True, slots=True)
class Health:
    """What was perceived of one machine in one window."""

    asset: str
    at_s: float
    wall_time: float
    quality: Quality
    reason: str
    """Why the quality is not GOOD; then no figure below says anything."""
    state: OperatingState
    judged: bool = False
    """Steady and of good quality: the figures below may be compared with limits."""
    duration_s: float = 0.0
    """Length of the window."""
    fs_hz: float = 0.0
    rpm: float | None = None
    load: float | None = None
    temperature_c: float | None = None
    """Of the bearing; known also of a window that is not judged."""
    temperature_fault: str = ""
    """What is wrong with it alone; then it is None."""
    velocity_mm_s: float = 0.0
    """RMS in the velocity band, of the worst axis."""
    acceleration_m_s2: float = 0.0
    """RMS of the worst axis."""
    crest: float = 0.0
    kurtosis: float = 3.0
    """Raw (Gaussian is 3), of the worst axis."""
    velocity_baseline: float | None = None
    """mm/s, of this operating state; None without a baseline for it."""
    acceleration_baseline: float | None = None
    """m/s²."""
    acceleration_usual: float | None = None
    """m/s²: four standard deviations above the healthy mean of this state."""
    kurtosis_baseline: float | None = None
    """Raw, that one healthy window in twenty exceeds."""
    signature: float | None = None
    """Distance of the spectrum's shape from normal, 1 is the learned limit; None: no
    baseline for this state, or too few windows yet."""
    reconstruction: float | None = None
    """The same by PCA reconstruction error."""
    sequence: float | None = None
    """The same by the sequence model; None also where no model is loaded."""
    lines: tuple[BearingLine, ...] = ()
    """Empty where geometry or speed is not known."""
    changes: tuple[BandChange, ...] = ()
    """The bands that changed most, largest first; empty while the signature is as usual."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a verdict."""

    kind: str
    """velocity, acceleration, temperature, bearing, impulses, signature or sequence."""
    verdict: Verdict
    """What this evidence alone asks for."""
    value: float
    limit: float
    """The limit of that verdict, in the same unit."""
    unit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """Remaining time until the next limit is reached, if things go on as they do."""

    kind: str
    """The evidence whose trend this is."""
    limit: float
    hours: float
    """Best estimate."""
    hours_low: float
    hours_high: float
    """90 % interval; infinite where the slowest plausible trend never arrives."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one machine, and why."""

    asset: str
    verdict: Verdict
    judged: bool
    """Whether this window was judged, be it by its temperature alone; else the verdict is
    the last one."""
    reason: str
    """Why its vibration was not judged; empty when it was."""
    severity: float
    """Largest evidence over its lowest limit, of the last judged window; 1 is the limit."""
    evidence: tuple[Evidence, ...] = ()
    """What holds the verdict, worst first; empty for RUN."""
    zone: str = ""
    """ISO 20816-3 zone A–D of this window; empty outside the standard's scope."""
    zone_reason: str = ""
    """Why there is no zone."""
    outlook: Outlook | None = None
    """None: no trend."""
    latched: bool = False
    """STOP stays until a person acknowledges it."""
