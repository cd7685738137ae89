"""A broker that speaks as much MQTT 5 as it takes to misbehave."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from common.telemetry.event import decode_batch

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Published:
    """A PUBLISH as it came."""

    topic: str
    mid: int
    dup: bool
    retain: bool
    payload: bytes
    size: int
    """Bytes of the whole packet."""

    @property
    def leaf(self) -> str:
        return self.topic.rpartition("/")[2]

    @property
    def events(self) -> list[int]:
        encoding = "zstd" if self.payload.startswith(ZSTD_MAGIC) else ""
        return [event.sequence for event in decode_batch(self.payload, encoding)]


def puback(mid: int, code: int = 0) -> bytes:
    return bytes((0x40, 4)) + struct.pack(">HBB", mid, code, 0)


def disconnect(code: int) -> bytes:
    return bytes((0xE0, 2, code, 0))


class HangUp(Exception):
    """To be raised by a script: close, after sending what it is given."""

    def __init__(self, last_words: bytes = b"") -> None:
        super().__init__()
        self.last_words = last_words


Script = Callable[[Published], bytes]


def honest(message: Published) -> bytes:
    return puback(message.mid)


@dataclass
class ScriptedBroker:
    """Does with each PUBLISH what `script` says: it returns what to send, or hangs up."""

    script: Script = honest
    receive_maximum: int | None = None
    maximum_packet_size: int | None = None
    connack: int = 0
    suback: int = 1
    heard: list[Published] = field(default_factory=list)
    connections: int = 0
    outstanding_at_most: int = 0
    """The most messages that waited for a PUBACK at once."""

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """End all connections without a word."""
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def events(self) -> list[int]:
        """All events heard, in order."""
        return [n for one in list(self.heard) if one.leaf == "events" for n in one.events]

    def say(self, data: bytes) -> None:
        """Send to all who are connected, asked for or not."""
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.sendall(data)

    def publish(self, topic: str, payload: bytes, mid: int = 1) -> None:
        head = struct.pack(">H", len(topic)) + topic.encode() + struct.pack(">HB", mid, 0)
        self.say(bytes((0x32,)) + _length(len(head) + len(payload)) + head + payload)

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._closed:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        waiting: set[int] = set()
        self._sockets.add(connection)
        try:
            with connection, connection.makefile("rb") as stream:
                self._converse(connection, stream, waiting)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self._sockets.discard(connection)
            connection.close()

    def _converse(self, connection: socket.socket, stream, waiting: set[int]) -> None:
        try:
            while True:
                self._answer(connection, *_read(stream), waiting)
        except HangUp as hang_up:
            connection.sendall(hang_up.last_words)

    def _answer(
        self, connection: socket.socket, first: int, body: bytes, waiting: set[int]
    ) -> None:
        kind = first >> 4
        if kind == CONNECT:
            connection.sendall(self._connack())
        elif kind == SUBSCRIBE:
            (mid,) = struct.unpack(">H", body[:2])
            codes = bytes((self.suback,)) * _filters(body)
            connection.sendall(
                bytes((0x90,)) + _length(3 + len(codes)) + struct.pack(">HB", mid, 0) + codes
            )
        elif kind == PINGREQ:
            connection.sendall(b"\xd0\x00")
        elif kind == PUBLISH:
            connection.sendall(self._hear(_published(first, body), waiting))
        elif kind == DISCONNECT:
            raise EOFError

    def _hear(self, message: Published, waiting: set[int]) -> bytes:
        waiting.add(message.mid)
        self.outstanding_at_most = max(self.outstanding_at_most, len(waiting))
        self.heard.append(message)
        said = self.script(message)
        for at in range(0, len(said), 6):  # a PUBACK of ours has six bytes
            waiting.discard(struct.unpack(">H", said[at + 2 : at + 4])[0])
        return said

    def _connack(self) -> bytes:
        properties = b""
        if self.receive_maximum is not None:
            properties += b"\x21" + struct.pack(">H", self.receive_maximum)
        if self.maximum_packet_size is not None:
            properties += b"\x27" + struct.pack(">I", self.maximum_packet_size)
        body = bytes((0, self.connack)) + _length(len(properties)) + properties
        return bytes((0x20,)) + _length(len(body)) + body


def _length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def _take_length(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _read(stream) -> tuple[int, bytes]:
    first = stream.read(1)
    if not first:
        raise EOFError
    size = b""
    while not size or size[-1] & 0x80:
        size += stream.read(1) or _end()
    length, _ = _take_length(size, 0)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return first[0], body


def _end() -> bytes:
    raise EOFError


def _published(first: int, body: bytes) -> Published:
    (length,) = struct.unpack(">H", body[:2])
    topic, at = body[2 : 2 + length].decode(), 2 + length
    mid = struct.unpack(">H", body[at : at + 2])[0] if first & 0x06 else 0
    properties, at = _take_length(body, at + (2 if first & 0x06 else 0))
    size = 1 + len(_length(len(body))) + len(body)
    payload = body[at + properties :]
    return Published(topic, mid, bool(first & 0x08), bool(first & 0x01), payload, size)


def _filters(body: bytes) -> int:
    properties, at = _take_length(body, 2)
    at, count = at + properties, 0
    while at < len(body):
        (length,) = struct.unpack(">H", body[at : at + 2])
        at, count = at + 2 + length + 1, count + 1
    return count
