"""The alarm list: priority shape and number, what it is, what to do, and the buttons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from common.screen import session
from common.screen.alarms import GONE, WAITING, Alarm, waiting
from common.screen.freshness import Freshness, span_text
from common.screen.language import tr
from common.screen.listening import port_of
from common.screen.markup import EMPTY, Html, element, joined
from common.screen.palette import PRIORITIES, priority_mark

YEAR_10000 = 253_402_214_400


@dataclass(frozen=True, slots=True)
class Layout:
    """How a list is drawn where it stands."""

    key: str
    """Sets this list's buttons apart from others on the page."""
    most: int
    """Rows that are drawn; the rest is counted."""
    wide: bool = False
    """Buttons beside the text instead of under it."""
    stations: bool = False
    """Say of which station an alarm is."""


BUTTON_PX = 120
NARROW = Layout("", 0)


def clock_text(wall: float | None) -> str:
    """Local time of day, with the date when it is not today's."""
    if wall is None or not 0 <= wall < YEAR_10000:
        return "–"
    then = datetime.fromtimestamp(wall).astimezone()
    today = then.date() == datetime.now().astimezone().date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def headline_html(alarms: Sequence[Alarm], age: str = "") -> Html:
    """How many alarms of each priority there are: what scrolled out of sight counts too.

    The age of what is stale has a line of its own: beside the marks a narrow column cuts it.
    """
    said = element("span", headline(alarms))
    head = element("div", *counts(alarms), said, cls="ls-alarms-head")
    return joined((head, element("b", age, cls="ls-alarms-age") if age else EMPTY))


def counts(alarms: Sequence[Alarm]) -> list[Html]:
    """Mark and number of each priority that there is; flashing while one is new."""
    marks: list[Html] = []
    for number in PRIORITIES:
        these = [alarm for alarm in alarms if alarm.priority == number]
        if these:
            flash = any(alarm.flashes for alarm in these)
            marks += [priority_mark(number, flash=flash), element("span", f"×{len(these)}")]
    return marks


def headline(alarms: Sequence[Alarm]) -> str:
    """Whether there are alarms and how many of them wait for a person."""
    if not alarms:
        return tr("No alarms")
    wait = waiting(alarms)
    return tr("{n} to acknowledge", n=wait) if wait else tr("all acknowledged")


def alarm_html(alarm: Alarm, *, stale: bool = False, layout: Layout = NARROW) -> Html:
    """One alarm, without its buttons."""
    sign = priority_mark(
        alarm.priority, hollow=alarm.state in GONE, flash=alarm.flashes and not stale
    )
    ways = " ls-stale" * stale + " ls-wide" * layout.wide
    cls = f"ls-alarm ls-p{alarm.priority}{ways}"
    what = element("div", *_what(alarm, layout.stations))
    return element("div", sign, what, element("div", *_answer(alarm)), cls=cls)


def _what(alarm: Alarm, station: bool) -> list[Html]:
    title = f"{alarm.station}: {alarm.title}" if station else alarm.title
    said = [element("b", title, _first(alarm), cls="ls-name")]
    if alarm.detail:
        said.append(element("div", alarm.detail))
    since = tr("since {time}", time=clock_text(alarm.since))
    by = tr("by {name}", name=alarm.acknowledged_by) if alarm.state == "ACKED" else ""
    state = ", ".join(filter(None, (f"{alarm.word} {by}".strip(), since)))
    said.append(element("div", state, cls="ls-note"))
    return said


def _answer(alarm: Alarm) -> list[Html]:
    said = []
    if alarm.response:
        within = tr("within {age}", age=span_text(alarm.respond_s)) if alarm.respond_s else ""
        limit = f" ({within})" if within else ""
        said.append(element("div", element("b", tr("Do:"), " "), tr(alarm.response), limit))
    if alarm.consequence and alarm.state in WAITING:
        else_ = tr("Else: {what}", what=tr(alarm.consequence))
        said.append(element("div", else_, cls="ls-note"))
    return said


def _first(alarm: Alarm) -> Html:
    if alarm.first:
        return element("span", tr("came first: begin here"), cls="ls-first")
    if alarm.followed:
        return element("span", tr("followed: {alarm}", alarm=alarm.followed), cls="ls-follows")
    return EMPTY


def draw_alarms(
    alarms: Sequence[Alarm], layout: Layout, *, stale: bool | Callable[[Alarm], bool] = False
) -> None:
    """The first of the alarms with their buttons, and how many more there are.

    `stale`: whether their station is silent; of alarms of several, asked for each.
    """
    with st.container(gap="small"):
        for alarm in alarms[: layout.most]:
            key = f"{layout.key}-{alarm.name}"
            silent = stale(alarm) if callable(stale) else stale
            with row(key, beside=layout.wide):
                st.html(alarm_html(alarm, stale=silent, layout=layout))
                draw_action(alarm, key, BUTTON_PX if layout.wide else "stretch")
    more = len(alarms) - layout.most
    said = element("div", tr("and {n} more, see Alarms", n=more), cls="ls-more")
    st.html(said if more > 0 else element("div"))


def row(key: str, *, beside: bool = True) -> DeltaGenerator:
    """The place of one alarm and its buttons, beside it or under it."""
    return st.container(horizontal=beside, wrap=not beside, key=f"{key}-row", gap="small")


def draw_action(alarm: Alarm, key: str, width: int | Literal["stretch"]) -> None:
    """The button for what comes next; its place stays where there is none."""
    name, label = action(alarm)
    if name:
        st.button(label, key=f"{key}-{name}", on_click=_order, args=(name, alarm), width=width)
    elif width != "stretch":
        st.html(element("div"), width=width)


def action(alarm: Alarm) -> tuple[str, str]:
    """What a person does next with an alarm: the command and the button's label."""
    if alarm.state in WAITING:
        return "acknowledge", tr("Acknowledge")
    if alarm.state == "LATCHED_ACK":
        return "reset_alarm", tr("Reset alarm")
    return "", ""


def _order(name: str, alarm: Alarm) -> None:
    order(name, alarm)


def order(name: str, alarm: Alarm, **more: object) -> bool:
    """Command one alarm, as it was looked at; whether it was done."""
    seen = {} if alarm.revision is None else {"revision": alarm.revision}
    arguments = {"alarm_id": alarm.id, **seen, **more}
    return session.command(alarm.station, port_of(alarm.station), name, arguments)


def stale_of(freshness: dict[str, Freshness], alarm: Alarm) -> bool:
    """Whether the station of an alarm is silent."""
    known = freshness.get(alarm.station)
    return known is None or known.stale
