"""From windows to health: guard, state, levels, features, distances from the own normal.

The windows of all machines that came together are worked on together: one pass of FFTs per
length and rate, one inference for all sequences. A window that may not be judged (bad
signal, stopped, ramping) says so; it never gets a figure that looks like health.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.bearings import Suspect, fault_lines
from apps.predictive_maintenance.comparison import Comparison
from apps.predictive_maintenance.config import Machine, QualityRules, StateRules
from apps.predictive_maintenance.domain import (
    Batch,
    BearingLine,
    Health,
    Motion,
    OperatingState,
    Window,
)
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.signal_quality import record_faults, window_fault
from apps.predictive_maintenance.states import state_of
from apps.predictive_maintenance.vibration import Measured, Measurer
from common.ports import Sample
from common.quality import Quality

UNCLEAR = OperatingState(Motion.STEADY, "")
Lines = tuple[BearingLine, ...]


class Perceive:
    """Sample of a batch of windows → one Health each; raises RuntimeFailure."""

    def __init__(
        self,
        machines: Mapping[str, Machine],
        quality: QualityRules,
        states: StateRules,
        model: SequenceModel | None = None,
    ) -> None:
        self._machines, self._quality, self._states = machines, quality, states
        self._measurer, self._comparison = Measurer(), Comparison(model)
        self._last: dict[str, Window] = {}

    def use(self, baseline: Baseline) -> None:
        """Compare this machine with another baseline from now on."""
        self._comparison.use(baseline)

    def __call__(self, sample: Sample[Batch]) -> tuple[Health, ...]:
        """The health of every machine in the batch, in its order."""
        return self.look(sample.data)[0]

    def look(self, windows: Batch) -> tuple[tuple[Health, ...], dict[str, Measured]]:
        """Health of every window, and what was measured of the judged ones, by asset."""
        faults = self._faults(windows)
        found = [self._state(w, fault) for w, fault in zip(windows, faults, strict=True)]
        judged = [at for at, health in enumerate(found) if health.judged]
        measured = self._measure([windows[at] for at in judged])
        lines = self._lines([windows[at] for at in judged], measured)
        for at, figures, ours in zip(judged, measured, lines, strict=True):
            found[at] = _levels(found[at], windows[at], figures, ours)
        self._comparison(found, dict(zip(judged, measured, strict=True)))
        assets = [windows[at].asset for at in judged]
        return tuple(found), dict(zip(assets, measured, strict=True))

    # ----------------------------------------------------------- may it be judged at all

    def _faults(self, windows: Batch) -> list[str]:
        """What is wrong with each window; empty: nothing."""
        faults = [self._form_fault(window) for window in windows]
        first = {window.asset: at for at, window in reversed(list(enumerate(windows)))}
        for at, window in enumerate(windows):
            if first[window.asset] != at:
                faults[at] = "a second window of this asset in one batch"
        groups: dict[int, list[int]] = {}
        for at, window in enumerate(windows):
            if not faults[at]:
                groups.setdefault(window.acceleration.shape[1], []).append(at)
        for members in groups.values():
            self._record_faults(windows, members, faults)
        return faults

    def _form_fault(self, window: Window) -> str:
        if window.quality is not Quality.GOOD:
            return window.reason or f"quality is {window.quality.value}"
        machine = self._machines.get(window.asset)
        if machine is None:
            return "asset is not known"
        last = self._last.get(window.asset)
        if last is not None and window.at_s < last.at_s:
            return f"is {last.at_s - window.at_s:.3g} s older than the window before it"
        return window_fault(window, machine, self._quality)

    def _record_faults(self, windows: Batch, members: list[int], faults: list[str]) -> None:
        rows = np.concatenate([_float(windows[at].acceleration) for at in members])
        owner = [at for at in members for _ in range(len(windows[at].acceleration))]
        scale = np.array([self._machines[windows[at].asset].full_scale_m_s2 for at in owner])
        for row, fault in enumerate(record_faults(rows, scale, self._quality)):
            if fault and not faults[owner[row]]:
                axis = row - owner.index(owner[row])
                faults[owner[row]] = f"axis {axis + 1}: {fault}"

    def _state(self, window: Window, fault: str) -> Health:
        """What the window says before it is measured."""
        quality = Quality.BAD if fault else Quality.GOOD
        health = Health(
            window.asset, window.at_s, window.wall_time, quality, fault, UNCLEAR,
            rpm=window.rpm, load=window.load, temperature_c=window.temperature_c,
        )  # fmt: skip
        if fault:
            return health
        state = state_of(window, self._last.get(window.asset), self._states)
        self._last[window.asset] = replace(window, acceleration=window.acceleration[:, :0])
        return replace(health, state=state, judged=state.motion is Motion.STEADY)

    # ------------------------------------------------------------------ what it measures

    def _measure(self, windows: list[Window]) -> list[Measured]:
        low = [self._machines[window.asset].velocity_low_hz for window in windows]
        wanted = any(w.rpm and self._machines[w.asset].bearings for w in windows)
        plain = [replace(w, acceleration=_float(w.acceleration)) for w in windows]
        return self._measurer(plain, low, spectra=wanted)

    def _lines(self, windows: list[Window], measured: list[Measured]) -> list[Lines]:
        """The lines of each window's worst bearing; none where geometry is not known."""
        found: list[Lines] = [()] * len(windows)
        groups: dict[tuple[int, float], list[tuple[int, Suspect]]] = {}
        for at, (window, figures) in enumerate(zip(windows, measured, strict=True)):
            if figures.envelope is None or not window.rpm:
                continue
            for bearing in self._machines[window.asset].bearings:
                key = len(figures.envelope), figures.bin_hz
                groups.setdefault(key, []).append((at, Suspect(bearing, window.rpm / 60)))
        for (_, bin_hz), members in groups.items():
            spectra = np.stack([np.asarray(measured[at].envelope) for at, _ in members])
            lines = fault_lines(spectra, bin_hz, [suspect for _, suspect in members])
            for (at, _), ours in zip(members, lines, strict=True):
                if not found[at] or (ours and ours[0].db > found[at][0].db):
                    found[at] = ours
        return found


def _levels(health: Health, window: Window, figures: Measured, lines: Lines) -> Health:
    worst = int(np.argmax(figures.acceleration_m_s2))
    return replace(
        health,
        duration_s=window.acceleration.shape[1] / window.fs_hz,
        velocity_mm_s=float(figures.velocity_mm_s.max()),
        acceleration_m_s2=float(figures.acceleration_m_s2[worst]),
        crest=float(figures.crest[worst]),
        kurtosis=float(figures.kurtosis.max()),
        lines=lines,
    )


def _float(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        return np.asarray(samples, np.float32)
