"""What every page has: its style, the clock, and a screen that says when it is frozen."""

import time
from datetime import datetime
from pathlib import Path

import streamlit as st

from common.screen.markup import Html, element
from common.screen.palette import variables

STYLE = Path(__file__).with_name("screen.css")
REFRESH_S = 1.0


def begin(title: str) -> None:
    """Set the page up; once, by whoever is started."""
    st.set_page_config(page_title=title, layout="wide", initial_sidebar_state="collapsed")
    st.html(f"<style>{variables()}{STYLE.read_text('utf-8')}</style>")


def clock(now: float | None = None) -> Html:
    """Date and time of this machine, with its zone."""
    then = datetime.fromtimestamp(time.time() if now is None else now).astimezone()
    return element(
        "div",
        element("b", then.strftime("%H:%M:%S")),
        element("span", then.strftime("%Y-%m-%d %Z")),
        cls="ls-clock",
    )


def head(now: float | None = None) -> Html:
    """The line on top of a page that has nothing else to put there."""
    return element("div", element("div", cls="ls-grow"), clock(now), dead_man(), cls="ls-head")


def dead_man() -> Html:
    """Covers the page when it is no longer redrawn.

    It is drawn anew with every refresh, beside the clock. If the refreshes end, because
    the browser lost the server, its animation runs out after five seconds and it shows.
    """
    text = "This screen is frozen: it has lost its server. Nothing on it is live."
    return element("div", element("b", text), cls="ls-dead-man", role="alert")
