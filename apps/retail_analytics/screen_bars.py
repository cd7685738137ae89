"""Entries by time beside the forecast, as bars of plain HTML: they follow the theme. Pure.

A bar is who was told. A line across it is the forecast. What is suppressed, not observed or
only partly observed has a look of its own, with the reason where the pointer rests.
"""

from collections.abc import Sequence

from apps.retail_analytics.screen_days import Day
from apps.retail_analytics.screen_ledger import Slot
from apps.retail_analytics.screen_parts import reason_text, short_time
from common.screen.charts import percent
from common.screen.document import count
from common.screen.language import THIN, tr
from common.screen.markup import EMPTY, Html, element

LEAST_HOURS = 10
HOUR_S = 3600.0


def bars_html(day: Day, now: float) -> Html:
    """Today's slots, from the first hour in which anybody came or was expected."""
    shown = _hours(day, now)
    forecast = day.forecast.values or (None,) * len(day.slots)
    pairs = [(slot, forecast[at]) for at, slot in enumerate(day.slots) if at in shown]
    top = max([1.0, *(s.value for s, _ in pairs), *(f or 0.0 for _, f in pairs)])
    columns = [_column(slot, expected, top, now) for slot, expected in pairs]
    label = tr(
        "Entered today by time: {n} people, {hidden} counts suppressed",
        n=count(round(day.entered)), hidden=count(day.hidden),
    )  # fmt: skip
    scale = element("div", element("span", count(top)), element("span", "0"), cls="rt-scale")
    bars = element("div", *columns, cls="rt-bars", role="img", aria_label=label)
    return element("div", _title(day), element("div", scale, bars, cls="rt-chart"), legend())


def _title(day: Day) -> Html:
    weeks = day.forecast.weeks
    said = (
        tr("forecast: mean of the same weekday and time in {n} past weeks", n=weeks)
        if weeks
        else tr("no history yet: a forecast needs the same weekday of a past week")
    )
    return element("div", element("b", tr("Entered today")), f" · {said}", cls="rt-title")


def _hours(day: Day, now: float) -> range:
    """The slots that are shown: whole hours around all there is, and around now."""
    if not day.slots:
        return range(0)
    forecast = day.forecast.values or (None,) * len(day.slots)
    some = [
        slot.start
        for slot, expected in zip(day.slots, forecast, strict=True)
        if slot.value or slot.hidden or slot.why or (expected or 0.0) >= 1.0
    ]
    first, width = day.slots[0].start, day.slots[0].end - day.slots[0].start
    begin = (min([*some, now]) - first) // HOUR_S
    end = max((max([*some, now]) - first) // HOUR_S + 1, begin + LEAST_HOURS)
    begin, end = max(0.0, min(begin, end - LEAST_HOURS)), min(24.0, end)
    begin = max(0.0, min(begin, end - LEAST_HOURS))
    return range(round(begin * HOUR_S / width), round(end * HOUR_S / width))


def _column(slot: Slot, expected: float | None, top: float, now: float) -> Html:
    full = element("u", style=f"height:{percent(slot.value, top)}%") if slot.value else EMPTY
    line = (
        element("s", style=f"bottom:{percent(expected, top)}%")
        if expected is not None
        else EMPTY
    )
    hour = element("small", short_time(slot.start)[:2]) if slot.start % HOUR_S == 0 else EMPTY
    return element("i", full, line, hour, cls=_look(slot, now), title=slot_text(slot, expected))


def _look(slot: Slot, now: float) -> str:
    here = "rt-now " if slot.start <= now < slot.end else ""
    if slot.why:
        return f"{here}rt-blind"
    if slot.hidden:
        return f"{here}rt-hidden"
    return f"{here}rt-none" if slot.empty else here


def slot_text(slot: Slot, expected: float | None = None) -> str:
    """All that is known of a slot, in words."""
    said = [f"{short_time(slot.start)}{THIN}–{THIN}{short_time(slot.end)}"]
    if slot.empty:
        said.append(tr("nothing published"))
    elif slot.seen:
        bound = f"≥{THIN}" if not slot.told else ""
        said.append(tr("{n} in", n=f"{bound}{count(round(slot.value))}"))
    if slot.merged:
        said.append(tr("told for several intervals together"))
    if slot.hidden:
        said.append(tr("suppressed: fewer than {k} people", k=slot.k))
    if slot.why:
        said.append(tr("not observed: {why}", why=reason_text(slot.why)))
    if slot.partial:
        said.append(tr("partial: the station began or stopped"))
    if expected is not None:
        said.append(tr("expected {n}", n=count(round(expected))))
    return " · ".join(said)


def legend() -> Html:
    """What the looks mean."""
    entries: Sequence[tuple[str, str]] = (
        ("rt-key-in", tr("entered")), ("rt-key-expected", tr("expected")),
        ("rt-key-hidden", tr("suppressed: too few people")),
        ("rt-key-blind", tr("not observed")), ("rt-key-none", tr("nothing published")),
    )  # fmt: skip
    keys = (element("span", element("i", cls=f"rt-key {cls}"), name) for cls, name in entries)
    return element("div", *keys, cls="rt-legend")
