"""HL7's Minimal Lower Layer Protocol: a listener for monitors and hospital systems.

A message is framed as VT … FS CR. What is not a frame is counted and skipped up to the next
VT; a frame that is too long is answered and its connection closed, since nobody can tell
where the next one begins. One thread serves all connections; each message is answered
before the next of its connection is read, so that a sender who is too fast has to wait.
"""

import asyncio
import logging
import ssl
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from common.config import setting
from common.errors import ConfigError

START, END = b"\x0b", b"\x1c\r"
LAST_WORD_S = 5.0
START_S = 30.0
READ_BYTES = 1 << 16
log = logging.getLogger(__name__)


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
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file come together")
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
        self._settings, self._desk = settings, desk
        self._tls = _tls(settings)
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
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
        return len(self._connections)

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
        except Exception as error:  # noqa: BLE001 - whoever opens it is told
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
        return await asyncio.start_server(
            self._connected, self._settings.host, self._settings.port, ssl=self._tls,
            limit=self._settings.max_message_bytes + len(END) + 1, backlog=512,
        )  # fmt: skip

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task, peer = asyncio.current_task(), writer.get_extra_info("peername")
        if task is None or not self._welcome(peer):
            self.turned_away += 1
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass  # the device went, or this listener ends: nothing is half taken
        except Exception:
            log.exception("MLLP connection ended")
        finally:
            self._connections.discard(task)
            writer.close()

    def _welcome(self, peer: tuple[str, int] | None) -> bool:
        room = len(self._connections) < self._settings.max_connections
        known = not self._settings.allow or (peer and peer[0] in self._settings.allow)
        return bool(room and known)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        idle_s = self._settings.idle_s
        while True:
            async with asyncio.timeout(idle_s):
                data = await self._frame(reader)
            if data is None:
                writer.write(_framed(self._desk.too_long(self._settings.max_message_bytes)))
                async with asyncio.timeout(LAST_WORD_S):
                    await writer.drain()
                return
            answer = self._desk(data)
            if isinstance(answer, Future):
                answer = await asyncio.wrap_future(answer)
            if answer:
                writer.write(_framed(answer))
                await writer.drain()

    async def _frame(self, reader: asyncio.StreamReader) -> bytes | None:
        """The next message; None for one that is too long."""
        try:
            data = await reader.readuntil(END)
        except asyncio.LimitOverrunError:
            return None
        except asyncio.IncompleteReadError as error:
            if error.partial.strip():
                self._desk.misframed(f"{len(error.partial)} bytes without an end of frame")
            raise
        before, start, message = data[: -len(END)].rpartition(START)
        if not start:
            self._desk.misframed(f"{len(data)} bytes without a start of frame")
            return await self._frame(reader)
        if before.strip():
            self._desk.misframed(f"{len(before)} bytes before a start of frame")
        return message


def _framed(answer: bytes) -> bytes:
    return START + answer + END if answer else b""


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
