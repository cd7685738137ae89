"""How long people stayed and waited in the last published intervals. Pure."""

from collections.abc import Sequence

from apps.retail_analytics.screen_ledger import reason_of
from apps.retail_analytics.screen_parts import reason_text, short_time
from common.screen.document import MISSING, Document, count, measure
from common.screen.freshness import span_text
from common.screen.language import THIN, tr
from common.screen.markup import Html, element
from common.screen.table import table

LOOKED_AT = 4
"""Newest intervals of a camera in which a zone's figures are looked for."""


def zones_html(records: Sequence[Document]) -> Html:
    """Every zone with its newest figures, and every queue with its waits."""
    rows = [row for camera in _cameras(records) for row in _rows(camera, records)]
    title = element("div", tr("Stays and waits, newest interval"), cls="rt-title")
    if not rows:
        none = tr("No interval was published today.")
        return element("div", title, element("div", none, cls="ls-empty-list"))
    names = (
        tr("Zone"),
        tr("People"),
        tr("Mean"),
        tr("Median"),
        tr("9 of 10 within"),
        tr("Time"),
    )
    drawn = table(names, rows, cls="rt-zones")
    return element("div", title, element("div", drawn, cls="rt-scroll", tabindex="0"))


def _cameras(records: Sequence[Document]) -> list[str]:
    return list(dict.fromkeys(record.text("camera") for record in records))


def _rows(camera: str, records: Sequence[Document]) -> list[tuple[object, ...]]:
    own = [record for record in records if record.text("camera") == camera][-LOOKED_AT:]
    rows: list[tuple[object, ...]] = []
    for zone in own[-1].documents("zones"):
        name = zone.text("zone")
        rows.append(_stay_row(name, own))
        if "queue" in zone.names():
            rows.append(_wait_row(name, own))
    return rows


def _zone(record: Document, name: str) -> Document:
    found = (zone for zone in record.documents("zones") if zone.text("zone") == name)
    return next(found, Document())


def _stay_row(name: str, own: Sequence[Document]) -> tuple[object, ...]:
    newest = own[-1]
    dwell = _zone(newest, name).at("dwell")
    return (name, *_spread(dwell), _time(newest)) if dwell else _untold(name, newest)


def _wait_row(name: str, own: Sequence[Document]) -> tuple[object, ...]:
    newest = own[-1]
    queue, title = _zone(newest, name).at("queue"), tr("waits at {zone}", zone=name)
    if not queue:
        return _untold(title, newest)
    gone = queue.number("abandoned_pct")
    said = [tr("{n} served", n=about(queue.whole("served")))]
    said += [tr("{share} gave up", share=measure(gone, "%"))] if gone is not None else []
    if queue.flag("agrees") is False:
        said.append(tr("does not fit Little's law: look at the drawing"))
    who = element("div", title, element("div", ", ".join(said), cls="ls-note"))
    return (who, *_spread(queue.at("wait")), _time(newest))


def _spread(found: Document) -> tuple[str, str, str, str]:
    mean, median, most = (_seconds(found, name) for name in ("mean", "p50", "p90"))
    return about(found.whole("n")), mean, median, most


def about(people: int | None) -> str:
    """A number of people that was rounded before it was told."""
    return MISSING if people is None else f"≈{THIN}{count(people)}"


def _seconds(found: Document, name: str) -> str:
    value = found.number(name)
    return MISSING if value is None else span_text(value)


def _untold(title: str, record: Document) -> tuple[object, ...]:
    """A row that says why it has no figures."""
    return title, _why(record), "", "", "", _time(record)


def _why(record: Document) -> Html:
    if record.flag("usable") is not True:
        text = tr("not observed: {why}", why=reason_text(reason_of(record)))
        return element("span", text, cls="rt-not-observed")
    k = count(record.whole("k"))
    return element("span", tr("suppressed: fewer than {k} people", k=k), cls="rt-suppressed")


def _time(record: Document) -> str:
    start, end = record.number("interval_start"), record.number("interval_end")
    if start is None or end is None:
        return MISSING
    partial = f" {tr('partial')}" if record.flag("partial") is True else ""
    return f"{short_time(start)}–{short_time(end)}{partial}"
