"""The station's own HTTP API: health, metrics, state, commands, optional inference.

It listens on loopback. Reading is free there; every command carries a user's credential
and a nonce, is checked here, carried out by the station's loop, and audited: a screen
passes a credential on, it never asserts a name.
"""

import base64
import json
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Annotated, Any, Protocol

import numpy as np
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from common.errors import ConfigError, LinesideError
from common.inference.decode import DecodeLimits, ImageRefused, decode_image
from common.users import User, Users

COMMAND_TIMEOUT_S = 5.0
REMEMBERED_NONCES = 10_000
MOST_ARGUMENT_BYTES = 100_000


class Commanded(Protocol):
    """What the API needs of a station. All of it may be called from another thread."""

    roles: dict[str, str]
    """Command name → the role it takes."""

    def snapshot(self) -> dict[str, Any]:
        """The station's state as JSON; "healthy" says whether it does its work."""

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        """Carry a command out in the loop's own thread."""

    def metrics(self) -> bytes:
        """Prometheus text."""


Infer = Callable[[np.ndarray], dict[str, Any]]
Authenticated = Callable[[str], User]
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="lineside", charset="UTF-8"'}


def build_api(station: Commanded, users: Users, infer: Infer | None = None) -> FastAPI:
    """The HTTP application of one station."""
    api = FastAPI(title="Lineside station", docs_url=None, redoc_url=None, openapi_url=None)

    def authenticated(authorization: Annotated[str, Header()] = "") -> User:
        user = users.authenticate(*_credentials(authorization))
        if user is None:
            text = "name or password wrong, or locked for half a minute"
            raise HTTPException(401, text, _CHALLENGE)
        return user

    _add_failures(api)
    _add_reading(api, station)
    _add_commands(api, station, authenticated)
    if infer is not None:
        _add_inference(api, infer, authenticated)
    return api


def _credentials(authorization: str) -> tuple[str, str]:
    """Name and password of a Basic header in UTF-8 (RFC 7617); FastAPI's takes ASCII only."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        text = ""
    name, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise HTTPException(401, "this takes a user's name and password", _CHALLENGE)
    return name, password


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
        return {"healthy": bool(snapshot.get("healthy")), "faults": snapshot.get("faults", [])}

    @api.get("/state")
    def state() -> dict[str, Any]:
        return station.snapshot()

    @api.get("/metrics")
    def metrics() -> Response:
        return Response(station.metrics(), media_type=CONTENT_TYPE_LATEST)


def _add_commands(api: FastAPI, station: Commanded, authenticated: Authenticated) -> None:
    nonces = Nonces()

    @api.get("/whoami")
    def whoami(user: Annotated[User, Depends(authenticated)]) -> dict[str, str]:
        return {"result": f"signed in as {user.name}, {user.role}"}

    @api.post("/commands/{name}")
    def command(
        name: str,
        user: Annotated[User, Depends(authenticated)],
        x_nonce: Annotated[str, Header(min_length=16, max_length=64)],
        arguments: Annotated[dict[str, Any], Depends(_arguments)],
    ) -> dict[str, Any]:
        _require_role(station, name, user)
        if not nonces.fresh(x_nonce):
            raise HTTPException(409, "this command was sent before")
        return {"result": _carried_out(station.command(name, arguments, user))}


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


async def _arguments(request: Request) -> dict[str, Any]:
    """The body as JSON; read only after the user is known, so nobody else can fill memory."""
    body = await _limited_body(request, MOST_ARGUMENT_BYTES)
    try:
        arguments = json.loads(body or b"{}", parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"the arguments are no JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise HTTPException(422, "the arguments must be a JSON object")
    return arguments


def _require_role(station: Commanded, name: str, user: User) -> None:
    role = station.roles.get(name)
    if role is None:
        raise HTTPException(404, f"no command {name}; there are {', '.join(station.roles)}")
    if not user.may(role):
        raise HTTPException(403, f"{name} takes the role {role}, {user.name} is {user.role}")


def _carried_out(future: "Future[Any]") -> Any:
    try:
        return future.result(COMMAND_TIMEOUT_S)
    except FutureTimeout as error:
        future.cancel()  # what the asker was told did not happen shall not happen later
        raise HTTPException(504, "the station did not carry it out in time") from error
    except (LinesideError, ValueError) as error:
        raise HTTPException(422, str(error)) from error


def _add_inference(api: FastAPI, infer: Infer, authenticated: Authenticated) -> None:
    limits = DecodeLimits()
    busy = threading.Lock()

    @api.post("/infer", dependencies=[Depends(authenticated)])
    async def inference(request: Request) -> dict[str, Any]:
        body = await _limited_body(request, limits.max_bytes)
        if not busy.acquire(blocking=False):  # the line comes first; callers try again
            raise HTTPException(503, "busy", headers={"Retry-After": "1"})
        try:
            return await run_in_threadpool(lambda: infer(decode_image(body, limits)))
        except ImageRefused as error:
            raise HTTPException(422, str(error)) from error
        except LinesideError as error:
            raise HTTPException(503, str(error)) from error
        finally:
            busy.release()


async def _limited_body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"at most {most} bytes are taken here")
    return bytes(body)


class Nonces:
    """Remembers the last nonces, so that a recorded command cannot be played again."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def fresh(self, nonce: str) -> bool:
        """True the first time a nonce is seen."""
        with self._lock:
            if nonce in self._seen:
                return False
            self._seen[nonce] = None
            if len(self._seen) > REMEMBERED_NONCES:
                self._seen.popitem(last=False)
            return True


class ApiServer:
    """Runs an API on loopback in a thread of its own."""

    def __init__(self, api: FastAPI, port: int, host: str = "127.0.0.1") -> None:
        config = uvicorn.Config(
            api, log_level="warning", access_log=False, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self.host, self.port = host, port
        """0 takes any free port; after `start` the one taken."""

    def start(self) -> None:
        """Begin to serve; raises ConfigError when the port is taken."""
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

    def stop(self) -> None:
        """Stop and wait for open requests."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(5)
