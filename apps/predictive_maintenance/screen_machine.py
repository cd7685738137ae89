"""One machine on the maintenance page: why, its orders, its own normal, its pictures.

Which machine it is, is chosen outside of what lives; until somebody chooses it is the most
urgent one.
"""

import base64
from pathlib import Path

import streamlit as st

from apps.predictive_maintenance import screen_detail, screen_spectrum
from apps.predictive_maintenance.screen_history import (
    FIGURES,
    History,
    read_history,
    read_spectra,
    trend,
)
from apps.predictive_maintenance.screen_spectrum import Spectrum, cursors_of, points_of
from apps.predictive_maintenance.screen_table import by_urgency
from common import plot
from common.screen.alarm_list import clock_text
from common.screen.app_screen import model_of
from common.screen.background import background
from common.screen.courses import image
from common.screen.document import MISSING, Document, count
from common.screen.language import mark, tr
from common.screen.listening import hear
from common.screen.markup import Html, element
from common.screen.page import is_dark, live_every
from common.screen.station_file import StationUnreadable
from common.screen.tiles import held, notice

MACHINE, FIGURE = "pm-machine", "pm-figure"
"""Keys of what is chosen in the session's state."""
DETAIL_S = 2.0
HISTORY_S = 5.0
"""A machine's course is read again after so long."""
SAFETY = mark("Condition monitoring advises; it protects no machine and no person.")


def chosen(machines: tuple[Document, ...]) -> Document:
    """The machine that a person chose; else the most urgent one."""
    wanted = st.session_state.get(MACHINE) or ""
    found = [one for one in machines if one.text("asset") == wanted]
    return (found or [*by_urgency(machines), Document()])[0]


def draw_choice(path: Path) -> None:
    """Which machine, and what its trend is of."""
    machines = by_urgency(hear(path).word.documents("machines"))
    names = {"": tr("the most urgent")}
    names |= {one.text("asset"): one.text("name") for one in machines}
    if MACHINE not in st.session_state:
        wanted = st.query_params.get("machine", "")
        st.session_state[MACHINE] = wanted if wanted in names else ""
    if st.session_state[MACHINE] not in names:
        st.session_state[MACHINE] = ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.selectbox(
            tr("Machine"), list(names), key=MACHINE, label_visibility="collapsed", width=240,
            format_func=lambda asset: names.get(asset, asset),
        )  # fmt: skip
        st.segmented_control(
            tr("Trend of"), list(FIGURES), default="velocity_mm_s", key=FIGURE, required=True,
            format_func=lambda key: tr(FIGURES[key][0]), label_visibility="collapsed",
        )  # fmt: skip


@live_every(DETAIL_S)
def draw_machine(path: Path) -> None:
    """All that is known of the chosen machine; each part apart, for pictures flicker."""
    heard = hear(path)
    machine = chosen(heard.word.documents("machines"))
    known = bool(machine.text("asset"))
    figure = st.session_state.get(FIGURE) or "velocity_mm_s"
    freshness = heard.freshness
    headline = screen_detail.headline(machine) if known else element("div")
    st.html(held(headline, freshness))
    boxes = (
        screen_detail.evidence(machine),
        screen_detail.orders(heard.word.documents("orders"), machine),
        screen_detail.baseline(machine),
    )
    drawn = plots(path, machine, figure) if known else (element("div"),) * len(boxes)
    places = st.columns(len(boxes), gap="small")
    for place, picture, box in zip(places, drawn, boxes, strict=True):
        place.html(held(picture, freshness))
        place.html(held(box, freshness) if known else element("div"))
    st.html(foot(heard.word))


def plots(path: Path, machine: Document, figure: str) -> tuple[Html, Html, Html]:
    """Trend with the changes of verdict, spectrum and envelope with cursors."""
    asset = machine.text("asset")
    try:
        spectra = read_spectra(path, asset)
        history = background.get(
            (path, asset), lambda: read_history(path, asset), max_age_s=HISTORY_S
        )
    except StationUnreadable as error:
        return notice(tr("No data"), str(error)), element("div"), element("div")
    reading = element("div", tr("The records are being read …"), cls="ls-empty-list")
    course = reading if history is None else course_image(history, machine, figure)
    spectrum, envelope = views(spectra)
    return course, spectrum_image(spectrum), spectrum_image(envelope)


def course_image(history: History, machine: Document, figure: str) -> Html:
    """The trend of one figure."""
    return image(trend(history, machine, figure))


def views(spectra: Document) -> tuple[Spectrum, Spectrum]:
    """The spectrum and the envelope of the last stored record."""
    speed = spectra.number("rpm")
    taken = clock_text(spectra.number("taken")) if spectra else MISSING
    at = f"{count(speed)} r/min, {taken}" if speed is not None else taken
    axis = spectra.whole("axis") or MISSING
    none = tr("no spectrum yet")
    return (
        Spectrum(
            tr("Spectrum, m/s², axis {axis}", axis=axis),
            points_of(spectra.at("spectrum")), cursors_of(spectra, shaft=True),
            logarithmic=True, empty=none, at=at,
        ),
        Spectrum(
            tr("Envelope, dB over background"), points_of(spectra.at("envelope")),
            cursors_of(spectra, shaft=False), empty=none, at=at,
        ),
    )  # fmt: skip


def spectrum_image(one: Spectrum) -> Html:
    """A spectrum as an <img>, as trends are."""
    colours = plot.DARK if is_dark() else plot.LIGHT
    data = base64.b64encode(screen_spectrum.svg(one, colours).encode()).decode()
    said = ", ".join(f"{cursor.name} {cursor.hz:.1f} Hz" for cursor in one.cursors)
    return element(
        "img", src=f"data:image/svg+xml;base64,{data}", alt=f"{one.title}, {one.at}: {said}",
        cls="ls-plot", width=one.width, height=one.height,
    )  # fmt: skip


def foot(word: Document) -> Html:
    """What this is not; then software and model, word for word."""
    model = word.at("model")
    said = (word.text("station"), word.text("software"), model_of(word), model.text("reason"))
    about = " · ".join(filter(None, said))
    return element("div", element("span", tr(SAFETY)), element("span", about), cls="ls-foot")
