"""How much a station writes to its flash for each event, at ten events a second.

Measured as the kernel counts it, in a process that does nothing else, from the first
event until the last is committed and the file closed.
"""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps.telemetry_bench.records import messages, station
from common.clock import SystemClock
from common.telemetry.topics import Identity

EVENTS_PER_S = 10.0
SELF = Identity("bench", "plant", "hall", "flash", "bench")


def figures(seconds: float) -> dict[str, Any]:
    """Bytes per event; null where the kernel does not count them."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "apps.telemetry_bench.flash", folder]
        command.append(str(int(seconds * EVENTS_PER_S)))
        done = subprocess.run(  # noqa: S603 - our own module
            command, check=True, capture_output=True, text=True, timeout=seconds * 3 + 60
        )
    return {"flash_bytes_per_event": json.loads(done.stdout)}


def write(folder: Path, events: int) -> int | None:
    """Put so many events into an outbox at their pace; what each has cost, in bytes."""
    with station(folder, SELF) as (store, outbox):
        before, due = written_bytes(), time.monotonic()
        for message in messages(events, SystemClock()):
            store.submit(partial(outbox.append, message=message))
            due += 1 / EVENTS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))
    after = written_bytes()
    return None if before is None or after is None else round((after - before) / events)


def written_bytes() -> int | None:
    """Bytes this process has had written to storage; None where nobody counts."""
    try:
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
    except OSError:
        return None
    counts = dict(line.split(": ") for line in lines)
    return int(counts["write_bytes"])


if __name__ == "__main__":
    print(json.dumps(write(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201
