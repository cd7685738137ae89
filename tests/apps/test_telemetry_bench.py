"""The telemetry bench at its smallest: every figure is there, and nothing is lost in it."""

import asyncio
import shutil
import time

import pytest

from apps.telemetry_bench import archive, backlog, drain, enqueue, flash, fleet
from apps.telemetry_bench.postgresql import programs
from apps.telemetry_bench.records import readings
from apps.telemetry_bench.wire import wire
from common.canonical import canonical_json

broker = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None,
    reason="mosquitto is not installed",
)


def test_a_reading_has_300_bytes_and_none_comes_twice():
    texts = [canonical_json(one) for one in readings(1000)]
    assert len(set(texts)) == len(texts)
    assert all(270 <= len(text) <= 330 for text in texts)


def test_a_wire_delays_and_counts():
    async def play() -> tuple[bytes, float, int]:
        async def echo(reader, writer):
            while data := await reader.read(100):
                writer.write(data)
            writer.close()
            await writer.wait_closed()
            ended.set()

        ended = asyncio.Event()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        with wire(server.sockets[0].getsockname()[1], 0.05) as line:
            reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
            begun = time.monotonic()
            writer.write(b"hello")
            answer = await reader.readexactly(5)
            took = time.monotonic() - begun
            writer.close()
            await writer.wait_closed()
            await ended.wait()
        server.close()
        return answer, took, line.sent_bytes

    answer, took, counted = asyncio.run(play())
    assert answer == b"hello"
    assert took >= 0.1
    assert counted == 5


def test_enqueueing_has_its_two_floors_and_the_hot_path():
    found = enqueue.figures(events=300, rounds=1)
    assert found["enqueue_ratio_raw_sqlite"] > 0
    assert found["enqueue_ratio_persist_queue"] > 0
    assert set(found["hot_path_enqueue_ms"]) == {"p50", "p95", "p99"}


def test_what_an_event_costs_in_flash_is_counted():
    assert flash.figures(seconds=1.0)["flash_bytes_per_event"] > 0


@broker
def test_draining_is_timed_on_both_wires_and_weighed():
    found = drain.figures(events=500, bare=100)
    assert set(found["drain_ratio_bare_paho"]) == {"loopback", "100 ms"}
    assert 0 < found["wire_bytes_per_event"] < 300


@broker
@pytest.mark.timeout(180)
def test_a_small_backlog_goes_and_live_events_beside_it():
    found = backlog.figures(1_000)
    assert found["events"] == 1_000
    assert found["live_s"]


@broker
@pytest.mark.timeout(180)
def test_a_small_fleet_loses_nothing():
    found = fleet.figures(devices=5, seconds=2.0)
    assert found["events"] >= 5 * 10
    assert (found["lost"], found["unreceipted"], found["rejected"]) == (0, 0, 0)


@pytest.mark.timeout(180)
def test_the_collector_is_timed_beside_copy():
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    found = archive.figures(events=2_000, rounds=1)
    assert found["collector_ratio_bare"] > 0
