"""The two views of the shop itself: now, and hours and days beside each other.

What lives is redrawn from one reading of the station's file. Published intervals are read
beside the page, and less often.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import streamlit as st

from apps.retail_analytics import (
    screen_bars,
    screen_compare,
    screen_days,
    screen_floor,
    screen_parts,
    screen_plan,
    screen_tiles,
    screen_zones,
)
from apps.retail_analytics.screen_days import Day, Row
from apps.retail_analytics.screen_parts import doors_of, head
from common import plot
from common.screen.alarm_list import Layout, draw_alarms, headline_html
from common.screen.alarms import alarms_of
from common.screen.background import background
from common.screen.courses import picture
from common.screen.document import Document, count
from common.screen.language import mark, tr
from common.screen.listening import Heard, hear
from common.screen.markup import Html, element
from common.screen.page import is_dark, live, live_every
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import StationUnreadable, var_folder
from common.screen.station_page import silent_html
from common.screen.tiles import grid, held

DIRECTION = "rt-direction"
DIRECTIONS = {"in": mark("Entered"), "out": mark("Left")}
ALARMS, ALARMS_PX = 4, 230
"""Alarms listed here, and the place that they have; all are on their own page."""
SLOW_S, READ_S = 3.0, 10.0
"""How often what is published is drawn again, and how old a reading of it may be."""
FORECAST_S, DAYS_S = 900.0, 60.0
"""The same of past weeks, in which nothing happens any more."""
DAYS = 15
"""Days beside each other: two weeks and today."""
WIDTH_S = 900.0
"""The least time that a bar stands for."""
Read = TypeVar("Read")


def now_view(path: Path) -> None:
    """What lives, and below it what was published."""
    _alive(path)
    with st.container(key="rt-now"):
        left, right = st.columns([0.72, 0.28], gap="small")
    with left:
        _published(path)
    with right:
        _beside(path)
    _foot(path)


@live
def _alive(path: Path) -> None:
    draw_corner(look_around(var_folder()))
    heard = hear(path)
    if not heard.word:
        st.html(silent_html(heard))
        return
    day = _day(heard)
    alarms = alarms_of(heard.word, heard.name)
    shown = screen_tiles.tiles(heard.word, day, alarms, heard_at(heard))
    st.html(head(heard))
    st.html(grid(shown, heard.freshness, columns=min(5, max(4, len(shown)))))


def heard_at(heard: Heard) -> float:
    """The wall time of a reading (UTC, s)."""
    return (heard.word.number("wall_time") or 0.0) + heard.freshness.age_s


@live_every(READ_S)
def _foot(path: Path) -> None:
    st.html(screen_parts.foot(hear(path).word))


@live
def _beside(path: Path) -> None:
    """Alarms, and the cameras that everything rests on."""
    heard = hear(path)
    alarms = alarms_of(heard.word, heard.name)
    st.html(headline_html(alarms, heard.freshness.tag))
    with st.container(height=ALARMS_PX, border=False):
        draw_alarms(alarms, Layout("rt", ALARMS), stale=heard.freshness.stale)
    st.html(held(screen_parts.cameras_html(heard.word, alarms), heard.freshness))


@live_every(SLOW_S)
def _published(path: Path) -> None:
    """Entries by time, stays and waits, and the floor."""
    heard = hear(path)
    day = _day(heard)
    if isinstance(day, str):
        st.html(element("div", day, cls="ls-empty-list"))
        return
    st.html(held(screen_bars.bars_html(day, time.time()), heard.freshness))
    left, right = st.columns([0.55, 0.45], gap="small")
    left.html(held(screen_zones.zones_html(day.records), heard.freshness))
    with right:
        st.html(held(floor_html(heard.word, day), heard.freshness))


def floor_html(word: Document, day: Day) -> Html:
    """The floor of the camera that sees most of it, as an <img>: as trends are."""
    plans = [
        screen_floor.plan_of(one, day.records) for one in word.at("setup").documents("cameras")
    ]
    if not plans:
        return element("div", tr("This station names no camera."), cls="ls-empty-list")
    plan = max(plans, key=lambda one: (len(one.seconds), len(one.outlines)))
    drawn = screen_plan.svg(plan, plot.DARK if is_dark() else plot.LIGHT)
    said = tr("{camera}: time people spent, today", camera=plan.camera)
    told = tr("{n} cells of the floor told", n=count(len(plan.seconds)))
    return picture(drawn, f"{said}; {told}", screen_plan.WIDTH, screen_plan.HEIGHT)


def _day(heard: Heard) -> Day | str:
    """Today as it was published; in its place why it is not known."""
    path, doors, now = heard.path, doors_of(heard.word), time.time()
    width = max(WIDTH_S, 60 * (heard.word.at("interval").number("min") or 0.0))
    key, asked = (path, doors, width, screen_days.midnight(now)), (path, doors, now, width)
    forecast = _read(("forecast", *key), partial(screen_days.read_forecast, *asked), FORECAST_S)
    if isinstance(forecast, str):
        return forecast
    day = _read(("today", *key), partial(screen_days.read_today, *asked), READ_S)
    return day if isinstance(day, str) else replace(day, forecast=forecast)


def _read(key: tuple[object, ...], make: Callable[[], Read], max_age_s: float) -> Read | str:
    """What `make` reads beside the page; in its place that it is read, or why it cannot be."""
    try:
        found = background.get(key, make, max_age_s)
    except StationUnreadable as error:
        return str(error)
    return tr("The records are being read …") if found is None else found


# ------------------------------------------------------------------------ hours and days


def compare_view(path: Path) -> None:
    """Two weeks by hour."""
    way = st.segmented_control(
        tr("Direction"), list(DIRECTIONS), default="in", key=DIRECTION, required=True,
        format_func=lambda one: tr(DIRECTIONS[one]), label_visibility="collapsed",
    )  # fmt: skip
    _compared(path, str(way))


@live_every(SLOW_S)
def _compared(path: Path, way: str) -> None:
    draw_corner(look_around(var_folder()))
    heard, now = hear(path), time.time()
    doors = doors_of(heard.word)
    make = partial(screen_days.read_days, path, doors, now, DAYS, way)
    rows = _read((path, "days", doors, way), make, DAYS_S)
    if isinstance(rows, str):
        st.html(element("div", rows, cls="ls-empty-list"))
        return
    st.html(held(_hours(rows, now), heard.freshness))
    st.html(screen_compare.keys_html())


def _hours(rows: list[Row], now: float) -> Html:
    table = screen_compare.hours_html(rows, now)
    return element("div", table, cls="ls-scroll", tabindex="0")
