"""Vision as the Modbus server, as smart cameras do it: the PLC reads and writes us."""

from hardware.fieldbus.register_server import GRANTED, Access, Memory, RegisterServer
from hardware.fieldbus.registers import PLC_WINDOW, VISION_WINDOW

_ILLEGAL_ADDRESS = 2


class ModbusServer:
    """The registers of the map in our own memory; a PLC may write its window only.

    Modbus knows no users: `allow` lists the client addresses that are served at all, and
    the network must keep everybody else out.
    """

    def __init__(self, host: str, port: int, allow: tuple[str, ...]) -> None:
        self.memory = Memory(VISION_WINDOW.stop)
        self._server = RegisterServer(
            self.memory, host, port, gatekeeper=_plc_window_only, allow=allow
        )
        self._is_serving = False
        self.name = f"PLC that reads us at {host}:{port}"
        self.retry_in_s = 0.0

    @property
    def port(self) -> int:
        """The port really served."""
        return self._server.port

    def connect(self) -> bool:
        """Serve; True the first time. Raises PlcError when the address is taken."""
        if self._is_serving:
            return False
        self._server.start()
        self._is_serving = True
        return True

    def read(self, address: int, count: int) -> list[int]:
        """What the PLC wrote last."""
        return self.memory.read(address, count)

    def write(self, address: int, values: list[int]) -> None:
        """Offer registers to the PLC, all at one moment."""
        self.memory.write(address, values)

    def write_coils(self, address: int, values: list[bool]) -> None:
        """Offer coils to the PLC."""
        self.memory.write_coils(address, values)

    def close(self) -> None:
        """Stop serving."""
        self._server.close()
        self._is_serving = False


async def _plc_window_only(access: Access) -> int:
    """Refuse writes outside of the PLC's own window: verdicts are not the PLC's to write."""
    if access.values is None:
        return GRANTED
    last = access.address + access.count - 1
    inside = access.address in PLC_WINDOW and last in PLC_WINDOW
    return GRANTED if inside and not access.is_coils else _ILLEGAL_ADDRESS
