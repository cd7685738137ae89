"""How many may be connected to the API, and for how long without asking anything.

Every connection is an open file of the station: whoever held a thousand of them, without a
word and without a password, would leave none for the PLC, the camera and the store.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OPEN = 100
"""Screens open one for each command, and close it."""
SILENT_S = 10.0


class Bounded(H11Protocol):
    """uvicorn's own; hangs up on who comes beyond `MOST_OPEN` or asks nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected."""
        super().connection_made(transport)
        self._silent = self.loop.call_later(SILENT_S, self._hang_up)
        if len(self.connections) > MOST_OPEN:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """They went."""
        self._silent.cancel()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        if self.cycle is None:  # no request has come whole
            self.transport.abort()
