"""The operator's page of an inspection: reads the station's file, sends commands, no more.

Two halves. What lives (`live`) is redrawn every second from one reading of the file. What
a person types into (`command_bar`) stands outside of it, so that no refresh takes a word
away. It touches no device; the station itself checks who may do what.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from apps.defect_inspection import screen_commands, screen_parts, screen_tiles
from common.screen import session
from common.screen.alarm_list import Alarm, alarms_of, draw_alarms, headline_html, sounding
from common.screen.crops import crop_address
from common.screen.document import MISSING, Document, count
from common.screen.freshness import Freshness
from common.screen.markup import Html, element
from common.screen.page import REFRESH_S, begin, clock, dead_man
from common.screen.page import head as page_head
from common.screen.sound import player
from common.screen.station_file import (
    Reading,
    Row,
    StationUnreadable,
    find_stations,
    read_station,
    var_folder,
)
from common.screen.tiles import grid, notice

APP = "defect_inspection"
ROWS = 200
"""Verdicts of one reading: strip, cards, Pareto, trend."""
CROP_PX = (300, 162)
ALARMS_PX = 516
SAFETY = "A vision reject is a quality function, not a safety function."


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    stations = own_stations()
    if not stations:
        wait_for_station()
        return
    top = st.container()
    path = screen_commands.draw(stations)
    with top:
        live(path)


def own_stations() -> list[Path]:
    """Stations of this app, and those that have not yet said what they are."""
    return [path for path in find_stations(var_folder()) if _app(path) in (APP, "")]


def _app(path: Path) -> str:
    try:
        return read_station(path).snapshot.text("app")
    except StationUnreadable:
        return ""


@st.fragment(run_every=REFRESH_S)
def wait_for_station() -> None:
    """Look again until there is a station."""
    st.html(page_head())
    st.html(nothing_yet(var_folder()))
    if own_stations():
        st.rerun()


def nothing_yet(var: Path) -> Html:
    """What the page says on a machine without a station."""
    return notice(
        "No inspection station yet",
        f"There is no station file under {var.absolute()}.",
        "Start one with “lineside run defect_inspection”, or the plant in software with "
        "“lineside demo”. This page finds it by itself.",
    )


@st.fragment(run_every=REFRESH_S)
def live(path: Path) -> None:
    """Everything that moves, from one reading of the station's file."""
    now = time.time()
    try:
        reading = read_station(path, "verdict", ROWS)
    except StationUnreadable as error:
        st.html(element("div", page_head(now), notice("No data", str(error))))
        return
    if not reading.snapshot:
        told = f"Station {path.parent.name} has a file but has not said anything yet."
        st.html(element("div", page_head(now), notice("No data yet", told)))
        return
    _draw(path, reading, now)


def _draw(path: Path, reading: Reading, now: float) -> None:
    word, rows = reading.snapshot, reading.rows
    freshness = Freshness(now - (word.number("wall_time") or float("nan")))
    alarms = alarms_of(word)
    st.html(head(word, rows, freshness, now))
    left, right = st.columns([0.69, 0.31])
    with left:
        st.html(screen_parts.strip(rows, freshness))
        st.html(panel_html(word, alarms, rows, freshness))
        st.html(screen_parts.cards(rows, partial(picture, path.parent / "pictures"), freshness))
    with right:
        _draw_alarms(path, alarms, freshness)
    st.html(element("div", answer_html(session.last_answer()), foot(word)))


def panel_html(
    word: Document, alarms: tuple[Alarm, ...], rows: Sequence[Row], freshness: Freshness
) -> Html:
    """All tiles."""
    return grid(screen_tiles.tiles(word, alarms, screen_parts.trend(rows)), freshness)


def head(word: Document, rows: Sequence[Row], freshness: Freshness, now: float) -> Html:
    """The line's state and what runs on it, for eyes across the room."""
    line, model = word.at("line"), word.at("model")
    pace = screen_parts.pace(rows, now) if not freshness.stale else None
    speed = line.whole("speed_mm_s") if line.flag("plc_alive") else None
    recipe = line.text("recipe") or "unknown to this station"
    facts = (
        fact(f"Recipe {count(line.whole('recipe_id'))}", recipe, grow=True),
        fact("Batch", str(line.whole("batch") if line.whole("batch") is not None else MISSING)),
        fact("Speed", f"{count(speed)}\u202fmm/s"),
        fact("Pace", f"{count(pace)} / min"),
        fact("Mode", screen_tiles.MODES.get(line.whole("mode") or 0, MISSING)),
        fact("Model", f"{model.text('name')} {model.text('version')}".strip() or MISSING),
    )
    stale = "ls-facts ls-stale" if freshness.stale else "ls-facts"
    known = element("div", *facts, cls=stale)
    state, who = state_html(word, freshness), fact("User", _user())
    return element("div", state, known, who, clock(now), dead_man(), cls="ls-head")


def state_html(word: Document, freshness: Freshness) -> Html:
    """The PackML state as a word; in its place the silence of the station or the PLC."""
    if freshness.stale:
        return element("div", freshness.sentence.upper(), cls="ls-state ls-abnormal")
    state = word.at("line").whole("state")
    if word.at("line").flag("plc_alive") is False:  # what it last said is no state
        was = f"was {screen_tiles.state_word(state)}"
        said = element("span", "PLC SILENT", element("div", was, cls="ls-sub"))
        return element("div", said, cls="ls-state ls-abnormal")
    if state == screen_tiles.EXECUTE:
        sign, way = "▶", "ls-runs"
    else:
        sign, way = "■", "ls-abnormal" if state in screen_tiles.ABNORMAL_STATES else "ls-halts"
    return element(
        "div", sign, element("span", screen_tiles.state_word(state)), cls=f"ls-state {way}"
    )


def fact(name: str, value: str, *, grow: bool = False) -> Html:
    """A small name over a value."""
    cls = "ls-fact ls-grow" if grow else "ls-fact"
    return element("div", element("span", name), element("b", value), cls=cls, title=value)


def _user() -> str:
    who = session.credential()
    return who.name if who else "not signed in"


def _draw_alarms(path: Path, alarms: tuple[Alarm, ...], freshness: Freshness) -> None:
    st.html(headline_html(alarms, freshness.tag))
    st.html(sound_html(sounding(alarms), on=screen_commands.sound_is_on()))
    with st.container(height=ALARMS_PX, border=False):
        draw_alarms(
            alarms,
            partial(_alarm_command, path),
            key=path.parent.name,
            stale=freshness.stale,
        )


def sound_html(loud: int | None, *, on: bool) -> Html:
    """The tone of the loudest alarm; that the sound is off is never hidden."""
    if on and loud:
        return player(loud)
    if on:
        return element("div", "Sound is on", cls="ls-hush")
    text, cls = "SOUND IS OFF", "ls-hush"
    if loud:
        text, cls = f"{text}: an alarm is not heard", "ls-hush ls-abnormal"
    return element("div", text, cls=cls)


def _alarm_command(path: Path, name: str, alarm_id: str) -> None:
    session.command(screen_commands.port_of(path), name, {"alarm_id": alarm_id})


def picture(folder: Path, row: Row, box: Sequence[float]) -> str:
    """The address of a defect's crop; raises PictureGone."""
    return crop_address(folder, row.record.picture, box, CROP_PX)


def answer_html(shown: session.Shown | None) -> Html:
    """What became of the last command; an empty line when there was none of late."""
    if shown is None:
        return element("div", "\u00a0", cls="ls-answer")
    cls = "ls-answer" if shown.answer.done else "ls-answer ls-refused"
    return element("div", shown.answer.text, cls=cls, role="status")


def foot(word: Document) -> Html:
    """What a reject is not; then software and model, word for word."""
    model = word.at("model")
    ran = " on ".join(filter(None, (model.text("artefact"), model.text("device"))))
    said = (
        word.text("station"),
        f"software {word.text('software') or MISSING}",
        f"model {model.text('name')} {model.text('version')} {ran}",
        model.text("reason"),
    )
    about = " · ".join(filter(None, said))
    return element("div", element("span", SAFETY), element("span", about), cls="ls-foot")


if __name__ == "__main__":
    begin("Defect inspection")
    page()
