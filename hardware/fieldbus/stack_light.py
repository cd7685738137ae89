"""A stack light over Modbus: one coil for each colour, or one register for all.

Off is not "good": with the station away the light keeps what it was told last, so a coil
that changes with every look lets a PLC see that somebody still looks.
"""

from dataclasses import dataclass

from common.config import setting
from common.ports import Clock, LightState
from hardware.fieldbus.modbus_client import ModbusClient

COILS = {
    LightState.FAULT: (False, False, False, True),
    LightState.RUN: (True, False, False, False),
    LightState.WATCH: (True, True, False, False),
    LightState.PLAN: (False, True, False, False),
    LightState.STOP: (False, False, True, False),
}
"""Green, amber, red, blue (nothing is known)."""


@dataclass(frozen=True)
class StackLightSettings:
    """Where the light is."""

    host: str = setting("127.0.0.1")
    port: int = setting(502, low=1, high=65_535)
    unit_id: int = setting(1, low=0, high=255)
    coil: int = setting(0, low=0, high=65_530)
    """The first of five: green, amber, red, blue, and the one that changes."""
    timeout_s: float = setting(0.3, low=0.01, high=10.0, unit="s")


class StackLight:
    """common.ports.StatusLight over coils; used by one thread, the station's loop."""

    def __init__(self, settings: StackLightSettings, clock: Clock) -> None:
        self.name = f"stack light {settings.host}:{settings.port}"
        self._coil = settings.coil
        self._beat = False
        self._client = ModbusClient(
            settings.host, settings.port, clock=clock, unit_id=settings.unit_id,
            timeout_s=settings.timeout_s,
        )  # fmt: skip

    def show(self, state: LightState) -> None:
        """Light it so, and let the beat change; raises PlcError."""
        self._beat = not self._beat
        self._client.write_coils(self._coil, [*COILS[state], self._beat])

    def close(self) -> None:
        """Leave it."""
        self._client.close()
