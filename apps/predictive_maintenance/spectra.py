"""A window's spectrum and envelope as a person looks at them: few points, and cursors.

Points are made by keeping the highest bin of each stretch: a line must not vanish because a
screen has fewer points than the spectrum has bins.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.predictive_maintenance.bearings import fault_orders
from apps.predictive_maintenance.config import Bearing, Machine
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.vibration import Measurer

POINTS = 400
LOWEST_HZ = 2.0
HARMONICS = 3
TWICE = {"BSF": 2.0}
"""A rolling element strikes both races in one turn."""


def spectra(measurer: Measurer, window: Window, machine: Machine) -> dict[str, Any]:
    """The document that screens draw: amplitudes in m/s² RMS, envelope in dB, cursors in Hz."""
    measured = measurer.whole(window, machine.velocity_low_hz)
    if measured.power is None or measured.envelope is None:
        return {}
    worst = int(np.argmax(measured.acceleration_m_s2))
    amplitude = np.sqrt(measured.power[worst])
    decibel = 10 * np.log10(np.maximum(measured.envelope, 1e-3))
    return {
        "asset": window.asset,
        "taken": window.wall_time,
        "rpm": window.rpm,
        "fs_hz": window.fs_hz,
        "axis": worst + 1,
        "spectrum": _logarithmic(amplitude, measured.bin_hz) | {"unit": "m/s² RMS"},
        "envelope": _even(decibel, measured.bin_hz) | {"unit": "dB over background"},
        "cursors": cursors(machine, window.rpm),
    }


def cursors(machine: Machine, rpm: float | None) -> list[dict[str, Any]]:
    """Where a fault would show: the shaft's first orders and each bearing's frequencies."""
    if not rpm:
        return []
    shaft = abs(rpm) / 60
    found = [
        {"name": f"{order}×", "hz": round(order * shaft, 2), "of": "shaft"}
        for order in range(1, HARMONICS + 1)
    ]
    for bearing in machine.bearings:
        found += [_cursor(bearing, fault, order * shaft) for fault, order in
                  fault_orders(bearing).items()]  # fmt: skip
    return found


def _cursor(bearing: Bearing, fault: str, hz: float) -> dict[str, Any]:
    name = f"2×{fault}" if fault in TWICE else fault
    return {"name": name, "hz": round(hz * TWICE.get(fault, 1.0), 2), "of": bearing.name}


def _logarithmic(values: NDArray[np.float32], bin_hz: float) -> dict[str, Any]:
    edges = np.geomspace(_first(values, bin_hz), len(values), POINTS + 1)
    return _held(values, np.unique(edges.round().astype(int)), bin_hz)


def _even(values: NDArray[np.float32], bin_hz: float) -> dict[str, Any]:
    edges = np.linspace(_first(values, bin_hz), len(values), POINTS + 1)
    return _held(values, np.unique(edges.round().astype(int)), bin_hz)


def _first(values: NDArray[np.float32], bin_hz: float) -> int:
    """The bin that is drawn first; where the spectrum ends below LOWEST_HZ its last one."""
    return max(1, min(round(LOWEST_HZ / bin_hz), len(values) - 1))


def _held(
    values: NDArray[np.float32], edges: NDArray[np.int_], bin_hz: float
) -> dict[str, Any]:
    """The highest value from each edge to the next, and where it stands."""
    hz, levels = [], []
    for low, high in pairwise(edges.tolist()):
        at = low + int(np.argmax(values[low:high]))
        hz.append(round(at * bin_hz, 2))
        levels.append(float(f"{float(values[at]):.3g}"))
    return {"hz": hz, "value": levels}
