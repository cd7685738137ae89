"""Settings: every mistake in a file is one line that names file, key, value and range."""

from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import from_table, load, setting
from common.errors import ConfigError

FILE = Path("app.toml")


@dataclass(frozen=True)
class Lens:
    focal_mm: float = setting(8.0, low=1, high=100, unit="mm")


@dataclass(frozen=True)
class Camera:
    source: str = setting(choices=("simulated", "usb"))
    exposure_us: int = setting(2000, low=10, high=100_000, unit="µs")
    gain: float = setting(1.0, low=0)
    mirrored: bool = setting(False)
    folder: Path = setting(Path("pictures"))
    note: str | None = None
    lens: Lens = field(default_factory=Lens)


@dataclass(frozen=True)
class Plant:
    camera: Camera
    lenses: tuple[Lens, ...] = ()
    recipes: dict[str, Lens] = field(default_factory=dict)
    limits: tuple[float, ...] = setting((1.0,), low=0, high=10, unit="mm")
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if len(self.limits) > 3:
            raise ValueError("limits has at most 3 values")


@dataclass(frozen=True)
class Plc:
    options: dict[str, Any] = field(default_factory=dict)


def written(tmp_path, text):
    path = tmp_path / "app.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(table, kind=Plant):
    with pytest.raises(ConfigError) as caught:
        from_table(kind, table, FILE)
    text = str(caught.value)
    assert text.startswith("app.toml: ")
    assert "\n" not in text
    return text


def camera(**changes):
    return {"camera": {"source": "usb", **changes}}


def test_a_whole_file_becomes_frozen_settings(tmp_path):
    path = written(
        tmp_path,
        """
        threshold = 1
        limits = [0, 2.5]
        [camera]
        source = "usb"
        exposure_us = 10
        mirrored = true
        folder = "/srv/pictures"
        note = "left"
        [camera.lens]
        focal_mm = 12
        [[lenses]]
        focal_mm = 1
        [[lenses]]
        [recipes.a]
        focal_mm = 100
        [recipes.b]
        """,
    )
    plant = load(Plant, path)
    assert plant == Plant(
        Camera("usb", 10, 1.0, True, Path("/srv/pictures"), "left", Lens(12.0)),
        (Lens(1.0), Lens()),
        {"a": Lens(100.0), "b": Lens()},
        (0.0, 2.5),
        1.0,
    )
    assert isinstance(plant.threshold, float)
    with pytest.raises(FrozenInstanceError):
        plant.threshold = 2.0


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (camera(exposure_us=9), "camera.exposure_us = 9; allowed: 10 … 100000 µs"),
        (camera(exposure_us=100_001), "camera.exposure_us = 100001; allowed: 10 … 100000 µs"),
        (camera(gain=-0.1), "camera.gain = -0.1; allowed: 0 …"),
        (camera(source="rtsp"), "camera.source = 'rtsp'; allowed: simulated, usb"),
        (camera(lens={"focal_mm": 0}), "camera.lens.focal_mm = 0.0; allowed: 1 … 100 mm"),
        (camera() | {"lenses": [{}, {"focal_mm": 0}]}, "lenses[1].focal_mm = 0.0; allowed: 1"),
        (camera() | {"recipes": {"7": {"focal_mm": 0}}}, "recipes.7.focal_mm = 0.0; allowed"),
        (camera() | {"limits": [1, 11]}, "limits[1] = 11.0; allowed: 0 … 10 mm"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(table, text):
    assert text in refusal(table)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            camera(exposure_us="9"),
            "camera.exposure_us = '9' must be of type int; allowed: 10 …",
        ),
        (camera(exposure_us=True), "camera.exposure_us = True must be of type int"),
        (camera(exposure_us=20.0), "camera.exposure_us = 20.0 must be of type int"),
        (camera(gain=True), "camera.gain = True must be of type float; allowed: 0 …"),
        (camera(gain="2"), "camera.gain = '2' must be of type float"),
        (camera(gain=10**400), "must be of type float"),
        (camera(mirrored=1), "camera.mirrored = 1 must be of type bool"),
        (camera(source=1), "camera.source = 1 must be of type str; allowed: simulated, usb"),
        (camera(folder=3), "camera.folder = 3 must be of type Path"),
        (camera(note=3), "camera.note = 3 must be of type str"),
        (camera(lens=3), "camera.lens = 3 must be a table"),
        (camera() | {"lenses": {"focal_mm": 3}}, "lenses = {'focal_mm': 3} must be a list"),
        (camera() | {"lenses": [3]}, "lenses[0] = 3 must be a table"),
        (camera() | {"recipes": [3]}, "recipes = [3] must be a table"),
        (camera() | {"recipes": {"a": 3}}, "recipes.a = 3 must be a table"),
        (camera() | {"limits": 3}, "limits = 3 must be a list; allowed: 0 … 10 mm"),
        (camera() | {"limits": [1, "2"]}, "limits[1] = '2' must be of type float"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(table, text):
    assert text in refusal(table)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("key", ["threshold", "limits"])
def test_not_a_number_and_infinity_pass_no_check_even_without_limits(key, value):
    text = refusal(camera() | {key: [value] if key == "limits" else value})
    assert f"= {value!r} must be a finite number" in text


def test_a_not_a_number_is_named_with_its_range():
    text = refusal(camera(gain=float("nan")))
    assert "camera.gain = nan must be a finite number; allowed: 0 …" in text


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (camera() | {"treshold": 1}, "unknown key treshold; known here: camera, lenses"),
        (camera(exposure=1), "unknown key camera.exposure; known here: source, exposure_us"),
        (camera() | {"lenses": [{"x": 1}]}, "unknown key lenses[0].x; known here: focal_mm"),
        (camera() | {"recipes": {"a": {"x": 1}}}, "unknown key recipes.a.x"),
    ],
)
def test_an_unknown_key_is_named_with_the_known_ones(table, text):
    assert text in refusal(table)


def test_a_missing_key_is_named_with_what_it_may_be():
    assert refusal({}) == "app.toml: camera is missing"
    assert refusal({"camera": {}}) == (
        "app.toml: camera.source is missing; allowed: simulated, usb"
    )


def test_a_rule_between_keys_is_said_with_its_place():
    assert refusal(camera() | {"limits": [1, 2, 3, 4]}) == (
        "app.toml: settings: limits has at most 3 values"
    )
    with pytest.raises(ConfigError, match="plant: limits has at most 3"):
        from_table(Plant, camera() | {"limits": [1, 2, 3, 4]}, FILE, "plant")


def test_options_of_a_device_come_through_as_they_are():
    options = {"port": 502, "deep": {"list": [1, "2"], "on": True}}
    assert from_table(Plc, {"options": options}, FILE).options == options


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a = ", "is not valid TOML: Invalid value (at end of document)"),
        (b"a = 1\na = 2", "is not valid TOML: Cannot overwrite a value"),
        (b'a = "\xff"', "is not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        (b"a = " + b"9" * 5000, "is not valid TOML: "),
        (b"a = " + b"[" * 100_000, "is not valid TOML: "),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path, data, text):
    path = tmp_path / "app.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(Plant, path)
    assert f"{path}: {text}" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
        load(Plant, tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load(Plant, tmp_path)


def settings_or_error(kind, table):
    """The settings, or the text of the one error that is allowed."""
    try:
        return from_table(kind, table, FILE)
    except ConfigError as error:
        return str(error)


@given(st.floats() | st.integers())
def test_a_number_is_taken_exactly_when_it_is_within_the_limits(value):
    found = settings_or_error(Lens, {"focal_mm": value})
    if 1 <= value <= 100:
        assert found == Lens(value)
    else:
        assert found.startswith("app.toml: focal_mm = ")
        assert found.endswith("allowed: 1 … 100 mm")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["source", "focal_mm", "lens", "a"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Plant.__dataclass_fields__, "x"]), VALUES))
def test_whatever_stands_in_a_table_gives_settings_or_one_clear_error(table):
    found = settings_or_error(Plant, table)
    assert isinstance(found, Plant) or found.startswith("app.toml: ")
