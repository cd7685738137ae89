"""What a station's file says of one machine: its course, changes of verdict, spectra."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from apps.predictive_maintenance.screen_table import VERDICTS, priority_of
from common import meta
from common.canonical import read_object
from common.plot import Mark, Plot, Point, thinned
from common.screen.document import Document
from common.screen.language import mark, tr
from common.screen.station_file import LOCKED_S, StationUnreadable
from common.storage.file import StoreError
from common.storage.queries import open_readonly

ROWS, CHANGES = 3000, 60
"""Of one machine: three weeks of ten-minute rows."""
SPECTRUM = "spectrum:"
FIGURES = {
    "velocity_mm_s": (mark("Velocity RMS"), "mm/s"),
    "acceleration_m_s2": (mark("Acceleration RMS"), "m/s²"),
    "severity": (mark("Severity"), ""),
    "signature": (mark("Distance from normal"), mark("× limit")),
}
"""What a trend can be of: key of a row → title and unit."""


@dataclass(frozen=True, slots=True)
class History:
    """One machine's past, oldest first; times are those of the measurements (UTC, s)."""

    rows: tuple[Document, ...]
    began: tuple[tuple[float, str], ...]
    """When a worse verdict began, and which."""

    @property
    def span(self) -> tuple[float, float] | None:
        """From the first to the last row; None without two."""
        times = [t for row in self.rows if (t := row.number("taken")) is not None]
        return (times[0], times[-1]) if len(times) > 1 and times[-1] > times[0] else None

    def points(self, figure: str) -> list[Point]:
        """A figure over time."""
        found = ((row.number("taken"), row.number(figure)) for row in self.rows)
        return [(at, value) for at, value in found if at is not None and value is not None]


def read_history(path: Path, asset: str) -> History:
    """Of the station whose file is at `path`; raises StationUnreadable."""
    select = "SELECT body FROM records WHERE kind = ? AND subject"
    order = " ORDER BY seq DESC LIMIT ?"
    try:
        with closing(open_readonly(path, LOCKED_S)) as connection:
            rows = connection.execute(select + " = ?" + order, ("health", asset, ROWS))
            health = [_row(body) for (body,) in rows.fetchall()]
            between = ("verdict", f"{asset}/", f"{asset}0", CHANGES)  # 0 follows the stroke
            rows = connection.execute(select + " >= ? AND subject < ?" + order, between)
            changes = [Document(read_object(body)) for (body,) in rows.fetchall()]
    except (StoreError, sqlite3.Error, ValueError) as error:
        raise StationUnreadable(f"{path.parent.name}: cannot be read ({error})") from error
    marks = [found for change in changes[::-1] if (found := _mark(change))]
    return History(tuple(health[::-1]), tuple(marks))


def read_spectra(path: Path, asset: str) -> Document:
    """The last spectra of a machine; empty when there are none. Raises StationUnreadable."""
    try:
        with closing(open_readonly(path, LOCKED_S)) as connection:
            return Document(meta.get(connection, SPECTRUM + asset))
    except (StoreError, sqlite3.Error, ValueError) as error:
        raise StationUnreadable(f"{path.parent.name}: cannot be read ({error})") from error


def _row(body: str) -> Document:
    return Document({k: v for k, v in read_object(body).items() if k != "features"})


def _mark(change: Document) -> tuple[float, str] | None:
    """A verdict that began; None where it only ended, or came at no known time."""
    verdict = change.text("verdict")
    was = VERDICTS.get(change.text("was"), (0, ""))[0]
    taken = iso_seconds(change.text("t_taken"))
    if taken is None or VERDICTS.get(verdict, (0, ""))[0] <= was:
        return None
    return taken, verdict


def iso_seconds(text: str) -> float | None:
    """UTC seconds of an ISO time; None for what is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def trend(history: History, machine: Document, figure: str) -> Plot:
    """The plot of one figure with the first limit that counts, and the alarms."""
    title, unit = FIGURES[figure]
    start, end = history.span or (0.0, 1.0)
    criticality = machine.whole("criticality")
    marks = [
        Mark(at, priority, tr(VERDICTS[verdict][1]))
        for at, verdict in history.began
        if start <= at <= end and (priority := priority_of(verdict, criticality))
    ]
    return Plot(
        tr(title), tr(unit), thinned(history.points(figure), 600), start, end,
        limit_of(machine, figure), marks,
        empty=tr("no steady record yet"), width=430, height=178,
    )  # fmt: skip


def limit_of(machine: Document, figure: str) -> float | None:
    """The limit that belongs to a figure."""
    if figure == "velocity_mm_s":
        return machine.at("velocity").number("alarm")
    if figure == "acceleration_m_s2":
        found = machine.at("acceleration")
        return found.number("usual") or found.number("plan")
    return 1.0
