"""Transactions to a real HTTP server: what each answer means, outages, and idempotence."""

from contextlib import ExitStack

import pytest
from fastapi import Response

from apps.patient_monitoring.outgoing.fhir import Fhir
from apps.patient_monitoring.outgoing.settings import FhirSettings
from apps.patient_monitoring.outgoing.who import Who
from common.alarms import orders
from common.alarms.persist import ALARM_EVENT
from common.audit_upstream import AUDIT_EVENT
from common.errors import ConfigError
from common.store import Store
from common.telemetry import outbox_rows as rows
from common.telemetry.courier import BackOffSettings, Courier
from common.telemetry.drain import Verdict
from common.telemetry.outbox_rows import FHIR, Backlog
from common.users import User
from tests.apps.patient_monitoring.outgoing import r4
from tests.apps.patient_monitoring.outgoing.rig import (
    AUDIT,
    Record,
    Ward,
    alert,
    audit,
    dead,
    free_port,
    outcome,
    put_in,
    serving,
    until,
    waiting,
)

NURSE = User("mia", "operator")
QUICK = BackOffSettings(0.01, 0.05)


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def client(url, stack, **more):
    made = Fhir(FhirSettings(url=url, timeout_s=5.0, **more), Who())
    stack.callback(made.close)
    return made


def courier(store: Store, url: str, stack: ExitStack, **more) -> Courier:
    made = Courier(
        store, FHIR, Fhir(FhirSettings(url=url, timeout_s=5.0, **more), Who()), QUICK
    )
    made.start()
    stack.callback(made.stop)
    return made


def test_a_transaction_is_taken_and_every_resource_is_one(record, stack):
    fhir = client(record.url, stack)
    for of in (alert(), audit(), Ward().set()):
        assert fhir.send(fhir.render(of)).verdict is Verdict.DELIVERED
    for bundle in record.bundles:
        r4.check(bundle)
    assert len(record.bundles) == 3


def test_sent_twice_it_is_there_once(record, stack):
    fhir = client(record.url, stack)
    for of in (alert(), audit(), Ward().set()):
        for _ in range(3):
            assert fhir.send(fhir.render(of)).verdict is Verdict.DELIVERED
    kinds = ("Observation", "RiskAssessment", "AuditEvent", "Flag", "DetectedIssue")
    assert [len(record.of(kind)) for kind in kinds] == [8, 1, 1, 1, 1]


def test_a_beginning_that_comes_late_does_not_undo_the_end(record, stack):
    fhir, ward = client(record.url, stack), Ward()
    begun, ended = ward.set(), ward.set(active=False)
    for of in (begun, ended, begun):
        assert fhir.send(fhir.render(of)).verdict is Verdict.DELIVERED
    (flag,) = record.of("Flag")
    assert flag["status"] == "inactive"


@pytest.mark.parametrize(
    ("status", "verdict", "answered"),
    [
        (400, Verdict.NEVER, False),
        (412, Verdict.NEVER, False),
        (422, Verdict.NEVER, False),
        (401, Verdict.LATER, False),
        (403, Verdict.LATER, False),
        (404, Verdict.LATER, False),
        (408, Verdict.LATER, False),
        (429, Verdict.LATER, False),
        (500, Verdict.LATER, True),
        (502, Verdict.LATER, False),
        (503, Verdict.LATER, False),
        (302, Verdict.LATER, False),
    ],
)
def test_what_a_status_means(record, stack, status, verdict, answered):
    record.answer = lambda _: outcome(status, "Patient Smith is\nnot known")
    fhir = client(record.url, stack)
    answer = fhir.send(fhir.render(audit()))
    assert (answer.verdict, answer.answered) == (verdict, answered)
    assert str(status) in answer.reason
    assert ("Patient Smith is not known" in answer.reason) is (verdict is Verdict.NEVER)


def test_the_server_says_how_long_to_wait(record, stack):
    record.answer = lambda _: Response(status_code=503, headers={"Retry-After": "7"})
    fhir = client(record.url, stack)
    assert fhir.send(fhir.render(audit())).wait_s == 7.0


@pytest.mark.parametrize(
    "body", ["<html>Sign in to the guest network</html>", "", "[]", '{"resourceType":"Bundle"}',
             '{"resourceType":"Bundle","type":"transaction-response","entry":[]}']
)  # fmt: skip
def test_200_from_something_else_on_the_way_is_no_delivery(record, stack, body):
    record.answer = lambda _: Response(body, media_type="text/html")
    fhir = client(record.url, stack)
    answer = fhir.send(fhir.render(audit()))
    assert answer.verdict is Verdict.LATER
    assert "no answer to a transaction" in answer.reason


def test_the_token_goes_along_and_nowhere_else(record, stack, tmp_path, caplog):
    caplog.set_level("DEBUG")
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    fhir = client(record.url, stack, token_file=token)
    assert fhir.send(fhir.render(audit())).verdict is Verdict.DELIVERED
    assert record.tokens == ["Bearer s3cret"]
    token.unlink()
    missing = fhir.send(fhir.render(audit()))
    assert (missing.verdict, len(record.tokens)) == (Verdict.LATER, 1)
    assert "token cannot be read" in missing.reason
    assert "s3cret" not in caplog.text


# ------------------------------------------------------------------ through the outbox


def events():
    ward = Ward()
    found = [ward.set(), ward.command(orders.acknowledge(NURSE)), ward.set(active=False)]
    return [("alarm", ALARM_EVENT, dict(e.data)) for e in found]


def test_an_alarm_s_life_arrives_in_order(store, record, stack):
    put_in(store, *events(), ("audit", AUDIT_EVENT, AUDIT), sinks=(FHIR,))
    made = courier(store, record.url, stack)
    until(lambda: waiting(store, FHIR).count == 0)
    statuses = [e["resource"]["status"] for b in record.bundles for e in b["entry"]
                if e["resource"]["resourceType"] == "Flag"]  # fmt: skip
    assert statuses == ["active", "active", "inactive"]
    (flag,), (issue,) = record.of("Flag"), record.of("DetectedIssue")
    assert (flag["status"], issue["status"]) == ("inactive", "final")
    assert issue["mitigation"][0]["author"]["identifier"]["value"] == "mia"
    until(lambda: made.state().sent == 4)


def test_a_record_that_is_down_loses_nothing(store, stack):
    port, record = free_port(), Record()
    put_in(store, *events(), sinks=(FHIR,))
    made = courier(store, f"http://127.0.0.1:{port}/fhir", stack)
    until(lambda: made.state().queued == 3 and "refused" in made.state().reason)
    with serving(record.app, port):
        until(lambda: waiting(store, FHIR).count == 0)
    assert record.of("Flag")[0]["status"] == "inactive"


def test_a_refused_transaction_is_a_dead_letter_that_can_be_sent_again(store, record, stack):
    def refuse_audit(bundle):
        return outcome(422, "unknown code") if len(bundle["entry"]) == 1 else None

    record.answer = refuse_audit
    put_in(store, events()[0], ("audit", AUDIT_EVENT, AUDIT), sinks=(FHIR,))
    made = courier(store, record.url, stack)
    until(lambda: made.state().dead == 1 and made.state().queued == 0)
    assert "422 Unprocessable" in dead(store)[0].reason
    assert "unknown code" in dead(store)[0].reason
    record.answer = lambda _: None
    store.submit(lambda c: rows.revive(c, FHIR)).result()
    until(lambda: waiting(store, FHIR) == Backlog(0, None, 0))
    assert len(record.of("AuditEvent")) == 1


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://ehr"},
        {"url": "http://ehr:notaport"},
        {"url": "https://ehr", "cert_file": "a"},
        {"url": "https://mia:s3cret@ehr"},
        {"url": "http://ehr.example/fhir", "identify": True},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=r"url|cert_file|identify") as caught:
        FhirSettings(**wrong)
    assert "s3cret" not in str(caught.value)


def test_who_the_patient_is_may_be_told_over_https_and_on_this_machine():
    assert FhirSettings(url="https://ehr.example/fhir", identify=True).identify
    assert FhirSettings(url="http://127.0.0.1:8091/fhir", identify=True).identify


def test_tls_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        Fhir(FhirSettings(url="https://ehr", ca_file=tmp_path / "none.pem"), Who())


def test_a_proxy_of_the_environment_is_not_asked(record, stack, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fhir = client(record.url, stack)
    assert fhir.send(fhir.render(audit())).verdict is Verdict.DELIVERED
