"""The reliability engineer's page: reads the station's file, sends commands, no more.

The table and the alarms live, and so does what is known of the chosen machine. Which machine
that is, and what a person types (`screen_commands`), stands outside of both, so that no
refresh takes a word away. The page touches no device; the station checks who may do what.
"""

import base64
from pathlib import Path

import streamlit as st

from apps.predictive_maintenance import screen_commands, screen_detail, screen_spectrum
from apps.predictive_maintenance.screen_history import (
    FIGURES,
    History,
    read_history,
    read_spectra,
    trend,
)
from apps.predictive_maintenance.screen_report import TRENDS, VerdictTally
from apps.predictive_maintenance.screen_spectrum import Spectrum, cursors_of, points_of
from apps.predictive_maintenance.screen_table import (
    VERDICTS,
    by_urgency,
    rank_of,
    table,
    word_of,
)
from common import plot
from common.screen.alarm_list import Layout, clock_text, draw_alarms, headline_html
from common.screen.alarms import alarms_of
from common.screen.app_screen import AppScreen, model_of
from common.screen.background import background
from common.screen.bar import draw_bar
from common.screen.courses import image
from common.screen.document import MISSING, Document, count
from common.screen.freshness import Freshness
from common.screen.language import add_words, mark, tr
from common.screen.listening import Heard, hear
from common.screen.markup import EMPTY, Html, element
from common.screen.overview import nothing_yet
from common.screen.page import begin, is_dark, live, live_every
from common.screen.plant import draw_corner, look_around
from common.screen.station_file import FILE, StationUnreadable, var_folder
from common.screen.station_page import stations_of
from common.screen.tiles import notice

APP = "predictive_maintenance"
STYLE = Path(__file__).with_name("screen.css")
MACHINE, FIGURE = "pm-machine", "pm-figure"
"""Keys of what is chosen in the session's state."""
ALARMS, ALARMS_PX = 6, 190
"""Alarms listed here, and the place that they have; all are on their own page."""
DETAIL_S = 2.0
HISTORY_S = 5.0
"""A machine's course is read again after so long."""
SAFETY = mark("Condition monitoring advises; it protects no machine and no person.")

add_words(Path(__file__).with_name("words"))


def page() -> None:
    """The whole page, for the station chosen in the address or the first there is."""
    st.html(f"<style>{STYLE.read_text('utf-8')}</style>")
    names = [one.name for one in stations_of(look_around(var_folder()), APP)]
    top = st.container()
    name = draw_bar(names, screen_commands.draw if names else None)
    with top:
        if not names:
            wait_for_station()
            return
        path = var_folder() / name / FILE
        _plant(path)
        _choice(path)
        _machine(path)


@live
def wait_for_station() -> None:
    """Look again until there is a station."""
    plant = look_around(var_folder())
    draw_corner(plant)
    st.html(nothing_yet())
    if stations_of(plant, APP):
        st.rerun()


# ------------------------------------------------------------------------- all machines


@live
def _plant(path: Path) -> None:
    """The state of the plant, its machines and its alarms, from one reading."""
    draw_corner(look_around(var_folder()))
    heard = hear(path)
    st.html(head(heard) if heard.word else _silent(heard))
    left, right = st.columns([0.72, 0.28], gap="small")
    machines, freshness = heard.word.documents("machines"), heard.freshness
    left.html(table(machines, freshness, chosen(machines).text("asset")))
    with right:
        alarms = alarms_of(heard.word, heard.name)
        st.html(headline_html(alarms, freshness.tag))
        with st.container(height=ALARMS_PX, border=False):
            draw_alarms(alarms, Layout("pm", ALARMS), stale=freshness.stale)


def _silent(heard: Heard) -> Html:
    return notice(tr("No data") if heard.reading is None else tr("No data yet"), heard.trouble)


def head(heard: Heard) -> Html:
    """The worst verdict for eyes across the room, then what the station is doing."""
    word, counts = heard.word, heard.word.at("counts")
    judged = [one for one in word.documents("machines") if one.flag("judged")]
    facts = (
        (tr("Machines"), count(counts.whole("machines"))),
        (tr("Judged now"), count(len(judged))),
        (tr("Open orders"), count(counts.whole("open_orders"))),
        (tr("Data age"), heard.freshness.text),
        (tr("Model"), model_of(word) or tr("none")),
        (tr("Time"), simulated(word)),
    )
    told = (
        element("div", element("span", name), element("b", said), cls="ls-fact", title=said)
        for name, said in facts
        if said
    )
    stale = " ls-stale" if heard.freshness.stale else ""
    return element(
        "div", _worst(heard), element("div", *told, cls=f"ls-facts{stale}"), cls="ls-head"
    )


def _worst(heard: Heard) -> Html:
    if heard.freshness.stale:
        return element("div", heard.freshness.sentence.upper(), cls="ls-state ls-abnormal")
    said = state(heard.word)
    bad = worst_rank(heard.word) >= VERDICTS["plan"][0] or not heard.word.flag("healthy")
    return element("div", said, cls=f"ls-state {'ls-abnormal' if bad else 'ls-halts'}")


def worst_rank(word: Document) -> int:
    """Of all machines; -1 where none was judged."""
    return max((rank_of(one) for one in word.documents("machines")), default=-1)


def simulated(word: Document) -> str:
    """How fast simulated time runs, and where it stands; empty beside real machines."""
    found = word.at("simulation")
    speed = found.number("speed_up")
    if speed is None:
        return ""
    times = [at for m in word.documents("machines") if (at := m.number("taken")) is not None]
    now = f", {clock_text(max(times))}" if times else ""
    return tr("simulated, {n} × as fast", n=count(speed)) + now


# -------------------------------------------------------------------------- one machine


def chosen(machines: tuple[Document, ...]) -> Document:
    """The machine that a person chose; else the most urgent one."""
    wanted = st.session_state.get(MACHINE) or ""
    found = [one for one in machines if one.text("asset") == wanted]
    return (found or [*by_urgency(machines), Document()])[0]


def _choice(path: Path) -> None:
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
def _machine(path: Path) -> None:
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


def held(part: Html, freshness: Freshness) -> Html:
    """A part of a page; hatched and with its age when the station is silent."""
    age = element("div", freshness.tag, cls="ls-age") if freshness.stale else EMPTY
    return element("div", part, age, cls="pm-held ls-stale" if freshness.stale else "pm-held")


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
            tr("Spectrum, m/s², axis {axis} · {at}", axis=axis, at=at),
            points_of(spectra.at("spectrum")), cursors_of(spectra, shaft=True),
            logarithmic=True, empty=none,
        ),
        Spectrum(
            tr("Envelope, dB over background · {at}", at=at),
            points_of(spectra.at("envelope")), cursors_of(spectra, shaft=False), empty=none,
        ),
    )  # fmt: skip


def spectrum_image(one: Spectrum) -> Html:
    """A spectrum as an <img>, as trends are."""
    colours = plot.DARK if is_dark() else plot.LIGHT
    data = base64.b64encode(screen_spectrum.svg(one, colours).encode()).decode()
    said = ", ".join(f"{cursor.name} {cursor.hz:.1f} Hz" for cursor in one.cursors)
    return element(
        "img", src=f"data:image/svg+xml;base64,{data}", alt=f"{one.title}: {said}",
        cls="ls-plot", width=one.width, height=one.height,
    )  # fmt: skip


def foot(word: Document) -> Html:
    """What this is not; then software and model, word for word."""
    model = word.at("model")
    said = (word.text("station"), word.text("software"), model_of(word), model.text("reason"))
    about = " · ".join(filter(None, said))
    return element("div", element("span", tr(SAFETY)), element("span", about), cls="ls-foot")


# ------------------------------------------------------------------------ for the others


def state(word: Document) -> str:
    """The worst verdict and how many machines have it; then whether the station works."""
    machines = word.documents("machines")
    rank = worst_rank(word)
    worst = [one for one in machines if rank_of(one) == rank]
    said = [f"{word_of(worst[0])} × {len(worst)}"] if worst else [tr("no machines")]
    if word.flag("healthy") is not True:
        said.append(tr("NOT WORKING"))
    return ", ".join(said)


def subject(word: Document) -> str:
    """The most urgent machine, where there is something to say of it."""
    first = by_urgency(word.documents("machines"))[:1]
    return next((one.text("name") for one in first if rank_of(one) > 0), "")


SCREEN = AppScreen(
    app=APP,
    title=mark("Predictive maintenance"),
    page=page,
    state=state,
    subject=subject,
    trends=TRENDS,
    kind="verdict",
    tally=VerdictTally,
)

if __name__ == "__main__":
    begin("Predictive maintenance")
    page()
