"""ORU^R40 field by field (HL7 v2.6, IHE PCD-04), and what each change of an alarm becomes."""

import pytest

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.outgoing import oru_r40
from apps.patient_monitoring.outgoing.er7 import unescape
from apps.patient_monitoring.outgoing.settings import Hl7Settings
from apps.patient_monitoring.outgoing.who import Who
from common.alarms import orders
from common.alarms.shelving import Shelving
from common.users import User
from tests.apps.patient_monitoring.outgoing.rig import (
    ABOUT,
    SOURCE,
    Ward,
    alert,
    audit,
    fields,
)

NURSE = User("mia", "operator")
SETTINGS = Hl7Settings(sending_facility="W7", receiving_application="ALARMS",
                       receiving_facility="HOSP")  # fmt: skip
PLACES = {"event": 1, "source": 2, "phase": 3, "state": 4, "inactivation": 5, "priority": 6,
          "type": 7, "text": 8}  # fmt: skip


@pytest.fixture
def ward():
    return Ward()


def render(event, settings=SETTINGS, who=None):
    said = oru_r40.render(event, settings, who or Who())
    assert said is not None
    return fields(said.text)


def facet(message, name):
    (row,) = [r for r in message["OBX"] if r[4] == f"1.0.0.0.{PLACES[name]}"]
    return row


def value(message, name):
    return unescape(facet(message, name)[5])


# ------------------------------------------------------------------ field by field


def test_the_message_is_this_one_to_the_letter(ward):
    said = oru_r40.render(ward.set(), SETTINGS, Who())
    control = said.control_id
    origin = "LINESIDE^urn:lineside:acme:north:ward:ward-7^URI"
    at = "20260101120000.250+0000"
    text = "Bed 3: NEWS2 calls for an assessment"
    assert said.text.split("\r") == [
        "MSH|^~\\&|LINESIDE|W7|ALARMS|HOSP|20260101120000.750+0000||ORU^R40^ORU_R40"
        f"|{control}|T|2.6|||NE|AL||UNICODE UTF-8|||"
        "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO",
        "PID|||p-3f9c^^^LINESIDE^PI||^^^^^^S",
        "PV1||I|W7^^3",
        f"OBR|1||bed_risk/3/1767268800250-1^{origin}|196616^MDC_EVT_ALARM^MDC|||{at}",
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X",
        f"OBX|2|ST|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|{text}|||PH~SP|||R|||{at}",
        "OBX|3|NM|NEWS2^NEWS2 aggregate score^99LINESIDE|1.0.0.0.2|7"
        f"|{{score}}^{{score}}^UCUM|||||R|||{at}",
        f"OBX|4|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.0.0.0.3|start||||||R|||{at}",
        f"OBX|5|ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.0.0.0.4|active||||||R|||{at}",
        "OBX|6|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC|1.0.0.0.5|enabled||||||R|||" + at,
        f"OBX|7|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.0.0.0.6|PH||||||R|||{at}",
        f"OBX|8|ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.0.0.0.7|SP||||||R|||{at}",
        f"OBX|9|ST|68546^MDC_ATTR_ALERT_TEXT^MDC|1.0.0.0.8|NEWS2 7||||||R|||{at}",
        f"NTE|1|L|{NOT_A_DEVICE}",
        "",
    ]


def test_the_control_id_fits_and_is_the_event_s(ward):
    event = ward.set()
    one, again = (oru_r40.render(event, SETTINGS, Who()) for _ in range(2))
    assert one == again, "the same bytes whenever it is sent"
    assert len(one.control_id) == 20
    assert one.control_id.isascii()
    assert one.control_id != oru_r40.render(ward.set(active=False), SETTINGS, Who()).control_id


def test_with_commit_acknowledgement_the_header_asks_for_it(ward):
    header = render(ward.set(), Hl7Settings(acknowledgement="commit"))["MSH"][0]
    assert header[15:17] == ["AL", "NE"]


def test_later_messages_name_the_first_one(ward):
    first = render(ward.set())["OBR"][0]
    later = render(ward.command(orders.acknowledge(NURSE)))["OBR"][0]
    entity, *where = first[3].split("^")
    assert len(first) < 30
    assert later[29] == "^" + "&".join((entity, *where))
    assert later[3].split("^")[0] == f"{entity}/2"


def test_an_incomplete_score_is_told_as_a_lower_bound(ward):
    source = facet(render(ward.set(about={**ABOUT, "complete": False, "news2": 5})), "source")
    assert source[2:6] == ["SN", "NEWS2^NEWS2 aggregate score^99LINESIDE", "1.0.0.0.2", ">=^5"]


@pytest.mark.parametrize(
    ("what", "event", "source"),
    [
        ("DESATURATION", "196670^MDC_EVT_LO^MDC", "150456^MDC_PULS_OXIM_SAT_O2^MDC"),
        ("BRADYCARDIA", "196670^MDC_EVT_LO^MDC", "147842^MDC_ECG_HEART_RATE^MDC"),
        ("TACHYCARDIA", "196648^MDC_EVT_HI^MDC", "147842^MDC_ECG_HEART_RATE^MDC"),
        ("APNOEA", "196616^MDC_EVT_ALARM^MDC", "151562^MDC_RESP_RATE^MDC"),
    ],
)
def test_an_extreme_names_its_event_and_metric(ward, what, event, source):
    about = {**ABOUT, "kind": "extreme", "what": [what]}
    message = render(ward.set("bed_extreme/3", priority=None, about=about))
    assert facet(message, "event")[3] == event
    assert facet(message, "source")[2:6] == [
        "CWE", "68480^MDC_ATTR_ALERT_SOURCE^MDC", "1.0.0.0.2", source]  # fmt: skip
    assert facet(message, "event")[8] == "PH~SP"


def test_a_technical_alarm_is_one(ward):
    about = {**ABOUT, "kind": "technical", "what": ["SENSOR_OFF", "OFFLINE"]}
    message = render(ward.set("bed_technical/3", priority=None, about=about))
    assert (value(message, "type"), value(message, "priority")) == ("ST", "PL")
    assert facet(message, "event")[8] == "PL~ST"
    assert value(message, "source") == "SENSOR_OFF, OFFLINE"


def test_advice_is_advisory(ward):
    about = {**ABOUT, "kind": "advice", "what": ["model"]}
    assert value(render(ward.set("bed_advice/3", priority=None, about=about)), "type") == "SA"


def test_an_alarm_of_the_whole_ward_has_no_patient(ward):
    about = {"bed": "", "patient": "", "kind": "technical", "what": ["UNMONITORED"]}
    message = render(ward.set("ward_unmonitored", priority=None, about=about))
    assert "PID" not in message
    assert value(message, "priority") == "PH"


# ------------------------------------------------------------------ the life of an alarm


def life(event):
    message = render(event)
    return tuple(
        value(message, name) for name in ("phase", "state", "inactivation", "priority")
    )


def test_the_life_of_an_alarm(ward):
    assert life(ward.set(priority=None)) == ("start", "active", "enabled", "PL")
    assert life(ward.set(priority=2)) == ("update", "active", "enabled", "PM")
    acknowledged = ward.command(orders.acknowledge(NURSE))
    assert life(acknowledged) == ("update", "active", "alert-acknowledged", "PM")
    assert life(ward.set(priority=1)) == ("update", "active", "enabled", "PH")
    ended = ward.set(active=False)
    assert life(ended) == ("end", "inactive", "enabled", "PH")
    noted = ward.command(orders.acknowledge(NURSE))
    assert life(noted) == ("update", "inactive", "alert-acknowledged", "PH")


def test_what_ends_acknowledged_ends(ward):
    ward.set()
    ward.command(orders.acknowledge(NURSE))
    assert life(ward.set(active=False)) == ("end", "inactive", "enabled", "PH")


def test_an_alarm_that_comes_again_starts_again_under_another_name(ward):
    first = render(ward.set())["OBR"][0][3]
    ward.set(active=False)
    ward.rig.clock.sleep(5.0)
    again = ward.set()
    assert life(again)[0] == "start"
    assert render(again)["OBR"][0][3] != first


def test_paused_and_back(ward):
    ward.set("bed_technical/3")
    paused = ward.command(orders.shelve(NURSE, Shelving(60.0, "washing")), "bed_technical/3")
    assert life(paused)[:3] == ("update", "active", "alarm-paused")
    back = ward.command(orders.unshelve(NURSE), "bed_technical/3")
    assert life(back)[:3] == ("continue", "active", "enabled")


def test_out_of_service_is_alarm_off(ward):
    ward.set("bed_technical/3")
    order = orders.remove_from_service(NURSE, "monitor in repair", "WP-1")
    assert life(ward.command(order, "bed_technical/3"))[2] == "alarm-off"


def test_a_latched_alarm_is_latched_until_it_is_reset(ward):
    about = {"bed": "", "patient": "", "kind": "technical", "what": ["UNMONITORED"]}
    ward.set("ward_unmonitored", about=about)
    assert life(ward.set("ward_unmonitored", active=False))[:3] == ("end", "latched", "enabled")
    held = ward.command(orders.acknowledge(NURSE), "ward_unmonitored")
    assert life(held)[:3] == ("update", "latched", "alert-acknowledged")
    assert life(ward.command(orders.reset(NURSE), "ward_unmonitored"))[:2] == (
        "reset", "inactive")  # fmt: skip


# ------------------------------------------------------------------ what must not get out


def test_only_alarms_of_beds_and_ward_are_told(ward):
    station = ward.set("store_failing", priority=None, about={})
    for event in (station, audit(), alert()):
        assert oru_r40.render(event, SETTINGS, Who()) is None


class Smith:
    number = "HOSP:MRN123"


def test_the_patient_s_own_number_goes_only_where_settings_say_so(ward):
    event = ward.set()
    told = render(event, who=Who(lambda _: Smith()))
    assert told["PID"][0][3] == "p-3f9c^^^LINESIDE^PI"
    told = render(event, who=Who(lambda _: Smith(), identify=True))
    assert told["PID"][0][3] == "MRN123^^^HOSP^MR"
    assert told["PID"][0][5] == "^^^^^^U"
    told = render(event, who=Who(lambda _: None, identify=True))
    assert told["PID"][0][3] == "p-3f9c^^^LINESIDE^PI"


def test_what_people_wrote_stays_here(ward):
    ward.set()
    event = ward.command(orders.acknowledge(NURSE, "Mr Smith is asleep"))
    assert "Smith" in event.data["ack_comment"]
    assert "Smith" not in oru_r40.render(event, SETTINGS, Who()).text


HOSTILE = "x|y^z&~\\\rOBX|99|ST|forged\x1c\r\x0bMSH|"


def test_hostile_texts_forge_no_field_and_no_segment(ward):
    about = {**ABOUT, "patient": HOSTILE, "bed": HOSTILE, "what": [HOSTILE]}
    settings = Hl7Settings(sending_facility=HOSTILE, sending_application=HOSTILE)
    event = ward.set("bed_technical/3", detail=HOSTILE, about={**about, "kind": "technical"})
    message = render(event, settings)
    assert [len(message[name]) for name in ("MSH", "PID", "PV1", "OBR", "OBX", "NTE")] == [
        1, 1, 1, 1, 9, 1]  # fmt: skip
    assert value(message, "text") == HOSTILE
    assert value(message, "source") == HOSTILE
    assert unescape(message["PID"][0][3].split("^")[0]) == HOSTILE
    assert unescape(message["MSH"][0][4]) == HOSTILE


def test_the_source_is_told_where_the_station_is(ward):
    assert SOURCE.startswith(render(ward.set())["OBR"][0][3].split("^")[2])
