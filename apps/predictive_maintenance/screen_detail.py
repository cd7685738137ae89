"""What is known of one machine: why it was judged so, its orders, its own normal. Pure."""

from collections.abc import Sequence

from apps.predictive_maintenance.screen_history import iso_seconds
from apps.predictive_maintenance.screen_table import VERDICTS, sign, state_text, word_of
from common.screen.alarm_list import clock_text
from common.screen.document import MISSING, Document, count, measure
from common.screen.language import decimal, heard, mark, tr
from common.screen.markup import Html, element

KINDS = {
    "velocity": mark("Velocity"), "acceleration": mark("Acceleration"),
    "temperature": mark("Temperature"), "bearing": mark("Bearing"),
    "impulses": mark("Shocks"), "signature": mark("Spectrum"),
    "sequence": mark("Network's advice"), "agreement": mark("Two signs agree"),
}  # fmt: skip
UNITS = {"raw kurtosis": mark("raw kurtosis"), "× normal": mark("× normal")}
CHANGES = 3
Orders = Sequence[Document]


def headline(machine: Document) -> Html:
    """The machine in a line: name, verdict, what it does, how it was measured."""
    temperature = machine.number("temperature_c")
    said = [
        tr("zone {z} of {edition}", z=machine.text("zone"),
           edition=machine.at("velocity").text("edition")) if machine.text("zone") else "",
        state_text(machine),
        measure(temperature, "°C") if temperature is not None else "",
        tr("measured {time}", time=clock_text(machine.number("taken"))),
        tr("not judged: {why}", why=heard(machine.text("not_judged")))
        if machine.text("not_judged") else heard(machine.text("note")),
    ]  # fmt: skip
    name = element("b", machine.text("name"))
    told = element("span", " · ".join(filter(None, said)))
    return element("div", name, element("span", word_of(machine)), told, cls="pm-headline")


def evidence(machine: Document) -> Html:
    """Every reason for the verdict, then which bands have changed and when it gets worse."""
    criticality = machine.whole("criticality")
    found = [_reason(one, criticality) for one in machine.documents("evidence")]
    if not found:
        found = [element("div", _no_reason(machine))]
    parts = [*found, *_changes(machine), *_lines(machine), _outlook(machine.at("outlook"))]
    return _box(tr("Why"), *parts, key="evidence")


def _no_reason(machine: Document) -> str:
    """What it means that nothing speaks for a verdict."""
    if machine.text("verdict") not in VERDICTS:
        return tr("Nothing is known yet.")
    why = heard(machine.text("not_compared"))
    return tr("Not compared: {why}.", why=why) if why else tr("Nothing speaks against running.")


def _reason(one: Document, criticality: int | None) -> Html:
    kind = one.text("kind")
    said = element("b", tr(KINDS.get(kind, kind)))
    words = element("div", said, " ", beside_limit(one), title=one.text("sentence"))
    return element("div", sign(one.text("verdict"), criticality), words, cls="pm-reason")


def beside_limit(one: Document) -> str:
    """A figure and the limit that it is over."""
    value, limit = one.number("value"), one.number("limit")
    if one.text("kind") == "agreement" or value is None or limit is None:
        return tr("the spectrum has changed and impacts are there")
    said = "> 1000" if value > 1000 else decimal(value, 2)
    unit = one.text("unit")
    return f"{said} {tr(UNITS.get(unit, unit))}, " + tr("limit {n}", n=decimal(limit, 2))


def _changes(machine: Document) -> list[Html]:
    return [
        element("div", tr(
            "{low} to {high} Hz, axis {axis}: {db} dB", axis=(one.whole("axis") or 0) + 1,
            low=count(one.number("low_hz")), high=count(one.number("high_hz")),
            db=signed(one.number("db")),
        ), cls="ls-note")
        for one in machine.documents("changes")[:CHANGES]
    ]  # fmt: skip


def _lines(machine: Document) -> list[Html]:
    """The strongest of the bearing's fault frequencies."""
    said = ", ".join(_line(one) for one in machine.documents("lines")[:CHANGES])
    return [element("div", tr("Envelope: {lines}", lines=said), cls="ls-note")] if said else []


def _line(one: Document) -> str:
    hz = decimal(one.number("hz") or 0.0, 1)
    return f"{one.text('fault')} {hz} Hz {signed(one.number('db'))} dB"


def signed(value: float | None) -> str:
    """A number with its sign, one decimal."""
    if value is None:
        return MISSING
    return f"{'+' if value >= 0 else '−'}{decimal(abs(value), 1)}"


def _outlook(outlook: Document) -> Html:
    """When the next limit is reached, with its interval; or that there is no trend."""
    best = outlook.number("hours")
    if best is None:
        return element("div", tr("No trend towards a limit."), cls="ls-note")
    low, high = outlook.number("hours_low"), outlook.number("hours_high")
    said = tr(
        "{kind} reaches {limit} in {best} ({low} to {high})",
        kind=tr(KINDS.get(outlook.text("kind"), outlook.text("kind"))),
        limit=decimal(outlook.number("limit") or 0.0, 2), best=hours_text(best),
        low=hours_text(low), high=hours_text(high) if high is not None else tr("never"),
    )  # fmt: skip
    return element("div", said)


def hours_text(hours: float | None) -> str:
    """Hours below three days, days above."""
    if hours is None:
        return MISSING
    return measure(hours, "h") if hours < 72 else measure(hours / 24, "d")


def orders(found: Orders, machine: Document) -> Html:
    """The machine's open work orders."""
    ours = [one for one in found if one.text("equipment_id") == machine.text("asset")]
    shown = [_order(one) for one in ours] or [element("div", tr("No open work order."))]
    return _box(tr("Work orders"), *shown, key="orders")


def _order(one: Document) -> Html:
    due = clock_text(iso_seconds(one.text("required_end")))
    facts = tr(
        "priority {n}, due {due}, {many} pieces of evidence, revision {revision}",
        n=one.whole("priority") or MISSING, due=due, many=len(one.documents("evidence")),
        revision=count(one.number("revision")),
    )  # fmt: skip
    return element(
        "div",
        element("b", one.text("short_text")),
        element("div", facts, cls="ls-note"),
        element("div", one.text("recommended_action"), cls="ls-note"),
        cls="pm-order-box",
    )


def baseline(machine: Document) -> Html:
    """What the machine's own normal was learned from."""
    found = machine.at("baseline")
    learned, proposal = found.at("learned"), found.at("proposal")
    parts = []
    if proposal:
        parts.append(element("b", tr("Learned, waits to be accepted:")))
        parts += learned_lines(proposal)
    if learned:
        parts.append(element("b", tr("Version {n} is in use", n=learned.whole("version"))))
        parts += learned_lines(learned)
    if not parts:
        have = tr(
            "{n} of {needed} steady records", n=count(found.number("rows")),
            needed=count(found.number("rows_needed")),
        )  # fmt: skip
        parts = [element("div", tr("None yet: {have}.", have=have))]
    return _box(tr("Its own normal"), *parts, key="baseline")


def learned_lines(one: Document) -> list[Html]:
    """What a baseline has learned, and the reasons to refuse it."""
    first, last = clock_text(one.number("first")), clock_text(one.number("last"))
    lines = [
        tr("{n} records from {first} to {last}", n=count(one.number("windows")),
           first=first, last=last),
        *(
            tr("{state}: {v} mm/s, {a} m/s²", state=heard(state.text("state")),
               v=decimal(state.number("velocity_mm_s") or 0.0, 2),
               a=decimal(state.number("acceleration_m_s2") or 0.0, 2))
            for state in one.documents("states")
        ),
    ]  # fmt: skip
    notes = [tr("Refused: {why}", why=note) for note in one.texts("notes")]
    return [
        *(element("div", line, cls="ls-note") for line in lines),
        *(element("div", note, cls="pm-refused") for note in notes),
    ]


def _box(title: str, *parts: Html, key: str) -> Html:
    head = element("div", element("span", title), cls="ls-title")
    return element("div", head, *parts, cls="ls-tile pm-box", data_key=key)
