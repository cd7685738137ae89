"""The figures of DOMAIN E2, by hand."""

import math

import pytest

from common.alarms import history
from common.alarms.history import Entry, entry
from common.alarms.kpi import Verdict, by_role, kpis
from common.records import Record

DAY, HOUR = 86_400.0, 3600.0
START = 1_767_225_600.0
MET, MANAGEABLE, MISSED, NO_DATA = Verdict


def came(at, alarm_id="a", priority=4, **more):
    return Entry(START + at, alarm_id, "NORM", "UNACK", priority, **more)


def went(at, alarm_id="a", was="UNACK", state="RTNUN", **more):
    return Entry(START + at, alarm_id, was, state, 4, **more)


def table(entries, days=30.0):
    return kpis(entries, START, START + days * DAY)


def figures(entries, days=30.0):
    return {row.name: (row.value, row.verdict) for row in table(entries, days).rows()}


def spread(per_day, days=30):
    """Alarms of as many kinds as there are, at equal distances."""
    total = per_day * days
    return [came(n * days * DAY / total, f"alarm-{n}") for n in range(total)]


def test_a_quiet_month_meets_everything_but_what_takes_alarms():
    found = table([])
    assert found.enough
    assert {row.name: row.verdict for row in found.rows() if row.verdict is not MET} == {
        "share of the ten most frequent": NO_DATA,
        "low priority": NO_DATA,
        "medium priority": NO_DATA,
        "high priority": NO_DATA,
    }


def test_the_table_has_every_row_of_e2_with_its_target():
    rows = [(row.name, row.target) for row in table([]).rows()]
    assert rows == [
        ("alarms/day", "≤ 144, manageable ≤ 288"),
        ("alarms/hour", "≤ 6, manageable ≤ 12"),
        ("alarms/10 min", "≤ 1, manageable ≤ 2"),
        ("hours with > 30 alarms", "< 1 %"),
        ("10 min with > 10 alarms", "< 1 %"),
        ("max in any 10 min", "≤ 10"),
        ("time in flood", "< 1 %"),
        ("share of the ten most frequent", "< 1 %, manageable < 5 %"),
        ("chattering alarms", "0"),
        ("fleeting alarms", "0"),
        ("stale alarms on any day", "< 5"),
        ("low priority", "about 80 % or more"),
        ("medium priority", "about 15 % or less"),
        ("high priority", "about 5 % or less"),
    ]


@pytest.mark.parametrize(
    ("per_day", "verdict"), [(144, MET), (145, MANAGEABLE), (288, MANAGEABLE), (289, MISSED)]
)
def test_rates_are_acceptable_manageable_or_neither(per_day, verdict):
    found = figures(spread(per_day))
    assert found["alarms/day"] == (pytest.approx(per_day), verdict)
    assert found["alarms/hour"] == (pytest.approx(per_day / 24), verdict)
    assert found["alarms/10 min"] == (pytest.approx(per_day / 144), verdict)


def test_one_bad_hour_in_a_day():
    """31 alarms, one a minute: no ten minutes have more than ten."""
    found = figures([came(n * 60.0, f"alarm-{n}") for n in range(31)], days=1)
    assert found["hours with > 30 alarms"] == (pytest.approx(1 / 24), MISSED)
    assert found["10 min with > 10 alarms"] == (0.0, MET)
    assert found["max in any 10 min"] == (10, MET)


def test_eleven_in_ten_minutes_are_one_period_too_many():
    found = figures([came(n * 50.0, f"alarm-{n}") for n in range(11)], days=1)
    assert found["10 min with > 10 alarms"] == (pytest.approx(1 / 144), MET)
    assert found["max in any 10 min"] == (11, MISSED)
    assert found["hours with > 30 alarms"] == (0.0, MET)


def test_the_time_in_flood():
    """10 alarms, 1 s apart: from the tenth at 9 s until that of 5 s is 10 min old."""
    found = figures([came(n, f"alarm-{n}") for n in range(10)], days=1)
    assert found["time in flood"] == (pytest.approx((605 - 9) / DAY), MET)
    day_of_floods = [came(h * HOUR + n, f"alarm-{n}") for h in range(24) for n in range(10)]
    found = figures(day_of_floods, days=1)
    assert found["time in flood"] == (pytest.approx(24 * 596 / DAY), MISSED)


def test_a_flood_that_stands_at_the_start_counts_from_there():
    entries = [came(n - 10.0, f"alarm-{n}") for n in range(10)]  # flood from −1 s to 595 s
    found = figures(entries, days=1)
    assert found["time in flood"][0] == pytest.approx(595 / DAY)
    assert found["alarms/day"][0] == 0


def test_the_ten_most_frequent():
    bad = [came(n * HOUR, f"bad-{n % 10}") for n in range(50)]
    rest = [came(n * HOUR + 7, f"alarm-{n}") for n in range(950)]
    found = table(bad + rest, days=60)
    assert (found.top_ten.value, found.top_ten.verdict) == (0.05, MISSED)
    assert sorted(found.most_frequent) == [(f"bad-{n}", 5) for n in range(10)]
    few = table([came(n, f"alarm-{n}") for n in range(250)])
    assert (few.top_ten.value, few.top_ten.verdict) == (0.04, MANAGEABLE)
    many = table([came(n, f"alarm-{n}") for n in range(1001)])
    assert many.top_ten.verdict is MET


def test_chattering_is_three_times_in_a_minute_of_one_alarm():
    assert figures([came(0), came(30), came(59)])["chattering alarms"] == (1, MISSED)
    assert figures([came(0), came(30), came(60)])["chattering alarms"] == (0, MET)
    three = [came(0, "a"), came(1, "b"), came(2, "c")]
    assert figures(three)["chattering alarms"] == (0, MET)


@pytest.mark.parametrize(
    ("after", "fleeting"),
    [
        (went(10), 1),
        (went(11), 0),
        (came(5), 0),
        (went(5, state="LATCHED_UNACK"), 1),
        (went(5, state="ACKED", action="acknowledge"), 0),
        (went(5, state="SHELVED", action="shelve"), 0),
    ],
)
def test_fleeting_is_gone_before_anybody_could_act(after, fleeting):
    assert figures([came(0), after])["fleeting alarms"][0] == fleeting


def test_what_came_before_the_start_is_not_fleeting_of_this_time():
    assert figures([came(-5), went(1)])["fleeting alarms"] == (0, MET)


def test_stale_is_more_than_a_day_in_the_list():
    """Four are; a fifth for a day to the second is not, one for two days is."""
    entries = [came(n, f"a{n}") for n in range(4)] + [came(10, "b"), went(10 + DAY, "b")]
    assert figures(entries)["stale alarms on any day"] == (4, MET)
    entries += [came(20, "c"), went(2 * DAY + 20, "c", "ACKED", "NORM")]
    assert figures(entries)["stale alarms on any day"] == (5, MISSED)


def test_what_is_hidden_is_not_stale_what_is_acknowledged_is():
    hidden = [came(0), went(HOUR, state="SHELVED"), went(9 * DAY, was="SHELVED", state="NORM")]
    assert figures(hidden)["stale alarms on any day"] == (0, MET)
    noted = [
        came(0),
        went(20 * HOUR, state="ACKED"),
        went(30 * HOUR, was="ACKED", state="NORM"),
    ]
    assert figures(noted)["stale alarms on any day"] == (1, MET)


def test_what_stood_before_the_start_is_known_by_its_time():
    late = went(HOUR, was="ACKED", state="NORM", active_since=START - DAY)
    assert figures([late])["stale alarms on any day"] == (1, MET)
    late = went(HOUR, was="ACKED", state="NORM", active_since=START - 22 * HOUR)
    assert figures([late])["stale alarms on any day"] == (0, MET)


def test_the_mix_of_priorities():
    entries = [came(n, f"a{n}", 4) for n in range(80)]
    entries += [came(n, f"b{n}", 3) for n in range(15)]
    entries += [came(n, f"c{n}", 2 - n % 2) for n in range(5)]
    found = figures(entries)
    assert found["low priority"] == (0.80, MET)
    assert found["medium priority"] == (0.15, MET)
    assert found["high priority"] == (0.05, MET)
    found = figures([*entries, came(0, "one too many", 1)])
    assert found["low priority"][1] is found["high priority"][1] is MISSED


def test_only_what_began_to_ask_for_attention_counts():
    entries = [
        came(0),
        went(10, state="ACKED", action="acknowledge"),
        went(20, was="ACKED", state="UNACK"),  # the re-alarm timer
        went(30, was="UNACK", state="UNACK"),  # its priority rose
        went(40, was="SHELVED", state="SHELVED"),
        went(50, was="SHELVED", state="UNACK"),
    ]
    assert table(entries).alarms == 3


def test_shelvings_are_counted():
    shelve = went(5, state="SHELVED", action="shelve")
    assert table([came(0), shelve, went(9, was="SHELVED", state="NORM")]).shelvings == 1


def test_each_operator_position_has_its_own_table():
    entries = [came(0, "a"), came(1, "b", role="fitter"), came(2, "c", role="fitter")]
    found = by_role(entries, START, START + DAY)
    assert {role: t.alarms for role, t in found.items()} == {"fitter": 2, "operator": 1}
    assert found["fitter"].role == "fitter"
    assert not found["fitter"].enough, "a day is not thirty"


def test_entries_outside_of_the_time_do_not_count():
    entries = [came(-1.0), came(0.0), came(DAY - 1), came(DAY)]
    assert table(entries, days=1).alarms == 2


@pytest.mark.parametrize("end", [START, START - 1, math.nan])
def test_a_time_that_is_none_is_refused(end):
    with pytest.raises(ValueError, match="must be after start"):
        kpis([], START, end)


def test_an_entry_is_read_from_a_record():
    body = {
        "was": "UNACK", "state": "SHELVED", "priority": 1, "role": "fitter",
        "action": "shelve", "active_since": 5.0,
    }  # fmt: skip
    found = entry(Record("alarm", "hot", 7.0, 0.0, "boot-1", body))
    assert found == Entry(7.0, "hot", "UNACK", "SHELVED", 1, "fitter", "shelve", 5.0)
    assert not found.annunciated


def test_the_history_of_a_board_is_what_happened(rig, define):
    made = rig(define("a"), define("b", priority=1))
    for alarm_id in ("a", "b", "a"):
        made.board.set(alarm_id, True)
        made.wait(5.0)
        made.board.set(alarm_id, False)
    entries = [
        Entry(c.wall_time, c.alarm.definition.id, c.was, c.alarm.state.name, c.alarm.priority)
        for c in made.keeper.changes
    ]
    assert history.fleeting(history.by_alarm(entries), 0.0) == 2
    assert kpis(entries, 0.0, 2 * START).most_frequent == (("a", 2), ("b", 1))
