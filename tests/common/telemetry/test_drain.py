"""What a sender takes out of the outbox, and what becomes of what is dropped meanwhile."""

from contextlib import closing
from pathlib import Path

from common.clock import HeldClock
from common.store import Store, StoreSettings
from common.telemetry.drain import Drain
from common.telemetry.outbox import MQTT, Message, Outbox, OutboxSettings

WAIT_S = 10.0
BULKY = {"text": "x" * 200}


def test_what_was_to_go_alone_and_was_dropped_makes_nothing_suspicious(
    tmp_path: Path, clock: HeldClock
) -> None:
    with closing(Store(tmp_path / "s.sqlite", clock, StoreSettings(group_ms=0.0))) as store:
        outbox = Outbox(
            source="urn:x", epoch=store.epoch, boot_id=store.boot_id, clock=clock,
            settings=OutboxSettings(max_bytes=1 << 16),
        )  # fmt: skip
        metric = Message("metric", "lineside.x.v1", "p", BULKY, clock.wall())

        def put(count: int) -> None:
            write = store.submit(lambda c: outbox.append_many(c, [metric] * count))
            write.result(WAIT_S)

        put(50)
        with closing(Drain(store, MQTT)) as drain:
            drain.restart(live_lane=True)
            taken = drain.take(("metric",), 50, 1 << 20, live=False)
            drain.put_back(taken.rows, alone=True)
            assert drain.suspicious
            put(400)  # the quota drops the oldest of them
            assert not drain.take(("metric",), 50, 1 << 20, live=False).rows
            assert not drain.suspicious
