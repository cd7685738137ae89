"""People at the screens, before a real station: sessions, two operators, forged commands."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from apps.bench_station import BenchStation
from common import audit
from common.clock import SystemClock
from common.screen import commands
from common.screen.station_file import read_station
from common.service import ApiServer, build_api
from common.storage.queries import audit_tail, open_readonly
from common.store import Store
from common.users import Users
from tests.apps.conftest import PASSWORD
from tests.apps.screens import press, run, sign_in, started, text


def alarms_page() -> None:
    from common.screen.alarm_page import alarm_page  # noqa: PLC0415 - the script of the test
    from common.screen.page import begin  # noqa: PLC0415

    begin("Alarms")
    alarm_page()


def signed_in(name: str = "anna", password: str = PASSWORD) -> AppTest:
    return sign_in(started(alarms_page), name, password)


# ------------------------------------------------------------------ sessions


def test_a_session_that_the_station_has_ended_says_so(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1)])
    page = signed_in()
    port, given = page.session_state["ls_signed_in"].passes["a"]
    commands.sign_out(port, given)  # as a restart of the station does
    press(page, "Acknowledge")
    assert "your session at a has ended. Sign in again." in text(page)
    assert "not signed in" in text(page)
    assert api.got == []


def test_a_session_is_forgotten_when_nobody_uses_it(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1)])
    page = signed_in()
    page.session_state["ls_signed_in"].used = time.monotonic() - 901.0
    assert "not signed in" in text(run(page))
    assert "ls_signed_in" not in page.session_state


def test_one_password_signs_in_at_every_station_that_takes_it(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1)])
    var.station("b").say(api_port=None, alarms=[var.alarm("y", 2)])
    page = signed_in("eric")
    assert "Signed in as eric (a: engineer). Not at b." in text(page)
    press(page, "Acknowledge", 1)
    assert "you are not signed in at b" in text(page)
    assert api.got == []


def test_a_role_is_said_in_the_language_of_the_page(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port)
    page = started(alarms_page, lang="de")
    page.text_input(key="ls-name").input("eric")
    page.text_input(key="ls-password").input(PASSWORD)
    press(page, "Anmelden")
    assert "Angemeldet als eric (a: Techniker)." in text(page)


def test_signing_in_without_a_station_says_so(var: Any) -> None:
    page = signed_in()
    assert "There is no station to sign in at." in text(page)


def test_the_answer_is_in_the_language_of_the_page(var: Any, api: Any) -> None:
    var.station("a").say(api_port=api.port, alarms=[var.alarm("x", 1)])
    page = started(alarms_page, lang="de")
    press(page, "Quittieren")
    assert "Nichts wurde gesendet" in text(page)


# ------------------------------------------------------------------ a real station


class Bench:
    """A bench station in this process: real board, store, API and trail."""

    def __init__(self, folder: Any) -> None:
        self.store = Store(folder / "station.sqlite", SystemClock())
        self.station = BenchStation(folder.name, self.store)
        users = Users(folder / "users.json", SystemClock())
        users.add("anna", "operator", PASSWORD)
        users.add("bert", "operator", PASSWORD)
        keep = partial(audit.submit, self.store)
        self.server = ApiServer(build_api(self.station, users, audit=keep), 0)
        self.server.start()
        self.station.port = self.server.port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.station.run, args=(self._stop,))
        self._thread.start()

    def send(self, name: str, who: str, **arguments: Any) -> httpx.Response:
        return httpx.post(
            f"http://127.0.0.1:{self.server.port}/commands/{name}", json=arguments,
            auth=(who, PASSWORD), headers={"X-Nonce": f"{time.monotonic_ns():020}"},
            trust_env=False,
        )  # fmt: skip

    def trail(self) -> list[tuple[str, str, str]]:
        with closing(open_readonly(self.store.path)) as connection:
            return [(row.user, row.action, row.target) for row in audit_tail(connection)]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.server.stop()
        self.store.close()


@pytest.fixture
def bench(var: Any) -> Iterator[Bench]:
    folder = var.folder / "press"
    folder.mkdir(parents=True)
    made = Bench(folder)
    until(lambda: read_station(made.store.path).snapshot, "the station's first word")
    yield made
    made.close()


def until(condition: Any, what: str) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"waited for {what}")


def raised(bench: Bench, page: AppTest) -> None:
    """An alarm comes, and the page shows it."""
    assert bench.send("raise", "bert", first=1).is_success
    until(lambda: "event 0001" in text(run(page)), "the alarm on the page")


def test_acknowledging_at_a_real_station_is_audited(bench: Bench) -> None:
    page = signed_in()
    raised(bench, page)
    press(page, "Acknowledge")
    assert "Done: acknowledged." in text(page)
    until(lambda: ("anna", "acknowledge", "event_0001") in bench.trail(), "the audit row")
    assert bench.trail()[0] == ("anna", "login", "session")


def test_of_two_operators_none_acts_on_what_the_other_has_changed(bench: Bench) -> None:
    page = signed_in()
    raised(bench, page)
    assert bench.send("acknowledge", "bert", alarm_id="event_0001").is_success
    press(page, "Acknowledge")
    assert "it has changed since it was looked at" in text(page)
    until(
        lambda: ("anna", "command refused", "command/acknowledge") in bench.trail(),
        "the refusal in the trail",
    )


def test_a_command_for_an_alarm_that_has_returned_changes_nothing_and_is_audited(
    bench: Bench,
) -> None:
    page = signed_in()
    raised(bench, page)
    assert bench.send("clear", "bert", first=1).is_success
    press(page, "Acknowledge")  # of what it showed before it went
    assert "it has changed since it was looked at, and is RTNUN now" in text(page)
    assert bench.send("acknowledge", "bert", alarm_id="event_0001").is_success
    reply = bench.send("acknowledge", "anna", alarm_id="event_0001")
    assert reply.json() == {"result": "nothing to acknowledge: it is back to normal"}
    several = bench.send("acknowledge", "anna", alarms={"event_0001": None, "nobody": None})
    assert several.json()["result"]["nobody"] == "there is no alarm nobody"
    wanted = ("anna", "command without effect", "command/acknowledge")
    until(lambda: bench.trail().count(wanted) == 2, "both in the trail")
    assert not any(act == ("anna", "acknowledge", "event_0001") for act in bench.trail())


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("acknowledge", {"alarm_id": "no_such_alarm"}, "there is no alarm"),
        ("shelve", {"alarm_id": "standing_00", "seconds": 60.0, "reason": " "}, "reason"),
        ("shelve", {"alarm_id": "standing_00", "seconds": 1e9, "reason": "x"}, "at most"),
        ("reset_alarm", {"alarm_id": "x' OR 1=1"}, "there is no alarm"),
        ("acknowledge", {"alarm_id": {"$ne": 1}}, "must be a text"),
    ],
)
def test_a_bad_command_changes_nothing_and_is_in_the_trail(
    bench: Bench, name: str, arguments: dict[str, Any], why: str
) -> None:
    before = {a["id"]: a["revision"] for a in bench.station.snapshot()["alarms"]}
    reply = bench.send(name, "anna", **arguments)
    assert reply.status_code == 422
    assert why in reply.json()["detail"]
    until(
        lambda: ("anna", "command refused", f"command/{name}") in bench.trail(),
        "the refusal in the trail",
    )
    after = {a["id"]: a["revision"] for a in bench.station.snapshot()["alarms"]}
    assert after == before
