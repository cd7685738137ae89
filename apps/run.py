"""Runs one station of any app until it is told to stop: where apps and hardware meet."""

import logging
import signal
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as opened:
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
        running.station.run(stop)
