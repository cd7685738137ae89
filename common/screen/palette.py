"""The colours of all screens, light and dark, after ISA-101: grey is normal.

Colour appears for what is not normal, never alone: every priority has a shape and a
number of its own. Green does not occur: it is not "OK".
"""

from dataclasses import dataclass

from common.screen.language import mark, tr
from common.screen.markup import Html, element


@dataclass(frozen=True, slots=True)
class Colour:
    """One colour on the light and on the dark ground."""

    light: str
    dark: str


COLOURS = {
    "ground": Colour("#E6E6E6", "#2B2D31"),
    "panel": Colour("#D9D9D9", "#383B40"),
    "raised": Colour("#EFEFEF", "#43474D"),
    "edge": Colour("#ADADAD", "#565B62"),
    "text": Colour("#202020", "#E8E8E8"),
    "quiet": Colour("#454545", "#B9BDC3"),
    "running": Colour("#5A5A5A", "#B4B8BE"),
    "stopped": Colour("#BDBDBD", "#6A6F76"),
    "trend": Colour("#3B5B7A", "#8FB3D6"),
    "hatch": Colour("#C6C6C6", "#464B52"),
    "band": Colour("#B9BEC4", "#5B6470"),
    "p1": Colour("#C00000", "#D93030"),
    "p2": Colour("#E69F00", "#E69F00"),
    "p3": Colour("#D8C400", "#D8C400"),
    "p4": Colour("#00A0B0", "#00B4C6"),
    "suppressed": Colour("#7A4EAB", "#A684CF"),
}


@dataclass(frozen=True, slots=True)
class Priority:
    """How one alarm priority looks: colour (`p1` …), shape and number."""

    number: int
    shape: str
    """A CSS class of screen.css."""
    word: str
    """A key of the catalogues."""


PRIORITIES = {
    1: Priority(1, "square", mark("now")),
    2: Priority(2, "triangle", mark("soon")),
    3: Priority(3, "wedge", mark("this shift")),
    4: Priority(4, "diamond", mark("technical")),
}


def priority_mark(number: int, *, hollow: bool = False, flash: bool = False) -> Html:
    """The shape, colour and number of a priority; hollow when its cause has gone."""
    priority = PRIORITIES[number]
    ways = f"{' ls-hollow' if hollow else ''}{' ls-flash' if flash else ''}"
    return element(
        "span",
        element("b", number),
        cls=f"ls-mark ls-{priority.shape} ls-p{number}{ways}",
        role="img",
        aria_label=tr("priority {n}, {word}", n=number, word=tr(priority.word)),
    )


def variables() -> str:
    """The colours as CSS variables that follow the colour scheme of their place."""
    light = "".join(f"--ls-{name}:{c.light};" for name, c in COLOURS.items())
    both = "".join(f"--ls-{n}:light-dark({c.light},{c.dark});" for n, c in COLOURS.items())
    # Browsers before 2024 do not know light-dark(): they keep the light colours.
    return f":root{{{light}}}@supports(color:light-dark(#000,#fff)){{:root{{{both}}}}}"
