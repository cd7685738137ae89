"""What is remembered of a machine, over refusals of the disk, repairs and restarts."""

from contextlib import closing
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from apps.predictive_maintenance.config import BaselineRules
from common.storage.queries import open_readonly
from tests.apps.predictive_maintenance.maintenance_rig import decision, evidence, of_window
from tests.apps.predictive_maintenance.station_rig import (
    ANNA,
    NO_AUDIT,
    NO_RECORDS,
    RECORDS_AGAIN,
    Rig,
)


def stand(rig, records=3):
    """Records of a machine that has been stopped: nothing is judged of it."""
    for _ in range(records):
        window = rig.rotors.window("m0", rig.number)
        still = window.acceleration * np.float32(0.01)
        rig.source.put(of_window(window, acceleration=still, rpm=0.0))
        rig.number += 1
        rig.turn()
    assert rig.machine()["motion"] == "stopped"
    assert rig.machine()["quality"] == "good"


def test_a_stop_that_the_disk_refused_is_stored_when_it_can_be(learned):
    learned.sql(NO_RECORDS)
    learned.feed(12, damage="unbalance", severity=1.2)
    learned.sql(RECORDS_AGAIN)
    stand(learned)
    learned.restart()
    found = learned.machine()
    assert (found["verdict"], found["latched"]) == ("stop", True)
    assert learned.read("verdict")[-1].body["verdict"] == "stop"


def test_what_was_repaired_stays_so_over_a_restart(learned):
    learned.feed(30, damage="unbalance", severity=1.2)
    learned.command("close_order", ANNA, key="m0/VIB/1", reason="balanced")
    learned.restart()
    assert learned.machine()["verdict"] == "unknown"
    learned.feed(1)
    found = learned.machine()
    assert (found["verdict"], found["orders"]) == ("run", [])


def test_a_machine_with_another_baseline_is_looked_at_anew_over_a_restart_too(learned):
    learned.feed(30, damage="unbalance", severity=1.2)
    learned.command("baseline_back", asset="m0", version=1, reason="the same once more")
    learned.machine()
    learned.restart()
    assert learned.machine()["verdict"] == "unknown"


def test_a_stop_outlives_the_repair_of_another_kind_of_failure(learned):
    learned.rotors.machines["m0"] = replace(
        learned.rotors.machines["m0"], temperature_alarm_c=95.0
    )
    learned.restart()
    for _ in range(12):
        window = learned.rotors.window("m0", learned.number, damage="unbalance", severity=1.2)
        learned.source.put(of_window(window, temperature_c=99.0))
        learned.number += 1
        learned.turn()
    learned.command("close_order", ANNA, key="m0/OHE/1", reason="its fan was cleaned")
    stand(learned)
    learned.restart()
    found = learned.machine()
    assert (found["verdict"], found["latched"]) == ("stop", True)
    assert found["orders"] == ["m0/VIB/1"]


def test_an_order_whose_closing_cannot_be_audited_stays_open(learned):
    learned.station.act.desk.take(decision("m0", evidence()))
    learned.sql(NO_AUDIT)
    with pytest.raises(Exception, match="the audit is refused"):
        learned.command("close_order", ANNA, key="m0/VIB/1", reason="greased")
    assert learned.machine()["orders"] == ["m0/VIB/1"]


def test_an_order_is_closed_once_the_disk_has_it(learned):
    learned.station.act.desk.take(decision("m0", evidence()))
    learned.settle()
    learned.sql(NO_RECORDS)
    with pytest.raises(Exception, match="the disk is full"):
        learned.command("close_order", ANNA, key="m0/VIB/1", reason="greased")
    learned.sql(RECORDS_AGAIN)
    assert learned.machine()["orders"] == ["m0/VIB/1"]
    learned.command("close_order", ANNA, key="m0/VIB/1", reason="greased")
    assert ("anna", "close_order", "order/m0/VIB/1") in learned.audited()
    learned.restart()
    assert learned.machine()["orders"] == []


def test_after_a_repair_the_shape_of_before_speaks_no_more(tmp_path):
    rules = replace(BaselineRules(), smooth_windows=15, min_windows=40)
    rig = Rig(tmp_path, baseline=rules)
    rig.feed(100)
    rig.learn()
    rig.feed(40, damage="outer_race", severity=0.5)
    rig.command("close_order", ANNA, key="m0/VIB/1", reason="bearing replaced")
    rig.feed(1)
    assert rig.machine()["note"] == "1 of 15 windows so far"
    rig.feed(20)
    assert rig.machine()["verdict"] == "run"
    rig.stop()


def test_a_damaged_baseline_leaves_its_own_machine_without_one_and_says_so(learned):
    learned.stop()
    (path,) = learned.folder.rglob("0001.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    learned.start()
    learned.feed(1)
    assert learned.machine()["baseline"]["version"] == 0
    assert learned.machine("m1")["judged"]
    (alarm,) = learned.station.snapshot()["alarms"]
    assert (alarm["id"], alarm["state"]) == ("machine_baseline.m0", "UNACK")
    assert "is no baseline of m0" in alarm["detail"]
    path.write_bytes(whole)
    learned.command("baseline_back", asset="m0", version=1, reason="from the backup")
    learned.machine()
    states = {alarm["id"]: alarm["state"] for alarm in learned.station.snapshot()["alarms"]}
    assert states["machine_baseline.m0"] == "RTNUN"


@pytest.mark.parametrize("stored", ['{"written by": "a later release"}', "[]", "{"])
def test_what_cannot_be_read_is_laid_aside_said_and_counted(learned, stored):
    learned.feed(30, damage="unbalance", severity=1.2)
    learned.settle()
    for key in ("memory:m0", "order:m0/VIB"):
        put = "UPDATE meta SET value = ? WHERE key = ?", (stored, key)
        learned.store.submit(lambda connection, put=put: connection.execute(*put)).result()
    learned.restart()
    learned.turn()
    learned.machine()
    snapshot = learned.station.snapshot()
    (alarm,) = [one for one in snapshot["alarms"] if one["id"] == "stored_unreadable"]
    assert alarm["detail"] == "memory:m0, order:m0/VIB"
    assert alarm["state"] == "LATCHED_UNACK", "until somebody has looked"
    assert snapshot["counts"]["unreadable"] == 2
    learned.feed(12, damage="unbalance", severity=1.2)
    assert learned.machine()["verdict"] == "stop"
    (order,) = learned.station.act.desk.open_orders()
    assert order.number > learned.store.clock.wall() - 1000, "the CMMS knows the lower ones"
    learned.restart()
    assert learned.machine()["orders"] == [order.key]
    assert learned.station.snapshot()["counts"]["unreadable"] == 0
    with closing(open_readonly(learned.store.path)) as connection:
        (aside,) = connection.execute(
            "SELECT count(*) FROM meta WHERE key LIKE 'aside:%' AND value = ?", (stored,)
        ).fetchone()
    assert aside == 2


def test_what_was_asked_for_last_is_answered_and_stays_done_when_the_station_ends(learned):
    learned.feed(30, damage="unbalance", severity=1.2)
    asked = {"key": "m0/VIB/1", "reason": "balanced"}
    answer = learned.station.command("close_order", asked, ANNA)
    learned.station.turn()
    ended = Event()
    ended.set()
    learned.station.run(ended)
    assert answer.result(0).startswith("closed")
    learned.restart()
    assert learned.machine()["verdict"] == "unknown"
