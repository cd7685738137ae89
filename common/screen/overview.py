"""The plant at a glance: a line per station, the most urgent on top, and the worst alarms."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from common.screen.alarm_list import Layout, draw_alarms, headline, row, stale_of
from common.screen.alarms import HIDDEN, Alarm, alarms_of, waiting, worst
from common.screen.app_screen import UNKNOWN, AppScreen, model_of, other_version
from common.screen.bar import draw_bar
from common.screen.document import MISSING, count
from common.screen.freshness import Freshness, age_text
from common.screen.language import mark, tr
from common.screen.links import link_state, link_text, total, ways
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.page import live
from common.screen.palette import priority_mark
from common.screen.plant import Plant, draw_corner, look_around
from common.screen.station_file import var_folder
from common.screen.tiles import Tile, grid, notice

NAMES = (
    mark("Station"), mark("State"), mark("Worst alarm"), mark("Data age"), mark("Links"),
    mark("Software · model"),
)  # fmt: skip
ALARMS = 6
"""Alarms listed below the stations; all of them are on their own page."""
NOW = Freshness(0.0)
Screens = Mapping[str, AppScreen]
Pages = Mapping[str, "st.Page"]


def overview_page(screens: Screens, pages: Pages, any_app: "st.Page") -> None:
    """The whole page; `any_app` is the page of a station whose app has none."""
    _draw(screens, pages, any_app)
    draw_bar()


@live
def _draw(screens: Screens, pages: Pages, any_app: "st.Page") -> None:
    plant = look_around(var_folder())
    draw_corner(plant)
    st.html(sums_html(plant) if plant.heard else nothing_yet())
    with st.container(gap="small"):
        for heard in by_severity(plant.heard):
            app = heard.word.text("app")
            with row(f"ov-{heard.name}"):
                st.html(line_html(heard, screens.get(app, UNKNOWN)))
                page = pages.get(app, any_app)
                st.page_link(page, label=tr("Open"), query_params={"station": heard.name})
    layout = Layout("ov", ALARMS, wide=True, stations=True)
    draw_alarms(plant.alarms, layout, stale=partial(stale_of, plant.freshness))


def sums_html(plant: Plant) -> Html:
    """The sums of the plant, and the names of what follows."""
    names = element(
        "div", *(element("div", tr(name)) for name in NAMES), cls="ls-line ls-names"
    )
    return element("div", grid(tiles(plant), NOW, columns=5), names)


def nothing_yet() -> Html:
    """What a page says on a machine without a station."""
    return notice(
        tr("No station yet"),
        tr("No station for this page under {folder}.", folder=var_folder().absolute()),
        tr(
            "Start one with “lineside run APP”, or the plant in software with "
            "“lineside demo”. This page finds it by itself."
        ),
    )


def severity(heard: Heard) -> tuple[int, int, str]:
    """Silence first, for nobody knows what it hides; then the worst alarm, then trouble."""
    if heard.freshness.stale:
        return 0, 0, heard.name
    alarms = alarms_of(heard.word, heard.name)
    if alarms:
        return alarms[0].priority, 0 if waiting(alarms) else 1, heard.name
    return (5 if heard.word.flag("healthy") is not True or heard.asked else 6), 0, heard.name


def by_severity(heard: tuple[Heard, ...]) -> list[Heard]:
    """The stations, the most urgent first."""
    return sorted(heard, key=severity)


def tiles(plant: Plant) -> tuple[Tile, ...]:
    """The sums of the plant."""
    links = [way for one in plant.heard for way in ways(one.word)]
    queued = total(link.whole("queued") for link in links)
    dead = total(link.whole("dead") for link in links)
    oldest = max((link.number("oldest_age_s") or 0.0 for link in links), default=0.0)
    waits = tr("oldest {age}", age=age_text(oldest, hours=True)) if queued else ""
    flood = _flood(plant)
    return (
        _stations(plant),
        Tile(
            tr("Alarms"), count(len(plant.alarms)), (headline(plant.alarms), flood),
            abnormal=bool(flood), priority=worst(plant.alarms), key="alarms",
        ),
        Tile(
            tr("Hidden alarms"), count(len(plant.hidden)), (_hidden(plant),), key="hidden"
        ),
        Tile(tr("Waiting to be sent"), count(queued), (waits,), key="queued"),
        Tile(
            tr("Refused for good"), count(dead), (tr("see Health"),) if dead else (),
            abnormal=bool(dead), key="dead",
        ),
    )  # fmt: skip


def _stations(plant: Plant) -> Tile:
    well = [one for one in plant.heard if not one.freshness.stale and one.word.flag("healthy")]
    silent = ", ".join(plant.silent)
    return Tile(
        tr("Stations that work"),
        f"{len(well)} / {len(plant.heard)}",
        (tr("silent: {stations}", stations=silent) if silent else tr("none is silent"),),
        abnormal=len(well) < len(plant.heard),
        key="stations",
    )


def _hidden(plant: Plant) -> str:
    a, b, c = (sum(alarm.state == way for alarm in plant.hidden) for way in HIDDEN)
    return tr("{a} shelved · {b} suppressed · {c} out of service", a=a, b=b, c=c)


def _flood(plant: Plant) -> str:
    burdens = [one.word.at("alarm_burden") for one in plant.heard]
    floods = [b for b in burdens if b.number("flood_since") is not None]
    many = sum(b.whole("flood_count") or 0 for b in floods)
    return tr("ALARM FLOOD: {n} alarms", n=count(many)) if floods else ""


def line_html(heard: Heard, screen: AppScreen) -> Html:
    """A station's line; hatched when it is silent."""
    word, stale = heard.word, heard.freshness.stale
    alarms = alarms_of(word, heard.name)
    cls = f"ls-line{' ls-stale' if stale else ''}"
    return element(
        "div",
        two(heard.name, tr(screen.title) if screen.app else word.text("app")),
        two(state_text(heard, screen), heard.trouble or screen.subject(word)),
        _worst(heard, alarms),
        _age(heard),
        two(
            f"MQTT {link_state(word.at('link').at('mqtt'))}",
            link_text(word.at("link").at("mqtt")),
        ),
        two(word.text("software") or MISSING, other_version(word) or model_of(word)),
        cls=f"{cls} ls-marked ls-p{alarms[0].priority}" if alarms else cls,
        data_station=heard.name,
    )


def _age(heard: Heard) -> Html:
    """How old its word is; named where there is no room for the heads of the columns."""
    name = element("span", tr("Data age"), " ", cls="ls-narrow")
    asked = element("span", tr("asked the station"), cls="ls-note") if heard.asked else EMPTY
    return element("div", name, heard.freshness.text, asked)


def _worst(heard: Heard, alarms: tuple[Alarm, ...]) -> Html:
    if not heard.word or (heard.freshness.stale and not alarms):
        return element("div", MISSING, cls="ls-worst")
    if not alarms:
        return element("div", headline(alarms), cls="ls-worst")
    flash = alarms[0].flashes and not heard.freshness.stale
    sign, said = (
        priority_mark(alarms[0].priority, flash=flash),
        element("span", alarms[0].title),
    )
    more = element("b", f"+{len(alarms) - 1}") if len(alarms) > 1 else EMPTY
    return element("div", sign, said, more, cls="ls-worst")


def state_text(heard: Heard, screen: AppScreen) -> str:
    """The app's word for its state; in its place the silence of the station."""
    if not heard.word:
        return tr("no data") if heard.reading is None else tr("no data yet")
    return heard.freshness.sentence if heard.freshness.stale else screen.state(heard.word)


def two(first: str, second: str = "") -> Html:
    """A cell: what matters, and a small line under it."""
    small = element("span", second, cls="ls-note") if second else EMPTY
    return element("div", first, small, title=f"{first}, {second}" if second else first)
