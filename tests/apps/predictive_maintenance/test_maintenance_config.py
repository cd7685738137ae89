"""app.toml as shipped is whole, says the defaults, and refuses what makes no sense."""

import re

import pytest

from apps.predictive_maintenance.config import (
    APP,
    Bearing,
    DecideRules,
    Settings,
    load_settings,
)
from common.errors import ConfigError


def test_the_shipped_settings_are_the_defaults_in_the_code():
    assert load_settings() == Settings()


def test_the_machine_in_the_comments_can_be_used_as_it_stands(tmp_path):
    text = (APP / "app.toml").read_text()
    start = text.index("# [machines.fan-3]")
    lines = text[start:].split("\n\n")[0].splitlines()
    path = tmp_path / "app.toml"
    path.write_text("\n".join(re.sub("^# ?", "", line) for line in lines))
    machine = load_settings(path).machines["fan-3"]
    assert machine.kind == "fan"
    assert machine.bearings[0].elements == 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[machines.a]\nkind = 'toaster'", "machines.a.kind"),
        ("[machines.a]\ngroup = 4", "machines.a.group"),
        ("[[machines.a.bearings]]\nelements = 8\nelement_mm = 9.0\npitch_mm = 8.0", "pitch_mm"),
        ("[decide]\nplan_ratio = 9.0", "stop_ratio"),
        ("[baseline]\nmargin = 0.5", "baseline.margin"),
        ("[states]\nstopped_rpm = 0", "states.stopped_rpm"),
        ("[quality]\nlimit = 1", "unknown key quality.limit"),
    ],
)
def test_nonsense_is_one_clear_line(tmp_path, text, why):
    path = tmp_path / "app.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_settings(path)


def test_the_same_holds_in_code():
    with pytest.raises(ValueError, match="element_mm"):
        Bearing(8, 9.0, 8.0)
    with pytest.raises(ValueError, match="plan_ratio"):
        DecideRules(plan_ratio=9.0)
