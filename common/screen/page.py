"""What every page has: its style, its language and theme, and a way to be redrawn.

    begin(tr("Overview"))          once per run, by whoever is started
    @live                          a part that is redrawn all the time

A redraw sends only what changed; the page itself stays, and so does what a person types.
For that a live part has to draw the same kinds of things in the same order every time: where
an element becomes a container, a browser that lags behind loses the page (Streamlit 1.67:
"setIn cannot be called on an ElementNode"). What is not there is an empty element; lists
stand in containers of their own. So do parts of a page that take turns.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import streamlit as st

from common.screen import language
from common.screen.look import apply_look
from common.screen.palette import variables
from common.screen.session import LANGUAGE

STYLES = [Path(__file__).with_name(name) for name in ("screen.css", "pages.css")]
REFRESH_S = 0.75
"""With the half second of a station, an event is seen within one and a quarter."""
THEME = "ls-theme"
"""Key of the chosen theme in the session's state."""
SCHEMES = {"system": "light dark", "light": "light", "dark": "dark"}
"""Every theme, and what CSS calls it."""
P = ParamSpec("P")


def begin(title: str) -> None:
    """Set the page up; once, by whoever is started."""
    speak()
    st.set_page_config(
        page_title=title,
        layout="wide",
        initial_sidebar_state="collapsed",
        menu_items={"About": "Lineside"},  # without an entry there is no menu to theme with
    )
    style = "".join(path.read_text("utf-8") for path in STYLES)
    scheme = f":root{{color-scheme:{SCHEMES[theme()]}}}"  # open forms lie beside the page
    st.html(f"<style>{variables()}{scheme}{style}</style>")
    apply_look(theme(), language.current())


def speak() -> str:
    """Use the language chosen here: by a button, by ?lang=, or by the browser."""
    chosen = st.session_state.get(LANGUAGE)
    if chosen is None:
        chosen = st.query_params.get("lang") or language.preferred(st.context.locale)
        st.session_state[LANGUAGE] = chosen = language.use(chosen)
    return language.use(chosen)


def theme() -> str:
    """The theme chosen here: by a button or by ?theme=; else the browser's ("system")."""
    if THEME not in st.session_state:
        wanted = st.query_params.get("theme", "")
        st.session_state[THEME] = wanted if wanted in SCHEMES else "system"
    return str(st.session_state[THEME])


def is_dark() -> bool:
    """Whether the ground is dark, by choice or by the browser."""
    chosen = theme()
    return chosen == "dark" or (chosen == "system" and st.context.theme.type == "dark")


def choose(key: str, name: str, value: str) -> None:
    """Remember a choice, and write it into the address, so that it can be kept."""
    st.session_state[key] = value
    st.query_params[name] = value


def live_every(seconds: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A part of a page that is redrawn by itself, in the language of its page."""

    def made(part: Callable[P, None]) -> Callable[P, None]:
        @wraps(part)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            speak()
            part(*args, **kwargs)

        fragment: Callable[P, None] = st.fragment(drawn, run_every=seconds)
        return fragment

    return made


def live(part: Callable[P, None]) -> Callable[P, None]:
    """The same, more than once a second: what an operator watches."""
    return live_every(REFRESH_S)(part)
