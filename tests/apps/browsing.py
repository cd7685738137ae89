"""What tests in a real browser share: axe-core, what lies over what, a station that talks."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.browser import PANEL, ScreenServer, open_browser
from apps.screen_watch import show
from common.errors import BackendMissing

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SIZES = ((1280, 800), (1024, 768), (768, 1024), (400, 860))
THEMES = ("light", "dark")
SETTLE_MS = 2000
SAY_S = 0.4
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('.ls-tile, .ls-line, .ls-alarm, .ls-corner')]
    .map(e => [e.className + ' ' + e.textContent.slice(0, 40), e.getBoundingClientRect()])
    .filter(([, r]) => r.width && r.height);
  const found = [];
  for (const [a, r] of boxes) for (const [b, s] of boxes)
    if (r !== s && r.left < s.right - 1 && s.left < r.right - 1
        && r.top < s.bottom - 1 && s.top < r.bottom - 1) found.push(a + ' | ' + b);
  return found;
}"""
"""Boxes that lie over one another, as texts."""

FITS = """() => document.documentElement.scrollWidth <= innerWidth
    && [...document.querySelectorAll('.stMain')].every(m => m.scrollWidth <= m.clientWidth)"""
"""Whether the page, and what scrolls in it, is no wider than the screen."""

TRIES, ENOUGH = 20, 20
"""How often a page is looked at that has fewer rules to judge than any whole page."""


@contextmanager
def a_browser() -> Iterator[Any]:
    """Chromium; the test is skipped with the reason where there is none."""
    try:
        with open_browser() as opened:
            yield opened
    except BackendMissing as missing:
        pytest.skip(str(missing))


def axe_text() -> str:
    """axe-core, from the package that brings it."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return Path(package.__file__).with_name("axe.min.js").read_text("utf-8")


def violations(page: Any) -> dict[str, list[str]]:
    """What axe-core finds wrong: rule → elements. It must have found something to judge."""
    page.evaluate(axe_text() + ";0")
    for _ in range(TRIES):  # a busy machine draws the page later
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        if len(found["passes"]) > ENOUGH:
            break
        page.wait_for_timeout(500)
    assert len(found["passes"]) > ENOUGH
    return {v["id"]: [n["html"][:150] for n in v["nodes"]][:3] for v in found["violations"]}


def barriers(
    browser: Any, server: ScreenServer, path: str, forms: Iterable[str] = ()
) -> dict[str, dict[str, list[str]]]:
    """What keeps people from using a page (""), and the page with each form open."""
    found = {}
    for form in ("", *forms):
        page = show(browser, server, path)
        if form:
            page.get_by_role("button", name=form).first.click()
        page.wait_for_timeout(SETTLE_MS)
        found[form] = violations(page)
        page.context.close()
    return {form: wrong for form, wrong in found.items() if wrong}


def on_panel(page: Any) -> bool:
    """Whether all of the page is on the panel unscrolled, and nothing lies under the bar."""
    foot = page.locator(".ls-foot").bounding_box()
    bar = page.locator(".st-key-ls-bar").bounding_box()
    assert foot is not None
    assert bar is not None
    ends = foot["y"] + foot["height"], bar["y"] + bar["height"]
    return ends[0] <= bar["y"] and ends[1] <= PANEL["height"]


def outlives_refreshes(page: Any, label: str, words: str) -> bool:
    """Whether what is typed stays while the page's clock shows that it was drawn again."""
    field = page.get_by_label(label)
    field.fill(words)
    clock = page.locator(".ls-clock b").inner_text()
    page.wait_for_function(
        "c => document.querySelector('.ls-clock b').innerText !== c", arg=clock
    )
    return bool(field.input_value() == words)


def misfits(browser: Any, server: ScreenServer, path: str) -> list[str]:
    """What does not fit on panel, tablet held either way or phone, in the longer language."""
    page = show(browser, server, f"{path}{'&' if '?' in path else '?'}lang=de")
    found: list[str] = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(SETTLE_MS)
        if not page.evaluate(FITS):
            found.append(f"{width} × {height}: has to be pushed sideways")
        found += [f"{width} × {height}: {pair}" for pair in page.evaluate(OVERLAPS)]
    page.context.close()
    return found


@contextmanager
def talking(say: Callable[[], object]) -> Iterator[threading.Event]:
    """A station that goes on saying something until the event is set."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(SAY_S):
            say()

    say()
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()
