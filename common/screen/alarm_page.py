"""The alarms of the whole plant: the list, what is hidden, the one chosen, and the history.

What is shelved, suppressed or out of service always stands beside the list: an alarm that
nobody hears must not be one that nobody sees.
"""

import streamlit as st

from common.screen import alarm_actions, alarm_filter, alarm_history, notifications
from common.screen.alarm_filter import Filter
from common.screen.alarm_list import (
    BUTTON_PX,
    Layout,
    alarm_html,
    clock_text,
    draw_action,
    headline_html,
    row,
    stale_of,
)  # fmt: skip
from common.screen.alarms import HIDDEN, WAITING, WORDS, Alarm, title_of
from common.screen.bar import draw_bar
from common.screen.language import tr
from common.screen.listening import Heard
from common.screen.markup import Html, element
from common.screen.overview import nothing_yet
from common.screen.page import live, live_every
from common.screen.plant import Plant, draw_corner, look_around
from common.screen.station_file import var_folder

WIDE = Layout("al", 0, wide=True, stations=True)
ROWS = 10
"""Rows of one page of the list: what fits on a panel."""
PAGE = "ls-alarms-page"
HIDDEN_PX = 240
HISTORY_S = 5.0


def alarm_page() -> None:
    """The whole page."""
    plant = look_around(var_folder())
    wanted = alarm_filter.draw(plant)
    listed, past = st.container(), st.container()
    if wanted.history or wanted.told:
        with past:
            _corner()
            _past(wanted)
    else:
        with listed:
            _list_and_forms(plant, wanted)
    draw_bar()


def _list_and_forms(plant: Plant, wanted: Filter) -> None:
    alarm = alarm_actions.begin(plant)
    left, right = st.columns([0.66, 0.34], gap="small")
    with left:
        _list(wanted)
    with right:
        _beside()
        alarm_actions.draw(alarm)


@live
def _list(wanted: Filter) -> None:
    plant = look_around(var_folder())
    draw_corner(plant)
    alarms = tuple(alarm for alarm in plant.alarms if wanted.takes(alarm))
    first = _turn_pages(alarms)
    burden = burden_text(plant)
    st.html(element("div", burden, cls="ls-burden") if burden else element("div"))
    with st.container(gap="small"):
        for alarm in alarms[first : first + ROWS]:
            _row(alarm, stale=stale_of(plant.freshness, alarm))
    st.html(element("div") if alarms else nothing_html(plant))


def nothing_html(plant: Plant) -> Html:
    """Why the list is empty."""
    if not plant.heard:
        return nothing_yet()
    text = tr("No alarm is as the filter asks.") if plant.alarms else tr("No alarm.")
    return element("div", text, cls="ls-empty-list")


def _turn_pages(alarms: tuple[Alarm, ...]) -> int:
    """The headline with the buttons for all rows and other pages; gives the first row."""
    pages = max(1, -(-len(alarms) // ROWS))
    shown = min(int(st.session_state.get(PAGE, 0)), pages - 1)
    rows = alarms[shown * ROWS : (shown + 1) * ROWS]
    waits = [alarm for alarm in rows if alarm.state in WAITING]
    with st.container(
        horizontal=True, vertical_alignment="center", key="ls-pager", gap="small"
    ):
        st.html(headline_html(alarms))
        st.button(
            tr("Acknowledge all shown ({n}) · operator", n=len(waits)), disabled=not waits,
            key="ls-all", on_click=acknowledge_all, args=(waits,),
        )  # fmt: skip
        _turner("◀", tr("Page before"), "Left", shown - 1, pages)
        text = tr("Page {n} of {all}", n=shown + 1, all=pages)
        st.html(element("div", text, cls="ls-pages"), width="content")
        _turner("▶", tr("Next page"), "Right", shown + 1, pages)
    return shown * ROWS


def _turner(sign: str, name: str, shortcut: str, to: int, pages: int) -> None:
    st.button(
        sign, key=f"ls-turn-{shortcut}", help=name, shortcut=shortcut, on_click=_turn,
        args=(to,), disabled=not 0 <= to < pages,
    )  # fmt: skip


def _turn(to: int) -> None:
    st.session_state[PAGE] = max(0, to)


def _row(alarm: Alarm, *, stale: bool) -> None:
    key = f"al-{alarm.name}"
    with row(key):
        st.html(alarm_html(alarm, stale=stale, layout=WIDE))
        draw_action(alarm, key, BUTTON_PX)
        _more(alarm, key)


def _more(alarm: Alarm, key: str) -> None:
    """The way to everything else: cause, shelving, service."""
    if st.button(
        tr("More"), key=f"{key}-more", on_click=alarm_actions.choose, args=(alarm,), width=70
    ):
        st.rerun()


def acknowledge_all(alarms: list[Alarm]) -> None:
    """Acknowledge several alarms, one command per station."""
    alarm_actions.order_several("acknowledge", alarms)


def burden_text(plant: Plant) -> str:
    """What is more than an operator can follow: floods, chattering and stale alarms.

    And that nobody else will be told, for then all depends on who stands here.
    """
    said = []
    for one in plant.heard:
        if trouble := notifications.trouble_text(one):
            said.append(trouble)
        burden = one.word.at("alarm_burden")
        since = burden.number("flood_since")
        if since is not None:
            many = burden.whole("flood_count") or 0
            text = tr("ALARM FLOOD at {station} since {time}: {n}",
                      station=one.name, time=clock_text(since), n=many)  # fmt: skip
            said.append(text)
        if chatter := _titles(one, "chattering"):
            said.append(
                tr("chattering at {station}: {alarms}", station=one.name, alarms=chatter)
            )
        if stale := _titles(one, "stale"):
            text = tr("standing for over a day at {station}: {alarms}",
                      station=one.name, alarms=stale)  # fmt: skip
            said.append(text)
    return " · ".join(said)


def _titles(heard: Heard, burden: str) -> str:
    named = heard.word.at("alarm_burden").texts(burden)
    return ", ".join(title_of(heard.word, alarm_id) for alarm_id in named)


@live
def _beside() -> None:
    plant = look_around(var_folder())
    with st.container(height=HIDDEN_PX, border=False, key="ls-hidden"):
        for how in HIDDEN:
            these = [alarm for alarm in plant.hidden if alarm.state == how]
            st.html(element("div", f"{tr(WORDS[how])}: {len(these)}", cls="ls-hidden-title"))
            with st.container(gap="small"):
                for alarm in these:
                    _hidden_row(alarm)
    told = notifications.told_html(plant, alarm_actions.chosen(plant))
    st.html(element("div", alarm_actions.chosen_html(plant), told))
    alarm_actions.follow(plant)


def _hidden_row(alarm: Alarm) -> None:
    key = f"hi-{alarm.name}"
    with row(key):
        st.html(hidden_html(alarm))
        _more(alarm, key)


def hidden_html(alarm: Alarm) -> Html:
    """One alarm that is not annunciated: why, by whom, until when."""
    said = [element("b", f"{alarm.station}: {alarm.title}")]
    for hiding in alarm.hidings[-1:]:
        until = tr("until {time}", time=clock_text(hiding.until)) if hiding.until else ""
        permit = tr("permit {permit}", permit=hiding.permit) if hiding.permit else ""
        facts = filter(None, (tr("by {name}", name=hiding.by), until, permit, hiding.reason))
        said.append(element("div", ", ".join(facts), cls="ls-note"))
    sign = element("b", "S" if alarm.state == "SHELVED" else "–", cls="ls-s")
    return element("div", sign, element("div", *said), cls="ls-hidden-row")


@live
def _corner() -> None:
    draw_corner(look_around(var_folder()))


@live_every(HISTORY_S)
def _past(wanted: Filter) -> None:
    (notifications if wanted.told else alarm_history).draw(wanted)
