"""A tile's course: the highest score of every quarter of an hour, and which way it goes."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring.domain import Parameter, Score
from apps.patient_monitoring.history import STEP_S, STEPS, Histories

STEPS_OF_SCORES = st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1, max_size=90)


def percept(at, total):
    """One bed at one moment; None: nothing at all is known."""
    parts = np.zeros((1, len(Parameter)), np.int8)
    parts[0, 0] = total or 0
    missing = np.full(parts.shape, total is None)
    return SimpleNamespace(at=at, score=Score(parts, missing, np.zeros(1, bool)))


def after(totals):
    histories = Histories(1)
    for step, total in enumerate(totals):
        histories.add(percept(step * STEP_S, total))
    return histories


@given(STEPS_OF_SCORES)
def test_a_course_keeps_the_highest_of_every_quarter_of_an_hour(totals):
    wanted = ([None] * STEPS + totals)[-STEPS:]
    quarters = [wanted[at : at + 3] for at in range(0, STEPS, 3)]
    highest = [max((s for s in q if s is not None), default=None) for q in quarters]
    while highest and highest[0] is None:
        highest.pop(0)
    assert after(totals).courses() == [highest]


def test_the_highest_within_a_step_stays():
    histories = Histories(1)
    for second, total in enumerate((2, 7, 3)):
        histories.add(percept(float(second), total))
    assert histories.courses() == [[7]]


def test_a_gap_and_another_patient_leave_nothing_behind():
    histories = after([5, 6])
    histories.add(percept((STEPS + 40) * STEP_S, 1))
    assert histories.courses() == [[1]]
    histories.clear(0)
    assert histories.courses() == [[]]


def test_a_trend_is_a_change_of_two_points_in_an_hour():
    assert after([3] + [5] * 12).trend(0) == 1
    assert after([5] + [3] * 12).trend(0) == -1
    assert after([3] + [4] * 12).trend(0) == 0
    assert after([5, 9]).trend(0) == 0, "an hour ago is not known"
