"""The outbox leaves by e-mail: one letter per event, to the one recipient it names.

A server that is away, or that does not take our password, keeps everything waiting and is
tried again; a recipient who is put off holds up no other; a letter that is refused for good
becomes a dead letter with the server's words.
"""

import logging
import re
import smtplib
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from common.config import setting
from common.errors import ConfigError, LinesideError
from common.store import Store
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, SinkState, Verdict, sink_state
from common.telemetry.outbox_rows import EMAIL, NEVER_DROPPED, Row
from common.tls import client_context

POLL_S = 0.5
LOOK_S = 1.0
RESCAN_S = 10.0
AT_ONCE, AT_ONCE_BYTES = 50, 1_000_000
"""Rows read from the outbox at a time."""
SHOWN = 200
"""Characters kept of what the server said."""
Compose = Callable[[bytes], EmailMessage]
"""Makes the letter of an event's JSON; raises ValueError where there is none in it."""
log = logging.getLogger("lineside.telemetry")
_ADDRESS = re.compile(r"[!-~]+@[!-~]+")
_FORBIDDEN = set('<>,;:"()[]\\')


def is_address(text: str) -> bool:
    """Whether it is one plain e-mail address in ASCII, without a name beside it."""
    plain = text.count("@") == 1 and not _FORBIDDEN & set(text)
    return plain and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class EmailSettings:
    """The mail server; the password stays in its file."""

    host: str = setting()
    sender: str = setting()
    """The address in From."""
    port: int = setting(587, low=1, high=65_535)
    security: str = setting("starttls", choices=("starttls", "tls", "none"))
    """"none" only within one machine or a network of its own, and never with a password."""
    user: str = setting("")
    """Empty: the server takes mail without signing in."""
    password_file: Path | None = setting(None)
    ca_file: Path | None = setting(None)
    """Who signs the server's certificate; None trusts what the system trusts."""
    timeout_s: float = setting(20.0, low=0.1, high=120.0, unit="s")
    back_off_base_s: float = setting(5.0, low=0.01, high=60.0, unit="s")
    back_off_cap_s: float = setting(300.0, low=0.1, high=3600.0, unit="s")

    def __post_init__(self) -> None:
        if not is_address(self.sender):
            raise ValueError(f"sender = {self.sender!r}: is no e-mail address")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file come together")
        if self.user and self.security == "none":
            raise ValueError('security = "none": the password would go in the clear')


@dataclass(slots=True)
class _Letter:
    """One row under way."""

    row: Row
    back_off: BackOff
    not_before: float = 0.0
    """Monotonic s."""


class Mail:
    """One station's way to its mail server; raises ConfigError for unusable TLS files."""

    def __init__(self, store: Store, settings: EmailSettings, compose: Compose) -> None:
        self._settings, self._compose, self._clock = settings, compose, store.clock
        self._tls = client_context(f"{settings.host}: TLS files", settings.ca_file)
        self._drain = Drain(store, EMAIL)
        self._back_off = self._new_back_off()
        self._letters: list[_Letter] = []
        self._connect_at = self._look_at = self._rescan_at = 0.0
        self._state = SinkState(
            online=False, since=self._clock.wall(), reason="nothing sent yet",
            queued=0, oldest_age_s=None, dead=0, sent=0,
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail", daemon=True)

    def start(self) -> None:
        """Begin to send, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End the thread; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def state(self) -> SinkState:
        """How it fares: whether the server was last reached, and what waits."""
        return self._state

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round(time.monotonic())
            except Exception:  # whatever it is, the station goes on and so do we
                log.exception("mail: a bug; going on")
                self._stopping.wait(LOOK_S)
            self._stopping.wait(POLL_S)
        self._drain.settle(time.monotonic())
        self._drain.close()

    def _round(self, now: float) -> None:
        self._drain.settle(now)
        if self._drain.idle and now >= self._rescan_at:
            self._drain.restart(live_lane=False)
            self._rescan_at = now + RESCAN_S
        taken = self._drain.take((NEVER_DROPPED,), AT_ONCE, AT_ONCE_BYTES, live=True)
        self._letters += [_Letter(row, self._new_back_off()) for row in taken.rows]
        ripe = [letter for letter in self._letters if letter.not_before <= now]
        if ripe and now >= self._connect_at:
            self._send_all(ripe)
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._say(online=self._state.online, reason=self._state.reason)

    def _new_back_off(self) -> BackOff:
        return BackOff(self._settings.back_off_base_s, self._settings.back_off_cap_s)

    def _send_all(self, letters: list[_Letter]) -> None:
        try:
            with self._connected() as server:
                self._back_off.reset()
                self._say(online=True, reason="")
                for letter in letters:
                    if self._stopping.is_set():
                        return
                    self._send(server, letter)
        except (smtplib.SMTPException, OSError, LinesideError) as error:
            self._connect_at = time.monotonic() + self._back_off.next()
            self._say(online=False, reason=f"{self._settings.host}: {_said(error)}")

    def _send(self, server: smtplib.SMTP, letter: _Letter) -> None:
        """Send one; what is wrong with the connection is raised."""
        try:
            server.send_message(self._compose(letter.row.payload))
        except ValueError as error:
            self._done(letter, Verdict.NEVER, f"cannot be written as a letter: {error}")
        except smtplib.SMTPServerDisconnected:
            raise
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            code, text = _answer(error)
            verdict = Verdict.NEVER if 500 <= code < 600 else Verdict.LATER
            self._done(letter, verdict, text)
        else:
            self._done(letter, Verdict.DELIVERED)

    def _done(self, letter: _Letter, verdict: Verdict, reason: str = "") -> None:
        if verdict is Verdict.LATER:
            letter.not_before = time.monotonic() + letter.back_off.next()
            self._say(online=True, reason=reason)
            return
        self._letters.remove(letter)
        if verdict is Verdict.DELIVERED:
            self._drain.arrived([letter.row])
        else:
            self._drain.refused([letter.row], reason)
            self._say(online=True, reason=reason)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A server that took our name and password, where it wants them."""
        settings = self._settings
        with self._server() as server:
            if settings.security == "starttls":
                server.starttls(context=self._tls)
            if settings.user:
                server.login(settings.user, self._password())
            yield server

    def _server(self) -> smtplib.SMTP:
        settings, name = self._settings, socket.gethostname()
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                settings.host, settings.port, name, timeout=settings.timeout_s,
                context=self._tls,
            )  # fmt: skip
        return smtplib.SMTP(settings.host, settings.port, name, timeout=settings.timeout_s)

    def _password(self) -> str:
        """Read anew for every connection, so that a changed password serves at once."""
        file = self._settings.password_file
        try:
            return file.read_text("utf-8").strip() if file else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: the password cannot be read ({error})") from error

    def _say(self, *, online: bool, reason: str) -> None:
        try:
            self._drain.look()
        except (sqlite3.Error, LinesideError) as error:
            log.warning("mail: the backlog cannot be read: %s", error)
        old = self._state
        if online != old.online:
            log.info("mail %s %s", "online" if online else "offline", reason)
        since = old.since if online == old.online else self._clock.wall()
        self._state = sink_state(
            self._clock, self._drain, online=online, since=since, reason=reason
        )


def _answer(
    error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError,
) -> tuple[int, str]:
    """The server's code and words about one letter."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code, f"{error.smtp_code} {_words(error.smtp_error)}"
    code, text = next(iter(error.recipients.values()))
    return code, f"{code} {_words(text)}"


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    plain = error.strerror if isinstance(error, OSError) else ""
    return (plain or str(error) or type(error).__name__)[:SHOWN]


def _words(text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:SHOWN]
