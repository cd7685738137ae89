"""Who lies where, and what a clinician ordered: the forms of a patient's stay."""

import streamlit as st

from apps.patient_monitoring.screen_fields import WHY, bed_field, send, who
from common.screen.forms import key, value
from common.screen.language import tr


def draw(station: str) -> None:
    """All forms, a tab each."""
    scale, in_, out, to = st.tabs([tr("Orders"), tr("Admit"), tr("Discharge"), tr("Move")])
    with scale, st.form("ls-scale-form", border=False):
        bed_field("ls-scale-bed")
        st.toggle(tr("SpO₂ scale 2 (88–92 %)"), key=key("ls-scale"))
        st.text_input(tr("Ordered by"), key=key("ls-clinician"), max_chars=60)
        st.text_input(tr(WHY), key=key("ls-scale-why"), max_chars=500)
        st.caption(tr("Only for hypercapnic failure, by a clinician's order; it is audited."))
        st.form_submit_button(tr("Order"), on_click=_ordered, args=(station,))
    with in_, st.form("ls-in-form", border=False):
        bed_field("ls-in-bed", empty=True)
        st.text_input(tr("Number of the patient"), key=key("ls-mrn"), max_chars=40)
        st.text_input(tr("Initials"), key=key("ls-initials"), max_chars=3)
        st.number_input(tr("Age"), 0, 130, value=None, key=key("ls-age"))
        st.form_submit_button(tr("Admit"), on_click=_admitted, args=(station,))
    with out, st.form("ls-out-form", border=False):
        bed_field("ls-out-bed")
        st.text_input(tr(WHY), key=key("ls-out-why"), max_chars=500)
        st.form_submit_button(tr("Discharge"), on_click=_discharged, args=(station,))
    with to, st.form("ls-move-form", border=False):
        bed_field("ls-move-bed")
        bed_field("ls-move-to", empty=True)
        st.text_input(tr(WHY), key=key("ls-move-why"), max_chars=500)
        st.form_submit_button(tr("Move"), on_click=_moved, args=(station,))


def _ordered(station: str) -> None:
    more = {
        "on": bool(value("ls-scale")), "clinician": value("ls-clinician"),
        "reason": value("ls-scale-why"),
    }  # fmt: skip
    send(station, "order_scale2", who("ls-scale-bed") | more, "ls-clinician", "ls-scale-why")


def _admitted(station: str) -> None:
    age = value("ls-age")
    person = {"mrn": value("ls-mrn"), "initials": value("ls-initials")}
    known = {} if age is None else {"age": age}
    bed = {"bed": value("ls-in-bed") or ""}
    send(station, "admit", bed | person | known, "ls-mrn", "ls-initials", "ls-age")


def _discharged(station: str) -> None:
    reason = {"reason": value("ls-out-why")}
    send(station, "discharge", who("ls-out-bed") | reason, "ls-out-why")


def _moved(station: str) -> None:
    seen = who("ls-move-bed")
    more = {"from_bed": seen["bed"], "to_bed": value("ls-move-to") or ""}
    arguments = {"patient": seen["patient"], "reason": value("ls-move-why"), **more}
    send(station, "transfer", arguments, "ls-move-why")
