"""What an alarm of a bed says in detail, made anew from what it is about. Pure."""

from apps.patient_monitoring.domain import Risk
from apps.patient_monitoring.protocol import CHART
from apps.patient_monitoring.screen_bed import PARAMETERS
from apps.patient_monitoring.screen_words import EXTREMES, FLAGS
from common.screen.document import Document
from common.screen.language import mark, tr

CHART_TEXTS = (
    mark("NEWS2: 3 in a single parameter"), mark("NEWS2 5–6: urgent response"),
    mark("NEWS2 7 or more: emergency response"),
    mark("Inform the medical team, who review and decide."),
    mark("Inform the medical team at once; urgent assessment within an hour by a clinician "
         "competent in acutely ill patients; care where monitoring is possible."),
    mark("Inform the medical team at once, registrar at least; emergency assessment within "
         "30 minutes with critical-care and airway skills; consider a higher level of care."),
)  # fmt: skip
"""As protocol.py words them."""
ADVICE = {
    "model": mark("the model's risk is high"),
    "anomaly": mark("unlike the patient's usual state"),
}


def detail(alarm: Document) -> str:
    """The detail in the reader's language; empty for what is no bed's or is not known."""
    about = alarm.at("about")
    what = about.texts("what")
    said = {
        "risk": _risk(about),
        "extreme": _names(what, EXTREMES),
        "technical": _names(what, FLAGS),
        "advice": _names(what, ADVICE),
    }
    return said.get(about.text("kind"), "") if about.text("bed") else ""


def _names(what: tuple[str, ...], words: dict[str, str]) -> str:
    known = [tr(words[one]) for one in what if one in words]
    return ", ".join(known) if len(known) == len(what) else ""


def _risk(about: Document) -> str:
    name, parts = about.text("risk"), about.at("parts")
    if name not in Risk.__members__:
        return ""
    chart, least = CHART[Risk[name]], about.whole("news2") or 0
    score = str(least) if about.flag("complete") else tr("at least {n}", n=least)
    named = ", ".join(
        f"{tr(PARAMETERS[one][1])} {parts.whole(one)}"
        for one in parts.names()
        if one in PARAMETERS
    )
    now = tr("Now {score}.", score=f"{score} ({named})" if named else score)
    return f"{tr(chart.text)}. {now} {tr(chart.response)}"
