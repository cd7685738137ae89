"""The bench's own arithmetic, and the station that it measures with."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps import bench_station, screen_bench, screen_soak
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
    assert (
        station._done("acknowledge", {"alarm_id": "event_0003"}, user).result(10)
        == "acknowledged"
    )


def test_there_are_alarms_enough() -> None:
    assert len(bench_station.definitions()) == STANDING + EVENTS


FIGURES: dict[str, Any] = {
    "event_to_visible_ms": {"p95": 900.0, "p99": 1200.0},
    "acknowledge_ms": {"most": 300.0},
    "layout_shift": 0.0,
    "ready_s": {"most": 2.0},
    "server_cpu_share": 0.03,
    "memory": {"flat": True},
    "ten_browsers": {"event_to_visible_ms": {"p99": 2000.0}, "ready_s": {"most": 2.5}},
    "flood": {"counted": 1000, "raised": 1000, "first_out_on_top": True},
    "silent_after_s": 2.0,
}


def test_every_aim_is_judged() -> None:
    good = screen_bench.reached(FIGURES)
    assert all(good.values())
    bad = screen_bench.reached(
        {**FIGURES, "server_cpu_share": 0.2, "flood": {**FIGURES["flood"], "counted": 999}}
    )
    assert [name for name, was in bad.items() if not was] == [
        "server ≤ 15 % of a core",
        "flood: none lost",
    ]


def test_memory_that_grows_is_seen_and_a_warm_up_is_none() -> None:
    minutes = [60.0 * n for n in range(121)]
    grows = [(at, 100 + at / 3600 * 8) for at in minutes]
    warm = [(at, 100 + min(at, 600) / 30) for at in minutes]
    assert screen_soak.mb_per_h(grows) == pytest.approx(8.0)
    assert not screen_soak.is_flat(grows)
    assert screen_soak.is_flat(warm)


def test_a_short_watch_sees_only_a_leap() -> None:
    assert screen_soak.is_flat([(0.0, 100.0), (60.0, 110.0)])
    assert not screen_soak.is_flat([(0.0, 100.0), (60.0, 130.0)])
    assert screen_soak.mb_per_h([(0.0, 100.0)]) is None
