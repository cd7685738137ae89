"""A real browser for what only a browser can tell: how fast, how it looks, who can use it.

Playwright drives the Chromium that the machine has; nothing is downloaded. Both are tools of
developers: an installation that only runs stations needs neither.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx

from common.errors import BackendMissing, LinesideError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio")
PANEL: Any = {"width": 1280, "height": 800}
START_S = 90.0
PAGE = Path(__file__).with_name("screen.py")


def program() -> str:
    """The path of a Chromium; raises BackendMissing where there is none."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise BackendMissing("no Chromium here: apt install chromium")
    return found


@contextmanager
def open_browser(*, gives_way: bool = False) -> "Iterator[Browser]":
    """A headless browser until the block ends; raises BackendMissing where one is not here.

    One that `gives_way` has only the processor time that nobody else wants.
    """
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a developer's tool
    except ImportError as error:
        raise BackendMissing("playwright is not installed: pip install playwright") from error
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        path = _giving_way(Path(folder)) if gives_way else program()
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def _giving_way(folder: Path) -> Path:
    """The same program, behind all others.

    Playwright gives a browser a session of its own, and Linux shares a processor between
    sessions first (sched(7), autogroups): niceness counts within one only.
    """
    script = folder / "browser"
    script.write_text(
        "#!/bin/sh\n(echo 19 > /proc/self/autogroup) 2> /dev/null\n"
        f'exec nice -n 19 {shlex.quote(program())} "$@"\n'
    )
    script.chmod(0o700)
    return script


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ScreenServer:
    """The operator screens as a process of their own, on a free port."""

    def __init__(self, var: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "streamlit", "run", str(PAGE)]
        command += ["--server.port", str(self.port), "--server.headless", "true"]
        self.process = subprocess.Popen(  # noqa: S603 - our own page
            command,
            env={**os.environ, "LINESIDE_VAR": str(var.resolve())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, "the screen server")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise LinesideError(f"the screen server ended with {self.process.returncode}")
        return httpx.get(f"{self.url}/_stcore/health", trust_env=False).is_success

    def cpu_s(self) -> float:
        """Processor time used so far, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Memory that it holds, MB."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(condition: Callable[[], Any], what: str, patience_s: float = START_S) -> Any:
    """Wait until `condition` gives something; raises LinesideError when it does not."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise LinesideError(f"waited {patience_s:.0f} s for {what}")
