"""What is remembered of a machine, over refusals of the disk, repairs and restarts."""

import pytest

from tests.apps.predictive_maintenance.maintenance_rig import of_window
from tests.apps.predictive_maintenance.station_rig import (
    ANNA,
    HEALTHY,
    NO_RECORDS,
    RECORDS_AGAIN,
    Rig,
)


@pytest.fixture
def learned(tmp_path):
    rig = Rig(tmp_path)
    rig.feed(HEALTHY)
    rig.learn()
    yield rig
    rig.stop()


def stand(rig, records=3):
    """Records of a machine that has been stopped: nothing is judged of it."""
    for _ in range(records):
        rig.source.put(of_window(rig.rotors.window("m0", rig.number), rpm=0.0))
        rig.number += 1
        rig.turn()


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
