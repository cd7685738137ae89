"""SIMULATOR: the virtual PLC as Modbus client of a vision system that is the server."""

import threading

from common.errors import PlcError
from common.ports import Clock
from hardware.fieldbus.modbus_client import ModbusClient
from hardware.fieldbus.registers import PLC_WORDS, VIS_HEARTBEAT, VISION_WORDS
from hardware.virtual_line.cell import VirtualPlc


class VisionLink:
    """Copies the two blocks between the PLC's memory and vision's server."""

    def __init__(self, plc: VirtualPlc, host: str, port: int, clock: Clock) -> None:
        self._plc, self._clock = plc, clock
        self._client = ModbusClient(host, port, clock=clock, reconnect_max_s=1.0)

    def exchange(self) -> None:
        """One reading and one writing; raises PlcError when vision does not answer."""
        self._plc.take_vision_words(self._client.read(VIS_HEARTBEAT, VISION_WORDS))
        self._client.write(0, self._plc.memory.read(0, PLC_WORDS))

    def run(self, stop: threading.Event) -> None:
        """Exchange once per scan until `stop` is set; a silent vision is tried again.

        Its heartbeat stands still meanwhile, and that is what the program reacts to.
        """
        while not stop.is_set():
            try:
                self.exchange()
            except PlcError:
                self._clock.sleep(self._client.retry_in_s)
            self._clock.sleep(self._plc.line.scan_s)

    def close(self) -> None:
        """Leave vision."""
        self._client.close()
