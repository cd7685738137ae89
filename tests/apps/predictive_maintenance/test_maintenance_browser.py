"""The maintenance page in a real browser, on the panel's 1280 × 800."""

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from apps.browser import ScreenServer, open_browser
from apps.screen_watch import show
from common.errors import BackendMissing

pytestmark = pytest.mark.timeout(400)
PUMP: dict[str, Any] = {
    "asset": "pump-1", "name": "Feed pump 1", "criticality": 1, "verdict": "stop",
    "severity": 7.3, "latched": True, "judged": True, "quality": "good", "data_age_s": 0.6,
    "silent": False, "taken": 1.1e9, "motion": "steady", "rpm": 1452.0,
    "load": 0.7, "zone": "D",
    "velocity": {"value": 7.31, "baseline": 0.5, "alarm": 1.2, "trip": 4.5,
                 "edition": "ISO 20816-3:2022"},
    "evidence": [{"kind": "velocity", "verdict": "stop", "value": 7.31, "limit": 4.5,
                  "unit": "mm/s", "sentence": "velocity 7.31 mm/s, limit 4.5"}],
    "orders": ["pump-1/VIB/2"], "baseline": {"version": 1, "versions": [1]},
}  # fmt: skip


@pytest.fixture
def browser() -> Iterator[Any]:
    try:
        with open_browser() as opened:
            yield opened
    except BackendMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def server(browser: Any, var: Any) -> Iterator[ScreenServer]:
    made = ScreenServer(var.folder)
    yield made
    made.close()


@pytest.fixture
def alive(var: Any) -> Iterator[threading.Event]:
    """A plant of twelve machines that goes on saying something until the event is set."""
    station, stop = var.station("plant-1"), threading.Event()
    calm = {**copy.deepcopy(PUMP), "verdict": "run", "latched": False, "evidence": []}
    fans = [calm | {"asset": f"fan-{n}", "name": f"Fan {n}", "orders": []} for n in range(11)]
    alarms = [var.alarm(f"machine_stop.fan-{n}", 1) for n in range(3)]

    def talk() -> None:
        while not stop.wait(0.4):
            station.say(
                age_s=0.0, app="predictive_maintenance", alarms=alarms,
                machines=[*fans, PUMP], orders=[], simulation=None,
                counts={"machines": 12, "open_orders": 1},
            )  # fmt: skip

    thread = threading.Thread(target=talk)
    thread.start()
    yield stop
    stop.set()
    thread.join()


def test_what_a_reliability_engineer_sees(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    page = show(browser, server, "predictive_maintenance")
    for text in ("stop × 1", "Feed pump 1", "limit 4.50", "7.31", "it protects no machine"):
        page.get_by_text(text).first.wait_for()
    rows = page.locator(".pm-row[data-asset]")
    assert rows.count() == 12
    assert rows.first.get_attribute("data-asset") == "pump-1"
    pictures = page.locator("img.ls-plot")
    assert pictures.count() == 3
    assert pictures.evaluate_all("all => all.every(one => one.naturalWidth > 0)")

    # Everything is on the panel without scrolling, and nothing lies under the bar.
    foot = page.locator(".ls-foot").bounding_box()
    bar = page.locator(".st-key-ls-bar").bounding_box()
    assert foot is not None
    assert bar is not None
    assert foot["y"] + foot["height"] <= bar["y"]
    assert bar["y"] + bar["height"] <= 800

    # What is typed outlives refreshes, and the clock shows that there were some.
    page.get_by_role("button", name="Close a work order").click()
    field = page.get_by_label("What was done?")
    field.fill("new bearing")
    clock = page.locator(".ls-clock b").inner_text()
    page.wait_for_function(
        "c => document.querySelector('.ls-clock b').innerText !== c", arg=clock
    )
    assert field.input_value() == "new bearing"
    page.keyboard.press("Escape")

    # A station that falls silent is hatched, row by row and part by part.
    alive.set()
    page.get_by_text("STATION SILENT FOR 00:").wait_for()
    assert page.locator(".pm-row[data-asset]:not(.ls-stale)").count() == 0
    page.locator(".pm-held.ls-stale").nth(6).wait_for()
    page.context.close()
