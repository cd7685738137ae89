"""The reliability engineer's page: reads the station's file, sends commands, no more.

The table and the alarms live, and so does what is known of the chosen machine. Which machine
that is, and what a person types (`screen_commands`), stands outside of both, so that no
refresh takes a word away. The page touches no device; the station checks who may do what.
"""

from pathlib import Path

import streamlit as st

from apps.predictive_maintenance import screen_commands
from apps.predictive_maintenance.screen_machine import chosen, draw_choice, draw_machine
from apps.predictive_maintenance.screen_report import KINDS, TRENDS, VerdictTally
from apps.predictive_maintenance.screen_table import (
    VERDICTS,
    by_urgency,
    rank_of,
    table,
    word_of,
)
from common.screen.alarm_list import Layout, clock_text, draw_alarms, headline_html
from common.screen.alarms import alarms_of
from common.screen.app_screen import AppScreen, model_of
from common.screen.bar import draw_bar
from common.screen.document import Document, count
from common.screen.language import add_words, mark, tr
from common.screen.listening import Heard, hear
from common.screen.markup import Html, element
from common.screen.page import begin, live
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import FILE, var_folder
from common.screen.station_page import silent_html, stations_of, wait_for_station
from common.screen.tiles import fact
from common.screen.tiles import head as top

APP = "predictive_maintenance"
STYLE = Path(__file__).with_name("screen.css")
ALARMS, ALARMS_PX = 6, 190
"""Alarms listed here, and the place that they have; all are on their own page."""

add_words(Path(__file__).with_name("words"))


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    st.html(f"<style>{STYLE.read_text('utf-8')}</style>")
    names = [one.name for one in stations_of(look_around(var_folder()), APP)]
    top = st.container()
    name = draw_bar(names, screen_commands.draw if names else None)
    with top:
        if not names:
            wait_for_station(APP)
            return
        path = var_folder() / name / FILE
        _plant(path)
        draw_choice(path)
        draw_machine(path)


# ------------------------------------------------------------------------- all machines


@live
def _plant(path: Path) -> None:
    """The state of the plant, its machines and its alarms, from one reading."""
    draw_corner(look_around(var_folder()))
    heard = hear(path)
    st.html(head(heard) if heard.word else silent_html(heard))
    left, right = st.columns([0.72, 0.28], gap="small")
    machines, freshness = heard.word.documents("machines"), heard.freshness
    left.html(table(machines, freshness, chosen(machines).text("asset")))
    with right:
        alarms = alarms_of(heard.word, heard.name)
        st.html(headline_html(alarms, freshness.tag))
        with st.container(height=ALARMS_PX, border=False):
            draw_alarms(alarms, Layout("pm", ALARMS), stale=freshness.stale)


def head(heard: Heard) -> Html:
    """The worst verdict for eyes across the room, then what the station is doing."""
    word, counts = heard.word, heard.word.at("counts")
    judged = [one for one in word.documents("machines") if one.flag("judged")]
    facts = (
        (tr("Machines"), count(counts.whole("machines"))),
        (tr("Judged now"), count(len(judged))),
        (tr("Open orders"), count(counts.whole("open_orders"))),
        (tr("Data age"), heard.freshness.text),
        (tr("Model"), model_of(word) or tr("none")),
        (tr("Time"), simulated(word)),
    )
    told = (fact(name, said) for name, said in facts if said)
    return top(_worst(heard), told, heard.freshness)


def _worst(heard: Heard) -> Html:
    if heard.freshness.stale:
        return element("div", heard.freshness.sentence.upper(), cls="ls-state ls-abnormal")
    said = state(heard.word)
    bad = worst_rank(heard.word) >= VERDICTS["plan"][0] or not heard.word.flag("healthy")
    return element("div", said, cls=f"ls-state {'ls-abnormal' if bad else 'ls-halts'}")


def worst_rank(word: Document) -> int:
    """Of all machines; -1 where none was judged."""
    return max((rank_of(one) for one in word.documents("machines")), default=-1)


def simulated(word: Document) -> str:
    """How fast simulated time runs, and where it stands; empty beside real machines."""
    found = word.at("simulation")
    speed = found.number("speed_up")
    if speed is None:
        return ""
    times = [at for m in word.documents("machines") if (at := m.number("taken")) is not None]
    now = f", {clock_text(max(times))}" if times else ""
    return tr("simulated, {n} × as fast", n=count(speed)) + now


# ------------------------------------------------------------------------ for the others


def state(word: Document) -> str:
    """The worst verdict and how many machines have it; then whether the station works."""
    machines = word.documents("machines")
    rank = worst_rank(word)
    worst = [one for one in machines if rank_of(one) == rank]
    said = [f"{word_of(worst[0])} × {len(worst)}"] if worst else [tr("no machines")]
    if word.flag("healthy") is not True:
        said.append(tr("NOT WORKING"))
    return ", ".join(said)


def subject(word: Document) -> str:
    """The most urgent machine, where there is something to say of it."""
    first = by_urgency(word.documents("machines"))[:1]
    return next((one.text("name") for one in first if rank_of(one) > 0), "")


SCREEN = AppScreen(
    app=APP,
    title=mark("Predictive maintenance"),
    page=page,
    state=state,
    subject=subject,
    trends=TRENDS,
    kind="verdict",
    kinds=KINDS,
    tally=VerdictTally,
)

if __name__ == "__main__":
    begin("Predictive maintenance")
    page()
