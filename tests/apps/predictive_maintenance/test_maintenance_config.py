"""app.toml as shipped is whole, says the defaults, and refuses what makes no sense."""

import re
from dataclasses import replace

import pytest

from apps.predictive_maintenance.config import APP, Bearing, DecideRules, Settings
from common.config import load
from common.errors import ConfigError


def test_the_shipped_settings_are_the_defaults_in_the_code():
    """But for the plant in software, which only the shipped file brings to life."""
    shipped, plain = load(Settings, APP / "app.toml"), Settings()
    simulation = replace(
        shipped.simulation, history=0, auto_baseline=False, faults=plain.simulation.faults
    )
    switched_off = {"telemetry": {}, "webhook": {}, "notification": {}}
    assert replace(shipped, simulation=simulation, **switched_off) == plain


def test_the_shipped_plant_learns_first_and_fails_later():
    simulation = load(Settings, APP / "app.toml").simulation
    ends_h = simulation.history * simulation.step_s / 3600
    assert all(fault.onset_h > ends_h for fault in simulation.faults)
    assert simulation.faults


def test_the_machine_in_the_comments_can_be_used_as_it_stands(tmp_path):
    text = (APP / "app.toml").read_text()
    start = text.index("# [machines.fan-3]")
    lines = text[start:].split("\n\n")[0].splitlines()
    path = tmp_path / "app.toml"
    path.write_text("\n".join(re.sub("^# ?", "", line) for line in lines))
    machine = load(Settings, path).machines["fan-3"]
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
        ("[machines.'a/b']\ngroup = 2", "an asset is named by letters"),
        ("[orders]\nworse_share = 0.0", "orders.worse_share"),
        ("[sense]\nqueue_windows = 0", "sense.queue_windows"),
        (
            "[[simulation.faults]]\nmachine = 13\nkind = 'gear'\nonset_h = 1\nlife_h = 1",
            "no machine 13 of 12",
        ),
    ],
)
def test_nonsense_is_one_clear_line(tmp_path, text, why):
    path = tmp_path / "app.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load(Settings, path)


def test_the_same_holds_in_code():
    with pytest.raises(ValueError, match="element_mm"):
        Bearing(8, 9.0, 8.0)
    with pytest.raises(ValueError, match="plan_ratio"):
        DecideRules(plan_ratio=9.0)
