"""The bench's client of a station: hours of watching end a session, not the bench."""

from contextlib import closing

from apps.bench_client import Station
from apps.browser import until


def test_a_session_that_ended_is_begun_anew(tmp_path):
    with closing(Station(tmp_path / "bench-1", "long enough a word")) as station:
        station._token = station._token[::-1]
        assert float(station.command("raise", first=1)) > 0
        assert until(lambda: station.annunciated("event_"), "its record") == 1
