"""Labelled recordings: the baseline of a machine's first normal ones, all others are test.

Per machine and speed, because a baseline is: the first half of the normal rows (rounded up;
of a single row its first half) is healthy time, every window of one second of all other
rows is judged on its own. Rows without machine or speed are one machine at one speed; a
faulty row is judged by the normal ones of its machine at the nearest speed. Where a machine
has no normal row, the column names specimens and not machines, and is not looked at.

Recordings state no unit: they are taken as multiples of the first healthy one's level, and
the rules that need m/s² (bias, flat line) are off. What is learned is relative anyway.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.domain import Health, Window
from apps.predictive_maintenance.evaluation.grouping import Row, groups_of, is_normal, normal
from apps.predictive_maintenance.evaluation.offline import (
    METHODS,
    Bench,
    Plain,
    Scores,
    scores,
    series,
)
from apps.predictive_maintenance.evaluation.recordings import number, read_recording
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.errors import ConfigError
from common.inference.ranking import auprc, auroc

ASSET = "machine"
WINDOW_S = 1.0
LEARNING_HOP = 0.25
"""Of a window: healthy recordings are short, so windows to learn from overlap."""
SHORT_HOP = 0.1
"""The same of recordings of less than two windows."""
LEAST_WINDOWS, SHORTEST_S = 10, 0.1
"""Windows are halved down to this length, until there are so many to learn from."""
UNITLESS_BIAS = 1e5
"""Of recordings without a unit: no mean is too large."""
Samples = NDArray[np.float32]


def evaluate(
    settings: Settings,
    data: Path,
    rows: list[Row],
    model: SequenceModel | None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Figures per method and fused, by bearing and pooled over all windows."""
    groups = groups_of(data, rows)
    tests = []
    for (machine, rpm), members in groups.items():
        progress(f"{machine or 'machine'}, {rpm or '?'} r/min")
        tests.append(Group(settings, data, members, model).test(members))
    return {**_figures(tests), "groups": len(groups)}


class _Test:
    """The judged windows of one group."""

    def __init__(self) -> None:
        self.healthy: list[Scores] = []
        self.faulty: dict[str, list[Scores]] = {}
        self.conditions: dict[str, str] = {}
        self.unjudged = 0


class Group:
    """One machine at one speed: its baseline, and the windows it is asked about."""

    def __init__(
        self, settings: Settings, data: Path, rows: list[Row], model: SequenceModel | None
    ) -> None:
        rules = replace(settings.baseline, smooth_windows=1)
        unitless = replace(settings.quality, bias_m_s2=UNITLESS_BIAS)
        self._data, self._model = data, model
        self._bench = Bench(
            {ASSET: Machine()}, replace(settings, baseline=rules, quality=unitless), model
        )
        self._clock_s, self._window_s, self._unit, self._why = 0.0, WINDOW_S, 0.0, ""
        healthy = normal(rows)
        count = -(-len(healthy) // 2)
        self._learned_from = {row["file"] for row in healthy[:count]}
        self._half = healthy[0]["file"] if len(healthy) == 1 else ""
        self.healthy = self._healthy(healthy[:count])
        sequence = (model.name, model.history) if model else None
        self.baseline = propose(
            ASSET, healthy_time(self.healthy), Machine(), rules, sequence=sequence
        )
        self._plain = Plain.of([health for health, _ in self.healthy])
        self._bench.use(self.baseline)

    def test(self, rows: list[Row]) -> _Test:
        """Every window that was not learned from."""
        test = _Test()
        for row in rows:
            found, unjudged = self._scores(row)
            test.unjudged += unjudged
            if is_normal(row):
                test.healthy += found
            else:
                test.faulty.setdefault(row["file"], []).extend(found)
                test.conditions[row["file"]] = row["condition"]
        return test

    def _healthy(self, rows: list[Row]) -> list[tuple[Health, Measured]]:
        """The windows to learn from; shorter ones where there would be too few."""
        while True:
            found = [pair for row in rows for pair in self._learning(row)]
            if len(found) >= LEAST_WINDOWS or self._window_s <= SHORTEST_S:
                break
            self._window_s /= 2
        if len(found) < LEAST_WINDOWS:
            files = ", ".join(row["file"] for row in rows)
            raise ConfigError(
                f"{self._data}: {len(found)} windows of healthy time in {files}; "
                f"{LEAST_WINDOWS} are needed" + (f" ({self._why})" if self._why else "")
            )
        return found

    def _learning(self, row: Row) -> list[tuple[Health, Measured]]:
        samples, fs_hz = self._read(row)
        if row["file"] == self._half:
            samples = samples[:, : samples.shape[1] // 2]
        long = samples.shape[1] >= 2 * self._window_s * fs_hz
        hop = LEARNING_HOP if long else SHORT_HOP
        return self._look(windows(samples, fs_hz, hop, self._window_s))[0]

    def _scores(self, row: Row) -> tuple[list[Scores], int]:
        """(all methods' scores of each judged window, how many were not judged)."""
        if row["file"] in self._learned_from - {self._half}:
            return [], 0
        samples, fs_hz = self._read(row)
        if row["file"] == self._half:
            samples = samples[:, samples.shape[1] // 2 :]
        looked, unjudged = self._look(windows(samples, fs_hz, 1.0, self._window_s))
        health = self._with_sequences(looked)
        return [scores(self._bench, self._plain, h) for h in health], unjudged

    def _look(self, cut: list[Window]) -> tuple[list[tuple[Health, Measured]], int]:
        looked = [self._bench.look((self._later(window),))[0] for window in cut]
        judged = [(h, m) for h, m in looked if m is not None]
        self._why = next((h.reason for h, m in looked if m is None and h.reason), self._why)
        return judged, len(cut) - len(judged)

    def _later(self, window: Window) -> Window:
        """The window as if it were taken after all those before: the bench knows one time."""
        self._clock_s += WINDOW_S
        return replace(window, at_s=self._clock_s)

    def _with_sequences(self, looked: list[tuple[Health, Measured]]) -> list[Health]:
        """The sequence model's figure from the first window on: each with those before."""
        found = [self.baseline.residual(m.features, 0) for _, m in looked]
        residuals = [r for r in found if r is not None]
        if self._model is None or not residuals or len(residuals) < len(found):
            return [health for health, _ in looked]
        over_noise = self.baseline.over_noise(np.stack(residuals))
        ratios = self._model.history(over_noise) / self.baseline.limits["lstm"]
        pairs = zip(looked, ratios, strict=True)
        return [replace(health, sequence=float(ratio)) for (health, _), ratio in pairs]

    def _read(self, row: Row) -> tuple[Samples, float]:
        path = self._data / row["file"]
        samples = read_recording(self._data, row)
        self._unit = self._unit or level(samples)
        return samples / np.float32(self._unit), number(row, "fs_hz", path)


def level(samples: Samples) -> float:
    """RMS of a recording about its mean; 1 where it has none."""
    known = samples[np.isfinite(samples)].astype(np.float64)
    rms = float(known.std()) if known.size else 0.0
    return rms if 0 < rms < np.inf else 1.0


def windows(
    samples: Samples, fs_hz: float, hop: float, window_s: float = WINDOW_S
) -> list[Window]:
    """Windows `hop` of a window apart; a shorter recording is one window."""
    size = min(round(window_s * fs_hz), samples.shape[1])
    step = max(1, round(hop * size))
    return [
        Window(ASSET, samples[:, at : at + size], fs_hz, at / fs_hz, at / fs_hz)
        for at in range(0, samples.shape[1] - size + 1, step)
    ]


def _figures(tests: list[_Test]) -> dict[str, Any]:
    return {
        "methods": {name: _method(tests, name) for name in METHODS},
        "auroc_by_bearing": {
            file: {name: _round(_areas(test, file, name)[0]) for name in METHODS}
            for test in tests
            for file in test.faulty
        },
        "healthy_windows": sum(len(test.healthy) for test in tests),
        "faulty_windows": sum(len(f) for test in tests for f in test.faulty.values()),
        "windows_not_judged": sum(test.unjudged for test in tests),
    }


def _method(tests: list[_Test], name: str) -> dict[str, float | None]:
    """Mean of the areas by faulty bearing, and the areas over all windows together."""
    areas = [_areas(test, file, name) for test in tests for file in test.faulty]
    good = series([score for test in tests for score in test.healthy], name)
    bad = series([s for t in tests for found in t.faulty.values() for s in found], name)
    return {
        "auroc": _mean([area[0] for area in areas]),
        "auprc": _mean([area[1] for area in areas]),
        "pooled_auroc": _round(auroc(good, bad)),
        "pooled_auprc": _round(auprc(good, bad)),
    }


def _areas(test: _Test, file: str, name: str) -> tuple[float | None, float | None]:
    """One bearing's windows against the healthy ones of its machine and speed."""
    good, bad = series(test.healthy, name), series(test.faulty[file], name)
    return auroc(good, bad), auprc(good, bad)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _round(float(np.mean(known))) if known else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
