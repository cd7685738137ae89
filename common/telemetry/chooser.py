"""What a station sends next: what is new, then what was never confirmed, then the backlog."""

from dataclasses import dataclass

from common.telemetry.drain import Drain
from common.telemetry.lanes import Kind, Lane
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox_rows import Row
from common.telemetry.pace import Pace
from common.telemetry.scan import Taken
from common.telemetry.unreceipted import Unreceipted


@dataclass(frozen=True, slots=True)
class Load:
    """Rows for one message."""

    lane: Lane
    rows: list[Row]
    kind: Kind

    @property
    def urgent(self) -> bool:
        """Whether it must not wait behind others: a live event."""
        return self.lane.urgent and self.kind is Kind.LIVE


class Chooser:
    """Picks within what the rate, the line and the memory allow."""

    def __init__(
        self, drain: Drain, unreceipted: Unreceipted, settings: UplinkSettings
    ) -> None:
        self._drain, self._unreceipted, self._settings = drain, unreceipted, settings
        self._limit_bytes = settings.batch_bytes
        self._empty: set[tuple[Lane, Kind]] = set()  # looked for in this round, in vain
        self.pace = Pace(settings.backlog_per_s)
        self.full = False
        """Whether as much is held as may be: nothing new goes until something is settled."""

    def begin(self, window: int, most_bytes: int, now: float) -> None:
        """A new connection, with the broker's limits."""
        self._limit_bytes = min(self._settings.batch_bytes, most_bytes)
        self.pace.begin(window, now)
        self._drain.restart(live_lane=True)

    def look(self, now: float) -> None:
        """A new round: have sent again what no receipt has come for in time."""
        self._empty.clear()
        self.pace.tick(now)
        self._drain.again(self._unreceipted.overdue(now))
        self.full = False

    def next(self, lane: Lane, patient: int, now: float) -> Load | None:
        """The next message of `lane`, beside `patient` ones under way that could wait."""
        if lane.behind(now):
            self._drain.restart(live_lane=True, classes=lane.classes)
            lane.caught_up(now)
        for kind in Kind:
            load = Load(lane, [], kind)
            if (lane, kind) in self._empty:
                continue
            if load.urgent or self.pace.allows(patient, limited=kind is not Kind.LIVE):
                taken = self._take(load)
                if taken.all:
                    self._note_empty(lane, kind, now)
                if taken.rows:
                    return Load(lane, taken.rows, kind)
        return None

    def _note_empty(self, lane: Lane, kind: Kind, now: float) -> None:
        self._empty.add((lane, kind))
        if kind is Kind.LIVE:
            lane.caught_up(now)

    def _take(self, load: Load) -> Taken:
        classes, limit = load.lane.classes, self._settings.batch_rows
        if not load.urgent:
            limit = max(1, int(limit * self.pace.portion))
        if load.kind is Kind.AGAIN:
            taken = self._drain.take_again(classes, limit, self._limit_bytes)
        elif self._has_room(urgent=load.urgent):
            live = load.kind is Kind.LIVE
            taken = self._drain.take(classes, limit, self._limit_bytes, live=live)
        else:
            self.full, taken = True, Taken()
        self._unreceipted.vanished(taken.vanished)
        self._unreceipted.withdraw(taken.damaged)
        self._unreceipted.sent(taken.rows)
        return taken

    def _has_room(self, *, urgent: bool) -> bool:
        """Whether one more batch may be held in memory; a quarter is for what is new."""
        most = self._settings.unreceipted_rows
        most = most if urgent else most * 3 // 4
        return self._drain.held + self._settings.batch_rows <= most
