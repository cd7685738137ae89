"""The fields of the set-up page: what is chosen of a drawing, and its points as numbers.

The drawing lives in the session; every field writes into it as soon as it is left, and is
made anew when something else has changed what it shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from apps.retail_analytics.domain import Point
from apps.retail_analytics.screen_draft import (
    FLOOR,
    KINDS,
    LINE,
    MASK,
    ZONE,
    Draft,
    Shape,
    as_text,
    from_text,
)
from common.screen import page
from common.screen.language import mark, tr
from common.screen.markup import element

DRAFTS, TROUBLE, TURN = "rt-drafts", "rt-trouble", "rt-turn"
"""Keys in the session's state: drawings, what is no number, how often fields were remade."""
Points = tuple[Point, ...]
NEW = {LINE: mark("New line"), ZONE: mark("New zone"), MASK: mark("New mask")}


@dataclass(frozen=True, slots=True)
class Key:
    """Whose drawing it is."""

    station: str
    camera: str

    def name(self, field: str) -> str:
        """The present key of a field of this drawing."""
        turn = st.session_state.get(TURN, 0) if field not in ("picture", "shape") else ""
        return f"rt-{field}-{self.station}-{self.camera}-{turn}"


def draft(key: Key, in_force: Draft) -> Draft:
    """The drawing as it stands here; at first that which is in force."""
    drafts: dict[Key, Draft] = st.session_state.setdefault(DRAFTS, {})
    if key not in drafts:
        drafts[key] = in_force
    return drafts[key]


def drawn(key: Key) -> Draft:
    """The drawing as it stands now: a button's own is as old as the page it was drawn on."""
    found: Draft = st.session_state[DRAFTS][key]
    return found


def put(key: Key, changed: Draft) -> None:
    """Take a drawing, and make the fields anew."""
    st.session_state.setdefault(DRAFTS, {})[key] = changed
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1
    st.session_state.pop(TROUBLE, None)


def in_version(changed: Draft, version: int | None) -> Draft:
    """A drawing that is in force by now, in this version."""
    return replace(changed, version=version)


def trouble() -> str:
    """What in a field is no number; empty where all is."""
    return str(st.session_state.get(TROUBLE, ""))


def chosen(key: Key, some: Draft) -> int:
    """The place of the chosen shape."""
    at = st.session_state.get(key.name("shape"), 0)
    return at if isinstance(at, int) and 0 <= at < len(some.shapes) else 0


def label(shape: Shape) -> str:
    """A shape in the list of all."""
    return (
        tr("Floor: known points")
        if shape.kind == FLOOR
        else f"{tr(KINDS[shape.kind])}: {shape.name or '?'}"
    )


# ------------------------------------------------------------------------------- drawing


def draw(key: Key, some: Draft) -> None:
    """The list of shapes, the buttons, and the fields of the chosen one."""
    names = [label(shape) for shape in some.shapes]
    st.session_state[key.name("shape")] = chosen(key, some)
    st.selectbox(
        tr("What is drawn"), list(range(len(names))), key=key.name("shape"),
        format_func=lambda at: names[at] if at < len(names) else "",
    )  # fmt: skip
    at = chosen(key, some)
    with st.container(horizontal=True, gap="small", key="rt-buttons"):
        for kind, name in NEW.items():
            st.button(tr(name), key=f"rt-new-{kind}", on_click=_new, args=(key, kind))
        st.button(
            tr("Take the last point back"), key="rt-undo", on_click=_reshape, args=(key, _undo)
        )
        if some.shapes[at].kind == LINE:
            st.button(
                tr("Turn in and out round"), key="rt-turn-round",
                on_click=_reshape, args=(key, _turned),
            )  # fmt: skip
        if some.shapes[at].kind != FLOOR:
            st.button(tr("Remove it"), key="rt-remove", on_click=_removed, args=(key,))
    _fields(key, some, at)


def _fields(key: Key, some: Draft, at: int) -> None:
    shape, told = some.shapes[at], _told(key, at)
    if shape.kind != FLOOR:
        st.text_input(tr("Name"), shape.name, key=key.name(f"name{at}"), max_chars=40, **told)
    if shape.kind == LINE:
        st.checkbox(tr("It is a door: it counts for who is inside"), shape.door,
                    key=key.name(f"door{at}"), **told)  # fmt: skip
    if shape.kind == ZONE:
        _queue(key, some, at)
    left, right = st.columns(2, gap="small")
    left.text_area(tr("Points in px, one “x, y” per row"), as_text(shape.points),
                   key=key.name(f"points{at}"), height=110, **told)  # fmt: skip
    if shape.kind == FLOOR:
        right.text_area(tr("The same points in metres"), as_text(shape.floor_m),
                        key=key.name(f"floor{at}"), height=110, **told)  # fmt: skip
    right.html(element("div", _hint(shape.kind), cls="rt-hint"))


def _told(key: Key, at: int) -> dict[str, Any]:
    """What every field of a shape does when it is left."""
    return {"on_change": _edited, "args": (key, at, st.session_state.get(TURN, 0))}


def _queue(key: Key, some: Draft, at: int) -> None:
    shape, told = some.shapes[at], _told(key, at)
    others = ["", *(s.name for n, s in enumerate(some.shapes) if s.kind == ZONE and n != at)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.checkbox(tr("It is a queue"), shape.queue, key=key.name(f"queue{at}"), **told)
        st.selectbox(
            tr("Zone of its till"), others, key=key.name(f"till{at}"),
            index=others.index(shape.till) if shape.till in others else 0,
            format_func=lambda name: name or tr("none"), **told,
        )  # fmt: skip


def _hint(kind: str) -> str:
    return {
        "line": tr("Two points. The arrow shows the way that counts as “in”."),
        "zone": tr("Three corners or more, in their order."),
        "mask": tr("Three corners or more. What it covers is never looked at."),
        "floor": tr("Four points or more, measured on the floor; the white grid is metres."),
    }[kind]


# -------------------------------------------------------------------------------- changes


def add_point(key: Key, spot: Point) -> None:
    """A click in the picture: one more point of what is chosen, inside of the picture."""
    some = drawn(key)
    x = min(max(spot[0], 0.0), float(some.width))
    y = min(max(spot[1], 0.0), float(some.height))

    def added(points: Points, kind: str) -> Points:
        return (*(() if kind == LINE and len(points) >= 2 else points), (x, y))

    _reshape(key, added)


def _undo(points: Points, _: str) -> Points:
    return points[:-1]


def _turned(points: Points, _: str) -> Points:
    return points[::-1]


def _reshape(key: Key, change: Callable[[Points, str], Points]) -> None:
    """Other points for what is chosen, by those that it has and its kind."""
    some = drawn(key)
    at = chosen(key, some)
    shape = some.shapes[at]
    put(key, some.with_shape(at, replace(shape, points=change(shape.points, shape.kind))))


def _removed(key: Key) -> None:
    some = drawn(key)
    at = chosen(key, some)
    put(key, replace(some, shapes=some.shapes[:at] + some.shapes[at + 1 :]))


def _new(key: Key, kind: str) -> None:
    page.speak()
    some = drawn(key)
    taken = {shape.name for shape in some.of(kind)}
    free = next(n for n in range(1, len(taken) + 2) if f"{kind} {n}" not in taken)
    put(key, replace(some, shapes=(*some.shapes, Shape(kind, f"{kind} {free}"))))
    st.session_state[key.name("shape")] = len(some.shapes)


def _edited(key: Key, at: int, turn: int) -> None:
    """Take what stands in the fields into the drawing, or say what is no number."""
    state, some = st.session_state, drawn(key)
    if turn != state.get(TURN, 0):
        return  # a button was pressed before: these fields are gone
    page.speak()
    shape = some.shapes[at]
    try:
        found = from_text(state.get(key.name(f"points{at}"), ""))
        floor = from_text(state.get(key.name(f"floor{at}"), ""))
    except ValueError as error:
        state[TROUBLE] = str(error)
        return
    state.pop(TROUBLE, None)
    state[DRAFTS][key] = some.with_shape(
        at,
        replace(
            shape, points=found, floor_m=floor,
            name=str(state.get(key.name(f"name{at}"), shape.name)).strip(),
            door=bool(state.get(key.name(f"door{at}"), shape.door)),
            queue=bool(state.get(key.name(f"queue{at}"), shape.queue)),
            till=str(state.get(key.name(f"till{at}"), shape.till) or ""),
        ),
    )  # fmt: skip
