"""[duty]: when a camera's network rests. What decides it is in motion_gate.py.

Apart from it, so that settings and rules can be read without any library for pictures.
"""

from dataclasses import dataclass

from common.config import setting


@dataclass(frozen=True)
class Duty:
    """[duty]: when the network rests."""

    on_motion_only: bool = setting(False)
    step: float = setting(6.0, low=1.0, high=128.0)
    """Grey values of 255 by which a cell must change."""
    cells: int = setting(4, low=1, high=1000)
    """Of 160 × 120, that must change at once."""
    linger_s: float = setting(1.0, low=0.0, high=60.0, unit="s")
    """After the last motion the network runs on for so long."""
    beat_s: float = setting(1.0, low=0.05, high=2.0, unit="s")
    """Longest time without a full run; no picture is remembered longer either."""
