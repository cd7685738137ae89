"""Work orders: when one is opened, what is added to it, when it is closed. Pure.

One open order per machine and failure family (ISO 14224: VIB vibration, OHE overheating).
A verdict of plan or stop opens it; whatever is found later is added to the open one, and
only a person closes it. Every change is a higher revision of the same whole document, so
that whoever receives it twice, or out of order, ends with the same order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from apps.predictive_maintenance.config import OrderRules
from apps.predictive_maintenance.domain import Decision, Evidence, Outlook, Verdict
from apps.predictive_maintenance.outlook import Forecast
from apps.predictive_maintenance.remembered import Memory

VIBRATION, OVERHEATING = "VIB", "OHE"
FAMILIES = {"temperature": OVERHEATING}
"""Kind of evidence → failure mode; all else is vibration."""
IMPACTS = {"bearing", "impulses", "agreement"}
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of evidence as an order keeps it."""

    wall_time: float
    """UTC, seconds since 1970."""
    kind: str
    verdict: str
    value: float
    limit: float
    unit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Order:
    """One work order."""

    asset: str
    family: str
    number: int
    """Of this machine and family, from 1."""
    revision: int
    """From 1; a higher one says all that a lower one said."""
    verdict: Verdict
    """The worst so far."""
    priority: int
    """1 at once … 4."""
    opened: float
    """UTC, seconds since 1970."""
    changed: float
    due: float
    evidence: tuple[Entry, ...]
    zone: str = ""
    outlook: Outlook | None = None
    is_open: bool = True
    closed_by: str = ""
    closed_reason: str = ""

    @property
    def key(self) -> str:
        """Unique within a station for ever: what makes sending it twice harmless."""
        return f"{self.asset}/{self.family}/{self.number}"

    @property
    def place(self) -> tuple[str, str]:
        """Machine and family: of these only one is open."""
        return self.asset, self.family

    @property
    def component(self) -> str:
        """The maintainable item that is suspected."""
        kinds = {entry.kind for entry in self.evidence}
        if self.family == OVERHEATING:
            return "bearing temperature"
        return "bearing" if kinds & IMPACTS else "rotor and mounting"


@dataclass(frozen=True, slots=True)
class Orders:
    """The rules of a plant's work orders."""

    rules: OrderRules
    criticality: Mapping[str, int]
    """Asset → 1 stops production … 3 has a spare."""

    def after(
        self, last: Order | None, decision: Decision, family: str, now: float
    ) -> Order | None:
        """The order of this machine and family after a decision; None: there is none.

        `last` is its latest order, open or closed; the same object comes back unchanged
        when there is nothing to add.
        """
        found = of_family(decision, family)
        if last is not None and last.is_open:
            return self._added(last, decision, found, now)
        worst = _worst(found)
        if not decision.judged or worst.rank < Verdict.PLAN.rank:
            return last
        priority = self.priority(decision.asset, worst)
        return Order(
            decision.asset, family, last.number + 1 if last else 1, 1, worst, priority,
            now, now, self._due(decision, worst, now),
            tuple(_entry(evidence, now) for evidence in found),
            decision.zone, decision.outlook,
        )  # fmt: skip

    def closed(self, order: Order, by: str, reason: str, now: float) -> Order:
        """The order after a person closed it."""
        return replace(
            order, revision=order.revision + 1, changed=now, is_open=False,
            closed_by=by, closed_reason=reason,
        )  # fmt: skip

    def priority(self, asset: str, verdict: Verdict) -> int:
        """1 stop at once, 2 plan on a machine that stops production, 3 plan."""
        if verdict is Verdict.STOP:
            return 1
        return 2 if self.criticality.get(asset, 2) == 1 else 3

    def _added(
        self, order: Order, decision: Decision, found: tuple[Evidence, ...], now: float
    ) -> Order:
        """The open order with what is new; itself when nothing is."""
        if not decision.judged:
            return order
        fresh = tuple(_entry(e, now) for e in found if self._is_news(order, e))
        worst = max(order.verdict, _worst(found), key=lambda verdict: verdict.rank)
        if not fresh and worst is order.verdict:
            return order
        return replace(
            order, revision=order.revision + 1, changed=now, verdict=worst,
            priority=min(order.priority, self.priority(order.asset, worst)),
            due=min(order.due, self._due(decision, worst, now)),
            evidence=self._bounded(order.evidence + fresh),
            zone=max(order.zone, decision.zone), outlook=decision.outlook or order.outlook,
        )  # fmt: skip

    def _is_news(self, order: Order, evidence: Evidence) -> bool:
        """A new kind, a worse verdict of a known one, or a figure that grew clearly."""
        known = [e for e in order.evidence if e.kind == evidence.kind]
        if evidence.verdict.value not in {entry.verdict for entry in known}:
            return True
        most = max(entry.value for entry in known)
        return evidence.value > most * (1 + self.rules.worse_share)

    def _bounded(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """The first fifth, which opened it, and the latest of the rest."""
        most = self.rules.most_evidence
        if len(entries) <= most:
            return entries
        first = most // 5
        return entries[:first] + entries[first - most :]

    def _due(self, decision: Decision, verdict: Verdict, now: float) -> float:
        days = self.rules.stop_days if verdict is Verdict.STOP else self.rules.plan_days
        outlook = decision.outlook
        until = outlook.hours_low * 3600 if outlook else days * DAY_S
        return now + min(days * DAY_S, until)


def of_family(decision: Decision, family: str) -> tuple[Evidence, ...]:
    """The evidence that speaks for a family."""
    return tuple(e for e in decision.evidence if family_of(e.kind) == family)


def family_of(kind: str) -> str:
    """The failure mode that a kind of evidence speaks for."""
    return FAMILIES.get(kind, VIBRATION)


def repaired(memory: Memory, order: Order) -> Memory:
    """What still holds of a machine once what `order` is about was repaired.

    A STOP that nobody has acknowledged goes only with an order that asked for one.
    """
    evidence = tuple(e for e in memory.evidence if family_of(e.kind) != order.family)
    latches = {
        name: latch
        for name, latch in memory.latches.items()
        if family_of(name.partition("/")[0]) != order.family
    }
    stays = memory.unacknowledged and order.verdict is not Verdict.STOP
    if not (evidence or stays):
        return Memory(latches=latches)  # nothing is known until it is looked at anew
    verdict = Verdict.STOP if stays else _worst(evidence)
    forecast = Forecast() if order.family == VIBRATION else memory.forecast
    return Memory(verdict, latches, evidence, memory.severity, stays, forecast)


def _worst(found: tuple[Evidence, ...]) -> Verdict:
    return max((e.verdict for e in found), key=lambda v: v.rank, default=Verdict.RUN)


def _entry(evidence: Evidence, now: float) -> Entry:
    return Entry(
        now, evidence.kind, evidence.verdict.value, evidence.value, evidence.limit,
        evidence.unit, evidence.sentence,
    )  # fmt: skip
