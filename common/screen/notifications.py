"""Who was told of which alarm, by which way, and what came of it: the receipts of stations."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from common.alarms.notification_letters import DELIVERED, KIND, QUEUED, REFUSED
from common.screen.alarm_filter import Filter
from common.screen.alarm_list import clock_text
from common.screen.alarms import Alarm
from common.screen.document import Document, count
from common.screen.language import alarm_text, mark, tr
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import PRIORITIES, priority_mark
from common.screen.plant import Plant
from common.screen.station_file import find_stations, var_folder
from common.screen.table import table
from common.screen.tiles import notice
from common.storage.file import StoreError
from common.storage.queries import between, open_readonly

MOST = 200
RESULTS = {
    QUEUED: mark("waits to be sent"),
    DELIVERED: mark("delivered"),
    REFUSED: mark("REFUSED"),
}
CHANNELS = {"email": mark("e-mail"), "webhook": "webhook", "mqtt": "MQTT"}
NAMES = (
    mark("Time"), mark("Station"), mark("Priority"), mark("Told"), mark("By way of"),
    mark("Alarm"), mark("Result"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """One message of a station to somebody."""

    station: str
    body: Document

    @property
    def priority(self) -> int:
        """Of its most urgent alarm; 1 where it cannot be read."""
        number = self.body.whole("priority")
        return number if number in PRIORITIES else 1

    @property
    def alarms(self) -> str:
        """The alarms it was about: the first by its text, the others by number."""
        named, many = self.body.texts("alarms"), self.body.whole("count") or 0
        first = alarm_text(self.body.text("text")) or (named[0] if named else "")
        more = max(many, len(named)) - 1
        return tr("{alarm} and {n} more", alarm=first, n=count(more)) if more > 0 else first

    @property
    def way(self) -> str:
        """How it went."""
        channel = self.body.text("channel")
        return tr(CHANNELS.get(channel, channel))

    @property
    def result(self) -> str:
        """What came of it, with the words of whoever refused it."""
        said = tr(RESULTS.get(self.body.text("result"), self.body.text("result")))
        reason = self.body.text("reason")
        return f"{said}: {reason}" if reason else said


def told_html(plant: Plant, alarm: Alarm | None) -> Html:
    """Who was told of one alarm, as far as its station has it at hand."""
    heard = next((one for one in plant.heard if alarm and one.name == alarm.station), None)
    if alarm is None or heard is None or not heard.word.at("notification"):
        return element("div")
    receipts = [one for one in at_hand(heard) if alarm.id in one.body.texts("alarms")]
    rows = (element("div", _line(one)) for one in receipts[:5])
    head = element("b", tr("Told") if receipts else tr("Nobody was told."))
    return element("div", head, *rows, cls="ls-told")


def at_hand(heard: Heard) -> list[Receipt]:
    """The messages in a station's document, the newest first."""
    said = heard.word.at("notification")
    found = [
        Receipt(heard.name, body) for part in ("open", "last") for body in said.documents(part)
    ]
    return sorted(found, key=lambda one: -(one.body.number("queued_at") or 0.0))


def _line(one: Receipt) -> str:
    when = clock_text(one.body.number("queued_at"))
    return f"{when} {one.body.text('to')}, {one.way}: {one.result}"


def trouble_text(heard: Heard) -> str:
    """Why people might not be told; empty where all is well or nobody is to be."""
    said = heard.word.at("notification")
    if said.flag("enabled") is not True:
        return ""
    troubles = [said.text("trouble")] if said.text("trouble") else []
    for name, way in CHANNELS.items():
        channel = said.at("channels").at(name)
        if channel.text("state") == "offline" and channel.whole("queued"):
            troubles.append(f"{tr(way)}: {channel.text('reason')}")
    if not troubles:
        return ""
    return tr(
        "MESSAGES DO NOT LEAVE {station}: {why}", station=heard.name, why="; ".join(troubles)
    )


# ------------------------------------------------------------------ as a table


def draw(wanted: Filter) -> None:
    """All receipts of the time asked for, the newest on top, and what could not be read."""
    end = time.time()
    receipts, troubles = read_all(end - wanted.span_s, end)
    found = [one for one in receipts if takes(wanted, one)]
    said = tr("{n} messages", n=count(len(found)))
    if len(found) > MOST:
        said += " · " + tr("the newest {n} are shown, Reports has all", n=MOST)
    notices = (notice(tr("No data"), text) for text in troubles)
    head = element("div", *notices, said, cls="ls-said")
    st.html(element("div", head, receipts_html(found[:MOST])))


def takes(wanted: Filter, one: Receipt) -> bool:
    """Whether a receipt is as the filter asks; it has no state of an alarm."""
    named = (
        *one.body.texts("alarms"),
        one.alarms,
        one.body.text("to"),
        one.result,
        one.way,
        one.station,
    )
    return replace(wanted, states=()).fits(one.station, one.priority, "", " ".join(named))


def read_all(start: float, end: float) -> tuple[list[Receipt], list[str]]:
    """Receipts of all stations from start to end (UTC s), and which file cannot be read."""
    receipts: list[Receipt] = []
    troubles: list[str] = []
    for path in find_stations(var_folder()):
        try:
            receipts += _read(path, start, end)
        except (StoreError, sqlite3.Error, ValueError) as error:
            troubles.append(f"{path.parent.name}: {error}")
    receipts.sort(key=lambda one: -(one.body.number("queued_at") or 0.0))
    return receipts, troubles


def _read(path: Path, start: float, end: float) -> Iterator[Receipt]:
    with closing(open_readonly(path)) as connection:
        records = between(connection, KIND, start, end)
    last = {record.subject: record.body for record in records}
    return (Receipt(path.parent.name, Document(body)) for body in last.values())


def receipts_html(receipts: Iterable[Receipt]) -> Html:
    """The table."""
    names = [tr(name) for name in NAMES]
    label = tr("Messages about alarms")
    rows = table(names, map(_row, receipts))
    return element("div", rows, cls="ls-scroll", tabindex="0", role="region", aria_label=label)


def _row(one: Receipt) -> tuple[object, ...]:
    refused = one.body.text("result") == REFUSED
    return (
        clock_text(one.body.number("queued_at")),
        one.station,
        priority_mark(one.priority, hollow=one.body.text("result") != QUEUED),
        one.body.text("to"),
        one.way,
        one.alarms,
        element("b", one.result) if refused else one.result or EMPTY,
    )
