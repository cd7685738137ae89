"""The outbox leaves to one receiver, message by message and in order, whatever it speaks.

A receiver renders an event into its own language and says what came of sending it; the
waiting, the back-off, the dead letters and the state for the screens are here. A row goes
only when the receiver has taken its message, or when there is nothing in it for that
receiver. What it refuses for good becomes a dead letter with the reason.

A message that the receiver answers with "later" again and again, while it takes another
one, is at fault itself: it must not hold up all that come after it. That other one is about
something else: of one subject no message ever overtakes another.
"""

import json
import logging
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from common.canonical import read_object
from common.config import setting
from common.errors import LinesideError
from common.store import Store
from common.telemetry.back_off import BackOff
from common.telemetry.drain import Drain, SinkState, Verdict, sink_state
from common.telemetry.event import Event, decode_event
from common.telemetry.outbox_rows import PRIORITIES, Row

POLL_S = 0.1
LOOK_S = 1.0
AT_ONCE, AT_ONCE_BYTES = 50, 1_000_000
"""Rows read from the outbox at a time."""
RESCAN_S = 10.0
PATIENCE = 5
"""Times that an answering receiver may put off one message before another one is tried."""
NOTHING_SENT = "nothing sent yet"
"""The reason to be "offline" before anything was tried."""
log = logging.getLogger("lineside.telemetry")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending a message."""

    verdict: Verdict
    reason: str = ""
    wait_s: float = 0.0
    """What the receiver asks for before the next attempt."""
    answered: bool = False
    """With LATER: the receiver is there, and it put off this very message."""


TAKEN = Answer(Verdict.DELIVERED)
PASSED_OVER = Answer(Verdict.DELIVERED, "not for it")


class Receiver(Protocol[T]):
    """One language and one connection; used by one thread only."""

    name: str

    def render(self, event: Event) -> T | None:
        """The event as the receiver reads it; None where there is nothing in it for it."""

    def send(self, message: T) -> Answer:
        """Send it and wait for the answer; never raises for what a network does."""

    def probe(self) -> Answer | None:
        """While nothing is sent: whether it is still there; None where that is not due."""

    def close(self) -> None:
        """End the connection."""


@dataclass(frozen=True)
class BackOffSettings:
    """How long to wait between attempts: doubled each time, with full jitter."""

    base_s: float = setting(1.0, low=0.01, high=60.0, unit="s")
    cap_s: float = setting(60.0, low=0.1, high=3600.0, unit="s")


class Courier(Generic[T]):
    """Carries one sink's rows of the outbox to its receiver, in a thread of its own."""

    def __init__(
        self, store: Store, sink: str, receiver: Receiver[T], back_off: BackOffSettings
    ) -> None:
        self._clock, self._sink, self._receiver = store.clock, sink, receiver
        self._drain = Drain(store, sink)
        self._back_off, self._cap_s = BackOff(back_off.base_s, back_off.cap_s), back_off.cap_s
        self._put_off = (0, 0)
        """The seq of the message that was put off last, and how often."""
        self._look_at = self._rescan_at = 0.0
        self.passed_over = 0
        """Events in which there was nothing for this receiver."""
        self._state = SinkState(
            online=False, since=self._clock.wall(), reason=NOTHING_SENT,
            queued=0, oldest_age_s=None, dead=0, sent=0,
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=sink, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End the thread; to be called before the store is closed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._receiver.close()

    def state(self) -> SinkState:
        """How it fares: whether the last message was taken, and what waits."""
        return self._state

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except Exception:  # whatever it is, the station goes on and so do we
                log.exception("%s: a bug; going on", self._sink)
                self._stopping.wait(LOOK_S)
        self._drain.settle(time.monotonic())
        self._drain.close()

    def _round(self) -> None:
        now = time.monotonic()
        if self._drain.idle and now >= self._rescan_at:
            self._drain.restart(live_lane=False)
            self._rescan_at = now + RESCAN_S
        rows = self._drain.take(PRIORITIES, AT_ONCE, AT_ONCE_BYTES, live=True).rows
        if not rows:
            self._probe()
        self._rest(self._carry(rows) if rows else POLL_S)

    def _probe(self) -> None:
        answer = self._receiver.probe()
        if answer is not None:
            there = answer.verdict is Verdict.DELIVERED
            self._say(online=there, reason=answer.reason)

    def _carry(self, rows: list[Row]) -> float:
        """Send in order up to the first that has to wait; gives the seconds to rest."""
        left = list(rows)
        try:
            while left and not self._stopping.is_set():
                answer = self._send(left[0])
                if answer.verdict is Verdict.LATER:
                    answer = self._judged(left, answer)
                if answer.verdict is Verdict.LATER:
                    self._say(online=False, reason=answer.reason)
                    return max(self._back_off.next(), min(answer.wait_s, self._cap_s))
                self._settle(left.pop(0), answer)
        finally:
            self._drain.put_back(left)
        return 0.0

    def _judged(self, left: list[Row], answer: Answer) -> Answer:
        """NEVER for a message that is put off for ever while another one is taken."""
        seq, times = left[0].seq, self._put_off[1]
        times = times + 1 if self._put_off[0] == seq and answer.answered else 1
        self._put_off = (seq, times)
        other = _about_something_else(left)
        if times < PATIENCE or not answer.answered or not other:
            return answer
        told = self._send(left[other])
        if told.verdict is Verdict.LATER:
            return answer  # it takes nothing: nobody knows whose fault it is
        self._settle(left.pop(other), told)
        if told is not PASSED_OVER and told.verdict is Verdict.DELIVERED:
            return self._last_chance(left[0], times)
        return answer

    def _last_chance(self, row: Row, times: int) -> Answer:
        """Its trouble may have ended just before the other one was taken."""
        answer = self._send(row)
        if answer.verdict is not Verdict.LATER or not answer.answered:
            return answer
        reason = f"put off {times + 1} times while others were taken: {answer.reason}"
        return Answer(Verdict.NEVER, reason)

    def _send(self, row: Row) -> Answer:
        try:
            message = self._receiver.render(decode_event(json.loads(row.payload)))
        except Exception as error:  # noqa: BLE001 - what cannot be said must not block the rest
            told = f"{type(error).__name__}: {error}"
            return Answer(Verdict.NEVER, f"cannot be rendered for {self._sink} ({told})")
        if message is None:
            self.passed_over += 1
            return PASSED_OVER
        return self._receiver.send(message)

    def _settle(self, row: Row, answer: Answer) -> None:
        self._back_off.reset()
        told = ""
        if answer.verdict is Verdict.DELIVERED:
            self._drain.arrived([row])
        else:  # the receiver's own words may name somebody: they stay with the dead letter
            told = "a message was refused for good: see the dead letters"
            log.warning("%s: %s", self._sink, told)
            self._drain.refused([row], answer.reason)
        self._state_is(online=True, reason=told)

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
            log.warning("%s: the backlog cannot be read: %s", self._sink, error)
        self._state_is(online=online, reason=self._drain.trouble or reason)

    def _state_is(self, *, online: bool, reason: str) -> None:
        old = self._state
        if online != old.online:
            log.info("%s %s %s", self._sink, "online" if online else "offline", reason)
        since = old.since if online == old.online else self._clock.wall()
        self._state = sink_state(
            self._clock, self._drain, online=online, since=since, reason=reason
        )


def _about_something_else(left: list[Row]) -> int:
    """Where in `left` the first message of another subject than the first one's is, or 0."""
    first = _subject(left[0])
    return next((place for place, row in enumerate(left) if _subject(row) != first), 0)


def _subject(row: Row) -> str:
    try:
        return str(read_object(row.payload).get("subject", ""))
    except (ValueError, RecursionError):
        return ""
