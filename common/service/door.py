"""The door of a station's API: who is asking, and a trail of everybody who was refused.

Two keys open it: a name with its password (Basic, for scripts), and the token of a session
(Bearer, for screens). Refusals are audited up to a number per minute; beyond it they are
counted, and the next row says how many there were: guessing must not fill the disk.
"""

import base64
import logging
import threading
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, HTTPException

from common.arguments import visible
from common.audit import Act
from common.ports import Clock
from common.sessions import Sessions
from common.users import Proof, User, Users

Audit = Callable[[Act], object]
"""Appends an act to the trail, e.g. partial(audit.submit, store)."""
REFUSALS_PER_MINUTE = 30
SHOWN_NAME = 64
PROVING_AT_ONCE = 4
"""A proof takes long by intent: guesses must not hold up who has a token already."""
CROWD = "too many are signing in at once: try again"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="lineside", charset="UTF-8"'}
log = logging.getLogger(__name__)


def unaudited(act: Act) -> None:
    """Where a station has no trail, e.g. in a test: the log has it."""
    log.info("%s %s %s", act.user, act.action, act.target)


class Trail:
    """Writes to the audit trail; of refusals only so many a minute, the rest is counted."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit, self._clock = audit, clock
        self._mutex = threading.Lock()
        self._room, self._filled = float(REFUSALS_PER_MINUTE), clock.monotonic()
        self._unwritten = 0

    def write(self, act: Act) -> None:
        """Append what somebody did."""
        self._audit(act)

    def refuse(self, user: str, role: str, action: str, target: str, why: str) -> None:
        """Append that somebody was refused, or count it."""
        with self._mutex:
            now = self._clock.monotonic()
            self._room += (now - self._filled) * REFUSALS_PER_MINUTE / 60
            self._room, self._filled = min(self._room, REFUSALS_PER_MINUTE), now
            if self._room < 1:
                self._unwritten += 1
                return
            self._room -= 1
            unwritten, self._unwritten = self._unwritten, 0
        more = f"; {unwritten} refusals before this were only counted" if unwritten else ""
        self._audit(Act(visible(user[:SHOWN_NAME]), role, action, target, why + more))


class Door:
    """Says who is asking; raises HTTPException 401 for whoever cannot say."""

    def __init__(self, users: Users, sessions: Sessions, trail: Trail) -> None:
        self._users, self.sessions, self.trail = users, sessions, trail
        self._proving = threading.BoundedSemaphore(PROVING_AT_ONCE)

    def user(self, authorization: Annotated[str, Header()] = "") -> User:
        """The user of a Basic or a Bearer header."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._holder(given.strip())
        return self.proved(authorization)

    def proved(self, authorization: Annotated[str, Header()] = "") -> User:
        """The user of a Basic header: somebody who gave the password itself."""
        name, password = self._read(authorization)
        if not self._proving.acquire(blocking=False):
            self.trail.refuse(name, "", "login refused", "api", CROWD)
            raise HTTPException(503, CROWD, {"Retry-After": "1"})
        try:
            login = self._users.check(name, password)
        finally:
            self._proving.release()
        if login.user is not None:
            return login.user
        action = "locked out" if login.proof is Proof.LOCKING else "login refused"
        self.trail.refuse(name, "", action, "api", login.proof.value)
        raise HTTPException(
            401, "name or password wrong, or locked for half a minute", CHALLENGE
        )

    def _read(self, authorization: str) -> tuple[str, str]:
        try:
            return _basic(authorization)
        except ValueError as error:
            if authorization:
                self.trail.refuse("", "", "login refused", "api", str(error))
            raise HTTPException(401, str(error), CHALLENGE) from error

    def token(self, authorization: Annotated[str, Header()] = "") -> str:
        """The token of a Bearer header, good or not."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise HTTPException(401, "this takes the token of a session", CHALLENGE)
        return given.strip()

    def _holder(self, token: str) -> User:
        user = self.sessions.user(token)
        if user is None:
            why = "the token is not known or has ended"
            self.trail.refuse("", "", "session refused", "api", why)
            raise HTTPException(401, "the session has ended: sign in again", CHALLENGE)
        return user


def _basic(authorization: str) -> tuple[str, str]:
    """Name and password of a Basic header in UTF-8 (RFC 7617); FastAPI's takes ASCII only."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        text = ""
    name, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ValueError("this takes a user's name and password")
    return name, password
