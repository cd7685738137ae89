"""The screens in a real browser, before real stations: what an operator sees and does.

Streamlit's test runner knows no layout, no refresh, no theme and no lost connection.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.bench_client import Station
from apps.bench_station import USER
from apps.browser import ScreenServer, free_port
from apps.screen_watch import WATCH, elsewhere, show, signed_in
from tests.apps.browsing import THEMES, barriers, misfits, violations

PAGES = ("", "station", "alarms", "trends", "health", "reports")
"""The pages that all apps share; each app's own are in its own tests."""
pytestmark = pytest.mark.timeout(600)


class Plant:
    """Two stations and the screen server."""

    def __init__(self, folder: Path) -> None:
        self.password = secrets.token_urlsafe(12)
        self.stations = [Station(folder / name, self.password) for name in ("press", "ward")]
        self.server = ScreenServer(folder)

    def close(self) -> None:
        self.server.close()
        for station in self.stations:
            if station.process.poll() is None:
                station.close()


@pytest.fixture(scope="module")
def plant(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    made = Plant(tmp_path_factory.mktemp("plant"))
    yield made
    made.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_use_every_page(
    browser: Any, plant: Plant, path: str, theme: str
) -> None:
    assert barriers(browser, plant.server, f"{path}?theme={theme}&station=press") == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("shown", ["History", "Messages", "More", "Sign in"])
def test_everybody_can_use_what_a_button_of_the_alarm_page_shows(
    browser: Any, plant: Plant, shown: str, theme: str
) -> None:
    page = show(browser, plant.server, f"alarms?theme={theme}")
    button = page.get_by_role("button", name=shown, exact=True)
    button.or_(page.get_by_role("radio", name=shown, exact=True)).first.click()
    page.wait_for_timeout(3000)
    wrong = violations(page)
    page.context.close()
    assert wrong == {}


def test_the_focus_goes_from_the_menu_through_the_page_to_its_foot(
    browser: Any, plant: Plant
) -> None:
    """In the order in which things are seen; nothing keeps it, nothing is jumped to."""
    page = show(browser, plant.server, "alarms")
    page.wait_for_timeout(2000)
    places = []
    for _ in range(70):
        page.keyboard.press("Tab")
        places.append(page.evaluate(PLACE))
        if places[-1] == "foot" and places.count("foot") > 2:
            break
    order = [place for place in dict.fromkeys(places) if place]
    assert order == ["menu", "page", "foot"]
    page.context.close()


PLACE = """() => {
  const e = document.activeElement;
  if (e.closest('[data-testid=stHeader]')) return 'menu';
  if (e.closest('.st-key-ls-bar')) return 'foot';
  return e.closest('.stMainBlockContainer') ? 'page' : '';
}"""


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_on_panel_and_tablet(browser: Any, plant: Plant, path: str) -> None:
    assert misfits(browser, plant.server, f"{path}?station=press") == []


OUTSIDE = """(() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "light-dark(rgb(1, 1, 1), rgb(2, 2, 2))";
  const dark = getComputedStyle(probe).color === "rgb(2, 2, 2)";
  probe.remove();
  return dark ? "dark" : "light";
})()"""
"""How our colours are where open forms are drawn: beside the page."""


def test_the_theme_follows_the_browser_and_can_be_switched_at_once(
    browser: Any, plant: Plant
) -> None:
    ground = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    light, dark = "rgb(230, 230, 230)", "rgb(43, 45, 49)"
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(plant.server.url)
    page.locator(".ls-corner").wait_for(timeout=60_000)
    assert page.evaluate(ground) == dark
    assert page.evaluate(OUTSIDE) == "dark"
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Name").fill("half a na")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Light", exact=True).click()
    page.wait_for_function(f"{ground} === '{light}'", timeout=60_000)
    panel = "getComputedStyle(document.querySelector('.ls-tile')).backgroundColor"
    assert page.evaluate(panel) == "rgb(217, 217, 217)"
    assert page.evaluate(OUTSIDE) == "light"
    assert "theme=light" in page.url
    page.reload()  # the choice stands in the address
    page.wait_for_function(f"{ground} === '{light}'", timeout=60_000)
    page.get_by_role("button", name="Dark", exact=True).click(timeout=60_000)
    page.wait_for_function(f"{ground} === '{dark}'", timeout=60_000)
    context.close()


def test_the_language_can_be_switched(browser: Any, plant: Plant) -> None:
    page = show(browser, plant.server, "")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="Deutsch").click()
    page.get_by_text("Stationen, die arbeiten").wait_for()
    page.wait_for_function("document.documentElement.lang === 'de'")
    assert "lang=de" in page.url
    page.get_by_role("link", name="Zustand").click()
    page.get_by_text("Kamera, Geräte").first.wait_for()
    page.context.close()


def test_an_alarm_is_seen_acknowledged_and_audited(browser: Any, plant: Plant) -> None:
    press = plant.stations[0]
    page = signed_in(browser, plant.server, "alarms", (USER, plant.password))
    press.command("raise", first=5)
    row = page.locator(".st-key-al-5-press-event_0005-row")
    row.get_by_role("button", name="Acknowledge").click()
    row.get_by_text("acknowledged by bench").wait_for()
    assert press.acknowledged_at("event_0005", 0.0) is not None
    assert page.locator(".ls-answer").inner_text() == "Done: acknowledged."
    press.command("clear", first=5)
    row.wait_for(state="detached")
    page.context.close()


def test_a_new_alarm_flashes_and_an_acknowledged_one_does_not(
    browser: Any, plant: Plant
) -> None:
    press = plant.stations[0]
    page = show(browser, plant.server, "alarms")
    press.command("raise", first=8)
    mark = ".st-key-al-5-press-event_0008-row .ls-mark"
    page.locator(mark).wait_for()
    for opacity in ("0.35", "1", "0.35", "1"):
        page.wait_for_function(
            f"getComputedStyle(document.querySelector('{mark}')).opacity === '{opacity}'"
        )
    press.command("acknowledge", alarms={"event_0008": None})
    page.locator(f"{mark}:not(.ls-flash)").wait_for()
    press.command("clear", first=8)
    page.context.close()


def test_pages_that_stand_open_elsewhere_yield_and_their_trouble_is_told(
    browser: Any, plant: Plant
) -> None:
    with elsewhere(plant.server, 1):
        show(browser, plant.server, "").context.close()
    nowhere = SimpleNamespace(url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Exception, match="CONNECTION_REFUSED"), elsewhere(nowhere, 1):
        raise AssertionError("it must not come so far")


def test_an_alarm_is_shelved_seen_among_the_hidden_and_brought_back(
    browser: Any, plant: Plant
) -> None:
    press = plant.stations[0]
    page = signed_in(browser, plant.server, "alarms", (USER, plant.password))
    press.command("raise", first=6)
    page.locator(".st-key-al-5-press-event_0006-row").get_by_role("button", name="More").click()
    page.get_by_role("tab", name="Shelve").click()
    panel = page.get_by_role("tabpanel", name="Shelve")
    panel.get_by_label("Reason").fill("the sensor is being changed")
    panel.get_by_role("button", name="Shelve · operator").click()
    hidden = page.locator(".st-key-hi-5-press-event_0006-row")
    hidden.get_by_text("the sensor is being changed").wait_for()
    hidden.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Unshelve · operator").click()
    page.locator(".st-key-al-5-press-event_0006-row").wait_for()
    press.command("clear", first=6)
    press.command("acknowledge", alarms={"event_0006": None})
    page.context.close()


def test_the_keyboard_alone_is_enough(browser: Any, plant: Plant) -> None:
    press = plant.stations[0]
    page = signed_in(browser, plant.server, "alarms", (USER, plant.password))
    press.command("raise", first=8)
    button = page.locator(".st-key-al-5-press-event_0008-row").get_by_role("button").first
    button.wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("b => b === document.activeElement"):
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.get_by_text("acknowledged by bench").first.wait_for()
    press.command("clear", first=8)
    page.context.close()


def test_what_is_typed_outlives_refreshes(browser: Any, plant: Plant) -> None:
    page = show(browser, plant.server, "")
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Name").type("half a na")
    for _ in range(3):
        clock = page.locator(".ls-clock b").inner_text()
        changed = "c => document.querySelector('.ls-clock b').innerText !== c"
        page.wait_for_function(changed, arg=clock)
    assert page.get_by_label("Name").input_value() == "half a na"
    assert page.get_by_label("Name").evaluate("f => f === document.activeElement")
    page.context.close()


def test_nothing_moves_while_a_page_refreshes(browser: Any, plant: Plant) -> None:
    page = show(browser, plant.server, "", WATCH)
    page.wait_for_timeout(5000)
    page.evaluate("window.lsReset()")
    page.wait_for_timeout(5000)
    assert page.evaluate("window.lsShift") < 0.01
    page.context.close()


def test_a_page_that_died_comes_back_by_itself(browser: Any, plant: Plant) -> None:
    page = show(browser, plant.server, "health?lang=de&theme=dark")
    page.wait_for_timeout(3000)
    page.evaluate("document.getElementById('root').remove()")
    page.locator(".ls-corner").wait_for()
    page.get_by_text("Kamera, Geräte").first.wait_for()
    page.context.close()


def test_every_request_stays_on_this_machine(browser: Any, plant: Plant) -> None:
    context = browser.new_context()
    page = context.new_page()
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url)))
    for path in PAGES:
        page.goto(f"{plant.server.url}/{path}")
        page.locator(".ls-corner").wait_for(timeout=60_000)
    context.close()
    assert {url.hostname for url in hosts if url.scheme not in ("data", "blob")} == {
        "127.0.0.1"
    }


def test_a_station_killed_is_hatched_and_a_server_gone_covers_the_page(
    browser: Any, plant: Plant
) -> None:
    page = show(browser, plant.server, "")
    page.locator('[data-station="ward"]:not(.ls-stale)').wait_for()
    plant.stations[1].process.kill()
    page.locator('[data-station="ward"].ls-stale').wait_for()
    assert "station silent for" in page.locator('[data-station="ward"]').inner_text()
    assert "1 silent" in page.locator(".ls-corner").inner_text()
    plant.server.process.kill()
    covers = "getComputedStyle(document.querySelector('.ls-dead-man')).visibility === 'visible'"
    page.wait_for_function(covers)
    page.context.close()
