"""The row of buttons at the foot of every page: who, which station, and how it looks.

It stands outside of what is redrawn, so that typing is never lost.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import streamlit as st

from common.screen import page, session
from common.screen.language import current, heard, languages, tr
from common.screen.listening import port_of
from common.screen.page import THEME
from common.screen.plant import SOUND
from common.screen.session import LANGUAGE
from common.screen.station_file import (
    StationUnreadable,
    find_stations,
    read_station,
    var_folder,
)

STATION = "station"
"""Key of the chosen station in the session's state and in the address."""


def draw_bar(stations: Iterable[str] = (), extra: Callable[[str], None] | None = None) -> str:
    """Draw it; gives the station chosen among `stations`, "" where there is none to choose.

    `extra` draws the page's own buttons for that station.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="ls-bar", gap="small"):
        station = choose_station(tuple(stations))
        _sign_in()
        if extra is not None:
            extra(station)
        st.space("stretch")
        _look()
        st.toggle(tr("Alarm sound"), key=SOUND, bind="query-params", persist_state="session")
    return station


def choose_station(names: tuple[str, ...]) -> str:
    """The station that the page is about: chosen here, or named in the address."""
    if len(names) < 2:
        return names[0] if names else ""
    wanted = st.query_params.get(STATION, "")
    if st.session_state.get(STATION) not in names:
        st.session_state[STATION] = wanted if wanted in names else names[0]
    return st.selectbox(
        tr("Station"), names, key=STATION, label_visibility="collapsed", width=200
    )


def _sign_in() -> None:
    who = session.signed_in()
    label = tr("Signed in: {name}", name=who.name) if who else tr("Sign in")
    with st.popover(label, key="ls-sign-in"):
        with st.form("ls-sign-in-form", clear_on_submit=True, border=False):
            st.text_input(tr("Name"), key="ls-name", autocomplete="off")
            st.text_input(
                tr("Password"), type="password", key="ls-password", autocomplete="off"
            )
            st.form_submit_button(tr("Sign in"), on_click=_signed)
        if who:
            for station, (_, given) in who.passes.items():
                st.caption(f"{station}: {heard(given.role)}")
            st.button(tr("Sign out"), key="ls-sign-out", on_click=session.sign_out)


def _signed() -> None:
    state = st.session_state
    name, password = state["ls-name"], state["ls-password"]
    state["ls-password"] = ""  # given to the stations once, and kept nowhere
    session.sign_in(
        {path.parent.name: _port(path) for path in find_stations(var_folder())}, name, password
    )


def _port(path: Path) -> int | None:
    with suppress(StationUnreadable):
        return read_station(path).snapshot.whole("api_port") or port_of(path.parent.name)
    return port_of(path.parent.name)


def _look() -> None:
    label, wanted = (tr("Light"), "light") if page.is_dark() else (tr("Dark"), "dark")
    st.button(label, key="ls-theme-button", on_click=page.choose, args=(THEME, "theme", wanted))
    for code, name in languages().items():
        if code != current():
            st.button(
                name, key=f"ls-lang-{code}", on_click=page.choose, args=(LANGUAGE, "lang", code)
            )
