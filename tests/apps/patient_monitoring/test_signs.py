"""The board of signs: gates, medians, ages; what a sensor's fault does and does not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.patient_monitoring.config import ExtremeRules, SignLimits, SignRules
from apps.patient_monitoring.domain import Extreme, Flag, Sign
from apps.patient_monitoring.readings import BY_ROUNDS, readings
from apps.patient_monitoring.signs import SignBoard
from apps.patient_monitoring.streams import SLOW_S, STREAM_S

NAN = float("nan")
DUE = np.full(2, 3600.0)
USUAL = {
    Sign.HR: 72, Sign.PULSE: 72, Sign.SPO2: 97, Sign.RR: 15, Sign.PI: 3.0, Sign.MOTION: 8.0,
}  # fmt: skip


class Bed:
    """Bed 0 of a board of two, told second by second what its sensors say."""

    def __init__(self, **rules):
        self.board = SignBoard(2, SignRules(**rules), ExtremeRules())
        self.now = 1000.0

    def run(self, seconds, flags=0, **signs):
        """Every sign as usual, but for those given (None: not reported); the last reading."""
        said = {s: signs.get(s.name, usual) for s, usual in USUAL.items()}
        for _ in range(seconds):
            self.now += 1
            rows = [(0, s, v, self.now) for s, v in said.items() if v is not None]
            self.board.update(readings(rows, flags=flags))
            found = self.read()
        return found

    def say(self, sign, value, interval_s=0.0, flags=0, at=None):
        row = (0, sign, value, self.now if at is None else at)
        self.board.update(readings([row], interval_s, flags))

    def read(self, after=0.0):
        self.now += after
        return self.board.read(self.now, DUE)


def value(reading, sign):
    return reading.value[0, sign]


def flagged(reading, sign):
    return Flag(int(reading.flags[0, sign]))


# ------------------------------------------------------------------ medians and ages


def test_a_value_is_the_median_of_the_last_minute():
    bed = Bed()
    bed.run(60)
    bed.run(20, HR=90)
    assert value(bed.read(), Sign.HR) == 72
    bed.run(20, HR=90)
    assert value(bed.read(), Sign.HR) == 90


def test_too_few_values_are_no_median():
    bed = Bed(min_values=3)
    assert np.isnan(value(bed.run(2), Sign.HR))
    assert value(bed.run(1), Sign.HR) == 72


@settings(deadline=None)
@given(st.lists(st.floats(40, 100), min_size=3, max_size=60))
def test_medians_are_numpys(values):
    bed = Bed()
    for v in values:
        bed.now += 1
        bed.say(Sign.RR, round(v / 2, 3))
    expected = np.median([round(v / 2, 3) for v in values])
    assert value(bed.read(), Sign.RR) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("sign", "stale_s"), [(Sign.HR, 10), (Sign.PULSE, 10), (Sign.SPO2, 30), (Sign.RR, 60)]
)
def test_a_silent_sign_becomes_stale_and_is_not_scored(sign, stale_s):
    bed = Bed()
    bed.run(30)
    silent = {sign.name: None}
    counted = min(stale_s, 57)  # then fewer than three values of the minute are left
    assert value(bed.run(counted, **silent), sign) == USUAL[sign]
    after = bed.run(stale_s + 1 - counted, **silent)
    assert np.isnan(value(after, sign))
    assert Flag.STALE in flagged(after, sign)
    assert after.age_s[0, sign] == stale_s + 1


def test_a_spot_value_counts_for_its_interval_and_a_quarter():
    bed = Bed()
    bed.say(Sign.SBP, 120, interval_s=900)
    assert value(bed.read(1125), Sign.SBP) == 120
    assert np.isnan(value(bed.read(1), Sign.SBP))


def test_what_nurses_enter_counts_as_long_as_the_score_asks_and_temperature_six_hours():
    bed = Bed()
    for sign, entered in ((Sign.ACVPU, 0), (Sign.OXYGEN, 1), (Sign.TEMP, 36.8)):
        bed.say(sign, entered, interval_s=BY_ROUNDS)
    bed.now += 1.2 * 43_200
    found = bed.board.read(bed.now, np.full(2, 43_200.0))
    assert value(found, Sign.ACVPU) == 0
    assert value(found, Sign.OXYGEN) == 1
    assert np.isnan(value(found, Sign.TEMP))
    found = bed.board.read(bed.now, np.full(2, 3600.0))
    assert np.isnan(value(found, Sign.ACVPU))


def test_nothing_was_ever_heard_is_no_number():
    found = Bed().read()
    assert np.isnan(found.value).all()
    assert np.isinf(found.age_s).all()
    assert not found.extreme.any()
    assert not found.flags.any()


def test_another_patient_inherits_nothing():
    bed = Bed()
    bed.run(60, SPO2=75)
    bed.board.clear(0)
    found = bed.read()
    assert np.isnan(found.value[0]).all()
    assert not found.extreme.any()
    assert not found.flags.any()


# ------------------------------------------------------------------ order, duplicates, backlog


def test_what_comes_twice_or_late_is_left_out_and_counted():
    bed = Bed()
    bed.run(10)
    bed.say(Sign.HR, 150)  # the same second again
    bed.say(Sign.HR, 150, at=bed.now - 5)
    assert bed.board.late == 2
    assert value(bed.read(), Sign.HR) == 72


def test_of_one_time_the_later_word_of_a_spot_value_counts():
    bed = Bed()
    for pressure in (180, 80):
        bed.say(Sign.SBP, pressure, interval_s=BY_ROUNDS)
    assert value(bed.read(), Sign.SBP) == 80
    assert bed.board.late == 0


def test_a_backlog_in_one_message_is_taken_in_order():
    bed, other = Bed(), Bed()
    rows = [(0, Sign.RR, 12 + k % 5, bed.now + k) for k in range(40)]
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    for board, order in ((bed, rows), (other, shuffled)):
        board.board.update(readings(order))
        board.now += 40
    assert value(bed.read(), Sign.RR) == value(other.read(), Sign.RR) == 14
    assert other.board.late == 0


def test_beds_do_not_mix():
    bed = Bed()
    bed.run(30)
    bed.board.update(readings([(1, Sign.SPO2, 60, bed.now)]))
    found = bed.run(1)
    assert value(found, Sign.SPO2) == 97
    assert np.isnan(found.value[1, Sign.SPO2])


# ------------------------------------------------------------------ gates


@pytest.mark.parametrize(
    ("sign", "wrong"),
    [(Sign.HR, 310), (Sign.SPO2, 101), (Sign.SPO2, 0), (Sign.RR, 81), (Sign.HR, 8_388_607),
     (Sign.RR, -100), (Sign.PULSE, 32_767)],
)  # fmt: skip
def test_no_living_adult_has_this_value(sign, wrong):
    bed = Bed()
    bed.run(30)
    found = bed.run(5, **{sign.name: wrong})
    assert value(found, sign) == USUAL[sign]
    assert Flag.IMPLAUSIBLE in flagged(found, sign)


def test_not_available_is_no_value_and_no_fault():
    bed = Bed()
    bed.run(30)
    found = bed.run(11, HR=NAN)
    assert np.isnan(value(found, Sign.HR))
    assert flagged(found, Sign.HR) == Flag.STALE


@pytest.mark.parametrize("flag", [Flag.SENSOR_OFF, Flag.LEAD_OFF, Flag.MOTION])
def test_what_the_device_itself_doubts_is_not_scored(flag):
    bed = Bed()
    bed.run(30)
    bed.run(29, HR=200, SPO2=70, flags=int(flag))
    found = bed.read()
    assert value(found, Sign.SPO2) == 97
    assert flag in flagged(found, Sign.SPO2)
    assert not found.extreme.any()


def test_a_jump_is_believed_only_when_it_stays():
    bed = Bed(jump_confirm_s=10)
    bed.run(60)
    found = bed.run(10, HR=150)
    assert value(found, Sign.HR) == 72
    assert Flag.JUMP in flagged(found, Sign.HR)
    found = bed.run(3, HR=150)
    assert value(found, Sign.HR) == 150
    assert Flag.JUMP not in flagged(found, Sign.HR)


def test_a_jump_that_does_not_stay_is_forgotten():
    bed = Bed(jump_confirm_s=10)
    bed.run(60)
    for wrong in (150, 200):
        bed.run(8, HR=wrong)
        bed.run(3)
    assert value(bed.read(), Sign.HR) == 72


def test_a_slow_rise_is_no_jump():
    bed = Bed()
    bed.run(30)
    for rate in range(72, 160, 4):
        found = bed.run(1, HR=rate)
        assert Flag.JUMP not in flagged(found, Sign.HR)


def test_a_fall_of_saturation_under_a_weak_pulse_is_never_believed():
    bed = Bed()
    bed.run(60)
    found = bed.run(29, SPO2=80, PI=0.1)
    assert value(found, Sign.SPO2) == 97
    assert {Flag.JUMP, Flag.LOW_SIGNAL} <= set(flagged(found, Sign.SPO2))


def test_a_weak_pulse_alone_is_doubted_but_scored():
    bed = Bed()
    bed.run(30, SPO2=88)
    found = bed.run(10, SPO2=88, PI=0.1)
    assert value(found, Sign.SPO2) == 88
    assert flagged(found, Sign.SPO2) == Flag.LOW_SIGNAL
    assert flagged(found, Sign.HR) == Flag(0)


def test_motion_stops_what_it_fools():
    bed = Bed()
    bed.run(60)
    found = bed.run(20, MOTION=400, SPO2=85, PULSE=120, HR=90)
    assert value(found, Sign.SPO2) == 97
    assert Flag.MOTION in flagged(found, Sign.SPO2)
    assert flagged(found, Sign.HR) == Flag(0)


def test_heart_rate_and_pulse_that_differ_are_said_to():
    bed = Bed(disagree_s=10)
    found = bed.run(9, HR=100, PULSE=70)
    assert Flag.DISAGREE not in flagged(found, Sign.HR)
    found = bed.run(10, HR=100, PULSE=70)
    assert Flag.DISAGREE in flagged(found, Sign.HR)
    assert Flag.DISAGREE in flagged(found, Sign.PULSE)


def test_pressures_that_cannot_be_true_together():
    bed = Bed()
    for sign, pressure in ((Sign.SBP, 80), (Sign.DBP, 90), (Sign.MAP, 85)):
        bed.say(sign, pressure, interval_s=900)
    found = bed.read()
    assert np.isnan(value(found, Sign.SBP))
    assert Flag.IMPLAUSIBLE in flagged(found, Sign.SBP)
    bed.now += 1
    for sign, pressure in ((Sign.SBP, 120), (Sign.DBP, 70), (Sign.MAP, 130)):
        bed.say(sign, pressure, interval_s=900)
    found = bed.read()
    assert value(found, Sign.SBP) == 120
    assert np.isnan(value(found, Sign.MAP))


@pytest.mark.parametrize(("sign", "other"), [(Sign.SBP, 95), (Sign.DBP, 120)])
def test_of_pressures_of_different_times_the_newer_one_is_believed(sign, other):
    bed = Bed()
    older = Sign.DBP if sign == Sign.SBP else Sign.SBP
    bed.say(older, other, interval_s=BY_ROUNDS)
    bed.now += 1800
    newer = 85 if sign == Sign.SBP else 130
    bed.say(sign, newer, interval_s=BY_ROUNDS)
    found = bed.read()
    assert value(found, sign) == newer
    assert np.isnan(value(found, older))


def test_a_mean_pressure_takes_none_away_that_is_scored():
    bed = Bed()
    for sign, pressure in ((Sign.SBP, 120), (Sign.DBP, 70)):
        bed.say(sign, pressure, interval_s=BY_ROUNDS)
    bed.now += 1800
    bed.say(Sign.MAP, 140, interval_s=BY_ROUNDS)
    found = bed.read()
    assert (value(found, Sign.SBP), value(found, Sign.DBP)) == (120, 70)


def test_a_silent_device_is_told_and_an_empty_bed_is_not():
    bed = Bed(offline_s=30)
    bed.run(30)
    found = bed.read(31)
    assert Flag.OFFLINE in flagged(found, Sign.SPO2)
    assert not found.flags[1].any()


# ------------------------------------------------------------------ extremes


@pytest.mark.parametrize(
    ("signs", "extreme", "hold_s"),
    [
        ({"SPO2": 78}, Extreme.DESATURATION, 12),
        ({"HR": 25, "PULSE": 24}, Extreme.BRADYCARDIA, 12),
        ({"HR": 0, "PULSE": None}, Extreme.BRADYCARDIA, 12),
        ({"HR": 190, "PULSE": 170}, Extreme.TACHYCARDIA, 12),
        ({"HR": None, "PULSE": 185}, Extreme.TACHYCARDIA, 12),
        ({"RR": 0}, Extreme.APNOEA, 20),
    ],
)
def test_an_extreme_is_told_after_its_own_hold(signs, extreme, hold_s):
    bed = Bed()
    bed.run(60)
    slack = 10 if None in signs.values() else 0  # until the silent one's last word is old
    assert not bed.run(hold_s - 1, **signs).extreme[0] & extreme
    assert bed.run(2 + slack, **signs).extreme[0] == extreme


@pytest.mark.parametrize(
    "signs",
    [{"HR": 25}, {"HR": 190}, {"SPO2": 70, "PI": 0.1}, {"SPO2": 70, "MOTION": 400}],
)
def test_an_artefact_is_no_extreme(signs):
    bed = Bed()
    bed.run(60)
    for _ in range(40):
        assert not bed.run(1, **signs).extreme[0]


def slowly(bed, value, every, times):
    """A source that is heard every so many s; how often an extreme was told."""
    interval_s = 0.0 if every <= STREAM_S else SLOW_S
    told = 0
    for _ in range(times):
        bed.say(Sign.SPO2, value, interval_s)
        told += sum(bool(bed.read(1).extreme[0]) for _ in range(every))
    return told


@pytest.mark.parametrize("every", [11, 15, 30, 60, 120])
def test_an_extreme_of_a_slow_source_is_told_and_ends_with_a_good_value(every):
    bed = Bed()
    assert slowly(bed, 97, every, 4) == 0
    assert slowly(bed, 70, every, 4) >= 4 * every - 13
    assert slowly(bed, 97, every, 4) == 0


@pytest.mark.parametrize(("every", "then_s"), [(1, 10), (14, 17), (60, 75)])
def test_the_last_word_of_a_source_counts_until_its_next_is_overdue(every, then_s):
    bed = Bed()
    slowly(bed, 70, every, 60 // every + 3)
    bed.read(then_s - every)
    assert bed.read().extreme[0]
    assert not bed.read(1).extreme[0]


@pytest.mark.parametrize(
    ("sign", "extreme"),
    [(Sign.SPO2, 70), (Sign.HR, 25), (Sign.PULSE, 190)],
)
def test_an_extreme_that_was_measured_once_is_told_too(sign, extreme):
    bed = Bed()
    bed.say(sign, extreme, BY_ROUNDS)
    told = [bool(bed.read(1).extreme[0]) for _ in range(60)]
    assert (told.index(True), sum(told)) == (12, 10), "after its hold, for ten seconds"
    bed.say(sign, USUAL[sign], BY_ROUNDS)
    assert not any(bed.read(1).extreme[0] for _ in range(60))


@pytest.mark.parametrize("sign", [Sign.SPO2, Sign.HR, Sign.RR])
def test_what_nobody_lives_with_and_was_said_once_is_no_extreme(sign):
    bed = Bed()
    bed.say(sign, 0, BY_ROUNDS)
    assert not any(bed.read(1).extreme[0] for _ in range(60)), "it may mean: not measured"


def test_a_breath_that_was_counted_by_hand_hides_no_apnoea_of_the_monitor():
    bed = Bed()
    bed.run(60)
    bed.say(Sign.RR, 15, BY_ROUNDS)
    assert bed.run(22, RR=0).extreme[0] == Extreme.APNOEA


def test_a_single_good_value_ends_the_hold():
    bed = Bed()
    bed.run(60)
    for _ in range(4):
        assert not bed.run(11, RR=0).extreme[0]
        bed.run(1)


def test_a_limit_of_its_own():
    bed = Bed(limits={"SPO2": SignLimits(50, 100, 5, jump=10)})
    bed.run(10)
    assert np.isnan(value(bed.run(6, SPO2=None), Sign.SPO2))
