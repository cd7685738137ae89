"""`lineside collect` as a process: killed, stopped, misconfigured; and `lineside gaps`."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from apps import collect
from apps.cli import main
from common.errors import ConfigError
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.engine import ArchiveError
from common.telemetry.collector.rows import Batch
from common.telemetry.ranges import missing
from tests.common.telemetry.collector.rig import (
    EPOCH,
    MOSQUITTO,
    NO_MOSQUITTO,
    NOW,
    STATION,
    Broker,
    Station,
    event,
    query,
    row,
    until,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def broker(tmp_path, stack) -> Broker:
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    broker = Broker(tmp_path / "broker")
    stack.callback(broker.kill)
    broker.start()
    return broker


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    return request.getfixturevalue("postgresql").schema()


class Process:
    """`lineside collect`, its words in a file."""

    def __init__(
        self, stack: ExitStack, url: str, port: int, folder: Path, *changes: str
    ) -> None:
        self.status = folder / "status.json"
        self.status.unlink(missing_ok=True)
        self._log = (folder / "collect.log").open("a+b")
        settings = [
            "broker.host=127.0.0.1", f"broker.port={port}", "collector.name=c1",
            "broker.back_off_base_s=0.05", "broker.back_off_cap_s=0.2", *changes,
            f"collector.status_file='{self.status}'", "collector.status_s=0.1",
        ]  # fmt: skip
        words = [word for setting in settings for word in ("--set", setting)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "collect", "--to", url, *words],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

        stack.callback(self.end)
        until(self._online)  # before there is a session, the broker has nobody to keep for

    def _online(self) -> bool:
        assert self._process.poll() is None, "it ended by itself"
        return self.status.exists() and json.loads(self.status.read_text())["online"]

    def end(self, number: int = signal.SIGKILL) -> int:
        self._process.send_signal(number)
        code = self._process.wait(60)
        self._log.close()
        return code


def kept(url):
    return [number for (number,) in query(url, "SELECT sequence FROM events ORDER BY 1")]


@pytest.mark.timeout(180)
def test_kill_9_at_any_point_costs_a_duplicate_at_worst(url, broker, stack, tmp_path):
    """A station sends, and sends again what is not receipted, as a real one does."""
    rng, wanted = random.Random(7), 3000  # noqa: S311 - to be repeated
    station = stack.enter_context(closing(Station(broker.port)))
    process, sent = Process(stack, url, broker.port, tmp_path, "collector.batch_rows=40"), 0
    for kill in range(6):
        goal = wanted * (kill + 1) // 6
        while sent < goal:
            station.send(*(event(n) for n in range(sent + 1, sent + 26)))
            sent += 25
        have = len(station.receipts)
        until(lambda have=have: len(station.receipts) > have)
        time.sleep(rng.uniform(0.0, 0.05))
        process.end()
        process = Process(stack, url, broker.port, tmp_path, "collector.batch_rows=40")
    while station.receipted() != [(1, wanted)]:
        time.sleep(0.5)
        for first, last in missing(station.receipted(), 1, wanted)[:20]:
            station.send(
                *(event(n) for n in range(first, min(last, first + 99) + 1)), backlog=True
            )
    assert process.end(signal.SIGTERM) == 0
    assert kept(url) == list(range(1, wanted + 1)), "each once, none lost"
    with closing(open_archive(url)) as archive:
        (stream,) = archive.streams()
    assert stream.ranges == ((1, wanted),), "and the ledger says so"


def test_what_was_receipted_is_kept_whenever_it_dies(url, broker, stack, tmp_path):
    station = stack.enter_context(closing(Station(broker.port)))
    process = Process(stack, url, broker.port, tmp_path, "collector.batch_age_ms=0")
    for n in range(1, 200):
        station.send(event(n))
    until(lambda: len(station.receipts) > 3)
    process.end()
    time.sleep(0.2)
    receipted = {n for first, last in station.receipted() for n in range(first, last + 1)}
    assert receipted
    assert receipted <= set(kept(url))


def test_sigterm_ends_it_after_the_commit_and_the_status_is_told(broker, stack, tmp_path):
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    station = stack.enter_context(closing(Station(broker.port)))
    process = Process(stack, url, broker.port, tmp_path)
    station.send(event(1), event(2), event(2))
    until(lambda: station.receipted() == [(1, 2)])
    until(lambda: json.loads(process.status.read_text())["stored"] == 2)
    assert process.end(signal.SIGTERM) == 0
    state = json.loads(process.status.read_text())
    assert (state["received"], state["duplicates"], state["receipts"]) == (3, 1, 1)
    log = (tmp_path / "collect.log").read_text()
    assert "2 stored" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("to", "changes", "said"),
    [
        ("archive.db", [], "sqlite:///FILE"),
        ("sqlite:///{}/a.db", ["collector.batch_rows=0"], "batch_rows"),
        ("sqlite:///{}/a.db", ["collector.bach_rows=5"], "unknown key collector.bach_rows"),
        ("sqlite:///{}/a.db", ["collector.topics=['v1/#']"], "device/app is needed"),
        ("sqlite:///{}/a.db", ["collector.group='a/b'"], "a name without"),
        ("sqlite:///{}/a.db", ["broker.cert_file='x.crt'"], "come together"),
        ("sqlite:///{}/a.db", ["broker.tls=true", "broker.ca_file='none.crt'"], "none.crt"),
        ("sqlite:///{}/a.db", ["broker.port"], "KEY=VALUE"),
        ("postgresql://nobody@127.0.0.1:1/none", [], "127.0.0.1:1/none"),
    ],
)
def test_a_users_mistake_is_one_clear_line(capsys, tmp_path, to, changes, said):
    words = [word for change in changes for word in ("--set", change)]
    code = main(["collect", "--to", to.format(tmp_path), *words])
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert error.startswith("lineside: ")
    assert said in error
    assert error.count("\n") == 1


def test_two_collectors_may_not_own_one_file(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with closing(open_archive(url)), pytest.raises(ArchiveError, match="another collector"):
        open_archive(url)
    open_archive(url).close()


def test_a_settings_file_is_read(tmp_path):
    config = tmp_path / "collect.toml"
    config.write_text("[collector]\nbatch_rows = 'many'\n")
    with pytest.raises(ConfigError, match=r"collect\.toml.*batch_rows"):
        collect.run(f"sqlite:///{tmp_path / 'a.db'}", config, [])


def test_gaps_in_words_and_as_json(url, capsys):
    with closing(open_archive(url)) as archive:
        archive.store(Batch(rows=tuple(row(n) for n in (1, 2, 5, 9))), NOW)
        archive.store(Batch(rows=(row(4, epoch="e2"),)), NOW)
    assert main(["gaps", "--in", url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "lineside.gaps/1"
    assert [one["missing"] for one in found["sources"]] == [[[3, 4], [6, 8]], []]
    assert main(["gaps", "--in", url]) == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert f"{STATION.source} epoch {EPOCH}: 4 kept, 1 … 9" in first
    assert "missing 5: 3–4, 6–8; told as dropped 0, unexplained 5" in first
    assert second.endswith("(its beginning was never told); complete")
    assert total.startswith("2 streams: 5 events kept, 5 missing")


def test_gaps_of_what_is_no_archive(capsys, tmp_path):
    assert main(["gaps", "--in", f"sqlite:///{tmp_path / 'none.db'}"]) == 1
    assert "no archive can be read" in capsys.readouterr().err


def test_the_status_line_says_what_is_wrong():
    state = {
        "online": False, "reason": "broker x:1883: no answer", "database": "pg: gone",
        "received": 1, "stored": 2, "duplicates": 3, "rejected": 4, "receipts": 5,
        "behind_seconds": 6.75,
    }  # fmt: skip
    assert collect.status_line(state) == (
        "offline (broker x:1883: no answer); database away: pg: gone; 1 events received,"
        " 2 stored, 3 known already, 4 rejected, 5 receipts, 6.8 s behind"
    )
    refused = {**state, "online": True, "reason": "the broker refuses receipts", "database": ""}
    assert collect.status_line(refused).startswith("online, but the broker refuses receipts; 1")
