"""Charts as another hospital might have kept them: shifted in the stated way, and no other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring import elsewhere
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.elsewhere import ROUND_H, SHIFTS

VALUES = st.one_of(st.just(float("nan")), st.floats(30, 200, width=32))
STAYS = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def charts(lengths, value=0.0):
    """Patients of so many hours; each value says whose and of which hour it is."""
    patient = np.repeat(np.arange(len(lengths)), lengths)
    hour = np.concatenate([np.arange(n) for n in lengths])
    signs = (patient * 1000 + hour)[:, None] + np.zeros(5) + value
    count = len(patient)
    return Charts(
        signs.astype(np.float32), np.ones(count, np.float32), hour == 0, hour.astype(float),
        patient, tuple(map(str, range(len(lengths)))), ("A",) * len(lengths),
        tuple(n % 3 for n in range(len(lengths))),
    )  # fmt: skip


@given(STAYS)
def test_on_rounds_a_value_is_charted_every_fourth_hour_and_stays_its_patients(lengths):
    plain = charts(lengths)
    shifted = elsewhere.rounds(plain)
    hour = plain.stay_h.astype(int)
    charted = np.isfinite(shifted.signs)
    assert (charted == (hour % ROUND_H == 0)[:, None]).all()
    np.testing.assert_array_equal(shifted.signs[charted], plain.signs[charted])


def test_on_rounds_what_was_measured_since_the_last_one_is_charted():
    plain = charts([9])
    plain.signs[[3, 4], 1] = np.nan
    assert elsewhere.rounds(plain).signs[4, 1] == plain.signs[2, 1]
    plain.signs[[1, 2], 1] = np.nan
    assert np.isnan(elsewhere.rounds(plain).signs[4, 1]), "older than the round before"


@pytest.mark.parametrize("name", list(SHIFTS))
def test_a_shift_changes_what_it_says_and_invents_no_value(name):
    plain = charts([50, 60], 40.0)
    plain.signs[::7] = np.nan
    before = plain.signs.copy()
    shifted = SHIFTS[name](plain)
    np.testing.assert_array_equal(plain.signs, before)
    assert not (np.isfinite(shifted.signs) & np.isnan(before))[:, 0][1:4].any()
    assert shifted.label is plain.label
    changed = not np.array_equal(shifted.signs, before, equal_nan=True)
    oxygen = not np.array_equal(shifted.oxygen, plain.oxygen, equal_nan=True)
    assert (changed, oxygen) == {
        "as charted": (False, False), "oxygen never charted": (False, True),
    }.get(name, (True, False))  # fmt: skip
    assert np.array_equal(SHIFTS[name](plain).signs, shifted.signs, equal_nan=True), "seeded"


def test_about_a_third_is_never_charted():
    share = np.isnan(elsewhere.gaps(charts([5000])).signs).mean()
    assert share == pytest.approx(elsewhere.GAPS, abs=0.02)
