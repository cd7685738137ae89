"""A wire of a given delay between two programs, that counts what passes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 1 << 16


@dataclass(slots=True)
class Wire:
    """Listens on `port` and passes everything on, each way `delay_s` later."""

    target: int
    delay_s: float
    port: int = 0
    sent_bytes: int = 0
    """Towards the target."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        """Pass on until `ended`."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()
        for writer in self._open:
            writer.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        closing = (writer.wait_closed() for writer in self._open)
        await asyncio.gather(*closing, return_exceptions=True)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, far_writer}
        with suppress(asyncio.CancelledError):  # the wire ends with its block
            await asyncio.gather(
                self._pass_on(reader, far_writer, counted=True),
                self._pass_on(far_reader, writer, counted=False),
            )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        loop, last = asyncio.get_running_loop(), asyncio.Event()

        def arrive(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        def end() -> None:
            writer.close()
            last.set()

        try:
            while data := await reader.read(CHUNK):
                self.sent_bytes += len(data) * counted
                loop.call_later(self.delay_s, arrive, data)
        except ConnectionError:
            pass
        loop.call_later(self.delay_s, end)
        await last.wait()


@contextmanager
def wire(target: int, delay_s: float = 0.0) -> Iterator[Wire]:
    """A wire to the port `target` of this machine, until the block ends."""
    line, started = Wire(target, delay_s), threading.Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        with closing(loop):
            loop.run_until_complete(line.serve(started, ended))

    thread = threading.Thread(target=run, name="wire", daemon=True)
    thread.start()
    started.wait()
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
