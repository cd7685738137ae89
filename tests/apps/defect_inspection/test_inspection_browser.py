"""The page in a real browser, on the panel's 1280 × 800: what an operator really sees.

Streamlit's test runner knows no layout, no refresh and no lost connection; a browser does.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from apps import screen

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 90.0  # the machine may be busy with other things

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
    pytest.mark.timeout(400),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Any, what: str) -> Any:
    """Wait until `condition` gives something; fail with `what` was waited for."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"waited {PATIENCE_S:.0f} s for {what}")


class Browser:
    """A headless Chromium, driven over its DevTools socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.hosts: set[str] = set()
        """Every host the page asked for something."""
        self.call("Network.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=1280, height=800, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("method") == "Network.requestWillBeSent":
                address = urlsplit(answer["params"]["request"]["url"])
                self.hosts |= {address.hostname or ""} if address.scheme != "data" else set()
            if answer.get("id") == self._number:
                return dict(answer.get("result", {}))

    def ask(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script)["result"].get("value")

    def sees(self, text: str) -> None:
        script = f"document.body.innerText.includes({json.dumps(text)})"
        until(lambda: self.ask(script), f"the page to say {text!r}")

    def press(self, label: str) -> None:
        """A real click on the button whose text begins with `label`."""
        script = (
            "(() => {const b = [...document.querySelectorAll('button')].find("
            f"b => b.offsetParent && b.innerText.trim().startsWith({json.dumps(label)}));"
            "if (!b) return ''; const r = b.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2].join()})()"
        )
        x, y = map(float, until(lambda: self.ask(script), f"the button {label!r}").split(","))
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    port, folder = free_port(), tmp_path / "browser"
    flags = (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-extensions", "--disable-background-networking",
        "--disable-component-update", "--window-size=1280,800",
        f"--remote-debugging-port={port}", f"--user-data-dir={folder}",
    )  # fmt: skip
    with (tmp_path / "browser.log").open("wb") as log:
        process = subprocess.Popen([CHROMIUM, *flags, "about:blank"], stdout=log, stderr=log)
    try:
        pages = until(lambda: open_pages(port), "the browser")
        with connect(pages[0]["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def open_pages(port: int) -> list[dict[str, str]]:
    found = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
    return [page for page in found if page["type"] == "page"]


@pytest.fixture
def server(var: Any, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`streamlit run apps/screen.py`, started from another folder, as systemd would."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", screen.__file__]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    health = f"{address}/_stcore/health"
    try:
        until(lambda: httpx.get(health, trust_env=False).is_success, "the server")
        yield address, process
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def alive(var: Any) -> Iterator[tuple[Any, threading.Event]]:
    """A station that goes on saying something until the event is set."""
    station, stop = var.station(), threading.Event()
    for number in range(30):
        station.part("reject" if number % 9 == 0 else "pass", age_s=15 - number / 2)
    alarms = [var.alarm("line_stopped", 1)]

    def talk() -> None:
        while not stop.wait(0.4):
            station.say(age_s=0.0, alarms=alarms)

    thread = threading.Thread(target=talk)
    thread.start()
    yield station, stop
    stop.set()
    thread.join()


def test_what_an_operator_sees(
    browser: Browser, server: tuple[str, subprocess.Popen[bytes]], alive: tuple[Any, Any]
) -> None:
    address, process = server
    _, silence = alive
    browser.call("Page.navigate", url=f"{address}/defect_inspection")
    for text in ("Execute", "12.0", "line stopped", "SOUND IS OFF", "not a safety function"):
        browser.sees(text)

    # Everything is on the panel without scrolling, and came from this machine.
    browser.sees("Challenge test · engineer")
    bottom = browser.ask(
        "document.querySelector('[data-testid=stMainBlockContainer]')"
        ".getBoundingClientRect().bottom"
    )
    assert bottom <= 800
    assert browser.hosts == {"127.0.0.1"}

    # What is typed outlives refreshes, and the clock shows that there were some.
    browser.press("Reset the line")
    field = "document.querySelector('input[aria-label=\"What was the cause?\"]')"
    until(lambda: browser.ask(f"!!{field} && !!{field}.offsetParent"), "the text field")
    time.sleep(1.0)  # the pop-over takes the focus when it has opened
    browser.ask(f"{field}.focus()")
    browser.call("Input.insertText", text="the nozzle")
    clock = browser.ask("document.querySelector('.ls-clock b').innerText")
    until(
        lambda: browser.ask("document.querySelector('.ls-clock b').innerText") != clock,
        "a refresh",
    )
    assert browser.ask(f"{field}.value") == "the nozzle"

    # A station that falls silent is hatched; a server that is gone covers the page.
    silence.set()
    browser.sees("STATION SILENT FOR 00:")
    tiles = "document.querySelectorAll('.ls-tile{}').length"
    assert browser.ask(tiles.format(":not(.ls-stale)")) == 0
    assert browser.ask(tiles.format("")) == 16
    process.terminate()
    until(
        lambda: (
            browser.ask("getComputedStyle(document.querySelector('.ls-dead-man')).visibility")
            == "visible"
        ),
        "the frozen page to say so",
    )
