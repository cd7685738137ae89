"""How the devices are: one row of tiles per station, what is abnormal with a heavy edge."""

import sqlite3
from contextlib import closing
from pathlib import Path

import streamlit as st

from common.screen import charts
from common.screen.alarms import Alarm, alarms_of, worst
from common.screen.app_screen import UNKNOWN
from common.screen.bar import draw_bar
from common.screen.document import MISSING, Document, count, measure, share
from common.screen.freshness import age_text
from common.screen.language import decimal, mark, tr
from common.screen.links import link_state, total, ways
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.overview import nothing_yet, state_text
from common.screen.page import live
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import var_folder
from common.screen.tiles import Tile, grid
from common.storage.file import StoreError
from common.storage.queries import drops, open_readonly

HOT_C, FULL, LITTLE_MB = 85.0, 0.9, 500.0
"""From here a value has a heavy edge; whether it is an alarm is the station's to say."""
DEVICE_ALARMS = ("camera_failed", "plc_unreachable", "sensor_failed", "inference_failed")
CLOCKS = {True: mark("synchronised"), False: mark("NOT SYNCHRONISED")}


def health_page() -> None:
    """The whole page."""
    _draw()
    draw_bar()


@live
def _draw() -> None:
    plant = look_around(var_folder())
    draw_corner(plant)
    rows = (station_html(heard) for heard in plant.heard)
    st.html(element("div", *rows) if plant.heard else nothing_yet())


def station_html(heard: Heard) -> Html:
    """A station's row."""
    name = element(
        "div",
        element("b", heard.name),
        element("span", state_text(heard, UNKNOWN)),
        element("span", tr("data age {age}", age=heard.freshness.text)),
        element("span", heard.trouble),
        cls="ls-row-head",
    )
    return element("div", name, grid(tiles(heard), heard.freshness, columns=8), cls="ls-health")


def tiles(heard: Heard) -> tuple[Tile, ...]:
    """What its device, its store and its ways out say."""
    word, alarms = heard.word, alarms_of(heard.word, heard.name)
    links = ways(word)
    return (
        temperature_tile(word.at("host")),
        memory_tile(word.at("host")),
        disk_tile(word.at("host")),
        device_tile(word, alarms),
        broker_tile(links[0], alarms),
        store_tile(word.at("store"), alarms),
        outbox_tile(links, dropped(heard.path)),
        clock_tile(word.at("clock")),
    )


def temperature_tile(host: Document) -> Tile:
    """The hottest zone, and whether the device slows itself down."""
    heat, slow = host.number("temperature_c"), host.flag("throttled") is True
    reasons = ", ".join(host.texts("throttle_reasons"))
    value = measure(heat, "°C") if heat is not None else tr("no sensor")
    return Tile(
        tr("Temperature"), value, (tr("SLOWED") if slow else "", reasons),
        charts.limit_bar(heat, HOT_C) if heat is not None else EMPTY,
        abnormal=slow or (heat is not None and heat >= HOT_C), key="temperature",
    )  # fmt: skip


def memory_tile(host: Document) -> Tile:
    """How much of the memory is in use."""
    used, load = host.number("memory_used_share"), host.number("load_1m")
    said = tr("load {load}", load=decimal(load, 1)) if load is not None else ""
    return Tile(
        tr("Memory"), share(used), (said,),
        charts.limit_bar(used, FULL) if used is not None else EMPTY,
        abnormal=used is not None and used >= FULL, key="memory",
    )  # fmt: skip


def disk_tile(host: Document) -> Tile:
    """How much room the records have."""
    free = host.number("disk_free_mb")
    value = MISSING if free is None else measure(free / 1024, "GB", 1)
    return Tile(
        tr("Disk free"), value, abnormal=free is not None and free < LITTLE_MB, key="disk"
    )


def device_tile(word: Document, alarms: tuple[Alarm, ...]) -> Tile:
    """Camera, sensors and PLC: what of them fails."""
    faults, known = word.texts("faults"), word.flag("healthy") is not None
    value = tr("faults: {n}", n=len(faults)) if faults else tr("no fault") if known else MISSING
    camera = word.at("camera").text("name")
    notes = faults[:2] or ((camera,) if camera else ())
    return Tile(
        tr("Camera, devices"), value, notes, abnormal=bool(faults),
        priority=worst(alarms, *DEVICE_ALARMS), key="devices",
    )  # fmt: skip


def broker_tile(link: Document, alarms: tuple[Alarm, ...]) -> Tile:
    """Whether the broker is reached, and if not, why."""
    return Tile(
        tr("Broker"), link_state(link), (link.text("reason"),),
        abnormal=link.text("state") == "offline", priority=worst(alarms, "uplink_offline"),
        key="broker",
    )  # fmt: skip


def store_tile(store: Document, alarms: tuple[Alarm, ...]) -> Tile:
    """Whether records reach the disk."""
    well = store.flag("healthy")
    lost = total((store.whole("refused"), store.whole("failed")))
    value = {True: tr("records are kept"), False: tr("NOT KEPT"), None: MISSING}[well]
    return Tile(
        tr("Store"), value,
        (store.text("error"), tr("{n} not kept", n=count(lost)) if lost else ""),
        abnormal=well is False or bool(lost), priority=worst(alarms, "store_failing"),
        key="store",
    )  # fmt: skip


def outbox_tile(links: list[Document], lost: int | None) -> Tile:
    """What waits to be sent, what was dropped for want of room, what was refused for good."""
    queued, dead = (total(link.whole(name) for link in links) for name in ("queued", "dead"))
    ages = [age for link in links if (age := link.number("oldest_age_s")) is not None]
    oldest = tr("oldest {age}", age=age_text(max(ages), hours=True)) if ages else ""
    return Tile(
        tr("Outbox"), tr("{n} queued", n=count(queued)),
        (
            oldest,
            tr("{dropped} dropped, {dead} dead letters", dropped=count(lost), dead=count(dead)),
        ),
        abnormal=bool(dead or lost), key="outbox",
    )  # fmt: skip


def clock_tile(clock: Document) -> Tile:
    """Whether the station's clock follows another one."""
    right, offset = clock.flag("synchronised"), clock.number("offset_ms")
    value = tr(CLOCKS[right]) if right is not None else MISSING
    note = tr("off by {ms}", ms=measure(offset, "ms")) if offset is not None else ""
    return Tile(tr("Clock"), value, (note,), abnormal=right is False, key="clock")


def dropped(path: Path) -> int | None:
    """Events that were dropped before they were sent, in all; None when it cannot be read."""
    try:
        with closing(open_readonly(path)) as connection:
            told = drops(connection)
    except (StoreError, sqlite3.Error):
        return None
    return sum(drop.count for drop in told if drop.what.startswith("outbox"))
