"""The inspection's page in a real browser, on the panel's 1280 × 800."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from apps.browser import ScreenServer
from apps.screen_watch import show, signed_in
from tests.apps.browsing import (
    THEMES,
    barriers,
    misfits,
    on_panel,
    outlives_refreshes,
    talking,
)
from tests.apps.conftest import PASSWORD

pytestmark = pytest.mark.timeout(400)
FORMS = ("Overrule a verdict", "Reset the line", "Challenge test")


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
    assert on_panel(page)

    # What is typed outlives refreshes, and the clock shows that there were some.
    page.get_by_role("button", name="Reset the line").click()
    assert outlives_refreshes(page, "What was the cause?", "the nozzle")
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
    assert barriers(browser, server, f"defect_inspection?theme={theme}", FORMS) == {}


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
