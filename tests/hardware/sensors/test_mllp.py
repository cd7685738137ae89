"""The MLLP listener over real sockets: frames, limits, slow disks, TLS, who may connect."""

import shutil
import socket
import ssl
import subprocess
import time
from concurrent.futures import Future
from contextlib import suppress

import pytest

from common.errors import ConfigError
from hardware.sensors import mllp
from hardware.sensors.mllp import MllpListener, MllpSettings

OPENSSL = shutil.which("openssl")
START, END = b"\x0b", b"\x1c\r"


class Desk:
    """Answers with the message itself."""

    def __init__(self):
        self.heard, self.wrong, self.waiting = [], [], []

    def __call__(self, data):
        self.heard.append(data)
        if data.startswith(b"LATER"):
            later: Future[bytes] = Future()
            self.waiting.append((later, data))
            return later
        return b"" if data.startswith(b"SILENT") else b"got " + data

    def too_long(self, most):
        return f"at most {most}".encode()

    def misframed(self, what):
        self.wrong.append(what)


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def listen():
    listeners = []

    def start(desk, **options):
        listener = MllpListener(MllpSettings(port=0, **options), desk)
        listeners.append(listener)
        return listener

    yield start
    for listener in listeners:
        listener.close()
        assert listener.wrong


def connect(listener):
    connection = socket.create_connection(("127.0.0.1", listener.port), 10)
    connection.settimeout(10)
    return connection


def answers(connection, count):
    came = b""
    while came.count(END) < count:
        more = connection.recv(65536)
        assert more, came
        came += more
    return [one.removeprefix(START) for one in came.split(END)[:-1]]


def test_messages_are_answered_in_order_however_they_are_cut(listen):
    desk = Desk()
    with connect(listen(desk)) as connection:
        stream = b"".join(START + b"m%d" % n + END for n in range(20))
        for at in range(0, len(stream), 7):
            connection.sendall(stream[at : at + 7])
        assert answers(connection, 20) == [b"got m%d" % n for n in range(20)]
    assert desk.wrong == []


def test_an_answer_that_waits_for_the_disk_holds_up_its_sender_alone(listen):
    desk = Desk()
    listener = listen(desk)
    with connect(listener) as slow, connect(listener) as other:
        slow.sendall(START + b"LATER" + END + START + b"next" + END)
        until(lambda: desk.waiting)
        other.sendall(START + b"x" + END)
        assert answers(other, 1) == [b"got x"]
        assert b"next" not in desk.heard
        desk.waiting[0][0].set_result(b"kept")
        assert answers(slow, 2) == [b"kept", b"got next"]


def test_what_is_no_frame_is_counted_and_skipped(listen):
    desk = Desk()
    listener = listen(desk)
    with connect(listener) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" + START + b"a" + END)
        connection.sendall(b"no start" + END + b"\r\n" + START + b"b" + END)
        assert answers(connection, 2) == [b"got a", b"got b"]
        connection.sendall(START + b"cut off")
    until(lambda: len(desk.wrong) == 3)
    assert [what.split(" bytes ")[1] for what in desk.wrong] == [
        "before a start of frame", "without a start of frame", "without an end of frame",
    ]  # fmt: skip


@pytest.mark.parametrize("ended", [True, False])
def test_a_message_that_is_too_long_is_answered_and_its_line_closed(listen, ended):
    desk = Desk()
    with connect(listen(desk, max_message_bytes=2000)) as connection:
        connection.sendall(START + b"x" * 3000 + (END if ended else b""))
        assert answers(connection, 1) == [b"at most 2000"]
        assert connection.recv(10) == b""
    assert desk.heard == []


def test_who_wants_no_answer_gets_none(listen):
    with connect(listen(Desk())) as connection:
        connection.sendall(START + b"SILENT" + END + START + b"y" + END)
        assert answers(connection, 1) == [b"got y"]


def test_too_many_and_unknown_senders_are_turned_away(listen):
    listener = listen(Desk(), max_connections=1)
    with connect(listener) as first:
        first.sendall(START + b"a" + END)
        assert answers(first, 1)
        with connect(listener) as second, pytest.raises((ConnectionError, AssertionError)):
            answers(second, 1)
    strict = listen(Desk(), allow=("192.0.2.1",))
    with connect(strict) as third, pytest.raises((ConnectionError, AssertionError)):
        answers(third, 1)
    assert (listener.turned_away, strict.turned_away) == (1, 1)


def test_a_silent_connection_is_closed(listen):
    listener = listen(Desk(), idle_s=1.0)
    with connect(listener) as connection:
        assert connection.recv(10) == b""
    assert listener.connections == 0


def test_a_sender_that_does_not_read_is_no_longer_read(listen):
    desk = Desk()
    with connect(listen(desk)) as connection:
        connection.setblocking(False)
        frame, sent = START + b"z" * 60_000 + END, 0
        quiet = time.monotonic() + 1.0
        while time.monotonic() < quiet and sent < 500_000_000:
            try:
                sent += connection.send(frame[sent % len(frame) :])
                quiet = time.monotonic() + 1.0
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 500_000_000, "it went on reading although nobody took its answers"
        assert 0 < len(desk.heard) <= sent // len(frame)


def test_a_port_that_is_taken_is_one_clear_line(listen):
    listener = listen(Desk())
    with pytest.raises(ConfigError, match=rf"cannot listen on 127.0.0.1:{listener.port}"):
        MllpListener(MllpSettings(port=listener.port), Desk())


@pytest.fixture
def certificate(tmp_path):
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
         cert, "-days", "1", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_tls_with_the_monitors_own_certificate(listen, certificate):
    cert, key = certificate
    listener = listen(Desk(), cert_file=cert, key_file=key, ca_file=cert)
    context = ssl.create_default_context(cafile=cert)
    with pytest.raises((OSError, AssertionError)):  # without a certificate of its own
        greet(listener, context)
    context.load_cert_chain(cert, key)
    assert greet(listener, context) == [b"got a"]


def test_who_does_not_end_the_tls_handshake_counts_as_connected_and_not_for_long(
    listen, certificate, monkeypatch
):
    monkeypatch.setattr(mllp, "HANDSHAKE_S", 0.5)
    cert, key = certificate
    desk = Desk()
    listener = listen(desk, cert_file=cert, key_file=key, max_connections=1)
    with connect(listener) as mute, connect(listener) as beyond:
        with suppress(ConnectionError):
            assert beyond.recv(1) == b""
        assert (listener.connections, listener.turned_away) == (1, 1)
        with suppress(ConnectionError):
            assert mute.recv(1) == b""
    until(lambda: listener.connections == 0)
    assert greet(listener, ssl.create_default_context(cafile=cert)) == [b"got a"]
    assert not desk.wrong


def test_a_listener_ends_while_a_handshake_is_under_way(listen, certificate):
    cert, key = certificate
    listener = listen(Desk(), cert_file=cert, key_file=key)
    with connect(listener) as mute:
        until(lambda: listener.connections == 1)
        listener.close()
        with suppress(ConnectionError):
            assert mute.recv(1) == b""


def greet(listener, context):
    with (
        connect(listener) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as c,
    ):
        c.sendall(START + b"a" + END)
        return answers(c, 1)


def test_tls_files_that_are_none_are_one_clear_line(tmp_path):
    wrong = tmp_path / "none.pem"
    wrong.write_text("no key")
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        MllpListener(MllpSettings(port=0, cert_file=wrong, key_file=wrong), Desk())
