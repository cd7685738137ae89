"""What of the alarms somebody wants to see: station, priority, state, words, time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from common.screen.alarms import WORDS, Alarm
from common.screen.language import mark, tr
from common.screen.palette import PRIORITIES
from common.screen.plant import Plant

T = TypeVar("T")
HOUR_S = 3600.0
SPANS = {
    8 * HOUR_S: mark("last 8 hours"),
    24 * HOUR_S: mark("last 24 hours"),
    7 * 24 * HOUR_S: mark("last 7 days"),
    30 * 24 * HOUR_S: mark("last 30 days"),
}
LIST, HISTORY, TOLD = mark("List"), mark("History"), mark("Messages")


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty means all of them."""

    history: bool = False
    stations: tuple[str, ...] = ()
    priorities: tuple[int, ...] = ()
    states: tuple[str, ...] = ()
    words: str = ""
    """Words that must all occur, in any order and spelling of letters."""
    span_s: float = 8 * HOUR_S
    """Of history and messages: how far back from now."""
    told: bool = False
    """Who was told of alarms, instead of the alarms themselves."""

    def takes(self, alarm: Alarm) -> bool:
        """Whether an alarm is wanted."""
        text = f"{alarm.id} {alarm.text} {alarm.title} {alarm.detail} {alarm.station}"
        return self.fits(alarm.station, alarm.priority, alarm.state, text)

    def fits(self, station: str, priority: int, state: str, text: str) -> bool:
        """The same, of an entry of the history."""
        return (
            (not self.stations or station in self.stations)
            and (not self.priorities or priority in self.priorities)
            and (not self.states or state in self.states)
            and all(word in text.casefold() for word in self.words.casefold().split())
        )


def draw(plant: Plant) -> Filter:
    """The line of choices above the list."""
    with st.container(
        horizontal=True, vertical_alignment="center", key="ls-filter", gap="small"
    ):
        shown = st.segmented_control(
            tr("Show"), (LIST, HISTORY, TOLD), default=LIST, required=True, format_func=tr,
            key="ls-f-show", label_visibility="collapsed",
        )  # fmt: skip
        stations = _several(mark("Station"), [one.name for one in plant.heard], "ls-f-station")
        priorities = _several(mark("Priority"), list(PRIORITIES), "ls-f-priority")
        names = {state: tr(word) for state, word in WORDS.items()}
        states = _several(mark("State"), list(WORDS), "ls-f-state", names)
        words = st.text_input(
            tr("Words"), placeholder=tr("Words"), key="ls-f-words",
            label_visibility="collapsed", max_chars=100, width=150,
        )  # fmt: skip
        span = 8 * HOUR_S
        if shown != LIST:
            span = st.selectbox(
                tr("Time"), list(SPANS), format_func=lambda s: tr(SPANS[s]), key="ls-f-span",
                label_visibility="collapsed", width=150,
            )  # fmt: skip
    return Filter(
        shown == HISTORY, tuple(stations), tuple(priorities), tuple(states), words or "", span,
        told=shown == TOLD,
    )  # fmt: skip


def _several(
    label: str, options: Sequence[T], key: str, names: Mapping[T, str] | None = None
) -> list[T]:
    """A choice of any number; none chosen means all."""
    named = names or {}
    return st.multiselect(
        tr(label), list(options), placeholder=tr(label), key=key, label_visibility="collapsed",
        format_func=lambda o: str(named.get(o, o)), width=190,
    )  # fmt: skip
