"""The ward's nouns for a reader: signs, flags, reasons, events. Keys of the catalogues."""

from apps.patient_monitoring.screen_bed import SHORT
from common.screen.document import Document, measure
from common.screen.language import mark, tr

SIGNS = {
    "HR": (mark("Heart rate"), "/min", 0),
    "PULSE": (mark("Pulse of the oximeter"), "/min", 0),
    "SPO2": (mark("Oxygen saturation"), "%", 0),
    "RR": (mark("Respiration"), "/min", 0),
    "SBP": (mark("Systolic pressure"), "mmHg", 0),
    "DBP": (mark("Diastolic pressure"), "mmHg", 0),
    "MAP": (mark("Mean pressure"), "mmHg", 0),
    "TEMP": (mark("Temperature"), "°C", 1),
    "PI": (mark("Perfusion index"), "%", 1),
    "MOTION": (mark("Movement"), "mg", 0),
}
"""Name, unit, digits."""
OXYGEN = (mark("air"), mark("oxygen"))
ACVPU = (
    mark("A · alert"), mark("C · new confusion"), mark("V · to voice"), mark("P · to pain"),
    mark("U · unresponsive"),
)  # fmt: skip
OBSERVE = (
    mark("every 12 h"), mark("every 4–6 h"), mark("every hour"), mark("continuously"),
)  # fmt: skip
"""How often the chart asks to observe, as protocol.py words it."""
REFUSALS = (mark("NEWS2 is not for children under 16"), mark("NEWS2 is not for pregnancy"))
FLAGS = {
    "SENSOR_OFF": mark("probe off"),
    "LEAD_OFF": mark("electrode off"),
    "LOW_SIGNAL": mark("weak signal"),
    "IMPLAUSIBLE": mark("not plausible"),
    "JUMP": mark("jumped: not yet believed"),
    "MOTION": mark("patient moves"),
    "WITHDRAWN": mark("taken back by its source"),
    "DISAGREE": mark("heart rate and pulse differ"),
    "OFFLINE": mark("device silent"),
    "STALE": mark("too old"),
}
REASONS = {
    "now": mark("{sign} {value}"),
    "mean_6h": mark("{sign} {value} over 6 h"),
    "mean_24h": mark("{sign} {value} over the day"),
    "spread_6h": mark("{sign} varies by ±{value} over 6 h"),
    "spread_24h": mark("{sign} varies by ±{value} over the day"),
    "lowest_24h": mark("{sign} was down to {value} within the day"),
    "highest_24h": mark("{sign} was up to {value} within the day"),
}
ABOVE, BELOW = (
    mark("{sign} {value} above the hours before"),
    mark("{sign} {value} below the hours before"),
)
KINDS = {
    "risk": mark("NEWS2 {score}: {risk}"),
    "worse": mark("worse: NEWS2 {score}, {risk}"),
    "extreme": mark("extreme: {what}"),
    "technical": mark("monitoring: {what}"),
    "advice_model": mark("advice of the model: {what}"),
    "advice_anomaly": mark("unlike the patient's own normal: {what}"),
}
RISKS = {
    "ROUTINE": mark("routine"), "LOW": mark("low risk"),
    "LOW_MEDIUM": mark("low to medium risk"), "MEDIUM": mark("medium risk: urgent"),
    "HIGH": mark("high risk: emergency"),
}  # fmt: skip
EXTREMES = {
    "DESATURATION": mark("SpO2 extremely low"),
    "BRADYCARDIA": mark("heart rate extremely low"),
    "TACHYCARDIA": mark("heart rate extremely high"),
    "APNOEA": mark("no breath"),
}
EXTREME_TEXTS = {text: text for text in EXTREMES.values()}
"""As protocol.py words them; they are keys themselves."""
TECHNICAL_TEXTS = {text: text for text in FLAGS.values()}
MOVES = {
    "admit": mark("admitted to bed {bed}"),
    "discharge": mark("discharged from bed {bed}"),
    "transfer": mark("now in bed {bed}"),
    "swap": mark("now in bed {bed}"),
    "update": mark("orders or age changed"),
}


def reason_text(feature: str, value: float | None) -> str:
    """One contribution of the model in words; empty for a feature that has none here."""
    if feature == "oxygen" and value is not None:
        return tr("on oxygen") if value else tr("on air")
    sign, _, kind = feature.partition("_")
    if value is None or sign.upper() not in SIGNS:
        return ""
    title, unit, digits = SIGNS[sign.upper()]
    digits = digits if kind in ("now", "mean_6h", "mean_24h") or "est" in kind else 1
    shape = REASONS.get(kind, (ABOVE if value > 0 else BELOW) if kind == "change" else "")
    said = measure(abs(value), unit, digits)
    return tr(shape, sign=tr(title), value=said) if shape else ""


def event_text(kind: str, body: Document) -> str:
    """A record in one line; empty for one that tells a reader nothing."""
    if kind == "alert":
        return _alert(body)
    if kind == "move":
        words = MOVES.get(body.text("action"), mark("something changed in bed {bed}"))
        return _by(tr(words, bed=body.text("bed")), body)
    if kind == "entry":
        return _by(tr("observed: {what}", what=_entered(body)), body)
    return ""


def _by(text: str, body: Document) -> str:
    by = body.text("by").partition("/")[0] or body.text("user")
    return f"{text} ({by})" if by else text


def _alert(body: Document) -> str:
    kind, score = body.text("kind"), body.at("score")
    shape = KINDS.get(kind, "")
    least = score.whole("at_least") or 0
    number = str(least) if score.flag("complete") else f"≥\u202f{least}"
    risk = tr(RISKS.get(body.text("risk"), ""))
    names = (
        [
            *(tr(EXTREMES.get(name, name)) for name in body.texts("extreme")),
        ]
        if kind == "extreme"
        else [tr(FLAGS.get(name, name)) for name in body.texts("technical")]
    )
    if kind.startswith("advice"):
        names = [tr("begins") if body.whole("now") else tr("ends")]
    what = ", ".join(names) or tr("over")
    return tr(shape, score=number, risk=risk, what=what) if shape else kind


def _entered(body: Document) -> str:
    values = body.at("values")
    return ", ".join(_sign(name, values) for name in values.names())


def _sign(name: str, values: Document) -> str:
    """A sign by its short name, with its unit; a word as it was chosen."""
    _, unit, digits = SIGNS.get(name, ("", "", 0))
    said = tr(values.text(name)) or measure(values.number(name), unit, digits)
    return f"{SHORT.get(name, name)} {said}"
