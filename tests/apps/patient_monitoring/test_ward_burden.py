"""The alarm burden: what counts as an alarm, a caught course and a lead."""

import json

import pytest

from apps.patient_monitoring import figures
from apps.patient_monitoring.burden import (
    GRACE_S,
    Log,
    PlainLimits,
    main,
    measure,
    raises,
    report,
)
from apps.patient_monitoring.courses import SHAPES, Course, CourseKind, schedule
from apps.patient_monitoring.domain import NONE, Extreme, Flag, Risk, Sign
from apps.patient_monitoring.readings import readings
from apps.patient_monitoring.ward import Change, Kind

BLEEDING = Course(CourseKind.BLEEDING, 0, 10_000.0)


def told(*values, sign=Sign.HR):
    """The alarms of plain limits on one bed's values, one after the other."""
    limits = PlainLimits(1)
    for at, value in enumerate(values):
        limits.watch(readings([(0, sign, value, float(at))]))
    return int(limits.alarms[0])


def test_every_crossing_of_a_plain_limit_is_one_alarm():
    assert told(80, 121, 130, 121, 80, 125) == 2
    assert told(80, 120, 50) == 0
    assert told(97, 89, 88, 97, 89, sign=Sign.SPO2) == 2


def test_what_is_not_available_raises_no_plain_alarm():
    assert told(80, NONE, 8_388_607, 80) == 0


def test_heart_rate_and_pulse_are_one_sign_to_plain_limits():
    limits = PlainLimits(1)
    limits.watch(readings([(0, Sign.HR, 130, 0.0)]))
    limits.watch(readings([(0, Sign.PULSE, 130, 1.0)]))
    assert limits.alarms[0] == 1


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        (Change(0, Kind.RISK, Risk.LOW, Risk.MEDIUM), True),
        (Change(0, Kind.RISK, Risk.HIGH, Risk.MEDIUM), False),
        (Change(0, Kind.RISK, Risk.ROUTINE, Risk.LOW), False),
        (Change(0, Kind.EXTREME, 0, Extreme.APNOEA), True),
        (Change(0, Kind.EXTREME, Extreme.APNOEA, 0), False),
        (Change(0, Kind.WORSE, 5, 8), True),
        (Change(0, Kind.TECHNICAL, 0, Flag.LEAD_OFF), False),
        (Change(0, Kind.ADVICE_MODEL, 0, 1), False),
    ],
)
def test_who_is_called_for(change, calls):
    assert raises(change) is calls


def figures_of(*alarms, course=BLEEDING):
    """The report of a day with these alarms (s, change)."""
    log, plain = Log(list(alarms), 3600.0, 7200.0), PlainLimits(1)
    plain.alarms[0] = 10
    return report(1, 1.0, plain, log, [course])


RAISED = Change(0, Kind.RISK, Risk.LOW, Risk.HIGH)


def test_a_lead_is_from_the_first_alarm_after_the_onset_to_the_crisis():
    found = figures_of((9_000.0, RAISED), (BLEEDING.crisis - 1_800, RAISED))
    lead = found["courses"][CourseKind.BLEEDING]["lead_before_crisis_min"]
    assert lead == {"least": 30.0, "median": 30.0, "most": 30.0}
    assert found["missed_courses"] == 0
    assert found["alarms_per_patient_day"]["ours_outside_courses"] == 1.0


@pytest.mark.parametrize(
    ("after_crisis", "missed"), [(-60.0, 0), (GRACE_S, 0), (GRACE_S + 1, 1)]
)
def test_an_alarm_long_after_the_crisis_is_a_missed_course(after_crisis, missed):
    found = figures_of((BLEEDING.crisis + after_crisis, RAISED))
    assert found["missed_courses"] == missed
    assert found["courses"][CourseKind.BLEEDING]["missed"] == missed


def test_an_alarm_of_another_bed_or_a_technical_one_catches_nothing():
    other = Change(1, Kind.RISK, Risk.LOW, Risk.HIGH)
    wrong = Change(0, Kind.TECHNICAL, 0, Flag.LEAD_OFF)
    found = figures_of((BLEEDING.crisis - 60, other), (BLEEDING.crisis - 60, wrong))
    assert found["missed_courses"] == 1
    assert found["alarms_per_patient_day"]["ours_technical"] == 1.0
    assert found["fewer_percent"] == 80.0


def test_a_quiet_day_is_counted_as_a_day():
    found = figures_of()
    assert found["score_incomplete_percent"] == 50.0
    assert found["alarms_per_patient_day"]["ours"] == 0.0


def test_courses_are_scheduled_one_to_a_bed_and_end_in_time():
    made = schedule(40, 3.0, 4, 5)
    assert len({course.bed for course in made}) == len(made)
    assert len(made) == 4 * len(SHAPES)
    assert all(c.onset > 0 and c.end <= 3.0 * 86_400 for c in made)
    with pytest.raises(ValueError, match="need as many beds"):
        schedule(3, 3.0, 4, 5)


def test_a_few_hours_of_a_small_ward(capsys, monkeypatch):
    found = measure(12, 0.04, seed=3, each=1, step_s=4.0)
    assert found["alarms_per_patient_day"]["ours"] < found["alarms_per_patient_day"][
        "plain_limits"
    ]  # fmt: skip
    assert figures.burden(found).startswith("12 patients, 0.04 days")
    options = ["burden", "--patients", "6", "--days", "0.01", "--each", "1", "--step", "5"]
    monkeypatch.setattr("sys.argv", options)
    main()
    assert json.loads(capsys.readouterr().out)["patients"] == 6
