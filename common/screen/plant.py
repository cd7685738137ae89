"""The whole plant in one glance, on every page: alarms, who is signed in, the clock.

It stands in the corner at the top right and is drawn anew with every refresh. So does what
covers the page when the refreshes end.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import streamlit as st

from common.screen import session
from common.screen.alarm_list import counts, headline
from common.screen.alarms import Alarm, alarms_of, hidden_of, ordered, sounding
from common.screen.freshness import Freshness
from common.screen.language import tr
from common.screen.listening import Heard, hear_all
from common.screen.markup import EMPTY, Html, element
from common.screen.sound import player

SOUND = "sound"
BEAT = "ls-beat"
"""Key of the flashing's half in the session's state."""


@dataclass(frozen=True, slots=True)
class Plant:
    """All stations of this machine as they were heard at one moment."""

    heard: tuple[Heard, ...]
    alarms: tuple[Alarm, ...]
    hidden: tuple[Alarm, ...]

    @property
    def freshness(self) -> dict[str, Freshness]:
        """How old each station's word is."""
        return {one.name: one.freshness for one in self.heard}

    @property
    def silent(self) -> tuple[str, ...]:
        """Stations that do not speak."""
        return tuple(one.name for one in self.heard if one.freshness.stale)


def look_around(var: Path) -> Plant:
    """Hear every station."""
    heard = hear_all(var)
    alarms = ordered(alarm for one in heard for alarm in alarms_of(one.word, one.name))
    hidden = tuple(alarm for one in heard for alarm in hidden_of(one.word, one.name))
    return Plant(heard, alarms, hidden)


def draw_corner(plant: Plant, now: float | None = None) -> None:
    """What every page shows of the plant, the tone of its loudest alarm included."""
    answer = answer_html(session.last_answer())
    corner = corner_html(plant, now, dim=_beat())
    st.html(element("div", corner, asked_html(plant), answer))
    loud = sounding(plant.alarms) if st.session_state.get(SOUND) else None
    st.html(element("div", player(loud) if loud else EMPTY, cls="ls-sounding"))


def _beat() -> bool:
    """Alternates with every refresh: marks flash because the page is alive, not beside it."""
    st.session_state[BEAT] = not st.session_state.get(BEAT, False)
    return bool(st.session_state[BEAT])


def corner_html(plant: Plant, now: float | None = None, *, dim: bool = False) -> Html:
    """Alarms by priority, silence, the sound, the person and the time.

    While one with `dim` is on the page, all that flashes on it is in its dark half.
    """
    first, second = [headline(plant.alarms)], [_person()]
    if plant.silent:
        first.insert(0, tr("{n} silent", n=len(plant.silent)))  # nobody knows what that hides
    if plant.hidden:
        second.append(tr("{n} hidden", n=len(plant.hidden)))
    person = element("span", " · ".join(second))
    notes = (element("b", " · ".join(first)), element("div", person, _sound(plant)))
    return element(
        "div",
        element("div", *counts(plant.alarms), cls="ls-counts"),
        element("div", *notes, cls="ls-notes"),
        clock(now),
        dead_man(),
        cls="ls-corner ls-dim" if dim else "ls-corner",
        role="region",
        aria_label=tr("Plant"),
    )


def _person() -> str:
    who = session.signed_in()
    return who.name if who else tr("not signed in")


def _sound(plant: Plant) -> Html:
    """That the sound is off is never hidden, least of all while something should be heard."""
    if st.session_state.get(SOUND):
        return EMPTY
    if sounding(plant.alarms) is None:
        return element("span", tr("sound is off"))
    return element("span", tr("SOUND IS OFF"), cls="ls-unheard")


def clock(now: float | None = None) -> Html:
    """Date and time of this machine, with its zone."""
    then = datetime.fromtimestamp(time.time() if now is None else now).astimezone()
    return element(
        "div",
        element("b", then.strftime("%H:%M:%S")),
        element("span", then.strftime("%Y-%m-%d %Z")),
        cls="ls-clock",
    )


def dead_man() -> Html:
    """Covers the page when it is no longer redrawn.

    It is drawn anew with every refresh, beside the clock. If the refreshes end, because
    the browser lost the server, its animation runs out after five seconds and it shows.
    """
    text = tr("This screen is frozen: it has lost its server. Nothing on it is live.")
    return element("div", element("b", text), cls="ls-dead-man", role="alert")


def asked_html(plant: Plant) -> Html:
    """Stations that were asked because their file is late: which, and why.

    It lies over the foot of the page: for a moment's lateness no row moves.
    """
    asked = [one for one in plant.heard if one.asked]
    if not asked:
        return EMPTY
    said = (f"{one.name}: {tr('live from the station itself')}; {one.trouble}" for one in asked)
    return element("div", *(element("div", line) for line in said), cls="ls-asked")


def answer_html(shown: session.Shown | None) -> Html:
    """What became of the last command, over the foot of the page; it moves nothing either."""
    if shown is None:
        return EMPTY
    cls = "ls-answer" if shown.answer.done else "ls-answer ls-refused"
    return element("div", shown.answer.text, cls=cls, role="status")
