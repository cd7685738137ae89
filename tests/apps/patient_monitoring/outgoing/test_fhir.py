"""FHIR R4: every resource against the models and R4's own rules, and value by value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.domain import Acvpu, Parameter
from apps.patient_monitoring.outgoing.events import OBSERVATION_EVENT
from apps.patient_monitoring.outgoing.fhir import render
from apps.patient_monitoring.outgoing.fhir_terms import ANSWERS
from apps.patient_monitoring.outgoing.settings import FhirSettings
from apps.patient_monitoring.outgoing.who import Who
from common.alarms import orders
from common.telemetry.event import Event
from common.users import User
from tests.apps.patient_monitoring.outgoing import r4
from tests.apps.patient_monitoring.outgoing.rig import (
    ABOUT,
    SIGNS,
    SOURCE,
    Ward,
    alert,
    audit,
    event,
    signs,
)

NURSE = User("mia", "operator")
SETTINGS = FhirSettings()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def bundle(of: Event, settings=SETTINGS, who=None):
    found = render(of, settings, who or Who())
    assert found is not None
    r4.check(found)
    return found


def resources(of: Event, kind: str, **more):
    entries = bundle(of, **more)["entry"]
    return [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]


def by_code(of: Event, code: str):
    (found,) = [
        one
        for one in resources(of, "Observation")
        if code in [coding["code"] for coding in one["code"]["coding"]]
    ]
    return found


# ------------------------------------------------------------------ signs


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "profile"),
    [
        ("9279-1", 22, "/min", "resprate"),
        ("2708-6", 93, "%", "oxygensat"),
        ("8310-5", 38.4, "Cel", "bodytemp"),
        ("8889-8", 111, "/min", "heartrate"),
    ],
)
def test_a_sign_is_an_observation_of_its_profile(loinc, value, unit, profile):
    found = by_code(alert(), loinc)
    assert found["meta"]["profile"] == [f"http://hl7.org/fhir/StructureDefinition/{profile}"]
    assert found["valueQuantity"]["value"] == value
    assert found["valueQuantity"]["code"] == unit
    assert found["category"][0]["coding"][0]["code"] == "vital-signs"
    assert found["status"] == "final"


def test_saturation_has_both_its_codes_and_the_device_s():
    codings = by_code(alert(), "59408-5")["code"]["coding"]
    assert [(c["system"], c["code"]) for c in codings] == [
        ("http://loinc.org", "2708-6"), ("http://loinc.org", "59408-5"),
        ("urn:iso:std:iso:11073:10101", "150456"),
    ]  # fmt: skip


def test_a_pressure_is_one_panel():
    found = by_code(alert(), "85354-9")
    parts = {p["code"]["coding"][0]["code"]: p for p in found["component"]}
    assert {code: p["valueQuantity"]["value"] for code, p in parts.items()} == {
        "8480-6": 105, "8462-4": 70, "8478-0": 82}  # fmt: skip
    assert {p["valueQuantity"]["code"] for p in parts.values()} == {"mm[Hg]"}
    assert "valueQuantity" not in found


def test_a_pressure_without_its_diastolic_says_so():
    found = by_code(alert(signs=signs(SBP=(105.0, 60.0))), "85354-9")
    codes = [p["code"]["coding"][0]["code"] for p in found["component"]]
    assert codes == ["8480-6", "8462-4"]
    assert found["component"][1]["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_mean_pressure_alone_is_told_too():
    found = by_code(alert(signs=signs(MAP=(82.0, 60.0))), "85354-9")
    told = [p.get("valueQuantity", {}).get("value") for p in found["component"]]
    assert told == [None, None, 82]


@pytest.mark.parametrize("answer", Acvpu)
def test_consciousness_is_a_coded_answer(answer):
    found = by_code(alert(signs=signs(ACVPU=(float(answer), 60.0))), "67775-7")
    (coding,) = found["valueCodeableConcept"]["coding"]
    assert (coding["system"], coding["code"]) == ANSWERS[answer][:2]


def test_a_sign_has_the_time_it_was_measured():
    assert by_code(alert(), "85354-9")["effectiveDateTime"] == "2026-01-01T11:50:00.000Z"
    assert by_code(alert(), "2708-6")["effectiveDateTime"] == "2026-01-01T11:59:58.000Z"


def test_what_was_not_measured_is_not_told():
    found = resources(alert(signs=signs(RR=(None, None), SPO2=(None, 4.0), HR=None)),
                      "Observation")  # fmt: skip
    assert [one["code"]["text"] for one in found] == ["NEWS2 aggregate score"]


def test_the_same_measurement_in_two_alerts_is_one_observation():
    later = alert(18, at="2026-01-01T12:05:00.250+00:00",
                  signs=signs(TEMP=(38.4, 330.0), RR=(22.0, 1.0)))  # fmt: skip

    def numbers(of):
        entries = bundle(of)["entry"]
        return {e["resource"]["code"]["text"]: e["request"].get("ifNoneExist") for e in entries}

    one, other = numbers(alert()), numbers(later)
    assert one["Body temperature"] == other["Body temperature"]
    assert one["Respiratory rate"] != other["Respiratory rate"]
    assert one["NEWS2 aggregate score"] != other["NEWS2 aggregate score"]


def test_another_patient_s_measurement_is_another_one():
    one, other = by_code(alert(), "8310-5"), by_code(alert(patient="p-other"), "8310-5")
    assert one["identifier"] != other["identifier"]


def test_doubt_about_a_sign_goes_along():
    doubted = {"SPO2": {"value": 90.0, "age_s": 1.0, "flags": ["MOTION", "LOW_SIGNAL"]}}
    assert by_code(alert(signs=doubted), "2708-6")["note"] == [
        {"text": "Quality: MOTION, LOW_SIGNAL"}]  # fmt: skip


# ------------------------------------------------------------------ NEWS2 and the model


def test_a_complete_score_has_its_value_and_parts():
    found = by_code(alert(), "news2")
    total = found["valueQuantity"]
    assert (total["value"], total["unit"], total["code"]) == (8, "score", "{score}")
    assert total["system"] == "http://unitsofmeasure.org"
    assert [p["valueInteger"] for p in found["component"]] == [2, 2, 0, 1, 2, 0, 1]
    assert found["category"][0]["coding"][0]["code"] == "survey"
    assert found["interpretation"][0]["text"] == "NEWS2 7 or more: emergency response"
    assert found["method"]["text"].endswith("SpO2 scale 1")


def test_it_is_derived_from_the_signs_beside_it():
    entries = bundle(alert())["entry"]
    vital = [e["fullUrl"] for e in entries if "derivedFrom" not in e["resource"]
             and e["resource"]["resourceType"] == "Observation"]  # fmt: skip
    assert [one["reference"] for one in by_code(alert(), "news2")["derivedFrom"]] == vital


def test_an_incomplete_score_has_no_value():
    found = by_code(alert(missing=["TEMPERATURE"], parts={"TEMPERATURE": 0}), "news2")
    assert "valueQuantity" not in found
    assert "interpretation" not in found
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert found["note"][0]["text"] == "Incomplete: at least 7"
    parts = {p["code"]["coding"][0]["code"]: p for p in found["component"]}
    assert "valueInteger" not in parts["TEMPERATURE"]
    assert parts["TEMPERATURE"]["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert parts["PULSE"]["valueInteger"] == 2


def test_a_refused_score_is_not_applicable():
    everything = list(Parameter.__members__)
    found = by_code(alert(refused=True, missing=everything), "news2")
    assert found["dataAbsentReason"]["coding"][0]["code"] == "not-applicable"


def test_parameters_are_named_as_a_nurse_names_them():
    names = [p["code"]["text"] for p in by_code(alert(), "news2")["component"]]
    assert names[:4] == ["respiration", "SpO2", "oxygen", "systolic pressure"]


def test_before_anything_was_seen_there_is_nothing_to_record():
    unknown = dict(alert(missing=list(Parameter.__members__), signs={}).data)
    assert render(event(OBSERVATION_EVENT, unknown), SETTINGS, Who()) is None


def test_scale_2_is_said():
    assert by_code(alert(scale2=True), "news2")["method"]["text"].endswith("SpO2 scale 2")


def test_the_model_s_risk_is_an_assessment_beside_the_score():
    (found,) = resources(alert(), "RiskAssessment")
    (prediction,) = found["prediction"]
    assert prediction["probabilityDecimal"] == 0.1235
    assert prediction["rationale"] == "respiration 22 /min (odds × 1.8)"
    assert found["method"]["text"] == "deterioration 1.0"
    score = next(e for e in bundle(alert())["entry"] if e["resource"].get("method", {})
                 .get("text", "").startswith("NEWS2"))  # fmt: skip
    assert found["basis"] == [{"reference": score["fullUrl"]}]


def test_a_model_that_cannot_say_says_nothing():
    assert resources(alert(model_risk=None), "RiskAssessment") == []


def test_an_observation_at_intervals_is_the_same(ward):
    data = dict(alert().data)
    kinds = [
        e["resource"]["resourceType"] for e in bundle(event(OBSERVATION_EVENT, data))["entry"]
    ]
    assert kinds == [e["resource"]["resourceType"] for e in bundle(alert())["entry"]]


# ------------------------------------------------------------------ alarms


@pytest.fixture
def ward():
    return Ward()


def entry(of: Event, kind: str):
    (found,) = [e for e in bundle(of)["entry"] if e["resource"]["resourceType"] == kind]
    return found


def test_an_alarm_begins_as_flag_and_issue(ward):
    begun = ward.set()
    flag, issue = entry(begun, "Flag"), entry(begun, "DetectedIssue")
    assert flag["request"]["method"] == issue["request"]["method"] == "POST"
    assert flag["request"]["ifNoneExist"].startswith("identifier=urn:lineside:")
    assert flag["resource"]["status"] == "active"
    assert flag["resource"]["period"] == {"start": "2026-01-01T12:00:00.250Z"}
    assert issue["resource"]["status"] == "preliminary"
    assert issue["resource"]["severity"] == "high"
    assert issue["resource"]["detail"] == "NEWS2 7"
    assert "mitigation" not in issue["resource"]


def test_who_took_note_is_its_mitigation(ward):
    ward.set(priority=2)
    ward.rig.clock.sleep(30.0)
    noted = entry(ward.command(orders.acknowledge(NURSE)), "DetectedIssue")
    assert noted["request"] == {"method": "PUT", "url": noted["request"]["url"]}
    (mitigation,) = noted["resource"]["mitigation"]
    assert mitigation["date"] == "2026-01-01T12:00:30.250Z"
    assert mitigation["author"]["identifier"] == {"system": f"{SOURCE}:user", "value": "mia"}
    assert noted["resource"]["severity"] == "moderate"


def test_an_end_brings_both_up_to_date(ward):
    begun = ward.set()
    ward.command(orders.acknowledge(NURSE))
    ward.rig.clock.sleep(60.0)
    ended = ward.set(active=False)
    flag, issue = entry(ended, "Flag"), entry(ended, "DetectedIssue")
    query = entry(begun, "Flag")["request"]["ifNoneExist"]
    assert flag["request"] == {"method": "PUT", "url": f"Flag?{query}"}
    assert flag["resource"]["status"] == "inactive"
    assert flag["resource"]["period"]["end"] == "2026-01-01T12:01:00.250Z"
    assert issue["resource"]["status"] == "final"
    assert issue["resource"]["mitigation"], "who took note stays on record"


@pytest.mark.parametrize(
    ("alarm_id", "about"),
    [
        ("bed_technical/3", {**ABOUT, "kind": "technical"}),
        ("bed_advice/3", {**ABOUT, "kind": "advice"}),
        ("bed_risk/3", {**ABOUT, "patient": ""}),
        ("store_failing", {}),
    ],
)
def test_only_what_a_patient_has_goes_into_the_record(ward, alarm_id, about):
    assert render(ward.set(alarm_id, priority=None, about=about), SETTINGS, Who()) is None


# ------------------------------------------------------------------ audit


@pytest.mark.parametrize(
    ("action", "target", "code", "outcome"),
    [
        ("acknowledge", "bed_risk/3", "110110", "0"),
        ("order_scale2", "bed/3", "110110", "0"),
        ("login refused", "user/mia", "110114", "4"),
        ("resend", "outbox", "110100", "0"),
    ],
)
def test_an_audit_row_is_an_audit_event(action, target, code, outcome):
    (found,) = resources(audit(action=action, target=target), "AuditEvent")
    assert found["type"]["code"] == code
    assert found["outcome"] == outcome
    assert found["agent"][0]["who"]["identifier"]["value"] == "mia"
    assert found["entity"][0]["what"]["identifier"]["value"] == target
    assert found["recorded"] == "2026-01-01T12:00:00.250Z"


def test_an_audit_event_stands_under_an_id_of_its_own():
    (one,) = bundle(audit())["entry"]
    assert one["request"] == {"method": "PUT", "url": f"AuditEvent/{one['resource']['id']}"}
    assert bundle(audit()) == bundle(audit()), "the same whenever it is sent"


# ------------------------------------------------------------------ what holds for all


def everything():
    ward = Ward()
    yield alert()
    yield alert(missing=list(Parameter.__members__), signs={})
    yield ward.set()
    yield ward.command(orders.acknowledge(NURSE))
    yield ward.set(active=False)
    yield audit()


def test_every_resource_says_that_it_is_no_medical_device():
    for of in everything():
        found = bundle(of)
        for resource in (found, *(e["resource"] for e in found["entry"])):
            (tag,) = resource["meta"]["tag"]
            assert (tag["code"], tag["display"]) == ("not-a-medical-device", NOT_A_DEVICE)
            assert resource["meta"]["security"][0]["code"] == "HTEST"


class Smith:
    number = "HOSP:MRN123"


def test_the_patient_s_own_number_goes_only_where_settings_say_so(ward):
    def named(settings, who):
        (found,) = resources(ward.set(), "Flag", settings=settings, who=who)
        return found["subject"]["identifier"]

    ward.set()
    assert named(SETTINGS, Who(lambda _: Smith())) == {
        "system": f"{SOURCE}:pseudonym", "value": "p-3f9c"}  # fmt: skip
    to_the_ehr = Who(lambda _: Smith(), identify=True)
    assert named(SETTINGS, to_the_ehr) == {
        "system": "urn:lineside:authority:HOSP", "value": "MRN123"}  # fmt: skip
    ours = FhirSettings(patient_system="urn:oid:1.2.3")
    assert named(ours, to_the_ehr)["system"] == "urn:oid:1.2.3"
    assert named(ours, Who())["system"] == f"{SOURCE}:pseudonym"


def test_a_pseudonym_stands_beside_no_number_of_the_hospital():
    found = json.dumps(bundle(alert(), who=Who(lambda _: Smith(), identify=True)))
    assert "MRN123" in found
    assert "p-3f9c" not in found


def test_what_people_wrote_goes_only_where_settings_say_so(ward):
    ward.set()
    noted = ward.command(orders.acknowledge(NURSE, "Mr Smith is asleep"))
    for of in (noted, audit()):
        assert "Smith" not in json.dumps(bundle(of))
        assert "Smith" in json.dumps(bundle(of, FhirSettings(free_text=True)))


@given(TEXT, TEXT)
def test_any_text_makes_a_resource_that_is_one(patient, text):
    told = [{"text": text, "factor": 2.0}]
    bundle(alert(patient=patient, model=text, reasons=told))
    bundle(audit(user=patient, action=text, target=text, reason=text),
           FhirSettings(free_text=True))  # fmt: skip


def test_events_of_no_meaning_to_a_record_are_passed_over():
    for of in (event("lineside.telemetry.epoch.v1", {"first": 1, "replaces": None}),
               alert(patient="")):  # fmt: skip
        assert render(of, SETTINGS, Who()) is None
    assert SIGNS["PI"]["value"] is not None
    assert all(
        "Perfusion" not in e["resource"]["code"]["text"] for e in bundle(alert())["entry"]
    )
