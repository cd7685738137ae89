"""What the shop's views share: words for views and reasons, the head, the cameras. Pure."""

from collections.abc import Sequence

from apps.retail_analytics.screen_ledger import Doors
from common.screen.alarm_list import clock_text
from common.screen.alarms import Alarm
from common.screen.app_screen import model_of
from common.screen.document import MISSING, Document, count, measure
from common.screen.freshness import span_text
from common.screen.language import THIN, decimal, heard, mark, tr
from common.screen.listening import Heard
from common.screen.markup import EMPTY, Html, element
from common.screen.palette import priority_mark
from common.screen.table import table
from common.screen.tiles import fact
from common.screen.tiles import head as top

NOBODY = mark("Counts people; recognises and records nobody. It is no safety function.")
GOOD_VIEW = "good"
OLD_S = 1.0
"""Age of a picture that is worth saying."""
STATES = {
    GOOD_VIEW: mark("sees the shop"), "dark": mark("DARK"), "blocked": mark("COVERED"),
    "frozen": mark("FROZEN"), "moved": mark("MOVED"), "size": mark("OTHER PICTURE SIZE"),
    "slow": mark("TOO FEW PICTURES"), "gone": mark("NO PICTURE"),
    "model": mark("NETWORK FAILS"), "starting": mark("starting"),
}  # fmt: skip
"""What a camera's view is, by the station's word for it."""
REASONS = {
    "dark": mark("dark"), "blocked": mark("covered"), "frozen": mark("frozen"),
    "moved": mark("moved"), "no view for": mark("no picture"), "size": mark("picture size"),
    "slow": mark("too few pictures"), "gone": mark("no picture"), "gap": mark("no picture"),
    "model": mark("the network fails"), "starting": mark("starting"),
    "partial": mark("too short a part"), "clock": mark("wrong clock"), "?": mark("unknown"),
}  # fmt: skip
"""Why time was not observed, by the first word of the station's reason."""


def reason_text(reason: str) -> str:
    """Why time was not observed, in the reader's language where it is a usual reason."""
    found = next((word for key, word in REASONS.items() if reason.startswith(key)), reason)
    return tr(found)


def doors_of(word: Document) -> Doors:
    """Camera and line of every door; empty where the station names none: then all lines."""
    return tuple(
        (camera.text("name"), line.text("name"))
        for camera in word.at("setup").documents("cameras")
        for line in camera.documents("lines")
        if line.flag("door") is True
    )


def short_time(wall: float) -> str:
    """Hour and minute of the local day."""
    return clock_text(wall)[-8:-3]


# ------------------------------------------------------------------------------ the head


def head(heard: Heard) -> Html:
    """Whether the shop is counted, for eyes across the room; then the facts."""
    word = heard.word
    cameras = word.documents("cameras")
    seeing = sum(one.text("state") == GOOD_VIEW for one in cameras)
    version = word.at("setup").whole("version")
    facts = (
        (tr("Cameras that see"), f"{count(seeing)} / {count(len(cameras))}"),
        (tr("Told from"), tr("{k} people", k=count(word.at("privacy").whole("k")))),
        (tr("Data age"), heard.freshness.text),
        (tr("Set-up"), tr("as shipped") if version == 0 else count(version)),
        (tr("Model"), model_of(word) or tr("none")),
        (tr("Shop"), tr("simulated") if word.at("simulation") else ""),
    )  # fmt: skip
    told = (fact(name, said) for name, said in facts if said)
    return top(state_html(heard), told, heard.freshness)


def state_html(heard: Heard) -> Html:
    """What the station does; in its place that it is silent."""
    if heard.freshness.stale:
        return element("div", heard.freshness.sentence.upper(), cls="ls-state ls-abnormal")
    bad = heard.word.flag("healthy") is not True
    cls = "ls-state ls-abnormal" if bad else "ls-state"
    return element("div", counting(heard.word), cls=cls)


def counting(word: Document) -> str:
    """Whether all cameras count, some, or none."""
    states = [one.text("state") for one in word.documents("cameras")]
    if word.flag("healthy") is True:
        return tr("counting")
    some = any(state == GOOD_VIEW for state in states)
    return tr("COUNTS IN PART") if some else tr("NOT COUNTING")


def inside_text(word: Document) -> str:
    """About how many are inside; of few no more than that they are few."""
    found = word.at("occupancy")
    value = found.number("inside")
    if value is not None:
        return f"≈{THIN}{count(value)}"
    few = found.flag("few") is True
    return f"<{THIN}{count(word.at('privacy').whole('k'))}" if few else MISSING


def foot(word: Document) -> Html:
    """What this does not do; then software and model, word for word."""
    model = word.at("model")
    ran = " on ".join(filter(None, (model.text("artefact"), model.text("device"))))
    said = (word.text("station"), word.text("software"), model_of(word), ran)
    about = element("span", " · ".join(filter(None, said)))
    return element("div", element("span", tr(NOBODY)), about, cls="ls-foot")


# --------------------------------------------------------------------------- the cameras


def cameras_html(word: Document, alarms: Sequence[Alarm]) -> Html:
    """The data's quality, camera by camera."""
    marks = [(alarm.id.partition(".")[2], alarm.priority) for alarm in reversed(alarms)]
    by_camera = {name: priority for name, priority in marks if name}
    names = (tr("Camera"), tr("View"), tr("Pictures/s"), tr("Dropped"), tr("Observed"))
    cameras = word.documents("cameras")
    rows = [_camera_row(one, by_camera.get(one.text("name"))) for one in cameras]
    if not rows:
        return element("div", tr("This station names no camera."), cls="ls-empty-list")
    rate = word.at("rate")
    said = [tr("Data quality of the open interval")]
    if rate.whole("level"):
        fps = decimal(rate.number("fps") or 0.0, 1)
        said.append(tr("slowed to {n}/s: {why}", n=fps, why=rate.text("reason")))
    title = element("div", " · ".join(said), cls="rt-title")
    scroll = element("div", table(names, rows), cls="rt-cameras", tabindex="0")
    return element("div", title, scroll)


def _camera_row(camera: Document, priority: int | None) -> tuple[object, ...]:
    state, age = camera.text("state"), camera.number("age_s")
    good = state == GOOD_VIEW
    word = tr(STATES.get(state, state or MISSING))
    old = tr("{age} old", age=span_text(age)) if age is not None and age >= OLD_S else ""
    detail = heard(camera.text("reason")) if not good else old
    sign = priority_mark(priority) if priority and not good else EMPTY
    view = element(
        "div", sign, element("span", element("span" if good else "b", word),
        element("small", detail)), cls="rt-view",
    )  # fmt: skip
    fps = camera.number("fps")
    return (
        camera.text("name"), view, MISSING if fps is None else decimal(fps, 1),
        count(camera.number("dropped")), measure(camera.number("observed_pct"), "%"),
    )  # fmt: skip
