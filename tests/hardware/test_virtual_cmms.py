"""The virtual CMMS: one order however often it comes, and it says what it is."""

import json
import signal
import subprocess
import sys

import httpx
import pytest

from common.service import ApiServer
from hardware.virtual_cmms import MOST_BYTES, Book, build_api, main

ORDER = {
    "external_ref": "s/fan-3/VIB/1", "revision": 1, "equipment_id": "fan-3",
    "status": "OPEN", "short_text": "PLAN: fan-3", "priority": 3,
}  # fmt: skip


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def client(book):
    server = ApiServer(build_api(book), 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as made:
        yield made
    server.stop()


def post(client, order, kind="lineside.maintenance.order.v1"):
    return client.post("/orders", json={"type": kind, "data": order})


def test_it_says_that_it_is_a_simulator(client):
    assert "SIMULATOR" in client.get("/").json()["what"]


def test_an_order_sent_twice_is_one_and_the_newest_revision_stands(client, book):
    assert post(client, ORDER).json() == {"result": "created"}
    assert post(client, ORDER).json() == {"result": "known already"}
    assert post(client, ORDER | {"revision": 3, "priority": 1}).json() == {"result": "changed"}
    assert post(client, ORDER | {"revision": 2}).json() == {"result": "known already"}
    (order,) = client.get("/orders").json()
    assert (order["revision"], order["priority"]) == (3, 1)
    assert (book.received, book.repeated) == (4, 2)


def test_what_is_no_order_is_refused_and_other_events_are_not_for_it(client, book):
    assert post(client, {"revision": 1}).status_code == 422
    assert post(client, ORDER | {"revision": "1"}).status_code == 422
    assert client.post("/orders", content=b"{").status_code == 422
    assert post(client, {}, "lineside.alarm.v1").status_code == 200
    assert (book.orders, book.others) == ({}, 1)


@pytest.mark.parametrize("text", ['"\\ud800"', "NaN", "1e999"])
def test_what_no_answer_can_hold_is_no_order(client, text):
    event = json.dumps({"type": "lineside.maintenance.order.v1", "data": ORDER})
    wrong = event.replace('"PLAN: fan-3"', text)
    assert client.post("/orders", content=wrong).status_code == 422
    assert client.get("/orders").json() == []


def test_more_than_an_order_has_is_not_read(client):
    assert client.post("/orders", content=b" " * (MOST_BYTES + 1)).status_code == 413


def test_an_outage_lasts_as_many_requests_as_asked(client):
    client.post("/outage?requests=2")
    assert [post(client, ORDER).status_code for _ in range(3)] == [503, 503, 200]


def test_orders_may_outlive_a_restart(tmp_path):
    Book(tmp_path / "orders.json").take(dict(ORDER))
    assert list(Book(tmp_path / "orders.json").orders) == [ORDER["external_ref"]]


@pytest.mark.parametrize("port", ["99999", "-1", "five"])
def test_a_port_that_is_none_is_refused(capsys, port):
    with pytest.raises(SystemExit):
        main(["--port", port])
    assert f"argument --port: '{port}': a whole number" in capsys.readouterr().err


def test_a_file_without_orders_is_one_clear_line(tmp_path, caplog):
    for file in (tmp_path, tmp_path / "orders.json"):
        (tmp_path / "orders.json").write_text("rubbish")
        assert main(["--port", "0", "--file", str(file)]) == 2
        assert f"{file}: holds no orders that can be read" in caplog.text


def test_ctrl_c_ends_it_without_a_traceback():
    command = [sys.executable, "-m", "hardware.virtual_cmms", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert "SIMULATOR" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
