"""A monitor's end of an MLLP line: connects, sends, waits for the answer, connects again."""

import asyncio
from contextlib import suppress

START, END = b"\x0b", b"\x1c\r"
ANSWER_S = 10.0
AGAIN_S = 1.0


class Line:
    """One connection to a gateway, for as many messages as wanted, one after the other."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.taken = self.refused = self.lost = 0

    async def send(self, message: bytes) -> bytes:
        """The acknowledgement; empty where the gateway is away or did not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._exchange(message)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.lost += 1
            await self.close()
            await asyncio.sleep(AGAIN_S)
            return b""
        taken = b"MSA|AA" in answer
        self.taken += taken
        self.refused += not taken
        return answer

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def _exchange(self, message: bytes) -> bytes:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(START + message + END)
        await self._writer.drain()
        answer = await self._reader.readuntil(END)
        return answer[len(START) : -len(END)]
