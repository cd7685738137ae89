"""The courses of a patient's signs over the last hours, and what happened: from the records.

Read beside the page (common/screen/background.py): a day of a ward is long. Only minutes in
which this patient, and nobody else, lay there are drawn; a gap stays a gap.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from apps.patient_monitoring.screen_words import SIGNS
from common.plot import Plot
from common.screen.background import background
from common.screen.courses import image
from common.screen.language import mark, tr
from common.screen.markup import Html, element
from common.screen.station_file import Row, StationUnreadable, read_station

MINUTES = 240
LEAST_S = 1800.0
"""A plot is at least this long, however short the stay."""
MAX_AGE_S = 15.0
KINDS = ("alert", "entry", "move")
EVENTS, EVENTS_S = 150, 3.0
"""Newest records of each kind that are looked through; an alert holds all of its evidence."""
COURSES = ("at_least", "HR", "SPO2", "RR", "SBP", "TEMP")
SCORE = mark("NEWS2, at least")
WIDTH, HEIGHT = 420, 118
Point = tuple[float, float]


def courses_html(path: Path, patient: str, now: float | None = None) -> Html:
    """A plot per sign; a line of text while they are read, or where they cannot be."""
    try:
        rows = background.get((path, "signs"), partial(_read, path), MAX_AGE_S)
    except StationUnreadable as error:
        return element("div", str(error), cls="ls-empty-list")
    if rows is None:
        return element("div", tr("The records are being read …"), cls="ls-empty-list")
    now = time.time() if now is None else now
    drawn = (_drawn(name, points_of(rows, patient, name), now) for name in COURSES)
    return element("div", *drawn, cls="wd-courses")


def _drawn(name: str, points: list[Point], now: float) -> Html:
    if points:
        return image(_plot(name, points, now))
    title = tr(SIGNS[name][0]) if name in SIGNS else tr(SCORE)
    return element("div", title, ": ", tr("no data"), cls="ls-empty-list")


def events(path: Path) -> tuple[Row, ...] | str:
    """What happened, oldest first; in its place that it is read, or why it cannot be."""
    try:
        rows = background.get((path, "events"), partial(_read_events, path), EVENTS_S)
    except StationUnreadable as error:
        return str(error)
    return tr("The records are being read …") if rows is None else rows


def _read_events(path: Path) -> tuple[Row, ...]:
    rows = [row for kind in KINDS for row in read_station(path, kind, EVENTS).rows]
    return tuple(sorted(rows, key=lambda row: row.record.seq))


def _read(path: Path) -> tuple[Row, ...]:
    return read_station(path, "signs", MINUTES).rows


def points_of(rows: tuple[Row, ...], patient: str, name: str) -> list[Point]:
    """(wall time, value) of one patient, oldest first; what was not known is left out."""
    found = []
    for row in rows:
        body: Any = row.record.body
        patients, values = body.get("patients"), body.get(name)
        if not isinstance(patients, list) or patient not in patients:
            continue
        value = row.body.values(name)[patients.index(patient)] if values else None
        if value is not None:
            found.append((row.record.wall_time, value))
    return found


def _plot(name: str, points: list[Point], now: float) -> Plot:
    title, unit, _ = SIGNS.get(name, (SCORE, "", 0))
    begin = min(points[0][0], now - LEAST_S)
    return Plot(
        tr(title), unit, points, begin, now, limit=_limit(name),
        from_zero=name == "at_least", width=WIDTH, height=HEIGHT,
    )  # fmt: skip


def _limit(name: str) -> float | None:
    """Where the chart asks for an emergency response."""
    return 7.0 if name == "at_least" else None
