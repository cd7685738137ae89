"""Labelled recordings: the baseline of a machine's first normal ones, all others are test.

Per machine and speed, because a baseline is: the first half of the normal rows (rounded up;
of a single row its first half) is healthy time, every window of one second of all other
rows is judged on its own. Rows without machine or speed are one machine at one speed; rows
of a speed at which the machine has no normal one are judged by its nearest speed.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.config import Machine, Settings
from apps.predictive_maintenance.domain import Health, Window
from apps.predictive_maintenance.evaluation.offline import (
    METHODS,
    Bench,
    Plain,
    Scores,
    scores,
    series,
)
from apps.predictive_maintenance.evaluation.recordings import number, optional, read_recording
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.vibration import Measured
from apps.predictive_maintenance.wizard import healthy_time, propose
from common.errors import ConfigError
from common.inference.ranking import auprc, auroc

NORMAL = "normal"
ASSET = "machine"
WINDOW_S = 1.0
LEARNING_HOP = 0.25
"""Of a window: healthy recordings are short, so windows to learn from overlap."""
Row = dict[str, str]
Samples = NDArray[np.float32]
Key = tuple[str, float | None]
"""Machine and speed."""


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
    for key, members in groups.items():
        progress(f"{key[0] or 'machine'}, {key[1] or '?'} r/min")
        donors = groups[_donor(groups, key)]
        tests.append(Group(settings, data, donors, model).test(members))
    return {**_figures(tests), "groups": len(groups)}


def groups_of(data: Path, rows: list[Row]) -> dict[Key, list[Row]]:
    """The rows by machine and speed, in order."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        key = row.get("machine") or "", optional(row, "rpm", data / row["file"])
        groups.setdefault(key, []).append(row)
    return groups


def _donor(groups: dict[Key, list[Row]], key: Key) -> Key:
    """Whose normal rows a group is judged by: its own, or the nearest speed's."""
    machine, rpm = key
    able = [k for k, rows in groups.items() if k[0] == machine and normal(rows)]
    if not able:
        raise ConfigError(f"index.csv: no row of {machine or 'the machine'} is {NORMAL!r}")
    return min(able, key=lambda k: abs((k[1] or 0.0) - (rpm or 0.0)))


def normal(rows: list[Row]) -> list[Row]:
    """The rows of healthy time."""
    return [row for row in rows if row["condition"].strip().lower() == NORMAL]


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
        self._data, self._model = data, model
        self._bench = Bench({ASSET: Machine()}, replace(settings, baseline=rules), model)
        self._clock_s = 0.0
        healthy = normal(rows)
        count = -(-len(healthy) // 2)
        self._learned_from = {row["file"] for row in healthy[:count]}
        self._half = healthy[0]["file"] if len(healthy) == 1 else ""
        self.healthy = [pair for row in healthy[:count] for pair in self._learning(row)]
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
            if row in normal(rows):
                test.healthy += found
            else:
                test.faulty.setdefault(row["file"], []).extend(found)
                test.conditions[row["file"]] = row["condition"]
        return test

    def _learning(self, row: Row) -> list[tuple[Health, Measured]]:
        samples, fs_hz = self._read(row)
        if row["file"] == self._half:
            samples = samples[:, : samples.shape[1] // 2]
        hop = LEARNING_HOP if samples.shape[1] >= 2 * WINDOW_S * fs_hz else 0.1
        return self._look(windows(samples, fs_hz, hop))[0]

    def _scores(self, row: Row) -> tuple[list[Scores], int]:
        """(all methods' scores of each judged window, how many were not judged)."""
        if row["file"] in self._learned_from - {self._half}:
            return [], 0
        samples, fs_hz = self._read(row)
        if row["file"] == self._half:
            samples = samples[:, samples.shape[1] // 2 :]
        looked, unjudged = self._look(windows(samples, fs_hz, 1.0))
        health = self._with_sequences(looked)
        return [scores(self._bench, self._plain, h) for h in health], unjudged

    def _look(self, cut: list[Window]) -> tuple[list[tuple[Health, Measured]], int]:
        looked = [self._bench.look((self._later(window),))[0] for window in cut]
        judged = [(h, m) for h, m in looked if m is not None]
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
        return read_recording(self._data, row), number(row, "fs_hz", path)


def windows(samples: Samples, fs_hz: float, hop: float) -> list[Window]:
    """Windows of a second, `hop` of a window apart; a shorter recording is one window."""
    size = min(round(WINDOW_S * fs_hz), samples.shape[1])
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
