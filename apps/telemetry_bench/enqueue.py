"""Into the outbox: beside raw SQLite with the same commits, and beside persist-queue.

The floor inserts ready-made bytes into one indexed table, a hundred to a commit. Ours also
makes the envelope, numbers, checks and counts every event: once with the hundred handed over
as one operation, as the floor does, and once one by one, each caller told of its commit.
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.telemetry_bench.records import messages, readings, station
from common.canonical import canonical_json
from common.clock import SystemClock
from common.pipeline import percentiles
from common.store import StoreSettings
from common.telemetry.topics import Identity

GROUP = 100
"""Rows of one commit, ours and the floor's."""
SELF = Identity("bench", "plant", "hall", "enqueue", "bench")
HOT_PATH_S = 0.005
"""Between two events of a hot path: 200 a second."""
PEER_EVENTS = 500
SYNC_MB = """
import os, sys
with open(sys.argv[1], "wb") as file:
    while True:
        file.seek(0)
        file.write(os.urandom(8 << 20))
        file.flush()
        os.fsync(file.fileno())
"""
"""A program that keeps the disk busy until it is killed."""


def figures(events: int, rounds: int) -> dict[str, Any]:
    """Ratios of events per second, and the hot path's wait in ms."""
    ours, single, raw, peer = [], [], [], []
    for number in range(rounds):
        raw.append(_rate(partial(_raw_sqlite, readings(events, number))))
        ours.append(_rate(partial(_ours, events, GROUP, number)))
        single.append(_rate(partial(_ours, events, 1, number)))
        peer.append(_rate(partial(_persist_queue, readings(PEER_EVENTS, number))))
    best, floor, others = max(ours), max(raw), max(peer)
    return {
        "enqueue_ratio_raw_sqlite": round(best / floor, 3),
        "enqueue_ratio_raw_sqlite_one_by_one": round(max(single) / floor, 3),
        "enqueue_ratio_persist_queue": round(max(single) / others, 1),
        "enqueue_per_s": round(best),
        "enqueue_per_s_one_by_one": round(max(single)),
        "hot_path_enqueue_ms": _hot_path(max(200, events // 20)),
    }


def _rate(work: Any) -> float:
    with TemporaryDirectory() as folder:
        done, seconds = work(Path(folder))
        return float(done / seconds)


def _raw_sqlite(data: Iterable[dict[str, Any]], folder: Path) -> tuple[int, float]:
    payloads = [canonical_json(one).encode() for one in data]
    with closing(sqlite3.connect(folder / "raw.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE queue(seq INTEGER PRIMARY KEY, priority INTEGER, payload BLOB)"
        )
        connection.execute("CREATE INDEX by_priority ON queue(priority, seq)")
        begun = time.perf_counter()
        for start in range(0, len(payloads), GROUP):
            connection.execute("BEGIN IMMEDIATE")
            for payload in payloads[start : start + GROUP]:
                connection.execute(
                    "INSERT INTO queue(priority, payload) VALUES(3, ?)", (payload,)
                )
            connection.execute("COMMIT")
        return len(payloads), time.perf_counter() - begun


def _ours(events: int, together: int, seed: int, folder: Path) -> tuple[int, float]:
    """`together` messages are one operation; a commit has GROUP of them in any case."""
    waiting = list(messages(events, SystemClock(), seed))
    settings = StoreSettings(group_operations=GROUP // together, queue_operations=events)
    with station(folder, SELF, settings) as (store, outbox):
        begun = time.perf_counter()
        futures = [
            store.submit(partial(outbox.append_many, messages=waiting[at : at + together]))
            for at in range(0, events, together)
        ]
        for future in futures:
            future.result()
        return events, time.perf_counter() - begun


def _persist_queue(data: Iterable[dict[str, Any]], folder: Path) -> tuple[int, float]:
    from persistqueue import SQLiteAckQueue  # noqa: PLC0415 - a peer, for this only
    from persistqueue.serializers import json as as_json  # noqa: PLC0415

    ready, queue = list(data), SQLiteAckQueue(str(folder), serializer=as_json)
    begun = time.perf_counter()
    for one in ready:
        queue.put(one)
    seconds = time.perf_counter() - begun
    queue.close()
    return len(ready), seconds


def _hot_path(events: int) -> dict[str, float]:
    """How long `submit` holds the caller up while another program writes and syncs."""
    waits, futures = [], []
    with (
        TemporaryDirectory() as name,
        _busy_disk(Path(name) / "ballast"),
        station(Path(name), SELF) as (store, outbox),
    ):
        for message in messages(events, SystemClock()):
            begun = time.perf_counter()
            futures.append(store.submit(partial(outbox.append, message=message)))
            waits.append((time.perf_counter() - begun) * 1000)
            time.sleep(HOT_PATH_S)
        for future in futures:
            future.result()
    return percentiles(waits)


@contextmanager
def _busy_disk(file: Path) -> Iterator[None]:
    command = [sys.executable, "-c", SYNC_MB, str(file)]
    other = subprocess.Popen(command)  # noqa: S603 - our own words
    try:
        time.sleep(0.5)
        yield
    finally:
        other.kill()
        other.wait()
