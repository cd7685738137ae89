"""`lineside bench screen`: how fast the screens are, measured in a real browser.

Two stations (apps.bench_station), each with 200 values and 50 standing alarms, the screen
server and Chromium, all on this machine. The keys:

    event_to_visible_ms   an alarm is raised → its text is painted; refresh and write included
    acknowledge_ms        a click → the row in the station's audit trail
    ready_s               a page is asked for → it shows the plant
    layout_shift          cumulative layout shift while an overview refreshes; 0 is none
    replaced_per_s        elements that refreshes take out of an overview, per second
    server_cpu_share      of one core, with one open overview
    memory                of the server over time with one overview open: see apps.screen_soak
    ten_browsers          event_to_visible_ms of ten open pages, and ready_s of an eleventh;
                          there the ten give way, for on this machine only the server is theirs
    load_1m               of the machine when it began: figures of a busy one say little
    flood                 1,000 alarms in 10 s: all counted, the first on top, still usable
    silent_after_s        a station is killed → its line says that it is silent
    reached               for each aim, whether it was reached
"""

import os
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.bench_client import Station
from apps.bench_station import USER
from apps.browser import ScreenServer, open_browser, until
from apps.screen_soak import soak
from apps.screen_watch import elsewhere, show, signed_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

STATIONS = ("bench-1", "bench-2")
SOAK_S = 300.0
HOUR_S = 3600.0
TEN = 10
AIMS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "event p95 ≤ 1500 ms": lambda f: f["event_to_visible_ms"]["p95"] <= 1500,
    "event p99 ≤ 2500 ms": lambda f: f["event_to_visible_ms"]["p99"] <= 2500,
    "acknowledged ≤ 1000 ms": lambda f: f["acknowledge_ms"]["most"] <= 1000,
    "layout shift < 0.01": lambda f: f["layout_shift"] < 0.01,
    "page ready ≤ 3 s": lambda f: f["ready_s"]["most"] <= 3,
    "server ≤ 15 % of a core": lambda f: f["server_cpu_share"] <= 0.15,
    "memory flat": lambda f: f["memory"]["flat"],
    "ten browsers ≤ 3 s": lambda f: (
        f["ten_browsers"]["event_to_visible_ms"]["p99"] <= 3000
        and f["ten_browsers"]["ready_s"]["most"] <= 3
    ),
    "flood: none lost": lambda f: f["flood"]["counted"] == f["flood"]["raised"],
    "flood: first-out on top": lambda f: f["flood"]["first_out_on_top"],
    "silence seen ≤ 3 s": lambda f: f["silent_after_s"] <= 3,
}


def bench(*, quick: bool = False, hours: float | None = None) -> dict[str, Any]:
    """All figures; `quick` takes a minute or two, `hours` is how long memory is watched."""
    soak_s = (0.0 if quick else SOAK_S) if hours is None else hours * HOUR_S
    figures = _measured(quick=quick, soak_s=soak_s)
    return {**figures, "reached": reached(figures)}


def _measured(*, quick: bool, soak_s: float) -> dict[str, Any]:
    with ExitStack() as opened:
        var = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lineside-screen-")))
        password = secrets.token_urlsafe(12)
        stations = []
        for name in STATIONS:
            stations.append(Station(var / name, password))
            opened.callback(stations[-1].close)
        server = ScreenServer(var)
        opened.callback(server.close)
        browser = opened.enter_context(open_browser())
        rounds = 12 if quick else 60
        return {
            "load_1m": os.getloadavg()[0],
            "quick": quick,
            "ready_s": ready(browser, server, 3 if quick else 10),
            "event_to_visible_ms": events(browser, server, stations[0], rounds),
            "acknowledge_ms": acknowledge(browser, server, stations[0], password, rounds // 3),
            **overview(browser, server, 10.0 if quick else 30.0, soak_s),
            "ten_browsers": ten(browser, server, stations[0], rounds // 3),
            "flood": flood(browser, server, stations[0], password),
            "silent_after_s": silent(browser, server, stations[1]),
        }


def ready(browser: "Browser", server: ScreenServer, rounds: int) -> dict[str, float]:
    """How long a page takes until it shows the plant; the first of all is left out."""
    show(browser, server, "").context.close()
    times = []
    for number in range(rounds):
        start = time.monotonic()
        page = show(browser, server, "" if number % 2 else "alarms")
        times.append(time.monotonic() - start)
        page.context.close()
    return {"median": round(_quantile(times, 0.5), 2), "most": round(max(times), 2)}


def events(
    browser: "Browser", server: ScreenServer, station: Station, rounds: int, browsers: int = 1
) -> dict[str, Any]:
    """Alarms raised at random moments, until every open page has painted each."""
    pages = [show(browser, server, "station?station=bench-1") for _ in range(browsers)]
    seen: list[float] = []
    for number in range(rounds):
        wall = float(station.command("raise", first=number))
        mark = f"event-{number}@{wall:.3f};"
        for page in pages:
            page.wait_for_function("mark => window.lsSeen[mark]", arg=mark)
            seen.append(page.evaluate("mark => window.lsSeen[mark]", mark) - wall * 1000)
        settle(station, [number])
        time.sleep(random.uniform(0.2, 1.2))  # noqa: S311 - any moment between refreshes
    for page in pages:
        page.context.close()
    return summary(seen)


def ten(
    browser: "Browser", server: ScreenServer, station: Station, rounds: int
) -> dict[str, Any]:
    """What ten operators have of it, and an eleventh who opens a page."""
    with elsewhere(server, TEN):
        waits = ready(browser, server, 5)
    seen = events(browser, server, station, rounds, browsers=TEN)
    return {"event_to_visible_ms": seen, "ready_s": waits}


def settle(station: Station, numbers: Sequence[int]) -> None:
    """The alarms of a round are normal again and nobody has to look at them."""
    station.command("clear", first=numbers[0], many=len(numbers))
    station.command("acknowledge", alarms={f"event_{number:04}": None for number in numbers})


def acknowledge(
    browser: "Browser", server: ScreenServer, station: Station, password: str, rounds: int
) -> dict[str, Any]:
    """From the click to the audited change, signed in as an operator is."""
    page = signed_in(browser, server, "alarms", (USER, password))
    took = []
    for number in range(rounds):
        since = time.time()
        station.command("raise", first=number)
        row = page.locator(f".st-key-al-7-bench-1-event_{number:04}-row")
        row.get_by_role("button", name="Acknowledge").click()
        clicked = page.evaluate("window.lsClicked") / 1000
        acked = partial(station.acknowledged_at, f"event_{number:04}", since)
        audited = until(acked, "the audit row")
        took.append((audited - clicked) * 1000)
        station.command("clear", first=number)
        row.wait_for(state="detached")
    page.context.close()
    return summary(took)


def overview(
    browser: "Browser", server: ScreenServer, watch_s: float, soak_s: float
) -> dict[str, Any]:
    """What an open overview costs the server, and whether it stands still."""
    page = show(browser, server, "")
    time.sleep(5.0)
    page.evaluate("window.lsReset()")
    cpu, start = server.cpu_s(), time.monotonic()
    time.sleep(watch_s)
    share = (server.cpu_s() - cpu) / (time.monotonic() - start)
    shift, replaced = page.evaluate("[window.lsShift, window.lsReplaced]")
    memory = soak(page, server, soak_s)
    page.context.close()
    return {
        "layout_shift": round(shift, 4),
        "replaced_per_s": round(replaced / watch_s, 1),
        "server_cpu_share": round(share, 3),
        "memory": memory,
    }


def flood(
    browser: "Browser", server: ScreenServer, station: Station, password: str
) -> dict[str, Any]:
    """A thousand alarms in ten seconds, and what an operator then sees and can do."""
    page = signed_in(browser, server, "alarms", (USER, password))
    start = time.monotonic()
    for number in range(20):
        station.command("raise", first=number * 50, many=50)
        time.sleep(max(0.0, start + (number + 1) * 0.5 - time.monotonic()))
    raised = time.monotonic()
    counts = page.locator(".ls-counts", has_text="×1000").first
    counts.wait_for()
    shown = time.monotonic()
    first = page.locator(".ls-alarm").first.inner_text()
    counted = station.annunciated("event_")
    since = time.time()
    row = page.locator(".st-key-al-7-bench-1-event_0000-row")
    row.get_by_role("button", name="Acknowledge").click()
    clicked = page.evaluate("window.lsClicked") / 1000
    audited = until(lambda: station.acknowledged_at("event_0000", since), "the audit row")
    page.context.close()
    settle(station, range(1000))
    return {
        "raised": 1000,
        "counted": counted,
        "raised_in_s": round(raised - start, 1),
        "all_counted_after_s": round(shown - raised, 2),
        "first_out_on_top": "event 0000" in first,
        "acknowledge_ms": round((audited - clicked) * 1000, 1),
    }


def silent(browser: "Browser", server: ScreenServer, station: Station) -> float:
    """From the death of a station to the moment at which the overview says so."""
    page = show(browser, server, "")
    line = page.locator(f'[data-station="{station.file.parent.name}"]')
    line.and_(page.locator(":not(.ls-stale)")).wait_for()
    station.process.kill()
    died = time.monotonic()
    line.and_(page.locator(".ls-stale")).wait_for()
    took = time.monotonic() - died
    page.context.close()
    return round(took, 2)


def reached(figures: dict[str, Any]) -> dict[str, bool]:
    """Which aims these figures reach."""
    return {name: bool(holds(figures)) for name, holds in AIMS.items()}


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Quantiles of durations in ms."""
    quantiles = {f"p{q}": round(_quantile(values, q / 100), 1) for q in (50, 95, 99)}
    return {**quantiles, "most": round(max(values), 1), "n": len(values)}


def _quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def as_text(figures: dict[str, Any]) -> str:
    """The same for people."""
    return "\n".join(f"{key:22} {value}" for key, value in figures.items())
