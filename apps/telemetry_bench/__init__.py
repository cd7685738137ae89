"""`lineside bench telemetry`: what the buffer costs, each part beside its bare floor.

Absolute rates say little on a shared machine. So every figure has a floor that was timed
beside it in the same run: raw SQLite for the outbox, a bare paho loop for the uplink, COPY
for the collector. What a program is missing for is null, never zero.
"""

from typing import Any

from apps.telemetry_bench import archive, backlog, drain, enqueue, flash, fleet


def bench(*, quick: bool = False) -> dict[str, Any]:
    """All figures; `quick` is smaller everywhere and takes about a minute."""
    return {
        **enqueue.figures(events=4_000 if quick else 40_000, rounds=2 if quick else 5),
        **flash.figures(seconds=10.0 if quick else 60.0),
        **drain.figures(events=5_000 if quick else 40_000, bare=500 if quick else 3_000),
        **archive.figures(events=5_000 if quick else 50_000, rounds=2 if quick else 9),
        "backlog": backlog.figures(backlog.WEEK // 50 if quick else backlog.WEEK),
        "fleet": fleet.figures(devices=100 if quick else 1_000, seconds=5.0 if quick else 30.0),
    }
