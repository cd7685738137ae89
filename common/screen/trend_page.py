"""Values over time with their limits, and the alarms that fell into it."""

import time
from dataclasses import replace
from pathlib import Path

import streamlit as st

from common.report_html import plots
from common.reports import ReportFailed, Span
from common.screen.courses import Screens, chosen_station, corner, image, tell
from common.screen.language import mark, tr
from common.screen.markup import element
from common.screen.page import live_every
from common.screen.station_file import StationUnreadable
from common.screen.tiles import notice

SPANS = {
    900.0: mark("15 minutes"),
    3600.0: mark("1 hour"),
    28_800.0: mark("8 hours"),
    86_400.0: mark("24 hours"),
}
LOOK_S = 2.0
WIDTH, HEIGHT, SPACE = 1240, 190, 600
"""px; the plots share the space, and none is lower than a third of it."""


def trend_page(screens: Screens) -> None:
    """The whole page."""
    corner()
    span = st.segmented_control(
        tr("Time"), list(SPANS), default=900.0, required=True, key="ls-span",
        format_func=lambda s: tr(SPANS[s]), label_visibility="collapsed",
    )  # fmt: skip
    middle = st.container()
    path = chosen_station()
    with middle:
        _draw(path, screens, span)


@live_every(LOOK_S)
def _draw(path: Path, screens: Screens, span_s: float) -> None:
    if not path.exists():
        return
    now = time.time()
    try:
        max_age_s = max(5.0, span_s / 300)  # a pixel of the time axis
        told = tell(path, screens, Span(now - span_s, now), f"trend {span_s}", max_age_s)
    except (StationUnreadable, ReportFailed) as error:
        st.html(notice(tr("No data"), str(error)))
        return
    if told is None:
        st.html(element("div", tr("The records are being read …"), cls="ls-empty-list"))
        return
    drawn = plots(told.report, told.screen, told.word)
    if not drawn:
        st.html(element("div", tr("This station's app has no trends."), cls="ls-empty-list"))
    height = max(HEIGHT, SPACE // max(len(drawn), 1))
    for one in drawn:
        st.html(image(replace(one, width=WIDTH, height=min(height, SPACE // 2))))
