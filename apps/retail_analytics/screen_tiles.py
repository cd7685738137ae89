"""The shop in numbers: entries, occupancy, the open interval and every queue, as tiles. Pure.

What is suppressed is said to be so: it is neither a zero nor a gap. Colour comes only with an
alarm; what is not known is "–".
"""

from collections.abc import Mapping, Sequence

from apps.retail_analytics.screen_days import Day
from apps.retail_analytics.screen_parts import inside_text, reason_text, short_time
from common.screen.alarm_list import clock_text
from common.screen.alarms import Alarm
from common.screen.charts import limit_bar, percent, steps
from common.screen.document import MISSING, Document, count
from common.screen.freshness import span_text
from common.screen.language import THIN, decimal, mark, tr
from common.screen.markup import EMPTY, Html, element
from common.screen.tiles import GOOD, Tile

RESETS = {"clock": mark("by the clock"), "start": mark("at the start")}


def tiles(word: Document, day: Day | str, alarms: Sequence[Alarm], now: float) -> list[Tile]:
    """Entries, occupancy, the open interval, and every queue."""
    marks = {alarm.id: alarm.priority for alarm in reversed(alarms)}
    return [
        entries_tile(day),
        occupancy_tile(word, marks),
        interval_tile(word, now),
        *(queue_tile(one, marks, now) for one in word.documents("queues")),
    ]


def entries_tile(day: Day | str) -> Tile:
    """Who came today, beside who was to be expected by now; or why that is not known."""
    if isinstance(day, str):
        return Tile(tr("Entered today"), MISSING, (day,), key="entries")
    told = any(slot.seen for slot in day.slots)
    bound = f"≥{THIN}" if day.hidden or any(slot.why for slot in day.slots) else ""
    value = f"{bound}{count(round(day.entered))}" if told else MISSING
    notes = (expected_text(day), hidden_text(day.hidden))
    return Tile(tr("Entered today"), value, notes, _beside(day), key="entries")


def _beside(day: Day) -> Html:
    """A scale that ends at twice the forecast: who came, and the forecast as its limit."""
    if day.compared is None or day.compared[1] <= 0:
        return element("div", cls="ls-scale ls-empty")
    came, expected = day.compared
    fill = element("i", cls="ls-fill", style=f"width:{percent(came, 2 * expected)}%")
    return element("div", fill, element("i", cls="ls-limit", style="left:50%"), cls="ls-scale")


def expected_text(day: Day) -> str:
    """How the day goes beside its forecast; that there is none, where there is none."""
    if not day.forecast.weeks:
        return tr("no history yet: no forecast")
    if day.compared is None:
        return tr("nothing to compare yet")
    came, expected = day.compared
    return tr(
        "expected so far {n} ({change}), from {weeks} weeks", n=count(round(expected)),
        change=change_of(came, expected), weeks=day.forecast.weeks,
    )  # fmt: skip


def change_of(came: float, expected: float) -> str:
    """By how much one number differs from another: +12 %; "–" beside nothing."""
    if not expected:
        return MISSING
    share = 100 * (came / expected - 1)
    return f"{'+' if share >= 0 else '−'}{decimal(abs(share))}{THIN}%"


def hidden_text(hidden: int) -> str:
    """How many counts were too small to be told."""
    return tr("{n} counts suppressed: too few people", n=count(hidden)) if hidden else ""


def occupancy_tile(word: Document, marks: Mapping[str, int]) -> Tile:
    """About how many are inside beside the limit, and how far that can be trusted."""
    inside = word.at("occupancy")
    value, limit, reset = (inside.number(name) for name in ("inside", "limit", "reset"))
    known = inside.flag("usable") is True and inside_text(word) != MISSING
    beside = tr("of {limit}", limit=count(limit)) if limit else tr("no limit set")
    by = inside.text("reset_by")
    time = clock_text(reset)
    begun = tr("counted {time} by {name}", time=time, name=by)
    if by in RESETS:
        begun = tr("emptied {time} {by}", time=time, by=tr(RESETS[by]))
    notes = (
        "" if known else reason_text(inside.text("reason")),
        tr("± {n} corrected", n=count(inside.number("corrected"))),
        begun if reset is not None else tr("never emptied since the start"),
    )
    return Tile(
        tr("Inside now, {beside}", beside=beside), inside_text(word), notes,
        limit_bar(value, limit) if limit else EMPTY,
        abnormal=inside.flag("over") is True, priority=marks.get("occupancy_limit"),
        key="occupancy", quality=GOOD if known else "BAD",
    )  # fmt: skip


def interval_tile(word: Document, now: float) -> Tile:
    """The interval that is being counted: nothing of it is told before it closes."""
    found = word.at("interval")
    start, end = found.number("start"), found.number("end")
    title = tr("Open interval")
    if start is None or end is None or end <= start:
        return Tile(title, MISSING, key="interval")
    left, longest = max(0.0, end - now), word.at("privacy").whole("merge_up_to_min")
    fill = element("i", cls="ls-fill", style=f"width:{percent(now - start, end - start)}%")
    notes = (
        tr("told in {age}", age=span_text(left)) if left else tr("is being closed"),
        tr("small counts wait up to {n} min", n=count(longest)) if longest else "",
    )
    value = f"{short_time(start)}{THIN}–{THIN}{short_time(end)}"
    return Tile(title, value, notes, element("div", fill, cls="ls-scale"), key="interval")


def queue_tile(queue: Document, marks: Mapping[str, int], now: float) -> Tile:
    """One queue: how long it is, how long one waits, and whether staff is called."""
    length, wait = queue.number("length"), queue.number("wait_s")
    called, usable = queue.flag("called") is True, queue.flag("usable") is True
    waits = tr("wait not known")
    if wait is not None:
        waits = tr("wait about {age}", age=span_text(wait))
    waiting = tr("{n} waiting", n=count(length))
    many, limit = round(length or 0.0), queue.whole("call_length") or 0
    return Tile(
        tr("Queue: {zone} → {till}", zone=queue.text("zone"), till=queue.text("till")),
        f"{tr('CALL STAFF')} · {waiting}" if called and usable else waiting,
        (call_text(queue, now) if usable else reason_text(queue.text("reason")), waits),
        steps(min(many, max(limit, 1)), limit), abnormal=called,
        priority=marks.get(f"queue_long.{queue.text('camera')}") if called else None,
        key=f"queue-{queue.text('zone')}", quality=GOOD if usable else "BAD",
    )  # fmt: skip


def call_text(queue: Document, now: float) -> str:
    """Whether another till is asked for, and for how long."""
    since = queue.number("since")
    if queue.flag("called") is not True:
        return tr("no call; from {n} on", n=count(queue.whole("call_length")))
    return tr("called for {age}", age=span_text(now - since)) if since else tr("called")
