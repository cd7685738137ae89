"""Wearables, FHIR, recordings and the key map: the other ways in, and who is behind them."""

import json
import math
import stat
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from apps.open_ward import hear_wearables
from apps.patient_monitoring import speak
from apps.patient_monitoring.config import Settings, WardSettings
from apps.patient_monitoring.domain import NONE, Flag, Sign
from apps.patient_monitoring.identity import KeyMap, read_key
from apps.patient_monitoring.incoming import fhir, wearable
from apps.patient_monitoring.incoming.fhir_desk import fhir_router, read_token
from apps.patient_monitoring.incoming.hl7_desk import Hl7Desk
from apps.patient_monitoring.incoming.observed import Refused
from common.errors import ConfigError, LinesideError
from common.service import ApiServer

WARD = WardSettings(beds=6)
PLACE = ("W7", "BED1")
SYSTEMS = {"urn:x": "HOSP"}
TOKEN = "a-token-of-some-length-0123456789"  # noqa: S105 - invented for the tests

# ------------------------------------------------------------------ wearables


def message(**changed):
    told = json.loads(speak.worn(PLACE, "SIM1", [(Sign.HR, 70.0, 0)], (1, 1_767_225_600.0)))
    told.update(changed)
    return json.dumps({key: value for key, value in told.items() if value is not ...}).encode()


def test_a_wearables_message_is_read():
    said = [(Sign.HR, 71.5, 0), (Sign.SPO2, NONE, int(Flag.SENSOR_OFF)), (Sign.MOTION, 12.0, 0)]
    found = wearable.read("W1", speak.worn(PLACE, "SIM1", said, (9, 1_767_225_600.5)), WARD)
    assert (found.bed, found.patient, found.id, found.way) == ("1", "HOSP:SIM1", "9", "mqtt")
    assert found.sent == pytest.approx(1_767_225_600.5)
    by_sign = {value.sign: value for value in found.values}
    assert by_sign[Sign.HR].value == 71.5
    assert math.isnan(by_sign[Sign.SPO2].value)
    assert by_sign[Sign.SPO2].flags == Flag.SENSOR_OFF
    assert by_sign[Sign.MOTION].value == 12


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "form"),
        (b"\xff", "form"),
        (b"[]", "form"),
        (b"[" * 100_000, "size"),
        (b"[" * 10_000, "form"),
        (message(values={}), "value"),
        (message(values={"hr": "70"}), "value"),
        (message(values={"hr": True}), "value"),
        (message(values={"hr": 1e300}), "value"),
        (b'{"values": {"hr": NaN}}', "form"),
        (message(values={"heart_rate": 70}), "unit"),
        (message(values={"temp_f": 98.6}), "unit"),
        (message(bed="BED99999999"), "bed"),
        (message(unit="W8"), "bed"),
        (message(bed="1"), "bed"),
        (message(patient=""), "form"),
        (message(patient=...), "form"),
        (message(patient="HOSP:\ud800"), "form"),
        (message(time="2026-01-01T12:00:00"), "time"),
        (message(time="soon"), "time"),
        (message(extra=1), "form"),
        (message(flags={"hr": ["odd"]}), "value"),
        (message(flags={"hr": "off"}), "form"),
        (message(id=[1]), "form"),
    ],
)
def test_what_a_wearable_says_wrongly_is_refused_by_its_name(payload, reason):
    with pytest.raises(Refused) as refused:
        wearable.read("W1", payload, WARD)
    assert refused.value.reason == reason


@pytest.mark.parametrize("sentinel", [8_388_607, -100, 32_767])
def test_a_wearables_sentinel_is_not_available(sentinel):
    value = wearable.read("W1", message(values={"hr": sentinel}), WARD).values[0].value
    assert math.isnan(value)


def test_a_wearables_message_that_no_rule_foresaw_is_counted(gateway, monkeypatch, caplog):
    hear = hear_wearables(gateway.station.intake, gateway.settings)
    hear("W1", message(patient="HOSP:\ud800"))
    gateway.beat()

    def fail(said):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(gateway.station.intake, "take", fail)
    hear("W1", message())
    assert "that no rule foresaw" in caplog.text
    assert gateway.station.intake.sources.refused == {"form": 2}
    assert gateway.station.intake.sources.known["W1"].refused == 2


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(payload):
    with pytest.raises(Refused):
        wearable.read("W1", b"{" + payload, WARD)


# ------------------------------------------------------------------ FHIR


def observation(code="8867-4", value=71, unit="/min", **changed):
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"identifier": {"system": "urn:x", "value": "SIM1"}},
        "effectiveDateTime": "2026-01-01T00:00:00Z",
        "valueQuantity": {
            "value": value, "code": unit, "system": "http://unitsofmeasure.org",
        },
    }  # fmt: skip
    resource.update(changed)
    return {key: value for key, value in resource.items() if value is not ...}


def coded(system, code):
    return {"coding": [{"system": system, "code": code}]}


PANEL = observation(
    "85354-9",
    component=[
        {"code": coded("http://loinc.org", code),
         "valueQuantity": {"value": value, "code": "mm[Hg]",
                           "system": "http://unitsofmeasure.org"}}
        for code, value in (("8480-6", 118), ("8462-4", 71))
    ],
    valueQuantity=...,
)  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (observation(), {Sign.HR: 71}),
        (observation("2708-6", 97, "%"), {Sign.SPO2: 97}),
        (observation("8310-5", 98.6, "[degF]"), {Sign.TEMP: 37.0}),
        (observation("3151-8", 2, "L/min"), {Sign.OXYGEN: 1}),
        (observation("3150-0", 21, "%"), {Sign.OXYGEN: 0}),
        (PANEL, {Sign.SBP: 118, Sign.DBP: 71}),
        (observation("67775-7", valueQuantity=...,
                     valueCodeableConcept=coded("http://snomed.info/sct", "130987000")),
         {Sign.ACVPU: 1}),
    ],
)  # fmt: skip
def test_observations_are_read(resource, expected):
    said = fhir.read(resource, SYSTEMS, 0.0)
    assert {value.sign: pytest.approx(value.value) for value in said.values} == expected
    assert said.patient == "HOSP:SIM1"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ([], "type"),
        ({"resourceType": "Patient"}, "type"),
        (observation(category=[]), "type"),
        (observation(status="registered"), "status"),
        (observation(unit="Cel"), "unit"),
        (observation("8310-5", 310, "K"), "unit"),
        (observation(valueQuantity=...), "value"),
        (observation(value="71"), "value"),
        (observation(value=10**400), "value"),
        (observation("29463-7", 80, "kg"), "code"),
        (observation(effectiveDateTime=...), "time"),
        (observation(effectiveDateTime="2026-01-01"), "time"),
        (observation(effectiveDateTime=7), "time"),
        (observation(subject={"reference": "Patient/1"}), "patient"),
        (observation(subject={"identifier": {"system": "urn:y", "value": "SIM1"}}), "patient"),
        (observation("67775-7", valueQuantity=...), "value"),
        (observation(device={"display": "M\ud800"}), "form"),
        (observation(subject={"identifier": {"system": "urn:x", "value": "\ud800"}}), "form"),
    ],
)
def test_what_is_wrong_with_an_observation_is_named(resource, reason):
    with pytest.raises(Refused) as refused:
        fhir.read(resource, SYSTEMS, 0.0)
    assert refused.value.reason == reason


def test_data_that_are_absent_are_not_available():
    absent = observation(valueQuantity=..., dataAbsentReason={"text": "asleep"})
    value = fhir.read(absent, SYSTEMS, 0.0).values[0].value
    assert math.isnan(value)


@pytest.fixture
def door(gateway):
    api = FastAPI()
    api.include_router(fhir_router(gateway.station.intake, SYSTEMS, TOKEN, gateway.clock))
    server = ApiServer(api, 0)
    server.start()

    def post(resource, token=TOKEN):
        body = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{server.port}/fhir/Observation"
        return httpx.post(url, content=body, headers=headers, trust_env=False, timeout=30)

    yield post
    server.stop()


def test_an_observation_reaches_the_tile_of_its_patient(gateway, door):
    at = datetime.fromtimestamp(gateway.clock.wall() - 60, UTC).isoformat()
    answer = door(observation(value=133, effectiveDateTime=at))
    assert (answer.status_code, answer.headers["content-type"]) == (
        201,
        "application/fhir+json",
    )
    assert "Not a medical device" in answer.text
    gateway.beat()
    assert gateway.tile("1")["signs"]["HR"]["value"] == 133
    assert gateway.tile("1")["signs"]["HR"]["age_s"] == pytest.approx(60, abs=1)
    assert gateway.tile("2")["signs"] == {}


def test_a_corrected_observation_counts_and_one_entered_in_error_is_taken_back(gateway, door):
    now = gateway.clock.wall()
    at, issued = (datetime.fromtimestamp(t, UTC).isoformat() for t in (now - 60, now))
    known = {"id": "o1", "effectiveDateTime": at, "issued": issued}
    for status, value in (("final", 190), ("corrected", 90)):
        assert door(observation(value=value, status=status, **known)).status_code == 201
        gateway.beat()
        assert gateway.tile("1")["signs"]["HR"]["value"] == value
    assert door(observation(value=90, status="entered-in-error", **known)).status_code == 201
    gateway.beat()
    assert gateway.tile("1")["signs"] == {}


def test_who_has_no_token_or_says_nonsense_is_refused_and_counted(gateway, door):
    assert door(observation(), token="wrong").status_code == 401  # noqa: S106
    assert door(b"{").status_code == 422
    assert door(b"x" * 200_000).status_code == 413
    stranger = observation(subject={"identifier": {"system": "urn:x", "value": "SIM77"}})
    answer = door(stranger)
    assert (answer.status_code, answer.json()["resourceType"]) == (422, "OperationOutcome")
    assert dict(gateway.station.intake.sources.refused) == {"token": 1, "form": 1, "empty": 1}


def test_a_token_is_made_once_and_nobody_else_may_read_it(tmp_path):
    path = tmp_path / "token"
    token = read_token(path)
    assert len(token) > 30
    assert read_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        read_token(path)


# ------------------------------------------------------------------ recordings


def test_a_recording_counts_as_if_it_were_said_now(gateway):
    desk = Hl7Desk(gateway.settings.ward, gateway.station.intake, gateway.clock, replayed=True)
    for second in range(5):
        said = [(Sign.SPO2, 93.0, 0)]
        old = speak.observation(PLACE, "SIM1", "M", said, (second, 1_000_000_000.0 + second))
        assert b"MSA|AA" in desk(old)
        gateway.beat(1.0)
    sign = gateway.tile("1")["signs"]["SPO2"]
    assert (sign["value"], sign["age_s"] < 2) == (93, True)
    assert gateway.station.intake.sources.known["M"].way == "replay"


# ------------------------------------------------------------------ who is behind a pseudonym


def test_the_same_number_has_the_same_pseudonym_under_the_same_key_only(tmp_path, key):
    first = KeyMap(tmp_path / "a", key)
    name = first.remember("HOSP:MRN1", "XY")
    assert name == KeyMap(tmp_path / "b", key).pseudonym("HOSP:MRN1")
    assert name != KeyMap(tmp_path / "c", key[::-1]).pseudonym("HOSP:MRN1")
    assert "MRN1" not in name
    again = KeyMap(tmp_path / "a", key).real(name)
    assert (again.mrn, again.authority, again.initials) == ("MRN1", "HOSP", "XY")


def test_the_map_is_unreadable_and_unchangeable_without_the_key(tmp_path, key):
    path = tmp_path / "identities.bin"
    KeyMap(path, key).remember("HOSP:MRN1", "XY")
    sealed = path.read_bytes()
    assert b"MRN1" not in sealed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b""):
        path.write_bytes(wrong)
        with pytest.raises(ConfigError, match="altered or sealed under another key"):
            KeyMap(path, key)
        assert path.read_bytes() == wrong, "never overwritten"
    path.write_bytes(sealed)
    with pytest.raises(ConfigError, match="another key"):
        KeyMap(path, bytes(64))


def test_who_is_forgotten_is_a_stranger_for_good(tmp_path, key):
    people = KeyMap(tmp_path / "a", key)
    name = people.remember("HOSP:MRN1", "XY")
    people.forget(name)
    assert people.real(name) is None
    assert KeyMap(tmp_path / "a", key).real(name) is None


def test_what_the_disk_does_not_take_is_not_known(tmp_path, key):
    path = tmp_path / "a"
    people = KeyMap(path, key)
    name, other = people.remember("HOSP:MRN1", "XY"), people.pseudonym("HOSP:MRN2")
    (tmp_path / "a.new").mkdir()  # the folder takes no file of that name
    for deed in (
        lambda: people.remember("HOSP:MRN2", "AB"),
        lambda: people.merge("HOSP:MRN2", "HOSP:MRN1", name),
        lambda: people.forget(name),
    ):
        with pytest.raises(LinesideError, match="cannot be written"):
            deed()
    assert people.real(other) is None
    assert people.pseudonym("HOSP:MRN2") == other
    assert people.real(name).initials == "XY"
    (tmp_path / "a.new").rmdir()
    people.remember("HOSP:MRN2", "AB")
    assert KeyMap(path, key).real(other).initials == "AB"


def test_a_merge_of_a_merge_leads_every_number_to_one_pseudonym(tmp_path, key):
    people = KeyMap(tmp_path / "a", key)
    for kept, ended in (("B", "A"), ("C", "B"), ("C", "D")):
        people.merge(kept, ended, people.pseudonym(kept))
    kept = KeyMap(tmp_path / "a", key)
    assert {kept.pseudonym(number) for number in "ABCD"} == {people.pseudonym("C")}
    people.merge("E", "D", people.pseudonym("E"))
    assert {people.pseudonym(number) for number in "ABCDE"} == {people.pseudonym("E")}


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "deep" / "key"
    key = read_key(path)
    assert len(key) == 64
    assert read_key(path) == key
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="is no key"):
        read_key(path)


def test_beds_are_named_as_the_hospital_names_them():
    ward = Settings(ward=WardSettings(unit="W7", bed_prefix="BED", beds=12)).ward
    assert ward.bed("W7", "BED03") == "3"
    assert ward.place("3") == ("W7", "BED3")
    for unit, bed in (
        ("W8", "BED3"),
        ("W7", "3"),
        ("W7", "BED"),
        ("W7", "BED٣"),
        ("W7", "BED-3"),
    ):
        assert ward.bed(unit, bed) is None
