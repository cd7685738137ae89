"""One patient: the score and what it is made of, all signs, the second line, what happened.

Every number stands beside its age. What is not scored says why. The model and the anomaly
are a second line, named so: they advise, the score decides.
"""

from collections.abc import Iterable, Sequence

from apps.patient_monitoring.screen_bed import PARAMETERS, Bed, due_text, minutes, timer_text
from apps.patient_monitoring.screen_tiles import chips, hatched, said, score_html
from apps.patient_monitoring.screen_words import (
    ACVPU,
    EXTREME_TEXTS,
    FLAGS,
    OXYGEN,
    RISKS,
    SIGNS,
    TECHNICAL_TEXTS,
    event_text,
    reason_text,
)
from common.screen.alarm_list import clock_text
from common.screen.document import MISSING, Document, count, measure, share
from common.screen.language import decimal, tr
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import priority_mark
from common.screen.station_file import Row

EVENTS = 12
SIGN_OF = {
    "RESPIRATION": "RR", "SPO2": "SPO2", "OXYGEN": "OXYGEN", "SYSTOLIC": "SBP",
    "PULSE": "HR", "CONSCIOUSNESS": "ACVPU", "TEMPERATURE": "TEMP",
}  # fmt: skip


def head_html(bed: Bed) -> Html:
    """Who, the score, what the chart asks for, and until when."""
    sign = priority_mark(bed.priority) if bed.priority else EMPTY
    who = [bed.word.text("initials"), _age(bed), _orders(bed), bed.patient]
    due, late = due_text(bed)
    risk = tr(RISKS.get(bed.word.text("risk"), "")) or MISSING
    invalid = bed.word.number("invalid_since")
    no_total = tr("no complete score since {time}", time=clock_text(invalid)) if invalid else ""
    facts = (
        _fact(tr("Patient"), " · ".join(filter(None, who))),
        _fact(tr("Chart: {risk}", risk=risk), tr(bed.word.text("observe")) or MISSING),
        _fact(tr("Next observation"), due, late=late),
        _fact(tr("Alarm"), timer_text(bed) or tr("none")),
    )
    ways = f" ls-alarmed ls-p{bed.priority}" if bed.priority else ""
    title = element("b", tr("Bed {bed}", bed=bed.name), cls="ls-name")
    return element(
        "div",
        element("div", title, element("div", sign)),
        element(
            "div",
            score_html(bed),
            element("div", *chips(bed), cls="wd-chips"),
            element("div", no_total, cls="wd-line"),
            cls="wd-what",
        ),
        *facts,
        cls=hatched(f"wd-patient{ways}", bed.freshness),
    )


def _age(bed: Bed) -> str:
    years = bed.word.number("age")
    return tr("{n} years", n=count(years)) if years is not None else tr("age not known")


def _orders(bed: Bed) -> str:
    said_ = [tr("SpO₂ scale 2 ordered")] if bed.word.flag("scale2") else []
    return ", ".join([*said_, *([tr("pregnant")] if bed.word.flag("pregnant") else [])])


def _fact(name: str, value: str, *, late: bool = False) -> Html:
    cls = "ls-fact ls-grow wd-late" if late else "ls-fact ls-grow"
    return element("div", element("span", name), element("b", value), cls=cls, title=value)


def parameters_html(bed: Bed) -> Html:
    """NEWS2's seven parameters: value, age, points, and what is wrong."""
    parts = bed.score.at("parts")
    heads = (tr("NEWS2"), tr("Value"), tr("Age"), tr("Points"), tr("Quality"))
    rows = [_parameter(bed, name, parts) for name in PARAMETERS]
    return _table(bed, heads, rows)


def _parameter(bed: Bed, name: str, parts: Document) -> list[object]:
    sign = SIGN_OF[name]
    word = bed.word.at("signs").at(sign)
    if name == "PULSE" and word.number("value") is None:  # no ECG: the oximeter's rate
        sign, word = "PULSE", bed.word.at("signs").at("PULSE")
    points = parts.number(name)
    cls = "wd-points wd-red" if points == 3 else "wd-points"
    worth = element("span", "?" if points is None else count(points), cls=cls)
    missing = tr("missing: not scored") if points is None and not bed.refusal else ""
    why = ", ".join(filter(None, [missing, *flags(word)]))
    return [tr(PARAMETERS[name][1]), value_text(sign, word), age(bed, word), worth, why]


def signs_html(bed: Bed) -> Html:
    """Everything else that is measured."""
    scored = set(SIGN_OF.values())
    rows = [
        [tr(title), value_text(name, word), age(bed, word), ", ".join(flags(word))]
        for name, (title, _, _) in SIGNS.items()
        if name not in scored and (word := bed.word.at("signs").at(name))
    ]
    heads = (tr("Not scored"), tr("Value"), tr("Age"), tr("Quality"))
    return _table(bed, heads, rows) if rows else element("div")


def value_text(name: str, word: Document) -> str:
    """A sign's value with its unit; "–" where there is none."""
    value = word.number("value")
    if value is None:
        return MISSING
    if name == "OXYGEN":
        return tr(OXYGEN[int(value > 0)])
    if name == "ACVPU":
        return tr(ACVPU[int(value)]) if 0 <= value < len(ACVPU) else MISSING
    _, unit, digits = SIGNS[name]
    return measure(value, unit, digits)


def age(bed: Bed, word: Document) -> str:
    """How old a value is by now."""
    seconds = bed.aged(word.number("age_s"))
    return MISSING if seconds is None else minutes(seconds)


def flags(word: Document) -> list[str]:
    """What is wrong with a sign."""
    return [tr(FLAGS.get(name, name)) for name in word.texts("flags")]


def _table(bed: Bed, heads: Iterable[str], rows: Iterable[Sequence[object]]) -> Html:
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    cls = hatched("wd-table", bed.freshness)
    return element("table", element("thead", head), element("tbody", *body), cls=cls)


def _box(bed: Bed, *rows: Html) -> Html:
    return element("div", *rows, cls=hatched("wd-box", bed.freshness))


def wrong_html(bed: Bed) -> Html:
    """What is extreme, and what is wrong with the monitoring."""
    extreme = said(bed.word.texts("extreme"), EXTREME_TEXTS)
    wrong = said(bed.word.texts("technical"), TECHNICAL_TEXTS)
    rows = [element("div", element("b", text)) for text in extreme]
    rows += [element("div", tr("Technical"), ": ", text) for text in wrong]
    return _box(bed, *rows) if rows else element("div")


def second_line_html(bed: Bed) -> Html:
    """The model's risk with its reasons, and the distance from the patient's own normal."""
    risk, distance = bed.word.number("model_risk"), bed.word.number("anomaly")
    told = tr("Advice beside the score; it calls nobody")
    shown = share(risk) if risk is not None else tr("not enough is known")
    above = tr(", ABOVE its limit") if bed.word.flag("advised_model") else ""
    rows = [element("div", tr("Risk of sepsis in the next hours: {risk}", risk=shown), above)]
    rows += [element("div", f"× {decimal(factor, 1)}  {text}")
             for text, factor in map(_reason, bed.word.documents("reasons"))]  # fmt: skip
    odd = tr(", UNUSUAL") if bed.word.flag("advised_anomaly") else ""
    own = tr("The patient's own normal is not known yet")
    if distance is not None:
        far = decimal(distance, 1)
        own = tr("From the patient's own normal: {n} standard deviations", n=far)
    rows.append(element("div", own, odd))
    return _box(bed, element("b", told), *rows)


def _reason(word: Document) -> tuple[str, float]:
    text = reason_text(word.text("feature"), word.number("value")) or word.text("text")
    return text, word.number("factor") or 1.0


def events_html(bed: Bed, rows: Sequence[Row] | str) -> Html:
    """What became of this patient, the newest first; in its place why that is not known."""
    told = [rows] if isinstance(rows, str) else _events(bed, rows) or [tr("nothing yet")]
    return _box(bed, element("b", tr("Events")), *(element("div", line) for line in told))


def _events(bed: Bed, rows: Sequence[Row]) -> list[str]:
    """Alarms' reasons, entries, moves."""
    mine = [row for row in rows if _concerns(row.body, bed)][-EVENTS:]
    return [
        f"{clock_text(row.record.wall_time)}  {text}"
        for row in reversed(mine)
        if (text := event_text(row.record.kind, row.body))
    ]


def _concerns(body: Document, bed: Bed) -> bool:
    """Of this patient, wherever they lay; of nobody else who lay in this bed."""
    return bool(bed.patient) and body.text("patient") == bed.patient
