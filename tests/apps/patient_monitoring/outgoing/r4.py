"""FHIR R4 (4.0.1) as far as our resources go: what the models of R4B do not ask for.

`fhir.resources` knows the shapes of R4B, which for these resources are those of R4 (4.3
changed others); it checks neither required value sets nor invariants. Those are here, each
after its id in the specification.
"""

import re
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

REQUIRED = {
    ("Observation", "status"): {"registered", "preliminary", "final", "amended", "corrected",
                                "cancelled", "entered-in-error", "unknown"},
    ("RiskAssessment", "status"): {"registered", "preliminary", "final", "amended",
                                   "corrected", "cancelled", "entered-in-error", "unknown"},
    ("DetectedIssue", "status"): {"registered", "preliminary", "final", "amended",
                                  "corrected", "cancelled", "entered-in-error", "unknown"},
    ("DetectedIssue", "severity"): {"high", "moderate", "low"},
    ("Flag", "status"): {"active", "inactive", "entered-in-error"},
    ("AuditEvent", "action"): {"C", "R", "U", "D", "E"},
    ("AuditEvent", "outcome"): {"0", "4", "8", "12"},
    ("Bundle", "type"): {"transaction"},
}  # fmt: skip
MANDATORY = {
    "Observation": ("status", "code"),
    "RiskAssessment": ("status", "subject"),
    "DetectedIssue": ("status",),
    "Flag": ("status", "code", "subject"),
    "AuditEvent": ("type", "recorded", "agent", "source"),
    "Bundle": ("type",),
}
ABSENT = {"unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined", "masked",
          "not-applicable", "unsupported", "as-text", "error", "not-a-number",
          "negative-infinity", "positive-infinity", "not-performed",
          "not-permitted"}  # fmt: skip
TARGETS = {
    ("Observation", "subject"): {"Patient", "Group", "Device", "Location"},
    ("Observation", "device"): {"Device", "DeviceMetric"},
    ("RiskAssessment", "subject"): {"Patient", "Group"},
    ("RiskAssessment", "performer"): {"Practitioner", "PractitionerRole", "Device"},
    ("DetectedIssue", "patient"): {"Patient"},
    ("DetectedIssue", "author"): {"Practitioner", "PractitionerRole", "Device"},
    ("Flag", "subject"): {"Patient", "Location", "Group", "Organization", "Practitioner",
                          "PlanDefinition", "Medication", "Procedure"},
    ("Flag", "author"): {"Device", "Organization", "Patient", "Practitioner",
                         "PractitionerRole"},
}  # fmt: skip
"""What a reference of R4 may point to."""
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def check(bundle: dict[str, Any]) -> None:
    """Raises AssertionError or the model's own error for what R4 does not allow."""
    get_fhir_model_class("Bundle").model_validate(bundle)
    _rules(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls), "bdl-7"
    for entry in bundle["entry"]:
        assert "response" not in entry, "bdl-4"
        assert "search" not in entry, "bdl-2"
        assert entry["request"]["method"] in ("POST", "PUT"), "bdl-3"
        assert "/_history/" not in entry["fullUrl"], "bdl-8"
        resource = entry["resource"]
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        _rules(resource)
        for reference in _references(resource):
            assert reference in urls, f"{reference} is not in the transaction"


def _rules(resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    for name in MANDATORY[kind]:
        assert resource.get(name), f"{kind}.{name} is mandatory"
    for (of_kind, name), allowed in REQUIRED.items():
        if of_kind == kind and name in resource:
            assert resource[name] in allowed, f"{kind}.{name}"
    assert ID.fullmatch(resource.get("id", "x"))
    _targets(resource)
    for node in _nodes(resource):
        _no_empties(node)
    {"Observation": _observation, "RiskAssessment": _risk}.get(kind, lambda _: None)(resource)
    for name in ("recorded", "timestamp"):
        if name in resource:
            assert INSTANT.fullmatch(resource[name])


def _targets(resource: dict[str, Any]) -> None:
    for (kind, name), allowed in TARGETS.items():
        if resource["resourceType"] == kind and name in resource:
            assert resource[name]["type"] in allowed, f"{kind}.{name}"


def _observation(one: dict[str, Any]) -> None:
    values = [name for name in one if name.startswith("value")]
    assert not (values and "dataAbsentReason" in one), "obs-6"
    codes = _codes(one["code"])
    for part in one.get("component", []):
        assert not (_codes(part["code"]) & codes and values), "obs-7"
        told = [name for name in part if name.startswith("value")]
        assert not (told and "dataAbsentReason" in part), "obs-6 of a component"
        assert told or "dataAbsentReason" in part, "vs-3"
    for absent in [one, *one.get("component", [])]:
        assert _codes(absent.get("dataAbsentReason", {})) <= ABSENT
    if any(_codes(category) == {"vital-signs"} for category in one["category"]):
        _vital_sign(one)


def _vital_sign(one: dict[str, Any]) -> None:
    assert one.get("subject")
    assert len(one["effectiveDateTime"]) >= 10, "vs-1"
    assert "valueQuantity" in one or one.get("component") or one.get("dataAbsentReason"), "vs-2"
    for holder in [one, *one.get("component", [])]:
        quantity = holder.get("valueQuantity")
        if quantity:
            assert quantity["system"] == "http://unitsofmeasure.org"
            assert {"value", "unit", "code"} <= quantity.keys()
    loinc = [c["code"] for c in one["code"]["coding"] if c["system"] == "http://loinc.org"]
    assert loinc, "the profile's magic code"


def _risk(one: dict[str, Any]) -> None:
    for prediction in one["prediction"]:
        assert 0 <= prediction["probabilityDecimal"] <= 1, "ras-2, and it is no percentage"


def _codes(concept: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in concept.get("coding", [])}


def _nodes(node: Any) -> Any:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _no_empties(node: dict[str, Any]) -> None:
    for name, value in node.items():
        assert value not in (None, "", [], {}), f"ele-1: {name} is empty"
        assert not (isinstance(value, str) and CONTROL.search(value)), f"{name} is no string"


def _references(resource: dict[str, Any]) -> Any:
    return (n["reference"] for n in _nodes(resource) if str(n.get("reference", "")))
