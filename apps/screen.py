"""The overview of this machine's stations, and the way to each app's page.

Start it with `lineside screen`, or `streamlit run apps/screen.py`. Stations are found by
their files under the var folder; a line each says state, worst alarm, age of the data,
links and model.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from apps.defect_inspection import screen as inspection
from apps.defect_inspection import screen_tiles
from common.screen.alarm_list import alarms_of, headline
from common.screen.document import MISSING, Document
from common.screen.freshness import Freshness, age_text
from common.screen.markup import EMPTY, Html, element
from common.screen.page import REFRESH_S, begin, head
from common.screen.palette import priority_mark
from common.screen.station_file import (
    StationUnreadable,
    find_stations,
    read_station,
    var_folder,
)

NAMES = ("Station", "State", "Worst alarm", "Data age", "Links", "Model")


@dataclass(frozen=True, slots=True)
class Line:
    """What the overview says of one station."""

    name: str
    app: str
    state: str
    freshness: Freshness | None
    """None when it has not said anything, or cannot be read."""
    word: Document
    trouble: str = ""


def station_line(path: Path, now: float) -> Line:
    """One station's line."""
    name = path.parent.name
    try:
        word = read_station(path).snapshot
    except StationUnreadable as error:
        return Line(name, "", "no data", None, Document(), str(error))
    if not word:
        return Line(name, "", "no data yet", None, word, "it has not said anything yet")
    freshness = Freshness(now - (word.number("wall_time") or float("nan")))
    state = freshness.sentence if freshness.stale else state_text(word)
    return Line(name, word.text("app"), state, freshness, word)


def state_text(word: Document) -> str:
    """The line's PackML word where there is a line; then whether the station works."""
    line = word.at("line")
    said = [screen_tiles.state_word(line.whole("state"))] if line else []
    if line.flag("plc_alive") is False:  # what it last said is no state
        said = ["PLC SILENT"]
    if word.flag("healthy") is not True:
        said.append("NOT WORKING")
    return ", ".join(said) or "working"


def line_html(line: Line) -> Html:
    """A station's line; hatched when it is silent."""
    alarms = alarms_of(line.word)
    mark = priority_mark(alarms[0].priority) if alarms else EMPTY
    text = alarms[0].text if alarms else headline(alarms)
    worst = element("span", text if line.freshness else MISSING)
    stale = line.freshness is None or line.freshness.stale
    return element(
        "div",
        two(line.name, line.app),
        two(line.state, line.trouble),
        element("div", mark, worst, cls="ls-worst"),
        element("div", age_text(line.freshness.age_s) if line.freshness else MISSING),
        links_cell(line.word.at("link")),
        model_cell(line.word.at("model")),
        cls=f"ls-line{' ls-stale' if stale else ''}",
    )


def two(first: str, second: str = "") -> Html:
    """A cell: what matters, and a small line under it."""
    small = element("span", second, cls="ls-note") if second else EMPTY
    return element("div", first, small, title=f"{first}, {second}" if second else first)


def links_cell(link: Document) -> Html:
    """MQTT and what waits for it."""
    mqtt = link.at("mqtt")
    return two(f"MQTT {mqtt.text('state') or MISSING}", screen_tiles.link_text(mqtt))


def model_cell(model: Document) -> Html:
    """Name, version and what it runs on."""
    named = f"{model.text('name')} {model.text('version')}".strip()
    return two(named or MISSING, model.text("device"))


@st.fragment(run_every=REFRESH_S)
def overview() -> None:
    """All stations of this machine."""
    now = time.time()
    st.html(head(now))
    stations = find_stations(var_folder())
    if not stations:
        st.html(inspection.nothing_yet(var_folder()))
        return
    names = (element("div", name) for name in NAMES)
    st.columns([0.88, 0.12])[0].html(element("div", *names, cls="ls-line ls-names"))
    for path in stations:
        line = station_line(path, now)
        left, right = st.columns([0.88, 0.12], vertical_alignment="center")
        left.html(line_html(line))
        if line.app in PAGES:
            right.page_link(PAGES[line.app], label="Open", query_params={"station": line.name})


# App name, as stations say it → its page.
PAGES = {
    inspection.APP: st.Page(
        inspection.page, title="Defect inspection", url_path="defect_inspection"
    )
}


def main() -> None:
    """Set up, then the page that was asked for."""
    begin("Lineside")
    first = st.Page(overview, title="Overview", default=True)
    st.navigation([first, *PAGES.values()], position="top").run()


if __name__ == "__main__":
    main()
