"""The whole way: a station, a real broker, the collector, a real database."""

import itertools
import json
import threading
import time
from contextlib import ExitStack, closing

import pytest

from common.clock import SystemClock
from common.telemetry.collector.archive import open_archive
from common.telemetry.collector.collector import Collector
from common.telemetry.collector.engine import ArchiveDown
from common.telemetry.collector.settings import BrokerSettings, CollectorSettings, Settings
from common.telemetry.event import Encoded
from common.telemetry.topics import Identity
from tests.common.telemetry.collector.rig import (
    EPOCH,
    NO_THREE,
    STATION,
    Station,
    event,
    query,
    until,
)

OTHER = Identity("acme", "plant1", "line2", "cam02", "inspection")


def collect(url, broker, stack: ExitStack, **settings):
    """A running collector with short waits; stopped by `stack`."""
    plain = {"name": "c1", "batch_age_ms": 5.0, "gap_patience_s": 0.3}
    made = Settings(
        BrokerSettings(
            host="127.0.0.1", port=broker.port, back_off_base_s=0.05, back_off_cap_s=0.2
        ),
        CollectorSettings(**{**plain, **settings}),
    )
    archive = open_archive(
        url, patience_s=made.collector.gap_patience_s,
        keep_rejected=made.collector.keep_rejected,
    )  # fmt: skip
    collector = Collector(archive, made, SystemClock())
    collector.start()
    stack.callback(collector.stop)
    until(lambda: collector.state()["online"])
    return collector


def kept(url, epoch=EPOCH, source=STATION.source):
    found = query(url, "SELECT source, epoch, sequence FROM events ORDER BY sequence")
    return [number for of, in_epoch, number in found if (of, in_epoch) == (source, epoch)]


def test_events_are_kept_and_then_receipted(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    for first in range(1, 401, 50):
        station.send(*(event(n) for n in range(first, first + 50)))
    station.send(*(event(n) for n in range(401, 411)), leaf="telemetry")
    until(lambda: station.receipted() == [(1, 410)])
    assert kept(archive_url) == list(range(1, 411))
    until(lambda: collector.state()["waiting_messages"] == 0)
    state = collector.state()
    assert (state["messages"], state["received"], state["stored"]) == (9, 410, 410)
    assert (state["duplicates"], state["rejected"], state["database"]) == (0, 0, "")
    assert state["receipts"] == len(station.receipts)


def test_nothing_is_receipted_that_is_not_in_the_database(archive_url, broker, station, stack):
    """At the moment a receipt arrives, another connection sees the rows it names."""
    seen, missing = threading.Event(), []
    take = station._take

    def look(message):
        take(message)
        for first, last in station.receipts[-1][EPOCH]:
            missing.extend(set(range(first, last + 1)) - set(kept(archive_url)))
        seen.set()

    station._client.on_message = lambda _c, _u, message: look(message)
    collect(archive_url, broker, stack, batch_rows=20)
    for n in range(1, 200, 10):
        station.send(*(event(m) for m in range(n, n + 10)))
    until(lambda: station.receipted() == [(1, 200)])
    assert seen.is_set()
    assert missing == []


def test_duplicates_and_disorder_change_nothing(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    batches = [[event(m) for m in range(n, n + 5)] for n in range(1, 101, 5)]
    for batch in [*reversed(batches), *batches, batches[3], batches[3]]:
        station.send(*batch)
    until(lambda: collector.state()["received"] == 210)
    until(lambda: collector.state()["stored"] + collector.state()["duplicates"] == 210)
    assert collector.state()["stored"] == 100
    assert kept(archive_url) == list(range(1, 101))
    until(lambda: station.receipted() == [(1, 100)])


def test_the_bad_ones_of_a_batch_are_not_receipted(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    foreign = event(2, station=OTHER)
    station.send(event(1), foreign, event(3, type="lineside.test.v9"), event(4))
    station.publish(STATION.topic("events"), Encoded(b"no batch"))
    until(lambda: collector.state()["rejected"] == 3)
    until(lambda: station.receipted() == [(1, 1), (4, 4)])
    assert kept(archive_url) == [1, 4]
    assert kept(archive_url, source=OTHER.source) == []
    reasons = " ".join(
        reason for (reason,) in query(archive_url, "SELECT reason FROM rejected")
    )
    for part in ("is not its topic's station", "major version", "cannot be read"):
        assert part in reasons
    station.send(event(5))
    until(lambda: kept(archive_url) == [1, 4, 5])
    assert collector.state()["messages"] == 3, "what was rejected is acknowledged, too"


def test_a_row_that_only_the_database_refuses_holds_nothing_up(
    archive_url, broker, station, stack
):
    collector = collect(archive_url, broker, stack)
    query(archive_url, NO_THREE[archive_url.partition(":")[0]][0])
    station.send(*(event(n) for n in range(1, 12)))
    until(lambda: station.receipted() == [(1, 2), (4, 11)])
    assert kept(archive_url) == [1, 2, *range(4, 12)]
    ((topic, reason),) = query(archive_url, "SELECT topic, reason FROM rejected")
    assert topic == STATION.topic("events")
    assert "the database refuses it" in reason
    until(lambda: collector.state()["rejected"] == 1)
    assert collector.state()["database"] == ""


def test_a_number_beyond_postgresqls_costs_its_event_alone(broker, station, stack, postgresql):
    url = postgresql.schema()
    collect(url, broker, stack)
    large = event(2).encode().replace(b'"n":2', b'"n":1e131073')
    parts = [event(1).encode(), large, event(3).encode()]
    station.publish(STATION.topic("events"), Encoded(b"[" + b",".join(parts) + b"]"))
    until(lambda: station.receipted() == [(1, 1), (3, 3)])
    assert kept(url) == [1, 3]


def test_a_database_that_is_away_stops_acknowledging_and_loses_nothing(
    broker, station, stack, postgresql_program_folder, cluster_class
):
    cluster = cluster_class(postgresql_program_folder)
    stack.callback(cluster.remove)
    cluster.start()
    url = cluster.database()
    collector = collect(url, broker, stack, receive_maximum=20)
    station.send(event(1))
    until(lambda: station.receipted() == [(1, 1)])
    cluster.stop()
    for n in range(2, 302):
        station.send(event(n))
    until(lambda: collector.state()["database"] != "")
    until(lambda: collector.state()["messages"] > 2)
    assert collector.state()["waiting_messages"] <= 20, "the broker holds the rest"
    assert station.receipted() == [(1, 1)]
    cluster.start()
    until(lambda: station.receipted() == [(1, 301)])
    assert kept(url) == list(range(1, 302))
    assert collector.state()["database"] == ""


def test_a_database_that_is_back_is_said_also_where_nothing_comes(tmp_path, monkeypatch):
    collector = Collector(
        open_archive(f"sqlite:///{tmp_path / 'a.db'}"), Settings(), SystemClock()
    )
    collector._link.online = True

    def locked(_now):
        raise ArchiveDown("a.db: database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(collector._archive, "claim", locked)
        collector._ask()
    assert collector.state()["database"] == "a.db: database is locked"
    collector._claim_at = 0.0
    collector._ask()
    assert collector.state()["database"] == ""
    collector.stop()


def test_what_comes_while_the_collector_is_away_waits_in_the_broker(
    archive_url, broker, station, stack
):
    with ExitStack() as first:
        collect(archive_url, broker, first)
        station.send(event(1))
        until(lambda: station.receipted() == [(1, 1)])
    station.send(event(2))
    station.send(event(3))
    collector = collect(archive_url, broker, stack)
    until(lambda: station.receipted() == [(1, 3)])
    assert kept(archive_url) == [1, 2, 3]
    assert collector.state()["duplicates"] == 0


def test_a_broker_that_dies_is_found_again(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    broker.kill()
    until(lambda: not collector.state()["online"])
    assert (
        "nothing listens there" in collector.state()["reason"]
        or "lost" in collector.state()["reason"]
    )
    broker.start()
    until(lambda: collector.state()["online"])
    station.send(event(1))
    until(lambda: station.receipted() == [(1, 1)])


def test_two_collectors_share_the_work_and_agree(broker, station, stack, postgresql):
    url = postgresql.schema()
    one = collect(url, broker, stack, name="c1")
    two = collect(url, broker, stack, name="c2")
    other = stack.enter_context(closing(Station(broker.port, OTHER)))
    for first in range(1, 401, 4):
        station.send(*(event(n) for n in range(first, first + 4)))
        other.send(*(event(n, station=OTHER) for n in range(first, first + 4)))
    until(lambda: station.receipted() == other.receipted() == [(1, 400)])
    states = one.state(), two.state()
    assert all(state["stored"] > 0 for state in states)
    assert sum(state["stored"] for state in states) == 800
    assert kept(url) == kept(url, source=OTHER.source) == list(range(1, 401))
    with closing(open_archive(url)) as archive:
        assert [stream.ranges for stream in archive.streams()] == [((1, 400),)] * 2


def test_the_share_of_a_collector_that_is_gone_goes_to_the_others(
    broker, station, stack, postgresql
):
    url = postgresql.schema()
    collect(url, broker, stack, name="c1")
    with ExitStack() as short:
        collect(url, broker, short, name="c2", session_expiry_s=1)
    numbers = itertools.count(1)

    def all_taken():
        """Whether each of ten messages in a row was taken: half went to the other before."""
        sent = [next(numbers) for _ in range(10)]
        for n in sent:
            station.send(event(n))
        time.sleep(0.3)
        return all(any(a <= n <= b for a, b in station.receipted()) for n in sent)

    until(all_taken)


def test_a_gap_that_stays_is_asked_for_and_closed(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    station.send(event(1), event(2), event(8), event(9))
    until(lambda: station.commands)
    command = station.commands[0]
    assert command.topic == STATION.topic("cmd/replay")
    assert json.loads(command.payload) == {"args": {EPOCH: [[3, 7]]}}
    assert command.properties.ResponseTopic == STATION.topic("resp")
    station.send(*(event(n) for n in (3, 4, 7)), backlog=True)
    station.answer(command, {"result": {EPOCH: {"resent": 3, "gone": [[5, 6]]}}})
    until(lambda: collector.state()["gone"] == 1)
    until(lambda: kept(archive_url) == [1, 2, 3, 4, 7, 8, 9])
    with closing(open_archive(archive_url)) if "postgresql" in archive_url else ExitStack():
        (state,) = query(archive_url, "SELECT missing_count, ask_at FROM streams")
    assert state == (2, None), "what is gone is missing, but not asked for"


def test_answers_to_others_are_left_alone(archive_url, broker, station, stack):
    collector = collect(archive_url, broker, stack)
    station.send(event(1), event(3))
    until(lambda: station.commands)
    command = station.commands[0]
    command.properties.CorrelationData = b"somebody else's"
    station.answer(command, {"result": {EPOCH: {"resent": 0, "gone": [[2, 2]]}}})
    station.send(event(4))
    until(lambda: kept(archive_url) == [1, 3, 4])
    assert collector.state()["gone"] == 0


@pytest.mark.parametrize(
    "answer", [{"refused": "why"}, {"result": 5}, {"result": {EPOCH: {"gone": [[0, "x"]]}}}, []]
)
def test_answers_that_make_no_sense_are_left_alone(tmp_path, broker, station, stack, answer):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    collector = collect(url, broker, stack)
    station.send(event(1), event(3))
    until(lambda: station.commands)
    station.answer(station.commands[0], answer)
    station.send(event(4))
    until(lambda: kept(url) == [1, 3, 4])
    assert collector.state()["gone"] == 0


def test_a_refused_subscription_is_said(tmp_path, stack, broker):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    broker.kill()
    made = Settings(BrokerSettings(host="127.0.0.1", port=broker.port))
    collector = Collector(open_archive(url), made, SystemClock())
    collector.start()
    stack.callback(collector.stop)
    until(lambda: "nothing listens there" in collector.state()["reason"])
    assert not collector.state()["online"]


def test_a_group_of_none_subscribes_plainly(tmp_path, broker, station, stack):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    collect(
        url, broker, stack, group="", topics=("v1/acme/plant1/+/+/+", "v1/acme/plant2/+/+/+")
    )
    elsewhere = Identity("acme", "plant3", "line2", "cam01", "inspection")
    away = stack.enter_context(closing(Station(broker.port, elsewhere)))
    away.send(event(1, station=elsewhere))
    station.send(event(1))
    until(lambda: station.receipted() == [(1, 1)])
    assert away.receipts == []
