"""From the broker to the archive: receive, check, keep, and only then confirm.

Three threads in a row, so that one batch is checked while the one before is written: the
link (network), the reader (checks), the keeper (database). An event is receipted and its
message acknowledged after the commit that keeps it; whatever dies before that comes again.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from queue import Empty, Full, Queue
from typing import Any

from common.errors import LinesideError
from common.ports import Clock
from common.telemetry.back_off import BackOff
from common.telemetry.collector.archive import Archive
from common.telemetry.collector.border import Border
from common.telemetry.collector.engine import ArchiveDown
from common.telemetry.collector.inbox import Delivery, Inbox, Token
from common.telemetry.collector.keeper import Kept, joined, keep, receipts
from common.telemetry.collector.link import Link
from common.telemetry.collector.replay import (
    Message,
    gone_of,
    receipt_messages,
    request_messages,
)
from common.telemetry.collector.rows import Batch
from common.telemetry.collector.settings import RESPONSE, Settings

TICK_S = 0.2
RETRY_BASE_S, RETRY_CAP_S = 0.5, 30.0
log = logging.getLogger("lineside.collector")


@dataclass(slots=True)
class Counters:
    """Since the start of the process."""

    messages: int = 0
    received: int = 0
    """Events, good or not."""
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    """Messages that cannot be read, and events that are not kept."""
    receipts: int = 0
    replays: int = 0
    """Requests for missing events."""
    gone: int = 0
    """Answers that named events the station no longer has."""
    overrun: int = 0
    """Messages of QoS 0 for which there was no room."""


@dataclass(slots=True)
class Work:
    """Messages that one transaction keeps."""

    batches: list[Batch] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    """Topic and body of stations' answers to replay requests."""

    @property
    def rows(self) -> int:
        """How many events there are to keep."""
        return sum(len(batch.rows) for batch in self.batches)


class Collector:
    """Collects until it is stopped. The archive is its own from now on, and closed by it."""

    def __init__(self, archive: Archive, settings: Settings, clock: Clock) -> None:
        self._archive, self._settings, self._clock = archive, settings.collector, clock
        self._inbox = Inbox(settings.collector.receive_maximum)
        self._border = Border(settings.collector)
        self._link = Link(settings.broker, settings.collector, self._inbox, clock)
        self._ready: Queue[Work] = Queue(maxsize=1)
        self._counters = Counters()
        self._database, self._behind_s = "", 0.0
        self._claim_at = 0.0
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._forever, args=(step,), name=name, daemon=True)
            for name, step in (("reader", self._read), ("keeper", self._keep))
        ]

    def start(self) -> None:
        """Connect and collect, in threads of its own."""
        for thread in self._threads:
            thread.start()
        self._link.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """End after the commit under way: what is not kept then stays with the broker."""
        self._stopping.set()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.1, end - time.monotonic()))
        self._link.stop()
        if not any(thread.is_alive() for thread in self._threads):
            self._archive.close()

    def state(self) -> dict[str, Any]:
        """How it fares: counters, and what stands in its way in words."""
        self._counters.overrun = self._inbox.overrun
        return {
            **asdict(self._counters),
            "online": self._link.online,
            "reason": self._link.reason or self._link.trouble,
            "database": self._database,
            "waiting_messages": len(self._inbox),
            "behind_seconds": round(self._behind_s, 3),
        }

    def _forever(self, step: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                step()
            except Exception:  # one bad message must not end the collecting of all others
                log.exception("collector: a bug; going on")
                self._stopping.wait(1.0)

    # The reader.

    def _read(self) -> None:
        work = self._gathered()
        while not self._stopping.is_set():
            try:
                self._ready.put(work, timeout=TICK_S)
            except Full:
                continue
            return

    def _gathered(self) -> Work:
        work, deadline = Work(), None
        wait = TICK_S
        while work.rows < self._settings.batch_rows and not self._stopping.is_set():
            delivery = self._inbox.take(wait)
            if delivery is not None:
                self._look_at(delivery, work)
            now = time.monotonic()
            if deadline is None:
                if delivery is None:
                    break
                deadline = now + self._settings.batch_age_ms / 1000
            wait = deadline - now
            if wait <= 0:
                break
        return work

    def _look_at(self, delivery: Delivery, work: Work) -> None:
        arrival = delivery.arrival
        self._counters.messages += 1
        if arrival.topic.endswith("/" + RESPONSE):
            work.answers.append((arrival.topic, arrival.body))
        else:
            batch = self._border.check(arrival)
            self._counters.received += len(batch.rows) + len(batch.rejected)
            work.batches.append(batch)
        if delivery.token is not None:
            work.tokens.append(delivery.token)

    # The keeper.

    def _keep(self) -> None:
        try:
            work = self._ready.get(timeout=TICK_S)
        except Empty:
            work = Work()
        batch = joined(work.batches)
        if batch.rows or batch.rejected:
            kept = self._patiently(lambda: keep(self._archive, batch, self._clock.wall()))
            if kept is None:
                return
            self._confirm(kept, batch, work.tokens)
        elif work.tokens:
            self._link.send([], work.tokens)
        for topic, body in work.answers:
            self._hear(topic, body)
        self._ask()

    def _patiently(self, operation: Callable[[], Kept]) -> Kept | None:
        """Try until the database takes it; None when we are stopped before."""
        back_off = BackOff(RETRY_BASE_S, RETRY_CAP_S)
        while True:
            try:
                done = operation()
            except ArchiveDown as error:
                self._away(str(error))
            except Exception as error:  # a bug: better stand still and say so than lose one
                log.exception("a batch cannot be stored")
                self._away(f"{type(error).__name__}: {error}")
            else:
                self._back()
                return done
            if self._stopping.wait(back_off.next()):
                return None

    def _away(self, why: str) -> None:
        if not self._database:
            log.warning("the database is away, nothing is acknowledged: %s", why)
        self._database = why

    def _back(self) -> None:
        if self._database:
            log.warning("the database is back")
        self._database = ""

    def _confirm(self, kept: Kept, batch: Batch, tokens: list[Token]) -> None:
        messages: list[Message] = [
            message
            for source, told in receipts(kept.rows).items()
            for message in receipt_messages(source, told)
        ]
        self._link.send(messages, tokens)
        counters = self._counters
        counters.stored += kept.stored
        counters.duplicates += kept.duplicates
        counters.rejected += kept.rejected
        counters.receipts += len(messages)
        self._behind_s = max((one.behind_s for one in batch.seen.values()), default=0.0)

    def _hear(self, topic: str, body: bytes) -> None:
        try:
            source, gone = gone_of(topic, body)
            if gone:
                self._archive.note_gone(source, gone, self._clock.wall())
                self._counters.gone += 1
        except (ValueError, LinesideError) as error:  # asked again some time
            log.info("an answer to a replay request is not used: %s", error)

    def _ask(self) -> None:
        now = time.monotonic()
        if not (self._settings.replay and self._link.online and now >= self._claim_at):
            return
        self._claim_at = now + min(1.0, self._settings.gap_patience_s)
        try:
            messages = request_messages(self._archive.claim(self._clock.wall()))
        except ArchiveDown as error:
            self._away(str(error))
            return
        self._back()
        self._link.send(messages, [])
        self._counters.replays += len(messages)
