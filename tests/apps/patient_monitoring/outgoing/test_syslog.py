"""RFC 5424 by its grammar, CEF by a reader of its own, and texts that try to forge a field."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring.outgoing import cef, siem
from apps.patient_monitoring.outgoing.rfc5424 import Header, escape, frame, message, shown
from apps.patient_monitoring.outgoing.settings import CEF, RFC5424
from common.alarms import orders
from common.telemetry.outbox import DROPPED
from common.users import User
from tests.apps.patient_monitoring.outgoing.rig import (
    ABOUT,
    SOURCE,
    Ward,
    alert,
    audit,
    event,
)

NURSE = User("mia", "operator")
# RFC 5424 section 6. SP and PRINTUSASCII as written there; the octets of a value are all but
# the three that must be escaped, and those escaped.
PRINT, NAME = r"[!-~]", r"[!#-<>-\\^-~]"
VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
ELEMENT = rf'\[(?P<id>{NAME}{{1,32}})(?P<params>(?: {NAME}{{1,32}}="{VALUE}")*)\]'
SYSLOG = re.compile(
    r"<(?P<pri>[1-9]\d{0,2}|0)>(?P<version>[1-9]\d{0,2})"
    r" (?P<time>-|\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))"
    rf" (?P<host>-|{PRINT}{{1,255}}) (?P<app>-|{PRINT}{{1,48}}) (?P<proc>-|{PRINT}{{1,128}})"
    rf" (?P<msgid>-|{PRINT}{{1,32}}) (?P<sd>-|(?:{ELEMENT})+)"
    "(?: \ufeff(?P<text>.*))?",
    re.DOTALL,
)
PARAM = re.compile(rf' ({NAME}{{1,32}})="({VALUE})"')
CEF_HEAD = re.compile(r"((?:[^|\\]|\\[|\\])*)\|" * 7)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
HOSTILE = TEXT | st.text('"\\]= |\r\n\x00\x0b\x1b[<>3suser\u2028\x85', max_size=40)
CLEAN = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"],
                              exclude_characters="\ufeff"), max_size=60)  # fmt: skip


def parsed(line):
    found = SYSLOG.fullmatch(line)
    assert found, line
    return found


def params(line):
    """The values of the structured element, unescaped as RFC 5424 6.3.3 says."""
    named = PARAM.findall(parsed(line)["params"])
    return {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in named}


def read_cef(text):
    """A reader of CEF: seven header fields, then keys with values up to the next key."""
    found = CEF_HEAD.match(text)
    assert found, text
    head = [re.sub(r"\\([|\\])", r"\1", one) for one in found.groups()]
    told = text[found.end() :]
    marks = list(re.finditer(r"(?:^| )([A-Za-z][A-Za-z0-9]*)=", told))
    ends = [one.start() for one in marks[1:]] + [len(told)]
    meant = {"\\\\": "\\", "\\=": "=", "\\n": "\n", "\\r": "\r"}
    return head, {
        mark[1]: re.sub(r"\\[\\=nr]", lambda m: meant[m[0]], told[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    }


def line(of, form=CEF):
    told = siem.read(of)
    assert told is not None
    return siem.line(of, told, form)


# ------------------------------------------------------------------ field by field


def test_an_audit_row_in_cef_is_this_one_to_the_letter():
    assert line(audit()).replace(f"|{siem._software()}|", "|0.1.0|") == (
        "<85>1 2026-01-01T12:00:00.250Z ward-7 lineside-ward - AUDIT "
        '[lineside@32473 eventId="9f86d081884c-17"] \ufeff'
        "CEF:0|Lineside|ward|0.1.0|acknowledge|Audit: acknowledge|3|rt=1767268800250 "
        f"deviceExternalId={SOURCE} externalId=9f86d081884c-17 cat=audit suser=mia "
        "spriv=operator act=acknowledge outcome=success cs1Label=target cs1=bed_risk/3 "
        f"cs2Label=auditHash cs2={'a' * 64} cn1Label=auditRow cn1=12"
    )


def test_an_audit_row_in_plain_syslog_has_its_values_in_structured_data():
    found = parsed(line(audit(), RFC5424))
    assert found["text"] == "Audit: acknowledge"
    values = params(line(audit(), RFC5424))
    assert (values["suser"], values["act"], values["cs1"]) == (
        "mia",
        "acknowledge",
        "bed_risk/3",
    )
    assert values["externalId"] == "9f86d081884c-17"


@pytest.mark.parametrize(
    ("action", "pri", "severity", "outcome"),
    [("acknowledge", "85", "3", "success"), ("login refused", "84", "6", "failure")],
)
def test_what_failed_is_graver(action, pri, severity, outcome):
    found = parsed(line(audit(action=action)))
    head, values = read_cef(found["text"])
    assert (found["pri"], head[6], values["outcome"]) == (pri, severity, outcome)


@pytest.mark.parametrize(
    ("alarm_id", "pri", "severity"),
    [
        ("source_refused", "85", "4"),
        ("ward_unmonitored", "83", "9"),
        ("bed_identity/3", "84", "7"),
    ],
)
def test_a_technical_alarm_is_told_by_its_priority(alarm_id, pri, severity):
    about = {"bed": "3", "patient": "p-3f9c", "kind": "technical"} if "/" in alarm_id else {}
    told = Ward().set(alarm_id, priority=None, about=about, detail="the disk is full")
    found = parsed(line(told))
    head, values = read_cef(found["text"])
    assert (found["pri"], head[6]) == (pri, severity)
    assert (found["msgid"], values["act"], values["cs1"]) == ("ALARM", "UNACK", alarm_id)
    assert values.get("msg") == (None if "/" in alarm_id else "the disk is full")


def test_losses_are_told():
    lost = {"class": "metric", "reason": "space", "count": 40, "bytes": 9, "epoch": "e",
            "from": 3, "to": 99}  # fmt: skip
    _, values = read_cef(parsed(line(event(DROPPED, lost)))["text"])
    assert (values["cnt"], values["cs1"], values["reason"]) == ("40", "metric", "space")


def test_the_frame_counts_octets_and_not_characters():
    assert frame("Zoë → ") == b"9 Zo\xc3\xab \xe2\x86\x92 "


# ------------------------------------------------------------------ what must not get out


def test_nothing_of_a_patient_reaches_the_security_desk():
    ward = Ward()
    ward.set()
    extreme = {**ABOUT, "kind": "extreme"}
    told = [ward.last, ward.command(orders.acknowledge(NURSE)), alert()]
    told.append(ward.set("bed_extreme/3", priority=None, about=extreme))
    assert [siem.read(of) for of in told] == [None] * 4


@pytest.mark.parametrize("form", [CEF, RFC5424])
def test_what_people_wrote_stays_here(form):
    of = audit(reason="John Smith is asleep")
    assert "Smith" not in line(of, form)
    about = {"bed": "3", "patient": "p-3f9c", "kind": "technical"}
    told = Ward().set("bed_technical/3", priority=None, about=about, detail="Smith moved")
    assert "Smith" not in line(told, form)
    assert "p-3f9c" not in line(told, form)


# ------------------------------------------------------------------ hostile text


@given(HOSTILE, HOSTILE)
def test_no_text_forges_a_field_in_cef(user, target):
    text = parsed(line(audit(user=user, target=target)))["text"]
    head, values = read_cef(text)
    assert head[:3] == ["CEF:0", "Lineside", "ward"]
    expected = ["rt", "deviceExternalId", "externalId", "cat", "suser", "spriv", "act",
                "outcome", "cs1Label", "cs1", "cs2Label", "cs2", "cn1Label", "cn1"]  # fmt: skip
    given = {"suser": user, "cs1": target}
    assert list(values) == [key for key in expected if given.get(key, "x")]
    assert values["act"] == "acknowledge"


@given(HOSTILE, HOSTILE)
def test_no_text_forges_a_value_or_a_line_in_syslog(user, action):
    told = line(audit(user=user, action=action), RFC5424)
    assert len(told.splitlines()) == 1
    values = params(told)
    assert values.get("suser", "") == shown(user)
    assert values["signature"] == shown(action)
    assert values["spriv"] == "operator"


@given(CLEAN)
def test_a_clean_text_is_read_back_unchanged(text):
    _, values = read_cef(parsed(line(audit(user=text)))["text"])
    assert values.get("suser", "") == text
    assert params(line(audit(user=text), RFC5424)).get("suser", "") == text


@given(st.text("a=\\\r\n| ", max_size=30))
def test_line_ends_and_marks_come_back_from_cef(text):
    _, values = read_cef(cef.render(cef.Head("1", "s", "n", 3), {"suser": text, "act": "x"}))
    assert values.get("suser", "") == text
    assert values["act"] == "x"


@given(HOSTILE)
def test_a_header_of_cef_keeps_its_seven_fields(text):
    found = cef.render(cef.Head(text, text, text, 3), {"act": "x"})
    head, values = read_cef(found)
    assert len(head) == 7
    assert values == {"act": "x"}
    assert not set(found) & set("\r\n\x00")


@given(HOSTILE)
def test_host_and_app_are_printable_ascii(text):
    found = parsed(message(Header(5, 1.0, text, text, text), {}, text))
    for name, most in (("host", 255), ("app", 48), ("msgid", 32)):
        assert len(found[name]) <= most


def test_control_characters_are_shown_and_not_sent():
    assert shown("a\x00b\r\n\x1b[31m\x7f") == "a␀b␍␊␛[31m␡"
    assert shown("\x85\u2028\u2029\ufeff") == "\ufffd" * 4
    assert escape('say "x]\\') == '\\"'.join(("say ", "x")) + "\\]\\\\"


def test_what_is_too_long_is_cut_and_says_so():
    told = line(audit(user="x" * 5000))
    _, values = read_cef(parsed(told)["text"])
    assert values["suser"] == "x" * 999 + "…"
    assert len(frame(told)) < 8192, "RFC 5425: receivers should take that much"


def test_a_key_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no key of CEF"):
        cef.render(cef.Head("1", "s", "n", 3), {"a b": "x"})
