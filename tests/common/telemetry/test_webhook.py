import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.drain import Verdict
from common.telemetry.outbox import MQTT, WEBHOOK, Message, Outbox
from common.telemetry.webhook import Webhook, WebhookSettings, judge_status

WAIT_S = 10.0


class Mes(http.server.ThreadingHTTPServer):
    """A server that keeps what it is given and answers as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: Callable[[dict], int | tuple[int, dict[str, str]]] = lambda _: 200
        self.tried: list[str] = []
        self.booked: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.drip = b""
        """What an answer goes on with for ever."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/events"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mes

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answers(event)
        code, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.server.tried.append(event["id"])
        self.server.headers.append(dict(self.headers))
        if code < 300:
            self.server.booked.append(event)
        self.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            while self.server.drip:
                self.wfile.write(self.server.drip)
                time.sleep(0.01)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def mes() -> Iterator[Mes]:
    with Mes() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


def tell(store: Store, count: int, of_class: str = "verdict") -> list[str]:
    outbox = Outbox(source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock)
    message = Message(of_class, "lineside.test.v1", "s", {}, 1.0, (MQTT, WEBHOOK))
    futures = [store.submit(lambda c: outbox.append(c, message)) for _ in range(count)]
    return [future.result(WAIT_S) for future in futures]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def running(store: Store, url: str, **settings) -> "closing[Webhook]":
    webhook = Webhook(
        store,
        WebhookSettings(url, back_off_base_s=0.02, back_off_cap_s=0.1, **settings),
    )
    webhook.start()
    webhook.close = webhook.stop  # type: ignore[attr-defined]
    return closing(webhook)


def waiting(store: Store) -> rows.Backlog:
    with closing(open_readonly(store.path)) as connection:
        return rows.backlog(connection, WEBHOOK)


def test_events_are_posted_in_order_and_deleted(store: Store, mes: Mes) -> None:
    ids = tell(store, 5)
    with running(store, mes.url) as webhook:
        until(lambda: waiting(store).count == 0)
        ids += tell(store, 2)
        until(lambda: waiting(store).count == 0)
        until(lambda: webhook.state().queued == 0)
        assert webhook.state().online
        assert webhook.state().sent == 7
    assert [event["id"] for event in mes.booked] == ids
    assert [headers["Idempotency-Key"] for headers in mes.headers] == ids
    assert {headers["Content-Type"] for headers in mes.headers} == {
        "application/cloudevents+json"
    }
    with closing(open_readonly(store.path)) as connection:
        assert rows.backlog(connection, MQTT).count == 7, "the other sink's are untouched"


def test_a_server_that_fails_is_tried_again_with_the_same_key(store: Store, mes: Mes) -> None:
    answers = iter([500, (429, {"Retry-After": "0"}), 408, (503, {"Retry-After": "Fri"})])
    mes.answers = lambda _: next(answers, 201)
    ids = tell(store, 3)
    with running(store, mes.url):
        until(lambda: waiting(store).count == 0)
    assert mes.tried == [ids[0]] * 4 + ids
    assert [event["id"] for event in mes.booked] == ids


@pytest.mark.parametrize("code", [401, 403, 407])
def test_a_server_that_does_not_take_our_token_loses_nothing(
    store: Store, mes: Mes, code: int
) -> None:
    mes.answers = lambda _: code
    ids = tell(store, 3)
    with running(store, mes.url) as webhook:
        until(lambda: len(mes.tried) > 2 and f": {code} " in webhook.state().reason)
        assert waiting(store).dead == 0
        mes.answers = lambda _: 200
        until(lambda: waiting(store).count == 0)
    assert [event["id"] for event in mes.booked] == ids


def test_one_event_that_the_server_forbids_holds_up_no_other(store: Store, mes: Mes) -> None:
    mes.answers = lambda event: 403 if event["subject"] == "part/1" else 200
    outbox = Outbox(source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock)
    for subject in ("part/1", "part/2", "part/3"):
        message = Message("verdict", "lineside.test.v1", subject, {}, 1.0, (WEBHOOK,))
        store.submit(lambda c, m=message: outbox.append(c, m)).result(WAIT_S)
    with running(store, mes.url):
        until(lambda: (waiting(store).count, waiting(store).dead) == (0, 1))
    assert [event["subject"] for event in mes.booked] == ["part/2", "part/3"]


def test_what_the_server_refuses_for_good_is_a_dead_letter(store: Store, mes: Mes) -> None:
    ids = tell(store, 3)
    mes.answers = lambda event: 422 if event["id"] == ids[1] else 200
    with running(store, mes.url) as webhook:
        until(lambda: waiting(store) == rows.Backlog(0, None, 1))
        until(lambda: webhook.state().dead == 1)
    with closing(open_readonly(store.path)) as connection:
        (letter,) = rows.dead_letters(connection)
    assert json.loads(letter.payload)["id"] == ids[1]
    assert "422 Unprocessable" in letter.reason
    assert [event["id"] for event in mes.booked] == [ids[0], ids[2]]


def test_a_server_that_is_away_loses_nothing(store: Store, mes: Mes) -> None:
    ids = tell(store, 3)
    mes.answers = lambda _: 500
    with running(store, mes.url) as webhook:
        until(lambda: len(mes.tried) > 1)
        until(lambda: webhook.state().queued == 3)
        state = webhook.state()
        assert not state.online
        assert "500 Internal Server Error" in state.reason
        assert state.oldest_age_s is not None
        mes.answers = lambda _: 200
        until(lambda: waiting(store).count == 0)
    assert [event["id"] for event in mes.booked] == ids


def test_nobody_there_is_one_plain_line(store: Store) -> None:
    tell(store, 1)
    with running(store, "http://127.0.0.1:9/") as webhook:
        until(lambda: "Connection refused" in webhook.state().reason)
    assert waiting(store).count == 1


def test_what_was_not_sent_is_sent_after_a_restart(store: Store, mes: Mes) -> None:
    ids = tell(store, 2)
    mes.answers = lambda _: 500
    with running(store, mes.url):
        until(lambda: bool(mes.tried))
    mes.answers = lambda _: 200
    with running(store, mes.url):
        until(lambda: waiting(store).count == 0)
    assert [event["id"] for event in mes.booked] == ids


def test_the_token_goes_along_and_nowhere_else(
    store: Store, mes: Mes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    mes.answers = lambda _: 422
    tell(store, 1)
    with running(store, mes.url, token_file=token) as webhook:
        until(lambda: waiting(store).dead == 1)
        assert "s3cret" not in str(webhook.state())
    assert mes.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in caplog.text


def test_a_token_of_two_lines_is_refused_and_not_quoted(
    store: Store, mes: Mes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n# renewed in May\n")
    tell(store, 1)
    with running(store, mes.url, token_file=token) as webhook:
        until(lambda: "one line without blanks" in webhook.state().reason)
        assert "s3cret" not in str(webhook.state()) + caplog.text


def test_an_answer_without_end_holds_nothing_up(store: Store, mes: Mes) -> None:
    mes.answers = lambda _: (200, {"Content-Length": "1000000"})
    mes.drip = b"x"
    tell(store, 3)
    with running(store, mes.url, timeout_s=0.2):
        until(lambda: waiting(store).count == 0)
    assert len(mes.booked) == 3


def test_a_missing_token_file_holds_the_events(store: Store, mes: Mes, tmp_path: Path) -> None:
    tell(store, 1)
    with running(store, mes.url, token_file=tmp_path / "none") as webhook:
        until(lambda: "token cannot be read" in webhook.state().reason)
    assert mes.tried == []
    assert waiting(store).count == 1


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (302, Verdict.LATER),
        (400, Verdict.NEVER),
        (401, Verdict.LATER),
        (403, Verdict.LATER),
        (404, Verdict.NEVER),
        (408, Verdict.LATER),
        (409, Verdict.NEVER),
        (429, Verdict.LATER),
        (500, Verdict.LATER),
        (503, Verdict.LATER),
    ],
)
def test_what_a_status_means(code: int, verdict: Verdict) -> None:
    assert judge_status(code) is verdict


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"url": "ftp://mes"},
        {"url": "http://mes:notaport"},
        {"url": "https://mes", "cert_file": "a"},
        {"url": "http://127.0.0.1", "ca_file": "a"},
        {"url": "http://mes", "token_file": "a"},
    ],
)
def test_settings_that_cannot_work_are_refused(table: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        from_table(WebhookSettings, table, Path("app.toml"))


def test_tls_files_that_are_none_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        Webhook(store, WebhookSettings("https://mes", ca_file=tmp_path / "none.pem"))
