"""A page of the screens in a browser, watched from inside: what is painted, what moves."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.browser import PANEL, ScreenServer, open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_S = 60.0
WATCH = r"""
window.lsSeen = {};
window.lsReset = () => { window.lsShift = 0; window.lsReplaced = 0; };
window.lsReset();
addEventListener("click", () => { window.lsClicked = Date.now(); }, true);
const look = () => {
  for (const alarm of document.querySelectorAll(".ls-alarm")) {
    const found = alarm.textContent.match(/event-\d+@[\d.]+;/);
    if (found && !(found[0] in window.lsSeen))
      requestAnimationFrame(() => { window.lsSeen[found[0]] ??= Date.now(); });
  }
};
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(changes => {
    for (const change of changes)
      for (const node of change.removedNodes)
        if (node.nodeType === 1) window.lsReplaced += 1 + node.querySelectorAll("*").length;
    look();
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
  new PerformanceObserver(list => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) window.lsShift += entry.value;
  }).observe({type: "layout-shift", buffered: true});
});
"""
"""When marked texts are painted (lsSeen, ms since 1970), the last click (lsClicked), the sum of
layout shifts (lsShift) and how many elements were taken out (lsReplaced)."""


def show(browser: "Browser", server: ScreenServer, path: str, watch: str = WATCH) -> "Page":
    """A page of its own context, as it is when it shows the plant."""
    page = browser.new_context(viewport=PANEL).new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.add_init_script(watch)
    page.goto(f"{server.url}/{path}")
    page.locator(".ls-corner").wait_for()
    return page


@contextmanager
def elsewhere(server: ScreenServer, many: int) -> Iterator[None]:
    """Overviews that stand open on other machines, until the block ends.

    They are here, in a browser that takes what the others leave of the processor.
    """
    done = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        opened: Future[None] = Future()
        closed = thread.submit(_stand_open, server, many, opened, done)
        try:
            opened.result()
            yield
        finally:
            done.set()
            closed.result()


def _stand_open(
    server: ScreenServer, many: int, opened: "Future[None]", done: threading.Event
) -> None:
    try:
        with open_browser(gives_way=True) as browser:
            for _ in range(many):
                show(browser, server, "")
            opened.set_result(None)
            done.wait()
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)


def signed_in(
    browser: "Browser", server: ScreenServer, path: str, who: tuple[str, str]
) -> "Page":
    """The same with a person (name and password) signed in."""
    page = show(browser, server, path)
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Name").fill(who[0])
    page.get_by_label("Password", exact=True).fill(who[1])
    page.keyboard.press("Enter")
    page.get_by_text(f"Signed in: {who[0]}").wait_for()
    page.keyboard.press("Escape")
    return page
