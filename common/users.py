"""Who may command a station: local users, three roles, no default password.

Passwords are kept as scrypt hashes (RFC 7914) in a file only the station can read. The
first start makes one engineer with a random password and says it once.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError
from common.ports import Clock

ROLES = ("viewer", "operator", "engineer")  # each may do all that those before it may
ALLOWED_FAILURES = 5
LOCK_S = 30.0
_COST = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True)
class User:
    """Somebody who proved who they are."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this user's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Users:
    """The user file `path`; made on first use."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._failures: dict[str, tuple[int, float]] = {}

    def first_password(self) -> str | None:
        """Make the first engineer; its password, or None when there are users already."""
        if self._path.exists():
            return None
        password = secrets.token_urlsafe(9)
        self.add("engineer", "engineer", password)
        return password

    def add(self, name: str, role: str, password: str) -> None:
        """Add or replace a user; raises ConfigError on a bad name, role or password."""
        if role not in ROLES:
            raise ConfigError(f"role {role!r}; allowed: {', '.join(ROLES)}")
        if not name.isidentifier():
            raise ConfigError(f"user name {name!r} must be letters, digits and _")
        if len(password) < 8:
            raise ConfigError("a password has at least 8 characters")
        salt = secrets.token_bytes(16)
        entry = {"role": role, "salt": _text(salt), "hash": _text(_hash(password, salt))}
        table = {**self._table(), name: entry}
        self._path.touch(mode=0o600, exist_ok=True)
        self._path.write_text(json.dumps(table, indent=1))

    def authenticate(self, name: str, password: str) -> User | None:
        """The user, or None; after five failures a name is locked for half a minute."""
        failures, since = self._failures.get(name, (0, 0.0))
        now = self._clock.monotonic()
        if failures >= ALLOWED_FAILURES and now - since < LOCK_S:
            return None
        entry = self._table().get(name)
        salt = base64.b64decode(entry["salt"]) if entry else b"none"
        given = _hash(password, salt)  # unknown names take as long as known ones
        if entry and hmac.compare_digest(given, base64.b64decode(entry["hash"])):
            self._failures.pop(name, None)
            return User(name, entry["role"])
        self._failures[name] = (failures % ALLOWED_FAILURES + 1, now)
        return None

    def _table(self) -> dict[str, dict[str, str]]:
        if not self._path.exists():
            return {}
        try:
            table: dict[str, dict[str, str]] = json.loads(self._path.read_text())
        except ValueError as error:
            raise ConfigError(f"{self._path}: unreadable; remove it to start anew") from error
        return table


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
