"""A station is heard from its file, else from itself, and is silent only when both are."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from common import meta
from common.screen import listening
from common.screen.freshness import LATE_AFTER_S, STALE_AFTER_S
from common.screen.listening import hear, hear_all, know_ports, port_of
from common.storage.schema import MIGRATIONS


class Api:
    """What a station's API says at /state, or how it hangs."""

    def __init__(self) -> None:
        api = self
        self.word: Any = {}
        self.asked, self.hangs = 0, 0.0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.asked += 1
                time.sleep(api.hangs)
                body = (
                    api.word if isinstance(api.word, bytes) else json.dumps(api.word).encode()
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # who asked has gone
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


class Station:
    """A station's file, written by hand."""

    def __init__(self, folder: Path, name: str, port: int | None) -> None:
        self.name, self.port = name, port
        self.file = folder / name / "station.sqlite"
        self.file.parent.mkdir()
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            for script in MIGRATIONS:
                connection.executescript(script)

    def word(self, age_s: float, **more: Any) -> dict[str, Any]:
        port = {} if self.port is None else {"api_port": self.port}
        return {"station": self.name, "wall_time": time.time() - age_s, **port, **more}

    def say(self, age_s: float, **more: Any) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            meta.put(connection, "snapshot", self.word(age_s, **more))


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of stations of other tests."""
    monkeypatch.setattr(listening, "_ports", {})
    monkeypatch.setattr(listening, "_answers", listening._Answers())


@pytest.fixture
def station(tmp_path: Path, api: Api) -> Station:
    return Station(tmp_path, "press-1", api.port)


def test_a_fresh_file_is_enough(station: Station, api: Api) -> None:
    station.say(-1.0)
    heard = hear(station.file)
    assert not heard.freshness.stale
    assert (heard.asked, heard.trouble, api.asked) == (False, "", 0)
    assert heard.port == api.port


def test_a_late_file_of_a_living_station_is_no_silence(station: Station, api: Api) -> None:
    station.say(30.0, healthy=False)
    api.word = station.word(-1.0, healthy=True)
    heard = hear(station.file)
    assert not heard.freshness.stale
    assert heard.asked
    assert heard.word.flag("healthy") is True
    assert "its file is late: 00:30 old" in heard.trouble


def test_a_quiet_station_whose_commit_waits_looks_as_it_always_does(
    station: Station, api: Api
) -> None:
    """No notice, and no word of having been asked: nothing is wrong."""
    station.say((STALE_AFTER_S + LATE_AFTER_S) / 2, healthy=False)
    api.word = station.word(-1.0, healthy=True)
    heard = hear(station.file)
    assert (heard.freshness.stale, heard.asked, heard.trouble) == (False, False, "")
    assert heard.word.flag("healthy") is True


def test_a_station_that_died_is_silent_before_its_file_is_called_late(
    station: Station, api: Api
) -> None:
    station.say((STALE_AFTER_S + LATE_AFTER_S) / 2)
    api.close()
    assert hear(station.file).freshness.stale


def test_a_dead_station_is_silent(station: Station, api: Api) -> None:
    station.say(30.0)
    api.close()
    heard = hear(station.file)
    assert heard.freshness.stale
    assert not heard.asked
    assert 30 <= heard.freshness.age_s < 40


def test_a_station_whose_loop_hangs_is_silent_though_its_api_answers(
    station: Station, api: Api
) -> None:
    station.say(30.0)
    api.word = station.word(30.0)
    assert hear(station.file).freshness.stale


def test_an_api_that_hangs_holds_up_no_page(station: Station, api: Api) -> None:
    station.say(30.0)
    api.word, api.hangs = station.word(-1.0), 5.0
    start = time.monotonic()
    assert hear(station.file).freshness.stale
    assert time.monotonic() - start < 3.0


@pytest.mark.parametrize("word", [b"", b"[1]", b'{"station": "other", "wall_time": 9e9}', b"7"])
def test_an_answer_that_is_not_the_stations_is_none(
    station: Station, api: Api, word: bytes
) -> None:
    station.say(30.0)
    api.word = word
    heard = hear(station.file)
    assert heard.freshness.stale
    assert not heard.asked


def test_ten_browsers_ask_once(station: Station, api: Api) -> None:
    station.say(30.0)
    api.word = station.word(-1.0)
    threads = [threading.Thread(target=hear, args=(station.file,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.asked == 1


def test_a_broken_file_falls_back_on_the_port_last_heard(station: Station, api: Api) -> None:
    station.say(-1.0)
    hear(station.file)
    station.file.write_bytes(b"not a database" * 400)
    api.word = station.word(-1.0)
    heard = hear(station.file)
    assert heard.asked
    assert not heard.freshness.stale
    assert heard.reading is None
    assert "cannot be read" in heard.trouble


def test_a_broken_file_falls_back_on_a_port_in_the_settings(station: Station, api: Api) -> None:
    station.file.write_bytes(b"not a database" * 400)
    assert hear(station.file).freshness.stale
    know_ports(f"press-1={api.port} nonsense press-2=x")
    api.word = station.word(-1.0)
    assert hear(station.file).asked
    assert port_of("press-2") is None


@pytest.mark.parametrize("port", [None, 0, 80, 70_000, "x"])
def test_nobody_is_asked_at_a_port_that_is_none(tmp_path: Path, port: Any) -> None:
    station = Station(tmp_path, "a", port)
    station.say(30.0)
    assert hear(station.file).freshness.stale


def test_a_station_that_has_said_nothing_yet(station: Station) -> None:
    heard = hear(station.file)
    assert not heard.word
    assert heard.freshness.stale
    assert heard.trouble == "it has not said anything yet"


def test_a_locked_file_holds_up_no_page_and_the_station_is_asked(
    station: Station, api: Api
) -> None:
    station.say(-1.0)
    hear(station.file)
    api.word = station.word(-1.0)
    with closing(sqlite3.connect(station.file, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode=DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        heard = hear(station.file)
        assert time.monotonic() - start < 1.9
    assert heard.asked
    assert "locked" in heard.trouble


def test_all_stations_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        Station(tmp_path, name, None).say(-1.0)
    assert [heard.name for heard in hear_all(tmp_path)] == ["a", "b"]


def test_a_station_whose_file_is_gone_is_silent_and_not_forgotten(tmp_path: Path) -> None:
    station = Station(tmp_path, "a", None)
    station.say(-1.0)
    assert not hear_all(tmp_path)[0].freshness.stale
    station.file.rename(tmp_path / "elsewhere")
    (heard,) = hear_all(tmp_path)
    assert heard.name == "a"
    assert heard.freshness.stale
    assert "cannot be read" in heard.trouble
