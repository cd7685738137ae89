"""Settings of the Modbus gate: an app's `[plc]` table may hold them as they are."""

from dataclasses import dataclass

from common.config import setting
from hardware.fieldbus.registers import WORD_ORDERS


@dataclass(frozen=True)
class ModbusSettings:
    """How to reach the PLC, or, as server, how the PLC reaches us."""

    role: str = setting("client", choices=("client", "server"))
    host: str = setting("127.0.0.1")
    """Client: the PLC. Server: our own address to listen on."""
    port: int = setting(5020, low=0, high=65535)
    """As server, 0 takes a free port."""
    unit_id: int = setting(1, low=0, high=255)
    """1 or 255 for a native TCP server; a gateway's target otherwise."""
    word_order: str = setting("CDAB", choices=WORD_ORDERS)
    timeout_s: float = setting(0.3, low=0.01, high=10.0, unit="s")
    retries: int = setting(1, low=0, high=1)
    """A blocked call lasts timeout_s × (1 + retries), or up to twice that where answers stop
    in their middle."""
    reconnect_max_s: float = setting(5.0, low=0.1, high=60.0, unit="s")
    poll_s: float = setting(0.002, low=0.0005, high=0.1, unit="s")
    heartbeat_s: float = setting(0.5, low=0.05, high=10.0, unit="s")
    """Period of both heartbeats; three silent periods are a loss."""
    trigger_age_s: float = setting(0.25, low=0.0, high=10.0, unit="s")
    """Longest gap between two readings after which a new trigger is still believed to be
    fresh: its part may have moved on. 0 is without limit."""
    pass_deadline_s: float = setting(0.0, low=0.0, high=60.0, unit="s")
    """A PASS older than this is written as LATE: PLCs that see only the coils cannot check
    the age themselves, nor whose pulse it is. For them it must be shorter than the shortest
    time from part to part. 0 takes the line's deadline."""
    pass_pulse_s: float = setting(0.5, low=0.0, high=60.0, unit="s")
    """The coil PASS_PULSE falls after this where neither ResultAck nor the next trigger ends
    it before: it must not pass whatever comes next. 0 waits for those."""
    coils: bool = setting(True)
    """Keep the fail-safe coils 0 … 3 as well."""
    allow: tuple[str, ...] = ("127.0.0.1", "::1")
    """As server: addresses of the PLCs that are served; empty serves everybody."""
