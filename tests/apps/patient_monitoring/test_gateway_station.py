"""The gateway from the wire to the nurse: alarms, restarts, records, commands, snapshot."""

import json
from functools import partial

import pytest

from apps.patient_monitoring import NOT_A_DEVICE, speak
from apps.patient_monitoring.config import PauseRules, Settings, WardSettings
from apps.patient_monitoring.owners import OWNERS
from apps.patient_monitoring.record import CENSUS, FORCE, SPOTS
from common import audit, meta
from common.errors import RuntimeFailure
from common.users import User

ILL = {"SPO2": 88.0, "RR": 26.0}
ALARM_S = 95
"""30 s for the median to follow, 60 s to persist, and a little."""


def ill(gateway, bed="1", seconds=ALARM_S, **others):
    gateway.observe(bed)
    gateway.run(10, **{f"b{bed}": {}}, **others)
    gateway.run(seconds, **{f"b{bed}": ILL}, **others)


# ------------------------------------------------------------------ what is called for


def test_a_patient_who_gets_worse_is_called_for_after_the_stated_delays(gateway):
    gateway.observe("1")
    gateway.run(60, b1={}, b2={})
    gateway.run(88, b1=ILL, b2={})
    assert gateway.state("bed_risk/1") == "NORM"
    gateway.run(5, b1=ILL, b2={})
    assert gateway.state("bed_risk/1") == "UNACK"
    tile = gateway.tile("1")
    assert (tile["risk"], tile["priority"]) == ("MEDIUM", "MEDIUM")
    assert tile["score"]["red"] == ["RESPIRATION", "SPO2"]
    assert [alarm["id"] for alarm in tile["alarms"]] == ["bed_risk/1"]
    assert gateway.tile("2")["alarms"] == []


def test_an_extreme_is_called_for_after_its_hold_and_waits_for_no_score(gateway):
    gateway.run(20, b1={})
    gateway.run(12, b1={"SPO2": 70})
    assert gateway.state("bed_extreme/1") == "NORM"
    gateway.run(1, b1={"SPO2": 70})
    assert gateway.state("bed_extreme/1") == "UNACK"
    assert gateway.tile("1")["priority"] == "HIGH"
    assert not gateway.tile("1")["score"]["complete"]


def test_a_monitor_that_falls_silent_is_a_technical_alarm_and_no_normal_score(gateway):
    gateway.observe("1")
    gateway.run(60, b1={})
    assert gateway.tile("1")["score"]["complete"]
    gateway.run(95)
    tile = gateway.tile("1")
    assert gateway.state("bed_technical/1") == "UNACK"
    assert tile["technical"] == ["device silent"]
    assert not tile["score"]["complete"]
    assert tile["signs"]["HR"]["value"] is None
    assert tile["invalid_since"] < gateway.clock.wall()


def test_a_model_that_fails_leaves_the_ward_knowing_that_nobody_watches(gateway, monkeypatch):
    gateway.run(5, b1={})

    def fail(sample):
        raise RuntimeFailure("model", "the accelerator hangs")

    monkeypatch.setattr(gateway.station.pipeline, "perceive", fail)
    gateway.beat()
    assert gateway.state("ward_unmonitored") == "UNACK"
    gateway.station._look_around(gateway.clock.monotonic())
    snapshot = gateway.station.snapshot()
    assert not snapshot["healthy"]
    assert "accelerator hangs" in snapshot["ward"]["fault"]
    assert len(gateway.records("fault")) == 1
    gateway.beat(3.0)
    assert len(gateway.records("fault")) == 1, "told once, as it began"
    monkeypatch.undo()
    gateway.beat()
    assert gateway.state("ward_unmonitored") == "LATCHED_UNACK"
    assert gateway.station.fault == ""


def test_while_nothing_is_perceived_no_tile_shows_what_was_nor_of_whom(gateway, monkeypatch):
    gateway.observe("1")
    gateway.run(60, b1={"SPO2": 88.0})

    def fail(sample):
        raise RuntimeFailure("model", "the accelerator hangs")

    monkeypatch.setattr(gateway.station.pipeline, "perceive", fail)
    gateway.beat(2.0)
    tile = gateway.tile("1")
    assert (tile["score"], tile["signs"], tile["due_in_s"]) == (None, {}, None)
    gateway.command("discharge", bed="1", patient=tile["patient"], reason="home")
    place = gateway.place("1")
    assert gateway.say(speak.admission(place, "SIM-NEXT", gateway.now())) == "AA"
    gateway.beat(2.0)
    assert gateway.tile("1")["patient"] not in (None, tile["patient"])
    assert gateway.tile("1")["score"] is None, "nothing of who lay there before"
    monkeypatch.undo()
    gateway.beat(1.0)
    assert gateway.tile("1")["score"]["at_least"] == 0


# ------------------------------------------------------------------ restarts


def test_a_restart_in_an_escalation_loses_neither_alarm_nor_patient_nor_round(gateway):
    ill(gateway)
    gateway.command("take", alarm_id="bed_risk/1", patient=gateway.tile("1")["patient"])
    before = gateway.tile("1")
    gateway.beat(1.0)
    gateway.restart(20.0)
    gateway.beat()
    after = gateway.tile("1")
    assert after["patient"] == before["patient"]
    assert gateway.state("bed_risk/1") == "ACKED", "in force until the ward is known again"
    assert after["owner"] == "anna"
    assert (after["risk"], after["priority"]) == ("MEDIUM", "MEDIUM")
    assert after["score"]["parts"]["SYSTOLIC"] == 0, "what was entered is as old as it is"
    assert after["signs"]["SBP"]["age_s"] > 95
    assert not after["score"]["complete"]
    gateway.run(ALARM_S, b1=ILL)
    assert gateway.state("bed_risk/1") == "ACKED"
    assert gateway.tile("1")["risk"] == "MEDIUM"
    gateway.observe("1")
    gateway.run(400, b1={})
    assert gateway.state("bed_risk/1") == "NORM"


def test_a_wrong_monitor_that_is_gone_after_a_restart_is_no_alarm_for_ever(gateway):
    gateway.measure("1", mrn="SIM-OTHER")
    gateway.measure("2", mrn="SIM-OTHER")
    gateway.beat(1.5)
    assert gateway.state("bed_identity/1") == gateway.state("bed_identity/2") == "UNACK"
    gateway.restart()
    gateway.measure("2", mrn="SIM-OTHER")
    gateway.beat(1.5)
    assert gateway.state("bed_identity/1") == "RTNUN"
    assert gateway.state("bed_identity/2") == "UNACK"


def test_what_was_in_force_and_cannot_be_read_keeps_nobody_from_being_watched(gateway, caplog):
    gateway.run(2, b1={})
    pseudonym = gateway.tile("1")["patient"]
    for_nobody = {pseudonym: {"written by": "a later release"}}
    gateway.store.submit(partial(meta.put, key=FORCE, document=for_nobody)).result()
    gateway.restart()
    gateway.beat(1.0)
    assert all(gateway.tile(bed)["patient"] for bed in "123")
    assert "cannot be read" in caplog.text


def test_what_another_release_kept_is_told_and_keeps_no_gateway_from_starting(gateway):
    gateway.observe("1")
    gateway.beat(1.0)
    who = gateway.tile("1")["patient"]
    stays = gateway.station.intake.census.document()
    stays["stays"][1]["weight_kg"] = 80
    kept = {CENSUS: stays, SPOTS: {who: {"0": 5, "6": ["x"]}}, OWNERS: {"bed_risk/1": 3}}
    for key, document in kept.items():
        gateway.store.submit(partial(meta.put, key=key, document=document)).result()
    gateway.restart()
    gateway.beat(1.0)
    assert gateway.tile("1")["patient"] == who
    assert gateway.tile("2")["patient"] is None
    assert gateway.state("source_refused") == "UNACK"
    assert "who lay in 2" in gateway.board.alarm("source_refused").detail
    assert gateway.station.snapshot()["counts"]["of_no_known_age"] == 2


def test_a_restart_does_not_bring_back_who_left(gateway):
    gateway.command("discharge", bed="1", patient=gateway.tile("1")["patient"], reason="home")
    gateway.beat()
    gateway.restart()
    gateway.beat()
    assert gateway.tile("1")["patient"] is None
    assert gateway.tile("2")["patient"] is not None


def test_who_lay_in_a_bed_that_is_gone_after_a_restart_is_told(gateway):
    gateway.settings = Settings(ward=WardSettings(beds=2))
    gateway.restart()
    gateway.beat()
    assert gateway.tile("2")["patient"] is not None
    assert gateway.state("source_refused") == "UNACK"
    detail = gateway.board.alarm("source_refused").detail
    assert detail == "census: nobody watches who lay in 3: not here, or not readable now"
    assert gateway.station.intake.sources.refused == {"bed": 1}


# ------------------------------------------------------------------ records and proof


def test_an_alert_keeps_inputs_age_and_quality_and_leaves_in_the_same_transaction(gateway):
    ill(gateway)
    body = gateway.records("alert")[-1]
    assert body["inputs"]["SPO2"]["value"] == 88
    assert body["inputs"]["SYSTOLIC"]["age_s"] == pytest.approx(90, abs=10)
    assert body["score"]["missing"] == []
    assert body["not_a_device"] == NOT_A_DEVICE
    events = [json.loads(payload) for (payload,) in gateway.query("SELECT payload FROM outbox")]
    told = [e["data"] for e in events if e["type"] == "lineside.ward.alert.v1"]
    assert [one["alert_id"] for one in told] == [
        one["alert_id"] for one in gateway.records("alert")
    ]


def test_nothing_in_the_stations_file_says_who_a_patient_is(gateway):
    message = b"MSH|^~\\&|ADT|HOSP|||20260101000000+0000||ADT^A01|Z1|T|2.6\r"
    message += b"PID|||SIMSECRET7^^^HOSP^MR||Geheimrat^Zacharias||19500101\rPV1||I|W7^^BED4\r"
    assert gateway.say(message) == "AA"
    odd = message.replace(b"|19500101", b"|19501332").replace(b"BED4", b"BED5")
    assert gateway.say(odd) == "AE PID-7 is no date"
    gateway.measure("4", mrn="SIMSECRET7")
    gateway.measure("4", mrn="SIMOTHER8")
    ill(gateway)
    gateway.tile("4")
    gateway.settle()
    gateway.stop()
    folder = list(gateway.folder.rglob("*"))
    kept = b"".join(path.read_bytes() for path in folder if path.is_file())
    numbers = (b"SIMSECRET7", b"SIMOTHER8", b"SIM1", b"19501332")
    for secret in (*numbers, b"Geheimrat", b"Zacharias", b"ZG"):
        assert secret not in kept.replace(b"SIMPLE", b""), secret
    gateway.start()


def test_once_a_minute_the_wards_signs_are_kept(gateway):
    gateway.run(130, b1={})
    bodies = gateway.records("signs")
    assert len(bodies) == 3
    assert bodies[-1]["beds"] == [0, 1, 2]
    assert bodies[-1]["HR"] == [72.0, None, None]
    assert bodies[-1]["complete"] == [False, False, False]


# ------------------------------------------------------------------ commands


def test_what_a_nurse_enters_is_scored_kept_and_audited(gateway):
    patient = gateway.tile("1")["patient"]
    told = gateway.command(
        "enter", bed="1", patient=patient, values={"ACVPU": "V", "OXYGEN": "oxygen", "SBP": 88}
    )
    assert told == "entered: ACVPU, OXYGEN, SBP"
    gateway.beat()
    tile = gateway.tile("1")
    assert tile["score"]["at_least"] == 8
    assert tile["risk"] == "HIGH", "a person looked: there is no need to wait"
    assert gateway.records("entry")[-1]["user"] == "anna"
    actions = [row[0] for row in gateway.query("SELECT action FROM audit")]
    assert "enter" in actions
    assert gateway.store.submit(audit.verify).result() is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "values must be an object"),
        ({"SBP": 400}, "SBP must be 30 to 300"),
        ({"SBP": "120"}, "SBP must be a number"),
        ({"SBP": True}, "SBP must be a number"),
        ({"SBP": float("nan")}, "SBP must be 30 to 300"),
        ({"ACVPU": "X"}, "ACVPU must be one of A, C, V, P, U"),
        ({"OXYGEN": 1}, "OXYGEN must be one of air, oxygen"),
        ({"PI": 3}, "PI cannot be entered"),
    ],
)
def test_what_cannot_be_entered_is_said(gateway, values, words):
    patient = gateway.tile("1")["patient"]
    with pytest.raises(ValueError, match=words):
        gateway.command("enter", bed="1", patient=patient, values=values)


def test_a_command_for_whoever_lay_there_before_does_nothing(gateway):
    one, two = gateway.tile("1")["patient"], gateway.tile("2")["patient"]
    values = {"SBP": 80}
    with pytest.raises(ValueError, match="another patient"):
        gateway.command("enter", bed="1", patient=two, values=values)
    with pytest.raises(ValueError, match="nobody is admitted"):
        gateway.command("enter", bed="6", patient=one, values=values)
    with pytest.raises(ValueError, match="another patient"):
        gateway.command("discharge", bed="2", patient=one, reason="wrong")
    for name, more in (("take", {}), ("hand_over", {"to": "berta", "reason": "x"})):
        with pytest.raises(ValueError, match="another patient"):
            gateway.command(name, alarm_id="bed_risk/1", patient=two, **more)
    for name in ("pause", "resume"):
        with pytest.raises(ValueError, match="another patient"):
            gateway.command(name, bed="1", patient=two, seconds=60.0, reason="wash")
        with pytest.raises(ValueError, match="patient"):
            gateway.command(name, bed="1", seconds=60.0, reason="wash")
    gateway.beat()
    assert gateway.tile("1")["signs"] == {}


def test_scale_2_takes_an_order_with_who_and_why(gateway):
    patient = gateway.tile("1")["patient"]
    with pytest.raises(ValueError, match="clinician"):
        gateway.command("order_scale2", bed="1", patient=patient, on=True, reason="COPD")
    gateway.observe("1")
    gateway.run(10, b1={"SPO2": 90})
    assert gateway.tile("1")["score"]["parts"]["SPO2"] == 3
    gateway.command(
        "order_scale2", bed="1", patient=patient, on=True, clinician="Dr. Weiss", reason="CO2"
    )
    gateway.run(2, b1={"SPO2": 90})
    assert gateway.tile("1")["scale2"]
    assert gateway.tile("1")["score"]["parts"]["SPO2"] == 0
    reason = gateway.query("SELECT reason FROM audit WHERE action = 'order_scale2'")[0][0]
    assert reason == "scale 2, ordered by Dr. Weiss: CO2"
    gateway.restart()
    gateway.beat()
    assert gateway.tile("1")["scale2"]


def test_an_alarm_is_taken_and_handed_over(gateway):
    ill(gateway)
    one, two = (
        {"alarm_id": f"bed_risk/{bed}", "patient": gateway.tile(bed)["patient"]} for bed in "12"
    )
    with pytest.raises(ValueError, match="not active"):
        gateway.command("take", **two)
    assert gateway.command("take", **one) == "anna looks after it"
    assert gateway.state("bed_risk/1") == "ACKED"
    gateway.command("hand_over", **one, to="berta", reason="change of shift")
    assert gateway.tile("1")["owner"] == "berta"
    assert gateway.tile("1")["alarms"][0]["ack_user"] == "anna"


def test_a_pause_is_short_counted_and_hides_nothing_high(make_gateway):
    rules = Settings(ward=WardSettings(beds=3), pause=PauseRules(most_s=120, per_hour_s=200))
    gateway = make_gateway(rules)
    gateway.admit("1", "2")
    gateway.beat()
    seen = {"bed": "1", "patient": gateway.tile("1")["patient"]}
    for arguments, words in (
        ({"seconds": 500.0, "reason": "wash"}, "at most 120 s"),
        ({"seconds": 60.0}, "reason"),
        ({"seconds": 60.0, "reason": "wash", "bed": "9"}, "not on this gateway"),
    ):
        with pytest.raises(ValueError, match=words):
            gateway.command("pause", **{**seen, **arguments})
    gateway.command("pause", **seen, seconds=120.0, reason="wash")
    assert gateway.tile("1")["paused_until"] > gateway.clock.wall()
    with pytest.raises(ValueError, match="200 s of pause in an hour"):
        gateway.command("pause", **seen, seconds=120.0, reason="wash")
    gateway.observe("1", SBP=85, ACVPU=2.0, OXYGEN=1)  # HIGH, by a person's hand
    gateway.beat()
    assert gateway.state("bed_risk/1") == "UNACK"
    with pytest.raises(ValueError, match="high priority"):
        gateway.command("pause", **seen, seconds=10.0, reason="again")
    with pytest.raises(ValueError, match="high priority"):
        gateway.command("shelve", alarm_id="bed_risk/1", seconds=60.0, reason="noise")


def test_a_pause_ends_by_itself(gateway):
    one, two = ({"bed": bed, "patient": gateway.tile(bed)["patient"]} for bed in "12")
    gateway.command("pause", **one, seconds=60.0, reason="wash")
    gateway.beat(61.0)
    gateway.tile("1")
    assert gateway.tile("1")["paused_until"] is None
    gateway.command("pause", **two, seconds=60.0, reason="wash")
    gateway.command("resume", **two)
    assert gateway.tile("2")["paused_until"] is None


def test_a_pause_is_one_patients_and_no_other_way_hides_a_risk(gateway):
    one, two = (gateway.tile(bed)["patient"] for bed in "12")
    gateway.command("pause", bed="1", patient=one, seconds=180.0, reason="wash")
    gateway.command("swap", patient=one, other=two, reason="window")
    gateway.beat()
    assert gateway.tile("1")["paused_until"] is gateway.tile("2")["paused_until"] is None
    risk = {"alarm_id": "bed_risk/1", "reason": "noise"}
    with pytest.raises(ValueError, match="pause the bed's alarms instead"):
        gateway.command("shelve", **risk, seconds=60.0)
    with pytest.raises(ValueError, match="pause the bed's alarms instead"):
        gateway.command("remove_from_service", **risk, permit="P1")
    probe = {"alarm_id": "bed_technical/1", "reason": "no probe left"}
    gateway.command("shelve", **probe, seconds=900.0)
    assert gateway.state("bed_technical/1") == "SHELVED"


def test_a_restart_in_a_pause_goes_on_with_it_for_the_same_patient_only(gateway):
    ill(gateway)
    seen = {"bed": "1", "patient": gateway.tile("1")["patient"]}
    gateway.command("pause", **seen, seconds=180.0, reason="wash")
    gateway.restart(20.0)
    gateway.beat()
    assert gateway.state("bed_risk/1") == "SHELVED"
    gateway.command("discharge", **seen, reason="home")
    gateway.beat()
    assert gateway.state("bed_risk/1") == "NORM"


def test_admission_by_hand_takes_invented_numbers_only(gateway):
    with pytest.raises(ValueError, match="SIM"):
        gateway.command("admit", bed="4", mrn="MRN4711")
    gateway.command("admit", bed="4", mrn="SIM44", initials="QX", age=71)
    gateway.beat()
    tile = gateway.tile("4")
    assert (tile["age"], tile["initials"]) == (71, "")
    assert gateway.command("names")["4"] == "QX"
    assert gateway.query("SELECT count(*) FROM audit WHERE action = 'names'") == [(1,)]
    gateway.command("transfer", patient=tile["patient"], from_bed="4", to_bed="5", reason="x")
    gateway.beat()
    assert gateway.tile("5")["patient"] == tile["patient"]
    other = gateway.tile("1")["patient"]
    gateway.command("swap", patient=tile["patient"], other=other, reason="window")
    gateway.beat()
    assert gateway.tile("1")["patient"] == tile["patient"]


def test_who_left_can_be_forgotten_and_who_lies_here_cannot(gateway):
    patient = gateway.tile("1")["patient"]
    with pytest.raises(ValueError, match="discharge them first"):
        gateway.command("forget", patient=patient, reason="asked")
    gateway.command("discharge", bed="1", patient=patient, reason="home")
    assert gateway.command("forget", patient=patient, reason="asked") == "forgotten"
    assert gateway.station.parts.identities.real(patient) is None
    with pytest.raises(ValueError, match="nobody is known"):
        gateway.command("forget", patient=patient, reason="asked")


# ------------------------------------------------------------------ what is shown


def test_a_tile_gives_as_much_time_as_the_chart_from_when_it_was_raised(gateway):
    ill(gateway)
    alarm = gateway.tile("1")["alarms"][0]
    assert alarm["priority"] == "MEDIUM"
    assert alarm["respond_by"] == alarm["active_since"] + 180
    gateway.run(ALARM_S, b1={**ILL, "HR": 135, "PULSE": 135})
    alarm = gateway.tile("1")["alarms"][0]
    assert alarm["priority"] == "HIGH"
    raised_s = alarm["respond_by"] - 60 - alarm["active_since"]
    assert raised_s == pytest.approx(ALARM_S, abs=5), "counted from the emergency on"


def test_whom_nobody_has_observed_is_late_after_the_charts_time_too(gateway):
    gateway.run(30, b1={})
    admitted_s = 12 * 3600 - gateway.tile("1")["due_in_s"]
    assert admitted_s == pytest.approx(30, abs=2)
    gateway.clock.set_wall(gateway.clock.wall() - 86_400)
    gateway.clock.sleep(12 * 3600)
    gateway.run(5, b1={})
    assert gateway.tile("1")["due_in_s"] == pytest.approx(-35, abs=3)
    gateway.observe("1")
    gateway.beat()
    assert gateway.tile("1")["due_in_s"] > 11 * 3600


def test_a_tile_shows_its_patients_alarms_after_the_clock_was_set_back(gateway):
    gateway.run(5, b1={})
    gateway.clock.set_wall(gateway.clock.wall() - 600)
    gateway.run(5, b1={})
    ill(gateway)
    assert [alarm["id"] for alarm in gateway.tile("1")["alarms"]] == ["bed_risk/1"]


def test_a_tile_does_not_show_what_was_the_last_patients(gateway):
    ill(gateway)
    patient = gateway.tile("1")["patient"]
    gateway.command("discharge", bed="1", patient=patient, reason="home")
    gateway.command("admit", bed="1", mrn="SIM9")
    gateway.beat()
    assert gateway.state("bed_risk/1") == "RTNUN"
    assert gateway.tile("1")["alarms"] == []


def test_the_snapshot_is_json_and_says_that_this_is_no_device(gateway):
    ill(gateway)
    gateway.tile("1")
    snapshot = gateway.station.snapshot()
    assert json.loads(json.dumps(snapshot, allow_nan=False)) is not None
    assert snapshot["not_a_device"] == NOT_A_DEVICE
    assert snapshot["ward"]["occupied"] == 3
    assert [tile["bed"] for tile in snapshot["beds"]] == list("123456")
    tile = snapshot["beds"][0]
    assert tile["score"]["history"][-1] == tile["score"]["at_least"]
    assert tile["oldest"] in ("ACVPU", "OXYGEN", "SBP", "TEMP")
    assert tile["due_in_s"] < tile["due_s"]
    assert tile["alarms"][0]["respond_by"] > tile["alarms"][0]["active_since"]
    metrics = gateway.station.metrics()
    assert b"SIM" not in metrics
    assert b'lineside_ward_beds{priority="MEDIUM"} 1.0' in metrics
    assert b"lineside_outbox_queued" in metrics


def test_the_gateway_says_at_start_that_it_is_no_device_and_at_the_end_that_it_is_gone(
    gateway, caplog
):
    class Stop:
        def is_set(self):
            return True

    gateway.station.run(Stop())
    assert NOT_A_DEVICE in caplog.text
    assert gateway.state("ward_unmonitored") == "UNACK"


def test_a_beat_that_was_missed_is_counted_and_not_made_up(gateway):
    gateway.run(2, b1={})
    gateway.clock.sleep(5.25)
    gateway.beat(1.0)
    gateway.tile("1")
    assert gateway.station.snapshot()["counts"]["beats_missed"] == 9
    assert gateway.station.percept.at <= gateway.clock.monotonic()


def test_viewers_may_look_and_nothing_else(gateway):
    roles = gateway.station.roles
    assert {name for name, role in roles.items() if User("eve", "viewer").may(role)} == {
        "names"
    }
