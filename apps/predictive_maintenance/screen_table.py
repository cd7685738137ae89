"""The machines of a plant in one table: the most urgent on top. Pure.

A row says what is decided of a machine and how far its vibration is from the limits; what is
not known is "–" and never zero.
"""

from collections.abc import Sequence

from common.screen.charts import percent
from common.screen.document import MISSING, Document, measure
from common.screen.freshness import Freshness, age_text
from common.screen.language import decimal, heard, mark, tr
from common.screen.markup import Html, element
from common.screen.palette import priority_mark

VERDICTS = {
    "run": (0, mark("run")),
    "watch": (1, mark("watch")),
    "plan": (2, mark("plan")),
    "stop": (3, mark("stop")),
}
"""Rank and word of each verdict; the rest is not known."""
VITAL = 1
"""The criticality of a machine that stops production."""
UNKNOWN = mark("not judged yet")
HEADS = (
    mark("Verdict"), mark("Machine"), mark("Zone"), mark("Vibration beside its limits"),
    mark("Change"), mark("Severity"), mark("Data age"), mark("Order"),
)  # fmt: skip
TOP_SHARE = 1.25
"""A scale ends so far above the highest limit."""


def word_of(machine: Document) -> str:
    """The verdict in the reader's language."""
    return tr(VERDICTS.get(machine.text("verdict"), (0, UNKNOWN))[1])


def rank_of(machine: Document) -> int:
    """0 for run to 3 for stop; -1 where it was never judged."""
    return VERDICTS.get(machine.text("verdict"), (-1, ""))[0]


def sign(verdict: str, criticality: int | None) -> Html:
    """The mark of a verdict: that of its alarm, where it raises one."""
    priority = priority_of(verdict, criticality)
    if priority is not None:
        return priority_mark(priority)
    return element("i", cls="pm-blank pm-watch" if verdict == "watch" else "pm-blank")


def priority_of(verdict: str, criticality: int | None) -> int | None:
    """Of the alarm that a verdict raises, as alarms.toml says; None: it raises none."""
    return {"stop": 1, "plan": 2 if criticality == VITAL else 3}.get(verdict)


def by_urgency(machines: Sequence[Document]) -> tuple[Document, ...]:
    """Severity × criticality: the worst verdict first, then what matters and hurts most."""

    def urgency(machine: Document) -> tuple[float, float, str]:
        weight = 4 - (machine.whole("criticality") or 2)
        return (
            -rank_of(machine),
            -weight * (machine.number("severity") or 0.0),
            machine.text("asset"),
        )

    return tuple(sorted(machines, key=urgency))


def table(machines: Sequence[Document], freshness: Freshness, chosen: str) -> Html:
    """All machines, the chosen one marked."""
    if not machines:
        return element("div", tr("This station has no machines."), cls="ls-empty-list")
    head = element("div", *(element("div", tr(name)) for name in HEADS), cls="pm-row pm-names")
    rows = [_row(one, freshness, chosen == one.text("asset")) for one in by_urgency(machines)]
    return element("div", head, *rows, cls="pm-table", tabindex="0")


def _row(machine: Document, freshness: Freshness, chosen: bool) -> Html:
    ways = " pm-chosen" * chosen + " ls-stale" * (freshness.stale or not known(machine))
    return element(
        "div",
        _verdict(machine),
        element("div", element("b", machine.text("name")), _beside(machine), cls="pm-name"),
        element("div", machine.text("zone") or MISSING, title=machine.text("zone_reason")),
        _velocity(machine.at("velocity")),
        element("div", change(machine.at("velocity")), cls="pm-figure"),
        element("div", _severity(machine), cls="pm-figure"),
        element("div", _age(machine), title=heard(machine.text("not_judged"))),
        element("div", ", ".join(machine.texts("orders")) or MISSING, cls="pm-order"),
        cls=f"pm-row{ways}",
        data_asset=machine.text("asset"),
    )


def known(machine: Document) -> bool:
    """Whether its records come and may be believed."""
    return machine.flag("silent") is False and machine.text("quality") == "good"


def _verdict(machine: Document) -> Html:
    shape = sign(machine.text("verdict"), machine.whole("criticality"))
    return element("div", shape, element("b", word_of(machine)), cls="pm-verdict")


def _beside(machine: Document) -> Html:
    said = (
        tr("STOP NOT ACKNOWLEDGED") if machine.flag("latched") else "",
        tr("not compared") if machine.text("not_compared") else "",
        tr("criticality {n}", n=machine.whole("criticality") or MISSING),
        state_text(machine),
    )
    return element("small", " · ".join(filter(None, said)))


def state_text(machine: Document) -> str:
    """What the machine does: speed and load, or that it stands or changes speed."""
    motion = machine.text("motion")
    if motion in ("stopped", "ramping"):
        return {"stopped": tr("stands"), "ramping": tr("changes speed")}[motion]
    rpm, load = machine.number("rpm"), machine.number("load")
    parts = [measure(rpm, "r/min")] if rpm is not None else []
    parts += [tr("load {share}", share=measure(load * 100, "%"))] if load is not None else []
    return ", ".join(parts)


def _velocity(velocity: Document) -> Html:
    value = velocity.number("value")
    shown = MISSING if value is None else decimal(value, 2)
    return element(
        "div",
        element("b", shown),
        limits_bar(velocity),
        element("small", limits_text(velocity)),
        cls="pm-velocity",
    )


def limits_bar(velocity: Document) -> Html:
    """A scale with the value, its baseline and its two limits."""
    value, limits = velocity.number("value"), _limits(velocity)
    top = TOP_SHARE * max([*limits, value or 0.0], default=0.0)
    if not limits or top <= 0:
        return element("div", cls="ls-scale ls-empty")
    parts = [element("i", cls="ls-fill", style=f"width:{percent(value or 0.0, top)}%")]
    baseline = velocity.number("baseline")
    if baseline is not None:
        at = percent(baseline, top)
        parts.append(element("i", cls="pm-usual", style=f"left:{at}%", title=tr("usual")))
    parts += [
        element("i", cls="ls-limit", style=f"left:{percent(limit, top)}%") for limit in limits
    ]
    return element("div", *parts, cls="ls-scale")


def _limits(velocity: Document) -> list[float]:
    found = (velocity.number("alarm"), velocity.number("trip"))
    return [limit for limit in found if limit is not None and limit > 0]


def limits_text(velocity: Document) -> str:
    """The limits in words; why there are none."""
    alarm, trip = velocity.number("alarm"), velocity.number("trip")
    if alarm is None or trip is None:
        usual = velocity.number("baseline")
        return tr("no zone; usual {n}", n=decimal(usual, 2)) if usual is not None else ""
    return f"{decimal(alarm, 1)} / {decimal(trip, 1)} mm/s"


def change(velocity: Document) -> str:
    """By how much the vibration differs from its baseline: +12 %."""
    value, usual = velocity.number("value"), velocity.number("baseline")
    if value is None or not usual:
        return MISSING
    share = 100 * (value / usual - 1)
    return f"{'+' if share >= 0 else '−'}{decimal(abs(share))}\u202f%"


def _severity(machine: Document) -> str:
    value = machine.number("severity")
    if value is None or machine.text("verdict") not in VERDICTS:
        return MISSING
    return "> 100" if value > 100 else decimal(value, 2)


def _age(machine: Document) -> str:
    """How old the last record is; in its place what is wrong with it."""
    age = machine.number("data_age_s")
    if age is None:
        return tr("no record yet")
    if machine.flag("silent"):
        return tr("silent for {age}", age=age_text(age))
    if machine.text("quality") == "stale":
        return tr("not looked at")
    return age_text(age) if machine.text("quality") == "good" else tr("bad signal")
