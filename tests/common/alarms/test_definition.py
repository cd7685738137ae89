"""alarms.toml: what is an alarm and what is refused as none."""

import pytest

from common.alarms.definition import AlarmDefinition, at_place, load_definitions
from common.errors import ConfigError

GOOD = """
[plc_silent]
priority = 1
text = "PLC does not answer"
cause = "Its power is off."
consequence = "Every part is rejected."
response = "Check the PLC's power."
time_to_respond_s = 300
on_delay_s = 2
"""


def test_definitions_are_read(tmp_path):
    path = tmp_path / "alarms.toml"
    path.write_text(GOOD)
    assert load_definitions(path) == {
        "plc_silent": AlarmDefinition(
            "plc_silent", 1, "PLC does not answer", "Its power is off.",
            "Every part is rejected.", "Check the PLC's power.", 300.0, on_delay_s=2.0,
        )
    }  # fmt: skip


def test_one_of_many_says_its_place_before_its_text(tmp_path):
    path = tmp_path / "alarms.toml"
    path.write_text(GOOD)
    plain = load_definitions(path)["plc_silent"]
    of_one = at_place(plain, "plc_silent/3", "Line 3")
    assert (of_one.id, of_one.place) == ("plc_silent/3", "Line 3")
    assert of_one.text == "Line 3: PLC does not answer"
    assert of_one.response == plain.response
    assert plain.place == ""


def test_by_default_it_may_be_shelved_for_a_shift_and_never_sounds_again(tmp_path):
    path = tmp_path / "alarms.toml"
    path.write_text(GOOD)
    found = load_definitions(path)["plc_silent"]
    assert (found.shelve_max_s, found.re_alarm_s, found.latched) == (28_800.0, 0.0, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('response = "Check the PLC\'s power."', "", "plc_silent.response is missing"),
        ('cause = "Its power is off."', "", "plc_silent.cause is missing"),
        ("time_to_respond_s = 300", "", "plc_silent.time_to_respond_s is missing"),
        ("time_to_respond_s = 300", "time_to_respond_s = 0", "time_to_respond_s = 0"),
        ('"Check the PLC\'s power."', '" "', "response is empty"),
        ('"Every part is rejected."', '""', "consequence is empty"),
        ('"Its power is off."', '""', "cause is empty"),
        ("priority = 1", "priority = 5", "priority = 5"),
        ("on_delay_s = 2", "on_delay_s = -1", "on_delay_s = -1"),
        ("on_delay_s = 2", "shelve_max_s = 28801", "shelve_max_s = 28801"),
        ("on_delay_s = 2", "re_alarm_s = -1", "re_alarm_s = -1"),
        ("on_delay_s = 2", "delay = 2", "unknown key plc_silent.delay"),
        ("on_delay_s = 2", 'id = "x"', "without an id of its own"),
        ("[plc_silent]", "plc_silent = 1\n[other]", "plc_silent must be a table"),
    ],
)
def test_what_is_no_alarm_is_refused(tmp_path, old, new, message):
    path = tmp_path / "alarms.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=r"alarms\.toml: .*" + message):
        load_definitions(path)
