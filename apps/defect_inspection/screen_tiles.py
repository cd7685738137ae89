"""What the operator's page says of the station's last word: one function, one tile.

Pure: a document in, tiles out; nothing here reads a file or draws. A value that is
missing is "–" and never zero: "not known" must not look like "none".
"""

from common.screen import charts
from common.screen.alarms import Alarm, worst
from common.screen.document import MISSING, Document, count, measure, milliseconds, share
from common.screen.language import heard, mark, tr
from common.screen.links import link_state, link_text
from common.screen.markup import joined
from common.screen.tiles import Tile

STATES = (
    mark("not read"), mark("Clearing"), mark("Stopped"), mark("Starting"), mark("Idle"),
    mark("Suspended"), mark("Execute"), mark("Stopping"), mark("Aborting"), mark("Aborted"),
    mark("Holding"), mark("Held"), mark("Unholding"), mark("Suspending"),
    mark("Unsuspending"), mark("Resetting"), mark("Completing"), mark("Complete"),
)  # fmt: skip
"""PackML's words; the number is the index."""
EXECUTE = 6
ABNORMAL_STATES = (0, 5, 8, 9, 10, 11, 13)
MODES = {1: mark("Production"), 2: mark("Maintenance"), 3: mark("Manual")}
BIN_FULL, AIR_LOW, CONFIRM_MISSING, TRACK_LOST = 1, 2, 4, 8
LEAST_SCALE = 0.1
"""A scale of the reject rate ends at 10 % or above."""
Alarms = tuple[Alarm, ...]


def state_word(state: int | None) -> str:
    """PackML's word for a state's number."""
    known = state is not None and 0 <= state < len(STATES)
    return tr(STATES[state or 0]) if known else tr("State {n}", n=state)


def tiles(word: Document, alarms: Alarms, trend: tuple[float, ...]) -> tuple[Tile, ...]:
    """All tiles in their order; `trend` is the course of the reject rate, oldest first."""
    return (
        rate_tile(word.at("reject_rate"), trend),
        streak_tile(word.at("line"), alarms),
        confirm_tile(word, alarms),
        heartbeat_tile(word.at("line"), alarms),
        latency_tile(word, alarms),
        bin_tile(word.at("line"), alarms),
        challenge_tile(word.at("challenge"), alarms),
        link_tile(word.at("link"), alarms),
        parts_tile(word.at("counts")),
        station_tile(word, alarms),
        device_tile(word.at("host")),
    )


def rate_tile(rate: Document, trend: tuple[float, ...]) -> Tile:
    """The reject rate of the last parts beside the last hour's band."""
    now, low, high = rate.number("now"), rate.number("low"), rate.number("high")
    window = rate.whole("window_parts")
    usual = tr("usual {low} to {high}", low=share(low), high=share(high))
    band = usual if low is not None else tr("no usual band yet")
    above = now is not None and high is not None and now > high
    below = now is not None and low is not None and now < low
    where = tr(", ABOVE its band") * above + tr(", below its band") * below
    top = max(LEAST_SCALE, 1.25 * max(now or 0.0, high or 0.0, *trend, 0.0))
    chart = joined(
        (charts.band_bar(now, low, high, min(top, 1.0)), charts.sparkline(trend, min(top, 1.0)))
    )
    return Tile(
        tr("Reject rate, last {n} parts · {band}", n=count(window), band=band),
        f"{share(now)}{where}",
        (),
        chart,
        abnormal=above,
        wide=2,
        key="rate",
    )


def streak_tile(line: Document, alarms: Alarms) -> Tile:
    """Consecutive rejects on their way to the limit."""
    streak, limit = line.whole("consecutive_rejects"), line.whole("consecutive_limit")
    stop = line.text("line_stop")
    chart = charts.steps(streak or 0, limit or 1)
    return Tile(
        tr("Rejects in a row"),
        tr("{n} of {limit}", n=count(streak), limit=count(limit)),
        (tr("Line stop: {why}", why=heard(stop)) if stop else tr("then the line stops"),),
        chart,
        abnormal=bool(stop) or (limit is not None and streak is not None and streak >= limit),
        priority=worst(alarms, "line_stopped"),
        key="streak",
    )


def confirm_tile(word: Document, alarms: Alarms) -> Tile:
    """Rejects commanded beside those that the confirm eye saw."""
    counts, faults = word.at("counts"), word.at("line").whole("reject_faults")
    open_ = counts.whole("unconfirmed")
    eye = tr("confirm missing") if (faults or 0) & CONFIRM_MISSING else ""
    lost = tr("track lost") if (faults or 0) & TRACK_LOST else ""
    return Tile(
        tr("Rejects commanded / confirmed"),
        f"{count(counts.whole('commanded'))} / {count(counts.whole('confirmed'))}",
        (tr("{n} unconfirmed", n=count(open_)), ", ".join(filter(None, (eye, lost)))),
        abnormal=bool(open_ or eye or lost),
        priority=worst(alarms, "confirm_missing"),
        key="confirm",
    )


def heartbeat_tile(line: Document, alarms: Alarms) -> Tile:
    """Whether each side sees the other alive."""
    plc, vision = line.flag("plc_alive"), line.flag("vision_alive")
    words = {True: tr("alive"), False: tr("SILENT"), None: tr("not read")}
    both = plc is True and vision is True
    one, other = f"PLC {words[plc]}", tr("vision {state}", state=words[vision])
    beats = tr("{n} beats", n=count(line.whole("vision_beats")))
    return Tile(
        tr("Heartbeats"),
        tr("both alive") if both else one if plc is not True else other,
        (f"{one} · {other}, {beats}", line.text("plc")),
        abnormal=not both,
        priority=worst(alarms, "plc_unreachable", "plc_heartbeat_lost"),
        key="heartbeats",
    )


def latency_tile(word: Document, alarms: Alarms) -> Tile:
    """The slowest verdicts beside the deadline."""
    total, deadline = word.at("latency_ms").at("total"), word.number("deadline_ms")
    p99 = total.number("p99")
    late = word.at("counts").whole("late")
    return Tile(
        tr("Latency p99"),
        milliseconds(p99),
        (tr("deadline {ms} · {n} late", ms=milliseconds(deadline), n=count(late)),),
        charts.limit_bar(p99, deadline or 0.0),
        abnormal=p99 is not None and deadline is not None and p99 > deadline,
        priority=worst(alarms, "late_verdicts"),
        key="latency",
    )


def bin_tile(line: Document, alarms: Alarms) -> Tile:
    """Whether the rejector can take the next bad part."""
    faults = line.whole("reject_faults")
    full, air = bool((faults or 0) & BIN_FULL), bool((faults or 0) & AIR_LOW)
    known = faults is not None and line.flag("plc_alive") is True
    bin_, pressure = tr("FULL") if full else tr("has room"), tr("LOW") if air else tr("ok")
    return Tile(
        tr("Reject bin · air"),
        f"{bin_} · {pressure}" if known else MISSING,
        (tr("bin full") if full else "", tr("air pressure low") if air else ""),
        abnormal=full or air,
        priority=worst(alarms, "reject_bin"),
        key="bin",
    )


OUTCOMES = {
    "running": mark("running"), "passed": mark("passed"), "failed": mark("FAILED"),
    "incomplete": mark("NOT FINISHED"),
}  # fmt: skip


def challenge_tile(test: Document, alarms: Alarms) -> Tile:
    """The challenge test: seeded bad pieces must all be rejected and confirmed."""
    outcome, passed = test.text("outcome"), test.whole("passed") or 0
    got = tr(
        "{rejected} rejected, {confirmed} confirmed of {pieces}",
        rejected=count(test.whole("rejected")),
        confirmed=count(test.whole("confirmed")),
        pieces=count(test.whole("pieces")),
    )
    gone = tr("{n} PASSED the gate", n=passed) if passed else ""
    return Tile(
        tr("Challenge test"),
        tr(OUTCOMES.get(outcome, outcome)) if outcome else tr("none since start"),
        (got, gone) if test else (),
        abnormal=outcome in ("failed", "incomplete") or passed > 0,
        priority=worst(alarms, "challenge_failed"),
        key="challenge",
    )


def link_tile(link: Document, alarms: Alarms) -> Tile:
    """The ways out and what waits for them."""
    mqtt, webhook = link.at("mqtt"), link.at("webhook")
    states = (mqtt.text("state"), webhook.text("state"))
    dead = (mqtt.whole("dead") or 0) + (webhook.whole("dead") or 0)
    refused = tr(" · {n} refused for good", n=count(dead)) if dead else ""
    return Tile(
        tr("Links") + refused,
        f"MQTT {link_state(mqtt)}",
        (link_text(mqtt), f"MES {link_state(webhook)}, {link_text(webhook, short=True)}"),
        abnormal="offline" in states or dead > 0,
        priority=worst(alarms, "uplink_offline"),
        key="link",
    )


def parts_tile(counts: Document) -> Tile:
    """What the parts since the start became."""
    passed, held, rejected = (count(counts.whole(k)) for k in ("pass", "hold", "reject"))
    unjudged = [counts.whole(k) for k in ("late", "bad_image", "no_result")]
    known = [number for number in unjudged if number is not None]
    rest = count(sum(known)) if len(known) == len(unjudged) else MISSING
    return Tile(
        tr("Parts since start"),
        count(counts.whole("parts")),
        (
            f"{passed} P · {held} H · {rejected} R",
            tr("{n} without judgement", n=rest),
        ),
        key="parts",
    )


def station_tile(word: Document, alarms: Alarms) -> Tile:
    """Whether the station does its work and its records reach the disk."""
    faults, store = word.texts("faults"), word.at("store")
    healthy, lost = (
        word.flag("healthy"),
        (store.whole("refused") or 0) + (store.whole("failed") or 0),
    )
    said = {True: tr("working"), False: tr("NOT WORKING"), None: MISSING}[healthy]
    well = store.flag("healthy")
    kept = tr("records are kept") if well else store.text("error") or tr("records: –")
    missing = f"; {tr('{n} not kept', n=count(lost))}" if lost else ""
    return Tile(
        tr("Station"),
        said,
        (*faults[:1], f"{kept}{missing}"),
        abnormal=healthy is not True or store.flag("healthy") is False or lost > 0,
        priority=worst(
            alarms, "camera_failed", "inference_failed", "bad_pictures", "store_failing"
        ),
        key="station",
    )


def device_tile(host: Document) -> Tile:
    """The computer: temperature, memory, disk."""
    heat, memory = host.number("temperature_c"), host.number("memory_used_share")
    disk = host.number("disk_free_mb")
    room = measure(disk / 1024, "GB", 1) if disk is not None else MISSING
    slow = host.flag("throttled") is True
    warm = measure(heat, "°C") if heat is not None else tr("no sensor")
    return Tile(
        tr("This computer"),
        warm + tr(", SLOWED") * slow,
        (tr("disk {room} free", room=room), tr("memory {share} used", share=share(memory))),
        abnormal=slow,
        key="device",
    )
