"""Signing in over the API, and the trail of everybody who was let in or refused."""

import asyncio
import base64
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from common.service import build_api
from common.service.door import CROWD, PROVING_AT_ONCE, REFUSALS_PER_MINUTE, Trail
from common.sessions import SessionSettings
from common.users import ALLOWED_FAILURES, Login, Proof, Users

SECRET = "correct horse"  # noqa: S105
NUMBERS = iter(range(10**6))
pytestmark = pytest.mark.usefixtures("cheap_hash")


class FakeStation:
    """common.service.commands.Commanded whose loop says what it is told to say."""

    roles = {"acknowledge": "operator", "return_to_service": "engineer"}  # noqa: RUF012

    def __init__(self):
        self.done, self.raises = [], None

    def snapshot(self):
        return {}

    def metrics(self):
        return b""

    def command(self, name, arguments, user):
        del arguments
        future = Future()
        if self.raises:
            future.set_exception(self.raises)
        else:
            self.done.append((name, user.name, user.role))
            future.set_result("done")
        return future


@pytest.fixture
def trail():
    return []


@pytest.fixture
def station():
    return FakeStation()


@pytest.fixture
def api(tmp_path, clock, trail, station):
    users = Users(tmp_path / "users.json", clock)
    users.add("mia", "operator", SECRET)
    users.add("eric", "engineer", SECRET)
    settings = SessionSettings(idle_s=900.0, longest_s=43_200.0)
    return build_api(station, users, audit=trail.append, sessions=settings)


def send(api, method, path, **request):
    async def sent():
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, **request)

    return asyncio.run(sent())


def sign_in(api, name="mia", password=SECRET):
    return send(api, "POST", "/session", auth=(name, password))


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def command(api, token, name="acknowledge", number=None, **body):
    nonce = f"nonce-{next(NUMBERS) if number is None else number:012}"
    headers = bearer(token) | {"X-Nonce": nonce}
    return send(api, "POST", f"/commands/{name}", headers=headers, json=body)


def told(trail):
    return [(act.user, act.action, act.target) for act in trail]


def test_a_password_is_given_once_and_a_token_does_the_rest(api, station, trail):
    reply = sign_in(api)
    assert reply.status_code == 200
    given = reply.json()
    assert {k: given[k] for k in ("name", "role", "idle_s", "longest_s")} == {
        "name": "mia", "role": "operator", "idle_s": 900.0, "longest_s": 43_200.0,
    }  # fmt: skip
    assert command(api, given["token"]).json() == {"result": "done"}
    assert station.done == [("acknowledge", "mia", "operator")]
    who = send(api, "GET", "/whoami", headers=bearer(given["token"]))
    assert who.json() == {"result": "signed in as mia, operator"}
    assert told(trail) == [("mia", "login", "session")]


def test_a_token_signs_nobody_in(api):
    token = sign_in(api).json()["token"]
    reply = send(api, "POST", "/session", headers=bearer(token))
    assert reply.status_code == 401


def test_signing_out_ends_the_token_and_is_in_the_trail(api, trail):
    token = sign_in(api).json()["token"]
    assert send(api, "DELETE", "/session", headers=bearer(token)).status_code == 200
    assert command(api, token).status_code == 401
    assert told(trail) == [
        ("mia", "login", "session"),
        ("mia", "logout", "session"),
        ("", "session refused", "api"),
    ]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer "}])
def test_nobody_is_signed_out_without_a_token(api, header):
    assert send(api, "DELETE", "/session", headers=header).status_code == 401


def test_an_ended_session_says_sign_in_again(api, clock, station):
    token = sign_in(api).json()["token"]
    clock.sleep(900.0)
    reply = command(api, token)
    assert reply.status_code == 401
    assert reply.json()["detail"] == "the session has ended: sign in again"
    assert station.done == []


def test_every_refused_login_and_the_lock_are_in_the_trail(api, trail):
    for _ in range(ALLOWED_FAILURES + 1):
        assert sign_in(api, password="wrong pass").status_code == 401  # noqa: S106
    assert sign_in(api).status_code == 401
    actions = [act.action for act in trail]
    assert actions == ["login refused"] * 4 + ["locked out"] + ["login refused"] * 2
    assert trail[-1].reason == "the name is locked"
    assert SECRET not in str(trail)


@pytest.mark.parametrize(
    "header",
    ["Bearer forged", "Basic !!!", "Basic " + base64.b64encode(b"x").decode(), "Digest a"],
)
def test_a_forged_key_is_refused_and_in_the_trail(api, trail, station, header):
    headers = {"Authorization": header, "X-Nonce": "n" * 16}
    reply = send(api, "POST", "/commands/acknowledge", headers=headers)
    assert reply.status_code == 401
    assert len(trail) == 1
    assert trail[0].action.endswith("refused")
    assert station.done == []


def test_guesses_that_wait_hold_up_nobody_else(api, trail, monkeypatch):
    begun, may_end = threading.Semaphore(0), threading.Event()

    def slow(users, name, password):
        del users, name, password
        begun.release()
        assert may_end.wait(10)
        return Login(Proof.WRONG)

    monkeypatch.setattr(Users, "check", slow)
    with ThreadPoolExecutor(PROVING_AT_ONCE) as guesses:
        for _ in range(PROVING_AT_ONCE):
            guesses.submit(sign_in, api)
            assert begun.acquire(timeout=10)
        beyond = sign_in(api)
        may_end.set()
    assert (beyond.status_code, beyond.headers["retry-after"]) == (503, "1")
    assert trail[0].reason == CROWD


def test_a_name_from_outside_is_kept_short(api, trail):
    sign_in(api, name="x" * 5000)
    assert trail[0].user == "x" * 64


def test_a_name_from_outside_forges_no_line_of_the_trail(api, trail):
    sign_in(api, name="mia\r\n\u202e")
    assert trail[0].user == "mia  \ufffd"


@pytest.mark.parametrize(
    ("name", "body", "status", "why"),
    [
        ("return_to_service", {}, 403, "return_to_service takes the role engineer, mia is"),
        ("explode", {}, 404, "no command explode"),
    ],
)
def test_a_command_that_is_refused_is_in_the_trail(api, trail, name, body, status, why):
    token = sign_in(api).json()["token"]
    assert command(api, token, name, **body).status_code == status
    assert (trail[-1].user, trail[-1].role) == ("mia", "operator")
    assert trail[-1].action == "command refused"
    assert trail[-1].target == f"command/{name}"
    assert trail[-1].reason.startswith(why)


def test_a_replayed_command_is_refused_and_in_the_trail(api, trail, station):
    token = sign_in(api).json()["token"]
    assert command(api, token, number=7).status_code == 200
    assert command(api, token, number=7).status_code == 409
    assert trail[-1].reason == "this command was sent before"
    assert len(station.done) == 1


def test_what_the_station_says_no_to_is_in_the_trail(api, trail, station):
    station.raises = ValueError("there is no alarm x")
    token = sign_in(api).json()["token"]
    assert command(api, token, alarm_id="x").status_code == 422
    assert trail[-1].reason == "there is no alarm x"


@pytest.mark.parametrize("reason", [None, "", "  ", 7, ["x"]])
def test_what_changes_how_the_plant_is_watched_takes_a_reason(api, trail, station, reason):
    token = sign_in(api, "eric").json()["token"]
    body = {} if reason is None else {"reason": reason}
    reply = command(api, token, "return_to_service", **body)
    assert reply.status_code == 422
    assert reply.json()["detail"] == "return_to_service takes a reason"
    assert station.done == []
    assert command(api, token, "return_to_service", reason="repaired").status_code == 200


def test_refusals_beyond_a_number_are_counted_and_told(clock):
    written = []
    trail = Trail(written.append, clock)
    for _ in range(REFUSALS_PER_MINUTE + 17):
        trail.refuse("mia", "", "login refused", "api", "wrong")
    assert len(written) == REFUSALS_PER_MINUTE
    clock.sleep(60.0)
    trail.refuse("mia", "", "login refused", "api", "wrong")
    assert written[-1].reason == "wrong; 17 refusals before this were only counted"
    trail.refuse("mia", "", "login refused", "api", "wrong")
    assert written[-1].reason == "wrong"
