"""Registers of a PLC over Modbus TCP: one connection, bounded waits, clear errors."""

import logging
import random
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from common.errors import PlcError
from common.ports import Clock

Answer = TypeVar("Answer")

# every failure becomes a PlcError here; a second report per poll would bury it
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

EXCEPTIONS = {
    1: ("illegal function", "allow FC 3, 15 and 16 in the PLC's Modbus server"),
    2: (
        "illegal address",
        "map holding registers 0-31 and 100-131, and coils 0-3 (or coils = false)",
    ),
    3: ("illegal value", "compare the PLC's register types with the map"),
    4: ("device failure", "see the PLC's own diagnostics"),
    5: ("acknowledged only", "the PLC needs longer than Modbus allows; see its program"),
    6: ("device busy", "lengthen poll_s or the PLC's communication slice"),
    7: ("refused", "see the PLC's own diagnostics"),
    8: ("memory parity error", "see the PLC's own diagnostics"),
    10: ("gateway path unavailable", "check the gateway's route to the PLC"),
    11: ("gateway target silent", "check unit_id and the PLC behind the gateway"),
}


class Backoff:
    """Full jitter: a random wait up to a bound that doubles with every failure."""

    def __init__(
        self, clock: Clock, first_s: float, most_s: float, seed: int | None = None
    ) -> None:
        self._clock, self._first_s, self._most_s = clock, first_s, most_s
        self._random = random.Random(seed)  # noqa: S311 - spreads load, guards nothing
        self._failures, self._until = 0, float("-inf")

    @property
    def left_s(self) -> float:
        """Seconds until the next try is allowed; 0 when it is."""
        return max(0.0, self._until - self._clock.monotonic())

    def failed(self) -> None:
        """Wait before the next try."""
        bound = min(self._most_s, self._first_s * 2 ** min(self._failures, 16))
        self._failures += 1
        self._until = self._clock.monotonic() + self._random.uniform(0.0, bound)

    def succeeded(self) -> None:
        """Try at once next time."""
        self._failures, self._until = 0, float("-inf")


class ModbusClient:
    """Reads and writes the registers of one PLC; every failure is a PlcError.

    A failed connection is closed, so that a late answer can never be taken for the answer
    to another question; `connect` says True when the PLC must be told everything anew.
    """

    def __init__(  # noqa: PLR0913 - the settings of one connection
        self,
        host: str,
        port: int,
        *,
        clock: Clock,
        unit_id: int = 1,
        timeout_s: float = 0.3,
        retries: int = 1,
        reconnect_first_s: float = 0.1,
        reconnect_max_s: float = 5.0,
    ) -> None:
        self.name = f"PLC {host}:{port}"
        self._unit_id, self._timeout_s = unit_id, timeout_s
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=retries)
        self._backoff = Backoff(clock, reconnect_first_s, reconnect_max_s)

    @property
    def retry_in_s(self) -> float:
        """Seconds until a call will try to connect again; 0 when it may now."""
        return self._backoff.left_s

    def connect(self) -> bool:
        """Connect if needed; True when the connection is a new one.

        Raises PlcError at once while the back-off of the last failure lasts.
        """
        if self._client.connected:
            return False
        if self._backoff.left_s > 0:
            raise self._error("not connected; trying again shortly")
        if not self._client.connect():  # type: ignore[no-untyped-call]
            self._backoff.failed()
            raise self._error("refuses the connection; is it on, and are host and port right?")
        if (link := self._client.socket) is not None:
            # a small request must not wait for a bigger one
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # what was given up goes with its connection: a PASS must not arrive a minute late
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return True

    def read(self, address: int, count: int) -> list[int]:
        """`count` holding registers from `address`, in one transaction."""
        what = f"read of {count} registers at {address}"
        answer = self._ask(
            what,
            lambda: self._client.read_holding_registers(
                address, count=count, device_id=self._unit_id
            ),
        )
        if len(answer.registers) != count:
            raise self._broken(f"{what}: {len(answer.registers)} came; is this our PLC?")
        return list(answer.registers)

    def write(self, address: int, values: list[int]) -> None:
        """Write holding registers from `address`, in one transaction."""
        self._ask(
            f"write of {len(values)} registers at {address}",
            lambda: self._client.write_registers(address, values, device_id=self._unit_id),
        )

    def write_coils(self, address: int, values: list[bool]) -> None:
        """Write coils from `address`, in one transaction."""
        self._ask(
            f"write of {len(values)} coils at {address}",
            lambda: self._client.write_coils(address, values, device_id=self._unit_id),
        )

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _ask(self, what: str, request: Callable[[], ModbusPDU]) -> ModbusPDU:
        self.connect()
        try:
            answer = request()
        except (ModbusException, OSError) as error:
            raise self._broken(f"{what}: {_cause(error, self._timeout_s)}") from error
        if answer.isError():
            reason, remedy = EXCEPTIONS.get(
                answer.exception_code, ("unknown exception", "see the PLC's manual")
            )
            code = f"Modbus exception {answer.exception_code}"
            raise self._error(f"{what} refused: {reason} ({code}); {remedy}")
        self._backoff.succeeded()
        return answer

    def _broken(self, message: str) -> PlcError:
        self._client.close()  # type: ignore[no-untyped-call]
        self._backoff.failed()
        return self._error(message)

    def _error(self, message: str) -> PlcError:
        return PlcError(self.name, message)


def _cause(error: Exception, timeout_s: float) -> str:
    if isinstance(error, OSError) or "closed" in str(error):
        return "the connection broke; check cable, switch and PLC"
    if "No response" in str(error):
        return f"no answer in {timeout_s:g} s; check cable, load and state of the PLC"
    return "the answer is not valid Modbus; is this our PLC?"
