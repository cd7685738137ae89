"""The whole station on fakes and a real store: verdicts, records, snapshot, faults, wizard."""

import json
from concurrent.futures import Future
from contextlib import closing

import numpy as np
import pytest

from apps.predictive_maintenance.config import Simulation
from apps.predictive_maintenance.domain import Verdict
from apps.predictive_maintenance.learning import then
from apps.predictive_maintenance.record import QUALITY_PERIOD_S
from apps.predictive_maintenance.remembered import Memory
from apps.predictive_maintenance.screen_table import table
from apps.predictive_maintenance.upkeep import RELEARN_ROWS
from common import meta
from common.errors import ConfigError, RuntimeFailure
from common.inference.selection import Choice
from common.ports import LightState
from common.screen.document import Document
from common.screen.freshness import Freshness
from common.storage.queries import Refusal, open_readonly, refusals
from tests.apps.predictive_maintenance.maintenance_rig import (
    decision,
    evidence,
    of_window,
    reading,
)
from tests.apps.predictive_maintenance.station_rig import ANNA, HEALTHY, NO_AUDIT, Rig


def test_a_healthy_machine_runs_and_says_why_it_is_not_compared_yet(rig):
    rig.feed(4)
    found = rig.machine()
    assert found["verdict"] == "run"
    assert found["judged"]
    assert found["note"] == "no baseline"
    assert found["baseline"]["rows"] == 4
    assert found["velocity"]["value"] > 0
    assert found["quality"] == "good"


def test_the_wizard_learns_shows_and_takes_into_use(rig):
    rig.feed(HEALTHY)
    learned, accepted = rig.learn()
    assert learned["windows"] == HEALTHY
    assert learned["notes"] == []
    assert len(learned["states"]) == 1
    assert accepted == "baseline 1 of m0 is in use"
    rig.feed(8)
    found = rig.machine()
    assert found["baseline"]["version"] == 1
    assert found["signature"] is not None
    assert found["verdict"] == "run"


def test_too_little_time_is_refused_unless_a_person_insists(rig):
    rig.feed(10)
    learned = rig.command("baseline_learn", ANNA, asset="m0")
    assert "10 windows; 40 are needed" in learned["notes"]
    with pytest.raises(ValueError, match="refused: 10 windows"):
        rig.command("baseline_accept", asset="m0", reason="we know it")
    rig.command("baseline_accept", asset="m0", reason="we know it", despite=True)
    assert rig.machine()["baseline"]["learned"]["notes"] == learned["notes"]


def test_a_baseline_from_a_faulty_machine_is_refused(rig):
    rig.feed(HEALTHY, damage="outer_race", severity=0.9)
    learned = rig.command("baseline_learn", ANNA, asset="m0")
    assert any("full of shocks" in note for note in learned["notes"])
    assert rig.machine()["baseline"]["proposal"]["accepted"] is False


def test_a_baseline_from_time_that_was_judged_ill_is_refused(learned):
    learned.feed(40, damage="unbalance", severity=1.2)
    start = 600.0 * (HEALTHY + 5)
    chosen = learned.command("baseline_choose", ANNA, asset="m0", start=start)
    many = chosen["windows"]
    assert f"{many} of {many} records were judged stop" in chosen["notes"]
    with pytest.raises(ValueError, match="were judged stop"):
        learned.command("baseline_accept", asset="m0", reason="relearned")
    assert learned.machine()["latched"]


def test_a_first_baseline_that_the_shelf_does_not_take_is_said_and_tried_again(
    tmp_path, caplog
):
    rig = Rig(tmp_path, simulation=Simulation(auto_baseline=True))
    in_the_way = tmp_path / "baselines" / "m0"
    in_the_way.parent.mkdir()
    in_the_way.write_text("")
    rig.feed(40, ("m0",))
    rig.let_learn()
    assert "m0: no first baseline" in caplog.text
    in_the_way.unlink()
    rig.feed(RELEARN_ROWS, ("m0",))
    rig.let_learn()
    assert rig.machine()["baseline"]["version"] == 1
    rig.stop()


def test_healthy_time_can_be_chosen_and_one_may_go_back(learned):
    first = 600.0 * 5
    chosen = learned.command("baseline_choose", ANNA, asset="m0", start=first, end=600.0 * 50)
    assert chosen["first"] == first
    learned.command("baseline_accept", asset="m0", reason="narrower")
    assert learned.machine()["baseline"]["versions"] == [1, 2]
    assert learned.machine()["baseline"]["version"] == 2
    learned.command("baseline_back", asset="m0", version=1, reason="the first was better")
    assert learned.machine()["baseline"]["version"] == 1
    with pytest.raises(Exception, match="no baseline 9"):
        learned.command("baseline_back", asset="m0", version=9, reason="?")
    with pytest.raises(ValueError, match="start must be before end"):
        learned.command("baseline_choose", ANNA, asset="m0", start=5.0, end=5.0)


def test_a_growing_fault_becomes_one_order_with_evidence(learned):
    learned.feed(30, damage="outer_race", severity=0.5)
    found = learned.machine()
    assert found["verdict"] in ("plan", "stop")
    assert found["orders"] == ["m0/VIB/1"]
    assert learned.machine("m1")["verdict"] == "run"
    (order,) = learned.station.snapshot()["orders"]
    assert order["component"] == "bearing"
    assert {entry["kind"] for entry in order["evidence"]} & {"bearing", "impulses"}
    assert "machine_plan.m0" in {alarm["id"] for alarm in learned.station.snapshot()["alarms"]}
    assert learned.light.shown[-1] in (LightState.PLAN, LightState.STOP)


def test_a_restart_in_the_middle_of_it_opens_no_second_order(learned):
    learned.feed(30, damage="outer_race", severity=0.5)
    before = learned.machine()
    learned.restart()
    after = learned.machine()
    assert after["verdict"] == before["verdict"]
    assert after["baseline"]["version"] == 1
    learned.feed(30, damage="outer_race", severity=0.6)
    keys = {record.subject for record in learned.read("order")}
    assert keys == {"m0/VIB/1"}
    assert learned.machine()["orders"] == ["m0/VIB/1"]


def test_closing_an_order_looks_anew_and_a_fault_that_stays_opens_the_next(learned):
    learned.feed(30, damage="outer_race", severity=0.5)
    learned.command("close_order", ANNA, key="m0/VIB/1", reason="greased")
    assert learned.station.pipeline.state["m0"] == Memory()
    learned.feed(30)
    assert learned.machine()["orders"] == []
    assert learned.machine()["verdict"] == "run"
    learned.feed(30, damage="outer_race", severity=0.5)
    assert learned.machine()["orders"] == ["m0/VIB/2"]


def test_the_order_of_a_machine_that_left_the_settings_is_closed_and_audited(rig):
    rig.station.act.desk.take(decision("m0", evidence()))
    rig.stop()
    del rig.rotors.machines["m0"]
    rig.start()
    rig.command("close_order", ANNA, key="m0/VIB/1", reason="scrapped")
    assert rig.station.act.desk.open_orders() == []
    assert rig.audited() == [("anna", "close_order", "order/m0/VIB/1")]


def test_a_stop_stays_until_a_person_acknowledges_it_also_over_a_restart(learned):
    learned.feed(30, damage="unbalance", severity=1.2)
    assert learned.machine()["verdict"] == "stop"
    learned.restart()
    learned.feed(40)
    found = learned.machine()
    assert (found["verdict"], found["latched"]) == ("stop", True)
    learned.command("acknowledge_stop", ANNA, asset="m0")
    learned.feed(12)
    assert learned.machine()["verdict"] == "run"
    with pytest.raises(ValueError, match="no stop to acknowledge"):
        learned.command("acknowledge_stop", ANNA, asset="m0")


STOPPED = Memory(Verdict.STOP, unacknowledged=True)


def test_a_stop_is_acknowledged_with_the_comment_left_blank(rig):
    rig.station.pipeline.state = {"m0": STOPPED}
    rig.command("acknowledge_stop", ANNA, asset="m0", comment=" ")
    assert not rig.station.pipeline.state["m0"].unacknowledged


def test_a_stop_whose_comment_is_refused_stays_latched(rig):
    rig.station.pipeline.state = {"m0": STOPPED}
    with pytest.raises(ValueError, match="comment must be"):
        rig.command("acknowledge_stop", ANNA, asset="m0", comment="x" * 501)
    assert rig.station.pipeline.state["m0"].unacknowledged


def test_a_stop_stays_latched_when_its_acknowledgement_is_not_kept(rig):
    rig.station.pipeline.state = {"m0": STOPPED}
    rig.sql(NO_AUDIT)
    with pytest.raises(Exception, match="the audit is refused"):
        rig.command("acknowledge_stop", ANNA, asset="m0")
    assert rig.station.pipeline.state["m0"].unacknowledged


def test_verdicts_are_recorded_when_they_change_and_rows_for_every_window(learned):
    learned.feed(30, damage="outer_race", severity=0.5)
    verdicts = [r for r in learned.read("verdict") if r.subject.startswith("m0/")]
    assert verdicts[0].body["verdict"] == "run"
    assert verdicts[-1].body["verdict"] in ("plan", "stop")
    assert verdicts[-1].body["evidence"]
    assert verdicts[-1].body["baseline"] == 1
    assert len(verdicts) < 20
    rows = [row for row in learned.read("health") if row.subject == "m0"]
    assert len(rows) == HEALTHY + 30
    assert rows[0].body["features"]["axes"] == 2
    json.dumps([v.body for v in verdicts], allow_nan=False)


def test_rows_leave_as_metrics_without_features_and_not_to_the_cmms(rig):
    rig.feed(2)
    rig.settle()
    with closing(open_readonly(rig.store.path)) as connection:
        found = connection.execute("SELECT sink, class, payload FROM outbox").fetchall()
    health = [row for row in found if json.loads(row[2])["type"].endswith("health.v1")]
    assert {(sink, of_class) for sink, of_class, _ in health} == {("mqtt", "metric")}
    assert "features" not in json.loads(health[0][2])["data"]


def test_spectra_are_stored_for_the_screens(rig):
    rig.feed(8)
    rig.settle()
    with closing(open_readonly(rig.store.path)) as connection:
        drawn = meta.get(connection, "spectrum:m0")
    assert drawn is not None
    for name in ("spectrum", "envelope"):
        assert 100 < len(drawn[name]["hz"]) <= 400
        assert len(drawn[name]["hz"]) == len(drawn[name]["value"])
    names = {cursor["name"] for cursor in drawn["cursors"]}
    assert {"1×", "BPFO", "BPFI", "2×BSF", "FTF"} <= names


def test_a_broken_sensor_is_a_technical_alarm_and_no_score(rig):
    rig.feed(2)
    for _ in range(20):
        flat = np.ones((2, 4096), np.float32)
        for asset, changes in (("m0", {"acceleration": flat}), ("m1", {})):
            rig.source.put(of_window(rig.rotors.window(asset, rig.number), **changes))
        rig.number += 1
        rig.turn()
    found = rig.machine()
    assert found["quality"] == "bad"
    assert "flat line" in found["not_judged"]
    assert found["verdict"] == "run"  # the last one, and it says that it is not judged
    assert not found["judged"]
    assert found["bad_records"] == 20
    alarms = {alarm["id"] for alarm in rig.station.snapshot()["alarms"]}
    assert "machine_sensor.m0" in alarms
    assert rig.machine("m1")["judged"]
    assert [r.subject for r in rig.read("quality")] == ["m0"] * len(rig.read("quality"))


def test_a_sensor_that_flickers_is_told_once_in_a_while_as_it_is_then(rig):
    flat = {"acceleration": np.ones((2, 4096), np.float32)}
    for changes in (flat, {}) * 4:
        rig.feed(1, ("m0",), **changes)
    (told,) = rig.read("quality")
    assert "flat line" in told.body["reason"]
    rig.clock.sleep(QUALITY_PERIOD_S)
    rig.feed(1, ("m0",))
    assert [record.body["reason"] for record in rig.read("quality")][1:] == [""]


def test_a_machine_that_never_stops_ramping_is_never_judged_and_said(rig):
    for _ in range(5):
        window = rig.rotors.window("m0", rig.number, rpm_change=500.0)
        rig.source.put(of_window(window))
        rig.number += 30
        rig.turn()
    window = rig.rotors.window("m0", rig.number + 10, rpm_change=500.0)
    rig.source.put(of_window(window))
    rig.turn()
    found = rig.machine()
    assert found["not_judged"] == "it is ramping"
    assert found["verdict"] == "unknown"
    assert "machine_unjudged.m0" in {a["id"] for a in rig.station.snapshot()["alarms"]}


def test_a_silent_machine_is_said(rig):
    rig.feed(1)
    rig.clock.sleep(200.0)
    found = rig.machine()
    assert found["silent"]
    assert found["data_age_s"] > 200
    ids = {alarm["id"] for alarm in rig.station.snapshot()["alarms"]}
    assert {"machine_silent.m0", "machine_silent.m1"} <= ids


def test_the_alarm_of_an_unknown_asset_goes_when_it_is_silent(rig):
    def state():
        rig.machine()
        alarms = {alarm["id"]: alarm["state"] for alarm in rig.station.snapshot()["alarms"]}
        return alarms["unknown_asset"]

    rig.source.put(reading("ghost"))
    rig.turn()
    assert state() == "UNACK"
    rig.clock.sleep(rig.station.settings.sense.silent_s)
    assert state() == "RTNUN"  # gone; nobody has acknowledged it


def test_sources_that_are_away_are_a_fault_and_the_light_knows_nothing(rig):
    rig.feed(2)
    rig.source.away = "no network"
    for _ in range(10):
        rig.turn()
    assert rig.light.shown[-1] is LightState.FAULT
    snapshot = rig.station.snapshot()
    assert not snapshot["healthy"]
    assert "no network" in snapshot["faults"][0]
    assert "source_failed" in {alarm["id"] for alarm in snapshot["alarms"]}
    assert len(rig.read("fault")) == 1
    rig.source.away = ""
    rig.feed(2)
    rig.machine()
    assert rig.station.snapshot()["healthy"]


def test_a_bug_beside_the_sources_is_a_fault_that_is_said(rig, monkeypatch):
    def broken():
        raise ValueError("a bug")

    monkeypatch.setattr(rig.station.sense, "_batch", broken)
    rig.feed(1)
    rig.machine()
    assert rig.station.snapshot()["faults"] == ["ValueError: a bug"]
    assert rig.station.act.light_state is LightState.FAULT


def test_a_failing_model_is_a_fault_and_never_a_good_verdict(rig, monkeypatch):
    rig.feed(2)

    def broken(_):
        raise RuntimeFailure("network", "out of memory")

    monkeypatch.setattr(rig.station.look._perceive, "look", broken)
    rig.feed(3)
    machine, snapshot = rig.machine(), rig.station.snapshot()
    assert (machine["judged"], machine["not_judged"]) == (False, "network: out of memory")
    assert "not looked at" in str(table([Document(machine)], Freshness(0.0), ""))
    assert "out of memory" in snapshot["faults"][0]
    assert "inference_failed" in {alarm["id"] for alarm in snapshot["alarms"]}
    assert rig.station.act.light_state is LightState.FAULT


def test_what_people_do_is_audited(rig):
    rig.feed(1)
    assert rig.command("note", ANNA, asset="m0", text="sounds rough") == "noted"
    assert rig.audited() == [("anna", "note", "m0")]
    (record,) = rig.read("note")
    assert record.body == {"asset": "m0", "by": "anna", "text": "sounds rough"}


def test_a_refused_audit_is_counted(rig):
    rig.sql(NO_AUDIT)
    with pytest.raises(Exception, match="the audit is refused"):
        rig.command("note", ANNA, asset="m0", text="sounds rough")
    rig.clock.sleep(rig.store.settings.upkeep_s)
    rig.settle()
    rig.settle()  # the counts are written after what was waiting
    with closing(open_readonly(rig.store.path)) as connection:
        assert refusals(connection) == [Refusal("audit", "invalid", 1)]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("note", {"asset": "ghost", "text": "x"}, "there is no machine ghost"),
        ("note", {"asset": "m0"}, "text must be"),
        ("close_order", {"key": "m0/VIB/1", "reason": "x"}, "no open order"),
        ("close_order", {"key": "m0/VIB/1"}, "reason must be"),
        ("baseline_accept", {"asset": "m0", "reason": "x"}, "nothing has been learned"),
        ("baseline_accept", {"asset": "m0"}, "reason must be"),
        ("baseline_back", {"asset": "m0", "reason": "x"}, "version must be"),
        ("baseline_learn", {"asset": "m0"}, "nothing was steady"),
    ],
)
def test_a_wrong_command_is_one_clear_line(rig, name, arguments, why):
    with pytest.raises(Exception, match=why):
        rig.command(name, **arguments)


def test_the_snapshot_is_json_and_prometheus_can_read_it(rig):
    rig.feed(3)
    rig.machine()
    json.dumps(rig.station.snapshot(), allow_nan=False)
    text = rig.station.metrics().decode()
    assert 'lineside_maintenance_verdict{asset="m0"} 0.0' in text
    assert "lineside_maintenance_records" in text


def test_the_snapshot_says_how_the_process_of_the_model_fares_now(rig, model, runtime):
    runtime.state = lambda: {"alive": True, "restarts": rig.number}
    rig.choice = Choice(model.model, "the only one")
    rig.restart()
    rig.feed(2)
    rig.turn()  # the next snapshot is due
    told = rig.station.snapshot()["model"]
    assert told["process"] == {"alive": True, "restarts": 2}
    assert told["reason"] == "the only one"


def test_a_machine_never_heard_of_is_unknown_and_not_good(rig):
    rig.feed(2, assets=("m0",))
    found = rig.machine("m1")
    assert (found["verdict"], found["quality"], found["data_age_s"]) == (
        "unknown",
        "stale",
        None,
    )
    assert Verdict(found["verdict"]).rank == -1


def test_what_is_being_learned_when_the_station_stops_is_refused_and_not_lost_in_silence():
    stopped = Future()
    after = then(stopped, lambda baseline: baseline)
    stopped.cancel()
    with pytest.raises(ConfigError, match="the station stops"):
        after.result(1.0)


def test_noise_of_every_kind_leaves_the_loop_running(rig):
    rng = np.random.default_rng(1)
    for number in range(20):
        shape = (int(rng.integers(1, 5)), int(rng.integers(0, 5000)))
        wild = rng.choice([0.0, 1e30, np.nan, np.inf, -1.0], shape).astype(np.float32)
        rig.source.put(reading("m0", acceleration=wild, sequence=number), reading("m1"))
        rig.turn()
    assert rig.machine("m1")["judged"]
    assert not rig.machine("m0")["judged"]
