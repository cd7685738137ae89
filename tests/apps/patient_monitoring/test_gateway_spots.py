"""Spot values: how old they are, whatever the clocks do, what corrects them, what streams."""

import numpy as np
import pytest

from apps.patient_monitoring import speak
from apps.patient_monitoring.domain import Sign
from apps.patient_monitoring.incoming.hl7 import stamp
from apps.patient_monitoring.spots import Spots
from apps.patient_monitoring.streams import SLOW_S, Streams

HOUR = 3600.0


def say(gateway, *said, sent=None, source="MON1"):
    """A message about bed 1 of (sign, value), (…, own time), (…, own time, status)."""
    number, wall = gateway.now()
    pairs = [(one[0], float(one[1]), 0) for one in said]
    message = speak.observation(
        gateway.place("1"), "SIM1", source, pairs, (number, sent or wall)
    )
    lines = [line.split("|") for line in message.decode().split("\r")]
    next(line for line in lines if line[0] == "OBR")[7] = ""
    values = [line for line in lines if line[0] == "OBX"][1:]
    for fields, (_, _, *more) in zip(values, said, strict=True):
        fields[14] = stamp(more[0]) if more and more[0] else ""
        fields[11] = more[1] if len(more) > 1 else fields[11]
    return gateway.say("\r".join("|".join(line) for line in lines).encode())


def sign(gateway, name):
    return gateway.tile("1")["signs"].get(name)


# ------------------------------------------------------------------ too old


@pytest.mark.parametrize("own_time", [True, False])
def test_a_cuff_value_that_is_too_old_takes_no_other_sign_with_it(gateway, own_time):
    cuff = (Sign.SBP, 120, gateway.clock.wall()) if own_time else (Sign.SBP, 120)
    assert say(gateway, (Sign.SPO2, 97), cuff) == "AA"
    gateway.clock.sleep(6 * HOUR + 60)
    gateway.beat()
    for _ in range(15):
        assert say(gateway, (Sign.SPO2, 70), cuff) == "AA"
        gateway.beat(1.0)
    assert gateway.state("bed_extreme/1") == "UNACK"
    assert gateway.station.intake.counts["too_old"] == 15
    assert say(gateway, cuff).startswith("AE SBP was measured 216")


def test_of_a_message_that_is_refused_nothing_is_kept(gateway):
    old = gateway.clock.wall() - 7 * HOUR
    assert say(gateway, (Sign.SBP, 70, old), (Sign.DBP, 40, old)).startswith("AE SBP was")
    patient = gateway.tile("1")["patient"]
    gateway.command("transfer", patient=patient, from_bed="1", to_bed="5", reason="window")
    gateway.beat()
    assert gateway.tile("5")["signs"] == {}


# ------------------------------------------------------------------ clocks


def test_a_spot_value_is_as_old_as_it_is_whatever_the_wall_clock_does(gateway):
    assert say(gateway, (Sign.SBP, 120)) == "AA"
    for step in (7 * HOUR, -9 * HOUR):
        gateway.clock.sleep(600)
        gateway.clock.set_wall(gateway.clock.wall() + step)
        gateway.beat()
        assert say(gateway, (Sign.SBP, 120), (Sign.SPO2, 97)) == "AA"
    gateway.beat()
    assert sign(gateway, "SBP")["age_s"] == pytest.approx(1200, abs=3)


def test_after_a_restart_a_spot_value_is_as_old_as_it_is(gateway):
    assert say(gateway, (Sign.SBP, 120)) == "AA"
    gateway.beat()
    gateway.tile("1")
    gateway.clock.sleep(HOUR)
    gateway.restart(60.0)
    gateway.beat()
    assert sign(gateway, "SBP")["age_s"] == pytest.approx(3660, abs=2)


@pytest.mark.parametrize("behind_s", [5 * HOUR, HOUR])
def test_with_a_clock_that_stands_before_a_time_on_record_no_age_is_known(gateway, behind_s):
    gateway.observe("1")
    gateway.beat()
    gateway.tile("1")
    gateway.clock.sleep(4 * HOUR)
    gateway.beat(61.0)  # the ward is recorded every minute
    gateway.stop()
    gateway.clock.set_wall(gateway.clock.wall() - behind_s)
    gateway.start()
    gateway.beat()
    assert gateway.tile("1")["signs"] == {}
    assert gateway.station.snapshot()["counts"]["of_no_known_age"] == 4
    assert gateway.state("gateway_clock") == "UNACK"


def test_what_an_earlier_release_kept_is_read():
    spots = Spots()
    assert spots.restore({"p": {"4": [120.0, 1000.0, None]}}, 900.0, 1000.0) == 0
    ((number, spot),) = spots.still("p", 100.0, 60.0)
    assert (number, tuple(spot)) == (Sign.SBP, (120.0, 100.0, 1000.0, np.inf))


# ------------------------------------------------------------------ corrections


@pytest.mark.parametrize("later_s", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("number", [Sign.SBP, Sign.SPO2])
def test_of_one_time_of_measurement_the_later_word_counts(gateway, number, later_s):
    """However long either message was under way."""
    at = gateway.clock.wall() - 120
    sent = gateway.clock.wall()
    gateway.clock.sleep(1.5)
    assert say(gateway, (number, 98, at), sent=sent, source="EHR") == "AA"
    gateway.beat(15 * 60)
    sent = gateway.clock.wall()
    gateway.clock.sleep(later_s)
    assert say(gateway, (number, 86, at, "C"), sent=sent, source="EHR") == "AA"
    gateway.beat()
    assert sign(gateway, number.name)["value"] == 86
    assert gateway.station.perceive.signs.late == 0


def test_a_correction_counts_after_a_restart_and_in_another_bed(gateway):
    at = gateway.clock.wall() - 120
    assert say(gateway, (Sign.SBP, 180, at)) == "AA"
    gateway.beat()
    gateway.tile("1")
    gateway.restart()
    gateway.clock.set_wall(gateway.clock.wall() + 0.3)
    assert say(gateway, (Sign.SBP, 80, at, "C")) == "AA"
    gateway.beat()
    assert sign(gateway, "SBP")["value"] == 80


# ------------------------------------------------------------------ what streams


def test_one_value_is_a_spot_and_many_are_a_stream():
    streams = Streams(1)
    assert streams.interval_s(0, Sign.TEMP, 100.0) == np.inf
    assert streams.interval_s(0, Sign.TEMP, 101.0) == 0
    assert streams.interval_s(0, Sign.TEMP, 161.0) == SLOW_S
    streams.clear(0)
    assert streams.interval_s(0, Sign.TEMP, 4001.0) == np.inf
    assert streams.interval_s(0, Sign.TEMP, 4061.0) == np.inf, "measured again at once"
    assert streams.interval_s(0, Sign.TEMP, 9000.0) == np.inf


def test_what_has_streamed_is_no_spot_value_because_of_one_pause():
    streams = Streams(1)
    for at in (0.0, 60.0, 120.0):
        streams.interval_s(0, Sign.HR, at)
    assert streams.interval_s(0, Sign.HR, 4000.0) == SLOW_S
    assert streams.interval_s(0, Sign.HR, 3000.0) == SLOW_S, "late: it says nothing"
    assert streams.interval_s(0, Sign.HR, 8000.0) == np.inf, "by rounds from now on"


def streaming(gateway, seconds, every, *numbers):
    for _ in range(round(seconds / every)):
        assert say(gateway, *((number, 80) for number in numbers)) == "AA"
        gateway.beat(every)


@pytest.mark.parametrize("every", [1.0, 14.0, 30.0, 60.0, 110.0])
def test_a_source_that_falls_silent_is_told_however_slow_it_was(gateway, every):
    streaming(gateway, 600, every, Sign.SPO2, Sign.RR)
    assert gateway.state("bed_technical/1") == "NORM"
    gateway.beat(220)
    assert gateway.state("bed_technical/1") == "UNACK"
    assert gateway.tile("1")["technical"] == ["device silent"]
    streaming(gateway, 2 * every, every, Sign.SPO2, Sign.RR)
    assert gateway.state("bed_technical/1") == "RTNUN"


def test_a_sign_that_is_no_longer_in_the_messages_is_told(gateway):
    streaming(gateway, 60, 1.0, Sign.HR, Sign.PULSE, Sign.SPO2, Sign.RR, Sign.PI)
    streaming(gateway, 100, 1.0, Sign.PULSE, Sign.SPO2, Sign.RR)
    assert gateway.state("bed_technical/1") == "NORM", "the pulse is known, and PI no score's"
    streaming(gateway, 100, 1.0, Sign.PULSE, Sign.RR)
    assert gateway.tile("1")["technical"] == ["device silent"]
    assert "OFFLINE" in sign(gateway, "SPO2")["flags"]
    assert "OFFLINE" not in sign(gateway, "RR")["flags"]


def test_one_more_message_after_a_pause_does_not_hide_the_silence_that_follows(gateway):
    streaming(gateway, 60, 1.0, Sign.SPO2)
    gateway.beat(180)
    streaming(gateway, 1, 1.0, Sign.SPO2)
    gateway.beat(230)
    assert gateway.tile("1")["technical"] == ["device silent"]
    assert sign(gateway, "SPO2")["value"] is None


def test_a_device_that_is_silent_stays_told_over_a_restart_and_a_move(gateway):
    streaming(gateway, 60, 1.0, Sign.SPO2)
    gateway.beat(200)
    gateway.tile("1")
    gateway.restart()
    gateway.beat(400)
    assert gateway.state("bed_technical/1") == "UNACK"
    streaming(gateway, 1, 1.0, Sign.SPO2)
    gateway.beat(400)
    assert gateway.tile("1")["technical"] == ["device silent"], "one word is no stream again"
    patient = gateway.tile("1")["patient"]
    gateway.command("transfer", patient=patient, from_bed="1", to_bed="5", reason="window")
    gateway.beat(100)
    assert gateway.tile("5")["technical"] == [], "there is time to connect it"
    gateway.beat(130)
    assert gateway.tile("5")["technical"] == ["device silent"]


def test_who_comes_again_is_no_longer_waited_for(gateway):
    streaming(gateway, 60, 1.0, Sign.SPO2)
    patient = gateway.tile("1")["patient"]
    gateway.command("discharge", bed="1", patient=patient, reason="home")
    gateway.beat(2.0)
    gateway.admit("1")
    gateway.beat(400)
    assert gateway.tile("1")["technical"] == []


def test_who_is_observed_by_hand_needs_no_device(gateway):
    streaming(gateway, 60, 1.0, Sign.SPO2)
    gateway.beat(200)
    patient = gateway.tile("1")["patient"]
    gateway.command("enter", bed="1", patient=patient, values={"SPO2": 96})
    gateway.clock.sleep(HOUR)
    gateway.beat(200)
    tile = gateway.tile("1")
    assert (tile["technical"], tile["signs"]["SPO2"]["value"]) == ([], 96)
    gateway.restart()
    gateway.beat(400)
    assert gateway.tile("1")["technical"] == []


def test_nobody_waits_for_a_device_whose_signs_the_score_has_by_hand(gateway):
    streaming(gateway, 60, 1.0, Sign.HR, Sign.PULSE, Sign.SPO2, Sign.RR, Sign.PI)
    gateway.beat(200)
    assert gateway.tile("1")["technical"] == ["device silent"]
    patient = gateway.tile("1")["patient"]
    measured = {"HR": 72, "SPO2": 96, "RR": 15}
    gateway.command("enter", bed="1", patient=patient, values=measured)
    gateway.beat(400)
    assert gateway.tile("1")["technical"] == []
    gateway.restart()
    gateway.beat(400)
    assert gateway.tile("1")["technical"] == []


def test_a_value_of_the_record_does_not_hide_that_its_monitor_falls_silent(gateway):
    streaming(gateway, 60, 1.0, Sign.SPO2)
    patient = gateway.tile("1")["patient"]
    gateway.command("enter", bed="1", patient=patient, values={"SPO2": 96})
    gateway.beat(120)
    assert gateway.tile("1")["technical"] == ["device silent"]


@pytest.mark.parametrize(("pulse", "points"), [(132, 3), (90, 0)])
def test_a_rate_by_hand_does_not_stand_for_an_oximeter_that_goes_on(gateway, pulse, points):
    streaming_pulse(gateway, 30, 118)
    patient = gateway.tile("1")["patient"]
    gateway.command("enter", bed="1", patient=patient, values={"HR": 118})
    streaming_pulse(gateway, 30, 118)
    assert gateway.tile("1")["score"]["parts"]["PULSE"] == 2
    streaming_pulse(gateway, 150, pulse)
    tile = gateway.tile("1")
    assert tile["score"]["parts"]["PULSE"] == points
    assert tile["technical"] == [], "what was measured at different times may well differ"


def streaming_pulse(gateway, seconds, pulse):
    for _ in range(seconds):
        assert say(gateway, (Sign.PULSE, pulse), (Sign.SPO2, 97)) == "AA"
        gateway.beat(1.0)


# ------------------------------------------------------------------ what is taken back


@pytest.mark.parametrize("status", ["W", "D"])
@pytest.mark.parametrize("number", [Sign.SBP, Sign.SPO2])
def test_what_its_source_takes_back_is_no_longer_scored(gateway, status, number):
    gateway.observe("1")
    gateway.clock.sleep(60)
    at = gateway.clock.wall() - 30
    assert say(gateway, (number, 71, at)) == "AA"
    gateway.beat(60)
    assert gateway.tile("1")["score"]["red"] != []
    assert say(gateway, (number, 71, at, status)) == "AA"
    gateway.beat()
    tile = gateway.tile("1")
    assert (tile["score"]["red"], number.name in tile["signs"]) == ([], False)
    assert gateway.station.intake.counts["withdrawn"] == 1
    gateway.restart()
    gateway.beat()
    assert sign(gateway, number.name) is None
    assert say(gateway, (number, 97, at, "F")) == "AA", "what was right of that time"
    gateway.beat()
    assert sign(gateway, number.name)["value"] == 97


def test_what_is_newer_than_what_was_taken_back_stays(gateway):
    at = gateway.clock.wall() - 600
    assert say(gateway, (Sign.SBP, 70, at)) == "AA"
    assert say(gateway, (Sign.SBP, 120, at + 300)) == "AA"
    assert say(gateway, (Sign.SBP, 70, at, "W")) == "AA"
    gateway.beat()
    assert sign(gateway, "SBP")["value"] == 120


def test_what_was_taken_back_goes_whatever_was_said_of_the_sensor_since(gateway):
    at = gateway.clock.wall() - 600
    assert say(gateway, (Sign.SBP, 70, at)) == "AA"
    assert say(gateway, (Sign.SBP, 70, at + 300, "X")) == "AA"
    assert say(gateway, (Sign.SBP, 70, at, "W")) == "AA"
    gateway.beat()
    assert sign(gateway, "SBP") is None


# ------------------------------------------------------------------ times that cannot be


def test_what_was_measured_after_it_was_sent_is_refused_and_says_what_to_look_at(gateway):
    """A local time without a zone, read as UTC, would be as young as its message for hours."""
    ahead = gateway.clock.wall() + 2 * HOUR
    answer = say(gateway, (Sign.SPO2, 97), (Sign.SBP, 118, ahead))
    assert answer.startswith("AE SBP was measured 7200 s after it was sent")
    assert "utc_offset_min" in answer
    gateway.beat()
    assert gateway.tile("1")["signs"] == {}
    assert gateway.state("source_refused") == "UNACK"
    assert say(gateway, (Sign.SBP, 118, gateway.clock.wall() + 20)) == "AA"
