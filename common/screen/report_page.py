"""Reports and exports of a station: a shift on paper, and its records as files."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from common import exports
from common.exports import Rows
from common.report_html import About, document, facts, figures, frequent_html, plots, span_text
from common.reports import ReportFailed, Span, rows_of, shift_of
from common.screen import session
from common.screen.courses import Screens, Told, chosen_station, corner, image, tell
from common.screen.language import current, mark, tr, use
from common.screen.markup import element
from common.screen.page import live_every
from common.screen.station_file import StationUnreadable
from common.screen.tiles import notice

SPANS = {
    "shift": mark("this shift"),
    "before": mark("the shift before"),
    "hour": mark("last hour"),
    "day": mark("last 24 hours"),
}
PARQUET = "application/vnd.apache.parquet"
LOOK_S, MAX_AGE_S = 2.0, 60.0


def report_page(screens: Screens) -> None:
    """The whole page."""
    corner()
    wanted = st.segmented_control(
        tr("Time"), list(SPANS), default="shift", required=True, key="ls-report-span",
        format_func=lambda s: tr(SPANS[s]), label_visibility="collapsed",
    )  # fmt: skip
    middle = st.container()
    path = chosen_station()
    with middle:
        _draw(path, screens, wanted)


def span_of(wanted: str, now: float) -> Span:
    """The time that a choice stands for."""
    if wanted in ("shift", "before"):
        return shift_of(datetime.fromtimestamp(now).astimezone(), int(wanted == "before"))
    return Span(now - (3600.0 if wanted == "hour" else 86_400.0), now)


def _draw(path: Path, screens: Screens, wanted: str) -> None:
    """The report as it was when it was asked for: paper does not change either."""
    waits, ready = st.container(), st.container()
    if not path.exists():
        return
    try:
        told = _told(path, screens, wanted)
    except (StationUnreadable, ReportFailed) as error:
        waits.html(notice(tr("No data"), str(error)))
        return
    with ready if told else waits:
        if told is None:
            _wait(path, screens, wanted)
        else:
            _draw_report(path, told)


def _draw_report(path: Path, told: Told) -> None:
    _files(path, told)
    report = told.report
    title = element("b", f"{report.station} · {span_text(report.span)}")
    frequent = element("b", tr("Most frequent alarms"))
    left, right = st.columns([0.62, 0.38], gap="small")
    left.html(element("div", title, facts(figures(report, told.screen)), cls="ls-report"))
    right.html(element("div", frequent, frequent_html(report), cls="ls-report"))
    for one in plots(report, told.screen, told.word)[:2]:
        st.html(image(replace(one, width=1240, height=170)))


def _told(path: Path, screens: Screens, wanted: str) -> Told | None:
    return tell(path, screens, span_of(wanted, time.time()), f"report {wanted}", MAX_AGE_S)


@live_every(LOOK_S)
def _wait(path: Path, screens: Screens, wanted: str) -> None:
    st.html(element("div", tr("The records are being read …"), cls="ls-empty-list"))
    try:
        ready = _told(path, screens, wanted) is not None
    except (StationUnreadable, ReportFailed):
        ready = True  # to say so
    if ready:
        st.rerun()


def _files(path: Path, told: Told) -> None:
    """The buttons; a file is made when it is asked for, from the station's file."""
    report, screen = told.report, told.screen
    begin = datetime.fromtimestamp(report.span.start).astimezone()
    name = f"{report.station}-{begin:%Y%m%dT%H%M}"
    station, kind = report.station, screen.kind
    acts = [exports.audit_row(station, row) for row in report.acts]
    tables: tuple[tuple[str, str, Rows], ...] = (
        ("records", tr("Records"), partial(rows_of, path, kind, report.span)),
        ("alarms", tr("Alarms"), partial(rows_of, path, "alarm", report.span)),
        ("audit", tr("Operator actions"), lambda: acts),
    )
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="ls-files"
    ):
        title = tr("Shift report to print (HTML)")
        _button(title, f"{name}.html", "text/html", paper(told))
        for what, title, rows in tables:
            csv, parquet = partial(exports.as_csv, rows), partial(exports.as_parquet, rows)
            _button(f"{title} CSV", f"{name}-{what}.csv", "text/csv", csv)
            _button(f"{title} Parquet", f"{name}-{what}.parquet", PARQUET, parquet)


def paper(told: Told) -> Callable[[], bytes]:
    """Makes the shift report in the language of now, wherever it is made."""
    who, language = session.signed_in(), current()
    by = who.name if who else tr("not signed in")

    def make() -> bytes:
        use(language)
        about = About(told.screen, told.word, time.time(), by)
        return document(told.report, about).encode("utf-8", "replace")

    return make


def _button(label: str, name: str, kind: str, data: Callable[[], bytes]) -> None:
    st.download_button(
        label, data=data, file_name=name, mime=kind, on_click="ignore", key=f"ls-{name}"
    )
