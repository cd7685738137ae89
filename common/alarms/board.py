"""All alarms of one station: what the process says, what people did, what is kept.

Safe to use from several threads: the loop sets, a timer ticks, the API commands. An order
never raises: its Outcome says in plain words why nothing was changed. `seen` is the
revision of the alarm that a person looked at; if the alarm has changed since, the order is
refused, so that of two operators none acts on what the other has already changed.
"""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from common.alarms import engine, flood, shelving
from common.alarms.alarm import (
    BY_PROCESS,
    DONE,
    Alarm,
    AlarmKeeper,
    Change,
    Deed,
    Outcome,
    Why,
    same,
    stamped,
)
from common.alarms.definition import AlarmDefinition
from common.alarms.engine import ABNORMAL, UNACKNOWLEDGED, State
from common.alarms.first_out import First, first_of
from common.alarms.orders import Order
from common.alarms.shelving import Moment
from common.arguments import storable
from common.ports import Clock

LONGEST_DETAIL = 500
"""Of a detail, e.g. an error's text: in characters."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the process last said of an alarm."""

    active: bool = False
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Burden:
    """What is more than an operator can follow (see common.alarms.flood)."""

    flood_since: float | None
    """Wall time, UTC s; None: there is no flood."""
    flood_count: int
    """Alarms of the present flood, or of the last."""
    chattering: tuple[str, ...]
    stale: tuple[str, ...]


class AlarmBoard:
    """Holds the alarms of `definitions`, beginning with the `stored` ones where there are."""

    def __init__(
        self,
        definitions: Mapping[str, AlarmDefinition],
        clock: Clock,
        keeper: AlarmKeeper,
        stored: Iterable[Alarm] = (),
    ) -> None:
        self._clock, self._keeper = clock, keeper
        self._mutex = threading.RLock()
        self._alarms = {name: Alarm(definition) for name, definition in definitions.items()}
        self._said = dict.fromkeys(self._alarms, Said())
        self._firsts: dict[str, First] = {}
        self._flood = flood.Flood()
        self._recent: dict[str, tuple[float, ...]] = {}
        """When an alarm last came, as often as makes it chatter."""
        for alarm in stored:
            self._restore(alarm)

    def _restore(self, alarm: Alarm) -> None:
        alarm_id = alarm.definition.id
        if alarm_id in self._alarms:
            # Until the process is heard of again, what was abnormal still is.
            self._said[alarm_id] = Said(alarm.state.life in ABNORMAL, alarm.raised_to)
            alarm = replace(alarm, definition=self._alarms[alarm_id].definition)
        else:
            # No longer defined, so nothing will ever set it: it returns to normal by
            # itself, but not out of the list before a person has taken note.
            self._said[alarm_id] = Said()
        self._alarms[alarm_id] = alarm

    # -------------------------------------------------------------------- what moves alarms

    def set(
        self,
        alarm_id: str,
        active: bool,
        detail: str = "",
        priority: int | None = None,
        *,
        about: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> None:
        """The process is abnormal, or normal again; raises KeyError for an unknown alarm.

        A `priority` (1 … 4) more urgent than the definition's holds for this occurrence;
        when it rises, an acknowledged alarm sounds again. So it does with `again`: it has
        become worse at the same priority. `about` says whom the occurrence concerns.
        """
        if priority not in (None, 1, 2, 3, 4):
            raise ValueError(f"{alarm_id}: priority = {priority!r} must be 1 to 4")
        with self._mutex:
            alarm = self._alarms[alarm_id]
            self._said[alarm_id] = Said(active, priority)
            detail = storable(detail)[:LONGEST_DETAIL]  # a device may say anything
            if active and detail and detail != alarm.detail:
                alarm = replace(alarm, detail=detail)
            if active and about is not None:
                alarm = replace(alarm, about=about)
            self._alarms[alarm_id] = alarm
            self._follow(alarm_id, self._clock.monotonic())
            alarm = self._alarms[alarm_id]
            if active and again:
                self._put(replace(alarm, state=engine.raised(alarm.state)), BY_PROCESS)

    def tick(self) -> None:
        """Let timers run out; to be called a few times a second."""
        with self._mutex:
            now = self._moment()
            for alarm_id in self._alarms:
                self._watch_clock(alarm_id, now)
                self._follow(alarm_id, now.monotonic)
            self._flood = flood.settled(self._flood, now.monotonic)
        self._keeper.flush()

    def command(self, alarm_id: str, order: Order, seen: int | None = None) -> Outcome:
        """Carry out an order (see common.alarms.orders) on one alarm."""
        with self._mutex:
            alarm = self._alarms.get(alarm_id)
            if alarm is None:
                return Outcome(Why.UNKNOWN, f"there is no alarm {alarm_id}")
            if seen is not None and seen != alarm.revision:
                text = f"it has changed since it was looked at, and is {alarm.state.name} now"
                return Outcome(Why.CHANGED, text)
            after = order.apply(alarm, self._moment())
            if isinstance(after, Outcome):
                return after
            self._put(after, order.deed)
            return DONE

    def command_all(self, seen: Mapping[str, int | None], order: Order) -> dict[str, Outcome]:
        """Carry out an order on several alarms, id → revision seen; each stands alone."""
        return {name: self.command(name, order, seen[name]) for name in seen}

    def settled(self) -> "Future[None]":
        """Done once the disk has answered for every change until now."""
        return self._keeper.settled()

    # ---------------------------------------------------------------------- what people see

    def alarm(self, alarm_id: str) -> Alarm:
        """One alarm, in whatever state; raises KeyError for an unknown one."""
        with self._mutex:
            return self._alarms[alarm_id]

    def summary(self) -> list[Alarm]:
        """Annunciated alarms: unacknowledged first, by priority, then the newest."""
        with self._mutex:
            found = [a for a in self._alarms.values() if a.state.name is not State.NORM]
        return sorted(
            (alarm for alarm in found if not alarm.state.hidden),
            key=lambda alarm: (
                alarm.state.name not in UNACKNOWLEDGED,
                alarm.priority,
                -alarm.changed_at,
            ),
        )

    def hidden(self) -> list[Alarm]:
        """Alarms shelved, suppressed or out of service, the newest first."""
        with self._mutex:
            found = [alarm for alarm in self._alarms.values() if alarm.state.hidden]
        return sorted(found, key=lambda alarm: -alarm.changed_at)

    def burden(self) -> Burden:
        """Flood, chattering and stale alarms of this moment."""
        with self._mutex:
            now, since = self._moment(), self._flood.since
            return Burden(
                None if since is None else now.wall - (now.monotonic - since),
                self._flood.count,
                tuple(name for name in self._recent if self._chatters(name, now.monotonic)),
                tuple(
                    name
                    for name, alarm in self._alarms.items()
                    if flood.is_stale(alarm.state, now.monotonic)
                ),
            )

    def _chatters(self, alarm_id: str, now: float) -> bool:
        times = self._recent[alarm_id]
        return len(times) == flood.CHATTER_TIMES and times[0] > now - flood.CHATTER_S

    # ------------------------------------------------------------------- one alarm, one step

    def _moment(self) -> Moment:
        return Moment(self._clock.wall(), self._clock.monotonic())

    def _follow(self, alarm_id: str, now: float) -> None:
        alarm, said = self._alarms[alarm_id], self._said[alarm_id]
        state = engine.step(alarm.definition, alarm.state, said.active, now)
        if state is alarm.state and said.priority is None:
            return
        came = state.active_at is not None and state.active_at != alarm.state.active_at
        raised_to = None if came else alarm.raised_to
        least = raised_to or alarm.definition.priority
        if said.active and state.life in ABNORMAL and (said.priority or least) < least:
            raised_to, state = said.priority, engine.raised(state)
        self._put(replace(alarm, state=state, raised_to=raised_to), BY_PROCESS)

    def _watch_clock(self, alarm_id: str, now: Moment) -> None:
        alarm = self._alarms[alarm_id]
        for hiding in alarm.state.hidden:
            watched = shelving.by_the_wall(hiding, now)
            if watched is not hiding:
                hidden = tuple(watched if h is hiding else h for h in alarm.state.hidden)
                self._put(replace(alarm, state=replace(alarm.state, hidden=hidden)), BY_PROCESS)

    def _put(self, alarm: Alarm, deed: Deed) -> None:
        alarm_id = alarm.definition.id
        before = self._alarms[alarm_id]
        if same(before, alarm):
            self._alarms[alarm_id] = alarm
            return
        wall = self._clock.wall()
        change = Change(stamped(before, alarm, wall), before.state.name, wall, deed)
        if change.annunciated:
            change = replace(change, alarm=self._annunciate(change.alarm))
        self._alarms[alarm_id] = change.alarm
        self._keeper.changed(change)

    def _annunciate(self, alarm: Alarm) -> Alarm:
        """Count an alarm that begins to ask for attention, and say which came first."""
        definition, now = alarm.definition, self._clock.monotonic()
        self._flood = flood.annunciated(self._flood, now)
        times = (*self._recent.get(definition.id, ()), now)
        self._recent[definition.id] = times[-flood.CHATTER_TIMES :]
        group = definition.first_out_group
        if not group or alarm.first_out:
            return alarm
        first = self._firsts.get(group)
        if first and self._alarms[first.alarm_id].state.life is State.NORM:
            first = None  # it is over and acknowledged: nobody would find it in the list
        first = first_of(first, definition.id, now, definition.first_out_s)
        self._firsts[group] = first
        return replace(alarm, first_out=first.alarm_id)
