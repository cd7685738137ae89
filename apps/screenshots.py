"""Pictures of every page for the READMEs, taken from screens that are running.

    lineside demo            in one terminal
    lineside screenshots     in another: docs/screens/<page>-<theme>.png

The pages are those of the menu, so an app's page is in the pictures as soon as it is there;
of the alarms, history, messages and an alarm in full as well.
"""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from apps.browser import PANEL, open_browser
from common.errors import LinesideError
from common.screen.language import tr, use

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

URL = "http://127.0.0.1:8501"
THEMES = ("light", "dark")
SIZES: dict[str, Any] = {
    "panel": PANEL,
    "tablet": {"width": 1024, "height": 768},
    "upright": {"width": 768, "height": 1024},
}
"""Screens that people have; pictures of the panel bear no name of a size."""
VIEWS = {"alarms": ("History", "Messages", "More"), "retail_analytics": ("Privacy",)}
"""Page → buttons (by their English names) that show something else of it."""
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
    sizes: tuple[str, ...] = ("panel",),
) -> list[Path]:
    """One picture per page, theme and size in `out`; raises LinesideError where nothing is."""
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    with open_browser() as browser:
        for path in _menu(browser, url):
            for theme, size in product(themes, sizes):
                address = f"{url}/{path}?theme={theme}&lang={lang}&station={station}"
                page = _shown(browser, address, size)
                ending = f"{theme}.png" if size == "panel" else f"{size}-{theme}.png"
                for view in ("", *VIEWS.get(path, ())):
                    name = "-".join(filter(None, (path or "overview", view.lower())))
                    if _seen(page, view, lang):
                        taken.append(out / f"{name}-{ending}")
                        page.screenshot(path=taken[-1])
                page.context.close()
    return taken


def _seen(page: "Page", view: str, lang: str) -> bool:
    """Show what a button shows; False where there is no such button now."""
    if view:
        use(lang)
        button = page.get_by_role("button", name=tr(view), exact=True)
        choice = page.get_by_role("radio", name=tr(view), exact=True)
        if view == "More":
            page.get_by_role("radio", name=tr("List"), exact=True).click()
            page.wait_for_timeout(SETTLE_MS)
        found = button.or_(choice).first
        if not found.count():
            return False
        found.click()
    page.wait_for_timeout(SETTLE_MS)
    return True


def _menu(browser: "Browser", url: str) -> list[str]:
    """The paths of all pages in the menu."""
    page = _shown(browser, url)
    links = page.locator(MENU).evaluate_all("links => links.map(link => link.href)")
    page.context.close()
    return [urlsplit(link).path.strip("/") for link in links]


def _shown(browser: "Browser", address: str, size: str = "panel") -> "Page":
    from playwright.sync_api import Error  # noqa: PLC0415 - a developer's tool

    page = browser.new_context(viewport=SIZES[size], reduced_motion="reduce").new_page()
    try:
        page.goto(address, timeout=PATIENCE_MS)
        page.locator(".ls-corner").wait_for(timeout=PATIENCE_MS)
    except Error as error:
        raise LinesideError(f"{address}: no screens are served there; start them") from error
    return page
