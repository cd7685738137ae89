"""The operator's page of an inspection: reads the station's file, sends commands, no more.

Two halves. What lives (`_live`) is redrawn every second from one reading of the file. What
a person types into (`screen_commands`) stands outside of it, so that no refresh takes a word
away. It touches no device; the station itself checks who may do what.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from apps.defect_inspection import screen_commands, screen_parts, screen_tiles
from apps.defect_inspection.screen_report import KINDS, TRENDS, PartsTally
from common.screen.alarm_list import Layout, draw_alarms, headline_html
from common.screen.alarms import Alarm, alarms_of
from common.screen.app_screen import AppScreen
from common.screen.bar import draw_bar
from common.screen.crops import crop_address
from common.screen.document import MISSING, Document, count
from common.screen.freshness import Freshness
from common.screen.language import add_words, mark, tr
from common.screen.listening import Heard, hear
from common.screen.markup import Html, element
from common.screen.page import begin, live
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import FILE, Row, var_folder
from common.screen.station_page import silent_html, stations_of, wait_for_station
from common.screen.tiles import fact, grid
from common.screen.tiles import head as top

APP = "defect_inspection"
ROWS = 200
"""Verdicts of one reading: strip, cards, Pareto, trend."""
CROP_PX = (300, 162)
ALARMS = 5
"""Alarms listed here; all of them are on their own page."""
SAFETY = mark("A vision reject is a quality function, not a safety function.")

add_words(Path(__file__).with_name("words"))


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    names = [one.name for one in stations_of(look_around(var_folder()), APP)]
    top = st.container()
    name = draw_bar(names, screen_commands.draw if names else None)
    with top:
        if names:
            _live(var_folder() / name / FILE)
        else:
            wait_for_station(APP)


@live
def _live(path: Path) -> None:
    """Everything that moves, from one reading of the station's file."""
    plant = look_around(var_folder())
    draw_corner(plant)
    heard = hear(path, "verdict", ROWS)
    st.html(head(heard, rows_of(heard)) if heard.word else silent_html(heard))
    left, right = st.columns([0.69, 0.31], gap="small")
    for part in body(heard):
        left.html(part)
    with right:
        alarms, freshness = alarms_of(heard.word, heard.name), heard.freshness
        st.html(headline_html(alarms, freshness.tag))
        draw_alarms(alarms, Layout("di", ALARMS), stale=freshness.stale)
    st.html(foot(heard.word))


def rows_of(heard: Heard) -> tuple[Row, ...]:
    """The verdicts of a reading; none where the file cannot be read."""
    return heard.reading.rows if heard.reading else ()


def body(heard: Heard) -> tuple[Html, ...]:
    """The strip of verdicts, the tiles, the defects; apart, for pictures change rarely."""
    if not heard.word:
        return (element("div"),) * 3
    rows, freshness = rows_of(heard), heard.freshness
    crops = partial(picture, heard.path.parent / "pictures")
    return (
        screen_parts.strip(rows, freshness),
        panel_html(heard.word, alarms_of(heard.word, heard.name), rows, freshness),
        screen_parts.cards(rows, crops, freshness),
    )


def panel_html(
    word: Document, alarms: tuple[Alarm, ...], rows: Sequence[Row], freshness: Freshness
) -> Html:
    """All tiles."""
    return grid(screen_tiles.tiles(word, alarms, screen_parts.trend(rows)), freshness)


def head(heard: Heard, rows: Sequence[Row]) -> Html:
    """The line's state and what runs on it, for eyes across the room."""
    word, stale = heard.word, heard.freshness.stale
    line, model = word.at("line"), word.at("model")
    now = heard.freshness.age_s + (word.number("wall_time") or 0.0)
    alive = line.flag("plc_alive")
    runs = alive and not stale and line.whole("state") == screen_tiles.EXECUTE
    pace = screen_parts.pace(rows, now) if runs else None
    speed = line.whole("speed_mm_s") if alive else None
    batch, mode = line.whole("batch"), screen_tiles.MODES.get(line.whole("mode") or 0)
    facts = (
        fact(tr("Recipe {n}", n=count(line.whole("recipe_id"))), subject(word), grow=True),
        fact(tr("Batch"), str(batch) if batch is not None else MISSING),
        fact(tr("Speed"), f"{count(speed)}\u202fmm/s"),
        fact(tr("Pace"), tr("{n} / min", n=count(pace))),
        fact(tr("Mode"), tr(mode) if mode else MISSING),
        fact(tr("Data age"), heard.freshness.text),
        fact(tr("Model"), f"{model.text('name')} {model.text('version')}".strip() or MISSING),
    )
    return top(state_html(heard), facts, heard.freshness)


def state_html(heard: Heard) -> Html:
    """The PackML state as a word; in its place the silence of the station or the PLC."""
    if heard.freshness.stale:
        said = heard.freshness.sentence.upper()
        return element("div", said, cls="ls-state ls-abnormal")
    line = heard.word.at("line")
    state = line.whole("state")
    if line.flag("plc_alive") is False:  # what it last said is no state
        was = tr("was {state}", state=screen_tiles.state_word(state))
        said = element("span", tr("PLC SILENT"), element("div", was, cls="ls-sub"))
        return element("div", said, cls="ls-state ls-abnormal")
    if state == screen_tiles.EXECUTE:
        sign, way = "▶", "ls-runs"
    else:
        sign, way = "■", "ls-abnormal" if state in screen_tiles.ABNORMAL_STATES else "ls-halts"
    word = element("span", screen_tiles.state_word(state))
    return element("div", sign, word, cls=f"ls-state {way}")


def picture(folder: Path, row: Row, box: Sequence[float]) -> str:
    """The address of a defect's crop; raises PictureGone."""
    return crop_address(folder, row.record.picture, box, CROP_PX)


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
    return element("div", element("span", tr(SAFETY)), element("span", about), cls="ls-foot")


def subject(word: Document) -> str:
    """What runs on the line."""
    return word.at("line").text("recipe") or tr("unknown to this station")


def state(word: Document) -> str:
    """The line's PackML word where there is a line; then whether the station works."""
    line = word.at("line")
    said = [screen_tiles.state_word(line.whole("state"))] if line else []
    if line.flag("plc_alive") is False:  # what it last said is no state
        said = [tr("PLC SILENT")]
    if word.flag("healthy") is not True:
        said.append(tr("NOT WORKING"))
    return ", ".join(said) or tr("working")


SCREEN = AppScreen(
    app=APP,
    title=mark("Defect inspection"),
    page=page,
    state=state,
    subject=lambda word: word.at("line").text("recipe"),
    trends=TRENDS,
    kind="verdict",
    kinds=KINDS,
    tally=PartsTally,
)

if __name__ == "__main__":
    begin("Defect inspection")
    page()
