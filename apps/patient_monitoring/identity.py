"""Who is behind a pseudonym: known on this gateway alone, and encrypted where it is kept.

At ingest a hospital's number becomes a pseudonym, by HMAC-SHA-256 under this gateway's key:
the same number gives the same pseudonym, and without the key nobody finds the way back by
trying numbers. The way back that a ward needs (its screen shows initials, its EHR wants the
number) is a small map in a file of its own, AES-256-GCM under the same key file. Whoever
copies the station's file, its telemetry or its backups gets pseudonyms.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import ConfigError
from common.whole_file import sync_folder, write_whole

KEY_BYTES, NONCE_BYTES = 64, 12
"""Half of the key is the pseudonyms', half the file's."""
MADE_FOR = b"lineside identities 1"
MOST = 100_000
"""People remembered; beyond it the oldest entry goes: its records stay pseudonymous."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of the person behind a pseudonym."""

    number: str
    """With its authority: "HOSP:MRN123"."""
    initials: str = ""

    @property
    def mrn(self) -> str:
        """The number alone."""
        return self.number.partition(":")[2]

    @property
    def authority(self) -> str:
        """Who gave the number; may be empty."""
        return self.number.partition(":")[0]


def read_key(path: Path) -> bytes:
    """The gateway's key, made on first use; raises ConfigError where others can read it."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read this key; chmod 600 it")
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path}: is no key of this station ({len(key)} bytes)")
    return key


class KeyMap:
    """Pseudonyms of this gateway, and the way back; safe to use from several threads."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path, self._hmac_key = path, key[: KEY_BYTES // 2]
        self._cipher = AESGCM(key[KEY_BYTES // 2 :])
        self._mutex = threading.Lock()
        self._known: dict[str, Identity] = {}
        self._aliases: dict[str, str] = {}
        """After a merge: a number's own pseudonym → the one the person goes on under."""
        self._made: dict[str, str] = {}
        self._load()

    def pseudonym(self, number: str) -> str:
        """The pseudonym that this number goes by here."""
        own = self._own(number)
        return self._aliases.get(own, own)

    def _own(self, number: str) -> str:
        made = self._made.get(number)
        if made is None:
            digest = hmac.digest(self._hmac_key, number.encode(), hashlib.sha256)
            made = "p-" + base64.b32encode(digest[:10]).decode().lower()
            if len(self._made) < MOST:
                self._made[number] = made
        return made

    def remember(self, number: str, initials: str = "") -> str:
        """Keep the way back to a number; gives its pseudonym."""
        pseudonym = self.pseudonym(number)
        with self._mutex:
            before = self._known.get(pseudonym)
            one = Identity(number, initials or (before.initials if before else ""))
            if before != one:
                self._known.pop(pseudonym, None)
                self._known[pseudonym] = one
                if len(self._known) > MOST:
                    self._known.pop(next(iter(self._known)))
                self._save()
        return pseudonym

    def merge(self, kept: str, ended: str, goes_by: str) -> None:
        """Two numbers are one person's, whose pseudonym here is `goes_by` from now on."""
        with self._mutex:
            before = [self._known.pop(self.pseudonym(n), None) for n in (kept, ended)]
            initials = next((one.initials for one in before if one), "")
            for number in (kept, ended):
                own = self._own(number)
                self._aliases.pop(own, None)
                if own != goes_by:
                    self._aliases[own] = goes_by
            self._known[goes_by] = Identity(kept, initials)
            self._save()

    def real(self, pseudonym: str) -> Identity | None:
        """Who that is; None where it is not known (any more)."""
        return self._known.get(pseudonym)

    def forget(self, pseudonym: str) -> None:
        """Lose the way back for good: what is recorded of them stays a stranger's."""
        with self._mutex:
            gone = self._known.pop(pseudonym, None)
            self._aliases = {a: p for a, p in self._aliases.items() if p != pseudonym}
            if gone is not None:
                self._made.pop(gone.number, None)
                self._save()

    def _load(self) -> None:
        if not self._path.exists():
            return
        sealed = self._path.read_bytes()
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], MADE_FOR)
            document = json.loads(plain)
            known = {name: Identity(**one) for name, one in document["known"].items()}
        except (InvalidTag, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{self._path}: was altered or sealed under another key; restore the key, or "
                "remove the file: pseudonyms then stay without names"
            ) from error
        self._known, self._aliases = known, document["aliases"]

    def _save(self) -> None:
        known = {name: asdict(one) for name, one in self._known.items()}
        plain = json.dumps({"known": known, "aliases": self._aliases}).encode()
        nonce = secrets.token_bytes(NONCE_BYTES)
        write_whole(self._path, nonce + self._cipher.encrypt(nonce, plain, MADE_FOR))
