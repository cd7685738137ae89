import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.drain import Verdict
from common.telemetry.event import BATCH_TYPE
from common.telemetry.mqtt_client import UplinkSettings
from common.telemetry.mqtt_reasons import judge
from common.telemetry.outbox import MQTT
from common.telemetry.topics import Identity
from common.telemetry.uplink import Uplink
from tests.common.telemetry.uplink_rig import (
    BASE,
    MOSQUITTO,
    NO_MOSQUITTO,
    SELF,
    WAIT_S,
    Broker,
    a_broker,
    cut,
    listen,
    send,
    tell,
    until,
    waiting,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


def test_events_arrive_in_batches_and_leave_the_outbox(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listener = listen(broker, stack)
    sent = tell(store, 200)
    uplink = send(store, broker, stack)
    until(lambda: waiting(store).count == 0)
    until(lambda: len(listener.events()) == 200)
    assert listener.events() == sent
    until(lambda: uplink.state().queued == 0)
    state = uplink.state()
    assert (state.online, state.reason, state.sent, state.dead) == (True, "", 200, 0)
    batches = [m for m in listener.messages if m.topic == f"{BASE}/events"]
    assert 5 <= len(batches) < 30, "small ones first, until the line is known"
    for message in batches:
        assert message.qos == 1
        assert not message.retain
        assert message.properties.ContentType == BATCH_TYPE
        assert not hasattr(message.properties, "MessageExpiryInterval")
    late = tell(store, 1)
    until(lambda: listener.events()[200:] == late)


def test_classes_go_to_their_topics_and_only_telemetry_expires(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listener = listen(broker, stack)
    telemetry = tell(store, 1, "sample") + tell(store, 1, "metric")
    events = tell(store, 1, "verdict") + tell(store, 1, "audit") + tell(store, 1, "alarm")
    send(store, broker, stack, telemetry_expiry_s=120)
    until(lambda: len(listener.events("telemetry")) == 2)
    assert listener.events("telemetry") == telemetry[::-1], "priority first"
    assert listener.events() == events[::-1]
    (message,) = [m for m in listener.messages if m.topic == f"{BASE}/telemetry"]
    assert 0 < message.properties.MessageExpiryInterval <= 120


def test_a_broker_that_is_down_and_comes_back_costs_nothing(
    store: Store, tmp_path: Path, stack: ExitStack
) -> None:
    broker = Broker(tmp_path)
    stack.callback(broker.kill)
    uplink = send(store, broker, stack)
    sent = tell(store, 500)
    until(lambda: "nothing listens there" in uplink.state().reason)
    until(lambda: uplink.state().queued == 500)
    assert not uplink.state().online
    assert uplink.state().oldest_age_s is not None

    broker.start()
    listener = listen(broker, stack)
    until(lambda: waiting(store).count == 0)
    until(lambda: set(listener.events()) == set(sent))

    broker.kill()
    sent += tell(store, 300)
    broker.start()
    listener.await_subscription()
    until(lambda: waiting(store).count == 0)
    until(lambda: set(listener.events()) == set(sent))


def test_a_connection_cut_while_events_flow_loses_none(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listener = listen(broker, stack)
    uplink = send(store, broker, stack, batch_rows=3, window=7, backlog_per_s=1000.0)
    sent: list[int] = []
    for _ in range(5):
        before = len(sent)
        sent += tell(store, 200)
        until(lambda before=before: len(set(listener.events())) > before)
        cut(uplink)
    until(lambda: waiting(store).count == 0)
    until(lambda: set(listener.events()) == set(sent))
    assert len(listener.events()) < 2 * len(sent), "twice at worst, and only what was under way"


def test_what_nobody_subscribes_to_is_kept(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    sent = tell(store, 50)
    uplink = send(store, broker, stack)
    until(lambda: "nobody subscribes" in uplink.state().reason)
    assert uplink.state().online
    assert waiting(store).count == 50
    listener = listen(broker, stack)
    until(lambda: waiting(store).count == 0)
    until(lambda: uplink.state().reason == "")
    assert set(listener.events()) == set(sent)


def test_nobody_hearing_samples_does_not_hold_up_alarms(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listener = listen(broker, stack, topic=f"{BASE}/events")
    tell(store, 10, "sample")
    uplink = send(store, broker, stack, back_off_base_s=60.0, back_off_cap_s=60.0)
    until(lambda: "/telemetry" in uplink.state().reason)
    alarms = tell(store, 3, "alarm")
    until(lambda: listener.events() == alarms)
    until(lambda: waiting(store).count == 10)


def test_what_the_broker_forbids_becomes_dead_letters_to_be_revived(
    store: Store, tmp_path: Path, stack: ExitStack
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}/status\ntopic read #\n")
    broker = a_broker(tmp_path, stack, f"allow_anonymous true\nacl_file {acl}")
    listener = listen(broker, stack)
    sent = tell(store, 3)
    uplink = send(store, broker, stack)
    until(lambda: waiting(store).dead == 3)
    with closing(open_readonly(store.path)) as connection:
        letters = rows.dead_letters(connection)
    assert {letter.reason for letter in letters} == {"Not authorized (0x87)"}
    until(lambda: uplink.state().dead == 3)
    assert "refuses events for good" in uplink.state().reason

    acl.write_text(f"topic readwrite {BASE}/#\n")
    assert broker.process
    broker.process.send_signal(signal.SIGHUP)
    while not listener.events():  # it re-reads its file when it pleases
        store.submit(lambda connection: rows.revive(connection, MQTT)).result(WAIT_S)
        time.sleep(0.1)
    until(lambda: listener.events() == sent)


def test_a_row_too_large_for_the_broker_stops_no_other(
    store: Store, tmp_path: Path, stack: ExitStack
) -> None:
    broker = a_broker(tmp_path, stack, "allow_anonymous true\nmax_packet_size 20000")
    listener = listen(broker, stack)
    noise = "".join(chr(0x4E00 + (n * n * 7919 + n * 31) % 20_000) for n in range(30_000))
    before = tell(store, 30, text="x" * 1000)
    tell(store, 1, text=noise)
    after = tell(store, 30, text="x" * 1000)
    send(store, broker, stack)
    until(lambda: waiting(store).dead == 1 and waiting(store).count == 0)
    until(lambda: listener.events() == before + after)
    with closing(open_readonly(store.path)) as connection:
        (letter,) = rows.dead_letters(connection)
    assert "the broker takes 20000" in letter.reason


def test_others_see_when_the_station_comes_is_lost_and_goes(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listener = listen(broker, stack)
    uplink = send(store, broker, stack)
    until(lambda: len(listener.statuses()) == 1)
    cut(uplink)
    until(lambda: len(listener.statuses()) == 3)
    uplink.stop()
    until(lambda: len(listener.statuses()) == 4)
    seen = [(status["online"], status.get("reason")) for status in listener.statuses()]
    assert seen == [
        (True, None),
        (False, "connection lost"),
        (True, None),
        (False, "stopped"),
    ]
    late = listen(broker, stack)
    until(lambda: len(late.statuses()) == 1)
    assert late.statuses()[0]["reason"] == "stopped", "retained"


def test_a_frozen_broker_holds_up_neither_station_nor_shutdown(
    store: Store, broker: Broker, stack: ExitStack
) -> None:
    listen(broker, stack)
    uplink = send(store, broker, stack, ack_timeout_s=0.3, connect_timeout_s=0.5)
    until(lambda: uplink.state().online)
    assert broker.process
    broker.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    tell(store, 50)
    assert time.monotonic() - started < 2.0
    until(lambda: "no acknowledgement for" in uplink.state().reason)
    until(lambda: "does not answer" in uplink.state().reason)
    started = time.monotonic()
    uplink.stop()
    assert time.monotonic() - started < 5.0
    assert waiting(store).count == 50


def test_a_wrong_password_is_one_plain_line_without_it(
    store: Store, tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    users, secret = tmp_path / "users", tmp_path / "secret"
    users.write_text("")
    maker = shutil.which("mosquitto_passwd")
    if maker is None:
        pytest.skip("mosquitto_passwd is not installed")
    command = [maker, "-b", users, "station", "r1ght"]
    subprocess.run(command, check=True, capture_output=True)
    broker = a_broker(tmp_path, stack, f"allow_anonymous false\npassword_file {users}")
    secret.write_text("wr0ng\n")
    uplink = send(store, broker, stack, user="station", password_file=secret)
    until(lambda: "not authorised" in uplink.state().reason or "wrong" in uplink.state().reason)
    assert "wr0ng" not in uplink.state().reason + caplog.text
    secret.write_text("r1ght\n")  # read anew at the next attempt
    until(lambda: uplink.state().online)


def test_a_missing_password_file_is_one_plain_line(
    store: Store, broker: Broker, tmp_path: Path, stack: ExitStack
) -> None:
    uplink = send(store, broker, stack, user="station", password_file=tmp_path / "none")
    until(lambda: "none: cannot be read" in uplink.state().reason)


def test_tls_files_that_are_none_are_refused_at_once(store: Store, tmp_path: Path) -> None:
    settings = UplinkSettings(tls=True, ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"none\.pem: cannot be used"):
        Uplink(store, SELF, settings)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0x00, Verdict.DELIVERED),
        (0x10, Verdict.UNHEARD),
        (0x80, Verdict.LATER),
        (0x83, Verdict.LATER),
        (0x87, Verdict.NEVER),
        (0x90, Verdict.NEVER),
        (0x91, Verdict.LATER),
        (0x97, Verdict.LATER),
        (0x99, Verdict.NEVER),
    ],
)
def test_what_a_reason_code_means(code: int, verdict: Verdict) -> None:
    assert judge(code) is verdict


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", " a"])
def test_names_that_break_a_topic_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="without /"):
        Identity("acme", name, "line2", "cam01", "inspection")


def test_settings_that_cannot_work_are_refused() -> None:
    for table in ({"cert_file": "a"}, {"password_file": "a"}, {"durable_on": "hope"}):
        with pytest.raises(ConfigError):
            from_table(UplinkSettings, table, Path("app.toml"))


def test_a_password_leaves_this_machine_encrypted_or_not_at_all() -> None:
    somewhere, secret = "broker.plant1.example", Path("pw")
    with pytest.raises(ValueError, match="in the clear"):
        UplinkSettings(host=somewhere, user="press-1", password_file=secret)
    UplinkSettings(host=somewhere, tls=True, user="press-1", password_file=secret)
    UplinkSettings(host="127.0.0.1", user="press-1", password_file=secret)
