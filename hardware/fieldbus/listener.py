"""Who may connect to our Modbus server, and what becomes of requests that come together."""

import socket
from collections.abc import Callable

from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import SimDevice

_HEAD = 6
"""Bytes of a frame before those that its last two count: transaction, protocol, length."""
_MOST_WAITING = 4096
"""Bytes of requests that wait for the answer of another one; who sends more is cut off."""


class Listener(ModbusTcpServer):
    """pymodbus' server, with an allow-list of client addresses; empty admits everybody.

    `outgoing` sees every packet, told whether it is sent, and gives what shall take its place.
    """

    def __init__(
        self,
        device: SimDevice,
        address: tuple[str, int],
        outgoing: Callable[[bool, bytes], bytes],
        allow: tuple[str, ...],
    ) -> None:
        super().__init__(device, address=address, trace_packet=outgoing)
        self.allow = allow

    def callback_new_connection(self) -> ServerRequestHandler:
        """A connection that knows who may talk to us."""
        traces = (self.trace_packet, self.trace_pdu, self.trace_connect)
        return _Connection(self, *traces)  # type: ignore[no-untyped-call]


class _Connection(ServerRequestHandler):
    """One request after another; closes the connection of a client that is not on the list.

    pymodbus forgets what comes before the last answer was sent: whole frames wait here.
    """

    _waiting, _is_busy = b"", False

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) > _MOST_WAITING:
            self.close()
        self._next()

    def _next(self) -> None:
        while self.transport and not self._is_busy and (frame := self._cut()):
            super().data_received(frame)
            self._is_busy = self.last_pdu is not None
            if self.recv_buffer:  # no Modbus: nothing behind it can be told apart
                self.close()

    def _cut(self) -> bytes:
        """The first whole frame; empty when there is none yet."""
        end = _HEAD + int.from_bytes(self._waiting[_HEAD - 2 : _HEAD], "big")
        if end > len(self._waiting):
            return b""
        frame, self._waiting = self._waiting[:end], self._waiting[end:]
        return frame

    async def handle_request(self) -> None:
        try:
            await super().handle_request()  # type: ignore[no-untyped-call]
        finally:
            self._is_busy = False
            self._next()

    def callback_connected(self) -> None:
        super().callback_connected()
        peer = self.transport.get_extra_info("peername")
        if peer is None or (self.server.allow and peer[0] not in self.server.allow):
            self.close()
            return
        connected = self.transport.get_extra_info("socket")  # a PLC without power says no bye
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
