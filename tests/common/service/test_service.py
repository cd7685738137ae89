"""The station's API: who may do what, and that nothing that comes in breaks it."""

import asyncio
import base64
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, suppress

import cv2
import httpx
import numpy as np
import pytest

from common.arguments import Unchanged
from common.errors import ConfigError, RuntimeFailure
from common.inference.limits import DecodeLimits
from common.service import ApiServer, build_api, connections
from common.service import body as service_body
from common.service import commands as service_commands
from common.service import inference as service_inference
from common.service.command_queue import CommandQueue
from common.users import ALLOWED_FAILURES, LOCK_S, Users

SECRET = "correct horse"  # noqa: S105
ROLES = {"acknowledge": "operator", "challenge": "engineer"}
NUMBERS = iter(range(10**6))
pytestmark = pytest.mark.usefixtures("cheap_hash")


class FakeStation:
    """Implements common.service.Commanded; its loop answers at once unless told otherwise."""

    roles = ROLES

    def __init__(self):
        self.state = {"healthy": True, "faults": [], "parts": 7}
        self.done, self.asked = [], []
        self.hangs = False
        self.raises = None

    def snapshot(self):
        return self.state

    def metrics(self):
        return b"# TYPE parts_total counter\nparts_total 7\n"

    def command(self, name, arguments, user):
        future = Future()
        self.asked.append(future)
        if self.hangs:
            return future
        if self.raises:
            future.set_exception(self.raises)
        else:
            self.done.append((name, arguments, user.name, user.role))
            future.set_result(f"{name} done")
        return future


class AtWork(FakeStation):
    """Its loop takes every command at once and hands it to `work`."""

    def __init__(self, work):
        super().__init__()
        self._work = work

    def command(self, name, arguments, user):
        queued = CommandQueue()
        future = queued.put(name, arguments, user)
        queued.carry_out(lambda *_: self._work)
        return future


class FakeInspector:
    """What POST /infer asks; `gate` holds it up, `raises` makes it fail."""

    def __init__(self):
        self.seen, self.raises = [], None
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, picture):
        self.entered.set()
        assert self.gate.wait(10)
        if self.raises:
            raise self.raises
        self.seen.append(picture)
        return {"defects": [], "width": picture.shape[1]}


class Client:
    """Sends requests to an API in this process; a bug in it is a 500, as behind a server."""

    def __init__(self, api):
        self._api = api

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, **request):
        return self.send("POST", path, **request)

    def send(self, method, path, **request):
        async def sent():
            transport = httpx.ASGITransport(self._api, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.request(method, path, **request)

        return asyncio.run(sent())


@pytest.fixture
def users(tmp_path, clock):
    users = Users(tmp_path / "users.json", clock)
    for name in ("viewer", "operator", "engineer"):
        users.add(name, name, SECRET)
    return users


@pytest.fixture
def station():
    return FakeStation()


@pytest.fixture
def inspector():
    return FakeInspector()


@pytest.fixture
def trail():
    """What reached the audit trail."""
    return []


@pytest.fixture
def client(station, users, inspector, trail):
    api = build_api(station, users, inspector, audit=trail.append)
    return Client(api)


def nonce():
    return {"X-Nonce": f"nonce-{next(NUMBERS):012}"}


def post(client, name="acknowledge", who="operator", password=SECRET, headers=None, **body):
    auth = (who, password) if who else None
    headers = nonce() if headers is None else headers
    return client.post(f"/commands/{name}", auth=auth, headers=headers, **body)


def detail(reply):
    """The one clear line of a refusal: text, no traceback."""
    assert "Traceback" not in reply.text
    text = reply.json()["detail"]
    if isinstance(text, str):
        assert "\n" not in text
    return text


# ------------------------------------------------------------------ reading


def test_a_healthy_station_is_200(client):
    reply = client.get("/health")
    assert (reply.status_code, reply.json()) == (200, {"healthy": True, "faults": []})


@pytest.mark.parametrize("state", [{"healthy": False, "faults": ["plc: silent"]}, {}])
def test_a_station_that_does_not_work_or_has_not_begun_is_503(client, station, state):
    station.state = state
    reply = client.get("/health")
    assert reply.status_code == 503
    assert reply.json() == {"healthy": False, "faults": state.get("faults", [])}


def test_state_and_metrics_are_given_as_they_are(client, station):
    assert client.get("/state").json() == station.state
    reply = client.get("/metrics")
    assert reply.text == "# TYPE parts_total counter\nparts_total 7\n"
    assert reply.headers["content-type"].startswith("text/plain; version=")


def test_there_is_nothing_else_to_see(client):
    for path in ("/", "/docs", "/redoc", "/openapi.json", "/commands", "/users"):
        assert client.get(path).status_code == 404
    assert client.get("/commands/acknowledge").status_code == 405


# ------------------------------------------------------------------ commands


def test_a_command_is_carried_out_with_its_arguments_for_this_user(client, station):
    reply = post(client, json={"alarm_id": "plc"})
    assert (reply.status_code, reply.json()) == (200, {"result": "acknowledge done"})
    assert station.done == [("acknowledge", {"alarm_id": "plc"}, "operator", "operator")]


def test_a_higher_role_may_do_it_too_and_arguments_may_be_left_out(client, station):
    assert post(client, who="engineer").status_code == 200
    assert station.done == [("acknowledge", {}, "engineer", "engineer")]


@pytest.mark.parametrize(
    ("who", "password"),
    [
        (None, ""),
        ("operator", "wrong pass"),
        ("nobody", SECRET),
        ("operator", ""),
        ("", SECRET),
    ],
)
def test_without_the_right_credential_it_is_401(client, station, who, password):
    reply = post(client, who=who, password=password)
    assert reply.status_code == 401
    assert "password" in detail(reply)
    assert reply.headers["www-authenticate"].startswith("Basic ")
    assert station.done == []


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"\xff:x").decode(),
     "Basic " + base64.b64encode(b"operator").decode(), "operator"],
)  # fmt: skip
def test_a_malformed_credential_is_401(client, header):
    reply = post(client, who=None, headers=nonce() | {"Authorization": header})
    assert reply.status_code == 401
    assert "name and password" in detail(reply)


def test_names_and_passwords_of_all_languages_come_through(client, users):
    users.add("jürgen", "operator", "pässwört: ж")
    assert post(client, who="jürgen", password="pässwört: ж").status_code == 200  # noqa: S106


def test_a_role_that_is_too_low_is_403_and_costs_no_nonce(client, station):
    headers = nonce()
    reply = post(client, "challenge", "operator", headers=headers)
    assert reply.status_code == 403
    assert detail(reply) == "challenge takes the role engineer, operator is operator"
    assert post(client, "acknowledge", "viewer").status_code == 403
    assert station.done == []
    because = {"reason": "each shift"}
    reply = post(client, "challenge", "engineer", headers=headers, json=because)
    assert reply.status_code == 200


def test_an_unknown_command_is_404_with_the_known_ones(client):
    reply = post(client, "explode", "engineer")
    assert reply.status_code == 404
    assert detail(reply) == "no command explode; there are acknowledge, challenge"


def test_who_is_not_known_is_not_told_which_commands_there_are(client):
    assert post(client, "explode", password="wrong pass").status_code == 401  # noqa: S106


def test_a_command_played_again_is_409_and_not_done_twice(client, station):
    headers = nonce()
    assert post(client, headers=headers).status_code == 200
    reply = post(client, headers=headers)
    assert reply.status_code == 409
    assert detail(reply) == "this command was sent before"
    assert len(station.done) == 1
    because = {"reason": "each shift"}
    reply = post(client, "challenge", "engineer", headers=headers, json=because)
    assert reply.status_code == 409


@pytest.mark.parametrize("headers", [{}, {"X-Nonce": "short"}, {"X-Nonce": "x" * 65}])
def test_a_command_without_a_proper_nonce_is_422(client, station, headers):
    assert post(client, headers=headers).status_code == 422
    assert station.done == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "the arguments are no JSON"),
        (b"\xff\xfe\x00", "the arguments are no JSON"),
        (b'{"a": NaN}', "the arguments are no JSON: NaN is no number"),
        (b"[" * 50_000, "the arguments are no JSON"),
        (b"[1]", "the arguments must be a JSON object"),
        (b'"text"', "the arguments must be a JSON object"),
    ],
)
def test_arguments_that_are_no_object_are_422(client, station, content, text):
    reply = post(client, content=content)
    assert reply.status_code == 422
    assert text in detail(reply)
    assert station.done == []


def test_endless_arguments_are_413(client, station):
    reply = post(client, content=b" " * (service_body.MOST_ARGUMENT_BYTES + 1))
    assert reply.status_code == 413
    assert detail(reply) == f"at most {service_body.MOST_ARGUMENT_BYTES} bytes are taken here"
    assert station.done == []


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("label must be one of good, defective"), 422, "label must be one of good"),
        (ConfigError("no alarm named x"), 422, "no alarm named x"),
        (TypeError("bug"), 500, "TypeError, see the station's log"),
    ],
)
def test_what_the_station_says_no_to_is_told(client, station, error, status, text):
    station.raises = error
    reply = post(client)
    assert reply.status_code == status
    assert text in detail(reply)


def test_a_station_that_does_not_answer_is_504(client, station, trail, monkeypatch):
    monkeypatch.setattr(service_commands, "COMMAND_TIMEOUT_S", 0.01)
    station.hangs = True
    reply = post(client)
    assert reply.status_code == 504
    assert detail(reply) == "the station did not get to it in time, and will not do it"
    assert station.asked[0].cancelled()
    assert [(act.action, act.reason) for act in trail] == [("command refused", detail(reply))]


@pytest.mark.parametrize(
    ("comes_of_it", "written"),
    [
        ("learned", []),
        (Unchanged("known already"), [("command without effect", "known already")]),
        (ConfigError("too few rows"), [("command refused", "too few rows")]),
        (TypeError("bug"), [("command failed", "TypeError, see the station's log")]),
    ],
)
def test_what_is_under_way_when_the_asker_stops_waiting_is_not_called_refused(
    users, trail, monkeypatch, comes_of_it, written
):
    monkeypatch.setattr(service_commands, "COMMAND_TIMEOUT_S", 0.01)
    work = Future()
    client = Client(build_api(AtWork(work), users, audit=trail.append))
    reply = post(client)
    assert reply.status_code == 504
    assert "still at it; look what came of it before you repeat it" in detail(reply)
    assert not work.cancelled()
    assert trail == []
    if isinstance(comes_of_it, Exception):
        work.set_exception(comes_of_it)
    else:
        work.set_result(comes_of_it)
    assert [(act.action, act.reason) for act in trail] == written
    assert {(act.user, act.target) for act in trail} <= {("operator", "command/acknowledge")}


def test_a_deed_whose_own_time_runs_out_has_failed_and_is_not_under_way(client, station):
    station.raises = TimeoutError("the camera")
    assert post(client).status_code == 500


def test_five_wrong_passwords_lock_the_user_for_half_a_minute(client, clock):
    for _ in range(ALLOWED_FAILURES):
        assert post(client, password="wrong pass").status_code == 401  # noqa: S106
    assert post(client).status_code == 401
    assert post(client, who="engineer").status_code == 200
    clock.sleep(LOCK_S)
    assert post(client).status_code == 200


def test_a_damaged_user_file_is_503_and_lets_nobody_in(client, station, tmp_path):
    (tmp_path / "users.json").write_text("{")
    reply = post(client)
    assert reply.status_code == 503
    assert "users.json: unreadable" in detail(reply)
    assert station.done == []
    assert client.get("/health").status_code == 200


# ------------------------------------------------------------------ inference

GREY = np.random.default_rng(2).integers(0, 256, (48, 64), np.uint8)


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def infer(client, content, who="viewer"):
    return client.post("/infer", content=content, auth=(who, SECRET) if who else None)


def test_a_picture_is_inspected(client, inspector):
    reply = infer(client, png(GREY))
    assert (reply.status_code, reply.json()) == (200, {"defects": [], "width": 64})
    assert np.array_equal(inspector.seen[0], GREY)


def test_inference_takes_a_user(client, inspector):
    assert infer(client, png(GREY), who=None).status_code == 401
    assert inspector.seen == []


def test_inference_is_not_there_where_it_is_switched_off(station, users):
    assert infer(Client(build_api(station, users)), png(GREY)).status_code == 404


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "empty (0 bytes)"),
        (png(GREY[:1, :1]), "1×1 px, a side is under 16"),
        (png(GREY.astype(np.uint16) * 257), "16 bits per channel"),
        (png(np.dstack([GREY] * 4)), "alpha channel"),
        (png(GREY)[:-40], "the picture "),
        (png(GREY)[:20], "the picture "),
        (b"this is no picture at all", "not a PNG, JPEG, BMP or TIFF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "the picture "),
    ],
)
def test_a_doubtful_picture_is_422_with_its_reason_and_never_a_result(
    client, inspector, content, text
):
    reply = infer(client, content)
    assert reply.status_code == 422
    assert text in detail(reply)
    assert inspector.seen == []


def test_a_giant_body_is_413_before_it_is_kept(station, users, inspector, monkeypatch):
    monkeypatch.setattr(service_inference, "DecodeLimits", lambda: DecodeLimits(max_bytes=1000))
    client = Client(build_api(station, users, inspector))
    reply = infer(client, bytes(1001))
    assert reply.status_code == 413
    assert detail(reply) == "at most 1000 bytes are taken here"
    assert infer(client, bytes(1000)).status_code == 422


def test_while_one_is_inspected_the_next_is_503_busy_with_a_time_to_come_back(
    client, inspector
):
    inspector.gate.clear()
    first = []
    thread = threading.Thread(target=lambda: first.append(infer(client, png(GREY))))
    thread.start()
    assert inspector.entered.wait(10)
    reply = infer(client, png(GREY))
    inspector.gate.set()
    thread.join(10)
    assert (reply.status_code, detail(reply)) == (503, "busy")
    assert reply.headers["retry-after"] == "1"
    assert first[0].status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (RuntimeFailure("openvino", "inference failed"), 503, "openvino: inference failed"),
        (ZeroDivisionError("bug"), 500, "ZeroDivisionError, see the station's log"),
    ],
)
def test_a_failed_inference_is_an_error_and_the_next_one_works(
    client, inspector, error, status, text
):
    inspector.raises = error
    reply = infer(client, png(GREY))
    assert (reply.status_code, detail(reply)) == (status, text)
    inspector.raises = None
    assert infer(client, png(GREY)).status_code == 200


# ------------------------------------------------------------------ the server


@pytest.fixture
def server(station, users, inspector):
    server = ApiServer(build_api(station, users, inspector), 0)
    server.start()
    yield server
    server.stop()


def test_it_listens_on_loopback_only_and_answers(server, station):
    assert server.host == "127.0.0.1"
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        assert client.get("/health").status_code == 200
        assert post(client, json={"alarm_id": "plc"}).json() == {"result": "acknowledge done"}
        assert post(client, password="wrong pass").status_code == 401  # noqa: S106
        assert infer(client, png(GREY)).status_code == 200
        elsewhere = client.get("/state", headers={"Host": "a.page.example"})
        assert elsewhere.status_code == 400, "a name made to lead here"
    assert len(station.done) == 1


def test_a_port_that_is_taken_is_one_clear_line(server, station, users):
    other = ApiServer(build_api(station, users), server.port)
    with pytest.raises(ConfigError) as caught:
        other.start()
    assert str(caught.value) == (
        f"station.api_port = {server.port}: cannot listen on 127.0.0.1 "
        "(Address already in use); choose another port"
    )
    other.stop()


def test_an_api_that_cannot_serve_is_said(station, users, monkeypatch):
    server = ApiServer(build_api(station, users), 0)
    monkeypatch.setattr(server._server, "run", lambda sockets: sockets[0].close())
    with pytest.raises(ConfigError, match="ended while it began"):
        server.start()


def test_after_stop_nobody_listens_and_the_port_is_free(station, users):
    server = ApiServer(build_api(station, users), 0)
    server.start()
    assert httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False).is_success
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 1)
    again = ApiServer(build_api(station, users), server.port)
    again.start()
    again.stop()


def test_half_a_request_holds_nobody_up(server):
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 999")
        start = time.monotonic()
        reply = httpx.get(f"http://127.0.0.1:{server.port}/state", trust_env=False, timeout=10)
        assert reply.json()["parts"] == 7
        assert time.monotonic() - start < 10


def test_who_opens_connections_without_end_takes_no_files_of_the_station(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_OPEN", 5)
    url, address = f"http://127.0.0.1:{server.port}/health", ("127.0.0.1", server.port)
    with ExitStack() as held:
        first = [held.enter_context(socket.create_connection(address, 10)) for _ in range(5)]
        for _ in range(20):
            beyond = held.enter_context(socket.create_connection(address, 10))
            with suppress(ConnectionError):
                assert beyond.recv(1) == b""
        first[0].sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first[0].recv(12) == b"HTTP/1.1 200"
    until(lambda: answers(url))


STORM = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1:] * 2)
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(900)]
"""


def test_a_storm_of_connections_leaves_files_to_be_opened(server, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        subprocess.run([sys.executable, "-c", STORM, str(server.port)], check=True)
        until(lambda: answers(f"http://127.0.0.1:{server.port}/health"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "out of system resource" not in caplog.text


def test_who_asks_nothing_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(connections, "SILENT_S", 0.2)
    for asked in (b"", b"GET /health HT"):
        with socket.create_connection(("127.0.0.1", server.port), 10) as mute:
            mute.sendall(asked)
            with suppress(ConnectionError):
                assert mute.recv(1) == b""


def answers(url):
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end


def test_pictures_that_never_end_fill_no_memory(server):
    basic = base64.b64encode(f"viewer:{SECRET}".encode()).decode()
    half = f"POST /infer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
    with ExitStack() as held:
        for _ in range(service_inference.BODIES_AT_ONCE):
            one = socket.create_connection(("127.0.0.1", server.port), 10)
            held.enter_context(one).sendall(f"{half}Content-Length: 99999\r\n\r\nx".encode())
        with httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", trust_env=False
        ) as client:
            until(lambda: detail(infer(client, png(GREY))) == "busy")
            held.close()
            until(lambda: infer(client, png(GREY)).status_code == 200)


@pytest.mark.parametrize(
    "garbage", [b"\0" * 100, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 9]
)
def test_garbage_on_the_port_breaks_nothing(server, garbage):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(garbage)
    reply = httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False)
    assert json.loads(reply.content)["healthy"]


def test_whoami_names_the_user_and_the_role(client):
    answer = client.send("GET", "/whoami", auth=("operator", SECRET))
    assert answer.json() == {"result": "signed in as operator, operator"}
    assert client.send("GET", "/whoami", auth=("operator", "wrong")).status_code == 401
    assert client.get("/whoami").status_code == 401
