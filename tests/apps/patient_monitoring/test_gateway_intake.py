"""Who lies where, and that nobody's signs ever stand on another's tile."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import speak
from apps.patient_monitoring.config import IntakeRules, Settings, WardSettings
from apps.patient_monitoring.domain import Sign
from apps.patient_monitoring.incoming.hl7 import stamp
from apps.patient_monitoring.source_clock import SourceClock

ALERT_S = 100


def adt(gateway, event, mrn, bed="", **more):
    place = gateway.place(bed) if bed else ("ELSEWHERE", "X1")
    return gateway.say(speak.admission(place, mrn, gateway.now(), event=event, **more))


def swap(gateway, one, there, other, here):
    number, wall = gateway.now()
    unit, first = gateway.place(there)
    second = gateway.place(here)[1]
    lines = [
        f"MSH|^~\\&|ADT|HOSP|||{stamp(wall)}||ADT^A17^ADT_A17|S{number}|T|2.6",
        "EVN||", f"PID|||{one}^^^HOSP^MR", f"PV1||I|{unit}^^{first}",
        f"PID|||{other}^^^HOSP^MR", f"PV1||I|{unit}^^{second}", "",
    ]  # fmt: skip
    return gateway.say("\r".join(lines).encode())


def merge(gateway, kept, ended):
    number, wall = gateway.now()
    head = f"MSH|^~\\&|ADT|HOSP|||{stamp(wall)}||ADT^A40^ADT_A39|M{number}|T|2.6"
    lines = [head, "EVN||", f"PID|||{kept}^^^HOSP^MR", f"MRG|{ended}^^^HOSP^MR", ""]
    return gateway.say("\r".join(lines).encode())


def score(gateway, bed):
    found = gateway.tile(bed)["score"]
    return found["at_least"] if found else None


# ------------------------------------------------------------------ swapped patients


def test_signs_of_another_patient_are_refused_and_the_bed_is_told(gateway):
    gateway.run(5, b1={}, b2={})
    answer = gateway.measure("1", mrn="SIM2", SPO2=70)
    assert answer == "AE another patient is admitted to bed 1"
    tile = gateway.tile("1")
    assert tile["signs"]["SPO2"]["value"] == 97
    assert gateway.state("bed_identity/1") == "UNACK"
    assert gateway.state("bed_identity/2") == "NORM"
    gateway.run(31, b1={})  # the right one again
    gateway.tile("1")
    assert gateway.state("bed_identity/1") == "RTNUN"


def test_a_wrong_monitor_is_told_as_long_as_it_speaks_beside_the_right_one(gateway):
    wrong = partial(speak.observation, gateway.place("1"), "SIM2", "MON9", [(Sign.HR, 99.0, 0)])
    for _ in range(5):
        assert gateway.say(wrong(gateway.now())).startswith("AE another patient")
        gateway.run(1, b1={})
        gateway.tile("1")
        assert gateway.state("bed_identity/1") == "UNACK"
    assert gateway.board.alarm("bed_identity/1").occurrence == 1, "one alarm, not one a second"
    gateway.run(30, b1={})
    gateway.tile("1")
    assert gateway.state("bed_identity/1") == "RTNUN"


def test_signs_for_an_empty_or_unknown_bed_are_refused(gateway):
    assert gateway.measure("5") == "AE nobody is admitted to bed 5"
    message = speak.observation(
        ("W7", "BED77"), "SIM1", "M", [(Sign.HR, 70.0, 0)], gateway.now()
    )
    assert gateway.say(message).startswith("AE PV1-3 is no bed")
    assert gateway.measure("5").startswith("AE nobody")
    assert dict(gateway.station.intake.sources.refused) == {"empty": 2, "bed": 1}
    shown = [(one["reason"], one["count"]) for one in gateway.station.intake.sources.refusals]
    assert shown == [("empty", 2), ("bed", 1)]
    gateway.tile("5")
    assert gateway.state("source_refused") == "UNACK"


# ------------------------------------------------------------------ ADT


def test_a_transfer_takes_the_score_along_and_leaves_none_behind(gateway):
    gateway.observe("1", SBP=85)
    gateway.run(ALERT_S, b1={"SPO2": 88, "RR": 26}, b2={})
    assert gateway.tile("1")["risk"] == "HIGH"
    assert adt(gateway, "A02", "SIM1", "5") == "AA"
    gateway.beat()
    left, arrived = gateway.tile("1"), gateway.tile("5")
    assert (left["patient"], left["score"], left["alarms"]) == (None, None, [])
    assert arrived["score"]["parts"]["SYSTOLIC"] == 3, "what the nurse measured goes along"
    assert arrived["score"]["parts"]["SPO2"] is None, "the new monitor has said nothing yet"
    assert not arrived["score"]["complete"]
    assert arrived["risk"] == "HIGH", "a move ends no escalation"
    assert gateway.state("bed_risk/5") == "UNACK"
    assert gateway.measure("1", mrn="SIM1") == "AE nobody is admitted to bed 1"
    assert gateway.measure("5", mrn="SIM1", SPO2=88) == "AA"


def test_an_escalation_ends_in_the_new_bed_as_in_the_old_one(gateway):
    gateway.observe("1")
    gateway.run(ALERT_S, b1={"SPO2": 85, "RR": 30, "HR": 135, "PULSE": 135})
    assert adt(gateway, "A02", "SIM1", "5") == "AA"
    gateway.beat(600.0)
    assert gateway.tile("5")["risk"] == "HIGH", "no complete score has said less"
    gateway.observe("5", mrn="SIM1")
    for _ in range(400):
        assert gateway.measure("5", mrn="SIM1") == "AA"
        gateway.beat(1.0)
    assert gateway.tile("5")["risk"] == "ROUTINE"
    assert gateway.state("bed_risk/5") == "RTNUN"


def test_who_is_moved_before_the_first_look_after_a_restart_is_still_called_for(gateway):
    gateway.observe("1")
    gateway.run(ALERT_S, b1={"SPO2": 85, "RR": 30, "HR": 135, "PULSE": 135})
    gateway.restart()
    assert adt(gateway, "A02", "SIM1", "5") == "AA"
    gateway.beat()
    assert (gateway.tile("1")["risk"], gateway.tile("5")["risk"]) == ("ROUTINE", "HIGH")
    assert gateway.state("bed_risk/5") == "UNACK"


def test_a_swap_changes_beds_and_nobody_sees_the_others_signs(gateway):
    gateway.observe("1")
    gateway.observe("2", SBP=85)
    gateway.run(ALERT_S, b1={}, b2={"SPO2": 85, "RR": 26})
    one, two = gateway.tile("1")["patient"], gateway.tile("2")["patient"]
    assert (gateway.tile("1")["risk"], gateway.tile("2")["risk"]) == ("ROUTINE", "HIGH")
    assert swap(gateway, "SIM1", "2", "SIM2", "1") == "AA"
    gateway.beat()
    first, second = gateway.tile("1"), gateway.tile("2")
    assert (first["patient"], second["patient"]) == (two, one)
    assert first["score"]["parts"]["SYSTOLIC"] == 3
    assert second["score"]["parts"]["SYSTOLIC"] == 0
    assert first["score"]["parts"]["SPO2"] is second["score"]["parts"]["SPO2"] is None
    assert (first["risk"], second["risk"]) == ("HIGH", "ROUTINE")
    assert second["alarms"] == [], "what bed 2 called for was the other's"
    assert swap(gateway, "SIM1", "2", "SIM2", "1") == "AA", "told twice"
    assert gateway.tile("1")["patient"] == two


def test_a_merge_keeps_the_patients_signs_under_either_number(gateway):
    gateway.observe("1")
    gateway.run(40, b1={})
    before = gateway.tile("1")
    assert merge(gateway, "SIM900", "SIM1") == "AA"
    assert gateway.measure("1", mrn="SIM900") == "AA"
    assert gateway.measure("1", mrn="SIM1") == "AA"
    gateway.beat()
    after = gateway.tile("1")
    assert (after["patient"], after["score"]["complete"]) == (before["patient"], True)
    assert gateway.station.parts.identities.real(after["patient"]).number == "HOSP:SIM900"
    assert merge(gateway, "SIM2", "SIM3").startswith("AE both numbers lie here")


def test_a_discharge_empties_the_tile(gateway):
    gateway.run(10, b1={})
    assert adt(gateway, "A03", "SIM2", "1").startswith("AE another patient")
    assert adt(gateway, "A03", "SIM1", "1") == "AA"
    gateway.beat()
    assert gateway.tile("1")["patient"] is None
    assert adt(gateway, "A01", "SIM9", "1") == "AA"
    gateway.beat()
    assert gateway.tile("1")["score"]["missing"] == list(gateway.tile("1")["score"]["parts"])


def test_an_admission_that_could_not_be_kept_is_taken_whole_when_it_comes_again(gateway):
    blocked = gateway.folder / "identities.bin.new"
    blocked.mkdir()  # the disk takes no new file of that name
    answer = adt(gateway, "A01", "SIM9", "4")
    assert answer.startswith("AE it could not be kept")
    gateway.beat()
    assert gateway.tile("4")["patient"] is None
    assert gateway.measure("4", mrn="SIM9") == "AE nobody is admitted to bed 4"
    blocked.rmdir()
    assert adt(gateway, "A01", "SIM9", "4") == "AA"
    assert gateway.measure("4", mrn="SIM9", SPO2=93) == "AA"
    gateway.beat()
    assert gateway.tile("4")["signs"]["SPO2"]["value"] == 93


def test_two_people_in_one_bed_and_one_in_two_are_refused(gateway):
    assert adt(gateway, "A01", "SIM9", "1").startswith("AE bed 1 is taken")
    assert adt(gateway, "A01", "SIM1", "4").startswith("AE this patient lies in bed 1")
    assert adt(gateway, "A02", "SIM1", "2").startswith("AE bed 2 is taken")
    assert adt(gateway, "A01", "SIM1", "1") == "AA", "told twice"
    assert adt(gateway, "A02", "SIM1") == "AA", "to another ward"
    gateway.beat()
    assert gateway.tile("1")["patient"] is None
    assert adt(gateway, "A99", "SIM2", "2").startswith("AR event A99 is not taken")


@pytest.mark.parametrize("event", ["A01", "A02", "A04", "A13"])
@pytest.mark.parametrize(
    "place", ["W7^^", "W7^^3", "W7^^BED99", "w7^^BED5", "", '""', "^^BED5"]
)
def test_a_place_that_cannot_be_read_takes_nobody_away(gateway, event, place):
    message = speak.admission(("", ""), "SIM1", gateway.now(), event=event)
    answer = gateway.say(message.replace(b"PV1||I|^^", f"PV1||I|{place}".encode()))
    assert answer == "AE PV1-3 is no bed of this gateway"
    assert gateway.say(message.split(b"PV1")[0]) == answer, "as does no place at all"
    gateway.beat()
    assert gateway.tile("1")["patient"] is not None
    assert gateway.station.intake.sources.refused["bed"] == 2


@pytest.mark.parametrize("event", ["A01", "A04", "A13"])
def test_only_a_transfer_leads_to_another_unit(gateway, event):
    assert adt(gateway, event, "SIM1").startswith("AE PV1-3")
    assert adt(gateway, "A02", "SIM1") == "AA"
    gateway.beat()
    assert gateway.tile("1")["patient"] is None


def test_real_patients_are_refused_as_shipped(gateway):
    assert adt(gateway, "A01", "MRN7", "5", processing="P").startswith("AR MSH-11 P")
    assert gateway.station.intake.sources.refused["processing"] == 1


def test_what_waits_for_a_bed_when_its_patient_changes_is_dropped(gateway):
    """Both within one turn: the old one's values came first and must not be scored."""
    gateway.measure("1", SPO2=70)
    assert adt(gateway, "A03", "SIM1", "1") == "AA"
    assert adt(gateway, "A01", "SIM9", "1") == "AA"
    gateway.measure("1", mrn="SIM9", RR=13)
    gateway.beat()
    signs = gateway.station.percept.reading
    assert not np.isfinite(signs.value[0, Sign.SPO2]) or signs.value[0, Sign.SPO2] == 97
    assert gateway.tile("1")["patient"] != gateway.tile("2")["patient"]


NAMES = ["SIM1", "SIM2", "SIM3", "SIM9"]
NUMBERS = itertools.count()
DEEDS = st.one_of(
    st.tuples(st.just("measure"), st.sampled_from("123456"), st.integers(0, 3)),
    st.tuples(
        st.sampled_from(["A01", "A02", "A03"]), st.sampled_from("123456"), st.integers(0, 3)
    ),
    st.tuples(st.just("beat"), st.just("1"), st.just(0)),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deeds=st.lists(DEEDS, max_size=40))
def test_whatever_happens_a_tile_shows_its_own_patients_signs(make_gateway, deeds):
    """Each patient's saturation says who they are; it stands on their tile or nowhere."""
    gateway = make_gateway(name=f"ward{next(NUMBERS)}")
    gateway.admit("1", "2", "3")
    for deed, bed, who in deeds:
        if deed == "beat":
            gateway.beat()
        elif deed == "measure":
            gateway.measure(bed, mrn=NAMES[who], SPO2=90 + who)
        else:
            adt(gateway, deed, NAMES[who], bed)
    gateway.beat(1.0)
    people = gateway.station.parts.identities
    for who, name in enumerate(NAMES):
        for tile in (gateway.tile(bed) for bed in "123456"):
            value = tile["signs"].get("SPO2", {}).get("value")
            if value == 90 + who:
                assert tile["patient"] == people.pseudonym(f"HOSP:{name}")


# ------------------------------------------------------------------ duplicates, order, clocks


def test_a_message_that_comes_twice_counts_once(gateway):
    said = [(Sign.SBP, 120.0, 0)]
    message = speak.observation(gateway.place("1"), "SIM1", "MON1", said, gateway.now())
    assert [gateway.say(message) for _ in range(3)] == ["AA", "AA", "AA"]
    assert gateway.station.intake.counts["messages"] == 1
    assert gateway.station.intake.counts["duplicates"] == 2


def test_what_comes_out_of_order_does_not_replace_what_is_newer(gateway):
    number, wall = gateway.now()
    gateway.run(3, b1={})
    late = speak.observation(
        gateway.place("1"), "SIM1", "MON1", [(Sign.SPO2, 71.0, 0)], (number, wall)
    )
    assert gateway.say(late) == "AA"
    gateway.run(2, b1={})
    assert gateway.station.perceive.signs.late == 1
    assert gateway.tile("1")["signs"]["SPO2"]["value"] == 97


@pytest.mark.parametrize(("skew_s", "word"), [(300.0, "behind"), (-300.0, "ahead")])
def test_a_monitor_whose_clock_is_wrong_is_refused_and_told(gateway, skew_s, word):
    number, wall = gateway.now()
    message = speak.observation(
        gateway.place("1"), "SIM1", "MON1", [(Sign.SPO2, 97.0, 0)], (number, wall - skew_s)
    )
    answer = gateway.say(message)
    assert answer.startswith("AE the clock is 300 s")
    assert word in answer
    gateway.tile("1")
    assert gateway.state("bed_clock/1") == "UNACK"


def test_a_small_skew_is_taken_off_and_a_backlog_is_as_old_as_it_is(gateway):
    """A monitor 10 s behind is live; what it sends later of 60 s ago is 60 s old."""
    for _ in range(5):
        number, wall = gateway.now()
        said = [(Sign.SPO2, 97.0, 0)]
        gateway.say(
            speak.observation(gateway.place("1"), "SIM1", "M", said, (number, wall - 10))
        )
        gateway.beat(1.0)
    assert gateway.tile("1")["signs"]["SPO2"]["age_s"] < 2.0
    number, wall = gateway.now()
    old = speak.observation(
        gateway.place("1"), "SIM1", "M", [(Sign.RR, 20.0, 0)], (number, wall - 10 - 60)
    )
    assert gateway.say(old) == "AA"
    gateway.beat(0.5)
    assert gateway.tile("1")["signs"]["RR"]["age_s"] == pytest.approx(60, abs=2)


def test_a_step_of_the_gateways_own_clock_is_told_and_loses_no_sign(gateway):
    gateway.run(5, b1={})
    gateway.clock.set_wall(gateway.clock.wall() + 3600)
    gateway.beat()
    gateway.run(5, b1={})
    assert gateway.tile("1")["signs"]["HR"]["age_s"] < 2
    assert gateway.state("gateway_clock") == "UNACK"


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 100)), min_size=1, max_size=50))
def test_the_shortest_delay_is_never_above_any_recent_one(steps):
    clock, now = SourceClock(600.0), 0.0
    seen: list[tuple[float, float]] = []
    for delay, pause in steps:
        now += pause
        seen.append((now, delay))
        least = min(d for at, d in seen if at > now - 300)
        assert clock.offset(delay, now) <= least


def test_values_too_old_to_count_are_refused(make_gateway):
    rules = IntakeRules(oldest_s=600.0)
    gateway = make_gateway(Settings(ward=WardSettings(beds=2), intake=rules))
    gateway.admit("1")
    number, wall = gateway.now()
    message = speak.observation(
        gateway.place("1"), "SIM1", "M", [(Sign.SBP, 120.0, 0)], (number, wall)
    )
    assert gateway.say(message.replace(stamp(wall).encode(), stamp(wall - 900).encode(), 3)
                       .replace(stamp(wall - 900).encode(), stamp(wall).encode(), 1)
                       ).startswith("AE SBP was measured 900 s ago")  # fmt: skip


def test_a_gateway_that_does_not_keep_up_makes_the_sender_wait(make_gateway):
    rules = IntakeRules(waiting=1000)
    gateway = make_gateway(Settings(ward=WardSettings(beds=2), intake=rules))
    gateway.admit("1")
    answers = [gateway.measure("1") for _ in range(300)]
    assert answers[0] == "AA"
    assert answers[-1].startswith("AE the gateway does not keep up")
    gateway.beat()
    assert gateway.measure("1") == "AA"


def test_a_pressure_said_again_stays_as_old_as_it_was(gateway):
    said = [(Sign.SBP, 120.0, 0), (Sign.HR, 70.0, 0)]
    for _ in range(3):
        message = speak.observation(gateway.place("1"), "SIM1", "M", said, gateway.now())
        lines = [line.split("|") for line in message.decode().split("\r")]
        for line in lines:  # no time of its own
            if line[0] == "OBX" and len(line) > 14:
                line[14] = ""
            if line[0] == "OBR":
                line[7] = ""
        assert gateway.say("\r".join("|".join(line) for line in lines).encode()) == "AA"
        gateway.beat(10.0)
    assert gateway.tile("1")["signs"]["SBP"]["age_s"] == pytest.approx(30, abs=1)
    assert gateway.tile("1")["signs"]["HR"]["age_s"] == pytest.approx(10, abs=1)


# ------------------------------------------------------------------ who may be scored


def test_a_child_and_a_pregnancy_get_no_score(gateway):
    assert adt(gateway, "A01", "SIM7", "4", born="20150601") == "AA"
    gateway.observe("4", mrn="SIM7", SBP=80)
    gateway.measure("4", mrn="SIM7")
    gateway.beat()
    tile = gateway.tile("4")
    assert tile["refusal"] == "NEWS2 is not for children under 16"
    assert (tile["score"]["complete"], tile["score"]["at_least"]) == (False, 0)
    patient = gateway.tile("1")["patient"]
    gateway.command("describe", bed="1", patient=patient, pregnant=True, reason="told")
    gateway.observe("1", SBP=80)
    gateway.beat()
    assert gateway.tile("1")["refusal"] == "NEWS2 is not for pregnancy"
    assert gateway.tile("1")["risk"] == "ROUTINE"
