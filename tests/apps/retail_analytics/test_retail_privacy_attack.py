"""Somebody who sees all that is told, at every moment, cannot tell what must not be told.

Two days that differ only in what is nobody's business (one person or two, sooner or later)
are lived through by two stations. All that can be seen of them is compared: the state after
every picture, metrics, records, tables, events, the audit trail, the files' own words.
"""

import json
import re
from contextlib import suppress

import pytest

from tests.apps.retail_analytics.retail_rig import ERIC, Rig, standing

VOLATILE = {
    "latency_ms", "bootid", "boot_id", "id", "source", "host", "recordedtime",  # of the run
    "monotonic", "crc32", "epoch", "hash", "prev", "queued_at",  # of the store's own thread
}  # fmt: skip
TABLES = ("records", "retail_cells", "retail_intervals", "outbox", "alarms", "audit", "meta")
RUN_KEYS = {"epoch", "epoch_after", "boot", "boot_id"}
STEP_S = 4.1


def told(thing):
    """Without what says how long the computer took, and who the station is."""
    if isinstance(thing, dict):
        return {key: told(value) for key, value in thing.items() if key not in VOLATILE}
    if isinstance(thing, list | tuple):
        return [told(value) for value in thing]
    if isinstance(thing, bytes):
        thing = thing.decode()
    if isinstance(thing, str) and thing[:1] in ("{", "["):
        with suppress(ValueError):  # a reason may begin so, too
            return told(json.loads(thing))
    return thing


class Attacker:
    """Sees all there is to see of one station's day."""

    def __init__(self, folder):
        folder.mkdir()
        self.rig = Rig(folder)
        self.seen = []

    def live(self, day):
        """A letter is four seconds at the door: i and o are people going in and out."""
        ways = {"i": ((300, 360), (300, 160)), "o": ((300, 160), (300, 360)), "-": None}
        for letter in day:
            way = ways[letter]
            for step in range(round(STEP_S * 10)):
                boxes = [_on(way, step / 20)] if way and step <= 20 else []
                self.rig.see("door", boxes)
                self._look()
        self.rig.to_border()
        self._look()

    def _look(self):
        metrics = self.rig.station.metrics().decode().splitlines()
        steady = [line for line in metrics if "latency" not in line]
        self.seen.append((told(self.rig.station.snapshot()), steady))

    def tables(self):
        """Every row of every table, without numbers that only name the run."""
        rig = self.rig
        found = {}
        for table in TABLES:
            columns = [row[1] for row in rig.query(f"PRAGMA table_info({table})")]
            rows = rig.query(f"SELECT * FROM {table}")  # noqa: S608 - fixed names
            named = [dict(zip(columns, row, strict=True)) for row in rows]
            kept = [row for row in named if row.get("key") not in RUN_KEYS]
            found[table] = [_row(table, row) for row in kept]
        return found

    def close(self):
        self.rig.stop()


def _on(way, share):
    (x1, y1), (x2, y2) = way
    return standing(x1 + share * (x2 - x1), y1 + share * (y2 - y1))


def _row(table, named):
    if table == "outbox":  # the event; beside it is when the store's thread came to it
        event = told(named["payload"])
        return {key: event[key] for key in ("type", "subject", "data")}
    return told(named)


@pytest.fixture
def lived(tmp_path):
    """Days → what an attacker saw of each, and the tables that were left."""
    attackers = []

    def live(*days):
        for number, day in enumerate(days):
            attackers.append(Attacker(tmp_path / str(number)))
            attackers[-1].live(day)
        return [(attacker.seen, attacker.tables()) for attacker in attackers]

    yield live
    for attacker in attackers:
        attacker.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [("i------", "ii-----"), ("oo-----", "---o---"), ("io-----", "oi-----")],
    ids=["in", "out", "in first, or out first"],
)
def test_small_counts_look_all_the_same_at_every_moment(lived, one, other):
    """k is 3 here: from one to two people are "few" wherever one looks."""
    (seen, tables), (others_seen, others_tables) = lived(one, other)
    assert len(seen) == len(others_seen)
    for number, (mine, theirs) in enumerate(zip(seen, others_seen, strict=True)):
        assert mine == theirs, f"picture {number}"
    assert tables == others_tables


@pytest.mark.parametrize(
    ("sooner", "later"),
    [("iii----", "----iii"), ("iiiooo-", "i-oioio")],
    ids=["in", "in and out"],
)
def test_when_within_the_interval_somebody_came_is_told_nowhere(lived, sooner, later):
    (seen, tables), (others_seen, others_tables) = lived(sooner, later)
    assert tables["retail_cells"] == others_tables["retail_cells"]
    assert any(row["count"] == 3 for row in tables["retail_cells"])  # it was told, afterwards
    for number, (mine, theirs) in enumerate(zip(seen, others_seen, strict=True)):
        assert mine == theirs, f"picture {number}"
    assert tables == others_tables


def test_the_comparison_sees_what_may_be_told(lived):
    """Three people or none: that is told, and the attacker must notice it."""
    (seen, tables), (others_seen, others_tables) = lived("iii----", "-------")
    assert seen != others_seen
    assert tables != others_tables


def test_logs_do_not_tell_of_people(lived, caplog):
    with caplog.at_level("DEBUG"):
        lived("iii--o-")
    text = caplog.text
    assert not re.search(r"\b(crossing|track|entered|left|dwell)\b.*\d", text)


def test_the_mosaic_is_one_picture_in_five_seconds_and_in_no_table(tmp_path):
    attacker = Attacker(tmp_path / "a")
    rig = attacker.rig
    rig.watch("door", 1.0)
    answer = rig.command("setup.mosaic", ERIC, camera="door", reason="drawing")
    cells = [value for row in answer["cells"] for cell in row for value in cell]
    assert len(answer["cells"]) <= 36
    assert len(answer["cells"][0]) <= 64
    with pytest.raises(ValueError, match=r"5 s|wait|soon"):
        rig.command("setup.mosaic", ERIC, camera="door", reason="drawing")
    rows = json.dumps(attacker.tables(), default=str)
    some = ", ".join(map(str, cells[300:306]))
    assert some not in rows
    assert "setup.mosaic" in rows  # but that it was looked at is kept
    attacker.close()
