"""The inspection's page in a real browser, on the panel's 1280 × 800."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from apps.browser import ScreenServer, open_browser
from apps.screen_watch import show
from common.errors import BackendMissing

pytestmark = pytest.mark.timeout(400)


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
    """A station that goes on saying something until the event is set."""
    station, stop = var.station(), threading.Event()
    for number in range(30):
        station.part("reject" if number % 9 == 0 else "pass", age_s=15 - number / 2)
    alarms = [var.alarm("line_stopped", 1)]

    def talk() -> None:
        while not stop.wait(0.4):
            station.say(age_s=0.0, alarms=alarms)

    thread = threading.Thread(target=talk)
    thread.start()
    yield stop
    stop.set()
    thread.join()


def test_what_an_operator_sees(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    page = show(browser, server, "defect_inspection")
    for text in ("Execute", "12.0", "line stopped", "SOUND IS OFF", "not a safety function"):
        page.get_by_text(text).first.wait_for()

    # Everything is on the panel without scrolling, and nothing lies under the bar.
    foot = page.locator(".ls-foot").bounding_box()
    bar = page.locator(".st-key-ls-bar").bounding_box()
    assert foot is not None
    assert bar is not None
    assert foot["y"] + foot["height"] <= bar["y"]
    assert bar["y"] + bar["height"] <= 800

    # What is typed outlives refreshes, and the clock shows that there were some.
    page.get_by_role("button", name="Reset the line").click()
    field = page.get_by_label("What was the cause?")
    field.fill("the nozzle")
    clock = page.locator(".ls-clock b").inner_text()
    page.wait_for_function(
        "c => document.querySelector('.ls-clock b').innerText !== c", arg=clock
    )
    assert field.input_value() == "the nozzle"
    page.keyboard.press("Escape")

    # A station that falls silent is hatched, tile by tile.
    alive.set()
    page.get_by_text("STATION SILENT FOR 00:").wait_for()
    assert page.locator(".ls-tile:not(.ls-stale)").count() == 0
    assert page.locator(".ls-tile").count() == 16
    page.context.close()
