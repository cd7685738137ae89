"""ISO 20816-3:2022 zones by velocity RMS, and ALARM and TRIP set from the baseline.

Pure, and only for machines in the standard's scope. A boundary value belongs to the better
zone. The edition stands with every verdict, because editions change.
"""

from dataclasses import dataclass

EDITION = "ISO 20816-3:2022"
LIMITS_MM_S = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
"""(group, support) → A/B, B/C and C/D in mm/s RMS, 10–1000 Hz, the worst direction."""
MIN_POWER_KW = 15.0
MIN_RPM, MAX_RPM = 120.0, 30_000.0
LOW_HZ, SLOW_LOW_HZ = 10.0, 2.0
"""Where velocity begins, and where up to SLOW_RPM: below the shaft's own frequency."""
SLOW_RPM = 600.0
MIN_FS_HZ = 2106.0
"""A twentieth below half of it lies 1000 Hz, where velocity ends."""
MIN_RECORD_S = 1.0
OTHER_STANDARDS = {
    "pump": "rotodynamic pumps: ISO 10816-7",
    "reciprocating": "reciprocating machines: ISO 10816-6",
    "wind_turbine": "wind turbines: ISO 10816-21",
    "hydro": "hydraulic machines: ISO 20816-5",
}


@dataclass(frozen=True, slots=True)
class ZoneLimits:
    """Boundaries of one machine in mm/s RMS."""

    ab: float
    bc: float
    cd: float

    def zone(self, velocity_mm_s: float) -> str:
        """A, B, C or D."""
        for name, limit in (("A", self.ab), ("B", self.bc), ("C", self.cd)):
            if velocity_mm_s <= limit:
                return name
        return "D"  # NaN too: it is under no limit

    def alarm(self, baseline_mm_s: float | None) -> float:
        """ALARM: a quarter of B/C above the baseline, at most 1.25 B/C; B/C without one."""
        if baseline_mm_s is None:
            return self.bc
        return min(baseline_mm_s + 0.25 * self.bc, 1.25 * self.bc)

    @property
    def trip(self) -> float:
        """TRIP: C/D, above which damage is likely; ALARM never lies above it."""
        return self.cd


def limits(group: int, support: str) -> ZoneLimits:
    """The boundaries of a group (1 or 2) and support ("rigid" or "flexible")."""
    return ZoneLimits(*LIMITS_MM_S[(group, support)])


def out_of_scope(kind: str, power_kw: float, rpm: float | None, record_s: float) -> str:
    """Why the standard does not apply, whichever way the machine turns; empty: it does."""
    if kind in OTHER_STANDARDS:
        return f"{OTHER_STANDARDS[kind]}, not {EDITION}"
    if not power_kw > MIN_POWER_KW:
        return f"{power_kw:g} kW; {EDITION} begins above {MIN_POWER_KW:g} kW"
    if rpm is None:
        return f"speed not known; {EDITION} holds for {MIN_RPM:g}–{MAX_RPM:g} r/min"
    if not MIN_RPM <= abs(rpm) <= MAX_RPM:
        return f"{abs(rpm):.0f} r/min; {EDITION} holds for {MIN_RPM:g}–{MAX_RPM:g} r/min"
    if record_s < MIN_RECORD_S:
        return f"record of {record_s:g} s; zones need at least {MIN_RECORD_S:g} s"
    return ""


def not_measured(rpm: float, low_hz: float, fs_hz: float) -> str:
    """Which part of the velocity that zones are of is not measured; empty: none.

    `low_hz` is where the measured band begins.
    """
    needed = SLOW_LOW_HZ if abs(rpm) <= SLOW_RPM else LOW_HZ
    if low_hz > needed:
        return f"velocity from {low_hz:g} Hz; zones at {abs(rpm):.0f} r/min need {needed:g} Hz"
    if fs_hz < MIN_FS_HZ:
        return f"sampled at {fs_hz:g} Hz; zones need at least {MIN_FS_HZ:g} Hz"
    return ""
