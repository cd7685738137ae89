"""A conveyor in software: belt, parts, rejector gate and light eyes. Physics only.

It knows nothing of verdicts. A part that reaches the rejector leaves the way the gate
stands at that moment, and the gate needs time to move: that is how escapes happen, and
why they can be counted here without asking the PLC what it meant to do.
"""

from dataclasses import dataclass

from common.config import setting


@dataclass(frozen=True)
class LineSettings:
    """Geometry and rules of the simulated line; lengths are from the camera on."""

    speed_mm_s: int = setting(400, low=1, high=5000, unit="mm/s")
    pitch_mm: float = setting(200.0, low=1.0, high=10_000.0, unit="mm")
    """Distance of two parts; parts per second = speed / pitch."""
    counts_per_mm: int = setting(10, low=1, high=1000, unit="1/mm")
    rejector_mm: float = setting(300.0, low=1.0, high=10_000.0, unit="mm")
    confirm_mm: float = setting(60.0, low=1.0, high=1000.0, unit="mm")
    """From the rejector to the confirm eye, and to the eye of the pass lane."""
    actuator_s: float = setting(0.05, low=0.0, high=1.0, unit="s")
    """The gate moves this long after its command."""
    scan_s: float = setting(0.005, low=0.0005, high=0.1, unit="s")
    network_s: float = setting(0.05, low=0.0, high=1.0, unit="s")
    """99th percentile of bringing a verdict to the PLC."""
    margin: float = setting(0.2, low=0.0, high=0.9)
    """Share of the deadline kept back."""
    heartbeat_s: float = setting(0.5, low=0.05, high=10.0, unit="s")
    vision_stop_s: float = setting(5.0, low=0.1, high=3600.0, unit="s")
    """The line stops when vision is silent for longer."""
    consecutive_limit: int = setting(5, low=0, high=1000)
    """Rejects in a row that stop the line; 0 never does."""
    challenge_parts: int = setting(3, low=1, high=100)
    recipe_id: int = setting(1, low=0, high=65535)
    batch: int = setting(1, low=0, high=65535)

    def __post_init__(self) -> None:
        if self.deadline_s <= 0:
            raise ValueError(
                "the rejector is too near for this speed: no verdict can be in time"
            )
        if self.pitch_mm <= 2 * self.lead_mm:
            raise ValueError("pitch_mm is too short: the gate cannot tell two parts apart")

    @property
    def deadline_s(self) -> float:
        """Oldest verdict that still counts (domain notes A2, rule 4)."""
        transport = self.rejector_mm / self.speed_mm_s
        lost = self.actuator_s + self.scan_s + self.network_s
        return (transport - lost) * (1 - self.margin)

    @property
    def lead_mm(self) -> float:
        """How far before the rejector the gate is commanded: its own time and four scans."""
        return self.speed_mm_s * (self.actuator_s + 4 * self.scan_s)

    def counts(self, length_mm: float) -> int:
        """A length in encoder counts."""
        return round(length_mm * self.counts_per_mm)


@dataclass(frozen=True, slots=True)
class Eyes:
    """Parts, by their serial number, that passed each light eye in one step."""

    camera: tuple[int, ...] = ()
    confirm: tuple[int, ...] = ()
    exit: tuple[int, ...] = ()


@dataclass(slots=True)
class _Part:
    serial: int
    entered_mm: float
    """Where the belt stood when the part was at the camera."""
    is_rejected: bool | None = None
    """Which way it left at the rejector; None before."""


class Conveyor:
    """The belt; `step` moves it on. The gate diverts unless it was told to release."""

    def __init__(self, line: LineSettings) -> None:
        self._line = line
        self._belt_mm = 0.0
        self._next_mm = line.pitch_mm
        self._serial = 0
        self._parts: list[_Part] = []
        self._is_released = self._wanted = False
        self._moves_in_s = 0.0
        self.is_stuck_open = False
        """A broken rejector: it diverts nothing, whatever it is told."""

    @property
    def encoder(self) -> int:
        """The belt's position in counts, modulo 2³²."""
        return self._line.counts(self._belt_mm) & 0xFFFFFFFF

    @property
    def on_belt(self) -> int:
        """Parts between the camera and the exits."""
        return len(self._parts)

    def step(self, seconds: float, is_running: bool, release: bool) -> Eyes:
        """Move the gate towards its command and, if running, the belt by its speed."""
        self._move_gate(seconds, release)
        if not is_running:
            return Eyes()
        self._belt_mm += self._line.speed_mm_s * seconds
        return Eyes(camera=self._arrivals(), **self._departures())

    def _move_gate(self, seconds: float, release: bool) -> None:
        if release != self._wanted:
            self._wanted, self._moves_in_s = release, self._line.actuator_s
        else:
            self._moves_in_s = max(0.0, self._moves_in_s - seconds)
        if self._moves_in_s <= 0:
            self._is_released = self._wanted

    def _arrivals(self) -> tuple[int, ...]:
        arrived = []
        while self._next_mm <= self._belt_mm:
            self._serial += 1
            arrived.append(self._serial)
            self._parts.append(_Part(self._serial, self._next_mm))
            self._next_mm += self._line.pitch_mm
        return tuple(arrived)

    def _departures(self) -> dict[str, tuple[int, ...]]:
        end_mm = self._line.rejector_mm + self._line.confirm_mm
        for part in self._parts:
            at_rejector = self._belt_mm - part.entered_mm >= self._line.rejector_mm
            if at_rejector and part.is_rejected is None:
                part.is_rejected = not (self._is_released or self.is_stuck_open)
        left = [part for part in self._parts if self._belt_mm - part.entered_mm >= end_mm]
        self._parts = self._parts[len(left) :]
        return {
            "confirm": tuple(part.serial for part in left if part.is_rejected),
            "exit": tuple(part.serial for part in left if not part.is_rejected),
        }
