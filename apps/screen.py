"""The operator screens of this machine: overview, a page per app, alarms, health, reports.

Start them with `lineside screen`, or `streamlit run apps/screen.py`. Stations are found by
their files under the var folder. An app gets its page by one line in SCREENS; the menu names
it where a station of that app is here.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from apps.defect_inspection import screen as inspection
from apps.patient_monitoring import screen as ward
from apps.predictive_maintenance import screen as maintenance
from apps.retail_analytics import screen as retail
from common.screen.alarm_page import alarm_page
from common.screen.app_screen import AppScreen
from common.screen.health_page import health_page
from common.screen.language import mark, tr
from common.screen.overview import overview_page
from common.screen.page import begin
from common.screen.plant import Plant, look_around
from common.screen.report_page import report_page
from common.screen.station_file import var_folder
from common.screen.station_page import station_page
from common.screen.trend_page import trend_page

SCREENS: tuple[AppScreen, ...] = (
    inspection.SCREEN,
    maintenance.SCREEN,
    retail.SCREEN,
    ward.SCREEN,
)
"""Every app that has a page, in the order of the menu."""


def main() -> None:
    """Set up, then the page that was asked for."""
    begin("Lineside")
    by_app = {screen.app: screen for screen in SCREENS}
    here = apps_here(look_around(var_folder()))
    pages = {
        screen.app: _page(screen.page, screen.title, screen.app, hidden=screen.app not in here)
        for screen in SCREENS
    }
    any_app = _page(partial(station_page, by_app), mark("Station"), "station", hidden=True)
    overview = partial(overview_page, by_app, pages, any_app)
    shown = (
        _page(overview, mark("Overview"), "overview", first=True),
        _page(alarm_page, mark("Alarms"), "alarms"),
        *pages.values(),
        _page(partial(trend_page, by_app), mark("Trends"), "trends"),
        _page(health_page, mark("Health"), "health"),
        _page(partial(report_page, by_app), mark("Reports"), "reports"),
        any_app,
    )
    st.navigation(shown, position="top").run()


def apps_here(plant: Plant) -> set[str]:
    """Apps whose pages the menu names; all of them while a station may be of any."""
    here = {heard.word.text("app") for heard in plant.heard}
    return here if here and "" not in here else {screen.app for screen in SCREENS}


def _page(
    draw: Callable[[], None],
    title: str,
    path: str,
    *,
    first: bool = False,
    hidden: bool = False,
) -> "st.Page":
    return st.Page(
        draw,
        title=tr(title),
        url_path=path,
        default=first,
        visibility="hidden" if hidden else "visible",
    )


if __name__ == "__main__":
    main()
