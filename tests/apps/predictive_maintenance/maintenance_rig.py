"""A station on fakes and a real store: sources that say what they are told, and a light."""

from collections import deque
from dataclasses import replace
from itertools import count

import numpy as np

from apps.predictive_maintenance import config, station, watch
from apps.predictive_maintenance.domain import (
    BearingLine,
    Decision,
    Evidence,
    Health,
    Motion,
    OperatingState,
    Verdict,
)
from apps.predictive_maintenance.learning import shelf_of
from common.alarms.persist import stored_board
from common.errors import PlcError, SensorError
from common.ports import VibrationReading
from common.quality import Quality
from common.store import Store, StoreSettings
from common.telemetry.outbox import Outbox

FS, SAMPLES = 12_800.0, 4096
DRAWS = count()
"""No two records are drawn alike: the same samples again are a fault of the sensor."""


class FakeSource:
    """common.ports.VibrationSource that gives what was put in it, or is away."""

    def __init__(self, clock, name="fake source"):
        self.name, self._clock = name, clock
        self.readings = deque()
        self.away = ""
        self.dropped = 0
        self.closed = False

    def put(self, *readings):
        self.readings.extend(readings)

    def poll(self, timeout_s):
        if self.away:
            raise SensorError(self.name, self.away)
        if not self.readings:
            self._clock.sleep(timeout_s)
        found = list(self.readings)
        self.readings.clear()
        return found

    def close(self):
        self.closed = True


class FakeLight:
    """common.ports.StatusLight that remembers what it was told, or is away."""

    name = "fake light"

    def __init__(self):
        self.shown = []
        self.broken = False

    def show(self, state):
        if self.broken:
            raise PlcError(self.name, "no answer")
        self.shown.append(state)

    def close(self):
        """Nothing to leave."""


def reading(asset="m0", value=None, axes=2, **changes):
    """A record of noise, or of one value."""
    rng = np.random.default_rng(next(DRAWS))
    samples = rng.standard_normal((axes, SAMPLES)).astype(np.float32)
    if value is not None:
        samples[:] = value
    made = VibrationReading(asset, samples, FS, f"s-{asset}", rpm=1480.0, rpm_change=0.0)
    return replace(made, **changes)


def of_window(window, **changes):
    """A simulated window as a sensor delivers it."""
    made = VibrationReading(
        window.asset, window.acceleration, window.fs_hz, f"s-{window.asset}",
        wall_time=window.wall_time, elapsed_s=window.at_s,
        rpm=window.rpm, rpm_change=window.rpm_change, load=window.load,
        temperature_c=window.temperature_c,
    )  # fmt: skip
    return replace(made, **changes)


def health(asset="m0", at_s=0.0, **changes):
    made = Health(
        asset, at_s, 1_767_225_600.0 + at_s, Quality.GOOD, "",
        OperatingState(Motion.STEADY, "1480 r/min"), judged=True, duration_s=1.0, fs_hz=FS,
        rpm=1480.0, velocity_mm_s=0.5, acceleration_m_s2=1.0,
        lines=(BearingLine("BPFO", 88.5, 3.0),),
    )  # fmt: skip
    return replace(made, **changes)


def evidence(kind="velocity", verdict=Verdict.PLAN, value=3.0, limit=2.0, unit="mm/s"):
    return Evidence(
        kind, verdict, value, limit, unit, f"{kind} {value:g} {unit}, limit {limit:g}"
    )


def decision(asset="m0", *found, verdict=None, **changes):
    """A decision that these pieces of evidence hold."""
    worst = max((e.verdict for e in found), key=lambda v: v.rank, default=Verdict.RUN)
    made = Decision(asset, verdict or worst, True, "", 1.0, tuple(found), "B")
    return replace(made, **changes)


MACHINES = {
    "m0": config.Machine(name="Fan 0", power_kw=90.0, group=2, criticality=1),
    "m1": config.Machine(name="Fan 1", power_kw=90.0, group=2, criticality=3),
}


def settings_for(machines=None, **changes):
    """Settings of a real plant, whose every window is a row."""
    base = config.Settings(
        machines=machines or MACHINES,
        simulation=config.Simulation(enabled=False),
        baseline=replace(config.BaselineRules(), smooth_windows=5, min_windows=40),
        station=replace(config.StationSettings(), health_period_s=0.0),
    )
    return replace(base, **changes)


def open_store(folder, clock):
    return Store(folder / "station.sqlite", clock, StoreSettings(group_ms=1.0))


def outbox_of(store, clock):
    return Outbox(source="urn:test", epoch=store.epoch, boot_id=store.boot_id, clock=clock)


def build(folder, store, clock, sources, settings=None, **parts):
    """A whole station."""
    settings = settings or settings_for()
    outbox = outbox_of(store, clock)
    board = stored_board(watch.definitions(settings.machines), store)
    given = {"light": None, "sinks": ("mqtt", "webhook"), "model": None} | parts
    made = station.Parts(
        sources=sources, shelf=shelf_of(folder), store=store, outbox=outbox, alarms=board,
        clock=clock, software="lineside test", **given,
    )  # fmt: skip
    return station.build(settings, made)
