"""The baseline wizard behind the station: learn beside the loop, show, take into use, go back.

Learning takes a processor for a while, so it runs in a thread of its own; nothing is taken
into use before a person, or in software the settings, said so.
"""

import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.predictive_maintenance.baseline import Baseline
from apps.predictive_maintenance.config import BaselineRules, Machine
from apps.predictive_maintenance.rows import healthy_rows, rounded
from apps.predictive_maintenance.sequence import SequenceModel
from apps.predictive_maintenance.shelf import Shelf
from apps.predictive_maintenance.wizard import propose
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.store import Store

FOREVER = 1e12


class Learning:
    """Proposals of baselines, and the shelf; raises ConfigError."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        machines: Mapping[str, Machine],
        rules: BaselineRules,
        model: SequenceModel | None,
    ) -> None:
        self._store, self._shelf, self._machines = store, shelf, machines
        self._rules, self._model = rules, model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="learning")
        self.proposals: dict[str, Baseline] = {}
        """Learned and not yet taken into use, by asset."""
        self.damaged: dict[str, str] = {}
        """Why the baseline that should be in use is not, by asset."""
        self.versions: dict[str, list[int]] = {
            asset: shelf.versions(asset) for asset in machines
        }

    def current(self) -> list[Baseline]:
        """The baselines in use, as the shelf has them; one that it cannot read is `damaged`."""
        found = [self._current(asset) for asset in self._machines]
        return [baseline for baseline in found if baseline is not None]

    def _current(self, asset: str) -> Baseline | None:
        try:
            return self._shelf.current(asset)
        except ConfigError as error:  # one file must not leave all other machines unwatched
            self.damaged[asset] = str(error)
            return None

    def learn(self, asset: str, start: float = 0.0, end: float = FOREVER) -> Future[Baseline]:
        """Learn from the rows taken from `start` to `end` (UTC, s); a proposal, no more."""
        return self._thread.submit(self._learn, asset, start, end)

    def accept(self, asset: str, *, despite: bool) -> Future[Baseline]:
        """Put the proposal on the shelf and into use; refused with notes unless `despite`."""
        proposal = self.proposals.get(asset)
        if proposal is None:
            raise ValueError(f"{asset}: nothing has been learned; choose healthy time first")
        if proposal.notes and not despite:
            raise ValueError(f"{asset}: refused: {'; '.join(proposal.notes)}")
        return self._thread.submit(self._accept, proposal)

    def back(self, asset: str, version: int) -> Future[Baseline]:
        """Take an older version into use."""
        return self._thread.submit(self._shelf.use, asset, version)

    def close(self) -> None:
        """Wait for what is being learned."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # ------------------------------------------------------------------ in its own thread

    def _learn(self, asset: str, start: float, end: float) -> Baseline:
        self._committed()
        with closing(open_readonly(self._store.path)) as connection:
            healthy = healthy_rows(connection, asset, start, end)
        sequence = (self._model.name, self._model.history) if self._model else None
        proposal = propose(
            asset, healthy, self._machines[asset], self._rules, sequence=sequence
        )
        self.proposals[asset] = replace(proposal, held_out={})
        return self.proposals[asset]

    def _committed(self) -> None:
        """Rows that wait for their commit belong to the time that was chosen, too."""

        def nothing(connection: sqlite3.Connection) -> None:
            del connection

        try:
            self._store.submit(nothing).result(10.0)
        except Exception as error:
            raise ConfigError(f"the station's file cannot be written: {error}") from error

    def _accept(self, proposal: Baseline) -> Baseline:
        accepted = self._shelf.put(proposal)
        self.proposals.pop(proposal.asset, None)
        self.versions[proposal.asset] = self._shelf.versions(proposal.asset)
        return accepted


def summary(baseline: Baseline) -> dict[str, Any]:
    """What a baseline has learned, for a person to judge."""
    return {
        "asset": baseline.asset,
        "version": baseline.version,
        "windows": baseline.windows,
        "first": baseline.first_wall_time,
        "last": baseline.last_wall_time,
        "states": [
            {
                "state": state,
                "velocity_mm_s": rounded(float(baseline.velocity_mm_s[at])),
                "acceleration_m_s2": rounded(float(baseline.acceleration_m_s2[at])),
            }
            for at, state in enumerate(baseline.states)
        ],
        "limits": {name: rounded(limit) for name, limit in baseline.limits.items()},
        "kurtosis": rounded(baseline.kurtosis),
        "model": baseline.model,
        "notes": list(baseline.notes),
        "accepted": not baseline.notes,
    }


def then(future: Future[Baseline], do: Callable[[Baseline], Any]) -> Future[Any]:
    """A future of `do(baseline)`, done in the learner's thread."""
    after: Future[Any] = Future()

    def done(finished: Future[Baseline]) -> None:
        stopped = ConfigError("the station stops: nothing was learned")
        error = stopped if finished.cancelled() else finished.exception()
        if error is not None:
            after.set_exception(error)
        else:
            after.set_result(do(finished.result()))

    future.add_done_callback(done)
    return after


def shelf_of(folder: Path) -> Shelf:
    """The baselines of the station whose files lie in `folder`."""
    return Shelf(folder / "baselines")
