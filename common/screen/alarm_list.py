"""The alarm list: priority shape and number, what it is, what to do, and the button.

Order: priority, then the older first. Acknowledging changes no place, so that no row moves
under a finger that is about to press.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from common.screen.document import Document
from common.screen.markup import Html, element
from common.screen.palette import PRIORITIES, priority_mark

SOUNDING = ("UNACK", "LATCHED_UNACK")
WAITING = (*SOUNDING, "RTNUN")
"""States that a person must acknowledge."""
WORDS = {
    "UNACK": "new",
    "ACKED": "acknowledged",
    "RTNUN": "gone, not acknowledged",
    "LATCHED_UNACK": "gone but kept, not acknowledged",
    "LATCHED_ACK": "gone but kept until reset",
}
GONE = ("RTNUN", "LATCHED_UNACK", "LATCHED_ACK")
Command = Callable[[str, str], None]
"""command(name, alarm id)"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that is not normal."""

    id: str
    priority: int
    state: str
    text: str
    detail: str
    consequence: str
    response: str
    since: float | None
    """UTC, seconds since 1970."""


def alarms_of(snapshot: Document) -> tuple[Alarm, ...]:
    """The alarms in a station's document, in the order in which they are shown."""
    found = {alarm.id: alarm for alarm in map(_alarm, snapshot.documents("alarms"))}
    return tuple(sorted(found.values(), key=_order))


def _alarm(found: Document) -> Alarm:
    number = found.whole("priority")
    return Alarm(
        id=found.text("id"),
        priority=number if number in PRIORITIES else 1,  # unreadable: rather too loud
        state=found.text("state"),
        text=found.text("text") or found.text("id"),
        detail=found.text("detail"),
        consequence=found.text("consequence"),
        response=found.text("response"),
        since=found.number("since"),
    )


def _order(alarm: Alarm) -> tuple[int, float, str]:
    return alarm.priority, alarm.since or 0.0, alarm.id


def worst(alarms: tuple[Alarm, ...], *ids: str) -> int | None:
    """The highest priority of all alarms, or of those named; None when there are none."""
    return min((a.priority for a in alarms if not ids or a.id in ids), default=None)


def sounding(alarms: tuple[Alarm, ...]) -> int | None:
    """The priority that must be heard: the highest of 1 and 2 not acknowledged."""
    return min(
        (a.priority for a in alarms if a.state in SOUNDING and a.priority <= 2), default=None
    )


def headline_html(alarms: tuple[Alarm, ...], age: str = "") -> Html:
    """How many alarms of each priority there are: what scrolled out of sight counts too."""
    marks = []
    for number in PRIORITIES:
        many = sum(alarm.priority == number for alarm in alarms)
        marks += [priority_mark(number), element("span", f"×{many}")] if many else []
    said = " · ".join(filter(None, (headline(alarms), age)))
    return element("div", *marks, element("span", said), cls="ls-alarms-head")


def headline(alarms: tuple[Alarm, ...]) -> str:
    """Whether there are alarms and how many of them wait for a person."""
    if not alarms:
        return "No alarms"
    waiting = sum(alarm.state in WAITING for alarm in alarms)
    return f"{waiting} to acknowledge" if waiting else "all acknowledged"


def clock_text(wall: float | None) -> str:
    """Local time of day, with the date when it is not today's."""
    if wall is None or not 0 <= wall < 253_402_214_400:  # the year 10 000
        return "–"
    then = datetime.fromtimestamp(wall).astimezone()
    today = then.date() == datetime.now().astimezone().date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def alarm_html(alarm: Alarm, *, stale: bool = False) -> Html:
    """One alarm, without its button."""
    mark = priority_mark(
        alarm.priority, hollow=alarm.state in GONE, flash=alarm.state in SOUNDING
    )
    said = [element("b", alarm.text)]
    if alarm.detail:
        said.append(element("div", alarm.detail))
    state = f"{WORDS.get(alarm.state, alarm.state)}, since {clock_text(alarm.since)}"
    said.append(element("div", state, cls="ls-note"))
    if alarm.response:
        said.append(element("div", element("b", "Do: "), alarm.response))
    if alarm.consequence and alarm.state in WAITING:
        said.append(element("div", f"Else: {alarm.consequence}", cls="ls-note"))
    cls = f"ls-alarm ls-p{alarm.priority}{' ls-stale' if stale else ''}"
    return element("div", mark, element("div", *said), cls=cls)


def draw_alarms(
    alarms: tuple[Alarm, ...], command: Command, *, key: str, stale: bool = False
) -> None:
    """All alarms with their buttons; `key` sets this station's buttons apart."""
    for alarm in alarms:
        st.html(alarm_html(alarm, stale=stale))
        name, label = _action(alarm)
        if name:
            st.button(
                label,
                key=f"{key}-{name}-{alarm.id}",
                on_click=command,
                args=(name, alarm.id),
                width="stretch",
            )


def _action(alarm: Alarm) -> tuple[str, str]:
    if alarm.state in WAITING:
        return "acknowledge", "Acknowledge · operator"
    if alarm.state == "LATCHED_ACK":
        return "reset_alarm", "Reset alarm · operator"
    return "", ""
