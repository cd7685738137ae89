"""A board on a held clock, and a restart of it: what is kept, read back on another boot."""

import json
from concurrent.futures import Future

from common.alarms import document
from common.alarms.alarm import Change
from common.alarms.board import AlarmBoard
from common.alarms.document import Row
from common.alarms.shelving import Moment
from common.clock import HeldClock


class Memory:
    """A keeper in memory: what a restart would find, as the JSON that would be stored."""

    def __init__(self):
        self.rows = {}
        self.changes: list[Change] = []
        self.boot = "boot-0"

    def changed(self, change):
        alarm = change.alarm
        text = json.dumps({**document.body(alarm), "boot": self.boot}, allow_nan=False)
        self.rows[alarm.definition.id] = (
            *(alarm.definition.id, alarm.state.name.value, alarm.priority),
            *(alarm.revision, alarm.changed_at, text),
        )
        self.changes.append(change)

    def flush(self):
        """Nothing is ever refused here."""

    def settled(self):
        done = Future()
        done.set_result(None)
        return done

    def stored(self, now):
        rows = [Row(*columns, json.loads(text)) for *columns, text in self.rows.values()]
        last = max((c.wall_time for c in self.changes), default=0.0)
        return [document.restored(row, now, last) for row in rows]

    @property
    def told(self):
        """(alarm, was, is, action) of every change."""
        return [
            (
                c.alarm.definition.id,
                c.was.value,
                c.alarm.state.name.value,
                c.deed.user.name if c.deed.user else c.deed.action,
            )
            for c in self.changes
        ]


class Rig:
    """A board with its clock and keeper; `restart` is another process, on another boot."""

    def __init__(self, *definitions, clock=None):
        self.definitions = {definition.id: definition for definition in definitions}
        self.clock, self.keeper, self.boots = clock or HeldClock(), Memory(), 0
        self.board = AlarmBoard(self.definitions, self.clock, self.keeper)

    def restart(self, down_s=0.0, *, reboot=True, clock_set_s=0.0):
        wall, monotonic = self.clock.wall() + down_s + clock_set_s, self.clock.monotonic()
        if reboot:
            self.boots += 1
            self.keeper.boot = f"boot-{self.boots}"
        self.clock = HeldClock(wall, 5.0 * self.boots if reboot else monotonic + down_s)
        now = Moment(wall, self.clock.monotonic(), self.keeper.boot)
        stored = self.keeper.stored(now)
        self.board = AlarmBoard(self.definitions, self.clock, self.keeper, stored)

    def wait(self, seconds):
        self.clock.sleep(seconds)
        self.board.tick()

    def states(self):
        """Id → state of all alarms that are not normal."""
        found = [*self.board.summary(), *self.board.hidden()]
        return {alarm.definition.id: alarm.state.name.value for alarm in found}

    def alarm(self, alarm_id):
        return self.board.alarm(alarm_id)
