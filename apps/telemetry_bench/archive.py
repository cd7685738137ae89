"""Into PostgreSQL: the collector's work beside a bare COPY of the very same rows.

Ours begins with messages as the broker hands them over: it reads and checks every event,
keeps the ledger that finds gaps, and stores nothing twice; one thread checks while another
stores, as in the collector. The floor copies ready-made rows
into a table of the same shape. Both commit as many rows at once, to a server that waits
for its disk.
"""

import threading
import time
from importlib.util import find_spec
from queue import Queue
from statistics import median
from typing import TYPE_CHECKING, Any

from apps.telemetry_bench.postgresql import Cluster, programs
from apps.telemetry_bench.records import messages
from common.clock import SystemClock
from common.telemetry.collector.archive import Archive, open_archive
from common.telemetry.collector.border import Border
from common.telemetry.collector.checks import Arrival
from common.telemetry.collector.keeper import joined, keep
from common.telemetry.collector.rows import Batch, EventRow
from common.telemetry.collector.settings import CollectorSettings
from common.telemetry.event import Envelope, encode_batch
from common.telemetry.topics import Identity

if TYPE_CHECKING:
    import psycopg

SELF = Identity("bench", "plant", "hall", "archive", "bench")
IN_A_MESSAGE = 100
IN_A_TRANSACTION = CollectorSettings().batch_rows
COPIED = (
    "COPY bare(source, epoch, sequence, type, subject, time, recorded_time, received_time,"
    " corrected_time, suspect, boot_id, clock_quality, data) FROM STDIN"
)


def figures(events: int, rounds: int) -> dict[str, Any]:
    """Events per second beside the floor, medians of `rounds`; null without PostgreSQL."""
    found = programs()
    if found is None or find_spec("psycopg") is None:
        return {"collector_ratio_bare": None, "collector_per_s": None}
    cluster = Cluster(found, durable=True)
    try:
        cluster.start()
        url = cluster.database()
        archive = open_archive(url)
        ours, ratios = [], []
        for number in range(rounds):
            arrivals = _arrivals(events, number)
            seconds, rows = _collected(archive, arrivals)
            ours.append(len(rows) / seconds)
            ratios.append(_copied(url, rows) / seconds)
        archive.close()
    finally:
        cluster.remove()
    return {
        "collector_ratio_bare": round(median(ratios), 3),
        "collector_per_s": round(median(ours)),
    }


def _arrivals(events: int, epoch: int) -> list[Arrival]:
    clock = SystemClock()
    envelope = Envelope(f"e{epoch}", SELF.source, "boot-1")
    encoded = [
        envelope.recorded(clock.wall(), "ntp").encode(number, message)
        for number, message in enumerate(messages(events, clock, epoch), start=1)
    ]
    packed = [
        encode_batch(encoded[start : start + IN_A_MESSAGE])
        for start in range(0, events, IN_A_MESSAGE)
    ]
    topic = SELF.topic("telemetry")
    return [
        Arrival(topic, one.body, one.encoding, historical=False, received=clock.wall())
        for one in packed
    ]


def _collected(archive: Archive, arrivals: list[Arrival]) -> tuple[float, list[EventRow]]:
    checked: Queue[Batch | None] = Queue(maxsize=1)
    reader = threading.Thread(target=_check, args=(arrivals, checked))
    rows: list[EventRow] = []
    begun = time.perf_counter()
    reader.start()
    while (batch := checked.get()) is not None:
        rows += keep(archive, batch, arrivals[-1].received).rows
    return time.perf_counter() - begun, rows


def _check(arrivals: list[Arrival], checked: "Queue[Batch | None]") -> None:
    border = Border(CollectorSettings())
    step = max(1, IN_A_TRANSACTION // IN_A_MESSAGE)
    for start in range(0, len(arrivals), step):
        checked.put(joined([border.check(one) for one in arrivals[start : start + step]]))
    checked.put(None)


def _copied(url: str, rows: list[EventRow]) -> float:
    import psycopg  # noqa: PLC0415 - of the extra "postgresql"

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare(LIKE events INCLUDING ALL)")
        begun = time.perf_counter()
        for start in range(0, len(rows), IN_A_TRANSACTION):
            _copy(connection, rows[start : start + IN_A_TRANSACTION])
        return time.perf_counter() - begun


def _copy(connection: "psycopg.Connection[Any]", rows: list[EventRow]) -> None:
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPIED) as copy:
        for row in rows:
            copy.write_row(row)
