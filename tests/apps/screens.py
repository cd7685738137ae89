"""Pages run whole by Streamlit's own test runner: started, looked at, and used."""

import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.apps.conftest import PASSWORD

LONGEST_S = 50.0
"""Of one run, on a busy machine."""
READINGS, READING_S = 100, 0.1
"""How often a page is looked at again for what is read beside it, and how long between."""


def started(script: str | Callable[[], None], **query: str) -> AppTest:
    """A page after its first run: a file's, or one that a function draws."""
    page = made(script)
    for name, value in query.items():
        page.query_params[name] = value
    return run(page)


def made(script: str | Callable[[], None]) -> AppTest:
    """The same before it, so that its session can be filled."""
    if isinstance(script, str):
        return AppTest.from_file(script, default_timeout=LONGEST_S)
    return AppTest.from_function(script, default_timeout=LONGEST_S)


def run(page: AppTest) -> AppTest:
    """Once more, and again until what is read beside the page is there."""
    for _ in range(READINGS):
        page.run()
        assert not page.exception
        if "are being read" not in text(page):
            return page
        time.sleep(READING_S)
    pytest.fail("the records were never read")


def text(page: AppTest) -> str:
    """What is drawn, without the style sheets and the script."""
    drawn = (block.value for block in page.html)
    return " ".join(b for b in drawn if not b.startswith(("<style>", "<script>")))


def press(page: AppTest, label: str, number: int = 0) -> AppTest:
    """Press a button, the first of its name or the one after so many."""
    [button for button in page.button if button.label == label][number].click()
    return run(page)


def sign_in(page: AppTest, name: str = "anna", password: str = PASSWORD) -> AppTest:
    """Sign in at the foot of a page."""
    page.text_input(key="ls-name").input(name)
    page.text_input(key="ls-password").input(password)
    return press(page, "Sign in")
