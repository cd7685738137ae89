"""The shop's page in a real browser: how it looks, who can use it, and drawing by hand."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from apps.browser import ScreenServer
from apps.retail_analytics.mosaic import mosaic
from apps.retail_analytics.screen import VIEWS
from apps.retail_analytics.simulate import ShopCamera
from apps.screen_watch import show, signed_in
from common.clock import SystemClock
from common.service import ApiServer, build_api
from common.users import User, Users
from tests.apps.browsing import SETTLE_MS, THEMES, violations
from tests.apps.conftest import PASSWORD, Asked, StationFolder

from . import retail_shop as shop

pytestmark = pytest.mark.timeout(600)


class ShopStation(Asked):
    """A shop's folder that is written twice a second, and its API."""

    roles = {"setup.mosaic": "engineer", "setup.apply": "engineer"}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        super().__init__()
        users = Users(folder / "users.json", SystemClock())
        users.add("eric", "engineer", PASSWORD)
        self.place = shop.ShopFolder(StationFolder(folder / "shop-1"))
        self.place.weeks(1, time.time())
        self.place.statement()
        self._frame = ShopCamera("corner").capture()
        self._server = ApiServer(build_api(self, users, audit=self.trail.append), 0)
        self._server.start()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self._thread.start()

    def _speak(self) -> None:
        while not self._stop.wait(0.5):
            self.place.say(api_port=self._server.port)

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        super().command(name, arguments, user)
        future: Future[Any] = Future()
        future.set_result({"cells": mosaic(self._frame), "version": 1, "text": "in force"})
        return future

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._server.stop()


@pytest.fixture(scope="module")
def station(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ShopStation, ScreenServer]]:
    folder = tmp_path_factory.mktemp("shop")
    made, server = ShopStation(folder), ScreenServer(folder)
    yield made, server
    server.close()
    made.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_use_every_view(
    browser: Any, station: Any, view: str, theme: str
) -> None:
    _, server = station
    path = f"retail_analytics?theme={theme}&view={view}"
    if view == "setup":
        page = signed_in(browser, server, path, ("eric", PASSWORD))
        page.locator(".picture svg").wait_for()
    else:
        page = show(browser, server, path)
    page.wait_for_timeout(SETTLE_MS)
    wrong = violations(page)
    page.context.close()
    assert wrong == {}


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_has_to_be_pushed_sideways(browser: Any, station: Any, view: str) -> None:
    """On a tablet held either way and on a panel, in the language with the longer words."""
    page = show(browser, station[1], f"retail_analytics?lang=de&view={view}")
    page.set_viewport_size({"width": 768, "height": 1024})
    page.reload()
    page.locator(".ls-corner").wait_for()
    page.wait_for_timeout(3000)  # by then the theme's menu has had the focus and lost it
    for width, height in ((768, 1024), (1024, 768), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(700)
        assert page.evaluate(FITS), width
    page.context.close()


FITS = """() => {
  const inside = document.querySelector('[data-testid=stAppViewContainer]').scrollLeft === 0;
  return inside && document.documentElement.scrollWidth <= innerWidth;
}"""


def test_an_engineer_draws_with_clicks_and_applies(browser: Any, station: Any) -> None:
    asked, server = station
    path = "retail_analytics?view=setup"
    page = signed_in(browser, server, path, ("eric", PASSWORD))
    page.get_by_label("Why is the picture looked at?").fill("the door was moved")
    page.get_by_role("button", name="Show the mosaic").click()
    page.locator(".picture rect").nth(1000).wait_for(state="attached")
    points = page.get_by_label("Points in px")
    size = page.locator(".picture svg").bounding_box()
    for x, y, text in ((0.75, 0.25, "480, 120"), (0.25, 0.5, "160, 240")):
        where = {"x": size["width"] * x, "y": size["height"] * y}
        page.locator(".picture svg").click(position=where)
        near = [round(float(n)) for n in text.split(", ")]
        page.wait_for_function(
            "near => { const rows = document.querySelector('.stTextArea textarea').value"
            ".split('\\n'); const last = rows[rows.length - 1].split(',').map(Number);"
            " return last.every((n, at) => Math.abs(n - near[at]) <= 2); }",
            arg=near,
        )
    assert len(points.input_value().splitlines()) == 2
    page.get_by_label("Why is it changed?").fill("the door was moved")
    page.get_by_role("button", name="Apply · engineer").click()
    page.get_by_text("Done: in force.").wait_for()
    page.context.close()
    assert [name for name, _, _ in asked.got] == ["setup.mosaic", "setup.apply"]
    (line,) = asked.got[1][1]["lines"]
    assert line["points"][0] == pytest.approx([480, 120], abs=2)


def test_of_clicks_in_quick_succession_none_is_lost_or_taken_twice(
    browser: Any, station: Any
) -> None:
    page = signed_in(browser, station[1], "retail_analytics?view=setup", ("eric", PASSWORD))
    page.get_by_role("button", name="New zone").click()
    page.get_by_label("Name", exact=True).and_(page.locator("[value='zone 1']")).wait_for()
    size = page.locator(".picture svg").bounding_box()
    for at in range(2, 8):
        page.mouse.click(size["x"] + size["width"] * at / 10, size["y"] + size["height"] / 2)
    page.wait_for_function(
        "document.querySelector('.stTextArea textarea').value.split('\\n').length >= 6"
    )
    rows = page.get_by_label("Points in px").input_value().splitlines()
    page.context.close()
    across = [float(row.split(",")[0]) for row in rows]
    assert across == pytest.approx([64.0 * at for at in range(2, 8)], abs=2)


def test_nothing_moves_while_the_shop_is_watched(browser: Any, station: Any) -> None:
    page = show(browser, station[1], "retail_analytics")
    page.wait_for_timeout(6000)
    page.evaluate("window.lsReset()")
    page.wait_for_timeout(6000)
    assert page.evaluate("window.lsShift") < 0.01
    page.context.close()
