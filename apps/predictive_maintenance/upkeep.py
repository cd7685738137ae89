"""What the loop does beside its records, now and then: alarms, snapshot, spectra, orders.

And in software, where nobody watches, the first baseline of each machine.
"""

import logging
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from apps.predictive_maintenance import watch
from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.domain import Window
from apps.predictive_maintenance.learning import then
from apps.predictive_maintenance.remembered import Memory
from apps.predictive_maintenance.snapshot import SPECTRUM, Snapshots
from apps.predictive_maintenance.spectra import spectra
from apps.predictive_maintenance.vibration import Measurer
from apps.predictive_maintenance.watch import Condition, MachineCondition
from common.alarms.diagnostics import Diagnostics
from common.meta import put

if TYPE_CHECKING:
    from apps.predictive_maintenance.station import Station

log = logging.getLogger(__name__)
MACHINES_A_SECOND = 50
"""So many machines' news a second are written for the screens at most."""
ALARMS_S = 0.5
RUNNING_SHARE = 0.7
"""Of a simulated history: about so much of it a machine runs, and steadily."""
RELEARN_ROWS = 20
"""A first baseline that was refused is tried again after so many rows more."""


class Upkeep:
    """Called once a turn; does what is due."""

    def __init__(self, station: "Station", snapshots: Snapshots) -> None:
        self._station, self._snapshots = station, snapshots
        self._diagnostics = Diagnostics(station.parts.store)
        clock = station.parts.clock
        self._started = clock.monotonic()
        self._alarms_at = self._snapshot_at = self._spectrum_at = self._started
        self._period_s = max(
            station.settings.station.snapshot_s,
            len(station.settings.machines) / MACHINES_A_SECOND,
        )
        self._measurer = Measurer()
        self._drawn: dict[str, float] = {}
        """When a machine's spectra were last stored."""
        self._said: set[str] = set()
        """Alarms that were active at the last look."""
        self._details: dict[str, str] = {}
        self._machines: dict[str, MachineCondition] = {}
        """As they were at the last look."""
        self._lost = 0
        self._tried: dict[str, int] = {}
        """Rows there were when a first baseline was last tried."""
        self._learning: set[str] = set()

    def __call__(self) -> None:
        """Do what is due."""
        now = self._station.parts.clock.monotonic()
        if now >= self._spectrum_at and self._draw(now):
            self._spectrum_at = now + self._station.settings.station.spectrum_s
        if now >= self._alarms_at:
            self._alarms_at = now + ALARMS_S
            self._station.act.desk.flush()
            self._station.recorder.flush()
            condition = self._condition(now)
            self._station.act.unsure = watch.unsure(condition)
            self._station.act.show()
            self._set_alarms(condition)
            self._first_baselines()
        if now >= self._snapshot_at:
            self._snapshot_at = now + self._period_s
            self._snapshots.take()

    # ------------------------------------------------------------------------------ spectra

    def _draw(self, now: float) -> bool:
        """Store the spectra of the machine of this batch that was drawn longest ago."""
        station = self._station
        good = [
            window for window in station.look.windows if window.asset in station.look.measured
        ]
        if not good:
            return False
        window = min(good, key=self._urgency)
        self._drawn[window.asset] = now
        drawn = spectra(self._measurer, window, station.settings.machines[window.asset])
        key = SPECTRUM + window.asset
        station.parts.store.submit(partial(put, key=key, document=drawn))
        return True

    def _urgency(self, window: Window) -> float:
        return self._drawn.get(window.asset, float("-inf"))

    # ------------------------------------------------------------------------------- alarms

    def _set_alarms(self, condition: Condition) -> None:
        board, machines = self._station.parts.alarms, self._station.settings.machines
        active = watch.active_alarms(condition)
        worse = watch.worse(self._machines, condition)
        self._machines = dict(condition.machines)
        for alarm_id, detail in active.items():
            again = alarm_id in worse
            if again or self._details.get(alarm_id) != detail:
                urgent = watch.priority(alarm_id, machines)
                board.set(alarm_id, True, detail, urgent, again=again)
        for alarm_id in self._gone(active):
            board.set(alarm_id, active=False)
        self._details = active
        board.tick()

    def _gone(self, active: dict[str, str]) -> set[str]:
        """What is no longer active; at the first look everything that is not."""
        if not self._said:
            board = self._station.parts.alarms
            stored = {a.definition.id for a in (*board.summary(), *board.hidden())}
            self._said = {""} | (stored & self._known())
        gone = self._said - set(active) - {""}
        self._said = {""} | set(active)
        return gone

    def _known(self) -> set[str]:
        return set(watch.definitions(self._station.settings.machines))

    def _condition(self, now: float) -> Condition:
        station, link = self._station, self._station.parts.link()
        lost, self._lost = station.sense.dropped - self._lost, station.sense.dropped
        machines = {}
        for asset in station.settings.machines:
            seen = station.sense.last_seen(asset)
            memory = station.pipeline.state.get(asset, Memory())
            age = now - seen if seen is not None else None
            damaged = station.learning.damaged.get(asset, "")
            machines[asset] = station.plant.condition(asset, memory, age, damaged)
        return Condition(
            machines, station.settings.sense.silent_s, now - self._started,
            dict(station.sense.failures), station.sense.unknown(), lost,
            station.failure, station.act.desk.failure,
            link.get("webhook", {}).get("dead", 0), station.act.light_failure,
            () if self._said else station.unreadable,
            self._diagnostics.details(self._snapshots.last.get("host", {}), link),
        )  # fmt: skip

    # ------------------------------------------------------------------ the first baselines

    def _first_baselines(self) -> None:
        """In a simulated plant: learn each machine's first one as soon as that is possible."""
        simulation = self._station.settings.simulation
        if not (simulation.enabled and simulation.auto_baseline):
            return
        least = self._station.settings.baseline.min_windows
        needed = max(least, round(RUNNING_SHARE * simulation.history))
        for asset in self._station.settings.machines:
            rows = self._station.rows_since_forget.get(asset, 0)
            due = max(needed, self._tried.get(asset, 0) + RELEARN_ROWS)
            known = asset in self._station.look.baselines or asset in self._learning
            if rows >= due and not known:
                self._tried[asset] = rows
                self._learning.add(asset)
                then(self._station.learning.learn(asset), self._learned).add_done_callback(
                    partial(self._given_up, asset)
                )

    def _learned(self, proposal: Baseline) -> None:
        """In the learner's thread."""
        self._station.later(partial(self._accept, proposal))

    def _given_up(self, asset: str, learned: "Future[None]") -> None:
        if learned.exception() is not None:
            log.warning("%s: no first baseline: %s", asset, learned.exception())
            self._station.later(lambda: self._learning.discard(asset))

    def _accept(self, proposal: Baseline) -> None:
        """A proposal with notes waits for a person, or for more rows."""
        station, asset = self._station, proposal.asset
        if proposal.notes:
            self._learning.discard(asset)
            return
        accepted = station.learning.accept(asset, despite=False)
        used = then(accepted, lambda baseline: station.later(lambda: station.use(baseline)))
        used.add_done_callback(partial(self._given_up, asset))
