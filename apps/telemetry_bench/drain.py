"""Out of the outbox: the uplink beside a bare paho loop that sends one event a message.

Both end when the broker has acknowledged the last event, on loopback and over a wire of
100 ms there and back. The same wire counts the bytes. The backlog's rate limit is lifted:
it protects a broker, here it would be all that is measured.
"""

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from apps.demo import broker
from apps.telemetry_bench.records import messages, readings, station
from apps.telemetry_bench.wire import wire
from common.canonical import canonical_json
from common.clock import SystemClock
from common.errors import LinesideError
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink

SELF = Identity("bench", "plant", "hall", "drain", "bench")
ROUND_TRIP_S = 0.1
PATIENCE_S = 300.0
LOOK_S = 0.02


def figures(events: int, bare: int) -> dict[str, Any]:
    """Ratios of events per second, and bytes per event; null without a broker."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with broker(folder) as port:
            if port is None:
                return {"drain_ratio_bare_paho": None, "wire_bytes_per_event": None}
            return _measured(port, folder, events, bare)


def _measured(port: int, folder: Path, events: int, bare: int) -> dict[str, Any]:
    with _listening(port), wire(port, ROUND_TRIP_S / 2) as far:
        floor = {"loopback": _bare(port, bare), "100 ms": _bare(far.port, bare // 5)}
        before = far.sent_bytes
        ours = {
            "loopback": _ours(port, folder / "near", events),
            "100 ms": _ours(far.port, folder / "far", events),
        }
        size = (far.sent_bytes - before) / events
    return {
        "drain_ratio_bare_paho": {k: round(ours[k] / floor[k], 1) for k in floor},
        "drain_per_s": {k: round(rate) for k, rate in ours.items()},
        "wire_bytes_per_event": round(size, 1),
    }


class _listening:  # noqa: N801 - a context, used once
    """Somebody subscribes: a broker says so in its answers, and keeps nothing for nobody."""

    def __init__(self, port: int) -> None:
        self._client = _client("listener")
        self._client.on_connect = self._subscribe
        self._client.connect("127.0.0.1", port)

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("v1/#", qos=0)

    def __enter__(self) -> None:
        self._client.loop_start()
        time.sleep(0.5)

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _client(name: str) -> Client:
    return Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{name}", protocol=MQTTv5)


def _bare(port: int, events: int) -> float:
    """Events per second of paho alone: one event a message, QoS 1, its own settings."""
    payloads = [canonical_json(one).encode() for one in readings(events)]
    client, left = _client("bare"), events
    done = []

    def counted(*_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.append(time.perf_counter())

    client.on_publish = counted
    client.connect("127.0.0.1", port)
    client.loop_start()
    begun = time.perf_counter()
    for payload in payloads:
        client.publish("v1/bench/plant/hall/bare/bench/telemetry", payload, qos=1)
    while not done and time.perf_counter() - begun < PATIENCE_S:
        time.sleep(0.005)
    client.disconnect()
    client.loop_stop()
    if not done:
        raise LinesideError("the broker did not acknowledge in time")
    return events / (done[0] - begun)


def _ours(port: int, folder: Path, events: int) -> float:
    """Events per second of a station's uplink, from the outbox until nothing waits."""
    settings = UplinkSettings(
        host="127.0.0.1", port=port, durable_on="puback", backlog_per_s=10_000.0
    )
    with station(folder, SELF, StoreSettings(queue_operations=events)) as (store, outbox):
        for future in [
            store.submit(partial(outbox.append, message=message))
            for message in messages(events, SystemClock())
        ]:
            future.result()
        uplink = Uplink(store, SELF, settings)
        begun = time.perf_counter()
        uplink.start()
        try:
            while left := _waiting(store):
                if time.perf_counter() - begun > PATIENCE_S:
                    raise LinesideError(f"{left} of {events} events still wait")
                time.sleep(LOOK_S)
            return events / (time.perf_counter() - begun)
        finally:
            uplink.stop()


def _waiting(store: Store) -> int:
    with closing(open_readonly(store.path)) as reader:
        return rows.backlog(reader, "mqtt").count
