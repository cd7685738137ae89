"""What a training run is made of, and which data it may look at."""

from dataclasses import dataclass
from pathlib import Path

from apps.predictive_maintenance.evaluate import INDEX
from common.errors import ConfigError

ALL = "all"
"""The network that saw everything the recipe learns from: the one that ships."""


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; `smoke()` is the same in seconds."""

    machines: int = 12
    weeks: float = 2.0
    """Of each simulated machine; its first week is its baseline."""
    real_share: float = 0.0
    """Of the sequences in a batch that come from the data; 0: the data only judges. On the
    runs at hand learning from them made no difference that their number could show."""
    steps: int = 16
    """Windows in a sequence."""
    hidden: int = 32
    code: int = 8
    """Numbers that a sequence is rebuilt from."""
    updates: int = 3000
    batch: int = 128
    rate: float = 3e-3
    fewer_bands: float = 0.3
    """Chance that a sequence loses its top bands: sensors with a lower rate."""
    seed: int = 1
    judged_weeks: float = 20.0
    """Machine-weeks of another simulated plant, watched for false alarms."""


def smoke() -> Recipe:
    """A run of seconds that proves the way through; its network is worth nothing."""
    return Recipe(machines=2, weeks=0.15, updates=20, judged_weeks=0.0)


def folders(data: Path) -> list[Path]:
    """`data`, or those of its folders that hold an index.csv; raises ConfigError."""
    found = (
        [data]
        if (data / INDEX).is_file()
        else sorted(p.parent for p in data.glob(f"*/{INDEX}"))
    )
    if not found:
        raise ConfigError(f"{data}: neither it nor a folder in it holds {INDEX}")
    return found
