"""Fields that several forms of a ward's page share: which bed, and who was seen in it.

The beds are listed as they were when a form was opened, each with its pseudonym: if another
patient lies there by the time it is sent, the station refuses it.
"""

from typing import Any

import streamlit as st

from common.screen import forms, page, session
from common.screen.commands import Answer
from common.screen.forms import key, renew, value
from common.screen.language import mark, tr
from common.screen.listening import hear
from common.screen.station_file import FILE, var_folder

BED = "ls-bed"
"""Key of the chosen bed in the session's state."""
LISTED = "ls-ward-beds"
WHY = mark("Reason")
CHOICES = (
    "ls-enter-bed", "ls-alarm", "ls-pause-bed", "ls-scale-bed", "ls-in-bed", "ls-out-bed",
    "ls-move-bed", "ls-move-to",
)  # fmt: skip
"""Fields that offer what was listed: chosen anew each time."""


def chosen_bed() -> str:
    """The bed whose page is open; empty for the whole ward."""
    return str(st.session_state.get(BED) or "")


def list_beds(station: str) -> None:
    """When it is opened: who lies where."""
    page.speak()
    word = hear(var_folder() / station / FILE).word
    st.session_state[LISTED] = {
        bed.text("bed"): {
            "patient": bed.text("patient"), "initials": bed.text("initials"),
            "alarms": [one.text("id") for one in bed.documents("alarms")],
        }
        for bed in word.documents("beds")
    }  # fmt: skip
    for name in CHOICES:
        renew(name)


def listed() -> dict[str, dict[str, Any]]:
    """Bed → patient, initials and alarms, as they were when the form was opened."""
    found: dict[str, dict[str, Any]] = st.session_state.get(LISTED, {})
    return found


def bed_field(name: str, *, empty: bool = False) -> None:
    """The beds in which somebody lies, or nobody."""
    names = [bed for bed, of in listed().items() if bool(of["patient"]) is not empty]
    texts = {bed: bed_text(bed) for bed in names}
    choice(tr("Bed"), name, texts, {bed: bed for bed in names})


def choice(label: str, name: str, texts: dict[str, str], beds: dict[str, str]) -> None:
    """One of `texts`; none is chosen yet, unless it is of the bed whose page is open."""
    first = [one for one, bed in beds.items() if bed == chosen_bed()][:1]
    st.selectbox(
        label, [*first, *(one for one in texts if one not in first)], key=key(name),
        index=0 if first else None, placeholder=tr("choose"),
        format_func=lambda one: texts.get(one, one),
    )  # fmt: skip


def send(station: str, name: str, arguments: dict[str, Any], *fields: str) -> None:
    """Send a command, unless it needs a bed or an alarm and nobody chose one."""
    if "" in [arguments.get(key) for key in ("bed", "from_bed", "to_bed", "alarm_id")]:
        page.speak()
        text = tr("Nothing was sent: choose a bed or an alarm first.")
        session.say(Answer(False, text))
    else:
        forms.send(station, name, arguments, *fields)


def bed_text(bed: str) -> str:
    """A bed and who was seen in it."""
    of = listed().get(bed, {})
    said = " · ".join(filter(None, (of.get("initials", ""), of.get("patient", "")[:8])))
    return f"{tr('Bed {bed}', bed=bed)}  {said}".strip()


def who(name: str) -> dict[str, str]:
    """The bed of a field, and whom the person saw in it."""
    bed = str(value(name) or "")
    return {"bed": bed, "patient": seen(bed)}


def seen(bed: str) -> str:
    """The pseudonym that was listed in a bed; empty for none."""
    return str(listed().get(bed, {}).get("patient", ""))
