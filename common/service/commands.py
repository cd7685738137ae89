"""POST /commands/{name}: checked here, carried out by the station's loop, refusals audited."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Header, HTTPException

from common.arguments import unchanged
from common.errors import LinesideError
from common.service.body import arguments as body_arguments
from common.service.door import Door
from common.sessions import Nonces
from common.users import User

COMMAND_TIMEOUT_S = 5.0
REASON_FROM = "engineer"
"""Commands that take this role take a reason: they change how a plant is watched."""
SHOWN = 200
"""Characters that the trail keeps of what was asked and why it was refused."""


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


def add_commands(api: FastAPI, station: Commanded, door: Door) -> None:
    """Take commands for `station`."""
    nonces = Nonces()

    @api.post("/commands/{name}")
    def command(
        name: str,
        user: Annotated[User, Depends(door.user)],
        x_nonce: Annotated[str, Header(min_length=16, max_length=64)],
        arguments: Annotated[dict[str, Any], Depends(body_arguments)],
    ) -> dict[str, Any]:
        target = f"command/{name[:SHOWN]}"
        try:
            _require_role(station, name, user)
            _require_reason(station, name, arguments)
            _require_fresh(nonces, x_nonce)
            result = _carried_out(station.command(name, arguments, user))
        except HTTPException as error:
            why = str(error.detail)[:SHOWN]
            door.trail.refuse(user.name, user.role, "command refused", target, why)
            raise
        if why := unchanged(result)[:SHOWN]:
            door.trail.refuse(user.name, user.role, "command without effect", target, why)
        return {"result": result}


def _require_role(station: Commanded, name: str, user: User) -> None:
    role = station.roles.get(name)
    if role is None:
        raise HTTPException(404, f"no command {name}; there are {', '.join(station.roles)}")
    if not user.may(role):
        raise HTTPException(403, f"{name} takes the role {role}, {user.name} is {user.role}")


def _require_fresh(nonces: Nonces, nonce: str) -> None:
    if not nonces.fresh(nonce):
        raise HTTPException(409, "this command was sent before")


def _require_reason(station: Commanded, name: str, arguments: dict[str, Any]) -> None:
    reason = arguments.get("reason")
    given = isinstance(reason, str) and bool(reason.strip())
    if station.roles[name] == REASON_FROM and not given:
        raise HTTPException(422, f"{name} takes a reason")


def _carried_out(future: "Future[Any]") -> Any:
    try:
        return future.result(COMMAND_TIMEOUT_S)
    except FutureTimeout as error:
        future.cancel()  # what the asker was told did not happen shall not happen later
        raise HTTPException(504, "the station did not carry it out in time") from error
    except (LinesideError, ValueError) as error:
        raise HTTPException(422, str(error)) from error
