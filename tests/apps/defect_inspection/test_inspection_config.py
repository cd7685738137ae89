"""app.toml as it ships, and every wrong value as one clear line."""

import tomllib

import pytest

from apps.defect_inspection.config import APP, Settings
from apps.defect_inspection.decide import LineState
from apps.defect_inspection.watch import Condition, active_alarms
from common.alarms.definition import load_definitions
from common.config import from_table, load
from common.errors import ConfigError

SHIPPED = APP / "app.toml"


def changed(key, value):
    """The shipped table with one key changed."""
    table = tomllib.loads(SHIPPED.read_text())
    *parents, last = key.split(".")
    place = table
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return table


def test_the_shipped_file_loads_and_says_what_it_means(shipped):
    assert shipped.simulation.enabled
    assert shipped.line.deadline_ms == 300.0
    assert shipped.recipe(1).binarise
    assert shipped.recipe(1).frame.width == 640
    assert not shipped.recipe(2).binarise
    assert shipped.recipe(3) is None


def test_the_shipped_file_names_every_section():
    assert set(tomllib.loads(SHIPPED.read_text())) == set(Settings.__dataclass_fields__)


def test_a_recipe_gives_a_kind_its_own_rule_or_the_default():
    table = changed("recipes.1.kinds.short.reject_score", 0.9)
    recipe = from_table(Settings, table, SHIPPED).recipe(1)
    assert recipe.rule("short").reject_score == 0.9
    assert recipe.rule("open") is recipe.default


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("station.api_port", 80, "station.api_port = 80; allowed: 1024 … 65535"),
        ("station.api_port", "8101", "station.api_port = '8101' must be of type int"),
        ("station.golden_period_s", 0.0, "golden_period_s = 0.0; allowed: 0.1 … 10.0 s"),
        ("station.nmae", "x", "unknown key station.nmae"),
        ("cammera", {}, "unknown key cammera"),
        ("camera.backend", 5, "camera.backend = 5 must be of type str"),
        ("model.precision", "int4", "= 'int4'; allowed: auto, fp32, fp16, int8"),
        ("line.deadline_ms", 1, "line.deadline_ms = 1.0; allowed: 5.0 … 60000.0 ms"),
        ("line.deadline_ms", float("nan"), "line.deadline_ms = nan must be a finite number"),
        ("line.deadline_ms", True, "line.deadline_ms = True must be of type float"),
        ("line.consecutive_rejects", 0, "line.consecutive_rejects = 0; allowed: 1 … 1000"),
        ("line.challenge_pieces", 2.5, "line.challenge_pieces = 2.5 must be of type int"),
        ("recipes", {}, "recipes: at least one recipe is needed"),
        ("recipes.first", {"name": "x"}, "first: a recipe's key is the PLC's RECIPE_ID"),
        ("recipes.007", {"name": "x"}, "recipes.007: a recipe's key is the PLC's RECIPE_ID"),
        ("recipes.²", {"name": "x"}, "recipes.²: a recipe's key is the PLC's RECIPE_ID"),
        ("line.window_rejects", 21, "line: window_rejects above window_parts"),
        ("recipes.3", {}, "recipes.3.name is missing"),
        ("recipes.1.mm_per_px", -1, "mm_per_px = -1.0; allowed: 0.0001 … 10.0 mm/px"),
        ("recipes.1.default.hold_score", 0.9, "hold_score must not be above reject_score"),
        ("recipes.1.default.hold_score", 1.5, "default.hold_score = 1.5; allowed: 0.0"),
        ("recipes.1.kinds.short", {"size": 1}, "unknown key recipes.1.kinds.short.size"),
        ("recipes.1.frame.mean_low", 250, "mean_low must be below mean_high"),
        ("recipes.1.frame.channels", 2, "recipes.1.frame.channels = 2; allowed: 0, 1, 3"),
        ("recipes.1.zones", [{"name": "pads"}], "recipes.1.zones[0].left_mm is missing"),
        ("simulation.parts_per_s", 50, "parts_per_s = 50.0; allowed: 0.1 … 20.0 1/s"),
        ("retention.records_days", 0, "retention.records_days = 0.0; allowed: 0.01 … 3650.0 d"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_with_file_and_key(key, value, says):
    with pytest.raises(ConfigError) as caught:
        from_table(Settings, changed(key, value), SHIPPED)
    message = str(caught.value)
    assert message.startswith(f"{SHIPPED}: ")
    assert says in message
    assert "\n" not in message


def test_a_zone_has_a_rule_that_is_known():
    zone = {"name": "a", "left_mm": 0, "top_mm": 0, "width_mm": 1, "height_mm": 1}
    with pytest.raises(ConfigError, match=r"zones\[0\]\.rule = 'avoid'; allowed: critical"):
        from_table(Settings, changed("recipes.1.zones", [zone | {"rule": "avoid"}]), SHIPPED)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "cannot be read"), ("station = [", "is not valid TOML")]
)
def test_a_file_that_is_no_settings_file(tmp_path, text, says):
    path = tmp_path / "app.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load(Settings, path)
    assert str(caught.value).startswith(str(path))


# --- alarms.toml ----------------------------------------------------------------------


def test_every_alarm_of_the_file_is_watched_and_the_other_way_round():
    defined = load_definitions(APP / "alarms.toml")
    assert set(defined) == set(active_alarms(Condition(LineState())))
    assert all(alarm.consequence and alarm.response for alarm in defined.values())
