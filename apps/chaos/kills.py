"""The runs of which the kills consist, and their figures as one."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.chaos.scheduler import BrokerForgets, Scheduler
from apps.chaos.small_disk import small_disk
from apps.chaos.station import Plan
from common.telemetry.mqtt_client import PUBACK

SMALL_DISK_SHARE = 0.1
"""Of the kills: with station and archive on a real disk that is full time and again."""
CONTROL_KILLS = 6


def play(kills: int, seed: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Kill so often; the figures of the books, and what was done."""
    with TemporaryDirectory(prefix="lineside-chaos-") as name:
        folders = [Path(name) / part for part in ("dice", "full", "small", "control")]
        for folder in folders:
            folder.mkdir(mode=0o700)
        dice, full, small, control = folders
        with small_disk(small) as none_because:
            on_small = 0 if none_because else round(kills * SMALL_DISK_SHARE)
            runs = [(Scheduler(dice, Plan(dice, f"{seed} dice"), progress), kills - on_small)]
            if on_small:
                plan = Plan(small, f"{seed} full")
                runs.append((Scheduler(full, plan, progress, fills=True), on_small))
            figures = _sum([(run.run(share), run) for run, share in runs])
        progress("the control: a station that trusts the broker's word")
        trusting = Plan(control, f"{seed} control", durable_on=PUBACK)
        found = BrokerForgets(control, trusting, progress).run(CONTROL_KILLS)
    return {
        **figures,
        "full_disk": none_because or f"{on_small} of the kills",
        "control_puback": {
            "kills": CONTROL_KILLS, "accepted": found["accepted"], "lost": found["lost"],
        },
    }  # fmt: skip


def _sum(runs: list[tuple[dict[str, int], Scheduler]]) -> dict[str, Any]:
    figures: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    troubles: Counter[str] = Counter()
    for found, run in runs:
        figures.update(found)
        killed.update(run.killed)
        troubles.update(run.troubles)
    return {**figures, "by_target": dict(killed), "troubles": dict(troubles)}
