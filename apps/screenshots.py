"""Pictures of every page for the READMEs, taken from screens that are running.

    lineside demo            in one terminal
    lineside screenshots     in another: docs/screens/<page>-<theme>.png

The pages are those of the menu, so an app's page is in the pictures as soon as it is there.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from apps.browser import PANEL, open_browser
from common.errors import LinesideError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

URL = "http://127.0.0.1:8501"
THEMES = ("light", "dark")
SETTLE_MS = 4000
"""For the refreshes after the first: trends are read beside the page."""
PATIENCE_MS = 60_000
MENU = "a[data-testid=stTopNavLink]"


def take(
    out: Path,
    url: str = URL,
    *,
    lang: str = "en",
    station: str = "",
    themes: tuple[str, ...] = THEMES,
) -> list[Path]:
    """One picture per page and theme in `out`; raises LinesideError where nothing is served."""
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    with open_browser() as browser:
        for path in _menu(browser, url):
            for theme in themes:
                address = f"{url}/{path}?theme={theme}&lang={lang}&station={station}"
                page = _shown(browser, address)
                page.wait_for_timeout(SETTLE_MS)
                taken.append(out / f"{path or 'overview'}-{theme}.png")
                page.screenshot(path=taken[-1])
                page.context.close()
    return taken


def _menu(browser: "Browser", url: str) -> list[str]:
    """The paths of all pages in the menu."""
    page = _shown(browser, url)
    links = page.locator(MENU).evaluate_all("links => links.map(link => link.href)")
    page.context.close()
    return [urlsplit(link).path.strip("/") for link in links]


def _shown(browser: "Browser", address: str) -> "Page":
    from playwright.sync_api import Error  # noqa: PLC0415 - a developer's tool

    page = browser.new_context(viewport=PANEL).new_page()
    try:
        page.goto(address, timeout=PATIENCE_MS)
        page.locator(".ls-corner").wait_for(timeout=PATIENCE_MS)
    except Error as error:
        raise LinesideError(f"{address}: no screens are served there; start them") from error
    return page
