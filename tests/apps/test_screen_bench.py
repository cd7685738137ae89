"""The bench's own arithmetic, and the station that it measures with."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps import bench_station, screen_bench
from apps.bench_station import EVENTS, STANDING, VALUES, BenchStation
from apps.browser import until
from common.clock import SystemClock
from common.errors import LinesideError
from common.screen.document import Document
from common.store import Store
from common.users import User

NUMBERS = st.lists(st.floats(0, 1e6), min_size=1)


@given(NUMBERS, st.floats(0, 1))
def test_a_quantile_lies_among_the_values(values: list[float], q: float) -> None:
    found = screen_bench._quantile(values, q)
    assert min(values) <= found <= max(values)
    assert screen_bench._quantile(values, 0.0) == min(values)
    assert screen_bench._quantile(values, 1.0) == max(values)


def test_a_summary_has_the_quantiles_and_how_many_there_were() -> None:
    found = screen_bench.summary([float(n) for n in range(101)])
    assert found == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "most": 100.0, "n": 101}
    assert "p95" in screen_bench.as_text({"event_to_visible_ms": found})


def test_waiting_without_end_is_an_error() -> None:
    with pytest.raises(LinesideError, match="waited 0 s for a wonder"):
        until(lambda: False, "a wonder", 0.05)


@pytest.fixture
def station(tmp_path: Path) -> Any:
    store = Store(tmp_path / "station.sqlite", SystemClock())
    yield BenchStation("bench-1", store)
    store.close()


def test_the_bench_station_says_what_screens_read(station: BenchStation) -> None:
    station._say()
    word = Document(station.snapshot())
    assert len(word.documents("values")) == VALUES
    assert word.documents("alarms") == ()


def test_its_events_are_alarms_that_an_operator_can_take(station: BenchStation) -> None:
    user = User("bench", "engineer")
    wall = station._done("raise", {"first": 3, "many": 2}, user)
    station._say()
    alarms = Document(station.snapshot()).documents("alarms")
    assert {alarm.text("id") for alarm in alarms} == {"event_0003", "event_0004"}
    assert f"@{wall:.3f};" in alarms[0].text("detail")
    assert station._done("acknowledge", {"alarm_id": "event_0003"}, user) == "acknowledged"


def test_there_are_alarms_enough() -> None:
    assert len(bench_station.definitions()) == STANDING + EVENTS
