"""Healthy machines in software, measured again and again."""

from dataclasses import replace

import numpy as np

from apps.predictive_maintenance import config
from apps.predictive_maintenance.config import BaselineRules, QualityRules, StateRules
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.perceive import Perceive
from apps.predictive_maintenance.rotor import Running, draw_rotor, waveform
from apps.predictive_maintenance.wizard import healthy_time, propose

FS, SAMPLES = 12_800.0, 4096
RULES = replace(BaselineRules(), smooth_windows=5, min_windows=40)


class Rotors:
    """Steady machines that are measured again and again; each window is another draw."""

    def __init__(self, count=1, axes=2):
        self.axes = axes
        self.rotors = {
            f"m{number}": draw_rotor(np.random.default_rng([5, number]))
            for number in range(count)
        }
        self.machines = {
            asset: config.Machine(power_kw=90.0, group=2, bearings=(rotor.bearing,))
            for asset, rotor in self.rotors.items()
        }

    def window(self, asset, number, damage="", severity=0.0, **changes):
        rotor = self.rotors[asset]
        rng = np.random.default_rng([int(asset[1:]), number])
        running = Running(rotor.nominal_rpm, 0.7, (0.0, 0.0), damage, severity)
        records = waveform(rotor, running, FS, (self.axes, SAMPLES), rng)
        made = Window(
            asset, records, FS, 600.0 * number, 600.0 * number, rotor.nominal_rpm, 0.0, 0.7
        )
        return replace(made, **changes)

    def perceive(self, model=None):
        return Perceive(self.machines, QualityRules(), StateRules(), model)

    def baseline(self, asset="m0", windows=60, model=None, rules=RULES, **damage):
        perceive = self.perceive()
        pairs = []
        for number in range(windows):
            (health,), measured = perceive.look((self.window(asset, number, **damage),))
            pairs.append((health, measured[asset]))
        sequence = (model.name, model.history) if model else None
        return propose(
            asset, healthy_time(pairs), self.machines[asset], rules, sequence=sequence
        )
