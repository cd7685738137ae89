"""A real station and a real collector: rows leave the outbox by receipts alone."""

from contextlib import ExitStack, closing

import pytest

from common.clock import SystemClock
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.collector import Collector
from common.telemetry.collector.ledger import Stream
from common.telemetry.collector.report import gaps
from common.telemetry.collector.settings import BrokerSettings, CollectorSettings, Settings
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.outbox import MQTT, Message, Outbox
from common.telemetry.uplink import Uplink
from tests.common.telemetry.collector.rig import NO_THREE, STATION, query, until


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


@pytest.fixture
def outbox(store):
    return Outbox(
        source=STATION.source, epoch=store.epoch, boot_id=store.boot_id, clock=store.clock
    )


def collect(url, broker, stack: ExitStack):
    made = Settings(
        BrokerSettings(host="127.0.0.1", port=broker.port, back_off_base_s=0.05),
        CollectorSettings(name="c1", batch_age_ms=5.0, gap_patience_s=0.5),
    )
    collector = Collector(open_archive(url, patience_s=0.5), made, SystemClock())
    collector.start()
    stack.callback(collector.stop)
    until(lambda: collector.state()["online"])
    return collector


def send(store, broker, stack: ExitStack, receipt_timeout_s=1.0):
    fast = {"back_off_base_s": 0.05, "back_off_cap_s": 0.2}
    fast["receipt_timeout_s"] = receipt_timeout_s
    settings = UplinkSettings(host="127.0.0.1", port=broker.port, will_delay_s=0, **fast)
    uplink = Uplink(store, STATION, settings)
    uplink.start()
    stack.callback(uplink.stop)
    return uplink


def tell(store, outbox, count, of_class="verdict"):
    message = Message(of_class, "lineside.test.v1", "part/1", {"x": "y"}, store.clock.wall())
    for future in [
        store.submit(lambda connection: outbox.append(connection, message))
        for _ in range(count)
    ]:
        future.result(30)


def waiting(store):
    with closing(open_readonly(store.path)) as connection:
        return outbox_rows.backlog(connection, MQTT).count


def test_an_outbox_empties_by_receipts_and_the_archive_is_complete(
    archive_url, broker, store, outbox, stack
):
    collect(archive_url, broker, stack)
    send(store, broker, stack)
    for of_class in ("verdict", "sample", "audit", "alarm"):
        tell(store, outbox, 100, of_class)
    until(lambda: waiting(store) == 0)
    (found,) = gaps(archive_url)["sources"]
    assert (found["source"], found["epoch"]) == (STATION.source, store.epoch)
    assert found["received"] >= 400
    assert (found["missing"], found["unexplained"]) == ([], 0)


def test_without_a_collector_rows_stay_and_leave_when_one_comes(
    archive_url, broker, store, outbox, stack
):
    tell(store, outbox, 150)
    send(store, broker, stack)
    with ExitStack() as first:
        collector = collect(archive_url, broker, first)
        until(lambda: waiting(store) == 0)
        stored = collector.state()["stored"]
    tell(store, outbox, 150)  # the broker acknowledges these: it keeps them for the session
    assert waiting(store) >= 150
    collect(archive_url, broker, stack)
    until(lambda: waiting(store) == 0)
    (found,) = gaps(archive_url)["sources"]
    assert found["missing"] == []
    assert found["received"] == stored + 150
    assert query(archive_url, "SELECT count(*) FROM events") == [(found["received"],)]


def test_a_station_asked_for_a_gap_sends_what_it_still_has(
    archive_url, broker, store, outbox, stack
):
    refuse, take = NO_THREE[archive_url.partition(":")[0]]
    collector = collect(archive_url, broker, stack)
    query(archive_url, refuse)
    send(store, broker, stack, receipt_timeout_s=3600.0)
    tell(store, outbox, 20)
    until(lambda: collector.state()["replays"] > 0 and collector.state()["rejected"] > 1)
    (found,) = gaps(archive_url)["sources"]
    assert (found["missing"], found["unexplained"], found["gone"]) == ([[3, 3]], 1, [])
    query(archive_url, take)
    until(lambda: waiting(store) == 0)
    (found,) = gaps(archive_url)["sources"]
    assert (found["missing"], found["unexplained"]) == ([], 0)


def test_a_station_asked_for_what_it_has_deleted_says_so(
    archive_url, broker, store, outbox, stack
):
    collector = collect(archive_url, broker, stack)
    send(store, broker, stack)
    tell(store, outbox, 20)
    until(lambda: waiting(store) == 0)
    collector.stop()
    with closing(open_archive(archive_url)) as archive:  # as after an older copy was restored
        (stream,) = archive.streams()
        with archive._engine.transaction():
            archive._engine.save([Stream(*stream.key, ranges=((1, 4),))])
    query(archive_url, "DELETE FROM events WHERE sequence > 4")
    collect(archive_url, broker, stack)
    tell(store, outbox, 1)
    until(lambda: gaps(archive_url)["sources"][0]["gone"])
    (found,) = gaps(archive_url)["sources"]
    assert found["gone"] == found["missing"] == [[5, stream.last]]
    assert found["unexplained"] == stream.last - 4
