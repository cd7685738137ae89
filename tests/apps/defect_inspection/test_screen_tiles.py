"""The tiles: what is missing is "–", what is not normal is said, alarms give the colour."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.defect_inspection import screen_tiles
from common.screen.alarms import alarms_of
from common.screen.document import MISSING, Document
from common.screen.freshness import Freshness
from common.screen.tiles import Tile, grid

FRESH, STALE = Freshness(0.4), Freshness(75.0)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
SECTIONS = (
    "line", "counts", "reject_rate", "challenge", "latency_ms", "link", "store", "host",
    "faults",
)  # fmt: skip


def tiles(word: dict[str, Any], trend: tuple[float, ...] = ()) -> dict[str, Tile]:
    document = Document(word)
    drawn = screen_tiles.tiles(document, alarms_of(document), trend)
    return {tile.key: tile for tile in drawn}


@given(st.fixed_dictionaries(dict.fromkeys(SECTIONS, ANYTHING)))
def test_whatever_a_station_says_there_are_tiles(word: dict[str, Any]) -> None:
    document = Document(word)
    drawn = screen_tiles.tiles(document, (), ())
    assert grid(drawn, FRESH).count("ls-tile") == len(drawn)


def test_a_station_that_says_nothing_shows_no_number() -> None:
    for key, tile in tiles({}).items():
        shown = tile.value + " ".join(tile.notes)
        assert not any(letter.isdigit() for letter in shown), key
    assert tiles({})["parts"].value == MISSING


def test_the_grid_is_full() -> None:
    drawn = tiles({})
    assert sum(tile.wide for tile in drawn.values()) == 12  # three rows of four


@pytest.mark.parametrize(
    ("now", "low", "high", "value", "abnormal"),
    [
        (0.12, 0.098, 0.131, "12.0\u202f%", False),
        (0.32, 0.098, 0.131, "32.0\u202f%, ABOVE its band", True),
        (0.01, 0.098, 0.131, "1.0\u202f%, below its band", False),
        (None, None, None, MISSING, False),
        (0.0, None, None, "0.0\u202f%", False),
    ],
)
def test_reject_rate(
    now: float | None, low: float | None, high: float | None, value: str, abnormal: bool
) -> None:
    rate = {"now": now, "low": low, "high": high, "window_parts": 50}
    tile = tiles({"reject_rate": rate}, (0.1, 0.2))["rate"]
    assert (tile.value, tile.abnormal) == (value, abnormal)


def test_rejects_in_a_row_and_the_line_stop() -> None:
    line = {"consecutive_rejects": 5, "consecutive_limit": 5, "line_stop": "5 in a row"}
    tile = tiles({"line": line})["streak"]
    assert (tile.value, tile.abnormal) == ("5 of 5", True)
    assert tile.notes == ("Line stop: 5 in a row",)


@pytest.mark.parametrize(
    ("plc", "vision", "value", "abnormal"),
    [
        (True, True, "both alive", False),
        (False, True, "PLC SILENT", True),
        (True, False, "vision SILENT", True),
        (None, True, "PLC not read", True),
    ],
)
def test_heartbeats(plc: bool | None, vision: bool, value: str, abnormal: bool) -> None:
    tile = tiles({"line": {"plc_alive": plc, "vision_alive": vision}})["heartbeats"]
    assert (tile.value, tile.abnormal) == (value, abnormal)


@pytest.mark.parametrize(
    ("faults", "value", "abnormal"),
    [(0, "has room · ok", False), (1, "FULL · ok", True), (2, "has room · LOW", True)],
)
def test_bin_and_air(faults: int, value: str, abnormal: bool) -> None:
    tile = tiles({"line": {"plc_alive": True, "reject_faults": faults}})["bin"]
    assert (tile.value, tile.abnormal) == (value, abnormal)


def test_unconfirmed_rejects_are_abnormal() -> None:
    counts = {"commanded": 20, "confirmed": 18, "unconfirmed": 2}
    tile = tiles({"counts": counts, "line": {"reject_faults": 12}})["confirm"]
    assert (tile.value, tile.abnormal) == ("20 / 18", True)
    assert tile.notes == ("2 unconfirmed", "confirm missing, track lost")


@pytest.mark.parametrize(("p99", "abnormal"), [(299.0, False), (301.0, True), (None, False)])
def test_latency_beside_its_deadline(p99: float | None, abnormal: bool) -> None:
    word = {"latency_ms": {"total": {"p99": p99}}, "deadline_ms": 300.0}
    assert tiles(word)["latency"].abnormal is abnormal


def test_a_failed_challenge_test() -> None:
    test = {"outcome": "failed", "pieces": 3, "rejected": 2, "confirmed": 2, "passed": 1}
    tile = tiles({"challenge": test})["challenge"]
    assert (tile.value, tile.abnormal) == ("FAILED", True)
    assert tile.notes == ("2 rejected, 2 confirmed of 3", "1 PASSED the gate")
    assert tiles({"challenge": None})["challenge"].value == "none since start"


def test_a_challenge_test_that_was_not_finished_is_not_normal() -> None:
    test = {"outcome": "incomplete", "pieces": 3, "rejected": 1, "confirmed": 1, "passed": 0}
    tile = tiles({"challenge": test})["challenge"]
    assert (tile.value, tile.abnormal) == ("NOT FINISHED", True)


def test_links_and_their_backlog() -> None:
    mqtt = {"state": "offline", "queued": 1234, "oldest_age_s": 720.0, "dead": 2}
    tile = tiles({"link": {"mqtt": mqtt, "webhook": {"state": "off", "queued": 0}}})["link"]
    assert (tile.value, tile.abnormal) == ("MQTT offline", True)
    assert tile.title == "Links · 2 refused for good"
    assert tile.notes == ("1\u202f234 queued, oldest 00:12:00", "MES off, 0 queued")


def test_records_that_are_not_kept_are_said() -> None:
    store = {"healthy": False, "refused": 3, "failed": 17, "error": "disk full"}
    tile = tiles({"healthy": True, "store": store})["station"]
    assert tile.abnormal
    assert tile.notes == ("disk full; 20 not kept",)


def test_colour_comes_from_an_alarm_on_the_subject_only() -> None:
    late = {"id": "late_verdicts", "priority": 3, "state": "UNACK"}
    drawn = tiles({"alarms": [late]})
    assert [key for key, tile in drawn.items() if tile.priority] == ["latency"]
    assert drawn["latency"].priority == 3


def test_silence_hatches_every_tile_and_gives_its_age() -> None:
    drawn = grid(tiles({}).values(), STALE)
    assert drawn.count("ls-stale") == drawn.count("01:15 old") == len(tiles({}))
    assert "ls-stale" not in grid(tiles({}).values(), FRESH)


@pytest.mark.parametrize(
    ("state", "word"), [(6, "Execute"), (17, "Complete"), (0, "not read"), (99, "State 99")]
)
def test_packml_words(state: int, word: str) -> None:
    assert screen_tiles.state_word(state) == word
