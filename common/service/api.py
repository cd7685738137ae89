"""The station's own HTTP API: health, metrics, state, commands, optional inference.

It listens on loopback. Reading is free there; every command carries a user's password or
the token of a session, and a nonce; it is checked here, carried out by the station's loop,
and audited: a screen passes on what it was given, it never asserts a name.

    POST   /session           Basic → a token, for a limited time
    DELETE /session           Bearer: sign out
    POST   /commands/{name}   Bearer or Basic, X-Nonce; a JSON object of arguments
"""

import os
import socket
import threading
import time
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from common.audit import Act
from common.errors import ConfigError, LinesideError
from common.service.commands import Commanded, add_commands
from common.service.connections import MOST_OPEN, Bounded
from common.service.door import Audit, Door, Trail, unaudited
from common.service.inference import Infer, add_inference
from common.sessions import Sessions, SessionSettings
from common.users import User, Users


def build_api(
    station: Commanded,
    users: Users,
    infer: Infer | None = None,
    *,
    audit: Audit = unaudited,
    sessions: SessionSettings | None = None,
) -> FastAPI:
    """The HTTP application of one station; `audit` appends to its trail."""
    api = FastAPI(title="Lineside station", docs_url=None, redoc_url=None, openapi_url=None)
    door = Door(users, Sessions(users, sessions), Trail(audit, users.clock))
    _add_failures(api)
    _add_reading(api, station)
    _add_sessions(api, door)
    add_commands(api, station, door)
    if infer is not None:
        add_inference(api, infer, door)
    return api


def _add_failures(api: FastAPI) -> None:
    """Whatever goes wrong is one line for the caller; a bug's traceback is in our log."""

    @api.exception_handler(LinesideError)
    def known(request: Request, error: LinesideError) -> JSONResponse:
        del request
        return JSONResponse({"detail": str(error)}, 503)

    @api.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> JSONResponse:
        del request
        return JSONResponse({"detail": f"{type(error).__name__}, see the station's log"}, 500)


def _add_reading(api: FastAPI, station: Commanded) -> None:
    @api.get("/health")
    def health(response: Response) -> dict[str, Any]:
        snapshot = station.snapshot()
        response.status_code = 200 if snapshot.get("healthy") else 503
        told = {"healthy": bool(snapshot.get("healthy")), "faults": snapshot.get("faults", [])}
        process = (snapshot.get("model") or {}).get("process")
        return {**told, "process": process} if process else told

    @api.get("/state")
    def state() -> dict[str, Any]:
        return station.snapshot()

    @api.get("/metrics")
    def metrics() -> Response:
        return Response(station.metrics(), media_type=CONTENT_TYPE_LATEST)


def _add_sessions(api: FastAPI, door: Door) -> None:
    @api.post("/session")
    def begin(user: Annotated[User, Depends(door.proved)]) -> dict[str, Any]:
        token, limits = door.sessions.begin(user), door.sessions.settings
        door.trail.write(Act(user.name, user.role, "login", "session"))
        return {
            "token": token, "name": user.name, "role": user.role,
            "idle_s": limits.idle_s, "longest_s": limits.longest_s,
        }  # fmt: skip

    @api.delete("/session")
    def end(token: Annotated[str, Depends(door.token)]) -> dict[str, str]:
        user = door.sessions.end(token)
        if user is not None:
            door.trail.write(Act(user.name, user.role, "logout", "session"))
        return {"result": "signed out"}

    @api.get("/whoami")
    def whoami(user: Annotated[User, Depends(door.user)]) -> dict[str, str]:
        return {"result": f"signed in as {user.name}, {user.role}"}


class ApiServer:
    """Runs an API on loopback in a thread of its own."""

    def __init__(self, api: FastAPI, port: int, host: str = "127.0.0.1") -> None:
        config = uvicorn.Config(
            # a page elsewhere could have a browser here read what is free to read
            TrustedHostMiddleware(api, [host, "localhost"]),
            log_level="warning", access_log=False, lifespan="off", ws="none",
            http=Bounded, backlog=MOST_OPEN,  # so many are taken in before one is turned away
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self.host, self.port = host, port
        """0 takes any free port; after `start` the one taken."""

    def start(self) -> None:
        """Serve from now on; raises ConfigError when the port is taken or it cannot."""
        try:
            listening = socket.create_server((self.host, self.port))
        except OSError as error:
            raise ConfigError(
                f"station.api_port = {self.port}: cannot listen on {self.host} "
                f"({os.strerror(error.errno or 0)}); choose another port"
            ) from error
        self.port = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="api", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise ConfigError(
                    f"the API on port {self.port} ended while it began: see the log"
                )
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop and wait for open requests."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(5)
