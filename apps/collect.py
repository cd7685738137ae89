"""`lineside collect` and `lineside gaps`: into a database, and what it knows to be missing."""

import json
import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from apps.settings_table import settings_table
from common.clock import SystemClock
from common.config import from_table
from common.telemetry.collector import report
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.collector import Collector
from common.telemetry.collector.engine import shown
from common.telemetry.collector.settings import Settings

log = logging.getLogger("lineside.collect")
gaps, as_text = report.gaps, report.as_text


def run(to: str, config: Path | None, changes: list[str]) -> None:
    """Collect into the archive at `to` until told to stop; ends after the commit under way.

    Raises ConfigError for wrong settings, BackendMissing without the database's driver, and
    ArchiveError when the archive cannot be opened: what fails later is waited for.
    """
    path = config or Path("--set")
    settings = from_table(Settings, settings_table(config, changes), path)
    of = settings.collector
    archive = open_archive(
        to, layout=of.layout, patience_s=of.gap_patience_s, keep_rejected=of.keep_rejected
    )
    with ExitStack() as opened:
        opened.callback(archive.close)
        collector = Collector(archive, settings, SystemClock())
        opened.pop_all()  # the collector closes it from now on
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    collector.start()
    broker = f"{settings.broker.host}:{settings.broker.port}"
    log.warning("collects from %s into %s as %s", broker, shown(to), of.client_id)
    try:
        while not stop.wait(of.status_s):
            _tell(collector.state(), of.status_file)
    finally:
        collector.stop()
        _tell(collector.state(), of.status_file)


def _tell(state: dict[str, Any], file: Path | None) -> None:
    """The state as a line in the log, and as JSON for whoever watches."""
    log.warning("%s", status_line(state))
    if file is None:
        return
    try:
        beside = file.with_name(file.name + ".new")
        beside.write_text(json.dumps(state) + "\n", "utf-8")
        beside.replace(file)
    except OSError as error:
        log.warning("%s: cannot be written (%s)", file, error)


def status_line(state: dict[str, Any]) -> str:
    """How a collector fares, in one line."""
    link = "online" if state["online"] else f"offline ({state['reason']})"
    if state["online"] and state["reason"]:
        link += f", but {state['reason']}"
    database = f"; database away: {state['database']}" if state["database"] else ""
    return (
        f"{link}{database}; {state['received']} events received, {state['stored']} stored,"
        f" {state['duplicates']} known already, {state['rejected']} rejected,"
        f" {state['receipts']} receipts, {state['behind_seconds']:.1f} s behind"
    )
