"""The nurse station's page in a real browser: a full ward on the panel's 1280 × 800."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.browser import ScreenServer
from apps.screen_watch import show, signed_in
from tests.apps.browsing import THEMES, barriers, misfits, on_panel, talking
from tests.apps.conftest import PASSWORD, alarm

from .drawn_ward import bed, bed_alarm, empty, sick, ward, write_records

NAME = "ward-7"
PAGES = ("patient_monitoring", "patient_monitoring?bed=3")
FORMS = ("Observe · operator", "Hand over · operator", "Patient · operator")
PLAIN = """boxes => [...document.querySelectorAll(boxes)]
  .filter(box => getComputedStyle(box).backgroundImage === "none").map(box => box.className)"""
"""Boxes without a hatch, by their classes."""
pytestmark = pytest.mark.timeout(600)


def night() -> dict[str, Any]:
    """Thirty patients of whom one is ill, one late, one paused and one a child."""
    now = time.time()
    beds = [bed(str(n)) for n in range(1, 29)]
    beds[2] = sick("3")
    beds[4] = bed(
        "5",
        priority="LOW",
        score={"at_least": 3, "red": ["SPO2"]},
        alarms=[bed_alarm("5", priority="LOW", state="ACKED", ack_user="maria")],
    )
    beds[6] = bed("7", due_in_s=-300.0)
    beds[8] = bed("9", paused_until=now + 120)
    beds[10] = bed("11", refusal="NEWS2 is not for children under 16", age=9)
    text = "NEWS2 calls for an assessment"
    alarms = [
        alarm("bed_risk/3", 1, text=f"Bed 3: {text}"),
        alarm("bed_technical/3", 4, text="Bed 3: the monitoring does not see the patient"),
    ]
    return ward(*beds, empty("29"), empty("30")) | {"alarms": alarms}  # fmt: skip


@pytest.fixture
def alive(var: Any) -> Iterator[threading.Event]:
    station = var.station(NAME)
    write_records(station)
    with talking(lambda: station.say(age_s=0.0, **night())) as stop:
        yield stop


def test_what_a_nurse_sees_at_night(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    page = show(browser, server, "patient_monitoring?theme=dark")
    tiles = page.locator(".wd-beds .ls-tile")
    tiles.nth(27).wait_for()
    assert tiles.first.get_attribute("data-key") == "bed-3"
    for text in ("INCOMPLETE", "NO NEWS2", "ALARMS PAUSED", "LATE", "Empty beds: 29, 30",
                 "Not a medical device"):  # fmt: skip
        page.get_by_text(text).first.wait_for()

    # Everything is on the panel without scrolling the page, and nothing lies under the bar.
    assert on_panel(page)

    # A ward that falls silent is hatched, bed by bed.
    alive.set()
    page.get_by_text("STATION SILENT FOR 00:").wait_for()
    page.locator(".wd-beds .ls-tile.ls-stale").nth(27).wait_for()
    assert page.locator(".wd-beds .ls-tile:not(.ls-stale)").count() == 0
    assert page.evaluate(PLAIN, ".wd-strip, .wd-beds .ls-tile") == []
    page.goto(f"{server.url}/patient_monitoring?bed=3")
    page.locator(".wd-box").nth(2).wait_for()
    assert page.evaluate(PLAIN, ".wd-patient, .wd-table, .wd-box") == []
    page.context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_the_number_of_a_priority_is_read_on_its_colour(
    browser: Any, server: ScreenServer, alive: threading.Event, theme: str
) -> None:
    page = show(browser, server, f"patient_monitoring?theme={theme}")
    number = page.locator(".wd-beds .ls-mark.ls-p1 b").first
    number.wait_for()
    assert number.evaluate("one => getComputedStyle(one).color") == "rgb(255, 255, 255)"
    page.context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_ward_patient_and_forms(
    browser: Any, server: ScreenServer, alive: threading.Event, theme: str
) -> None:
    whole, patient = (f"patient_monitoring?{which}theme={theme}" for which in ("", "bed=3&"))
    assert barriers(browser, server, whole) == {}
    assert barriers(browser, server, patient, FORMS) == {}


def test_ward_and_patient_fit_on_panel_and_tablet(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    assert [wrong for path in PAGES for wrong in misfits(browser, server, path)] == []


def test_a_nurse_enters_an_observation(
    browser: Any, server: ScreenServer, var: Any, api: Any
) -> None:
    api.roles = {**api.roles, "enter": "operator"}
    station = var.station(NAME)
    with talking(lambda: station.say(age_s=0.0, api_port=api.port, **night())):
        page = signed_in(browser, server, "patient_monitoring?bed=3", ("anna", PASSWORD))
        page.get_by_role("button", name=FORMS[0]).click()
        page.get_by_label("Systolic pressure, mmHg").fill("92")
        page.get_by_role("button", name="Enter", exact=True).click()
        page.get_by_text("Done: enter carried out").wait_for()
        page.context.close()
    entered = {"bed": "3", "patient": "p0003", "values": {"SBP": 92.0}}
    assert api.got == [("enter", entered, "anna")]
