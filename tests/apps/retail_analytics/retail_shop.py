"""A shop's station as it would have left its file: a word of it, and weeks of intervals."""

import copy
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import numpy as np

from apps.retail_analytics import ledger
from apps.retail_analytics.screen_days import midnight
from apps.retail_analytics.suppression import Held, released
from common import meta, records
from common.records import Record

WIDTH = 900
K = 10
HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 3, 12, 22, 30, 38, 30, 24, 26, 34, 44, 40, 24, 8, 0, 0, 0)
"""Who comes in a quarter of an hour, by the hour of the day."""
WORD: dict[str, Any] = {
    "app": "retail_analytics",
    "model": {"name": "person", "version": "1.0.0"},
    "simulation": {"text": "simulated shop"},
    "privacy": {
        "k": K, "interval_min": 15, "merge_up_to_min": 60, "usable_share": 0.8,
        "heat_cell_m": 0.5, "intervals_days": 760.0,
    },
    "occupancy": {
        "inside": 35, "rounded_to": 5, "limit": 40, "over": False, "usable": True,
        "reason": "", "corrected": 5, "drift": 0.03, "reset_by": "clock",
    },
    "queues": [
        {"camera": "floor", "zone": "queue", "till": "till", "length": 3, "wait_s": 80,
         "called": False, "since": None, "call_length": 4, "usable": True, "reason": ""},
    ],
    "cameras": [
        {"name": "door", "device": "simulated", "state": "good", "reason": "", "fps": 14.9,
         "age_s": 0.07, "frames": 90_000, "dropped": 0, "observed_pct": 99.0, "width": 640,
         "height": 480, "lines": ["door"], "zones": [], "masks": 0, "floor_known": False},
        {"name": "floor", "device": "simulated", "state": "good", "reason": "", "fps": 15.0,
         "age_s": 0.05, "frames": 90_000, "dropped": 2, "observed_pct": 98.0, "width": 640,
         "height": 480, "lines": [], "zones": ["shelf", "queue", "till"], "masks": 1,
         "floor_known": True},
    ],
    "setup": {
        "version": 0, "changed": None, "by": "", "reason": "",
        "cameras": [
            {"name": "door", "width": 640, "height": 480, "anchor": "centre", "person_m": 0.5,
             "lines": [{"name": "door", "points": [[503, 240], [137, 240]], "door": True}],
             "zones": [], "masks": [], "homography": None},
            {"name": "floor", "width": 640, "height": 480, "anchor": "foot", "person_m": 1.7,
             "lines": [],
             "zones": [
                 {"name": "shelf", "polygon": [[120, 230], [230, 210], [330, 290], [200, 340]],
                  "queue": False, "till": ""},
                 {"name": "queue", "polygon": [[400, 200], [520, 170], [560, 210], [430, 260]],
                  "queue": True, "till": "till"},
                 {"name": "till", "polygon": [[440, 270], [570, 220], [600, 260], [470, 320]],
                  "queue": False, "till": ""},
             ],
             "masks": [{"name": "street", "polygon": [[0, 0], [640, 0], [640, 40], [0, 40]]}],
             "homography": {
                 "picture_px": [[90, 420], [330, 190], [520, 150], [600, 330]],
                 "floor_m": [[0, 0], [3, 5], [8, 7], [8, 2]],
             }},
        ],
    },
    "counts": {"frames": 180_000, "dropped": 2, "intervals": 96, "intervals_refused": 0},
    "latency_ms": {"total": {"p50": 11.0, "p95": 14.0, "p99": 19.0}},
}  # fmt: skip
STATEMENT = """# Privacy statement

Cameras over the door count people.

## What is kept

- counts of at least 10 people
- nothing else

| what | for how long |
|---|---|
| pictures | at most 2 s, in memory |
| counts | 760 days |
"""


class ShopFolder:
    """A shop's folder under construction; `folder` is a StationFolder of the tests' Var."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.write(ledger.create)

    def write(self, operation: Callable[[sqlite3.Connection], Any]) -> Any:
        with closing(sqlite3.connect(self.folder.file, isolation_level=None)) as connection:
            return operation(connection)

    def say(self, **changes: Any) -> dict[str, Any]:
        """Write the shop's word; tables in `changes` are merged one level deep."""
        now = time.time()
        start = now - now % WIDTH
        word = copy.deepcopy(WORD) | {
            "interval": {"start": start, "end": start + WIDTH, "min": WIDTH // 60}
        }
        word["occupancy"]["reset"] = midnight(now) + 4 * 3600
        for key, value in changes.items():
            merges = isinstance(value, dict) and isinstance(word.get(key), dict)
            word[key] = word[key] | value if merges else value
        return dict(self.folder.say(**word))

    def state(self, **changes: Any) -> dict[str, Any]:
        """The first two cameras' words with the door's changed."""
        cameras = copy.deepcopy(WORD["cameras"])
        cameras[0] |= changes
        return self.say(cameras=cameras)

    def publish(self, *bodies: dict[str, Any]) -> None:
        """Keep intervals as the station does: through the ledger, beside the records."""

        def put(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN")
            for body in bodies:
                cells = body.get("heat", {}).get("cells", ())
                ledger.put(connection, body, {(x, y): body["k"] for x, y, _ in cells})
                wall = body["interval_end"]
                record = Record("interval", body["camera"], wall, wall, "boot", body)
                records.add(connection, record)
            connection.execute("COMMIT")

        self.write(put)

    def weeks(self, weeks: int, now: float, seed: int = 7) -> None:
        """All days from so many weeks ago until now."""
        rng, held = np.random.default_rng(seed), Held()
        bodies = []
        for day in range(7 * weeks, -1, -1):
            first = midnight(now, day)
            for start in np.arange(first, midnight(now, day - 1), WIDTH):
                if start + WIDTH > now:
                    break
                hour = datetime.fromtimestamp(start).hour
                many = int(rng.poisson(HOURS[hour] * (1.3 if day % 7 in (1, 2) else 1.0)))
                window = (float(start), float(start + WIDTH))
                held, told = released(held, (many, many), window, K, 3600.0)
                bodies.append(door(start, told.count, told.since))
        self.publish(*bodies)

    def statement(self, text: str = STATEMENT, language: str = "en") -> None:
        said = {"text": text, "at": time.time()}
        self.write(lambda connection: meta.put(connection, f"statement:{language}", said))


def door(
    start: float, count: int | None, since: float | None = None, **changes: Any
) -> dict[str, Any]:
    """One interval of the door; everybody who comes in goes out."""
    since = start if since is None else since
    line = {"line": "door", "in": count, "in_since": since, "out": count, "out_since": since}
    return interval("door", start, lines=[line | {"suppressed": count is None}]) | changes


def floor(start: float, **changes: Any) -> dict[str, Any]:
    """One interval of the floor, with enough people everywhere."""
    spread = {"n": 22, "mean": 48, "p50": 35, "p90": 110}
    queue = {"served": 18, "abandoned_pct": 10, "wait": {"n": 20, "mean": 65, "p50": 60,
             "p90": 140}, "little_wait_s": 70, "agrees": True}  # fmt: skip
    zones = [
        {"zone": "shelf", "suppressed": False, "dwell": spread, "occupancy": None},
        {"zone": "queue", "suppressed": False, "dwell": spread, "occupancy": None,
         "queue": queue},
        {"zone": "till", "suppressed": True, "dwell": None, "occupancy": None},
    ]  # fmt: skip
    cells = [[x, y, 30 * ((x * 7 + y * 3) % 23)] for x in range(2, 14) for y in range(1, 12)]
    heat = {"cell": 0.5, "unit": "m", "cells": cells}
    return interval("floor", start, zones=zones) | {"heat": heat} | changes


def blind(body: dict[str, Any], reason: str = "dark") -> dict[str, Any]:
    """The same interval, had the camera seen nothing."""
    lines = [line | {"in": None, "out": None} for line in body["lines"]]
    zones = [{"zone": zone["zone"], "suppressed": True, "dwell": None, "occupancy": None}
             for zone in body["zones"]]  # fmt: skip
    quality = body["quality"] | {"blocked_pct": 90.0, "reasons": {reason: 810.0}}
    changed = {"lines": lines, "zones": zones, "usable": False, "quality": quality}
    return body | changed | ({"heat": {"cell": 0.5, "unit": "m", "cells": []}})


def interval(camera: str, start: float, **changes: Any) -> dict[str, Any]:
    """One interval of a camera."""
    return {
        "schema": "lineside.retail.interval/1", "camera": camera, "interval_start": start,
        "interval_end": start + WIDTH, "k": K, "lines": [], "zones": [], "usable": True,
        "partial": False, "marks": [],
        "quality": {"observed_s": 890.0, "uptime_pct": 99.0, "blocked_pct": 0.0,
                    "views_unusable": 0, "reasons": {}},
    } | changes  # fmt: skip
