"""Syslog to a real TLS receiver: octet counting, outages, order, and whom it trusts."""

import socket
import sys
from contextlib import ExitStack

import pytest

from apps.patient_monitoring.outgoing.link import Link, LinkDown, Where
from apps.patient_monitoring.outgoing.settings import SiemSettings
from apps.patient_monitoring.outgoing.siem import Siem
from common.audit_upstream import AUDIT_EVENT
from common.errors import ConfigError
from common.store import Store
from common.telemetry.courier import BackOffSettings, Courier
from common.telemetry.drain import Verdict
from common.telemetry.outbox_rows import SIEM
from tests.apps.patient_monitoring.outgoing.conftest import server_tls
from tests.apps.patient_monitoring.outgoing.rig import (
    AUDIT,
    SecurityDesk,
    audit,
    free_port,
    put_in,
    running,
    until,
    waiting,
)
from tests.apps.patient_monitoring.outgoing.test_syslog import parsed, read_cef

QUICK = BackOffSettings(0.01, 0.05)


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def siem(keys, port, **more):
    facts = {"ca_file": keys / "ca.pem", "connect_timeout_s": 5.0, "write_timeout_s": 5.0}
    return Siem(SiemSettings(port=port, **{**facts, **more}))


def rows(count, first=1):
    return [("audit", AUDIT_EVENT, {**AUDIT, "seq": n}) for n in range(first, first + count)]


def courier(store: Store, keys, port: int, stack: ExitStack) -> Courier:
    made = Courier(store, SIEM, siem(keys, port), QUICK)
    made.start()
    stack.callback(made.stop)
    return made


def numbers(desk):
    return [int(read_cef(parsed(line)["text"])[1]["cn1"]) for line in desk.lines]


def test_messages_arrive_one_by_one_and_in_order(store, keys, desk, stack):
    put_in(store, *rows(30), sinks=(SIEM,))
    made = courier(store, keys, desk.port, stack)
    until(lambda: waiting(store, SIEM).count == 0)
    until(lambda: len(desk.lines) == 30)
    assert numbers(desk) == list(range(1, 31))
    assert len(desk.links) == 1, "one connection serves for all"
    until(lambda: made.state().sent == 30)


def test_a_message_with_line_ends_and_other_alphabets_is_one(keys, desk):
    way = siem(keys, desk.port)
    for user in ("a\nb", "Zoë 🩺", "12 <85>1 forged"):
        assert way.send(way.render(audit(user=user))).verdict is Verdict.DELIVERED
    until(lambda: len(desk.lines) == 3)
    assert [read_cef(parsed(one)["text"])[1]["suser"] for one in desk.lines] == [
        "a\nb", "Zoë 🩺", "12 <85>1 forged"]  # fmt: skip
    way.close()


def test_a_desk_that_is_down_loses_nothing(store, keys, stack):
    port = free_port()
    put_in(store, *rows(3), sinks=(SIEM,))
    made = courier(store, keys, port, stack)
    until(lambda: made.state().queued == 3 and "refused" in made.state().reason)
    assert not made.state().online
    with running(SecurityDesk(server_tls(keys), port)) as desk:
        until(lambda: waiting(store, SIEM).count == 0)
        until(lambda: len(desk.lines) == 3)
        assert numbers(desk) == [1, 2, 3]


def test_a_connection_that_was_cut_is_opened_anew(store, keys, desk, stack):
    put_in(store, *rows(2), sinks=(SIEM,))
    courier(store, keys, desk.port, stack)
    until(lambda: waiting(store, SIEM).count == 0)
    until(lambda: len(desk.lines) == 2)
    desk.cut()
    put_in(store, *rows(2, first=3), sinks=(SIEM,))
    until(lambda: waiting(store, SIEM).count == 0)
    until(lambda: numbers(desk)[-1] == 4)
    assert sorted(set(numbers(desk))) == [1, 2, 3, 4], "twice perhaps, lost never"


def test_a_receiver_that_never_shakes_hands_is_given_up(keys):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        way = siem(keys, deaf.getsockname()[1], connect_timeout_s=0.3)
        answer = way.send(way.render(audit()))
        way.close()
    assert answer.verdict is Verdict.LATER


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is unconfirmed")
def test_bytes_that_the_other_machine_has_not_confirmed_have_not_arrived():
    """It reads nothing: written is not arrived, however willingly our own kernel took it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        link = Link(Where("127.0.0.1", deaf.getsockname()[1], 1.0), None)
        link.write(b"x" * 100, 1.0)
        link.arrived(5.0)
        link.write(b"x" * 60_000, 1.0)
        with pytest.raises(LinkDown, match="not confirmed"):
            link.arrived(0.2)


@pytest.mark.parametrize(("certificate", "ca"), [("elsewhere", "ca"), ("server", "other")])
def test_a_desk_that_is_another_is_told_nothing(keys, certificate, ca):
    with running(SecurityDesk(server_tls(keys, certificate))) as desk:
        way = siem(keys, desk.port, ca_file=keys / f"{ca}.pem")
        answer = way.send(way.render(audit()))
        way.close()
        assert "certificate verify failed" in answer.reason
        assert desk.lines == []


def test_mutual_tls(keys):
    files = {"cert_file": keys / "client.pem", "key_file": keys / "client.key"}
    with running(SecurityDesk(server_tls(keys, mutual=True))) as desk:
        way = siem(keys, desk.port, **files)
        assert way.send(way.render(audit())).verdict is Verdict.DELIVERED
        until(lambda: len(desk.lines) == 1)
        way.close()


def test_settings_and_files_that_cannot_work_are_refused(tmp_path):
    with pytest.raises(ValueError, match="come together"):
        SiemSettings(cert_file=tmp_path / "a")
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        Siem(SiemSettings(ca_file=tmp_path / "none.pem"))
