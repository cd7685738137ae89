"""HL7 v2 in: what is taken, what is refused and why, and that nothing hostile gets through."""

import string
import time
from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.patient_monitoring import speak
from apps.patient_monitoring.domain import NONE, Flag, Sign
from apps.patient_monitoring.incoming import hl7, oru
from apps.patient_monitoring.incoming.observed import Refused

PCD_01 = """\
MSH|^~\\&|EDGEGW^00A037FFFE001122^EUI-64|WARD7|||20260101000000.000+0000||ORU^R01^ORU_R01|000123|P|2.6|||NE|AL||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
PID|||MRN123^^^HOSP^MR||SIM^PATIENT
PV1||I|W7^^BED3
OBR|1|000123^EDGEGW^00A037FFFE001122^EUI-64|000123^EDGEGW^00A037FFFE001122^EUI-64|182777000^monitoring of patient^SCT|||20260101000000+0000
OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X
OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456|97|262688^MDC_DIM_PERCENT^MDC|||||R|||20260101000000+0000
OBX|3|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.3.1.149530|76|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R
OBX|4|NM|151562^MDC_RESP_RATE^MDC|1.5.1.151562|18|264928^MDC_DIM_RESP_PER_MIN^MDC|||||R
OBX|5|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.1.9.150021|120|266016^MDC_DIM_MMHG^MDC|||||R
OBX|6|NM|150022^MDC_PRESS_BLD_NONINV_DIA^MDC|1.1.9.150022|80|266016^MDC_DIM_MMHG^MDC|||||R
OBX|7|NM|150344^MDC_TEMP^MDC|1.2.1.150344|36.8|268192^MDC_DIM_DEGC^MDC|||||R
""".replace("\n", "\r")  # noqa: E501 - the sample as it is on the wire


def read(text: str):
    return oru.read(hl7.parse(text.encode()), "3", 0)


def obx(line: int, **fields: str) -> str:
    """The sample with fields of one OBX changed, e.g. _5="8388607"."""
    segments = PCD_01.split("\r")
    index = next(n for n, s in enumerate(segments) if s.startswith(f"OBX|{line}|"))
    parts = segments[index].split("|")
    for name, value in fields.items():
        number = int(name[1:])
        parts += [""] * (number + 1 - len(parts))
        parts[number] = value
    segments[index] = "|".join(parts)
    return "\r".join(segments)


def test_the_pcd_01_sample_is_read_sign_by_sign():
    said = read(PCD_01)
    assert (said.patient, said.source, said.id) == ("HOSP:MRN123", "00A037FFFE001122", "000123")
    assert said.sent == 1_767_225_600.0
    found = {value.sign: value.value for value in said.values}
    assert found == {
        Sign.SPO2: 97, Sign.PULSE: 76, Sign.RR: 18, Sign.SBP: 120, Sign.DBP: 80,
        Sign.TEMP: 36.8,
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [{"_5": "8388607"}, {"_5": "-100"}, {"_5": "32767"}, {"_5": ""}, {"_5": '""'},
     {"_11": "X"}, {"_11": "I"}, {"_8": "NAV"}, {"_8": "INV"}, {"_8": "H~TEST"},
     {"_5": "8388607.0"}],
    ids=str,
)  # fmt: skip
def test_a_sentinel_and_status_x_are_not_available_and_never_a_number(fields):
    value = next(v for v in read(obx(2, **fields)).values if v.sign is Sign.SPO2)
    assert np.isnan(value.value)
    assert value.flags == Flag.SENSOR_OFF


def test_a_questionable_value_is_a_weak_signal():
    value = next(v for v in read(obx(2, _8="QUES")).values if v.sign is Sign.SPO2)
    assert (value.value, value.flags) == (97, Flag.LOW_SIGNAL)


def test_known_units_are_converted_and_unknown_ones_refused():
    fahrenheit = read(obx(7, _5="98.6", _6="266560^MDC_DIM_FAHR^MDC"))
    assert next(v.value for v in fahrenheit.values if v.sign is Sign.TEMP) == pytest.approx(37)
    kilopascal = read(obx(5, _5="16", _6="kPa^kilopascal^UCUM"))
    found = next(v.value for v in kilopascal.values if v.sign is Sign.SBP)
    assert found == pytest.approx(120.0, abs=0.1)
    for unit in ("", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "266304^MDC_DIM_KELVIN^MDC", "K"):
        with pytest.raises(Refused, match="unit") as refused:
            read(obx(7, _6=unit))
        assert refused.value.reason == "unit"


def test_generic_pressure_codes_are_no_cuff_pressure():
    said = read(obx(5, _3="150017^MDC_PRESS_BLD_SYS^MDC"))
    assert Sign.SBP not in {value.sign for value in said.values}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PCD_01.replace("PID|||MRN123^^^HOSP^MR||SIM^PATIENT\r", ""), "patient"),
        (PCD_01.replace("MRN123", ""), "patient"),
        (PCD_01.replace("PV1||", "PID|||B^^^HOSP^MR\rPV1||"), "patient"),
        (PCD_01.replace("|20260101000000.000+0000|", "||"), "time"),
        (PCD_01.replace("|20260101000000.000+0000|", "|20261301000000|"), "time"),
        (PCD_01.replace("|20260101000000.000+0000|", "|yesterday|"), "time"),
        (obx(2, _5="97.5.1"), "value"),
        (obx(2, _5="nan"), "value"),
        (obx(2, _5="1e3"), "value"),
        (obx(2, _5="٩٧"), "value"),
        (obx(2, _2="ST"), "value"),
        (obx(2, _11="Q"), "status"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(text, reason):
    with pytest.raises(Refused) as refused:
        read(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "form"),
        (b"HELLO", "form"),
        (b"MSH|^~\\&|A\x00B|\r", "form"),
        (b"MSH|||||||\r", "form"),
        (b"MSH|^~^&|A|\r", "form"),
        (b"MSHaaaaaaaa\r", "form"),
        (b"MSH|^~\\&|A\rMSH|^~\\&|B\r", "form"),
        (b"MSH|^~\\&|A\rNOT A SEGMENT\r", "form"),
        (b"MSH|^~\\&|A\xff|\r", "encoding"),
        (b"MSH|^~\\&|||||||||||||||\xe4|UNICODE UTF-8\r", "encoding"),
        (b"MSH|^~\\&|\xe4|||||||||||||||EBCDIC\r", "encoding"),
        (b"MSH|^~\\&|A\r" + b"OBX|1\r" * 3000, "form"),
    ],
)
def test_a_form_that_is_none_is_refused_by_its_name(data, reason):
    with pytest.raises(Refused) as refused:
        hl7.parse(data)
    assert refused.value.reason == reason


def test_other_marks_and_charsets_are_read():
    other = PCD_01.replace("|", "#").replace("^", ":").replace("MSH#:~\\&", "MSH#:~\\&")
    assert read(other).patient == "HOSP:MRN123"
    latin = PCD_01.replace("UNICODE UTF-8", "8859/1").replace("SIM^PATIENT", "MÜLLER^Ä")
    assert hl7.parse(latin.encode("latin-1")).all("PID")[0][5] == "MÜLLER^Ä"


@given(st.text(alphabet=string.printable + "äé✓\x0b\x1c\r\n", max_size=60))
def test_escaped_text_ends_no_field_and_comes_back(text):
    sent = hl7.escaped(text)
    assert not set("\r\n\x0b\x1c|^&~") & set(sent)
    message = hl7.parse(f"MSH|^~\\&|{sent}||||||X|||2.6||||||UNICODE UTF-8\r".encode())
    shown = "".join(" " if (ord(c) < 32 and c != "\t") or c == "\x7f" else c for c in text)
    assert message.plain(message.header(3)) == shown


@given(st.floats(0, 4e9))
def test_times_survive(wall):
    assert hl7.wall_time(hl7.stamp(wall)) == pytest.approx(wall, abs=0.002)


# ------------------------------------------------------------------ fuzzing the desk

QUICK = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(data=st.binary(max_size=400))
def test_bytes_of_any_kind_are_answered_and_change_nothing(gateway, data):
    before = gateway.station.intake.counts.copy()
    answer = gateway.desk(b"MSH" + data)
    assert isinstance(answer, bytes)
    assert b"MSA|AA" not in answer
    assert gateway.station.intake.counts == before


@QUICK
@given(
    at=st.integers(0, 900), cut=st.integers(0, 60),
    put=st.binary(max_size=12), seed=st.integers(0, 9),
)  # fmt: skip
def test_a_message_that_was_changed_anywhere_is_answered(gateway, at, cut, put, seed):
    said = [(Sign.HR, 70.0 + seed, 0), (Sign.SPO2, 97.0, 0), (Sign.SBP, NONE, 0)]
    message = speak.observation(gateway.place("1"), "SIM1", "MON1", said, gateway.now())
    broken = message[:at] + put + message[at + cut :]
    answer = gateway.desk(broken)
    answer = answer if isinstance(answer, bytes) else answer.result(5)
    assert answer == b"" or answer.count(b"MSA|") == 1
    readings = gateway.station.intake.gather(gateway.clock.monotonic()).readings
    assert set(readings.bed) <= {0}, "never on another's bed"
    assert not np.isin(readings.value, [8388607, -100, 32767]).any()
    assert (readings.at <= gateway.clock.monotonic()).all()


def test_a_hostile_number_is_escaped_in_the_answer(gateway):
    header = "MSH|^~\\&|EVIL\\F\\MSA\\F\\AA|W|||20260101000000+0000||ORU^R01|1\\F\\2|P|2.6\r"
    answer = gateway.desk(header.encode())
    lines = answer.decode().split("\r")
    assert [line[:3] for line in lines if line] == ["MSH", "MSA", "ERR"]
    assert lines[1] == "MSA|AE|1\\F\\2"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("ORU^R01^ORU_R01", "ORM^O01"), "AR"),
        (("|2.6|", "|3.0|"), "AR"),
        (("|000123|", "||"), "AR"),
        (("BED3", "BED99"), "AE"),
        (("W7^^", "W8^^"), "AE"),
        (("PV1||I|W7^^BED3\r", ""), "AE"),
    ],
)
def test_what_is_not_for_this_gateway_is_named(gateway, change, code):
    answer = gateway.say(PCD_01.replace(*change).encode())
    assert answer.startswith(code)
    assert gateway.station.intake.sources.refused.total() == 1


def test_who_wants_no_answer_gets_none(gateway):
    assert gateway.desk(PCD_01.replace("|NE|AL|", "|NE|NE|").encode()) == b""


def test_a_line_that_is_closed_while_the_disk_is_waited_for_ends_quietly(
    gateway, monkeypatch, caplog
):
    kept = Future()
    monkeypatch.setattr(gateway.station.intake, "move", lambda *_: kept)
    message = speak.admission(gateway.place("4"), "SIM4", gateway.now(), born="19500101")
    answer = gateway.desk(message)
    assert answer.cancel()
    kept.set_result(None)
    assert answer.cancelled()
    assert caplog.records == []


def test_an_admission_that_the_disk_refuses_is_not_acknowledged(gateway, monkeypatch):
    kept = Future()
    monkeypatch.setattr(gateway.station.intake, "move", lambda *_: kept)
    message = speak.admission(gateway.place("4"), "SIM4", gateway.now(), born="19500101")
    answer = gateway.desk(message)
    kept.set_exception(OSError("no space left"))
    told = answer.result(1).decode()
    assert "MSA|AE" in told
    assert "it could not be kept: no space left" in told


def test_a_message_costs_little():
    """Not a benchmark: a parser whose time explodes with the message would fail it."""
    long = PCD_01 + "OBX|8|ST|0^X^L||" + "a^b~" * 12_000 + "\r"
    began = time.perf_counter()
    read(long)
    assert time.perf_counter() - began < 2.0
