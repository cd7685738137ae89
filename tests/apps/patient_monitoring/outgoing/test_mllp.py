"""HL7 to a real MLLP server: every kind of answer, outages, order, and the same key twice."""

import threading
from contextlib import ExitStack

import pytest

from apps.patient_monitoring.outgoing.link import Link, LinkDown, Where, tls_context
from apps.patient_monitoring.outgoing.mllp import Mllp
from apps.patient_monitoring.outgoing.pulse import Pulse
from apps.patient_monitoring.outgoing.settings import Hl7Settings
from apps.patient_monitoring.outgoing.who import Who
from common import meta
from common.alarms import orders
from common.alarms.persist import ALARM_EVENT
from common.errors import ConfigError
from common.store import Store
from common.telemetry.courier import Answer, BackOffSettings, Courier
from common.telemetry.drain import Verdict
from common.telemetry.outbox_rows import HL7, Backlog
from common.users import User
from tests.apps.patient_monitoring.outgoing.conftest import server_tls
from tests.apps.patient_monitoring.outgoing.rig import (
    AlarmManager,
    Ward,
    ack,
    dead,
    fields,
    free_port,
    put_in,
    running,
    until,
    waiting,
)

NURSE = User("mia", "operator")
QUICK = BackOffSettings(0.01, 0.05)


def speaker(port, works=lambda: True, **more):
    facts = {"ack_timeout_s": 5.0, "connect_timeout_s": 5.0, "watchdog_s": 0.0, **more}
    return Mllp(Hl7Settings(port=port, **facts), Who(), works)


def message(receiver):
    return receiver.render(Ward().set())


def alarms(store: Store, count: int):
    """So many changes of one alarm, in the outbox; gives their control ids in order."""
    ward = Ward()
    events = [ward.set()]
    while len(events) < count:
        events.append(ward.set(active=len(events) % 2 == 0))
        ward.rig.clock.sleep(1.0)
    told = [("alarm", ALARM_EVENT, dict(event.data)) for event in events]
    return put_in(store, *told, sinks=(HL7,))


def courier(store: Store, port: int, stack: ExitStack, **more) -> Courier:
    made = Courier(store, HL7, speaker(port, **more), QUICK)
    made.start()
    stack.callback(made.stop)
    return made


def occurrences(manager):
    return [fields(one)["MSH"][0][10] for one in manager.taken]


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


# ------------------------------------------------------------------ one message, one answer


def test_an_accepted_message_is_taken(manager):
    mllp = speaker(manager.port)
    answer = mllp.send(message(mllp))
    mllp.close()
    assert answer.verdict is Verdict.DELIVERED
    assert manager.taken == [message(mllp).text]


@pytest.mark.parametrize(
    ("code", "error", "verdict"),
    [
        ("AA", "", Verdict.DELIVERED),
        ("AE", "", Verdict.NEVER),
        ("AR", "", Verdict.NEVER),
        ("AE", "204^Unknown key^HL70357", Verdict.NEVER),
        ("AR", "200^Unsupported message type^HL70357", Verdict.NEVER),
        ("AE", "207^Application internal error^HL70357", Verdict.LATER),
        ("AR", "206^Application record locked^HL70357", Verdict.LATER),
        ("CR", "", Verdict.NEVER),
        ("XX", "", Verdict.LATER),
    ],
)
def test_what_an_answer_means(manager, code, error, verdict):
    manager.answer = lambda text: ack(text, code, error=error)
    mllp = speaker(manager.port)
    answer = mllp.send(message(mllp))
    mllp.close()
    assert answer.verdict is verdict
    if verdict is Verdict.NEVER:
        assert code in answer.reason
        assert not error or "no such bed & ward" in answer.reason
    if verdict is Verdict.LATER:
        assert answer.answered
        assert "no such bed" not in answer.reason, "their words may name somebody"


@pytest.mark.parametrize(
    "nonsense",
    ["", "MSH|^~\\&|A\r", "hello", "MSA|AA|1\r", "MSH|^~\\&|A\rMSA|AA|ANOTHER-MESSAGE\r"],
)
def test_an_answer_that_is_none_is_no_delivery(manager, nonsense):
    manager.answer = lambda _: nonsense
    mllp = speaker(manager.port)
    answer = mllp.send(message(mllp))
    assert (answer.verdict, answer.answered) == (Verdict.LATER, True)
    assert len(answer.reason.splitlines()) == 1
    manager.answer = ack
    assert mllp.send(message(mllp)).verdict is Verdict.DELIVERED
    mllp.close()


def test_stored_is_waited_past_until_the_application_has_read_it(manager):
    manager.answer = lambda text: ack(text, "CA") + "\x1c" + ack(text, "AE")
    mllp = speaker(manager.port)
    assert mllp.send(message(mllp)).verdict is Verdict.NEVER
    mllp.close()
    mllp = speaker(manager.port, acknowledgement="commit")
    assert mllp.send(message(mllp)).verdict is Verdict.DELIVERED
    mllp.close()


def test_a_late_answer_is_not_taken_for_that_to_the_next_message(manager):
    """The receiver answers twice: what stands on the connection unasked ends it."""
    manager.answer = lambda text: ack(text) + "\x1c" + ack(text, "AE")
    mllp = speaker(manager.port)
    ward = Ward()
    first, second = mllp.render(ward.set()), mllp.render(ward.set(active=False))
    assert mllp.send(first).verdict is Verdict.DELIVERED
    answers = []
    until(lambda: answers.append(mllp.send(second)) or answers[-1].verdict is Verdict.DELIVERED)
    assert Verdict.NEVER not in [answer.verdict for answer in answers]
    mllp.close()


def test_silence_is_no_delivery(manager):
    manager.answer = lambda _: None
    mllp = speaker(manager.port, ack_timeout_s=0.2)
    answer = mllp.send(message(mllp))
    mllp.close()
    assert (answer.verdict, answer.answered) == (Verdict.LATER, False)
    assert "no answer in time" in answer.reason


def test_an_answer_without_an_end_is_not_read_for_ever(manager):
    manager.answer = lambda _: "x" * 200_000
    mllp = speaker(manager.port)
    assert "without an end" in mllp.send(message(mllp)).reason
    mllp.close()


def test_nobody_there_is_one_plain_line():
    mllp = speaker(free_port())
    answer = mllp.send(message(mllp))
    assert answer.verdict is Verdict.LATER
    assert "Connection refused" in answer.reason


def test_a_connection_that_was_closed_is_opened_anew(manager):
    mllp = speaker(manager.port)
    assert mllp.send(message(mllp)).verdict is Verdict.DELIVERED
    manager.cut()
    until(lambda: mllp.send(message(mllp)).verdict is Verdict.DELIVERED)
    assert len(manager.connections) == 2
    mllp.close()


# ------------------------------------------------------------------ the watchdog


def test_silence_is_told_to_be_peace(manager):
    mllp = speaker(manager.port, watchdog_s=0.01)
    until(lambda: (mllp.probe() or Answer(Verdict.LATER)).verdict is Verdict.DELIVERED)
    mllp.close()
    said = fields(manager.taken[0])
    assert said["MSH"][0][9] == "ORU^R40^ORU_R40"
    assert len(said["MSH"][0][10]) == 20
    assert "PID" not in said
    assert [row[3:7] for row in said["OBX"][1:]] == [
        ["196614^MDC_EVT_ACTIVE^MDC", "1.0.0.0.1", "", ""],
        ["67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC", "1.0.0.0.9", "0.02", "264320^MDC_DIM_SEC^MDC"],
    ]


def test_a_dead_loop_is_not_said_to_live(manager):
    """The heart beats with completed work: this thread alone proves nothing."""
    asked = []
    mllp = speaker(manager.port, lambda: bool(asked.append(1)), watchdog_s=0.01)
    until(lambda: mllp.probe() is not None or len(asked) > 2)
    assert manager.tried == []


def snapshot(store, beats, healthy=True):
    said = {"counts": {"beats": beats}, "healthy": healthy}
    store.submit(lambda c: meta.put(c, "snapshot", said)).result()


def test_the_pulse_is_that_of_the_loop(store):
    pulse = Pulse(store.path)
    assert not pulse(), "nothing was ever said"
    snapshot(store, 7)
    assert pulse()
    assert not pulse(), "and nothing since"
    snapshot(store, 8)
    assert pulse()
    snapshot(store, 9, healthy=False)
    assert not pulse(), "it works, and sees nothing"
    snapshot(store, 10)
    assert not Pulse(store.path)(), "a snapshot may be of the last start"
    assert not Pulse(store.path.with_name("none.db"))()


def test_a_refused_watchdog_was_heard(manager):
    manager.answer = lambda text: ack(text, "AR")
    mllp = speaker(manager.port, watchdog_s=0.01)
    until(lambda: (mllp.probe() or Answer(Verdict.LATER)).verdict is Verdict.DELIVERED)
    mllp.close()


def test_the_watchdog_waits_its_time_and_may_be_off(manager):
    for seconds in (0.0, 3600.0):
        assert speaker(manager.port, watchdog_s=seconds).probe() is None
    assert manager.tried == []


def test_a_receiver_that_dies_in_peace_is_missed(store, stack):
    with running(AlarmManager()) as manager:
        made = courier(store, manager.port, stack, watchdog_s=0.05)
        until(lambda: made.state().online)
    until(lambda: not made.state().online)
    assert made.state().queued == 0


# ------------------------------------------------------------------ TLS


def test_mutual_tls(keys):
    files = {"ca_file": keys / "ca.pem", "cert_file": keys / "client.pem",
             "key_file": keys / "client.key"}  # fmt: skip
    with running(AlarmManager(tls=server_tls(keys, mutual=True))) as manager:
        mllp = speaker(manager.port, tls=True, **files)
        assert mllp.send(message(mllp)).verdict is Verdict.DELIVERED
        mllp.close()


@pytest.mark.parametrize(("certificate", "ca"), [("elsewhere", "ca"), ("server", "other")])
def test_a_server_that_is_another_is_told_nothing(keys, certificate, ca):
    with running(AlarmManager(tls=server_tls(keys, certificate))) as manager:
        mllp = speaker(manager.port, tls=True, ca_file=keys / f"{ca}.pem")
        answer = mllp.send(message(mllp))
        mllp.close()
    assert answer.verdict is Verdict.LATER
    assert "certificate verify failed" in answer.reason
    assert manager.tried == []


def test_tls_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        tls_context(Where("127.0.0.1", 1, 1.0), tmp_path / "none.pem", None, None)


# ------------------------------------------------------------------ through the outbox


def test_changes_go_in_order_and_each_once(store, manager, stack):
    ids = alarms(store, 12)
    made = courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7).count == 0)
    assert len(ids) == len(manager.taken) == 12
    phases = [fields(one)["OBX"][3][5] for one in manager.taken]
    assert phases == ["start", "end"] * 6
    until(lambda: made.state().sent == 12)
    assert made.state().online


def test_a_receiver_that_is_down_loses_nothing_and_order_stays(store, stack):
    port = free_port()
    alarms(store, 4)
    made = courier(store, port, stack)
    until(lambda: "refused" in made.state().reason)
    until(lambda: made.state().queued == 4)
    assert not made.state().online
    with running(AlarmManager(port)) as manager:
        until(lambda: waiting(store, HL7).count == 0)
        assert [fields(one)["OBX"][3][5] for one in manager.taken] == ["start", "end"] * 2


def test_a_cut_before_the_answer_sends_the_same_message_again(store, manager, stack):
    """The receiver may have booked it: both times it has the same control id."""
    cut = threading.Event()

    def answer(text):
        if not cut.is_set():
            cut.set()
            manager.cut()
            return None
        return ack(text)

    manager.answer = answer
    alarms(store, 2)
    courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7).count == 0)
    assert len(manager.tried) == 3
    assert manager.tried[0] == manager.tried[1], "byte for byte"
    assert len(set(occurrences(manager))) == 2


def test_what_is_refused_for_good_is_a_dead_letter_and_the_rest_goes_on(store, manager, stack):
    ids = alarms(store, 3)
    count = iter([1, 2, 3])
    error = "204^Unknown key^HL70357"
    manager.answer = lambda text: ack(
        text, error=error, code="AE" if next(count) == 2 else "AA"
    )
    courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7) == Backlog(0, None, 1))
    (letter,) = dead(store)
    assert f"{letter.epoch}-{letter.event}" == ids[1]
    assert "AE 204" in letter.reason
    assert "no such bed & ward" in letter.reason


def test_a_message_that_is_put_off_for_ever_does_not_hold_up_the_others(store, manager, stack):
    ward = Ward()
    first = ward.set(), ward.set(active=False)
    events = [*first, ward.set("bed_risk/4"), ward.set("bed_risk/4", active=False)]
    put_in(store, *(("alarm", ALARM_EVENT, dict(e.data)) for e in events), sinks=(HL7,))
    bad = []

    def answer(text):
        control = fields(text)["MSH"][0][10]
        bad[:] = bad or [control]
        return ack(text, "AE", error="207") if control == bad[0] else ack(text)

    manager.answer = answer
    courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7) == Backlog(0, None, 1))
    assert len(manager.taken) == 3
    assert "put off 6 times while others were taken" in dead(store)[0].reason


def test_a_receiver_in_trouble_makes_no_dead_letters(store, manager, stack):
    alarms(store, 3)
    manager.answer = lambda text: ack(text, "AE", error="207")
    made = courier(store, manager.port, stack)
    until(lambda: len(manager.tried) > 12)
    assert waiting(store, HL7).dead == 0
    assert not made.state().online
    manager.answer = ack
    until(lambda: waiting(store, HL7) == Backlog(0, None, 0))
    assert sorted(fields(one)["OBX"][3][5] for one in manager.taken) == [
        "end",
        "start",
        "start",
    ]


def test_what_was_not_taken_is_sent_after_a_restart(store, manager):
    alarms(store, 2)
    for answer, left in ((lambda _: None, 2), (ack, 0)):
        manager.answer = answer
        made = Courier(store, HL7, speaker(manager.port, ack_timeout_s=0.2), QUICK)
        made.start()
        until(lambda: bool(manager.tried))
        until(lambda left=left: waiting(store, HL7).count == left)
        made.stop()
    assert len(manager.taken) == 2


def test_what_is_not_for_it_is_passed_over(store, manager, stack):
    put_in(store, ("audit", "lineside.audit.v1", {"seq": 1}), sinks=(HL7,))
    made = courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7).count == 0)
    assert made.passed_over == 1
    assert manager.tried == []


def test_what_cannot_be_rendered_is_a_dead_letter_with_the_reason(store, manager, stack):
    about = {"kind": "risk", "patient": "p", "bed": "3"}
    put_in(store, ("alarm", ALARM_EVENT, {"about": about}), sinks=(HL7,))
    alarms(store, 1)
    courier(store, manager.port, stack)
    until(lambda: waiting(store, HL7) == Backlog(0, None, 1))
    assert "cannot be rendered" in dead(store)[0].reason
    assert len(manager.taken) == 1


def test_who_took_note_reaches_the_alarm_manager(store, manager, stack):
    ward = Ward()
    events = [ward.set(), ward.command(orders.acknowledge(NURSE))]
    put_in(store, *(("alarm", ALARM_EVENT, dict(e.data)) for e in events), sinks=(HL7,))
    courier(store, manager.port, stack)
    until(lambda: len(manager.taken) == 2)
    assert fields(manager.taken[1])["OBX"][5][5] == "alert-acknowledged"


def test_a_link_that_is_not_open_says_so():
    link = Link(Where("127.0.0.1", free_port(), 1.0), None)
    with pytest.raises(LinkDown):
        link.read(b"\r", 10, 1.0)
    with pytest.raises(LinkDown):
        link.arrived(1.0)
