"""The outbox leaves by HTTP POST, for an MES: one event a request, in order.

The event's id goes along as Idempotency-Key, so that a request sent twice is booked once.
"""

import json
import logging
import sqlite3
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from common.config import setting
from common.errors import ConfigError, LinesideError
from common.store import Store
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, SinkState, Verdict, sink_state
from common.telemetry.event import EVENT_TYPE
from common.telemetry.outbox import WEBHOOK
from common.telemetry.outbox_rows import PRIORITIES, Row

POLL_S = 0.1
LOOK_S = 1.0
AT_ONCE, AT_ONCE_BYTES = 50, 1_000_000
"""Rows read from the outbox at a time."""
RESCAN_S = 10.0
log = logging.getLogger("lineside.telemetry")


@dataclass(frozen=True)
class WebhookSettings:
    """Where to post; the bearer token stays in its file."""

    url: str = setting()
    token_file: Path | None = setting(None)
    ca_file: Path | None = setting(None)
    """Who signs the server's certificate; None trusts what the system trusts."""
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")
    back_off_base_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    back_off_cap_s: float = setting(300.0, low=0.1, high=3600.0, unit="s")

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url = {self.url!r}: http:// or https:// is needed")
        try:
            httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ValueError(f"url = {self.url!r}: {error}") from error
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file come together")


def judge_status(code: int) -> Verdict:
    """The meaning of an HTTP status for the event that was posted."""
    if 200 <= code < 300:
        return Verdict.DELIVERED
    if 400 <= code < 500 and code not in (408, 429):
        return Verdict.NEVER
    return Verdict.LATER


@dataclass(slots=True)
class _Answer:
    verdict: Verdict
    reason: str = ""
    wait_s: float = 0.0
    """What the server asks for in Retry-After."""


class Webhook:
    """One station's way to its MES; raises ConfigError for unusable TLS files."""

    def __init__(self, store: Store, settings: WebhookSettings, sink: str = WEBHOOK) -> None:
        self._settings, self._clock = settings, store.clock
        self._drain = Drain(store, sink)
        self._http = httpx.Client(
            verify=_tls(settings), timeout=settings.timeout_s, trust_env=False
        )
        self._back_off = BackOff(settings.back_off_base_s, settings.back_off_cap_s)
        self._look_at = self._rescan_at = 0.0
        self._state = SinkState(
            online=False, since=self._clock.wall(), reason="nothing posted yet",
            queued=0, oldest_age_s=None, dead=0, sent=0,
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def start(self) -> None:
        """Begin to post, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End the thread; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._http.close()

    def state(self) -> SinkState:
        """How it fares: whether the last post arrived, and what waits."""
        return self._state

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except Exception:  # whatever it is, the station goes on and so do we
                log.exception("webhook: a bug; going on")
                self._stopping.wait(LOOK_S)
        self._drain.settle(time.monotonic())
        self._drain.close()

    def _round(self) -> None:
        now = time.monotonic()
        if self._drain.idle and now >= self._rescan_at:
            self._drain.restart(live_lane=False)
            self._rescan_at = now + RESCAN_S
        rows = self._drain.take(PRIORITIES, AT_ONCE, AT_ONCE_BYTES, live=True).rows
        self._rest(self._post_all(rows) if rows else POLL_S)

    def _post_all(self, rows: list[Row]) -> float:
        """Post in order up to the first that has to wait; gives the seconds to rest."""
        left = list(rows)
        try:
            while left and not self._stopping.is_set():
                answer = self._post(left[0])
                if answer.verdict is Verdict.LATER:
                    self._say(online=False, reason=answer.reason)
                    cap = self._settings.back_off_cap_s
                    return max(self._back_off.next(), min(answer.wait_s, cap))
                self._settle(left.pop(0), answer)
        finally:
            self._drain.put_back(left)
        return 0.0

    def _settle(self, row: Row, answer: _Answer) -> None:
        self._back_off.reset()
        if answer.verdict is Verdict.DELIVERED:
            self._drain.arrived([row])
        else:
            self._drain.refused([row], answer.reason)
        self._state_is(online=True, reason=answer.reason)

    def _post(self, row: Row) -> _Answer:
        headers = {"Content-Type": EVENT_TYPE, "Idempotency-Key": json.loads(row.payload)["id"]}
        try:
            headers |= self._authorisation()
            response = self._http.post(self._settings.url, content=row.payload, headers=headers)
        except LinesideError as error:
            return _Answer(Verdict.LATER, str(error))
        except httpx.HTTPError as error:
            return _Answer(
                Verdict.LATER, f"{self._settings.url}: {error or type(error).__name__}"
            )
        verdict = judge_status(response.status_code)
        if verdict is Verdict.DELIVERED:
            return _Answer(verdict)
        reason = f"{self._settings.url}: {response.status_code} {response.reason_phrase}"
        return _Answer(verdict, reason, _seconds(response.headers.get("Retry-After", "")))

    def _authorisation(self) -> dict[str, str]:
        """Read anew for every post, so that a changed token serves at once."""
        file = self._settings.token_file
        if file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {file.read_text('ascii').strip()}"}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: the token cannot be read ({error})") from error

    def _rest(self, wait_s: float) -> None:
        end = time.monotonic() + wait_s
        while True:
            now = time.monotonic()
            self._drain.settle(now)
            if now >= self._look_at:
                self._look_at = now + LOOK_S
                self._say(online=self._state.online, reason=self._state.reason)
            if now >= end or self._stopping.wait(min(end - now, POLL_S)):
                return

    def _say(self, *, online: bool, reason: str) -> None:
        try:
            self._drain.look()
        except (sqlite3.Error, LinesideError) as error:
            log.warning("webhook: the backlog cannot be read: %s", error)
        self._state_is(online=online, reason=reason)

    def _state_is(self, *, online: bool, reason: str) -> None:
        old = self._state
        if online != old.online:
            log.info("webhook %s %s", "online" if online else "offline", reason)
        since = old.since if online == old.online else self._clock.wall()
        self._state = sink_state(
            self._clock, self._drain, online=online, since=since, reason=reason
        )


def _tls(settings: WebhookSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{settings.url}: TLS files cannot be used ({error})") from error
    return context


def _seconds(retry_after: str) -> float:
    """Seconds asked for; a date, which depends on two clocks, counts as nothing."""
    return float(retry_after) if retry_after.isdecimal() else 0.0
