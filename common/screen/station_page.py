"""A page for every station, whatever its app: its values with age and quality, its alarms.

An app without a page of its own has at least this one. It takes the `values` of the
station's document, each {"id", "text", "value", "unit", "quality", "at", "low", "high"};
`at` is UTC in seconds, "max_age_s" how old it may be; what is missing shows as "–".
"""

from collections.abc import Mapping

import streamlit as st

from common.screen.alarm_list import Layout, draw_alarms, headline_html
from common.screen.alarms import Alarm, alarms_of
from common.screen.app_screen import UNKNOWN, AppScreen, model_of
from common.screen.bar import draw_bar
from common.screen.document import MISSING, Document
from common.screen.freshness import Freshness, age_text
from common.screen.language import decimal, tr
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.overview import nothing_yet, state_text
from common.screen.page import live
from common.screen.palette import priority_mark
from common.screen.plant import Plant, draw_corner, look_around
from common.screen.station_file import find_stations, var_folder
from common.screen.tiles import GOOD, QUALITIES, notice

ALARMS = 8
Screens = Mapping[str, AppScreen]


def station_page(screens: Screens) -> None:
    """The whole page, for the station chosen in the address or below."""
    top = st.container()
    name = draw_bar(path.parent.name for path in find_stations(var_folder()))
    with top:
        _draw(name, screens)


@live
def _draw(name: str, screens: Screens) -> None:
    plant = look_around(var_folder())
    draw_corner(plant)
    heard = next((one for one in plant.heard if one.name == name), None)
    alarms = alarms_of(heard.word, heard.name) if heard else ()
    screen = screens.get(heard.word.text("app"), UNKNOWN) if heard else UNKNOWN
    st.html(head_html(heard, screen) if heard else nothing_yet())
    left, right = st.columns([0.66, 0.34], gap="small")
    left.html(values_html(heard, alarms) if heard else element("div"))
    with right:
        st.html(headline_html(alarms, heard.freshness.tag if heard else ""))
        stale = heard is not None and heard.freshness.stale
        draw_alarms(alarms, Layout("sp", ALARMS), stale=stale)


def head_html(heard: Heard, screen: AppScreen) -> Html:
    """Name, state and versions."""
    word = heard.word
    stale = heard.freshness.stale or word.flag("healthy") is not True
    cls = "ls-state ls-abnormal" if stale else "ls-state"
    facts = (
        (tr("Station"), heard.name),
        (tr("Data age"), heard.freshness.text),
        (tr("App"), word.text("app")),
        (tr("Software"), word.text("software")),
        (tr("Model"), model_of(word)),
    )
    told = (
        element("div", element("span", name), element("b", said or MISSING), cls="ls-fact")
        for name, said in facts
    )
    state = element("div", state_text(heard, screen), cls=cls)
    return element("div", state, *told, cls="ls-head")


def values_html(heard: Heard, alarms: tuple[Alarm, ...]) -> Html:
    """All values, close together: a name, a number, a unit, and what is wrong with it."""
    now = heard.freshness.age_s + (heard.word.number("wall_time") or 0.0)
    by_value = {alarm.id: alarm.priority for alarm in reversed(alarms)}
    values = heard.word.documents("values")
    cells = [_cell(value, heard.freshness, now, by_value) for value in values]
    if not cells:
        return element("div", tr("This station gives no values."), cls="ls-empty-list")
    return element("div", *cells, cls="ls-values", tabindex="0")


def _cell(value: Document, station: Freshness, now: float, alarms: Mapping[str, int]) -> Html:
    number, priority = value.number("value"), alarms.get(value.text("id"))
    tag, quality = _tag(value, station, now), value.text("quality") or GOOD
    shown = MISSING if number is None else decimal(number, value.whole("digits") or 1)
    ways = " ls-stale" * bool(station.stale or quality == "BAD" or _old(value, now))
    ways += " ls-out" * _outside(number, value.number("low"), value.number("high"))
    ways += f" ls-marked ls-p{priority}" if priority else ""
    return element(
        "div",
        element("span", tr(value.text("text") or value.text("id"))),
        element("b", shown, " ", value.text("unit")),
        priority_mark(priority) if priority else EMPTY,
        element("i", tag) if tag else EMPTY,
        cls=f"ls-value-cell{ways}",
        data_id=value.text("id"),
    )


def _old(value: Document, now: float) -> bool:
    at, most = value.number("at"), value.number("max_age_s")
    return at is not None and most is not None and not now - at <= most


def _tag(value: Document, station: Freshness, now: float) -> str:
    """What is wrong with a value: its quality in a word, its age where it is too old."""
    quality = value.text("quality") or GOOD
    word = "" if quality == GOOD else tr(QUALITIES.get(quality, quality))
    age = tr("{age} old", age=age_text(now - (value.number("at") or now)))
    return " · ".join(filter(None, (word, age if _old(value, now) else station.tag)))


def _outside(number: float | None, low: float | None, high: float | None) -> bool:
    if number is None:
        return False
    return (low is not None and number < low) or (high is not None and number > high)


def stations_of(plant: Plant, app: str) -> tuple[Heard, ...]:
    """The stations of an app, and those that have not yet said what they are."""
    return tuple(one for one in plant.heard if one.word.text("app") in (app, ""))


def silent_html(heard: Heard) -> Html:
    """In place of what a station says: why there is nothing to show."""
    return notice(tr("No data") if heard.reading is None else tr("No data yet"), heard.trouble)


@live
def wait_for_station(app: str) -> None:
    """In place of an app's page: look again until there is a station of it."""
    plant = look_around(var_folder())
    draw_corner(plant)
    st.html(nothing_yet())
    if stations_of(plant, app):
        st.rerun()
