"""Runs one station of any app until it is told to stop: where apps and hardware meet."""

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from apps.base import open_base
from apps.openers import opener_of
from common import audit
from common.service import ApiServer, build_api
from common.users import Users

log = logging.getLogger("lineside")


def run(app: str, path: Path, changes: list[str], var: Path) -> None:
    """One station of `app` until it is told to stop; raises ConfigError."""
    opener = opener_of(app)
    settings = opener.load(path, changes)
    stop = threading.Event()
    # Who ends it while it opens does not wait for a network that takes minutes to build.
    _when_told_to_end(signal.default_int_handler)
    with suppress(KeyboardInterrupt), ExitStack() as opened:
        opened.enter_context(opener.world(settings, path))
        base = open_base(app, opener, settings, path, var, opened)
        running = opener.open_station(settings, path, base, opened)
        base.ways_out.serve(running.station)
        users = Users(base.folder / "users.json", base.clock)
        password = users.first_password()
        if password:
            log.warning("first start: sign in as engineer with password %s", password)
        trail = partial(audit.submit, base.store)
        api = build_api(running.station, users, running.infer, audit=trail)
        for router in running.routers:
            api.include_router(router)
        server = ApiServer(api, settings.station.api_port)
        server.start()
        opened.callback(server.stop)
        log.warning("%s runs: %s", settings.station.name, running.says)
        _when_told_to_end(lambda *_: stop.set())
        running.station.run(stop)


def _when_told_to_end(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
