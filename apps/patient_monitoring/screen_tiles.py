"""The ward at a glance: a tile per bed, the technical strip, other wards. Pure.

What is missing never looks normal: an incomplete score is a lower bound in a dashed frame
with the word INCOMPLETE, an empty one is "–".
"""

from collections.abc import Sequence

from apps.patient_monitoring.screen_bed import (
    PARAMETERS,
    TRENDS,
    Bed,
    due_text,
    minutes,
    occupied,
    oldest_text,
    timer_text,
)
from apps.patient_monitoring.screen_words import EXTREME_TEXTS, TECHNICAL_TEXTS
from common.screen import charts
from common.screen.alarm_list import counts
from common.screen.alarms import alarms_of
from common.screen.document import MISSING, count
from common.screen.freshness import Freshness
from common.screen.language import tr
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import priority_mark
from common.screen.tiles import frame

HIGHEST = 20
CHIPS = 4
STRIP = 6


def hatched(cls: str, freshness: Freshness) -> str:
    """The classes of a box, with the one that shows that its station is silent."""
    return f"{cls} ls-stale" if freshness.stale else cls


def beds_html(beds: Sequence[Bed]) -> Html:
    """All occupied beds as tiles; the empty ones are named below."""
    tiles = [tile(bed) for bed in occupied(beds)]
    empty = ", ".join(bed.name for bed in beds if not bed.patient)
    none = element("div", tr("Nobody is admitted here."), cls="ls-empty-list")
    shown = element("div", *tiles, cls="wd-beds", tabindex="0") if tiles else none
    said = element("div", tr("Empty beds: {beds}", beds=empty), cls="wd-empty")
    return element("div", shown, said if empty else EMPTY)


def tile(bed: Bed) -> Html:
    """One bed."""
    sign = priority_mark(bed.priority, flash=_flashes(bed)) if bed.priority else EMPTY
    who = bed.word.text("initials")
    title = element("span", element("b", tr("Bed {bed}", bed=bed.name)), f" {who}")
    paused = _paused(bed)
    due, late = due_text(bed)
    return frame(
        element("div", title, sign, cls="ls-title"),
        score_html(bed),
        element("div", *chips(bed)[:CHIPS], cls="wd-chips"),
        element("div", oldest_text(bed), cls="wd-line"),
        element("div", due, cls="wd-line wd-late" if late else "wd-line"),
        element(
            "div",
            paused or _last_line(bed),
            cls="wd-line wd-whole wd-late" if paused else "wd-line wd-whole",
        ),
        freshness=bed.freshness,
        ways=_ways(bed),
        key=f"bed-{bed.name}",
    )


def _flashes(bed: Bed) -> bool:
    """Low priority does not flash (IEC 60601-1-8), nor what is no longer live."""
    return bed.waiting and (bed.priority or 9) <= 2 and not bed.freshness.stale


def _ways(bed: Bed) -> str:
    if bed.priority:
        return f" ls-alarmed ls-p{bed.priority}"
    return " ls-abnormal" if not bed.complete and not bed.refusal else ""


def _paused(bed: Bed) -> str:
    left = bed.paused_s
    return tr("ALARMS PAUSED {age}", age=minutes(left)) if left is not None else ""


def _last_line(bed: Bed) -> str:
    """The alarm's owner and timer; where there is none, what is wrong with the monitoring."""
    wrong = said(bed.word.texts("technical"), TECHNICAL_TEXTS)
    return timer_text(bed) or ", ".join(wrong)


def said(texts: Sequence[str], words: dict[str, str]) -> list[str]:
    """The station's words in the reader's language."""
    return [tr(words.get(text, text)) for text in texts]


def score_html(bed: Bed) -> Html:
    """The number and which way it goes; its course of the day, or why it is no total."""
    bound = "" if bed.complete else "wd-bound"
    way = "" if bed.number == MISSING else TRENDS.get(bed.score.whole("trend") or 0, "")
    course = charts.sparkline(_course(bed), HIGHEST)
    return element(
        "div",
        element("b", bed.number, cls=bound),
        element("span", way, role="img", aria_label=_way_word(bed)) if way else EMPTY,
        element("b", bed.tag, cls="wd-tag") if bed.tag else course,
        cls="wd-score",
    )


def _course(bed: Bed) -> list[float]:
    """The score of the last hours, as far as it is known."""
    return [value for value in bed.score.values("history") if value is not None]


def _way_word(bed: Bed) -> str:
    words = {1: tr("rising"), -1: tr("falling")}
    return words.get(bed.score.whole("trend") or 0, "")


def chips(bed: Bed) -> list[Html]:
    """What is extreme, what scores 3, what is missing."""
    if bed.refusal:
        return [element("span", tr(bed.refusal), cls="wd-chip wd-why")]
    extreme = [element("span", text, cls="wd-chip wd-red")
               for text in said(bed.word.texts("extreme"), EXTREME_TEXTS)]  # fmt: skip
    red = [element("span", f"{_short(name)} 3", cls="wd-chip wd-red",
                   title=tr("{sign} scores 3", sign=_full(name)))
           for name in bed.score.texts("red")]  # fmt: skip
    gaps = [element("span", f"{_short(name)} ?", cls="wd-chip wd-gap",
                    title=tr("{sign} is missing", sign=_full(name)))
            for name in bed.score.texts("missing")]  # fmt: skip
    return [*extreme, *red, *gaps]


def _short(name: str) -> str:
    return PARAMETERS[name][0] if name in PARAMETERS else name


def _full(name: str) -> str:
    return tr(PARAMETERS[name][1]) if name in PARAMETERS else name


# ------------------------------------------------------------------ beside the beds


def strip_html(heard: Heard, beds: Sequence[Bed]) -> Html:
    """Everything that is wrong with the monitoring, apart from what bodies do."""
    by_bed = [
        tr("Bed {bed}: {what}", bed=bed.name, what=", ".join(wrong))
        for bed in occupied(beds)
        if (wrong := said(bed.word.texts("technical"), TECHNICAL_TEXTS))
    ]
    fault = heard.word.at("ward").text("fault")
    counts_ = heard.word.at("refused")
    refused = sum(counts_.whole(reason) or 0 for reason in counts_.names())
    told = ([fault] if fault else []) + by_bed[:STRIP]
    if len(by_bed) > STRIP:
        told.append(tr("and {n} more", n=len(by_bed) - STRIP))
    if refused:
        told.append(tr("{n} messages refused", n=count(refused)))
    well = heard.freshness.sentence or tr("nothing is wrong with the monitoring")
    said_ = " · ".join(told) or well
    name = element("b", tr("Technical"))
    cls = hatched("wd-strip wd-some" if told else "wd-strip", heard.freshness)
    return element("div", name, element("span", said_, title=said_), cls=cls)


def others_html(others: Sequence[Heard]) -> Html:
    """The other wards of this machine: worst alarms, high scores, age."""
    if not others:
        return element("div")
    rows = [_other(one) for one in others]
    return element("div", element("b", tr("Other wards"), cls="ls-row-head"), *rows)


def _other(one: Heard) -> Html:
    beds = [Bed(bed, 0.0) for bed in one.word.documents("beds")]
    high = sum((bed.at_least or 0) >= 7 for bed in occupied(beds))
    name = one.word.at("ward").text("name") or one.name
    said_ = one.freshness.sentence or tr("{n} at 7 or more", n=high)
    return element(
        "div",
        element("b", name),
        element("span", said_),
        element("span", *counts(alarms_of(one.word, one.name)), cls="ls-counts"),
        cls=hatched("wd-other", one.freshness),
    )
