"""ISA-101: grey is normal, colour never stands alone, and all of it can be read."""

import colorsys
import tomllib
from pathlib import Path

import pytest

from common.screen import palette
from common.screen.page import STYLES
from common.screen.palette import COLOURS, PRIORITIES, priority_mark, variables

ROOT = Path(palette.__file__).parents[2]
CONFIG = ROOT / "apps/.streamlit/config.toml"


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "panel", "raised"])
@pytest.mark.parametrize(("ink", "least"), [("text", 7.0), ("quiet", 4.5), ("trend", 3.0)])
def test_ink_can_be_read(scheme: str, ground: str, ink: str, least: float) -> None:
    colours = (getattr(COLOURS[name], scheme) for name in (ink, ground))
    assert contrast(*colours) >= least


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("number", "ink"), [(1, "#ffffff"), (2, "#000000"), (3, "#000000"), (4, "#000000")]
)
def test_numbers_on_their_colours_can_be_read(scheme: str, number: int, ink: str) -> None:
    assert contrast(getattr(COLOURS[f"p{number}"], scheme), ink) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_hatched_can_still_be_read(scheme: str) -> None:
    text, hatch = (getattr(COLOURS[name], scheme) for name in ("text", "hatch"))
    assert contrast(text, hatch) >= 7.0


def test_every_priority_has_its_own_colour_shape_and_number() -> None:
    assert len({priority.shape for priority in PRIORITIES.values()}) == 4
    assert [priority.number for priority in PRIORITIES.values()] == [1, 2, 3, 4]
    assert len({COLOURS[f"p{number}"].light for number in PRIORITIES}) == 4
    for number, priority in PRIORITIES.items():
        drawn = priority_mark(number)
        assert f"<b>{number}</b>" in drawn
        assert f"ls-{priority.shape} ls-p{number}" in drawn


@pytest.mark.parametrize("name", COLOURS)
def test_green_does_not_occur(name: str) -> None:
    for colour in (COLOURS[name].light, COLOURS[name].dark):
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
        assert saturation < 0.25 or not 80 < hue * 360 < 165


def test_colours_follow_the_theme() -> None:
    assert "--ls-p1:light-dark(#C00000," in variables()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_streamlits_themes_are_the_palette(scheme: str) -> None:
    theme = tomllib.loads(CONFIG.read_text("utf-8"))["theme"][scheme]
    names = {
        "backgroundColor": "ground",
        "secondaryBackgroundColor": "panel",
        "textColor": "text",
        "primaryColor": "trend",
    }
    for key, name in names.items():
        assert theme[key] == getattr(COLOURS[name], scheme)


def test_the_screens_stay_on_this_machine_and_call_nobody() -> None:
    settings = tomllib.loads(CONFIG.read_text("utf-8"))
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in STYLES:
        style = path.read_text("utf-8")
        assert "url(" not in style
        assert "@import" not in style
