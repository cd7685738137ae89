"""A thousand devices on one broker and one collector: does anything get lost, and how fast?

The devices are simulated in one process, each with a connection, numbers and patience of
its own: a message of ten events a second, kept until a receipt names them, sent again when
none comes. In the end the archive is compared with what was sent, event by event.
"""

import asyncio
import random
import resource
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiomqtt

from apps.demo import broker, collector
from apps.telemetry_bench.records import TYPE, readings
from common.clock import SystemClock
from common.inference.benchmark import rss_mb
from common.telemetry.event import Envelope, encode_batch
from common.telemetry.message import Message
from common.telemetry.mqtt_client import publish_properties
from common.telemetry.receipt import decode_receipt
from common.telemetry.topics import Identity

IN_A_MESSAGE = 10
EVERY_S = 1.0
RECEIPT_TIMEOUT_S = 10.0
LAST_RECEIPTS_S = 60.0
FILES_PER_DEVICE = 2
EPOCH = "fleet"


@dataclass(slots=True)
class Device:
    """One station of the fleet, without a disk."""

    identity: Identity
    sequence: int = 0
    waiting: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    """Sequence → event and when it was last sent."""
    again: int = 0
    """Events sent more than once."""

    def new(self, count: int, dice: random.Random) -> list[int]:
        """Number so many new events; they wait from now on."""
        envelope, clock = Envelope(EPOCH, self.identity.source, "boot-1"), SystemClock()
        numbers = []
        for data in readings(count, dice.randrange(1 << 30)):
            self.sequence += 1
            message = Message("metric", TYPE, f"asset/{data['asset']}", data, clock.wall())
            event = envelope.recorded(clock.wall(), "ntp").encode(self.sequence, message)
            self.waiting[self.sequence] = (event, 0.0)
            numbers.append(self.sequence)
        return numbers

    def overdue(self) -> list[int]:
        """What was sent and not confirmed in time."""
        limit = time.monotonic() - RECEIPT_TIMEOUT_S
        late = [number for number, (_, at) in self.waiting.items() if at and at < limit]
        self.again += len(late)
        return late

    def settle(self, body: bytes) -> None:
        """A receipt has come."""
        for first, last in decode_receipt(body).get(EPOCH, []):
            for number in range(first, last + 1):
                self.waiting.pop(number, None)


def figures(devices: int, seconds: float) -> dict[str, Any] | None:
    """Events per second, losses and memory; None without a broker."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with broker(folder) as port:
            if port is None:
                return None
            with collector(port, folder / "archive.sqlite") as process:
                time.sleep(2.0)  # until it has subscribed
                fleet = asyncio.run(_played(devices, seconds, port))
                memory = rss_mb(process.pid) if process else None
            return {**_compared(fleet, folder), "seconds": seconds, "collector_mb": memory}


async def _played(devices: int, seconds: float, port: int) -> list[Device]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = devices * FILES_PER_DEVICE + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted), hard), hard))
    fleet = [
        Device(Identity("bench", "plant", "hall", f"d{n}", "fleet")) for n in range(devices)
    ]
    await asyncio.gather(*(_device(one, port, seconds, n) for n, one in enumerate(fleet)))
    return fleet


async def _device(device: Device, port: int, seconds: float, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - data and jitter, no secret
    await asyncio.sleep(dice.uniform(0.0, EVERY_S))  # a thousand clocks do not tick as one
    end = time.monotonic() + seconds
    async with aiomqtt.Client(
        "127.0.0.1", port, identifier=f"bench-{seed}", protocol=aiomqtt.ProtocolVersion.V5
    ) as client:
        await client.subscribe(device.identity.topic("ack"), qos=1)
        listening = asyncio.create_task(_listen(client, device))
        while time.monotonic() < end:
            await _send(client, device, device.new(IN_A_MESSAGE, dice) + device.overdue())
            await asyncio.sleep(EVERY_S)
        while device.waiting and time.monotonic() < end + LAST_RECEIPTS_S:
            await _send(client, device, device.overdue())
            await asyncio.sleep(0.2)
        listening.cancel()


async def _listen(client: aiomqtt.Client, device: Device) -> None:
    async for message in client.messages:
        if isinstance(message.payload, bytes):
            device.settle(message.payload)


async def _send(client: aiomqtt.Client, device: Device, numbers: list[int]) -> None:
    now, events = time.monotonic(), []
    for number in numbers:
        event, _ = device.waiting[number]
        device.waiting[number] = (event, now)
        events.append(event)
    if not events:
        return
    packed = encode_batch(events)
    properties = publish_properties(packed.content_type, packed.encoding)
    topic = device.identity.topic("telemetry")
    await client.publish(topic, packed.body, qos=1, properties=properties)


def _compared(fleet: list[Device], folder: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(folder / "archive.sqlite")) as archive:
        stored = set(archive.execute("SELECT source, sequence FROM events"))
        unlike = archive.execute("SELECT count(*) FROM rejected").fetchone()[0]
        first, last = archive.execute(
            "SELECT min(julianday(received_time)), max(julianday(received_time)) FROM events"
        ).fetchone()
    sent = {(one.identity.source, n) for one in fleet for n in range(1, one.sequence + 1)}
    span_s = max(1e-3, (last - first) * 86_400)
    return {
        "devices": len(fleet),
        "events": len(sent),
        "events_per_s": round(len(sent) / span_s),
        "lost": len(sent - stored),
        "unreceipted": sum(len(one.waiting) for one in fleet),
        "sent_again": sum(one.again for one in fleet),
        "rejected": unlike,
    }
