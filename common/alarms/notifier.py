"""Tells people of alarms that nobody takes note of: decides, queues, sends, keeps receipts.

    notifier = Notifier(board, store, outbox, settings, clock, sinks=("mqtt",))
    notifier.start()
    snapshot["notification"] = notifier.state()
    notifier.stop()          # before the store is closed

Who has been told is stored in the transaction that queues the message: killed at any
point, no step is lost and none is queued twice. A store that refuses changes nothing; the
next turn decides anew.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import asdict, replace
from email.message import EmailMessage
from functools import partial
from typing import Any

from common import meta
from common.alarms import escalation, notification_letters
from common.alarms.board import AlarmBoard
from common.alarms.escalation import Decision
from common.alarms.notification import EMAIL, MQTT, WEBHOOK, NotificationSettings
from common.alarms.notification_letters import Desk, Letter, spelled
from common.alarms.notification_memory import KEY, SHOWN, Memory, recalled
from common.alarms.notification_text import letter as as_letter
from common.alarms.persist import machine_boot
from common.alarms.shelving import Moment
from common.canonical import read_object
from common.errors import ConfigError, LinesideError
from common.ports import Clock
from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry import outbox_rows as rows
from common.telemetry.drain import SinkState
from common.telemetry.event import decode_event
from common.telemetry.mail import EmailSettings, Mail
from common.telemetry.outbox import Outbox
from common.telemetry.webhook import Webhook

TURN_S = 1.0
STORE_S = 5.0
"""How long a turn waits for the store; later turns go on waiting."""
SHOWN_ALARMS = 10
log = logging.getLogger("lineside.alarms")


class Notifier:
    """One station's escalation; raises ConfigError for settings that cannot work."""

    def __init__(
        self,
        alarms: AlarmBoard,
        store: Store,
        outbox: Outbox,
        settings: NotificationSettings,
        clock: Clock,
        *,
        sinks: Sequence[str] = (),
    ) -> None:
        self._alarms, self._store, self._settings, self._clock = alarms, store, settings, clock
        _check(settings, sinks)
        self._desk = Desk(outbox, clock, store.boot_id, tuple(sinks), settings)
        self._boot = machine_boot(store)
        self._senders = _senders(store, settings) if settings.enabled else {}
        document = store.submit(partial(meta.get, key=KEY)).result()
        self._memory = recalled(document, self._now())
        self._writing: Future[Memory] | None = None
        self._trouble = ""
        self._nobody: set[str] = set()
        """Roles of alarms that no step reaches."""
        self._reader: sqlite3.Connection | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin; where it is switched off, only what waits from before is given up."""
        self._give_up()
        if self._settings.enabled:
            for sender in self._senders.values():
                sender.start()
            self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End all threads; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        for sender in self._senders.values():
            sender.stop(timeout_s)

    def state(self) -> dict[str, Any]:
        """How notification fares, for the snapshot."""
        memory = self._memory
        return {
            "enabled": self._settings.enabled,
            "trouble": self._trouble or self._unreached(),
            "channels": {name: _told(one.state()) for name, one in self._senders.items()},
            "open": [_shown(letter) for letter in memory.open[-SHOWN:]],
            "open_count": len(memory.open),
            "last": [_shown(letter) for letter in memory.last],
            "delivered": memory.delivered,
            "refused": memory.refused,
        }

    def turn(self) -> None:
        """Look once, and queue what is due."""
        if not self._written():
            return
        now = self._now()
        done = self._closed(now)
        before = self._memory.closed(done)
        busy = {one.recipient for one in before.open if one.channel != MQTT}
        alarms = self._alarms.summary()
        decision = escalation.decide(self._settings, before.escalation, alarms, busy, now)
        self._look_for_nobody({alarm.definition.role for alarm in alarms})
        if done or decision.escalation != before.escalation:
            write = partial(self._write, before=before, done=done, decision=decision, now=now)
            self._writing = self._store.submit(write, of_class=rows.NEVER_DROPPED)
            self._written()

    def _look_for_nobody(self, roles: set[str]) -> None:
        for role in self._settings.without_address(roles - self._nobody):
            self._nobody.add(role)
            log.warning("notification: nobody is told, %s", self._unreached())

    def _unreached(self) -> str:
        names = ", ".join(sorted(self._nobody))
        return f"no address in [notification.groups] for {names}" if names else ""

    def _now(self) -> Moment:
        return Moment(self._clock.wall(), self._clock.monotonic(), self._boot)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except Exception:  # whatever it is, the station goes on and so do we
                log.exception("notifier: a bug; going on")
            self._stopping.wait(TURN_S)
        if self._reader is not None:
            self._reader.close()

    def _written(self) -> bool:
        """Whether the store is done with the last turn; its outcome is taken over."""
        if self._writing is None:
            return True
        try:
            self._memory = self._writing.result(STORE_S)
            self._trouble = ""
        except FutureTimeout:
            self._trouble = "the store does not answer"
            return False
        except (LinesideError, sqlite3.Error) as error:
            self._trouble = f"cannot be queued: {error}"
        self._writing = None
        return True

    def _closed(self, now: Moment) -> list[Letter]:
        if not self._memory.open:
            return []
        try:
            if self._reader is None:
                self._reader = open_readonly(self._store.path)
            return notification_letters.closed(self._reader, self._memory.open, now.wall)
        except (sqlite3.Error, LinesideError) as error:
            log.warning("notifier: the outbox cannot be read: %s", error)
            return []

    def _write(
        self,
        connection: sqlite3.Connection,
        *,
        before: Memory,
        done: list[Letter],
        decision: Decision,
        now: Moment,
    ) -> Memory:
        """In the store's thread, and perhaps twice: what is queued and what is remembered."""
        for letter in done:
            self._desk.close(connection, letter)
        queued = [self._desk.queue(connection, notice) for notice in decision.notices]
        memory = replace(before, escalation=decision.escalation, open=(*before.open, *queued))
        meta.put(connection, KEY, memory.document(now))
        return memory

    def _give_up(self) -> None:
        for channel in (EMAIL, WEBHOOK):
            if channel not in self._senders:
                given_up = partial(notification_letters.give_up, channel=channel)
                self._store.submit(given_up)


def _check(settings: NotificationSettings, sinks: Sequence[str]) -> None:
    used = {channel for step in settings.steps for channel in step.channels}
    if settings.enabled and MQTT in used and rows.MQTT not in sinks:
        raise ConfigError("notification: steps use mqtt, but telemetry.enabled is false")


def _senders(store: Store, settings: NotificationSettings) -> dict[str, Mail | Webhook]:
    senders: dict[str, Mail | Webhook] = {}
    if settings.email is not None:
        senders[EMAIL] = Mail(store, settings.email, _composer(settings.email, store.clock))
    if settings.webhook is not None:
        senders[WEBHOOK] = Webhook(store, settings.webhook, rows.PAGER)
    return senders


def _composer(settings: EmailSettings, clock: Clock) -> Callable[[bytes], EmailMessage]:
    def compose(payload: bytes) -> EmailMessage:
        try:
            event = decode_event(read_object(payload))
            station = event.source.rpartition(":")[2]
            return as_letter(event.data, station, settings.sender, event.id, clock.wall())
        except (LinesideError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{type(error).__name__} {error}") from error

    return compose


def _shown(letter: Letter) -> dict[str, Any]:
    return {**spelled([letter])[0], "alarms": list(letter.alarms[:SHOWN_ALARMS])}


def _told(state: SinkState) -> dict[str, Any]:
    return {**asdict(state), "state": "online" if state.online else "offline"}
