"""One contract, two databases."""

import json
from contextlib import closing

import pytest

from common.errors import ConfigError
from common.telemetry.collector.archive import Archive, open_archive, parse_url
from common.telemetry.collector.engine import ArchiveRefused, shown
from common.telemetry.collector.report import gaps
from common.telemetry.collector.rows import Batch, Began, Dropped, Rejected, Seen, Stored
from common.telemetry.event import iso_time
from tests.common.telemetry.collector.rig import EPOCH, NOW, STATION, query, row

SOURCE = STATION.source


def rows(*sequences, **more):
    return Batch(rows=tuple(row(sequence, **more) for sequence in sequences))


def kept(url):
    return [number for (number,) in query(url, "SELECT sequence FROM events ORDER BY 1")]


def only(archive: Archive):
    (stream,) = archive.streams()
    return stream


def test_events_are_kept_whole(archive, archive_url):
    text = 'ünï "x" \\ \\n\t𝄞'
    data = json.dumps({"a": [1, 2.5, None, True], "text": text})
    given = row(
        7,
        subject="part/ü\\",
        data=data,
        suspect="900 s ahead",
        corrected_time=iso_time(NOW + 1),
    )
    assert archive.store(Batch(rows=(given,)), NOW) == Stored(1, 0, 0)
    facts = "SELECT source, epoch, sequence, type, subject, suspect, boot_id, clock_quality"
    assert query(archive_url, facts + " FROM events") == [
        (SOURCE, EPOCH, 7, given.type, "part/ü\\", "900 s ahead", "b-1", "ntp")
    ]
    ((data_back, time, corrected),) = query(
        archive_url, "SELECT data, time, corrected_time FROM events"
    )
    found = json.loads(data_back) if isinstance(data_back, str) else data_back
    assert found == {"a": [1, 2.5, None, True], "text": text}
    if isinstance(time, str):
        assert (time, corrected) == (given.time, given.corrected_time)
    else:
        assert (time.timestamp(), corrected.timestamp()) == (NOW, NOW + 1)


def test_what_comes_twice_is_kept_once(archive, archive_url):
    assert archive.store(rows(1, 2, 3, 2), NOW) == Stored(3, 1, 0)
    assert archive.store(rows(2, 3, 4), NOW) == Stored(1, 2, 0)
    assert archive.store(rows(4, 1), NOW) == Stored(0, 2, 0)
    other_time = rows(1, time=iso_time(NOW + 86_400 * 40))
    assert archive.store(other_time, NOW) == Stored(0, 1, 0), "known by its id, not its time"
    assert kept(archive_url) == [1, 2, 3, 4]
    assert only(archive).received == 4


def test_another_event_with_a_known_id_is_kept_apart(archive, archive_url):
    """As from a station whose folder was put back from a copy: it counts on from there."""
    later, last = iso_time(NOW + 3600), iso_time(NOW + 7200)
    told = Seen(iso_time(NOW), 0.0, None)
    first = Batch(rows=rows(1, 2, 3).rows, seen={(SOURCE, EPOCH): told})
    archive.store(first, NOW)
    again = rows(2, 3, 4, recorded_time=later)
    assert archive.store(again, NOW) == Stored(3, 0, 0)
    assert archive.store(again, NOW) == Stored(0, 3, 0), "idempotent, too"
    assert archive.store(rows(1, 2, 3), NOW) == Stored(0, 3, 0)
    both = Batch(rows=(*rows(3, 5).rows, *rows(3, 5, recorded_time=last).rows))
    assert archive.store(both, NOW) == Stored(3, 1, 0)
    assert [(one.epoch, one.ranges, one.opened) for one in archive.streams()] == [
        (EPOCH, ((1, 5),), iso_time(NOW)),
        (EPOCH + "~", ((2, 3), (5, 5)), iso_time(NOW)),
        (EPOCH + "~~", ((3, 3),), iso_time(NOW)),
    ]
    assert kept(archive_url) == [1, 2, 2, 3, 3, 3, 4, 5, 5]


def test_a_station_that_never_gives_an_id_twice_alike_is_refused(archive, archive_url):
    for minute in range(9):
        archive.store(rows(1, recorded_time=iso_time(NOW + 60 * minute)), NOW)
    with pytest.raises(ArchiveRefused, match="its id is that of 9 other events"):
        archive.store(rows(1, recorded_time=iso_time(NOW - 60)), NOW)
    assert kept(archive_url) == [1] * 9


def test_epochs_and_sources_are_counted_by_themselves(archive):
    archive.store(rows(1, 2), NOW)
    assert archive.store(rows(1, epoch="e2"), NOW) == Stored(1, 0, 0)
    assert archive.store(rows(1, source="urn:lineside:a:b:c:d:e"), NOW) == Stored(1, 0, 0)
    assert [(one.key, one.received) for one in archive.streams()] == [
        (("urn:lineside:a:b:c:d:e", EPOCH), 1),
        ((SOURCE, EPOCH), 2),
        ((SOURCE, "e2"), 1),
    ]


def test_the_ledger_outlives_the_process(archive_url):
    with closing(open_archive(archive_url)) as archive:
        archive.store(rows(1, 2, 9), NOW)
    with closing(open_archive(archive_url)) as archive:
        assert only(archive).missing == [(3, 8)]
        assert archive.store(rows(2, 3), NOW) == Stored(1, 1, 0)
        assert only(archive).missing == [(4, 8)]


def test_a_batch_is_kept_whole_or_not_at_all(archive, archive_url):
    archive.store(rows(1), NOW)
    bad = row(3, data="{" if not archive_url.startswith("sqlite") else None)
    with pytest.raises(ArchiveRefused):
        archive.store(Batch(rows=(row(2), bad)), NOW)
    assert kept(archive_url) == [1]
    assert only(archive).received == 1
    assert archive.store(rows(2), NOW) == Stored(1, 0, 0)


def test_rows_that_came_in_around_the_ledger_are_found_and_learned(archive, archive_url):
    archive.store(rows(1), NOW)
    query(archive_url, "UPDATE streams SET state = replace(state, '[[1,1]]', '[]')")
    assert only(archive).received == 0
    assert archive.store(rows(1, 2), NOW) == Stored(1, 1, 0)
    assert kept(archive_url) == [1, 2]
    assert only(archive).ranges == ((1, 2),)


def test_epochs_begin_and_losses_are_told_once(archive):
    began = Began(SOURCE, EPOCH, 1, 1)
    dropped = Dropped(SOURCE, (EPOCH, 9), EPOCH, (3, 6), 2)
    batch = Batch(rows=(row(1), row(9)), tidings=(began, dropped))
    for _ in range(2):
        archive.store(batch, NOW)
    stream = only(archive)
    assert (stream.begins, stream.first, stream.last) == (1, 1, 9)
    assert (stream.missing, stream.told_dropped, stream.unexplained) == ([(2, 8)], 2, 5)


def test_a_loss_of_another_epoch_is_told_by_the_next(archive):
    archive.store(rows(1, 2, 5), NOW)
    dropped = Dropped(SOURCE, ("e2", 6), EPOCH, (3, 4), 2)
    archive.store(Batch(rows=(row(6, epoch="e2"),), tidings=(dropped,)), NOW)
    first, second = archive.streams()
    assert (first.epoch, first.unexplained, first.missing_count) == (EPOCH, 0, 2)
    assert (second.epoch, second.told_dropped) == ("e2", 0)


def test_gaps_are_asked_for_when_they_stay_and_by_one_alone(archive):
    archive.store(rows(1, 2, 5), NOW)
    assert archive.claim(NOW + 29) == []
    archive.store(rows(6), NOW + 29)
    (ask,) = archive.claim(NOW + 31)
    assert (ask.source, ask.epoch, ask.ranges) == (SOURCE, EPOCH, ((3, 4),))
    assert archive.claim(NOW + 32) == [], "the next collector is not told the same"
    assert archive.claim(NOW + 92)[0].ranges == ((3, 4),)
    archive.store(rows(3, 4), NOW + 93)
    assert archive.claim(NOW + 10_000) == []


def test_a_clock_that_was_years_ahead_puts_off_no_asking_when_it_is_right_again(archive):
    ahead = NOW + 3 * 365 * 86_400
    archive.store(rows(1, 3), ahead)
    assert archive.claim(ahead + 31), "asked while it is ahead"
    assert archive.claim(ahead + 32) == []
    assert [ask.ranges for ask in archive.claim(NOW)] == [((2, 2),)]
    assert archive.claim(NOW + 1) == []
    assert archive.claim(NOW + 3700), "and again in its time"


def test_what_a_station_no_longer_has_is_not_asked_for(archive, archive_url):
    archive.store(rows(1, 5), NOW)
    archive.note_gone(SOURCE, {EPOCH: [(2, 3)], "unheard": [(1, 9)]}, NOW)
    assert archive.claim(NOW + 31)[0].ranges == ((4, 4),)
    (found,) = gaps(archive_url)["sources"]
    assert (found["gone"], found["unexplained"]) == ([[2, 3]], 3)


def test_rejected_messages_are_kept_apart_counted_and_bounded(archive_url):
    with closing(open_archive(archive_url, keep_rejected=2)) as archive:
        for number in range(4):
            bad = Rejected("v1/a", f"reason {number}", b"\0\xff", 9, iso_time(NOW))
            assert archive.store(Batch(rejected=(bad, bad)), NOW) == Stored(0, 0, 2)
        other = Rejected("v1/b", "reason", b"x", 1, iso_time(NOW))
        archive.store(Batch(rejected=(other,)), NOW)
    facts = "SELECT topic, reason, raw, size, times"
    found = [
        (topic, reason, bytes(raw), size, times)
        for topic, reason, raw, size, times in query(
            archive_url, facts + " FROM rejected ORDER BY topic, reason"
        )
    ]
    assert found == [
        ("v1/a", "reason 2", b"\0\xff", 9, 2),
        ("v1/a", "reason 3", b"\0\xff", 9, 2),
        ("v1/b", "reason", b"x", 1, 1),
    ]
    totals = dict(query(archive_url, "SELECT topic, times FROM rejected_totals"))
    assert totals == {"v1/a": 8, "v1/b": 1}


def test_who_was_seen_when_and_how_far_behind(archive, archive_url):
    seen = Seen(iso_time(NOW), 12.5, -3.0)
    archive.store(Batch(rows=(row(1),), seen={(SOURCE, EPOCH): seen}), NOW)
    archive.store(rows(2), NOW)
    assert only(archive).seen == seen
    assert only(archive).opened == iso_time(NOW)
    ((source, behind, offset),) = query(
        archive_url, "SELECT source, behind_s, clock_offset_s FROM last_seen"
    )
    assert (source, behind, offset) == (SOURCE, 12.5, -3.0)


def test_the_folded_part_of_a_ledger_asks_the_table(archive, archive_url, monkeypatch):
    monkeypatch.setattr("common.telemetry.collector.ledger.MOST_RANGES", 4)
    odd = list(range(1, 21, 2))
    archive.store(rows(*odd), NOW)
    assert only(archive).folded is not None
    assert archive.store(rows(1, 2, 3, 4), NOW) == Stored(2, 2, 0)
    stream = only(archive)
    assert kept(archive_url) == sorted([*odd, 2, 4])
    assert (stream.received, stream.missing_count) == (12, 7)


def test_gaps_tell_all_streams_and_sums(archive, archive_url):
    began = Began(SOURCE, EPOCH, 1, 1)
    archive.store(Batch(rows=(row(1), row(4)), tidings=(began,)), NOW)
    archive.store(rows(3, epoch="e2"), NOW)
    found = gaps(archive_url)
    sums = ("received", "missing", "told_dropped", "unexplained")
    assert [found[name] for name in sums] == [3, 2, 0, 2]
    first, second = found["sources"]
    assert {**first, "last_seen": None} == {
        "source": SOURCE, "epoch": EPOCH, "received": 2, "first": 1, "last": 4, "begins": 1,
        "missing": [[2, 3]], "missing_count": 2, "told_dropped": 0, "unexplained": 2,
        "gone": [], "asks": 0, "ends": None, "last_seen": None,
        "replaces": None, "lost_unknown": False,
    }  # fmt: skip
    assert (second["begins"], second["missing"]) == (None, [])


@pytest.mark.parametrize(
    "url",
    [
        "", "archive.db", "sqlite://archive.db", "sqlite:///", "sqlite:///.", "sqlite:////",
        "mysql://x/y", "file:///x",
    ],
)  # fmt: skip
def test_an_address_of_no_database_is_a_clear_line(url):
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        open_archive(url)


def test_no_password_is_shown():
    assert shown("postgresql://u:se@cr@h/db?password=x") == "postgresql://u@h/db"
    with pytest.raises(ConfigError) as caught:
        parse_url("mysql://u:secret@h/db")
    assert "secret" not in str(caught.value)
