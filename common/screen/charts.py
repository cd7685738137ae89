"""Small charts as plain HTML and CSS: they follow the theme and need no script.

A number alone does not say whether it is normal; each of these shows it beside its range.
"""

import math
from collections.abc import Sequence

from common.screen.language import tr
from common.screen.markup import Html, element

MOST_STEPS = 12


def percent(value: float, top: float) -> float:
    """`value` as a place on a scale 0 … top, in percent, kept on the scale."""
    if not 0 < top < math.inf or math.isnan(value):
        return 0.0
    return round(100.0 * min(max(value / top, 0.0), 1.0), 2)


def band_bar(value: float | None, low: float | None, high: float | None, top: float) -> Html:
    """A scale with its usual band and a pointer at the present value."""
    parts = []
    if low is not None and high is not None:
        left, right = percent(low, top), percent(high, top)
        width = max(right - left, 0.5)
        parts.append(element("i", cls="ls-band", style=f"left:{left}%;width:{width}%"))
    if value is not None:
        parts.append(element("i", cls="ls-pointer", style=f"left:{percent(value, top)}%"))
    return element("div", *parts, cls="ls-scale")


def limit_bar(value: float | None, limit: float) -> Html:
    """How much of a limit is used; the limit stands at four fifths of the scale."""
    top = limit * 1.25
    fill = element("i", cls="ls-fill", style=f"width:{percent(value or 0.0, top)}%")
    return element("div", fill, element("i", cls="ls-limit", style="left:80%"), cls="ls-scale")


def steps(value: int, limit: int) -> Html:
    """A counter on its way to a limit: one box per step, a bar when there are many."""
    if not 0 < limit <= MOST_STEPS:
        return limit_bar(float(value), float(max(limit, 1)))
    boxes = [element("i", cls="ls-full" if n < value else "") for n in range(limit)]
    return element("div", *boxes, cls="ls-steps")


def sparkline(values: Sequence[float], top: float) -> Html:
    """The course of a value, oldest left; empty under two values."""
    if len(values) < 2:
        return element("div", cls="ls-spark")
    across = [round(100.0 * n / (len(values) - 1), 2) for n in range(len(values))]
    down = [round(100.0 - percent(value, top), 2) for value in values]
    there = [f"{x}% calc({y}% * .88)" for x, y in zip(across, down, strict=True)]
    back = [f"{x}% calc({y}% * .88 + 2px)" for x, y in zip(across, down, strict=True)]
    shape = f"clip-path:polygon({','.join(there + back[::-1])})"
    return element("div", element("i", style=shape), cls="ls-spark")


def pareto(counts: Sequence[tuple[str, int]], most: int = 6) -> Html:
    """Bars, longest first; what does not fit is one bar "other"."""
    ordered = sorted(counts, key=lambda entry: (-entry[1], entry[0]))
    if len(ordered) > most:
        rest = sum(number for _, number in ordered[most - 1 :])
        ordered = [*ordered[: most - 1], (tr("other"), rest)]
    top = max((number for _, number in ordered), default=0)
    rows = [_bar(name, number, percent(number, top)) for name, number in ordered]
    return element("div", *rows, cls="ls-pareto")


def _bar(name: str, number: int, width: float) -> Html:
    bar = element("i", element("u", style=f"width:{width}%"))
    return element("div", element("span", name), bar, element("b", number))
