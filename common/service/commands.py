"""POST /commands/{name}: checked here, carried out by the station's loop, refusals audited."""

import logging
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Header, HTTPException

from common.arguments import unchanged, visible
from common.errors import LinesideError
from common.service.body import arguments as body_arguments
from common.service.door import Door, Trail
from common.sessions import Nonces
from common.users import User

COMMAND_TIMEOUT_S = 5.0
REASON_FROM = "engineer"
"""Commands that take this role take a reason: they change how a plant is watched."""
SHOWN = 200
"""Characters that the trail keeps of what was asked and why it was refused."""
NOT_BEGUN = "the station did not get to it in time, and will not do it"
UNDER_WAY = "the station is still at it; look what came of it before you repeat it"
log = logging.getLogger(__name__)


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
        asked = _Asked(door.trail, user, f"command/{visible(name[:SHOWN])}")
        try:
            _require_role(station, name, user)
            _require_reason(station, name, arguments)
            _require_fresh(nonces, x_nonce)
            future = station.command(name, arguments, user)
            if settled := _settled(future):
                result = _result(future)
        except HTTPException as error:
            asked.refused(str(error.detail))
            raise
        if not settled:
            future.add_done_callback(asked.settled_late)
            raise HTTPException(504, UNDER_WAY)
        asked.answered(result)
        return {"result": result}


@dataclass(frozen=True)
class _Asked:
    """What the trail has to be told of a command; of what was done, the deed itself tells."""

    trail: Trail
    user: User
    target: str

    def refused(self, why: str, action: str = "command refused") -> None:
        self.trail.refuse(self.user.name, self.user.role, action, self.target, why[:SHOWN])

    def answered(self, result: Any) -> None:
        if why := unchanged(result):
            self.refused(why, "command without effect")

    def settled_late(self, future: "Future[Any]") -> None:
        """After the asker was told to look: nobody but the trail hears of it any more."""
        error = future.exception()
        if error is None:
            self.answered(future.result())
        elif isinstance(error, LinesideError | ValueError):
            self.refused(str(error))
        else:
            log.error("%s: a bug; going on", self.target, exc_info=error)
            self.refused(f"{type(error).__name__}, see the station's log", "command failed")


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


def _settled(future: "Future[Any]") -> bool:
    """Whether the station has answered in time; False: it is at it, and nothing stops it.

    Raises HTTPException 504 where it had not begun: then it never will, as the asker is told.
    """
    wait([future], COMMAND_TIMEOUT_S)
    if future.cancel():
        raise HTTPException(504, NOT_BEGUN)
    return future.done()


def _result(future: "Future[Any]") -> Any:
    try:
        return future.result(0)
    except (LinesideError, ValueError) as error:
        raise HTTPException(422, str(error)) from error
