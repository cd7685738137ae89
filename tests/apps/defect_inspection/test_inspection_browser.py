"""The inspection's page in a real browser, on the panel's 1280 × 800."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from apps.browser import ScreenServer
from apps.screen_watch import show, signed_in
from tests.apps.browsing import SETTLE_MS, THEMES, a_browser, misfits, talking, violations
from tests.apps.conftest import PASSWORD

pytestmark = pytest.mark.timeout(400)
FORMS = ("Overrule a verdict", "Reset the line", "Challenge test")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with a_browser() as opened:
        yield opened


@pytest.fixture
def server(browser: Any, var: Any) -> Iterator[ScreenServer]:
    made = ScreenServer(var.folder)
    yield made
    made.close()


@pytest.fixture
def alive(var: Any) -> Iterator[threading.Event]:
    station = var.station()
    for number in range(30):
        station.part("reject" if number % 9 == 0 else "pass", age_s=15 - number / 2)
    alarms = [var.alarm("line_stopped", 1)]
    with talking(lambda: station.say(age_s=0.0, alarms=alarms)) as stop:
        yield stop


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
    page.locator(".ls-tile.ls-stale").nth(15).wait_for()
    assert page.locator(".ls-tile:not(.ls-stale)").count() == 0
    assert page.locator(".ls-tile").count() == 16
    page.context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_the_page_and_its_forms(
    browser: Any, server: ScreenServer, alive: threading.Event, theme: str
) -> None:
    found = {}
    for form in ("", *FORMS):
        page = show(browser, server, f"defect_inspection?theme={theme}")
        if form:
            page.get_by_role("button", name=form).first.click()
        page.wait_for_timeout(SETTLE_MS)
        found[form] = violations(page)
        page.context.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_it_fits_on_panel_and_tablet(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    assert misfits(browser, server, "defect_inspection") == []


def test_an_operator_overrules_a_verdict(
    browser: Any, server: ScreenServer, var: Any, api: Any
) -> None:
    station = var.station()
    seq = station.part("reject")
    with talking(lambda: station.say(age_s=0.0, api_port=api.port)):
        page = signed_in(browser, server, "defect_inspection", ("anna", PASSWORD))
        page.get_by_role("button", name=FORMS[0]).first.click()
        page.get_by_text("good: it should have passed").click()
        form = page.locator("[data-testid=stForm]", has_text="It is")
        form.get_by_label("Reason").fill("dust, no short")
        form.get_by_role("button", name="Overrule").click()
        page.get_by_text("Done: overrule carried out").wait_for()
        page.context.close()
    expected = {"record_seq": seq, "label": "good", "reason": "dust, no short"}
    assert api.got == [("overrule", expected, "anna")]
