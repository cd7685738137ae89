"""A whole station with a clock that is held, its machines, and the people who command it."""

from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing

from common import audit
from common.clock import HeldClock
from common.storage.queries import latest, open_readonly
from common.users import User
from tests.apps.predictive_maintenance.maintenance_rig import (
    FakeLight,
    FakeSource,
    build,
    of_window,
    open_store,
    settings_for,
)
from tests.apps.predictive_maintenance.rotors import Rotors

ANNA, ERIC = User("anna", "operator"), User("eric", "engineer")
HEALTHY = 60
NO_AUDIT = (
    "CREATE TRIGGER no_audit BEFORE INSERT ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit is refused'); END"
)
NO_RECORDS = (
    "CREATE TRIGGER no_records BEFORE INSERT ON records"
    " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
)
RECORDS_AGAIN = "DROP TRIGGER no_records"


class Rig:
    """A station, its world and its clock."""

    def __init__(self, folder, **changes):
        self.folder, self.clock, self.changes = folder, HeldClock(), changes
        self.rotors = Rotors(2)
        self.light, self.choice = FakeLight(), None
        self.number = 0
        self.start()

    def start(self):
        self.store = open_store(self.folder, self.clock)
        self.source = FakeSource(self.clock)
        self.station = build(
            self.folder, self.store, self.clock, [self.source],
            settings_for(self.rotors.machines, **self.changes), light=self.light,
            model=self.choice,
        )  # fmt: skip

    def stop(self):
        self.settle()
        self.station.learning.close()
        self.store.close()

    def restart(self):
        self.stop()
        self.clock.sleep(30.0)
        self.start()

    def feed(self, count=1, assets=("m0", "m1"), **damage):
        """So many windows of each machine, one turn each."""
        for _ in range(count):
            for asset in assets:
                hurt = damage if asset == "m0" else {}
                window = self.rotors.window(asset, self.number, **hurt)
                self.source.put(of_window(window))
            self.number += 1
            self.turn()

    def turn(self):
        outcome = self.station.turn()
        self.clock.sleep(0.6)
        return outcome

    def settle(self):
        while self.station.act.desk.unstored:
            self.store.submit(lambda _: None).result()
            self.station.act.desk.flush()
        self.store.submit(lambda _: None).result()

    def command(self, name, user=ERIC, **arguments):
        future = self.station.command(name, arguments, user)
        for _ in range(200):
            self.turn()
            try:
                return future.result(0.05)
            except FutureTimeout:
                continue
        raise AssertionError(f"{name} never ended")

    def learn(self, asset="m0"):
        learned = self.command("baseline_learn", ANNA, asset=asset)
        accepted = self.command("baseline_accept", asset=asset, reason="after the overhaul")
        self.turn()
        return learned, accepted

    def sql(self, statement):
        self.store.submit(lambda connection: connection.execute(statement)).result()

    def audited(self):
        self.settle()
        with closing(open_readonly(self.store.path)) as connection:
            rows = connection.execute(audit.SELECT_AUDIT).fetchall()
        return [(row[2], row[4], row[5]) for row in rows]

    def let_learn(self):
        for _ in range(3):  # it learns, it puts on the shelf, it says what came of it
            self.turn()
            self.station.learning._thread.submit(lambda: None).result()
        self.turn()

    def read(self, kind):
        self.settle()
        with closing(open_readonly(self.store.path)) as connection:
            return latest(connection, kind, limit=10_000)

    def machine(self, asset="m0"):
        self.clock.sleep(2.0)
        self.turn()
        (found,) = [one for one in self.station.snapshot()["machines"] if one["asset"] == asset]
        return found
