"""The arithmetic of the books, and that each kind of loss is seen."""

import random
import sqlite3
import struct
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps import chaos
from apps.chaos import wal
from apps.chaos.ledger import CORRUPTS, LOSES, NOTHING_WRONG, Books, Promise, close, told_of
from common.telemetry.outbox_loss import DROPPED


def promise(number):
    return Promise("metric", f"part {number}", number)


def books():
    """Ten events: 1–5 stored, 5–7 queued, 8–9 dropped, 10 too, but stored before."""
    ids = {number: f"e-{number}" for number in range(1, 11)}
    return Books(
        accepted={event: promise(number) for number, event in ids.items()},
        stored=[(ids[number], number) for number in (1, 2, 3, 4, 5, 10)],
        queued={ids[number] for number in (5, 6, 7)},
        dropped={ids[number]: "metric" for number in (8, 9, 10)},
        given=set(ids.values()),
        counted=Counter(metric=3),
        told=Counter(metric=3),
        records={f"part {number}" for number in ids},
    )


def test_every_accepted_event_is_exactly_one_of_three():
    figures = close(books())
    assert figures["accepted"] == 10
    assert (figures["stored"], figures["queued"], figures["dropped_counted"]) == (6, 2, 2)
    assert {figures[name] for name in NOTHING_WRONG} == {0}


def lose_a_row(kept):
    kept.stored.remove(("e-1", 1))


def forget_what_waits(kept):
    kept.queued.remove("e-6")


def store_twice(kept):
    kept.stored.append(("e-1", 1))


def change_what_it_says(kept):
    kept.stored[0] = ("e-1", 99)


def count_one_drop_less(kept):
    kept.counted["metric"] -= 1


def tell_a_drop_twice(kept):
    kept.told["metric"] += 1


def drop_in_silence(kept):
    del kept.dropped["e-8"]


def make_one_up(kept):
    kept.stored.append(("e-11", 11))


def lose_a_record(kept):
    kept.records.remove("part 3")


def lose_a_record_that_was_counted_and_another(kept):
    kept.records -= {"part 3", "part 4"}
    kept.records_dropped = 1


def explain_no_gap(kept):
    kept.queued.clear()
    kept.stored += [("e-6", 6), ("e-7", 7)]
    kept.gaps = 3


def lose_one_that_nobody_was_promised(kept):
    kept.given.add("e-12")


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (lose_a_row, {"lost": 1, "unaccounted": 1}),
        (forget_what_waits, {"lost": 1, "unaccounted": 1}),
        (drop_in_silence, {"lost": 1, "unaccounted": 1, "drops_miscounted": 2}),
        (store_twice, {"duplicates_stored": 1}),
        (change_what_it_says, {"altered": 1}),
        (count_one_drop_less, {"drops_miscounted": 1}),
        (tell_a_drop_twice, {"drops_miscounted": 1}),
        (make_one_up, {"invented": 1}),
        (lose_a_record, {"records_lost": 1}),
        (lose_a_record_that_was_counted_and_another, {"records_lost": 1}),
        (explain_no_gap, {"gaps_unexplained": 3}),
        (lose_one_that_nobody_was_promised, {"unaccounted": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_whatever_goes_wrong_is_seen(damage, seen):
    kept = books()
    damage(kept)
    figures = close(kept)
    assert {name: figures[name] for name in NOTHING_WRONG if figures[name]} == seen
    assert not chaos.passed({**figures, "power_cuts": {}})


@given(st.dictionaries(st.integers(1, 40), st.sets(st.sampled_from("sqd"))))
def test_what_is_nowhere_is_lost_and_the_sum_is_what_was_promised(where):
    ids = {number: f"e-{number}" for number in where}
    kept = Books(
        accepted={event: promise(number) for number, event in ids.items()},
        stored=[(ids[n], n) for n, places in where.items() if "s" in places],
        queued={ids[n] for n, places in where.items() if "q" in places},
        dropped={ids[n]: "metric" for n, places in where.items() if "d" in places},
    )
    figures = close(kept)
    parts = ("stored", "queued", "dropped_counted", "lost")
    assert sum(figures[part] for part in parts) == figures["accepted"] == len(where)
    assert figures["lost"] == sum(not places for places in where.values())


def test_a_telling_is_read_and_nothing_else_is():
    assert told_of(DROPPED, {"class": "metric", "count": 3}) == Counter(metric=3)
    assert told_of("lineside.chaos.metric.v1", {"class": "metric", "count": 3}) == Counter()


# ------------------------------------------------------------------ the verdict

FINE = {"cuts": 9, "accepted": 99, "lost": 0, "corrupt": 0, "noticed": 0}
PROVEN = {"full": FINE, LOSES: {**FINE, "lost": 5}, CORRUPTS: {**FINE, "corrupt": 5}}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, True),
        ({"full": {**FINE, "lost": 1}}, False),
        ({"full": {**FINE, "corrupt": 1}}, False),
        ({"full": {**FINE, "noticed": 1}}, False),
        ({LOSES: FINE}, False),
        ({CORRUPTS: FINE}, False),
    ],
    ids=["fine", "lost", "corrupt", "false alarm", "no loss ever seen", "no damage ever seen"],
)
def test_the_cuts_pass_only_where_the_controls_have_failed(change, verdict):
    assert chaos.passed({"power_cuts": PROVEN | change}) is verdict


def test_the_text_begins_with_the_verdict():
    assert chaos.as_text({"lost": 0, "power_cuts": PROVEN}).startswith("nothing lost\n")
    assert chaos.as_text({"lost": 1, "power_cuts": PROVEN}).startswith("FAILED\n")


# ------------------------------------------------------------------ the torn log


@pytest.fixture
def killed(tmp_path: Path):
    """A file whose process was killed: its log holds 20 commits and is not checkpointed."""
    live = tmp_path / "live"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE numbers(number)")
        for number in range(20):
            connection.execute("INSERT INTO numbers VALUES(?)", (number,))
        path = tmp_path / "killed"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").write_bytes(Path(f"{live}{suffix}").read_bytes())
    return path


def numbers(path: Path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [number for (number,) in connection.execute("SELECT number FROM numbers")]


def test_the_end_of_the_commits_is_found(killed):
    log = Path(f"{killed}-wal")
    content = log.read_bytes()
    assert wal.end_of_commits(content) == len(content)
    assert wal.end_of_commits(b"") == 0
    assert wal.end_of_commits(content[:100]) == 0
    frame = content[-4120:]
    uncommitted = frame[:4] + struct.pack(">I", 0) + frame[8:]
    assert wal.end_of_commits(content + uncommitted) == len(content)
    stale = frame[:8] + bytes(8) + frame[16:]
    assert wal.end_of_commits(content + stale + frame) == len(content)


@pytest.mark.parametrize("seed", range(12))
def test_a_torn_log_keeps_every_commit(killed, seed):
    log = Path(f"{killed}-wal")
    frame = log.read_bytes()[-4120:]
    with log.open("ab") as tail:  # a transaction that never ended
        tail.write((frame[:4] + struct.pack(">I", 0) + frame[8:]) * 3)
    how = wal.tear(killed, random.Random(seed))  # noqa: S311
    assert how[0].startswith("log ")
    assert numbers(killed) == list(range(20))


def test_tearing_further_than_allowed_loses_commits(killed):
    """What the rule is for: one byte before the end of the commits is a commit less."""
    log = Path(f"{killed}-wal")
    log.write_bytes(log.read_bytes()[:-1])
    assert numbers(killed) == list(range(19))
