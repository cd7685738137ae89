"""The history of alarms as a table: who and what changed them, newest on top."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from common.screen.alarm_details import detail_text, title_text
from common.screen.alarm_filter import Filter
from common.screen.alarm_list import clock_text
from common.screen.alarms import WORDS
from common.screen.document import Document, count
from common.screen.language import tr
from common.screen.markup import Html, element
from common.screen.palette import PRIORITIES, priority_mark
from common.screen.station_file import find_stations, var_folder
from common.screen.table import table
from common.screen.tiles import notice
from common.storage.file import StoreError
from common.storage.queries import between, open_readonly

MOST = 200
"""Rows that are drawn; the export has all."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history."""

    station: str
    alarm_id: str
    time: float
    body: Document

    @property
    def priority(self) -> int:
        """1 is the highest; 1 where it cannot be read."""
        number = self.body.whole("priority")
        return number if number in PRIORITIES else 1

    @property
    def title(self) -> str:
        """What changed, in the reader's language."""
        return title_text(self.body, self.alarm_id)

    @property
    def text(self) -> str:
        """What a search looks into."""
        words = (self.body.text(name) for name in ("text", "detail", "by", "reason"))
        return " ".join((self.alarm_id, self.station, *words))


def draw(wanted: Filter) -> None:
    """The table, and what could not be read."""
    end = time.time()
    changes, troubles = read_all(end - wanted.span_s, end)
    found = [change for change in changes if takes(wanted, change)]
    found.sort(key=lambda change: -change.time)
    said = tr("{n} changes", n=count(len(found)))
    if len(found) > MOST:
        said += " · " + tr("the newest {n} are shown, Reports has all", n=MOST)
    notices = (notice(tr("No data"), text) for text in troubles)
    head = element("div", *notices, said, cls="ls-said")
    st.html(element("div", head, history_html(found[:MOST])))


def takes(wanted: Filter, change: Change) -> bool:
    """Whether a change is as the filter asks."""
    text = f"{change.text} {change.title}"
    return wanted.fits(change.station, change.priority, change.body.text("state"), text)


def read_all(start: float, end: float) -> tuple[list[Change], list[str]]:
    """Changes of all stations from start to end (UTC s), and which file cannot be read."""
    changes: list[Change] = []
    troubles: list[str] = []
    for path in find_stations(var_folder()):
        try:
            changes += _read(path, start, end)
        except (StoreError, sqlite3.Error, ValueError) as error:
            troubles.append(f"{path.parent.name}: {error}")
    return changes, troubles


def _read(path: Path, start: float, end: float) -> Iterator[Change]:
    with closing(open_readonly(path)) as connection:
        records = between(connection, "alarm", start, end)
    for record in records:
        yield Change(path.parent.name, record.subject, record.wall_time, Document(record.body))


def history_html(changes: list[Change]) -> Html:
    """The table."""
    names = (
        tr("Time"), tr("Station"), tr("Priority"), tr("Alarm"), tr("State"), tr("By"),
        tr("Reason"),
    )  # fmt: skip
    return element("div", table(names, map(_row, changes)), cls="ls-scroll", tabindex="0")


def _row(change: Change) -> tuple[object, ...]:
    body = change.body
    state = body.text("state")
    detail = element("div", detail_text(body), cls="ls-note")
    return (
        clock_text(change.time),
        change.station,
        priority_mark(change.priority, hollow=state != "UNACK"),
        element("div", element("b", change.title), detail),
        tr(WORDS.get(state, state)),
        tr("process") if body.text("by") == "process" else body.text("by"),
        body.text("reason"),
    )
