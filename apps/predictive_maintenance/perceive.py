"""From windows to health: guard, state, levels, features, distances from the own normal.

The windows of all machines that came together are worked on together: one pass of FFTs per
length and rate, one inference for all sequences. A window that may not be judged (bad
signal, stopped, ramping) says so; it never gets a figure that looks like health.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

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
from apps.predictive_maintenance.signal_quality import (
    glimpse,
    record_faults,
    temperature_fault,
    window_fault,
)
from apps.predictive_maintenance.states import denied, state_of
from apps.predictive_maintenance.vibration import Measured, Measurer, Stack
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
        """Of each machine, with a glimpse of its samples."""
        self._running: dict[str, float] = {}
        """m/s² RMS in the quietest state that a machine was learned in."""

    def use(self, baseline: Baseline) -> None:
        """Compare this machine with another baseline from now on."""
        self._comparison.use(baseline)
        self._running[baseline.asset] = float(baseline.acceleration_m_s2.min())

    def __call__(self, sample: Sample[Batch]) -> tuple[Health, ...]:
        """The health of every machine in the batch, in its order."""
        return self.look(sample.data)[0]

    def look(self, windows: Batch) -> tuple[tuple[Health, ...], dict[str, Measured]]:
        """Health of every window, and what was measured of the judged ones, by asset."""
        faults = self._form_faults(windows)
        stacks = self._stacks(windows, faults)
        for stack in stacks:
            self._record_faults(windows, stack, faults)
        faults = [f or self._stuck(w) for f, w in zip(faults, windows, strict=True)]
        states = [self._state(w, fault) for w, fault in zip(windows, faults, strict=True)]
        for at, state in enumerate(states):
            if state.motion is Motion.STOPPED:
                faults[at] = self._denied(windows[at])
        judged = {at for at, state in enumerate(states) if state.motion is Motion.STEADY}
        judged -= {at for at, fault in enumerate(faults) if fault}
        measured = self._measure(windows, stacks, judged)
        lines = self._lines(windows, measured)
        found = [
            _health(window, faults[at], states[at], measured.get(at), lines.get(at, ()))
            for at, window in enumerate(windows)
        ]
        found = [self._checked(*one) for one in zip(found, windows, strict=True)]
        self._comparison(found, measured)
        return tuple(found), {windows[at].asset: figures for at, figures in measured.items()}

    # ----------------------------------------------------------- may it be judged at all

    def _form_faults(self, windows: Batch) -> list[str]:
        """What is wrong with each window's form; empty: nothing."""
        faults = [self._form_fault(window) for window in windows]
        first = {window.asset: at for at, window in reversed(list(enumerate(windows)))}
        for at, window in enumerate(windows):
            if first[window.asset] != at:
                faults[at] = "a second window of this asset in one batch"
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

    def _stacks(self, windows: Batch, faults: list[str]) -> list[Stack]:
        whole = [at for at, fault in enumerate(faults) if not fault]
        low = [self._machines[windows[at].asset].velocity_low_hz for at in whole]
        return self._measurer.stack(windows, whole, low)

    def _record_faults(self, windows: Batch, stack: Stack, faults: list[str]) -> None:
        scales = [self._machines[windows[at].asset].full_scale_m_s2 for at in stack.owner]
        found = record_faults(stack.rows, np.array(scales), self._quality)
        for row, fault in enumerate(found):
            at = int(stack.owner[row])
            if fault and not faults[at]:
                axis = row - int(np.searchsorted(stack.owner, at))
                faults[at] = f"axis {axis + 1}: {fault}"

    def _state(self, window: Window, fault: str) -> OperatingState:
        if fault:
            return UNCLEAR
        state = state_of(window, self._last.get(window.asset), self._states)
        self._last[window.asset] = replace(window, acceleration=glimpse(window))
        return state

    def _stuck(self, window: Window) -> str:
        last = self._last.get(window.asset)
        same = last is not None and np.array_equal(glimpse(window), last.acceleration)
        return "the very samples of the record before it: the sensor is stuck" if same else ""

    def _denied(self, window: Window) -> str:
        return denied(window, self._running.get(window.asset, math.inf))

    def _checked(self, health: Health, window: Window) -> Health:
        """Without a temperature that cannot be one."""
        machine = self._machines.get(window.asset)
        fault = temperature_fault(window, machine) if machine else ""
        return replace(health, temperature_c=None, temperature_fault=fault) if fault else health

    # ------------------------------------------------------------------ what it measures

    def _measure(
        self, windows: Batch, stacks: list[Stack], judged: set[int]
    ) -> dict[int, Measured]:
        """Figures of the judged windows, by their place in the batch and in its order."""
        found: dict[int, Measured] = {}
        for stack in stacks:
            known = any(self._turns(windows[at]) for at in stack.members)
            found |= self._measurer(stack, judged, envelope=known)
        return dict(sorted(found.items()))

    def _turns(self, window: Window) -> bool:
        """Whether fault frequencies follow from what is known of the machine."""
        return bool(window.rpm and self._machines[window.asset].bearings)

    def _lines(self, windows: Batch, measured: Mapping[int, Measured]) -> dict[int, Lines]:
        """The lines of each window's worst bearing, where geometry and speed are known."""
        groups: dict[tuple[int, float], list[tuple[int, Suspect]]] = {}
        for at, figures in measured.items():
            window = windows[at]
            if figures.envelope is None or not window.rpm:
                continue
            for bearing in self._machines[window.asset].bearings:
                key = len(figures.envelope), figures.bin_hz
                groups.setdefault(key, []).append((at, Suspect(bearing, abs(window.rpm) / 60)))
        found: dict[int, Lines] = {}
        for (_, bin_hz), members in groups.items():
            spectra = np.stack([np.asarray(measured[at].envelope) for at, _ in members])
            lines = fault_lines(spectra, bin_hz, [suspect for _, suspect in members])
            for (at, _), ours in zip(members, lines, strict=True):
                if ours and (at not in found or ours[0].db > found[at][0].db):
                    found[at] = ours
        return found


def _health(
    window: Window, fault: str, state: OperatingState, figures: Measured | None, lines: Lines
) -> Health:
    """What is known of a window before it is compared; without figures it is not judged."""
    quality = Quality.BAD if fault else Quality.GOOD
    if figures is None:
        return Health(
            window.asset, window.at_s, window.wall_time, quality, fault, state,
            rpm=window.rpm, load=window.load, temperature_c=window.temperature_c,
        )  # fmt: skip
    worst = int(np.argmax(figures.acceleration_m_s2))
    return Health(
        window.asset, window.at_s, window.wall_time, quality, fault, state, judged=True,
        duration_s=window.acceleration.shape[1] / window.fs_hz, fs_hz=window.fs_hz,
        rpm=window.rpm, load=window.load, temperature_c=window.temperature_c,
        velocity_mm_s=float(figures.velocity_mm_s.max()),
        acceleration_m_s2=float(figures.acceleration_m_s2[worst]),
        crest=float(figures.crest[worst]),
        kurtosis=float(figures.kurtosis.max()),
        lines=lines,
    )  # fmt: skip
