"""Who may command a station: local users, three roles, no default password.

Passwords are kept as scrypt hashes (RFC 7914) in a file only the station can read. The
first start makes one engineer with a random password and says it once. scrypt comes with
Python and is memory-hard; argon2 would be one compiled package more for the same strength.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.errors import ConfigError
from common.ports import Clock
from common.whole_file import write_whole

ROLES = ("viewer", "operator", "engineer")  # each may do all that those before it may
ALLOWED_FAILURES = 5
LOCK_S = 30.0
REMEMBERED_NAMES = 1000
_COST = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True)
class User:
    """Somebody who proved who they are."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this user's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Proof(StrEnum):
    """What came of a name and a password."""

    RIGHT = "right"
    WRONG = "name or password wrong"
    LOCKING = "name or password wrong; the name is now locked"
    LOCKED = "the name is locked"


@dataclass(frozen=True)
class Login:
    """One attempt to prove who somebody is."""

    proof: Proof
    user: User | None = None
    """None unless the proof is right."""


@dataclass(frozen=True)
class Standing:
    """A user as the file has it now."""

    user: User
    mark: str
    """Changes with every new password."""


class Users:
    """The user file `path`; made on first use."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self.clock = path, clock
        self._failures: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()  # guesses sent side by side are counted one by one

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
        if not re.fullmatch(r"\w{1,64}", name):
            raise ConfigError(f"user name {name!r} must be 1 to 64 letters, digits and _")
        if not 8 <= len(password) <= 1000:
            raise ConfigError("a password has 8 to 1000 characters")
        salt = secrets.token_bytes(16)
        entry = {"role": role, "salt": _text(salt), "hash": _text(_hash(password, salt))}
        self._write({**self._table(), name: entry})

    def remove(self, name: str) -> None:
        """Take a user's access away, sessions included; raises ConfigError for a stranger."""
        table = self._table()
        if table.pop(name, None) is None:
            raise ConfigError(f"{self._path}: there is no user {name!r}")
        self._write(table)

    def check(self, name: str, password: str) -> Login:
        """What a proof is worth; after five failures a name is locked for half a minute."""
        with self._lock:
            return self._checked(name, password)

    def find(self, name: str) -> Standing | None:
        """The user of that name now; None when there is none (any more)."""
        entry = self._table().get(name)
        return Standing(User(name, entry["role"]), entry["salt"]) if entry else None

    def _checked(self, name: str, password: str) -> Login:
        failures, since = self._failures.get(name, (0, 0.0))
        now = self.clock.monotonic()
        if failures >= ALLOWED_FAILURES and now - since < LOCK_S:
            return Login(Proof.LOCKED)
        entry = self._table().get(name)
        salt = base64.b64decode(entry["salt"]) if entry else b"none"
        given = _hash(password, salt)  # unknown names take as long as known ones
        if entry and hmac.compare_digest(given, base64.b64decode(entry["hash"])):
            self._failures.pop(name, None)
            return Login(Proof.RIGHT, User(name, entry["role"]))
        failures = failures % ALLOWED_FAILURES + 1
        self._failures.pop(name, None)
        self._failures[name] = (failures, now)
        if len(self._failures) > REMEMBERED_NAMES:
            self._failures.pop(next(iter(self._failures)))  # the oldest
        return Login(Proof.LOCKING if failures == ALLOWED_FAILURES else Proof.WRONG)

    def _write(self, table: dict[str, dict[str, str]]) -> None:
        write_whole(self._path, json.dumps(table, indent=1).encode())

    def _table(self) -> dict[str, dict[str, str]]:
        if not self._path.exists():
            return {}
        try:
            table = json.loads(self._path.read_text("utf-8"))
            return {name: _entry(**entry) for name, entry in table.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self._path}: unreadable; remove it to start anew") from error


def _entry(role: str, salt: str, hash: str) -> dict[str, str]:  # noqa: A002 - the file's word
    if role not in ROLES:
        raise ValueError(role)
    base64.b64decode(salt, validate=True)
    base64.b64decode(hash, validate=True)
    return {"role": role, "salt": salt, "hash": hash}


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
