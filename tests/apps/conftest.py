"""A var folder as a station would have left it: a real store file, real pictures."""

import copy
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from apps.browser import ScreenServer
from apps.defect_inspection.simulate import make_board
from common import audit, meta, records
from common.audit import Act
from common.clock import SystemClock
from common.records import Label, Record
from common.service import ApiServer, build_api
from common.storage.schema import MIGRATIONS
from common.users import User, Users
from tests.apps.browsing import a_browser

SNAPSHOT: dict[str, Any] = {
    "station": "defect-inspection",
    "app": "defect_inspection",
    "api_port": 8101,
    "software": "lineside 0.1.0",
    "model": {
        "name": "pcb",
        "version": "1.0.0",
        "artefact": "openvino/int8",
        "device": "CPU",
        "reason": "fastest that runs here",
    },
    "healthy": True,
    "faults": [],
    "line": {
        "mode": 1,
        "state": 6,
        "speed_mm_s": 250,
        "recipe_id": 1,
        "recipe": "Bare board, back-lit",
        "batch": 7,
        "plc": "modbus 127.0.0.1:5020",
        "plc_alive": True,
        "vision_alive": True,
        "vision_beats": 20_345,
        "consecutive_rejects": 1,
        "consecutive_limit": 5,
        "line_stop": "",
        "reject_faults": 0,
    },
    "counts": {
        "parts": 12_345,
        "pass": 11_000,
        "hold": 45,
        "reject": 1_290,
        "late": 2,
        "bad_image": 5,
        "no_result": 3,
        "commanded": 1_345,
        "confirmed": 1_345,
        "unconfirmed": 0,
    },
    "reject_rate": {"now": 0.12, "low": 0.098, "high": 0.131, "window_parts": 50},
    "challenge": None,
    "latency_ms": {
        "perceive": {"p50": 18.0, "p95": 24.0, "p99": 31.0},
        "act": {"p50": 2.0, "p95": 3.0, "p99": 4.0},
        "total": {"p50": 31.2, "p95": 40.0, "p99": 52.4},
    },
    "deadline_ms": 300.0,
    "link": {
        "mqtt": {"state": "online", "reason": "", "queued": 0, "oldest_age_s": None, "dead": 0},
        "webhook": {"state": "off", "reason": "", "queued": 0, "oldest_age_s": None, "dead": 0},
    },
    "store": {"healthy": True, "refused": 0, "failed": 0, "error": ""},
    "alarms": [],
    "host": {
        "temperature_c": 51.2,
        "throttled": False,
        "memory_used_share": 0.41,
        "disk_free_mb": 52_000.0,
        "load_1m": 0.7,
    },
}


class StationFolder:
    """One station's folder, written as a station writes it."""

    def __init__(self, folder: Path) -> None:
        (folder / "pictures").mkdir(parents=True)
        self.folder, self.file = folder, folder / "station.sqlite"
        self._rng = np.random.default_rng(3)
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            for script in MIGRATIONS:
                connection.executescript(script)

    def say(self, age_s: float = -2.0, **changes: Any) -> dict[str, Any]:
        """Write a snapshot; tables in `changes` are merged one level deep.

        It stays fresh for five seconds, so that a busy machine does not fail a test.
        """
        word = copy.deepcopy(SNAPSHOT) | {"wall_time": time.time() - age_s}
        word["station"] = self.folder.name
        for key, value in changes.items():
            merges = isinstance(value, dict) and isinstance(word.get(key), dict)
            word[key] = word[key] | value if merges else value
        self._write(lambda connection: meta.put(connection, "snapshot", word))
        return word

    def say_raw(self, text: str) -> None:
        self._write(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO meta VALUES('snapshot', ?)", (text,)
            )
        )

    def part(self, verdict: str, age_s: float = 0.0, **changes: Any) -> int:
        """A part with this verdict; parts that did not pass have a picture and a defect."""
        number = self._next()
        body: dict[str, Any] = {
            "part_id": number,
            "verdict": verdict,
            "reasons": [],
            "defects": [],
            "challenge": False,
        }
        picture = None
        if verdict in ("hold", "reject"):
            board = make_board(self._rng, defective=True)
            picture = f"boot-{number}.png"
            cv2.imwrite(str(self.folder / "pictures" / picture), board.frame)
            body["defects"] = [
                {
                    "kind": defect.kind,
                    "score": round(0.9 - 0.1 * at, 2),
                    "box_px": list(map(float, defect.box)),
                    "size_mm": 0.42,
                    "centre_mm": [5.1, 4.2],
                }
                for at, defect in enumerate(board.defects)
            ]
            body["reasons"] = [f"{body['defects'][0]['kind']} 0.42 mm at (5.1, 4.2) mm"]
        body |= changes
        wall = time.time() - age_s
        record = Record("verdict", f"{number}/{number}", wall, wall, "boot", body, picture)
        return int(self._write(lambda connection: records.add(connection, record)))

    def alarm_change(
        self, alarm_id: str, state: str, age_s: float = 0.0, **changes: Any
    ) -> int:
        """A change of an alarm, as the station records it."""
        body = {
            "alarm_id": alarm_id, "state": state, "was": "NORM", "priority": 2,
            "text": alarm_id.replace("_", " "), "detail": "", "by": "process",
            "action": "process", "reason": "", "role": "operator", "active_since": None,
        } | changes  # fmt: skip
        wall = time.time() - age_s
        record = Record("alarm", alarm_id, wall, wall, "boot", body)
        return int(self._write(lambda connection: records.add(connection, record)))

    def act(self, name: str, action: str, target: str, reason: str = "") -> None:
        """What a person did."""
        act = Act(name, "operator", action, target, reason)
        self._write(lambda connection: audit.append(connection, act, time.time()))

    def label(self, seq: int, label: str) -> None:
        entry = Label(seq, time.time(), "anna", label, "looked at it")
        self._write(lambda connection: records.overrule(connection, entry))

    def _next(self) -> int:
        with closing(sqlite3.connect(self.file)) as connection:
            return int(connection.execute("SELECT count(*) FROM records").fetchone()[0]) + 4700

    def _write(self, operation: Any) -> Any:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return operation(connection)


def alarm(alarm_id: str, priority: int, state: str = "UNACK", **changes: Any) -> dict[str, Any]:
    """One alarm as the snapshot has it."""
    return {
        "id": alarm_id,
        "priority": priority,
        "state": state,
        "text": alarm_id.replace("_", " "),
        "detail": "",
        "cause": "what it comes from",
        "consequence": "what follows",
        "response": "what to do",
        "time_to_respond_s": 300.0,
        "shelve_max_s": 28_800.0,
        "latched": False,
        "first_out": "",
        "ack_user": "",
        "revision": 3,
        "hidden": [],
        "since": time.time() - 75,
    } | changes


def hidden(alarm_id: str, how: str, **changes: Any) -> dict[str, Any]:
    """One alarm that is not annunciated, as the snapshot has it."""
    now = time.time()
    hiding = {
        "how": how, "by": "anna", "reason": "the sensor is being changed", "since": now - 60,
        "until": now + 840 if how == "SHELVED" else None, "permit": "",
    }  # fmt: skip
    return alarm(alarm_id, 2, how, hidden=[hiding | changes])


class Var:
    """A var folder with stations in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alarm, self.hidden = alarm, hidden

    def station(self, name: str = "defect-inspection") -> StationFolder:
        return StationFolder(self.folder / name)


@pytest.fixture(autouse=True)
def main_module_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page under test takes the place of `__main__` and keeps it.

    A process begun after it, in another test, would import that page instead.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Var:
    """An empty var folder that the screens read."""
    monkeypatch.setenv("LINESIDE_VAR", str(tmp_path / "var"))
    return Var(tmp_path / "var")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; the test is skipped with the reason where there is none."""
    with a_browser() as opened:
        yield opened


@pytest.fixture
def server(browser: Any, var: Var) -> Iterator[ScreenServer]:
    """The screens of `var`; only where there is a browser to see them."""
    made = ScreenServer(var.folder)
    yield made
    made.close()


class Asked:
    """A station behind its real API that remembers what it was asked."""

    roles = {  # noqa: RUF012
        "acknowledge": "operator",
        "reset_alarm": "operator",
        "shelve": "operator",
        "unshelve": "operator",
        "remove_from_service": "engineer",
        "return_to_service": "engineer",
        "reset_line": "operator",
        "overrule": "operator",
        "challenge": "engineer",
    }

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any], str]] = []
        self.state: dict[str, Any] = {}
        self.trail: list[Act] = []
        self.port = 0

    def snapshot(self) -> dict[str, Any]:
        return self.state

    def metrics(self) -> bytes:
        return b""

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        self.got.append((name, arguments, user.name))
        future: Future[Any] = Future()
        future.set_result(f"{name} carried out")
        return future


PASSWORD = "correct-horse"  # noqa: S105 - of users that live as long as a test


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Asked]:
    """A station's API with anna, an operator, and eric, an engineer."""
    asked = Asked()
    users = Users(tmp_path / "users.json", SystemClock())
    users.add("anna", "operator", PASSWORD)
    users.add("eric", "engineer", PASSWORD)
    server = ApiServer(build_api(asked, users, audit=asked.trail.append), 0)
    server.start()
    asked.port = server.port
    yield asked
    server.stop()
