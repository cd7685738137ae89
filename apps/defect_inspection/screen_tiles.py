"""What the operator's page says of the station's last word: one function, one tile.

Pure: a document in, tiles out; nothing here reads a file or draws. A value that is
missing is "–" and never zero: "not known" must not look like "none".
"""

from common.screen import charts
from common.screen.alarm_list import Alarm, worst
from common.screen.document import MISSING, Document, count, milliseconds, share
from common.screen.freshness import age_text
from common.screen.markup import joined
from common.screen.tiles import Tile

STATES = (
    "not read", "Clearing", "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping",
    "Aborting", "Aborted", "Holding", "Held", "Unholding", "Suspending", "Unsuspending",
    "Resetting", "Completing", "Complete",
)  # fmt: skip
"""PackML's words; the number is the index."""
EXECUTE = 6
ABNORMAL_STATES = (0, 5, 8, 9, 10, 11, 13)
MODES = {1: "Production", 2: "Maintenance", 3: "Manual"}
BIN_FULL, AIR_LOW, CONFIRM_MISSING, TRACK_LOST = 1, 2, 4, 8
LEAST_SCALE = 0.1
"""A scale of the reject rate ends at 10 % or above."""
Alarms = tuple[Alarm, ...]


def state_word(state: int | None) -> str:
    """PackML's word for a state's number."""
    return STATES[state] if state is not None and 0 <= state < len(STATES) else f"State {state}"


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
    band = f"usual {share(low)} to {share(high)}" if low is not None else "no usual band yet"
    above = now is not None and high is not None and now > high
    below = now is not None and low is not None and now < low
    where = ", ABOVE its band" * above + ", below its band" * below
    top = max(LEAST_SCALE, 1.25 * max(now or 0.0, high or 0.0, *trend, 0.0))
    chart = joined(
        (charts.band_bar(now, low, high, min(top, 1.0)), charts.sparkline(trend, min(top, 1.0)))
    )
    return Tile(
        f"Reject rate, last {count(window)} parts · {band}",
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
        "Rejects in a row",
        f"{count(streak)} of {count(limit)}",
        (f"Line stop: {stop}" if stop else "then the line stops",),
        chart,
        abnormal=bool(stop) or (limit is not None and streak is not None and streak >= limit),
        priority=worst(alarms, "line_stopped"),
        key="streak",
    )


def confirm_tile(word: Document, alarms: Alarms) -> Tile:
    """Rejects commanded beside those that the confirm eye saw."""
    counts, faults = word.at("counts"), word.at("line").whole("reject_faults")
    open_ = counts.whole("unconfirmed")
    eye = "confirm missing" if (faults or 0) & CONFIRM_MISSING else ""
    lost = "track lost" if (faults or 0) & TRACK_LOST else ""
    return Tile(
        "Rejects commanded / confirmed",
        f"{count(counts.whole('commanded'))} / {count(counts.whole('confirmed'))}",
        (f"{count(open_)} unconfirmed", ", ".join(filter(None, (eye, lost)))),
        abnormal=bool(open_ or eye or lost),
        priority=worst(alarms, "confirm_missing"),
        key="confirm",
    )


def heartbeat_tile(line: Document, alarms: Alarms) -> Tile:
    """Whether each side sees the other alive."""
    plc, vision = line.flag("plc_alive"), line.flag("vision_alive")
    words = {True: "alive", False: "SILENT", None: "not read"}
    both = plc is True and vision is True
    first = f"PLC {words[plc]}" if plc is not True else f"vision {words[vision]}"
    beats = (
        f"PLC {words[plc]} · vision {words[vision]}, {count(line.whole('vision_beats'))} beats"
    )
    return Tile(
        "Heartbeats",
        "both alive" if both else first,
        (beats, line.text("plc")),
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
        "Latency p99",
        milliseconds(p99),
        (f"deadline {milliseconds(deadline)} · {count(late)} late",),
        charts.limit_bar(p99, deadline or 0.0),
        abnormal=p99 is not None and deadline is not None and p99 > deadline,
        priority=worst(alarms, "late_verdicts"),
        key="latency",
    )


def bin_tile(line: Document, alarms: Alarms) -> Tile:
    """Whether the rejector can take the next bad part."""
    faults = line.whole("reject_faults")
    full, air = bool((faults or 0) & BIN_FULL), bool((faults or 0) & AIR_LOW)
    known = faults is not None and line.flag("plc_alive") is not None
    return Tile(
        "Reject bin · air",
        ("FULL" if full else "has room") + " · " + ("LOW" if air else "ok")
        if known
        else MISSING,
        ("bin full" if full else "", "air pressure low" if air else ""),
        abnormal=full or air,
        priority=worst(alarms, "reject_bin"),
        key="bin",
    )


def challenge_tile(test: Document, alarms: Alarms) -> Tile:
    """The challenge test: seeded bad pieces must all be rejected and confirmed."""
    outcome = test.text("outcome")
    pieces, passed = count(test.whole("pieces")), test.whole("passed") or 0
    got = (
        f"{count(test.whole('rejected'))} rejected, {count(test.whole('confirmed'))} confirmed"
    )
    return Tile(
        "Challenge test",
        outcome.upper() if outcome == "failed" else outcome or "none since start",
        (f"{got} of {pieces}", f"{passed} PASSED the gate" if passed else "") if test else (),
        abnormal=outcome == "failed" or passed > 0,
        priority=worst(alarms, "challenge_failed"),
        key="challenge",
    )


def link_tile(link: Document, alarms: Alarms) -> Tile:
    """The ways out and what waits for them."""
    mqtt, webhook = link.at("mqtt"), link.at("webhook")
    states = (mqtt.text("state"), webhook.text("state"))
    dead = (mqtt.whole("dead") or 0) + (webhook.whole("dead") or 0)
    return Tile(
        "Links" + (f" · {count(dead)} refused for good" if dead else ""),
        f"MQTT {states[0] or MISSING}",
        (link_text(mqtt), f"MES {states[1] or MISSING}, {link_text(webhook, short=True)}"),
        abnormal="offline" in states or dead > 0,
        priority=worst(alarms, "uplink_offline"),
        key="link",
    )


def link_text(link: Document, *, short: bool = False) -> str:
    """What waits for one way out: 1 234 queued, oldest 00:12:00."""
    oldest = link.number("oldest_age_s")
    waiting = f"{count(link.whole('queued'))} queued"
    if oldest is None:
        return waiting
    return f"{waiting}, {'' if short else 'oldest '}{age_text(oldest, hours=True)}"


def parts_tile(counts: Document) -> Tile:
    """What the parts since the start became."""
    passed, held, rejected = (count(counts.whole(k)) for k in ("pass", "hold", "reject"))
    unjudged = [counts.whole(k) for k in ("late", "bad_image", "no_result")]
    known = [number for number in unjudged if number is not None]
    rest = count(sum(known)) if len(known) == len(unjudged) else MISSING
    return Tile(
        "Parts since start",
        count(counts.whole("parts")),
        (
            f"{passed} P · {held} H · {rejected} R",
            f"{rest} without judgement",
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
    said = {True: "working", False: "NOT WORKING", None: MISSING}[healthy]
    kept = "records are kept" if store.flag("healthy") else store.text("error") or "records: –"
    return Tile(
        "Station",
        said,
        (*faults[:1], kept if not lost else f"{kept}; {count(lost)} not kept"),
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
    room = f"{disk / 1024:.1f}\u202fGB" if disk is not None else MISSING
    slow = host.flag("throttled") is True
    return Tile(
        "This computer",
        (f"{heat:.0f}\u202f°C" if heat is not None else "no sensor") + ", SLOWED" * slow,
        (f"disk {room} free", f"memory {share(memory)} used"),
        abnormal=slow,
        key="device",
    )
