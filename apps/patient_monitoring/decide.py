"""From what is perceived of a ward to who is called: the protocol, and nothing but it.

Pure: no clock, no device, no disk. A clinician should be able to read this page beside
`protocol.py` and correct it. Two laws hold throughout and are property-tested: a worse sign
never lowers the escalation, and what is missing never reads as normal.

One line is the alarm's: NEWS2 and the extremes. The model's risk and the anomaly stand
beside it as advice, labelled, and by default call nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from apps.patient_monitoring import news2
from apps.patient_monitoring.config import AdvisoryRules, EscalationRules
from apps.patient_monitoring.domain import (
    SIGNS,
    TECHNICAL,
    Array,
    Parameter,
    Priority,
    Risk,
    Score,
)
from apps.patient_monitoring.lasting import since
from apps.patient_monitoring.protocol import CHART
from apps.patient_monitoring.ward import Change, Decision, Kind, Percept
from common.pipeline import Fault

PRIORITY = np.array([CHART[risk].priority for risk in Risk])
RISKS = np.arange(len(Risk))
WORSE_BY = 2  # points of NEWS2 that are told anew


@dataclass(frozen=True, slots=True, eq=False)
class WardState:
    """What the protocol remembers of each bed. Times are monotonic s, NaN is "is not so"."""

    in_force: Array
    """bool [beds, risks]: at least this risk."""
    reached_since: Array
    """[beds, risks]: since when this risk or a higher one has been perceived."""
    below_since: Array
    """[beds, risks]: since when complete scores have said less than this risk."""
    told: Array
    """int [beds]: the score that was last told with an alarm."""
    told_red: Array
    """bool [beds, parameters]: red signs that were told."""
    worse_since: Array
    """[beds]: since when the score is well above what was told, or a further sign is red."""
    extreme: Array
    """int32 [beds] of `Extreme` in force."""
    extreme_seen: Array
    """[beds]: when an extreme was last perceived."""
    wrong_since: Array
    """[beds, signs]: since when a technical fault has been there."""
    technical: Array
    """int32 [beds] of `Flag` in force."""
    invalid_since: Array
    """[beds]: since when there has been no complete score."""
    above_since: Array
    """[beds, 2]: since when the model's risk, the anomaly, is above its limit."""
    advised: Array
    """bool [beds, 2]"""
    score: Score
    at: float

    @property
    def risk(self) -> Array:
        """Int [beds] of `Risk` in force."""
        return np.asarray((self.in_force * RISKS).max(axis=1))


def start(beds: int, now: float) -> WardState:
    """Nothing is known yet: no score is valid, and no alarm is raised."""
    never = np.full(beds, np.nan)
    parts = np.zeros((beds, len(Parameter)), np.int8)
    return WardState(
        in_force=np.zeros((beds, len(Risk)), bool),
        reached_since=np.full((beds, len(Risk)), np.nan),
        below_since=np.full((beds, len(Risk)), np.nan),
        told=np.zeros(beds, np.int64),
        told_red=np.zeros((beds, len(Parameter)), bool),
        worse_since=never,
        extreme=np.zeros(beds, np.int32),
        extreme_seen=never,
        wrong_since=np.full((beds, SIGNS), np.nan),
        technical=np.zeros(beds, np.int32),
        invalid_since=np.full(beds, now),
        above_since=np.full((beds, 2), np.nan),
        advised=np.zeros((beds, 2), bool),
        score=Score(parts, parts == 0, np.zeros(beds, bool)),
        at=now,
    )


def admit(state: WardState, bed: int, now: float) -> WardState:
    """Another patient lies in `bed`: nothing of the last one is in force."""
    changes = {}
    fresh = start(1, now)
    for name in (f.name for f in fields(state) if f.name not in ("score", "at")):
        changes[name] = getattr(state, name).copy()
        changes[name][bed] = getattr(fresh, name)[0]
    return replace(state, **changes)


@dataclass(frozen=True)
class Protocol:
    """decide(state, percept) for one ward's settings."""

    escalation: EscalationRules
    advisory: AdvisoryRules

    def __call__(
        self, state: WardState, percept: Percept | Fault
    ) -> tuple[WardState, Decision]:
        """What is in force on the ward from now on, and what of it is new."""
        if isinstance(percept, Fault):
            return self._blind(state, percept)
        new = self._score(state, percept)
        new = self._worse(state, new, percept)
        new = self._extreme(new, percept)
        new = self._technical(new, percept)
        new = self._advise(new, percept)
        new = replace(new, score=percept.score, at=percept.at)
        return new, self._decision(new, tuple(_changes(state, new)))

    def _score(self, state: WardState, percept: Percept) -> WardState:
        """A risk is in force once it has held, or at once where a person confirmed it.

        It stays until complete scores have said less for the release time: a sign that is
        no longer known lowers nothing.
        """
        now, score = percept.at, percept.score
        reached = _reached(score)
        reached_since = since(state.reached_since, reached, now)
        held = reached & (now - reached_since >= self.escalation.persist_s)
        held |= reached & percept.confirmed[:, None]

        below = ~reached & score.complete[:, None]
        below_since = since(state.below_since, below, now)
        released = below & (now - below_since >= self.escalation.release_s)

        in_force = (state.in_force | held) & ~released & ~score.refused[:, None]
        return replace(
            state,
            in_force=in_force,
            reached_since=reached_since,
            below_since=below_since,
            invalid_since=since(state.invalid_since, ~score.complete, now),
        )

    def _worse(self, old: WardState, new: WardState, percept: Percept) -> WardState:
        """An alarm is told anew when it has become worse, each red sign once."""
        score, total = percept.score, percept.score.at_least
        red = score.parts == 3
        alarming = PRIORITY[new.risk] > Priority.NONE
        worse = (total >= new.told + WORSE_BY) | (red & ~new.told_red).any(axis=1)
        worse_since = since(new.worse_since, worse & alarming, percept.at)
        held = percept.at - worse_since >= self.escalation.persist_s
        tell = (new.risk > old.risk) | held
        told = np.where(tell, np.maximum(total, new.told), new.told)
        told_red = new.told_red | (red & tell[:, None])
        return replace(
            new,
            told=np.where(alarming, told, 0),
            told_red=told_red & alarming[:, None],
            worse_since=np.where(tell, np.nan, worse_since),
        )

    def _extreme(self, state: WardState, percept: Percept) -> WardState:
        """An extreme waits for no score; it ends some time after it was last perceived."""
        there = percept.reading.extreme
        seen = np.where(there != 0, percept.at, state.extreme_seen)
        over = ~(percept.at - seen < self.escalation.extreme_release_s)
        return replace(
            state, extreme=np.where(over, 0, state.extreme | there), extreme_seen=seen
        )

    def _technical(self, state: WardState, percept: Percept) -> WardState:
        """What is wrong with the monitoring, once it has lasted."""
        flags = percept.reading.flags & int(TECHNICAL)
        wrong_since = since(state.wrong_since, flags != 0, percept.at)
        lasting = percept.at - wrong_since >= self.escalation.technical_s
        technical = np.bitwise_or.reduce(np.where(lasting, flags, 0), axis=1)
        return replace(state, wrong_since=wrong_since, technical=technical)

    def _advise(self, state: WardState, percept: Percept) -> WardState:
        """The second line. NaN is above no limit: an unknown risk advises nothing."""
        values = np.stack([percept.risk, percept.anomaly], axis=1)
        limits = np.array([self.advisory.risk_above, self.advisory.anomaly_above])
        persist_s = np.array([self.advisory.risk_persist_s, self.advisory.anomaly_persist_s])
        above_since = since(state.above_since, values >= limits, percept.at)
        lasting = percept.at - above_since >= persist_s
        return replace(state, above_since=above_since, advised=lasting)

    def _decision(
        self, state: WardState, changes: tuple[Change, ...], fault: str = ""
    ) -> Decision:
        priority = np.where(state.extreme != 0, Priority.HIGH, PRIORITY[state.risk])
        if self.advisory.alarms:
            advised = np.where(state.advised.any(axis=1), Priority.LOW, Priority.NONE)
            priority = np.maximum(priority, advised)
        return Decision(
            at=state.at,
            score=state.score,
            risk=state.risk,
            extreme=state.extreme,
            priority=priority,
            technical=state.technical,
            invalid_since=state.invalid_since,
            advised_model=state.advised[:, 0],
            advised_anomaly=state.advised[:, 1],
            above_s=state.at - state.above_since,
            changes=changes,
            fault=fault,
        )

    def _blind(self, state: WardState, fault: Fault) -> tuple[WardState, Decision]:
        """Nothing was perceived: what is in force stays, and no score is valid any more."""
        known = np.where(np.isnan(state.invalid_since), state.at, state.invalid_since)
        new = replace(state, invalid_since=known)
        return new, self._decision(new, (), fault.says)


def _reached(score: Score) -> Array:
    """Bool [beds, risks]: this risk or a higher one, by what is known at least."""
    seen = news2.risk(score.at_least, score.red)
    return np.asarray(seen[:, None] >= RISKS)


def _changes(old: WardState, new: WardState) -> Iterator[Change]:
    """Each bed's changes, the gravest kind first."""
    yield from _differing(Kind.EXTREME, old.extreme, new.extreme)
    yield from _differing(Kind.RISK, old.risk, new.risk)
    worse = (new.risk == old.risk) & (new.told > 0)
    worse &= (new.told > old.told) | (new.told_red & ~old.told_red).any(axis=1)
    yield from _differing(Kind.WORSE, old.told, new.told, worse)
    yield from _differing(Kind.TECHNICAL, old.technical, new.technical)
    yield from _differing(Kind.ADVICE_MODEL, old.advised[:, 0], new.advised[:, 0])
    yield from _differing(Kind.ADVICE_ANOMALY, old.advised[:, 1], new.advised[:, 1])


def _differing(
    kind: Kind, was: Array, now: Array, where: Array | None = None
) -> Iterator[Change]:
    for bed in np.flatnonzero(was != now if where is None else where):
        yield Change(int(bed), kind, int(was[bed]), int(now[bed]))
