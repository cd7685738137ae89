"""SIMULATOR: a maintenance management system (CMMS) in software, for demos and tests.

    python -m hardware.virtual_cmms --port 8090

It takes work orders as CloudEvents (POST /orders) the way a real one should: known by their
`external_ref`, so that the same order sent twice is one order, and a lower revision never
overwrites a higher one. GET /orders lists them; POST /outage makes it fail for a while.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from common import typed
from common.service.body import limited_body

SIMULATOR = "SIMULATOR of a CMMS: no order here reaches a maintenance crew"
NEEDED = ("external_ref", "revision", "equipment_id", "status", "short_text", "priority")
ORDER = "lineside.maintenance.order."
"""How the type of an event begins that is a work order."""
PARENT_LOOK_S = 1.0
MOST_BYTES = 1 << 20
log = logging.getLogger("virtual_cmms")


@dataclass
class Book:
    """The work orders, by external_ref, and what happened to them."""

    file: Path | None = None
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: int = 0
    repeated: int = 0
    """Came again with a revision that was here already, or a lower one."""
    others: int = 0
    """Events of other kinds, e.g. alarms: a station tells all its receivers of those."""
    failing: int = 0
    """So many requests more are refused."""

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            self.orders = json.loads(self.file.read_text("utf-8"))

    def take(self, order: dict[str, Any]) -> str:
        """Book an order; raises ValueError for what is none."""
        missing = [name for name in NEEDED if name not in order]
        if missing:
            raise ValueError(f"{', '.join(missing)} missing")
        reference, revision = order["external_ref"], order["revision"]
        if not isinstance(reference, str) or type(revision) is not int:
            raise ValueError("external_ref must be a text and revision a whole number")
        self.received += 1
        known = self.orders.get(reference)
        if known is not None and known["revision"] >= revision:
            self.repeated += 1
            return "known already"
        self.orders[reference] = order
        self._keep()
        return "changed" if known else "created"

    def _keep(self) -> None:
        if self.file is not None:
            beside = self.file.with_suffix(".part")
            beside.write_text(json.dumps(self.orders), "utf-8")
            beside.replace(self.file)


def build_api(book: Book) -> FastAPI:
    """The HTTP application."""
    api = FastAPI(title=SIMULATOR, docs_url=None, redoc_url=None, openapi_url=None)

    @api.get("/")
    def who() -> dict[str, Any]:
        return {
            "what": SIMULATOR, "orders": len(book.orders),
            "received": book.received, "repeated": book.repeated, "others": book.others,
        }  # fmt: skip

    @api.get("/orders")
    def orders() -> list[dict[str, Any]]:
        return list(book.orders.values())

    @api.post("/orders")
    async def take(request: Request) -> dict[str, str]:
        if book.failing > 0:
            book.failing -= 1
            raise HTTPException(503, "an outage, as was asked for")
        body = await limited_body(request, MOST_BYTES)
        try:
            event = json.loads(body)
            if not str(event["type"]).startswith(ORDER):
                book.others += 1
                return {"result": "no work order: not for us"}
            JSONResponse(event["data"])  # else what cannot be listed would hide all others
            return {"result": book.take(event["data"])}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise HTTPException(422, f"no work order: {error}") from error

    @api.post("/outage")
    def outage(requests: int = 1) -> dict[str, int]:
        book.failing = max(0, min(requests, 1_000_000))
        return {"failing": book.failing}

    return api


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 0 done, 2 wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m hardware.virtual_cmms")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=typed.whole(0, 65_535), default=8090)
    parser.add_argument("--file", type=typed.path, help="keep the orders over a restart")
    parser.add_argument("--with-parent", action="store_true", help="end with who started us")
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        book = Book(given.file)
    except (OSError, ValueError) as error:
        log.error("%s: holds no orders that can be read (%s)", given.file, error)  # noqa: TRY400
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            build_api(book), host=given.host, port=given.port,
            log_level="warning", access_log=False, lifespan="off", ws="none",
        )
    )  # fmt: skip
    if given.with_parent:
        watch = threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True)
        watch.start()
    # Ctrl-C at any moment, the first one included: the server gives it back when it has ended.
    signal.signal(signal.SIGINT, lambda *_: setattr(server, "should_exit", True))
    log.info("%s; listening on %s:%d", SIMULATOR, given.host, given.port)
    server.run()
    return 0


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        threading.Event().wait(PARENT_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
