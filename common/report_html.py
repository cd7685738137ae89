"""A shift on paper: one HTML file with everything in it, made to be printed or kept.

It has no script and fetches nothing. What came from outside is escaped where it is put in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common import plot
from common.alarms.kpi import Kpi, Kpis, Verdict
from common.plot import Mark, Plot
from common.records import Record
from common.reports import Report, Span, most_frequent
from common.screen.alarm_details import detail_text, title_text
from common.screen.alarms import WORDS
from common.screen.app_screen import AppScreen, Said
from common.screen.document import MISSING, Document, count, share
from common.screen.language import current, decimal, mark, tr
from common.screen.markup import Html, element, joined
from common.screen.table import table

STYLE = """
body{font:14px/1.45 sans-serif;color:#202020;background:#fff;margin:24px auto;
max-width:960px}h1{font-size:22px;margin:0 0 4px}
h2{font-size:16px;margin:22px 0 6px;border-bottom:1px solid #888}
table{border-collapse:collapse;width:100%;font-size:12px}
th,td{text-align:left;padding:3px 8px;border-bottom:1px solid #ccc;vertical-align:top;
overflow-wrap:anywhere}dl{display:grid;grid-template-columns:repeat(3,1fr);gap:6px 18px}
dt{font-size:12px;color:#454545}dd{margin:0;font-weight:700}
svg{width:100%;height:auto;margin:4px 0}.missed{font-weight:700}
.note{color:#454545;font-size:12px}.sign{margin-top:40px;display:flex;gap:60px}
.sign div{border-top:1px solid #202020;width:260px;padding-top:4px;font-size:12px}
@page{size:A4;margin:14mm}
@media print{body{margin:0;max-width:none}h2,svg{break-inside:avoid}}
"""
VERDICTS = {
    Verdict.MET: mark("met"), Verdict.MANAGEABLE: mark("manageable"),
    Verdict.MISSED: mark("MISSED"), Verdict.NO_DATA: mark("no data"),
}  # fmt: skip
KINDS = {
    "verdict": mark("verdicts"), "alarm": mark("alarm changes"), "store": mark("store"),
    "notification": mark("messages about alarms"),
}  # fmt: skip
MOST_ROWS = 300


@dataclass(frozen=True, slots=True)
class About:
    """Whose report it is."""

    screen: AppScreen
    word: Document
    """The station's present state: versions."""
    made_at: float
    made_by: str


def document(report: Report, about: About) -> str:
    """The whole file."""
    body = element("body", *_parts(report, about))
    title = element("title", f"{report.station}, {span_text(report.span)}")
    charset = Html('<meta charset="utf-8">')
    head = element("head", charset, title, Html(f"<style>{STYLE}</style>"))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang=current())}\n"


def _parts(report: Report, about: About) -> list[Html]:
    return [
        element("h1", tr("Shift report: {station}", station=report.station)),
        element("div", _subtitle(report, about), cls="note"),
        _heading(tr("In short")),
        facts(figures(report, about.screen)),
        *_plots(report, about),
        _heading(tr("Alarm system: how well it served")),
        *(kpi_html(one) for one in report.kpis),
        _heading(tr("Most frequent alarms")),
        frequent_html(report),
        _heading(tr("Alarms")),
        alarms_html(report.alarms),
        _heading(tr("What people did")),
        acts_html(report),
        _signatures(),
    ]


def _signatures() -> Html:
    names = (tr("Handed over by"), tr("Taken over by"))
    return element("div", *(element("div", name) for name in names), cls="sign")


def _heading(text: str) -> Html:
    return element("h2", text)


def _subtitle(report: Report, about: About) -> str:
    model = about.word.at("model")
    said = (
        tr(about.screen.title), span_text(report.span), about.word.text("software"),
        f"{model.text('name')} {model.text('version')}".strip(),
        tr("made {time} by {name}", time=time_text(about.made_at), name=about.made_by),
    )  # fmt: skip
    return " · ".join(filter(None, said))


def time_text(wall: float) -> str:
    """Date and time of day, local, without seconds."""
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M")


def span_text(span: Span) -> str:
    """From when to when."""
    return f"{time_text(span.start)} – {time_text(span.end)}"


def figures(report: Report, screen: AppScreen) -> list[Said]:
    """The numbers of the shift: what the app says, then what was recorded."""
    kinds = {**KINDS, **screen.kinds}
    recorded = (
        (tr(kinds.get(kind, kind)), count(many)) for kind, many in report.counts.items()
    )
    return [*report.tally.said(), *recorded]


def facts(said: Sequence[Said]) -> Html:
    """Names and values."""
    if not said:
        return element("p", tr("Nothing was recorded."))
    cells = (element("div", element("dt", name), element("dd", value)) for name, value in said)
    return element("dl", *cells)


def plots(report: Report, screen: AppScreen, word: Document) -> list[Plot]:
    """The app's trends over the time, with the alarms that came."""
    return [
        Plot(
            tr(trend.title), tr(trend.unit), plot.thinned(report.courses[trend.id]),
            report.span.start, report.span.end, trend.limit(word), marks(report.alarms),
            trend.from_zero, tr("no data"),
        )
        for trend in screen.trends
    ]  # fmt: skip


def marks(alarms: Sequence[Record]) -> tuple[Mark, ...]:
    """The alarms that came, as marks on a time axis."""
    came = [record for record in alarms if record.body.get("state") == "UNACK"]
    return tuple(
        Mark(r.wall_time, int(r.body["priority"]), _title(r)) for r in came[-MOST_ROWS:]
    )


def _plots(report: Report, about: About) -> list[Html]:
    drawn = plots(report, about.screen, about.word)
    if not drawn:
        return []
    return [
        _heading(tr("Trends, with the alarms that came")),
        *(Html(plot.svg(one, plot.LIGHT)) for one in drawn),
    ]


def kpi_html(kpis: Kpis) -> Html:
    """The table of one operator position."""
    rows = [
        (tr(one.name), _value(one), one.target,
         element("span", tr(VERDICTS[one.verdict]), cls=one.verdict.value))
        for one in kpis.rows()
    ]  # fmt: skip
    hint = (
        ""
        if kpis.enough
        else tr("Over {n} days; 30 are needed to judge.", n=decimal(kpis.days, 2))
    )
    names = (tr("Figure"), tr("Value"), tr("Target"), tr("Verdict"))
    title = tr(
        "{role}: {n} alarms, {m} shelved", role=kpis.role, n=kpis.alarms, m=kpis.shelvings
    )
    return joined((element("div", element("b", title), " ", hint), table(names, rows)))


def _value(one: Kpi) -> str:
    if one.value is None:
        return MISSING
    is_share = "%" in one.target
    return (
        share(one.value)
        if is_share
        else decimal(one.value, 0 if one.value == int(one.value) else 1)
    )


def frequent_html(report: Report) -> Html:
    """Where to begin."""
    rows = [(_title(alarm), many) for alarm, many in most_frequent(report.alarms)]
    if not rows:
        return element("p", tr("No alarms."))
    return table((tr("Alarm"), tr("How often")), rows)


def alarms_html(alarms: Sequence[Record]) -> Html:
    """Every change, the newest last."""
    if not alarms:
        return element("p", tr("No alarms."))
    names = (tr("Time"), tr("Priority"), tr("Alarm"), tr("State"), tr("By"), tr("Reason"))
    drawn, left = table(names, map(_alarm_row, alarms[-MOST_ROWS:])), len(alarms) - MOST_ROWS
    if left <= 0:
        return drawn
    return joined((drawn, element("p", tr("{n} earlier changes are in the export.", n=left))))


def _alarm_row(record: Record) -> tuple[object, ...]:
    body = Document(record.body)
    state, by = body.text("state"), body.text("by")
    name, detail = _title(record), detail_text(body)
    return (
        second_text(record.wall_time), body.whole("priority") or MISSING,
        f"{name}: {detail}" if detail else name,
        tr(WORDS.get(state, state)), tr("process") if by == "process" else by,
        body.text("reason"),
    )  # fmt: skip


def _title(record: Record) -> str:
    return title_text(Document(record.body), record.subject)


def second_text(wall: float) -> str:
    """Date and time of day, local."""
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def acts_html(report: Report) -> Html:
    """The audit trail of the shift."""
    if not report.acts:
        return element("p", tr("Nobody did anything."))
    names = (tr("Time"), tr("Person"), tr("Role"), tr("Action"), tr("Target"), tr("Reason"))
    rows = [
        (second_text(a.wall_time), a.user, a.role, a.action, a.target, a.reason)
        for a in report.acts[-MOST_ROWS:]
    ]
    return table(names, rows)
