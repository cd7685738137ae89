"""Who is signed in at a station: random tokens, kept in memory and for a limited time.

A token stands for a password that was right once, so that nobody has to keep the password.
Only its hash is kept here. It ends when nobody uses it for a while, at the latest after a
shift, with a restart of the station, and when its user gets another password or role.
"""

import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from common.config import setting
from common.users import Standing, User, Users

TOKEN_BYTES = 32
MOST_SESSIONS = 1000


@dataclass(frozen=True)
class SessionSettings:
    """How long somebody stays signed in."""

    idle_s: float = setting(900.0, low=30.0, high=86_400.0, unit="s")
    """Without a command for this long the session ends: panels are shared."""
    longest_s: float = setting(43_200.0, low=60.0, high=604_800.0, unit="s")
    """It ends after this long in any case: one shift."""


@dataclass(slots=True)
class _Session:
    standing: Standing
    begun: float
    used: float
    """Monotonic seconds."""


class Sessions:
    """The sessions of one station; safe to use from several threads."""

    def __init__(self, users: Users, settings: SessionSettings | None = None) -> None:
        self._users, self._clock = users, users.clock
        self.settings = settings or SessionSettings()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self._mutex = threading.Lock()

    def begin(self, user: User) -> str:
        """A new token for `user`, who has just proved who they are."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.monotonic()
        standing = self._users.find(user.name) or Standing(user, "")
        with self._mutex:
            self._sessions[_key(token)] = _Session(standing, now, now)
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return token

    def user(self, token: str) -> User | None:
        """Whose token this is, which counts as use; None when it is none or has ended."""
        key, now = _key(token), self._clock.monotonic()
        with self._mutex:
            session = self._sessions.get(key)
            if session is None:
                return None
            if self._over(session, now):
                del self._sessions[key]
                return None
            session.used = now
            return session.standing.user

    def end(self, token: str) -> User | None:
        """Forget a token; gives whose it was."""
        with self._mutex:
            session = self._sessions.pop(_key(token), None)
        return session.standing.user if session else None

    def _over(self, session: _Session, now: float) -> bool:
        late = (
            now - session.used >= self.settings.idle_s
            or now - session.begun >= self.settings.longest_s
        )
        return late or self._users.find(session.standing.user.name) != session.standing


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


REMEMBERED_NONCES = 10_000


class Nonces:
    """Remembers the last nonces, so that a recorded command cannot be played again."""

    def __init__(self, most: int = REMEMBERED_NONCES) -> None:
        self._most = most
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def fresh(self, nonce: str) -> bool:
        """True the first time a nonce is seen."""
        with self._lock:
            if nonce in self._seen:
                return False
            self._seen[nonce] = None
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
            return True
