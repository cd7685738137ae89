"""Commands from afar are checked, recorded and carried out here, beside the network's thread.

One at a time. A signed one is first written down, its nonce and who asked for what in one
transaction: should the station die in between, it was not carried out and cannot be sent
again, which is the safe way round.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common import audit, meta
from common.canonical import canonical_json
from common.errors import ConfigError, LinesideError
from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry.outbox import MQTT
from common.telemetry.receipt import Receipt
from common.telemetry.remote import (
    ALLOWED,
    REPLAY,
    Command,
    CommandSettings,
    Nonces,
    Refused,
    UnderWay,
    answer,
    claimed,
    read_command,
    refusal,
)
from common.telemetry.replay import answer_replay, asked_for

OnCommand = Callable[[str, dict[str, Any], str], Any]
"""(name, args, "<principal> (remote)") → the outcome as JSON, or a future of it.

Called in the desk's own thread; raises ValueError or LinesideError for what cannot be done.
"""
WAITING = 20
PATIENCE_S = 5.0
"""For the store, and for the station to carry out what was asked."""
LEAST_KEY_BYTES = 16
AUDITED_PER_MINUTE = 10
"""Refusals: whoever knocks without end shall not fill the audit trail, which only grows."""
NONCES = "remote_nonces"
log = logging.getLogger("lineside.telemetry")


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it came."""

    name: str
    topic: str
    body: bytes
    answer_to: str = ""
    """The Response Topic; "" where nobody waits for an answer."""
    correlation: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """To be published."""

    topic: str
    body: bytes
    correlation: bytes


class PerMinute:
    """Counts what happened in the last minute; in monotonic seconds."""

    def __init__(self, most: int) -> None:
        self._most, self._times = most, deque[float]()

    def allows(self, now: float) -> bool:
        """Whether one more is within the limit; if so it is counted."""
        while self._times and self._times[0] <= now - 60.0:
            self._times.popleft()
        if len(self._times) >= self._most:
            return False
        self._times.append(now)
        return True


def read_key(path: Path) -> bytes:
    """The key in `path`, without the line's end; raises ConfigError."""
    try:
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read ({error.strerror})") from error
    if len(key) < LEAST_KEY_BYTES:
        raise ConfigError(f"{path}: a key has at least {LEAST_KEY_BYTES} bytes")
    return key


class RemoteDesk:
    """Raises ConfigError for keys that cannot be read. Made, it waits for `start`."""

    def __init__(
        self, store: Store, settings: CommandSettings, on_command: OnCommand | None = None
    ) -> None:
        self._store, self._settings, self._on_command = store, settings, on_command
        for name in ALLOWED:
            for path in settings.keys_of(name).values():
                read_key(path)
        self._nonces: Nonces | None = None
        self._replays = PerMinute(settings.replays_per_minute)
        self._audits, self._unaudited = PerMinute(AUDITED_PER_MINUTE), 0
        self._calls: queue.Queue[Call | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="remote", daemon=True)
        self._stopping = False
        self.refused = 0
        self.answers: deque[Answer] = deque()
        self.replays: deque[Receipt] = deque()
        """What is to be sent again; both are for the network's thread to take."""

    def start(self) -> None:
        """Begin to serve, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the command at hand."""
        self._stopping = True
        if self._thread.ident is not None:
            with suppress(queue.Full):
                self._calls.put(None, timeout=PATIENCE_S)
            self._thread.join(2 * PATIENCE_S)

    def offer(self, call: Call) -> None:
        """Take a call; never blocks, never raises."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self.refused += 1
            self._answer(call, refusal(Refused(f"{call.name}: busy, try again")))

    def _run(self) -> None:
        while (call := self._calls.get()) is not None and not self._stopping:
            self._answer(call, self.serve(call))

    def _answer(self, call: Call, body: bytes) -> None:
        if call.answer_to:
            self.answers.append(Answer(call.answer_to, body, call.correlation))

    def serve(self, call: Call) -> bytes:
        """The body of the answer: what came of it, or why it was refused."""
        try:
            return answer(self._carry_out(call))
        except UnderWay as error:
            return refusal(error)
        except (LinesideError, ValueError) as error:
            self._refuse(call, str(error))
            return refusal(error)
        except Exception:
            log.exception("command %s from afar: a bug; going on", call.name[:40])
            self._refuse(call, "failed")
            return refusal(Refused("it failed, see the station's log"))

    def _carry_out(self, call: Call) -> Any:
        unsigned = call.name == REPLAY and self._settings.replay_unsigned

        def key_of(principal: str) -> bytes | None:
            path = self._settings.keys_of(call.name).get(principal)
            return None if path is None else read_key(path)

        command = read_command(call.name, call.topic, call.body, key_of, unsigned=unsigned)
        if command.signed:
            self._record(command)
        return self._replay(command) if command.name == REPLAY else self._ask(command)

    def _record(self, command: Command) -> None:
        """Write down the nonce and who asks for what; raises Refused or StoreError."""
        wall_time = self._store.clock.wall()
        nonces = self._known_nonces(wall_time).taking(command, wall_time)
        target = canonical_json(command.args)[:200]
        act = audit.Act(
            _user(command.by), "remote", f"{command.name} asked", target, command.reason
        )

        def both(connection: sqlite3.Connection) -> None:
            meta.put(connection, NONCES, nonces.document())
            audit.append(connection, act, wall_time)

        try:
            self._awaited(command.name, self._store.submit(both, of_class="audit"))
        except UnderWay as error:
            raise Refused(f"{command.name}: the disk is slow, it was not begun") from error
        self._nonces = nonces

    def _known_nonces(self, wall_time: float) -> Nonces:
        if self._nonces is None:
            with closing(open_readonly(self._store.path)) as connection:
                document = meta.get(connection, NONCES)
            try:
                self._nonces = Nonces.of(document)
            except (LookupError, TypeError, ValueError, AttributeError):
                log.warning("nonces of commands cannot be read: none from before now is taken")
                self._nonces = Nonces(floor=wall_time)
        return self._nonces

    @staticmethod
    def _awaited(name: str, future: "Future[Any]") -> Any:
        with suppress(TimeoutError):
            return future.result(PATIENCE_S)
        if future.cancel():
            raise Refused(f"{name}: the station did not get to it in time, and will not do it")
        if not future.done():
            raise UnderWay(f"{name}: still at it; look what came of it before you repeat it")
        return future.result(0)

    def _replay(self, command: Command) -> dict[str, Any]:
        if not self._replays.allows(time.monotonic()):
            raise Refused(f"{REPLAY}: too often, try again in a minute")
        asked = asked_for(command.args)
        try:
            with closing(open_readonly(self._store.path)) as connection:
                result = answer_replay(connection, MQTT, asked)
        except sqlite3.Error as error:
            raise Refused(f"{REPLAY}: the outbox cannot be read ({error})") from error
        self.replays.append(asked)
        return result

    def _ask(self, command: Command) -> Any:
        if self._on_command is None:
            raise Refused(f"{command.name}: only on the station's own API")
        user = _user(command.by)
        outcome = self._on_command(command.name, dict(command.args), user)
        if not isinstance(outcome, Future):
            return outcome
        try:
            return self._awaited(command.name, outcome)
        except UnderWay:
            outcome.add_done_callback(partial(self._settled_late, user, command.name))
            raise

    def _settled_late(self, user: str, name: str, outcome: "Future[Any]") -> None:
        """What was done, the deed itself audits; that it failed, nobody else would."""
        if error := outcome.exception():
            act = audit.Act(user, "remote", f"{name} failed", "command from afar", str(error))
            audit.submit(self._store, act)

    def _refuse(self, call: Call, reason: str) -> None:
        self.refused += 1
        log.info("command from afar refused: %s", reason)
        if not self._audits.allows(time.monotonic()):
            self._unaudited += 1
            return
        more = f" (and {self._unaudited} more)" if self._unaudited else ""
        self._unaudited = 0
        user, action = _user(claimed(call.body)), f"{call.name[:40]} refused"
        audit.submit(
            self._store, audit.Act(user, "remote", action, "command from afar", reason + more)
        )


def _user(principal: str) -> str:
    return f"{principal} (remote)"
