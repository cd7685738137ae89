"""The Modbus client: every failure is one clear PlcError, and none of them blocks."""

import socket
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import HeldClock
from common.errors import PlcError
from hardware.fieldbus.modbus_client import EXCEPTIONS, Backoff, ModbusClient
from hardware.fieldbus.register_server import GRANTED, SILENT, Memory, RegisterServer


class BadServer:
    """A TCP server that answers each request with what `answer` makes of its header."""

    def __init__(self, answer):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        connection, _ = self._listener.accept()
        with connection, suppress(ConnectionResetError):
            while request := connection.recv(300):
                if not (reply := self._answer(request)):
                    return
                connection.sendall(reply)

    def close(self):
        self._listener.close()
        self._thread.join()


def frame(request, payload, transaction=None):
    """An MBAP frame that answers `request`."""
    head = transaction or request[:2]
    return head + b"\0\0" + (len(payload) + 1).to_bytes(2, "big") + request[6:7] + payload


@pytest.fixture
def serve(clock):
    opened = []

    def serve(answer):
        server = BadServer(answer)
        client = ModbusClient("127.0.0.1", server.port, clock=clock, timeout_s=0.2, retries=0)
        opened.extend([client, server])
        return client

    yield serve
    for thing in opened:
        thing.close()


@pytest.fixture
def plc():
    class Plc:
        code = GRANTED
        requests = 0

        async def admit(self, _access):
            self.requests += 1
            return self.code

    played = Plc()
    played.server = RegisterServer(Memory(132), "127.0.0.1", 0, gatekeeper=played.admit)
    played.server.start()
    yield played
    played.server.close()


@pytest.fixture
def client(plc, clock):
    client = ModbusClient("127.0.0.1", plc.server.port, clock=clock, timeout_s=0.2)
    yield client
    client.close()


@pytest.mark.parametrize("code", sorted(EXCEPTIONS))
def test_every_exception_says_which_plc_what_and_what_to_do(plc, client, code):
    plc.code = code
    reason, remedy = EXCEPTIONS[code]
    for call in (
        lambda: client.read(0, 13),
        lambda: client.write(100, [1]),
        lambda: client.write_coils(0, [True]),
    ):
        with pytest.raises(PlcError) as caught:
            call()
        text = str(caught.value)
        assert f"PLC 127.0.0.1:{plc.server.port}" in text
        assert f"refused: {reason} (Modbus exception {code}); {remedy}" in text
        assert "\n" not in text
    plc.code = GRANTED
    assert client.read(0, 1) == [0]  # an exception is an answer: the connection stands
    assert client.retry_in_s == 0


def test_an_exception_code_of_a_vendor_is_told_too(serve):
    client = serve(lambda request: frame(request, bytes([0x83, 0x55])))
    with pytest.raises(PlcError, match="Modbus exception 85"):
        client.read(0, 1)


def test_addresses_beyond_the_map_are_illegal(client):
    with pytest.raises(PlcError, match="illegal address"):
        client.read(131, 2)


def test_silence_is_a_timeout_asked_twice_at_most(plc, client):
    plc.code = SILENT
    with pytest.raises(PlcError, match=r"no answer in 0\.2 s; check cable"):
        client.read(0, 13)
    assert plc.requests == 2


def test_a_retry_that_is_answered_is_no_failure(plc, client):
    answers = iter([SILENT, GRANTED])

    async def once_silent(_access):
        return next(answers)

    plc.server._gatekeeper = once_silent
    assert client.read(0, 2) == [0, 0]


def test_a_short_answer_is_not_taken_for_the_registers(serve):
    client = serve(lambda request: frame(request, bytes([3, 4, 0, 1, 0, 2])))
    with pytest.raises(PlcError, match="2 came; is this our PLC"):
        client.read(0, 13)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: frame(request, bytes([3, 26, 0])),
        lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda request: frame(request, bytes([0x2B, 1, 2, 3])),
    ],
    ids=["cut off", "no Modbus", "other function"],
)
def test_nonsense_is_an_error(serve, answer):
    with pytest.raises(PlcError, match=r"127\.0\.0\.1"):
        serve(answer).read(0, 13)


def test_an_answer_to_another_question_is_skipped(serve):
    old = (0x7777).to_bytes(2, "big")

    def late_then_right(request):
        stale = frame(request, bytes([3, 2, 0, 1]), transaction=old)
        return stale + frame(request, bytes([3, 2, 0, 5]))

    assert serve(late_then_right).read(0, 1) == [5]


def test_a_closed_connection_is_told(serve):
    with pytest.raises(PlcError, match="the connection broke"):
        serve(lambda _: b"").read(0, 1)


def test_a_refused_connection_backs_off_without_blocking(plc, client, clock):
    plc.server.close()
    with pytest.raises(PlcError, match="refuses the connection; is it on"):
        client.connect()
    for _ in range(3):
        if client.retry_in_s > 0:
            with pytest.raises(PlcError, match="not connected"):
                client.read(0, 1)
    plc.server.start()
    clock.sleep(10)
    assert client.connect()
    assert not client.connect()
    assert client.read(0, 1) == [0]


def test_a_restarted_plc_is_found_again_and_is_a_new_connection(plc, client, clock):
    client.read(0, 1)
    plc.server.drop_connections()
    with pytest.raises(PlcError, match="broke"):
        client.read(0, 1)
    clock.sleep(10)
    assert client.connect()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_backoff_is_full_jitter_under_a_doubling_bound(seed, failures):
    clock = HeldClock()
    backoff = Backoff(clock, first_s=0.1, most_s=5.0, seed=seed)
    assert backoff.left_s == 0
    for number in range(failures):
        backoff.failed()
        assert 0 <= backoff.left_s <= min(5.0, 0.1 * 2**number)
        clock.sleep(backoff.left_s)
        assert backoff.left_s == pytest.approx(0, abs=1e-6)
    backoff.succeeded()
    assert backoff.left_s == 0


def test_small_requests_are_not_held_back(client):
    client.connect()
    option = client._client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option != 0


def test_what_was_given_up_does_not_arrive_later(clock):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = ModbusClient("127.0.0.1", port, clock=clock, timeout_s=0.05, retries=0)
        client.connect()
        connection, _ = listener.accept()
        with connection:
            with pytest.raises(PlcError, match="no answer"):
                client.write_coils(0, [True])
            assert connection.recv(300)
            with pytest.raises(ConnectionResetError):  # an end would be sent behind the rest
                connection.recv(300)
