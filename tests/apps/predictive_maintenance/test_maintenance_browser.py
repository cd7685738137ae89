"""The maintenance page in a real browser, on the panel's 1280 × 800."""

import copy
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
from tests.apps.conftest import PASSWORD, alarm

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


FORMS = ("Acknowledge a stop", "Close a work order", "Note", "Its own normal")


def plant(**changes: Any) -> dict[str, Any]:
    """Twelve machines, one of them about to break."""
    calm = {**copy.deepcopy(PUMP), "verdict": "run", "latched": False, "evidence": []}
    fans = [calm | {"asset": f"fan-{n}", "name": f"Fan {n}", "orders": []} for n in range(11)]
    return {
        "age_s": 0.0, "app": "predictive_maintenance", "machines": [*fans, PUMP],
        "alarms": [alarm(f"machine_stop.fan-{n}", 1) for n in range(3)], "orders": [],
        "simulation": None, "counts": {"machines": 12, "open_orders": 1},
    } | changes  # fmt: skip


@pytest.fixture
def alive(var: Any) -> Iterator[threading.Event]:
    station = var.station("plant-1")
    with talking(lambda: station.say(**plant())) as stop:
        yield stop


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
    assert on_panel(page)

    # What is typed outlives refreshes, and the clock shows that there were some.
    page.get_by_role("button", name="Close a work order").click()
    assert outlives_refreshes(page, "What was done?", "new bearing")
    page.keyboard.press("Escape")

    # A station that falls silent is hatched, row by row and part by part.
    alive.set()
    page.get_by_text("STATION SILENT FOR 00:").wait_for()
    page.locator(".pm-row[data-asset].ls-stale").nth(11).wait_for()
    assert page.locator(".pm-row[data-asset]:not(.ls-stale)").count() == 0
    page.locator(".ls-held.ls-stale").nth(6).wait_for()
    page.context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_the_page_and_its_forms(
    browser: Any, server: ScreenServer, alive: threading.Event, theme: str
) -> None:
    assert barriers(browser, server, f"predictive_maintenance?theme={theme}", FORMS) == {}


def test_it_fits_on_panel_and_tablet(
    browser: Any, server: ScreenServer, alive: threading.Event
) -> None:
    assert misfits(browser, server, "predictive_maintenance") == []


def test_an_engineer_takes_a_baseline_into_use(
    browser: Any, server: ScreenServer, var: Any, api: Any
) -> None:
    api.roles = {**api.roles, "baseline_accept": "engineer"}
    station = var.station("plant-1")
    with talking(lambda: station.say(**plant(api_port=api.port))):
        who = ("eric", PASSWORD)
        page = signed_in(browser, server, "predictive_maintenance", who)
        page.get_by_role("button", name="Its own normal").first.click()
        form = page.locator("[data-testid=stForm]", has_text="Although it was refused")
        form.get_by_label("Reason").fill("run in")
        form.get_by_role("button", name="Take into use").click()
        page.get_by_text("Done: baseline_accept carried out").wait_for()
        page.context.close()
    ((name, said, by),) = api.got
    assert (name, by) == ("baseline_accept", "eric")
    assert (said["despite"], said["reason"]) == (False, "run in")
