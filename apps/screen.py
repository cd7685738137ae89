"""The operator screens of this machine: overview, a page per app, alarms, health, reports.

Start them with `lineside screen`, or `streamlit run apps/screen.py`. Stations are found by
their files under the var folder. An app gets its page by one line in SCREENS.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from apps.defect_inspection import screen as inspection
from common.screen.alarm_page import alarm_page
from common.screen.app_screen import AppScreen
from common.screen.health_page import health_page
from common.screen.language import mark, tr
from common.screen.overview import overview_page
from common.screen.page import begin
from common.screen.report_page import report_page
from common.screen.station_page import station_page
from common.screen.trend_page import trend_page

SCREENS: tuple[AppScreen, ...] = (inspection.SCREEN,)
"""Every app that has a page, in the order of the menu."""


def main() -> None:
    """Set up, then the page that was asked for."""
    begin("Lineside")
    by_app = {screen.app: screen for screen in SCREENS}
    pages = {screen.app: _page(screen.page, screen.title, screen.app) for screen in SCREENS}
    any_app = _page(partial(station_page, by_app), mark("Station"), "station", hidden=True)
    overview = partial(overview_page, by_app, pages, any_app)
    shown = (
        _page(overview, mark("Overview"), "overview", first=True),
        *pages.values(),
        _page(alarm_page, mark("Alarms"), "alarms"),
        _page(partial(trend_page, by_app), mark("Trends"), "trends"),
        _page(health_page, mark("Health"), "health"),
        _page(partial(report_page, by_app), mark("Reports"), "reports"),
        any_app,
    )
    st.navigation(shown, position="top").run()


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
