"""HL7's Minimal Lower Layer Protocol: a listener for monitors and hospital systems.

A message is framed as VT … FS CR. What is not a frame is counted and skipped up to the next
VT; a frame that is too long is answered and its connection closed, since nobody can tell
where the next one begins. One thread serves all connections; while an answer waits for the
disk, or the sender does not take its answers, nothing more is read of that connection.
"""

import asyncio
import ssl
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from common.config import setting
from common.errors import ConfigError
from common.tls import check_files

START, END = b"\x0b", b"\x1c\r"
START_S = 30.0
HANDSHAKE_S = 10.0
BACKLOG = 256
"""So many are taken in before one is turned away; more, and no file would be left."""


@dataclass(frozen=True)
class MllpSettings:
    """Where to listen and how much to bear. Secrets stay in files."""

    host: str = setting("127.0.0.1")
    port: int = setting(2575, low=0, high=65_535)
    """2575 is HL7's; 0 takes a free one."""
    max_message_bytes: int = setting(65_536, low=1024, high=10_000_000, unit="bytes")
    max_connections: int = setting(500, low=1, high=10_000)
    idle_s: float = setting(300.0, low=1.0, high=86_400.0, unit="s")
    """A connection that says nothing for so long is closed: its device is gone."""
    allow: tuple[str, ...] = ()
    """Addresses that may connect; empty: all that reach the port."""
    cert_file: Path | None = setting(None)
    """With `key_file` the listener speaks TLS; with `ca_file` it asks for certificates."""
    key_file: Path | None = setting(None)
    ca_file: Path | None = setting(None)

    def __post_init__(self) -> None:
        check_files(None, self.cert_file, self.key_file)
        if self.ca_file and not self.cert_file:
            raise ValueError("ca_file needs cert_file and key_file")


class Desk(Protocol):
    """Answers messages; none of it raises or waits."""

    def __call__(self, data: bytes) -> "bytes | Future[bytes]":
        """The answer to one message; empty for none."""

    def too_long(self, most: int) -> bytes:
        """The answer to a message that is longer than is taken."""

    def misframed(self, what: str) -> None:
        """Note bytes that are no frame."""


class MllpListener:
    """Listens until `close`; raises ConfigError where it cannot."""

    def __init__(self, settings: MllpSettings, desk: Desk) -> None:
        self.settings, self.desk = settings, desk
        self.tls = _tls(settings)
        self._loop = asyncio.new_event_loop()
        self.open: set[Connection] = set()
        self.name, self.port = f"HL7 {settings.host}:{settings.port}", settings.port
        self.turned_away = 0
        """Connections beyond the limit or from elsewhere."""
        started: Future[asyncio.Server] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="mllp", daemon=True
        )
        self._thread.start()
        try:
            server = started.result(START_S)
        except OSError as error:
            self._thread.join(START_S)
            where = f"{settings.host}:{settings.port}"
            raise ConfigError(
                f"hl7.options: cannot listen on {where} ({error.strerror})"
            ) from error
        self.port = server.sockets[0].getsockname()[1]

    @property
    def wrong(self) -> str:
        """Why it hears nothing; empty while it listens."""
        return "" if self._thread.is_alive() else "the listener has ended"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.open)

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_S)

    # ------------------------------------------------------------ in the listener's thread

    def _run(self, started: "Future[asyncio.Server]") -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(self._listen())
        except OSError as error:
            self._loop.close()
            started.set_exception(error)
            return
        started.set_result(server)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end(server))
            self._loop.close()

    async def _listen(self) -> asyncio.Server:
        server = await self._loop.create_server(
            lambda: Connection(self), self.settings.host, self.settings.port, backlog=BACKLOG
        )
        self._close_idle()
        return server

    def _close_idle(self) -> None:
        for connection in tuple(self.open):
            if self._loop.time() - connection.heard > self.settings.idle_s:
                connection.close()
        self._loop.call_later(max(self.settings.idle_s / 10, 0.1), self._close_idle)

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        begun = [connection.handshake for connection in self.open if connection.handshake]
        for connection in tuple(self.open):
            connection.close()
        await asyncio.gather(*begun)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def welcome(self, peer: tuple[str, int] | None) -> bool:
        """Whether there is room, and whether the peer may connect at all."""
        room = len(self.open) < self.settings.max_connections
        known = not self.settings.allow or (peer and peer[0] in self.settings.allow)
        self.turned_away += not (room and known)
        return bool(room and known)


class Connection(asyncio.Protocol):
    """One sender; runs in the listener's thread."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener, self._desk = listener, listener.desk
        self._most = listener.settings.max_message_bytes
        self._came = bytearray()
        self._waits = self._full = False
        self.heard = 0.0
        self.handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        if not self._listener.welcome(transport.get_extra_info("peername")):
            self._transport.abort()
            return
        self._listener.open.add(self)
        if self._listener.tls is not None:
            self._waits = True
            self.handshake = self._loop.create_task(self._secure(self._listener.tls))

    async def _secure(self, tls: ssl.SSLContext) -> None:
        """Begun once they are welcome: else who never ends it would be counted by nobody."""
        plain = self._transport
        try:
            secured = await self._loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError:
            secured = None
        if secured is None:  # as it also is where we closed meanwhile
            plain.abort()
            self._listener.open.discard(self)
            return
        self._transport = secured
        self._waits = False
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """They went; what was not a whole frame is not half taken."""
        del exc
        if self in self._listener.open and self._came.strip():
            self._desk.misframed(f"{len(self._came)} bytes without an end of frame")
        self._listener.open.discard(self)

    def close(self) -> None:
        """Hang up, once what was answered is sent."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer every whole message; a rest waits for more."""
        self.heard = self._loop.time()
        self._came += data
        self._work()

    def pause_writing(self) -> None:
        """The sender does not take its answers: nothing more is read of it."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._full = False
        self._work()

    def _work(self) -> None:
        while not (self._waits or self._full or self._transport.is_closing()):
            end = self._came.find(END)
            if end < 0 or end > self._most:
                break
            frame = bytes(self._came[:end])
            del self._came[: end + len(END)]
            message = self._message(frame)
            if message is not None:
                self._answer(message)
        else:
            return
        if len(self._came) > self._most:
            self._say(self._desk.too_long(self._most))
            self._came.clear()
            self.close()
        elif not self._transport.is_reading():
            self._transport.resume_reading()

    def _message(self, frame: bytes) -> bytes | None:
        before, start, message = frame.rpartition(START)
        if not start:
            self._desk.misframed(f"{len(frame)} bytes without a start of frame")
            return None
        if before.strip():
            self._desk.misframed(f"{len(before)} bytes before a start of frame")
        return message

    def _answer(self, message: bytes) -> None:
        answer = self._desk(message)
        if not isinstance(answer, Future):
            self._say(answer)
            return
        self._waits = True
        self._transport.pause_reading()
        answer.add_done_callback(
            lambda told: self._loop.call_soon_threadsafe(self._told, told.result())
        )

    def _told(self, answer: bytes) -> None:
        self._waits = False
        self._say(answer)
        self._work()

    def _say(self, answer: bytes) -> None:
        if answer and not self._transport.is_closing():
            self._transport.write(_framed(answer))


def _framed(answer: bytes) -> bytes:
    return START + answer + END


def _tls(settings: MllpSettings) -> ssl.SSLContext | None:
    if settings.cert_file is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.ca_file)
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"hl7.options: TLS files cannot be used ({error})") from error
    if settings.ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
