"""The shop manager's page: reads the station's file, sends commands, no more.

Four views of one page: now, hours and days compared, the set-up (for engineers), and the
privacy statement. There is no camera picture in any of them.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from apps.retail_analytics import (
    screen_commands,
    screen_privacy,
    screen_setup,
    screen_views,
)
from apps.retail_analytics.screen_parts import counting, inside_text
from apps.retail_analytics.screen_report import KINDS, TRENDS, ShopTally
from common.screen.app_screen import AppScreen
from common.screen.bar import draw_bar
from common.screen.document import MISSING, Document
from common.screen.language import add_words, mark, tr
from common.screen.page import begin
from common.screen.plant import look_around
from common.screen.station_file import FILE, var_folder
from common.screen.station_page import stations_of, wait_for_station

APP = "retail_analytics"
STYLE = Path(__file__).with_name("screen.css").read_text("utf-8")
VIEW = "rt-view"
VIEWS = {
    "now": mark("Now"), "compare": mark("Hours and days"), "setup": mark("Set-up"),
    "privacy": mark("Privacy"),
}  # fmt: skip

add_words(Path(__file__).with_name("words"))


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    st.html(f"<style>{STYLE}</style>")
    names = [one.name for one in stations_of(look_around(var_folder()), APP)]
    top = st.container()
    name = draw_bar(names, screen_commands.draw if names else None)
    with top:
        if not names:
            wait_for_station(APP)
            return
        views: dict[str, Callable[[Path], None]] = {
            "now": screen_views.now_view, "compare": screen_views.compare_view,
            "setup": screen_setup.draw, "privacy": screen_privacy.draw,
        }  # fmt: skip
        wanted = chosen_view()
        if wanted != "setup":
            screen_setup.forget()
        for view, draw in views.items():
            with st.container():  # each in its own place: they take turns
                if view == wanted:
                    draw(var_folder() / name / FILE)


def chosen_view() -> str:
    """What is looked at, by the buttons or by ?view=."""
    if VIEW not in st.session_state:
        asked = st.query_params.get("view", "")
        st.session_state[VIEW] = asked if asked in VIEWS else "now"
    st.segmented_control(
        tr("View"), list(VIEWS), key=VIEW, required=True, label_visibility="collapsed",
        format_func=lambda view: tr(VIEWS[view]),
    )  # fmt: skip
    return str(st.session_state[VIEW])


# ------------------------------------------------------------------------ for the others


def state(word: Document) -> str:
    """Whether it counts, and about how many are inside."""
    inside = inside_text(word)
    many = tr("{n} inside", n=inside) if inside != MISSING else ""
    return ", ".join(filter(None, (counting(word), many)))


def subject(word: Document) -> str:
    """Queues to which staff is called."""
    called = [one.text("zone") for one in word.documents("queues") if one.flag("called")]
    return tr("staff called to {zones}", zones=", ".join(called)) if called else ""


SCREEN = AppScreen(
    app=APP,
    title=mark("Retail analytics"),
    page=page,
    state=state,
    subject=subject,
    trends=TRENDS,
    kind="interval",
    kinds=KINDS,
    tally=ShopTally,
)

if __name__ == "__main__":
    begin("Retail analytics")
    page()
