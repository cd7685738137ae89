"""The whole way: a decision → the alarm engine → the outbox → three receivers, and outages."""

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from apps.patient_monitoring import bed_alarms
from apps.patient_monitoring.act import Act
from apps.patient_monitoring.domain import Patient, Risk
from apps.patient_monitoring.outgoing.settings import (
    FhirSettings,
    Hl7Settings,
    OutgoingSettings,
    SiemSettings,
)
from apps.patient_monitoring.outgoing.ways import failing, open_ways
from common.alarms import orders
from common.alarms.persist import stored_board
from common.audit_upstream import AuditUpstream
from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError
from common.store import Store, StoreSettings
from common.telemetry.courier import BackOffSettings
from common.telemetry.outbox import Outbox
from common.telemetry.outbox_rows import FHIR, HL7, SIEM
from common.users import User
from tests.apps.patient_monitoring.outgoing.conftest import server_tls
from tests.apps.patient_monitoring.outgoing.rig import (
    SOURCE,
    SecurityDesk,
    fields,
    free_port,
    running,
    until,
    waiting,
)
from tests.apps.patient_monitoring.outgoing.test_syslog import parsed, read_cef
from tests.apps.patient_monitoring.test_ward_act import (
    BEDS,
    EMERGENCY,
    FAULT,
    decision,
    patients,
)

NURSE = User("mia", "operator")
QUICK = BackOffSettings(0.01, 0.05)
ALL = (HL7, FHIR, SIEM)


class Gateway:
    """What a ward's station has of it, opened on a folder; a second one is a restart."""

    def __init__(self, folder: Path, settings: OutgoingSettings, reveal=None) -> None:
        self._opened = ExitStack()
        self.store = Store(folder / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
        self._opened.callback(self.store.close)
        self.outbox = Outbox(source=SOURCE, epoch=self.store.epoch, boot_id=self.store.boot_id,
                             clock=self.store.clock)  # fmt: skip
        self.ways = open_ways(settings, self.store, reveal)
        self.board = stored_board(bed_alarms.definitions(BEDS), self.store, self.outbox, ALL)
        self.act = Act(self.board, BEDS, patients(), self.store.clock.wall)
        for way in self.ways.values():
            way.start()
            self._opened.callback(way.stop)

    def audit(self) -> None:
        self.store.submit(AuditUpstream(self.outbox, ALL).tell).result()

    def close(self) -> None:
        self._opened.close()


def ward(keys, manager=None, record=None, desk_port=0, **more) -> OutgoingSettings:
    return OutgoingSettings(
        Hl7Settings(manager is not None, port=manager.port if manager else 1, back_off=QUICK,
                    **more.get("hl7", {})),
        FhirSettings(record.url if record else "http://127.0.0.1:1", enabled=record is not None,
                     back_off=QUICK, **more.get("fhir", {})),
        SiemSettings(bool(desk_port), port=desk_port or 1, ca_file=keys / "ca.pem",
                     back_off=QUICK),
    )  # fmt: skip


def emergency(at=0.0):
    return decision(at=at, risk={0: Risk.HIGH}, parts={0: EMERGENCY})


def phases(manager):
    return [fields(one)["OBX"][3][5] for one in manager.taken]


def drained(gateway, *sinks):
    """What was told so far has left to all of these."""
    gateway.store.submit(lambda _: None).result()
    until(lambda: all(waiting(gateway.store, sink).count == 0 for sink in sinks))


def test_a_nurse_call_reaches_all_three(tmp_path, keys, manager, record, desk):
    with closing(Gateway(tmp_path, ward(keys, manager, record, desk.port))) as gateway:
        gateway.act(emergency())
        gateway.board.command("bed_risk/1", orders.acknowledge(NURSE, "on my way"))
        gateway.act(decision(at=1.0))
        gateway.act.safe_state(FAULT)
        gateway.audit()
        drained(gateway, *ALL)
    assert phases(manager) == ["start", "update", "end", "start"]
    assert {fields(one)["PV1"][0][3] for one in manager.taken} == {"WARD^^1", "WARD"}
    (flag,), (issue,) = record.of("Flag"), record.of("DetectedIssue")
    assert (flag["status"], issue["status"]) == ("inactive", "final")
    assert flag["subject"]["identifier"]["value"] == "p-one"
    (row,) = record.of("AuditEvent")
    assert row["entity"][0]["what"]["identifier"]["value"] == "bed_risk/1"
    until(lambda: len(desk.lines) == 2)
    told = [read_cef(parsed(line)["text"]) for line in desk.lines]
    assert sorted(head[4] for head, _ in told) == ["acknowledge", "ward_unmonitored"]
    assert "on my way" not in str((manager.taken, record.bundles, desk.lines))


def test_a_security_desk_that_is_down_holds_up_no_alarm(tmp_path, keys, manager, record):
    port = free_port()
    with closing(Gateway(tmp_path, ward(keys, manager, record, port))) as gateway:
        gateway.act.safe_state(FAULT)
        gateway.act(emergency())
        drained(gateway, HL7, FHIR)
        until(lambda: "refused" in gateway.ways[SIEM].state().reason)
        assert waiting(gateway.store, SIEM).count > 0
        with running(SecurityDesk(server_tls(keys), port)) as desk:
            drained(gateway, SIEM)
            until(lambda: len(desk.lines) > 0)
    assert phases(manager)[:2] == ["start", "end"], "unmonitored, and again monitored"


def test_a_restart_in_an_escalation_goes_on_where_it_was(tmp_path, keys, manager):
    settings = ward(keys, manager)
    silent = replace(settings, hl7=replace(settings.hl7, port=free_port()))
    with closing(Gateway(tmp_path, silent)) as gateway:
        gateway.act(emergency())
        gateway.store.submit(lambda _: None).result()
        assert waiting(gateway.store, HL7).count == 1
    with closing(Gateway(tmp_path, settings)) as gateway:
        gateway.act(decision(at=5.0))  # it knows nothing yet
        drained(gateway, HL7)
        assert phases(manager) == ["start"]
        assert gateway.board.alarm("bed_risk/1").state.name == "UNACK"
        gateway.board.command("bed_risk/1", orders.acknowledge(NURSE))
        until(lambda: len(manager.taken) == 2)
    first, second = (fields(one) for one in manager.taken)
    assert second["PID"] == first["PID"], "whose alarm it is survives the restart"
    entity = first["OBR"][0][3].partition("^")[0]
    assert second["OBR"][0][29].startswith(f"^{entity}&"), "and which one"


def test_the_next_patient_s_alarm_is_never_the_last_one_s(tmp_path, keys, manager, record):
    with closing(Gateway(tmp_path, ward(keys, manager, record))) as gateway:
        gateway.act(emergency())
        gateway.act.admit(0, Patient("p-new", "1"))
        gateway.act(emergency(1.0))
        drained(gateway, HL7, FHIR)
    assert phases(manager) == ["start", "end", "start"]
    people = [fields(one)["PID"][0][3].partition("^")[0] for one in manager.taken]
    assert people == ["p-one", "p-one", "p-new"]
    flags = {one["subject"]["identifier"]["value"]: one["status"] for one in record.of("Flag")}
    assert flags == {"p-one": "inactive", "p-new": "active"}


class Smith:
    number = "HOSP:MRN123"


@pytest.mark.parametrize("identify", [False, True])
def test_the_hospital_s_number_reaches_the_ehr_only_where_it_may(
    tmp_path, keys, manager, record, desk, identify
):
    settings = ward(keys, manager, record, desk.port, fhir={"identify": identify})
    with closing(Gateway(tmp_path, settings, lambda _: Smith())) as gateway:
        gateway.act(emergency())
        gateway.act.safe_state(FAULT)
        drained(gateway, *ALL)
    assert ("MRN123" in str(record.bundles)) is identify
    assert "MRN123" not in str((manager.taken, desk.lines))


# ------------------------------------------------------------------ settings and alarms


def test_as_shipped_nothing_leaves(tmp_path):
    with closing(Store(tmp_path / "s.db", SystemClock())) as store:
        assert open_ways(OutgoingSettings(), store) == {}


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"hl7": {"port": 0}}, "hl7.port"),
        ({"hl7": {"processing_id": "X"}}, "hl7.processing_id"),
        ({"hl7": {"host": "ehr.example", "identify": True}}, "identify needs tls"),
        ({"siem": {"form": "leef"}}, "siem.form"),
        ({"fhir": {"url": "ehr"}}, "url"),
        ({"sieem": {}}, "sieem"),
    ],
)
def test_settings_that_are_wrong_are_one_clear_line(table, wrong):
    with pytest.raises(ConfigError, match=wrong):
        from_table(OutgoingSettings, table, Path("app.toml"), "outgoing")


def state(name="online", queued=0, dead=0, reason=""):
    return {"state": name, "queued": queued, "dead": dead, "reason": reason}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({}, ""),
        ({"fhir": state()}, ""),
        ({"fhir": state("offline", reason="nothing sent yet")}, ""),
        ({"fhir": state("offline", reason="refused")}, "0 wait for the hospital record"),
        ({"fhir": state("offline", 3, reason="refused")}, "3 wait for the hospital record"),
        ({"fhir": state("online", 3)}, ""),
        ({"fhir": state("online", 0, 2)}, "2 were refused for good"),
    ],
)
def test_a_way_out_fails_while_nobody_is_there_or_something_was_refused(link, expected):
    found = failing(link)
    assert set(found) == {"hl7_failing", "fhir_failing", "siem_failing"}
    assert found["fhir_failing"].startswith(expected) is True
    assert bool(found["fhir_failing"]) is bool(expected)
    assert found["hl7_failing"] == found["siem_failing"] == ""
