"""The measures themselves: against definitions written out, and against known answers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import skill
from apps.patient_monitoring.charts import Charts
from apps.patient_monitoring.skill import Stays

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


def arrays(rows):
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)


def chart(*stays, septic=()):
    """Charts of stays of these lengths; `septic` gives each one's first labelled hour."""
    first = dict(septic)
    label = [h >= first.get(p, 10**6) for p, n in enumerate(stays) for h in range(n)]
    hours = [h for n in stays for h in range(n)]
    patient = np.repeat(np.arange(len(stays)), stays)
    count = len(patient)
    return Charts(
        np.full((count, 5), np.nan, np.float32), np.full(count, np.nan, np.float32),
        np.array(label), np.array(hours, np.float32), patient,
        tuple(f"p{i}" for i in range(len(stays))), ("A",) * len(stays),
    )  # fmt: skip


@settings(deadline=None)
@given(PAIRS)
def test_auroc_is_the_share_of_pairs_put_right(rows):
    label, risk = arrays(rows)
    pairs = [(p > n) + 0.5 * (p == n) for p in risk[label] for n in risk[~label]]
    assert skill.auroc(label, risk) == pytest.approx(np.mean(pairs))


@settings(deadline=None)
@given(PAIRS)
def test_auprc_is_precision_at_every_gain_in_recall(rows):
    label, risk = arrays(rows)
    total, seen = 0.0, 0
    for limit in sorted(set(risk), reverse=True):
        flagged = risk >= limit
        hits = int(label[flagged].sum())
        total += (hits - seen) / label.sum() * hits / flagged.sum()
        seen = hits
    assert skill.auprc(label, risk) == pytest.approx(total)


def test_time_alone_has_no_skill_among_hours_equally_long_after_admission():
    rng = np.random.default_rng(3)
    stay = rng.integers(0, 60, 4000).astype(float)
    label = rng.random(4000) < stay / 120
    assert skill.auroc(label, stay) > 0.65
    assert skill.auroc_within_hour(label, np.floor(stay / 3), stay) == pytest.approx(
        0.5, abs=0.06
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.floats(0, 1))
def test_a_limit_never_alarms_more_often_than_asked(risks, share):
    risk = np.array(risks, float)
    limit = skill.limit_for(risk, share)
    assert (risk >= limit).mean() <= share + 1e-9
    lower = risk[risk < limit]
    if len(lower):  # and the next lower level would
        assert (risk >= lower.max()).mean() > share - 1e-9


def test_calibration_of_the_truth_and_of_one_who_is_too_sure():
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.02, 0.6, 60_000)
    label = rng.random(60_000) < truth
    right = skill.calibration(label, truth)
    assert right.slope == pytest.approx(1, abs=0.04)
    assert right.expected_error < 0.01
    odds = 2 * np.log(truth / (1 - truth))
    sure = skill.calibration(label, skill.sigmoid(odds))
    assert sure.slope == pytest.approx(0.5, abs=0.03)
    assert sure.expected_error > 0.05


def test_calls_are_not_repeated_within_six_hours():
    stays = Stays.of(chart(20, 5))
    flagged = np.zeros(25, bool)
    flagged[[0, 1, 5, 6, 13, 20, 24]] = True
    called = [(int(p), int(h)) for p, h in np.argwhere(stays.calls(flagged))]
    assert called == [(0, 0), (0, 6), (0, 13), (1, 0)]
    assert stays.per_day(flagged) == pytest.approx(4 / 25 * 24)


def test_an_onset_is_caught_in_the_twelve_hours_before_and_not_earlier():
    charts = chart(40, 40, 40, septic=[(0, 20), (1, 20)])  # onset at 26
    stays = Stays.of(charts)
    assert stays.onset.tolist() == [26, 26, -1]
    flagged = np.zeros(120, bool)
    flagged[[13, 27, 40 + 16, 40 + 24]] = True
    assert stays.caught(flagged) == (0.5, 10.0)
    assert stays.caught(np.zeros(120, bool)) == (0.0, None)


def test_what_was_there_from_the_first_hour_has_no_onset():
    assert Stays.of(chart(10, septic=[(0, 0)])).onset.tolist() == [-1]


# ------------------------------------------------------------------ utility


def official(labels, predictions):
    """The challenge's rule, one patient, written out hour by hour; (gained, best, inaction)."""
    septic = any(labels)
    at = labels.index(True) + 6 if septic else 10**9
    gained = best = inaction = 0.0
    for hour, alarm in enumerate(predictions):
        since = hour - at
        if septic and since > 3:
            continue
        if not septic:
            yes, no = -0.05, 0.0
        elif since <= -6:
            yes, no = max((since + 12) / 6, -0.05), 0.0
        else:
            yes, no = (3 - since) / 9, -2 * (since + 6) / 9
        gained += yes if alarm else no
        best += max(yes, no)
        inaction += no
    return gained, best, inaction


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=90, max_size=90))
def test_the_utility_is_the_challenges(flagged):
    charts = chart(50, 15, 25, septic=[(0, 31), (1, 2)])
    worth = skill.hourly_utility(charts)
    edges = charts.first
    parts = [official(charts.label[a:b].tolist(), flagged[a:b]) for a, b in pairwise(edges)]
    gained, best, inaction = (sum(part[k] for part in parts) for k in range(3))
    expected = (gained - inaction) / (best - inaction)
    assert skill.utility(worth, np.array(flagged)) == pytest.approx(expected)


def test_silence_is_worth_nothing_and_the_best_is_one():
    charts = chart(50, 15, septic=[(0, 31)])
    worth = skill.hourly_utility(charts)
    assert skill.utility(worth, np.zeros(65, bool)) == 0
    assert skill.utility(worth, worth[0] > worth[1]) == 1


def test_the_best_limit_is_the_best_of_all():
    rng = np.random.default_rng(9)
    charts = chart(50, 15, 70, septic=[(0, 31), (2, 40)])
    worth, risk = skill.hourly_utility(charts), rng.integers(0, 20, 135).astype(float)
    best = max(skill.utility(worth, risk >= limit) for limit in range(21))
    found = skill.utility(worth, risk >= skill.best_limit(risk, worth))
    assert found == pytest.approx(max(best, found))
    assert found >= best - 1e-12
