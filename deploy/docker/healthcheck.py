#!/opt/lineside/bin/python
"""Is the station in this container alive? Exit 0 when one of the ports named says so, else 1.

Alive is a loop that turns: the last snapshot is young. A station whose PLC is away is alive
and says what is wrong; to start it anew would help nobody.
"""

import json
import sys
import time
import urllib.error
import urllib.request

YOUNG_S = 30.0
ANSWER_S = 2.0


def age_s(port: int) -> float | None:
    """Since the snapshot of the station on this port; None where none answers."""
    url = f"http://127.0.0.1:{port}/state"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
            said = json.load(answer).get("wall_time")
    except (OSError, ValueError):
        return None
    return time.time() - said if isinstance(said, int | float) else None


def main(ports: list[str]) -> int:
    """Ask each port; a word to the container's log."""
    ages = {port: age_s(int(port)) for port in ports}
    told = {port: age for port, age in ages.items() if age is not None}
    words = ", ".join(f"{port}: {age:.1f} s" for port, age in told.items())
    print(words or f"nobody answers on {', '.join(ports)}")  # noqa: T201
    return 0 if any(age < YOUNG_S for age in told.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
