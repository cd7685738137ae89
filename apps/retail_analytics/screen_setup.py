"""The engineer's page: lines, zones, masks and the floor, drawn over a coarse mosaic.

A click in the picture adds a point to what is chosen; the same points stand in fields, so
that numbers and a keyboard alone are enough. What would be refused is said while it is
drawn. The mosaic is asked of the station, which audits it, and lives in this session's
memory for ten minutes; nothing of it is written anywhere.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from apps.retail_analytics import screen_fields, screen_picture
from apps.retail_analytics.screen_draft import (
    Draft,
    command_of,
    draft_of,
    masked_share,
    wrong_with,
)
from common.screen import page, session
from common.screen.commands import Answer
from common.screen.courses import corner
from common.screen.document import Document, share
from common.screen.language import tr
from common.screen.listening import hear, port_of
from common.screen.markup import Html, element
from common.screen.page import live_every
from common.screen.tiles import notice

ENGINEER = "engineer"
COLOURS = "rt-colours"
"""Key of the last mosaic in the session's memory: whose it is, its colours, and when."""
CAMERA, TAKEN = "rt-camera", "rt-taken"
"""Keys of the chosen camera, and of when the last click was that was taken (ms of the page)."""
KEPT_S, LOOK_S = 600.0, 20.0
Held = tuple[tuple[str, str], screen_picture.Colours, float]
CLICKED = """
export default function({data, parentElement, setTriggerValue}) {
  const place = parentElement.querySelector(".picture");
  place.innerHTML = data.svg;
  place.waiting = (place.waiting ?? []).filter(([at]) => at > data.taken);
  place.onclick = event => {
    const here = new DOMPoint(event.clientX, event.clientY);
    const svg = place.querySelector("svg");
    const {x, y} = here.matrixTransform(svg.getScreenCTM().inverse());
    place.waiting.push([performance.now(), Math.round(x), Math.round(y)]);
    setTriggerValue("spots", place.waiting);
  };
}
"""
"""Of two messages that wait, Streamlit keeps the newer one: each says all clicks not yet taken.

A click is listened to beside the drawing: one may be drawn anew between press and release.
"""
PICTURE = st.components.v2.component(
    "lineside_retail_picture",
    html='<div class="picture"></div>',
    css=".picture svg { display: block; width: 100%; height: auto; max-height: 540px;"
    " cursor: crosshair; }",
    js=CLICKED,
)


def draw(path: Path) -> None:
    """The whole view, for the station whose file is at `path`."""
    corner()
    station, word = path.parent.name, hear(path).word
    cameras = {one.text("name"): one for one in word.at("setup").documents("cameras")}
    who = session.signed_in()
    if who is None or who.role_at(station) != ENGINEER:
        st.session_state.pop(COLOURS, None)
        st.html(
            notice(tr("For engineers"), tr("Sign in below as an engineer of this station."))
        )
        return
    if not cameras:
        st.html(notice(tr("No data yet"), tr("This station names no camera.")))
        return
    with st.container(key="rt-draw"):
        left, right = st.columns([0.56, 0.44], gap="small")
    with right:
        name = st.selectbox(tr("Camera"), list(cameras), key=CAMERA)
        _ask(station, name)
    key = screen_fields.Key(station, name)
    draft = screen_fields.draft(key, draft_of(cameras[name], _version(word)))
    with left:
        _let_go()
        _picture(key, draft)
        st.html(verdict_html(draft, word))
    with right:
        screen_fields.draw(key, draft)
        _apply(key, draft, draft_of(cameras[name], _version(word)))


def _version(word: Document) -> int | None:
    return word.at("setup").whole("version")


# ---------------------------------------------------------------------------- the mosaic


def _ask(station: str, camera: str) -> None:
    with st.form("rt-ask", border=False), st.container(
        horizontal=True, vertical_alignment="bottom", gap="small"
    ):  # fmt: skip
        st.text_input(tr("Why is the picture looked at? It is audited."), key="rt-ask-why",
                      max_chars=500)  # fmt: skip
        st.form_submit_button(tr("Show the mosaic"), on_click=_asked, args=(station, camera))


def _asked(station: str, camera: str) -> None:
    said = {"camera": camera, "reason": st.session_state["rt-ask-why"]}
    answer = session.ask(station, port_of(station), "setup.mosaic", said)
    cells = answer.get("cells") if isinstance(answer, dict) else None
    found = screen_picture.colours_of(cells)
    if found:
        held: Held = ((station, camera), found, time.monotonic())
        st.session_state[COLOURS] = held
        session.say(Answer(True, tr("The mosaic of {camera} is shown.", camera=camera)))
    elif answer is not None:
        session.say(Answer(False, tr("The station gave no mosaic; it is of another version.")))


def forget() -> None:
    """Drop the mosaic: whoever leaves the page, or signs out, takes it with them."""
    st.session_state.pop(COLOURS, None)


def _colours(key: screen_fields.Key) -> screen_picture.Colours:
    """The mosaic of this camera while it is held; empty where there is none."""
    held: Held | None = st.session_state.get(COLOURS)
    if held is None or _is_old(held):
        forget()
        return ()
    return held[1] if held[0] == (key.station, key.camera) else ()


def _is_old(held: Held) -> bool:
    return time.monotonic() - held[2] > KEPT_S


@live_every(LOOK_S)
def _let_go() -> None:
    """Where nobody touches the page for long, the mosaic goes all the same."""
    st.html(element("div"))
    held: Held | None = st.session_state.get(COLOURS)
    if held is not None and _is_old(held):
        forget()
        st.rerun()


def _picture(key: screen_fields.Key, draft: Draft) -> None:
    picture = screen_picture.svg(draft, _colours(key), screen_fields.chosen(key, draft))
    name = key.name("picture")
    data = {"svg": picture, "taken": st.session_state.get(TAKEN, 0.0)}
    PICTURE(key=name, data=data, on_spots_change=partial(_clicked, key, name))


def _clicked(key: screen_fields.Key, name: str) -> None:
    spots = Document({"spots": st.session_state[name].get("spots")}).rows("spots")
    for at, *spot in spots:
        if len(spot) == 2 and at > st.session_state.get(TAKEN, 0.0):
            st.session_state[TAKEN] = at
            screen_fields.add_point(key, (spot[0], spot[1]))


# ------------------------------------------------------------------------- whether, apply


def verdict_html(draft: Draft, word: Document) -> Html:
    """What the station would say to the drawing, and what the masks cover."""
    wrong = _wrong_with(draft)
    said = tr("Not yet: {why}", why=wrong) if wrong else tr("This drawing can be applied.")
    lines = [element("div", said, cls="rt-wrong" if wrong else "rt-right", role="status")]
    covered = tr("Masks cover {share} of the picture.", share=share(masked_share(draft)))
    lines.append(element("div", covered, cls="ls-note"))
    now = _version(word)
    if now is not None and draft.version is not None and now > draft.version:
        by = word.at("setup").text("by")
        text = tr(
            "{name} has changed the set-up meanwhile: begin anew from what is in force.",
            name=by,
        )
        lines.append(element("div", text, cls="rt-wrong"))
    return element("div", *lines, cls="rt-verdict")


def _wrong_with(draft: Draft) -> str:
    return screen_fields.trouble() or wrong_with(draft)


def _apply(key: screen_fields.Key, draft: Draft, in_force: Draft) -> None:
    with st.form("rt-apply", border=False), st.container(
        horizontal=True, vertical_alignment="bottom", gap="small"
    ):  # fmt: skip
        st.text_input(tr("Why is it changed?"), key="rt-apply-why", max_chars=500)
        st.form_submit_button(
            tr("Apply · engineer"), disabled=bool(_wrong_with(draft)),
            on_click=_applied, args=(key,),
        )  # fmt: skip
    st.button(
        tr("Back to what is in force"), key="rt-back", on_click=screen_fields.put,
        args=(key, in_force),
    )  # fmt: skip


def _applied(key: screen_fields.Key) -> None:
    page.speak()
    draft = screen_fields.drawn(key)
    if wrong := _wrong_with(draft):  # typed just before
        session.say(Answer(False, tr("Not yet: {why}", why=wrong)))
        return
    said = command_of(draft, st.session_state["rt-apply-why"])
    answer: Any = session.ask(key.station, port_of(key.station), "setup.apply", said)
    if answer is None:
        return
    found = Document(answer)
    session.say(Answer(True, tr("Done: {what}.", what=found.text("text") or "setup.apply")))
    screen_fields.put(key, screen_fields.in_version(draft, found.whole("version")))
    st.session_state["rt-apply-why"] = ""
