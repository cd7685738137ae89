"""A small run of the real thing: processes killed by the dice, and the books closed."""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from apps import chaos
from apps.chaos import plant
from apps.chaos.ledger import Books, Promise, close
from apps.chaos.reading import read_archive
from apps.chaos.scheduler import Scheduler
from apps.chaos.small_disk import fill, free, small_disk
from apps.chaos.station import Plan
from common.errors import BackendMissing

HERE = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_broker = pytest.mark.skipif(HERE is None, reason="mosquitto is not installed")


@needs_broker
@pytest.mark.timeout(300)
def test_after_twenty_kills_every_accepted_event_is_accounted_for(capfd):
    figures = chaos.play(kills=20, cuts=0, seed=1)
    assert chaos.passed(figures), chaos.as_text(figures)
    assert figures["accepted"] > 100
    assert figures["stored"] > 100
    assert sum(figures["by_target"].values()) == 20
    parts = ("stored", "queued", "dropped_counted", "lost")
    assert sum(figures[part] for part in parts) == figures["accepted"]
    assert figures["control_puback"]["lost"] > 0, "who trusts a PUBACK does lose"
    assert capfd.readouterr().err == "", "it is quiet in a pipe"


@needs_broker
@pytest.mark.timeout(300)
def test_a_row_taken_from_the_archive_is_reported_lost(tmp_path: Path):
    """The harness fails when it must."""
    run = Scheduler(tmp_path, Plan(tmp_path, "2"), lambda _: None)
    before = run.run(2)
    assert before["lost"] == 0
    assert before["stored"] > 1
    with closing(sqlite3.connect(run.plant.archive)) as archive, archive:
        rows = archive.execute("SELECT epoch || '-' || sequence, rowid FROM events").fetchall()
        # Only of accepted events: one whose acceptance a kill swallowed is owed to nobody.
        first, *_, last = [row for event, row in rows if event in run.accepted]
        archive.execute("DELETE FROM events WHERE rowid = ?", (last,))
        archive.execute("UPDATE events SET data = '{}' WHERE rowid = ?", (first,))
    kept = Books(accepted=run.accepted)
    read_archive(run.plant.archive, kept)
    after = close(kept)
    assert after["stored"] == before["stored"] - 1
    assert after["lost"] == 1 + before["queued"] + before["dropped_counted"]
    assert after["altered"] == 1


def test_what_an_archive_that_never_came_to_be_should_hold_is_lost(tmp_path: Path):
    books = Books(accepted={"epoch-1": Promise("alarm", "part/1", 7)})
    read_archive(tmp_path / "archive.sqlite", books)
    assert close(books)["lost"] == 1


@needs_broker
@pytest.mark.timeout(300)
def test_nothing_of_the_plant_is_left_running(tmp_path: Path):
    run = Scheduler(tmp_path, Plan(tmp_path, "3"), lambda _: None)
    with closing(run.plant):
        for target in (*plant.TARGETS, "postman"):
            run.plant.start(target)
        run.plant.pump(0.5)
        assert run.plant.ended() == []
        pids = run.plant.pids()
        assert len(pids) == 4
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_without_a_broker_it_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(BackendMissing, match="apt install mosquitto"):
        chaos.play(kills=1, cuts=0, seed=1)


def test_without_apsw_it_says_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("apps.chaos.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "apsw", None)
    with pytest.raises(BackendMissing, match="apsw: pip install"):
        chaos.play(kills=0, cuts=1, seed=1)


def test_a_small_disk_is_full_to_the_last_byte_and_then_free(tmp_path: Path):
    with small_disk(tmp_path) as none_because:
        if none_because:
            pytest.skip(none_because)
        fill(tmp_path)
        with (
            (tmp_path / "more").open("wb", buffering=0) as more,
            pytest.raises(OSError, match="No space left"),
        ):
            more.write(b"x")
        free(tmp_path)
        (tmp_path / "more").write_bytes(b"x")
        assert os.statvfs(tmp_path).f_bavail > 0
    assert list(tmp_path.iterdir()) == [], "still mounted"


def test_progress_is_one_line_on_a_terminal(monkeypatch, capsys):
    def cut(cuts, seed, say):
        say(f"{cuts} power cuts")
        say("and again")
        return {}

    monkeypatch.setattr(chaos, "_cutter", lambda: cut)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    chaos.play(kills=0, cuts=4, seed=1)
    assert capsys.readouterr().err.split("\r\x1b[K") == ["", "4 power cuts", "and again", ""]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    chaos.play(kills=0, cuts=4, seed=1)
    assert capsys.readouterr().err == ""
