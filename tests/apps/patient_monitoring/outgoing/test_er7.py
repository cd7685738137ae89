"""HL7's writing: what a text holds can end no field, no segment and no block."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.patient_monitoring.outgoing.er7 import (
    Acknowledgement,
    composite,
    escape,
    hl7_time,
    read_acknowledgement,
    segment,
    unescape,
)

ANY = st.text(st.characters(exclude_categories=["Cs"]))
HOSTILE = st.text("|^~\\&\r\n\x0b\x1c\x00EFSTRX0Déø\u2028\x85", max_size=40)


@given(ANY | HOSTILE)
def test_what_was_escaped_is_read_back(text):
    assert unescape(escape(text)) == text


@given(HOSTILE)
def test_nothing_in_a_text_divides_a_message(text):
    encoded = escape(text)
    assert not set(encoded) & set("|^~&\r\n\x0b\x1c\x00\u2028\x85")
    assert segment("PID", {3: encoded, 5: "x"}).split("|")[3:] == [encoded, "", "x"]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("|", "\\F\\"), ("^", "\\S\\"), ("&", "\\T\\"), ("~", "\\R\\"), ("\\", "\\E\\"),
     ("\r\n", "\\X0D0A\\"), ("a|b", "a\\F\\b"), ("\\F\\", "\\E\\F\\E\\")],
)  # fmt: skip
def test_each_mark_has_its_escape(text, encoded):
    assert escape(text) == encoded


@pytest.mark.parametrize("text", ["\\H\\", "\\Xzz\\", "\\XFF\\", "\\.br\\"])
def test_escapes_that_mean_nothing_here_stay(text):
    assert unescape(text) == text


@given(st.lists(ANY, min_size=1, max_size=5))
def test_a_component_stays_one(parts):
    found = [unescape(part) for part in composite(*parts).split("^")]
    while parts and not parts[-1]:
        parts.pop()
    assert found == (parts or [""])


def test_fields_stand_where_their_numbers_say():
    assert segment("OBX", {1: "1", 3: "x", 5: ""}) == "OBX|1||x"
    assert segment("MSH", {2: "^~\\&", 4: "W"}) == "MSH|^~\\&||W"


def test_times_are_to_the_millisecond_and_in_utc():
    assert hl7_time(1_767_268_800.25) == "20260101120000.250+0000"


def test_an_answer_is_read():
    body = (
        "MSH|^~\\&|A|B|||20260101||ACK|1|P|2.6\rMSA|AE|CTRL|not\\T\\known\r"
        "ERR|||204^Unknown key\\R\\^HL70357|E||||no such bed\r"
    )
    expected = Acknowledgement("AE", "CTRL", "204", "not&known; no such bed; Unknown key~")
    assert read_acknowledgement(body.encode()) == expected


def test_an_answer_with_other_marks_and_line_ends_is_read():
    found = read_acknowledgement(b"MSH#*~\\&#A\nMSA#AA#CTRL\n")
    assert (found.code, found.control_id) == ("AA", "CTRL")


def test_what_a_receiver_says_stays_on_its_line():
    found = read_acknowledgement(b"MSH|^~\\&|A\rMSA|AE|C|no\\X0A1B\\[2J\n")
    assert found.text == "no \ufffd[2J"


@pytest.mark.parametrize("body", [b"", b"MSH", b"MSH|^~\\&|A\r", b"MSA|AA|1\r", b"\xff\xfe"])
def test_what_is_no_answer_is_said(body):
    with pytest.raises(ValueError, match="it has no"):
        read_acknowledgement(body)


@given(st.binary(max_size=60))
def test_no_answer_breaks_the_reader(body):
    with contextlib.suppress(ValueError):
        assert read_acknowledgement(b"MSH|^~\\&|" + body).code
