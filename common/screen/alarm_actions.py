"""One alarm in full, and what a person may do with it beside acknowledging.

The forms stand outside of what is redrawn, so that no refresh takes a word away. Which of
them appear follows the state that the alarm had when it was chosen; the station decides.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from common.screen import session
from common.screen.alarm_list import Layout, alarm_html, clock_text, order, stale_of
from common.screen.alarms import HIDDEN, Alarm
from common.screen.freshness import span_text
from common.screen.language import mark, tr
from common.screen.listening import port_of
from common.screen.markup import Html, element
from common.screen.plant import Plant

PANEL = Layout("pa", 0, stations=True)
CHOSEN, RENEWED, DRAWN = "ls-chosen", "ls-chosen-form", "ls-chosen-drawn"
TIMES = {
    900.0: mark("15 minutes"),
    3600.0: mark("1 hour"),
    14_400.0: mark("4 hours"),
    28_800.0: mark("8 hours"),
}
"""How long an alarm may be shelved; each alarm has its own limit."""
MOST_LETTERS = 500


def choose(alarm: Alarm) -> None:
    """Show this alarm and its forms."""
    st.session_state[CHOSEN] = alarm.key
    _renew()


def chosen(plant: Plant) -> Alarm | None:
    """The alarm that was chosen, as it is now; None when it is normal again."""
    key = st.session_state.get(CHOSEN)
    return next((a for a in (*plant.alarms, *plant.hidden) if a.key == key), None)


def begin(plant: Plant) -> Alarm | None:
    """The alarm that `draw` will draw forms for; before anything that calls `follow`."""
    alarm = chosen(plant)
    st.session_state[DRAWN] = forms_for(alarm)
    return alarm


def draw(alarm: Alarm | None) -> None:
    """The forms for the chosen alarm."""
    shelved, out, listed = st.container(), st.container(), st.container()
    if alarm is None or alarm.state == "SUPPRESSED_BY_DESIGN":
        return
    if alarm.state == "SHELVED":
        label = tr("Unshelve · operator")
        shelved.button(label, key="ls-unshelve", on_click=_order, args=("unshelve", alarm))
    elif alarm.state == "OUT_OF_SERVICE":
        with out:
            _return_form(alarm)
    else:
        with listed:
            _forms(alarm)


def forms_for(alarm: Alarm | None) -> str:
    """Names the forms that an alarm has: they are drawn anew only when this changes."""
    if alarm is None:
        return ""
    hidden = alarm.state if alarm.state in HIDDEN else ""
    return f"{alarm.station}/{alarm.id}/{hidden}"


def follow(plant: Plant) -> None:
    """Have the forms drawn anew where the chosen alarm now has others."""
    if forms_for(chosen(plant)) != st.session_state.get(DRAWN, ""):
        st.rerun()


def chosen_html(plant: Plant) -> Html:
    """The chosen alarm in full, or how to choose one."""
    alarm = chosen(plant)
    if alarm is None:
        text = tr("Press “More” beside an alarm: its cause, shelving, taking out of service.")
        return element("div", text, cls="ls-empty-list")
    stale = stale_of(plant.freshness, alarm)
    return element("div", alarm_html(alarm, stale=stale, layout=PANEL), facts_html(alarm))


def _forms(alarm: Alarm) -> None:
    """One beside the other: each is short, and none is below the edge of the panel."""
    tabs = st.tabs([tr("Acknowledge"), tr("Shelve"), tr("Out of service")])
    with tabs[0]:
        _comment_form(alarm)
    with tabs[1]:
        _shelve_form(alarm)
    with tabs[2]:
        _remove_form(alarm)


def facts_html(alarm: Alarm) -> Html:
    """What the list has no room for."""
    facts = [
        (tr("Probable cause"), tr(alarm.cause)),
        (tr("Time to respond"), span_text(alarm.respond_s) if alarm.respond_s else ""),
        (tr("Since"), clock_text(alarm.since)),
        (tr("Name in the settings"), alarm.id),
    ]
    rows = (
        element("div", element("span", name), element("b", value))
        for name, value in facts
        if value
    )
    return element("div", *rows, cls="ls-facts-list")


def _key(name: str) -> str:
    return f"ls-{name}-{st.session_state.get(RENEWED, 0)}"


def _renew() -> None:
    """Empty the fields by taking others: a browser keeps what a focused one holds."""
    st.session_state[RENEWED] = st.session_state.get(RENEWED, 0) + 1


@contextmanager
def _line(name: str) -> Iterator[None]:
    """A form whose fields and button stand in one line."""
    with (
        st.form(_key(name), border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        yield


def _comment_form(alarm: Alarm) -> None:
    with _line("ack-form"):
        st.text_input(tr("Comment"), key=_key("comment"), max_chars=MOST_LETTERS)
        st.form_submit_button(
            tr("Acknowledge · operator"), on_click=_acknowledge, args=(alarm,)
        )


def _acknowledge(alarm: Alarm) -> None:
    comment = st.session_state[_key("comment")].strip()
    _order("acknowledge", alarm, **({"comment": comment} if comment else {}))


def _shelve_form(alarm: Alarm) -> None:
    times = [seconds for seconds in TIMES if seconds <= alarm.shelve_max_s]
    refused, allowed = st.container(), st.container()
    if not times:
        refused.caption(tr("This alarm must not be shelved."))
        return
    with allowed, _line("shelve-form"):
        st.selectbox(
                tr("Shelve for"), times, width=130, key=_key("seconds"),
                format_func=lambda s: tr(TIMES[s]),
            )  # fmt: skip
        st.text_input(tr("Reason"), key=_key("reason"), max_chars=MOST_LETTERS)
        st.form_submit_button(tr("Shelve · operator"), on_click=_shelve, args=(alarm,))
        st.checkbox(tr("only until normal"), key=_key("one-shot"))


def _shelve(alarm: Alarm) -> None:
    state = st.session_state
    _order(
        "shelve", alarm, seconds=state[_key("seconds")], reason=state[_key("reason")],
        one_shot=state[_key("one-shot")],
    )  # fmt: skip


def _remove_form(alarm: Alarm) -> None:
    with _line("remove-form"):
        st.text_input(tr("Work permit"), key=_key("permit"), max_chars=100, width=130)
        st.text_input(tr("Reason"), key=_key("why-out"), max_chars=MOST_LETTERS)
        st.form_submit_button(tr("Out of service · engineer"), on_click=_remove, args=(alarm,))


def _remove(alarm: Alarm) -> None:
    state = st.session_state
    permit, reason = state[_key("permit")], state[_key("why-out")]
    _order("remove_from_service", alarm, permit=permit, reason=reason)


def _return_form(alarm: Alarm) -> None:
    with _line("return-form"):
        st.text_input(tr("What was done"), key=_key("done"), max_chars=MOST_LETTERS)
        st.form_submit_button(
            tr("Return to service · engineer"), on_click=_return, args=(alarm,)
        )


def _return(alarm: Alarm) -> None:
    _order("return_to_service", alarm, reason=st.session_state[_key("done")])


def _order(name: str, alarm: Alarm, **more: object) -> None:
    if order(name, alarm, **more):
        _renew()


def order_several(name: str, alarms: Iterable[Alarm]) -> None:
    """Command several alarms, each as it was looked at, with one command per station."""
    by_station: dict[str, dict[str, int | None]] = {}
    for alarm in alarms:
        by_station.setdefault(alarm.station, {})[alarm.id] = alarm.revision
    for station, seen in by_station.items():
        session.command(station, port_of(station), name, {"alarms": seen})
