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

from common.errors import ConfigError, LinesideError
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
    """Pseudonyms of this gateway, and the way back; safe to use from several threads.

    What changes the map raises LinesideError where the disk does not take it.
    """

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
                known = {name: who for name, who in self._known.items() if name != pseudonym}
                known[pseudonym] = one
                if len(known) > MOST:
                    known.pop(next(iter(known)))
                self._keep(known, self._aliases)
        return pseudonym

    def merge(self, kept: str, ended: str, goes_by: str) -> None:
        """Two numbers are one person's, whose pseudonym here is `goes_by` from now on."""
        with self._mutex:
            known, before = dict(self._known), [self.pseudonym(n) for n in (kept, ended)]
            found = [known.pop(name, None) for name in before]
            known[goes_by] = Identity(kept, next((one.initials for one in found if one), ""))
            led = [own for own, name in self._aliases.items() if name in before]
            aliases = self._aliases | dict.fromkeys([*before, *led], goes_by)
            aliases.pop(goes_by, None)
            self._keep(known, aliases)

    def real(self, pseudonym: str) -> Identity | None:
        """Who that is; None where it is not known (any more)."""
        return self._known.get(pseudonym)

    def forget(self, pseudonym: str) -> None:
        """Lose the way back for good: what is recorded of them stays a stranger's."""
        with self._mutex:
            known = dict(self._known)
            gone = known.pop(pseudonym, None)
            self._keep(known, {a: p for a, p in self._aliases.items() if p != pseudonym})
            if gone is not None:
                self._made.pop(gone.number, None)

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

    def _keep(self, known: dict[str, Identity], aliases: dict[str, str]) -> None:
        """Know from now on what stands on disk; where that fails nothing changes."""
        people = {name: asdict(one) for name, one in known.items()}
        plain = json.dumps({"known": people, "aliases": aliases}).encode()
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            write_whole(self._path, nonce + self._cipher.encrypt(nonce, plain, MADE_FOR))
        except OSError as error:
            raise LinesideError(
                f"{self._path.name}: cannot be written ({error.strerror})"
            ) from error
        self._known, self._aliases = known, aliases
