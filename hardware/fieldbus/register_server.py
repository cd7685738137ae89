"""A Modbus TCP server over a small memory, in a thread of its own.

Serves vision in its smart-camera role and the virtual PLC. What may be touched is decided
by the owner's `gatekeeper`, how long what was carried out waits for its answer by `hold_up`.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from common.errors import PlcError
from hardware.fieldbus.listener import Listener

COILS = 16
GRANTED, SILENT = 0, -1
"""What a gatekeeper answers besides a Modbus exception code: carry out, or say nothing."""
_COIL_FUNCTIONS = (1, 5, 15)
_READ_ONLY_FUNCTIONS = (2, 4)  # discrete inputs and input registers: the map has none
_START_S = 30.0
_TURNS = 10


@dataclass(frozen=True, slots=True)
class Access:
    """One request: which table, where, and the values of a write (None for a read)."""

    is_coils: bool
    address: int
    count: int
    values: tuple[int, ...] | None


class Memory:
    """Registers and coils; a block is read and written as a whole or not at all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._words, self._coils = [0] * size, [False] * COILS
        self._lock = threading.Lock()

    def read(self, address: int, count: int) -> list[int]:
        """`count` registers as they stood at one moment."""
        with self._lock:
            return self._words[address : address + count]

    def write(self, address: int, values: list[int]) -> None:
        """Write registers at one moment."""
        with self._lock:
            self._words[address : address + len(values)] = values

    def coils(self) -> list[bool]:
        """All coils as they stood at one moment."""
        with self._lock:
            return list(self._coils)

    def write_coils(self, address: int, values: list[bool]) -> None:
        """Write coils at one moment."""
        with self._lock:
            self._coils[address : address + len(values)] = values


Gatekeeper = Callable[[Access], Awaitable[int]]
HoldUp = Callable[[Access], Awaitable[None]]
Watcher = Callable[[Access], None]


async def grant(_access: Access) -> int:
    """The gatekeeper that lets everything through."""
    return GRANTED


async def at_once(_access: Access) -> None:
    """Holds no answer up."""


class RegisterServer:
    """Serves `memory`; `start` binds, `close` ends the thread; both may be repeated."""

    def __init__(
        self,
        memory: Memory,
        host: str,
        port: int,
        *,
        gatekeeper: Gatekeeper = grant,
        hold_up: HoldUp = at_once,
        written: Watcher | None = None,
        allow: tuple[str, ...] = (),
    ) -> None:
        """`port` 0 takes a free one; an empty `allow` admits every client address."""
        self.memory, self.host, self.port = memory, host, port
        self.allow = allow
        self._gatekeeper, self._hold_up, self._written = gatekeeper, hold_up, written
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Listener | None = None
        self._stop: asyncio.Event | None = None
        self._started, self._failed = threading.Event(), False
        self._mute = False

    def start(self) -> None:
        """Bind and serve; raises PlcError when the address is taken or not ours."""
        if self._thread is not None:
            return
        self._started.clear()
        self._failed = False
        thread = threading.Thread(target=self._run, name="modbus-server", daemon=True)
        thread.start()
        if not self._started.wait(_START_S) or self._failed:
            thread.join(_START_S)
            where = f"Modbus server {self.host}:{self.port}"
            raise PlcError(where, "cannot listen: the address is taken or not ours; change it")
        self._thread = thread

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)
        self._thread = None

    def drop_connections(self) -> None:
        """Cut every client off; they may connect again."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._drop)

    # --- in the server's thread -------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        address = (self.host, self.port)
        server = Listener(self._device(), address, self.outgoing, self.allow)
        try:
            await server.serve_forever(background=True)
        except RuntimeError:  # pymodbus keeps the cause to itself
            self._failed = True
            self._started.set()
            return
        self._server = server
        listener: Any = server.transport
        self.port = listener.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        for listening in listener.sockets:  # accept no more: asyncio (3.11) loses a socket
            self._loop.remove_reader(listening.fileno())  # accepted while it closes
        await _settle()
        await server.shutdown()  # type: ignore[no-untyped-call]
        await _settle()

    def _device(self) -> SimDevice:
        """Device 0 answers for every unit id; addresses beyond the memory are illegal."""
        words = [SimData(0, count=self.memory.size, datatype=DataType.REGISTERS)]
        bits = [SimData(0, values=[False] * COILS, datatype=DataType.BITS)]
        unused = [SimData(0, datatype=DataType.REGISTERS)]
        return SimDevice(0, simdata=(bits, list(bits), words, unused), action=self._act)

    async def _act(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Ask the gatekeeper, then copy between our memory and pymodbus' registers, which
        all requests share: an answer that was held up tells what stood there before.
        """
        if function in _READ_ONLY_FUNCTIONS:
            return ExcCodes.ILLEGAL_FUNCTION
        is_coils = function in _COIL_FUNCTIONS
        given = None if values is None else tuple(int(value) for value in values)
        access = Access(is_coils, address, count if given is None else len(given), given)
        verdict = await self._gatekeeper(access)
        if verdict > GRANTED:
            return ExcCodes(verdict)
        words, bits = self.memory.read(address, count), self.memory.coils()
        if given is not None:
            self._store(access, given)
        await self._hold_up(access)
        self._mute = verdict == SILENT
        if given is None and is_coils:
            registers[0] = sum(on << bit for bit, on in enumerate(bits))
        elif given is None:
            registers[address - start : address - start + count] = words
        return None

    def _store(self, access: Access, values: tuple[int, ...]) -> None:
        if access.is_coils:
            self.memory.write_coils(access.address, [bool(value) for value in values])
        else:
            self.memory.write(access.address, list(values))
        if self._written is not None:
            self._written(access)

    def outgoing(self, is_sending: bool, data: bytes) -> bytes:
        """Drop the answer of a request that shall stay unanswered.

        Between `_act` and this call nothing else runs in the loop.
        """
        mute, self._mute = self._mute and is_sending, False
        return b"" if mute else data

    def _drop(self) -> None:
        if self._server is not None:
            for connection in list(self._server.active_connections.values()):
                connection.close()


async def _settle() -> None:
    """Let connections that were just accepted or closed get there."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
