"""What trend and report pages share: a report read beside the page, and its plots as images."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from common import plot
from common.plot import Plot
from common.reports import Report, Span, read_report
from common.screen.app_screen import UNKNOWN, AppScreen
from common.screen.background import background
from common.screen.bar import draw_bar
from common.screen.document import Document
from common.screen.language import tr
from common.screen.markup import Html, element
from common.screen.overview import nothing_yet
from common.screen.page import is_dark, live
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import find_stations, read_station, var_folder

Screens = Mapping[str, AppScreen]


@dataclass(frozen=True, slots=True)
class Told:
    """A station's app, its present document, and a report on it."""

    screen: AppScreen
    word: Document
    report: Report


@live
def corner() -> None:
    """What lives on a page whose body does not."""
    plant = look_around(var_folder())
    draw_corner(plant)
    st.html(element("div") if plant.heard else nothing_yet())


def chosen_station() -> Path:
    """The file of the station chosen in the bar, which this draws."""
    names = [path.parent.name for path in find_stations(var_folder())]
    return var_folder() / draw_bar(names) / "station.sqlite"


def tell(path: Path, screens: Screens, span: Span, name: str, max_age_s: float) -> Told | None:
    """The report `name` of a station, at most so old; None while it is being read.

    Raises ReportFailed or StationUnreadable.
    """

    def make() -> Told:
        word = read_station(path).snapshot
        screen = screens.get(word.text("app"), UNKNOWN)
        return Told(screen, word, read_report(path, span, screen))

    return background.get((path, name), make, max_age_s)


def image(one: Plot) -> Html:
    """A plot as an <img>: st.html lets no SVG through, and an image needs no script."""
    colours = plot.DARK if is_dark() else plot.LIGHT
    last = f"{one.points[-1][1]:.4g} {one.unit}" if one.points else tr("no data")
    title, many = one.title, len(one.marks)
    alt = tr("{title}: last value {last}, {many} alarms", title=title, last=last, many=many)
    return picture(plot.svg(one, colours), alt, one.width, one.height)


def picture(drawn: str, alt: str, width: int, height: int) -> Html:
    """SVG text of ours as an <img> of this size in px."""
    data = base64.b64encode(drawn.encode()).decode()
    return element(
        "img",
        src=f"data:image/svg+xml;base64,{data}",
        alt=alt,
        cls="ls-plot",
        width=width,
        height=height,
    )
