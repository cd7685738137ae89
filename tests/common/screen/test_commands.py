"""Commands against a station's real API: every answer is one clear line."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.clock import SystemClock
from common.errors import LinesideError
from common.screen import commands, language
from common.screen.commands import Answer, Pass, ask, send, sign_in, sign_out
from common.service import ApiServer, build_api
from common.service import commands as service_commands
from common.users import User, Users

ANNA, ERIC = "anna-password", "eric-password"


class Asked:
    """A station that remembers what it was asked."""

    roles = {"acknowledge": "operator", "challenge": "engineer"}  # noqa: RUF012

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any], str]] = []
        self.answer: Any = "acknowledged"

    def snapshot(self) -> dict[str, Any]:
        return {}

    def metrics(self) -> bytes:
        return b""

    def command(self, name: str, arguments: dict[str, Any], user: User) -> "Future[Any]":
        self.got.append((name, arguments, user.name))
        future: Future[Any] = Future()
        if isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        elif self.answer is not None:
            future.set_result(self.answer)
        return future


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def station() -> Asked:
    return Asked()


@pytest.fixture
def port(tmp_path: Path, station: Asked) -> Iterator[int]:
    users = Users(tmp_path / "users.json", SystemClock())
    users.add("anna", "operator", ANNA)
    users.add("eric", "engineer", ERIC)
    number = free_port()
    server = ApiServer(build_api(station, users), number)
    server.start()
    yield number
    server.stop()


@pytest.fixture
def anna(port: int) -> Pass:
    """What anna was given for her password."""
    given, _ = sign_in(port, "anna", ANNA)
    assert given is not None
    return given


def test_a_command_is_carried_out_as_its_user(port: int, station: Asked, anna: Pass) -> None:
    answer = send(port, "acknowledge", {"alarm_id": "x"}, anna)
    assert answer == Answer(True, "Done: acknowledged.", 200)
    assert station.got == [("acknowledge", {"alarm_id": "x"}, "anna")]


def test_two_commands_are_two_commands(port: int, station: Asked, anna: Pass) -> None:
    assert send(port, "acknowledge", {}, anna).done
    assert send(port, "acknowledge", {}, anna).done  # each has a nonce of its own
    assert len(station.got) == 2


def test_a_token_that_was_made_up(port: int, station: Asked) -> None:
    answer = send(port, "acknowledge", {}, Pass("made-up", "anna", "operator"))
    assert (answer.done, answer.status) == (False, 401)
    assert "Name or password wrong" in answer.text
    assert station.got == []


def test_the_wrong_role_is_said_by_name(port: int, anna: Pass) -> None:
    answer = send(port, "challenge", {}, anna)
    assert answer.status == 403
    assert answer.text == "Not allowed: challenge takes the role engineer, anna is operator."


def test_a_refusal_gives_the_stations_reason(port: int, station: Asked, anna: Pass) -> None:
    station.answer = ValueError("reason must be a text of 1 to 500 characters")
    answer = send(port, "acknowledge", {}, anna)
    assert answer.status == 422
    assert answer.text == "Not done: reason must be a text of 1 to 500 characters."


def test_a_station_that_hangs(
    port: int, station: Asked, anna: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_commands, "COMMAND_TIMEOUT_S", 0.05)
    station.answer = None
    answer = send(port, "acknowledge", {}, anna)
    assert answer.status == 504
    assert "look before you repeat it" in answer.text


def test_a_fault_of_the_station_is_no_success(port: int, station: Asked, anna: Pass) -> None:
    station.answer = LinesideError("the disk is full")
    answer = send(port, "acknowledge", {}, anna)
    assert not answer.done
    assert "the disk is full" in answer.text


def test_a_command_played_again_is_refused(
    port: int, station: Asked, anna: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Same:
        hex = "0" * 32

    monkeypatch.setattr("common.screen.commands.uuid.uuid4", Same)
    assert send(port, "acknowledge", {}, anna).done
    answer = send(port, "acknowledge", {}, anna)
    assert answer == Answer(False, "Not done: this command was sent before.", 409)
    assert len(station.got) == 1


def test_no_connection() -> None:
    answer = send(free_port(), "acknowledge", {}, Pass("t", "anna", "operator"))
    assert (answer.done, answer.status) == (False, 0)
    assert "is it running?" in answer.text


@pytest.mark.parametrize("port", [None, 0, 80, 70_000])
def test_nothing_is_sent_to_a_port_that_is_none(port: int | None) -> None:
    given = Pass("t", "anna", "operator")
    assert "nothing was sent" in send(port, "acknowledge", {}, given).text
    assert sign_in(port, "anna", ANNA)[0] is None


def test_signing_in_gives_a_token_and_the_role(port: int, station: Asked) -> None:
    given, answer = sign_in(port, "eric", ERIC)
    assert given is not None
    assert (given.name, given.role, answer.done) == ("eric", "engineer", True)
    assert ERIC not in repr(given)
    assert given.token not in repr(given)
    assert station.got == []


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", ANNA), ("", "")])
def test_signing_in_takes_the_right_password(port: int, name: str, password: str) -> None:
    given, answer = sign_in(port, name, password)
    assert given is None
    assert "Name or password wrong" in answer.text


def test_signing_out_makes_the_token_worthless(port: int, station: Asked, anna: Pass) -> None:
    assert sign_out(port, anna).done
    assert send(port, "acknowledge", {}, anna).status == 401
    assert station.got == []


def test_an_answer_that_is_no_session_signs_nobody_in(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = httpx.Response(200, json={"token": 7})
    monkeypatch.setattr(commands.httpx, "request", lambda *_, **__: reply)
    given, answer = sign_in(port, "anna", ANNA)
    assert given is None
    assert not answer.done


def test_several_answers_are_one_line(port: int, station: Asked, anna: Pass) -> None:
    station.answer = {"a": "acknowledged", "b": "nothing to acknowledge"}
    answer = send(port, "acknowledge", {"alarms": {"a": 1, "b": 2}}, anna)
    assert answer.text == "Done: a: acknowledged; b: nothing to acknowledge."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("acknowledged", "Erledigt: quittiert."),
        ({"a/1": "acknowledged", "b": "nothing to acknowledge: it is back to normal"},
         "Erledigt: a/1: quittiert; b: nichts zu quittieren: er ist wieder normal."),
        (ValueError("a/1: it is shelved already, by otto"),
         "Nicht ausgeführt: a/1: er ist schon zurückgestellt, von otto."),
        (ValueError("remove_from_service takes a reason"),
         "Nicht ausgeführt: außer Betrieb nehmen braucht einen Grund."),
        (ValueError("words of its own"), "Nicht ausgeführt: words of its own."),
    ],
)  # fmt: skip
def test_what_a_station_answers_is_in_the_reader_s_language(
    port: int, station: Asked, anna: Pass, given: Any, said: str
) -> None:
    station.answer = given
    language.use("de")
    try:
        assert send(port, "acknowledge", {}, anna).text == said
    finally:
        language.use("en")


def test_what_is_asked_for_comes_whole_and_its_line_is_short(
    port: int, station: Asked, anna: Pass
) -> None:
    station.answer = {"cells": [[1, 2, 3]] * 999}
    assert ask(port, "acknowledge", {}, anna) == (
        station.answer, Answer(True, "Done: acknowledge.", 200),
    )  # fmt: skip
    station.answer = LinesideError("there is no picture")
    assert ask(port, "acknowledge", {}, anna) == (
        None, Answer(False, "Not done: there is no picture.", 422),
    )  # fmt: skip
    found, answer = ask(None, "acknowledge", {}, anna)
    assert (found, answer.done) == (None, False)


def test_a_proxy_never_sees_a_credential(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    assert sign_in(port, "anna", ANNA)[0] is not None
