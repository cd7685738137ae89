"""A report for people: a table, a plot, and Markdown for a README."""

from typing import Any

from common.plot import LIGHT, Colours, plain

COLUMNS = ("artefact", "load ms", "first ms", "p50", "p95", "p99", "1/s", "CPU ms", "MB", "mJ",
           "mAP50")  # fmt: skip
BAR, LEFT, TOP, WIDTH = 22, 230, 40, 760


def as_text(report: dict[str, Any]) -> str:
    """A table with one line for each artefact, then the best for this device."""
    running = [row for row in report["rows"] if row["runs"]]
    table = [COLUMNS, *(_cells(row) for row in running)]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    lines = [
        line[0].ljust(widths[0])
        + "".join(f"  {c.rjust(w)}" for c, w in zip(line[1:], widths[1:], strict=True))
        for line in table
    ]
    lines += [
        f"not here: {', '.join(labels)}: {why}" for why, labels in _absent(report).items()
    ]
    lines += [_own_code(report), f"best here: {_best(report)}"]
    return "\n".join(lines)


def as_markdown(reports: list[dict[str, Any]], expected: tuple[str, ...] = ()) -> str:
    """One line for each report; then the devices of which there is none yet."""
    lines = ["| device | model | best here | p50 ms | why |", "|---|---|---|--:|---|"]
    for report in reports:
        best = report["best"] or {"label": "nothing runs", "reason": ""}
        p50 = next((r["steady_ms"]["p50"] for r in report["rows"]
                    if r["runs"] and r["label"] == best["label"]), None)  # fmt: skip
        cells = (_device(report), report["model"]["name"], best["label"],
                 "" if p50 is None else three_digits(p50), best["reason"])  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    lines += [f"| {name} | | not yet run on this device | | |" for name in expected]
    return "\n".join(lines)


def as_svg(report: dict[str, Any], colours: Colours = LIGHT) -> str:
    """Medians as bars, with a line to the 99th percentile."""
    rows = sorted((r for r in report["rows"] if r["runs"]), key=lambda r: r["steady_ms"]["p50"])
    most = max((row["steady_ms"]["p99"] for row in rows), default=1.0) or 1.0
    height = TOP + BAR * len(rows) + 12
    title = f"{report['model']['name']} on {_device(report)}: ms per inference, p50 to p99"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12"'
        f' fill="{colours.text}"><title>{plain(title)}</title>'
        f'<rect width="100%" height="100%" fill="{colours.ground}"/>'
        f'<text x="12" y="22" font-weight="700">{plain(title)}</text>'
    ]
    for number, row in enumerate(rows):
        parts.append(_bar(row, TOP + BAR * number, (WIDTH - LEFT - 80) / most, colours))
    return "".join([*parts, "</svg>"])


def _bar(row: dict[str, Any], y: float, scale: float, colours: Colours) -> str:
    p50, p99 = row["steady_ms"]["p50"], row["steady_ms"]["p99"]
    middle, end = y + BAR / 2, LEFT + p99 * scale
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{plain(row["label"])}</text>'
        f'<rect x="{LEFT}" y="{y + 4}" width="{p50 * scale:.1f}" height="{BAR - 8}"'
        f' fill="{colours.line}"/>'
        f'<line x1="{LEFT}" x2="{end:.1f}" y1="{middle}" y2="{middle}"'
        f' stroke="{colours.text}"/>'
        f'<text x="{end + 6:.1f}" y="{middle + 4}">{three_digits(p50)}</text>'
    )


def _own_code(report: dict[str, Any]) -> str:
    """What our wrapper and a process of its own cost, at worst of those measured."""
    warm = report["hand_over_ms"]["p50"]
    return (
        f"our own code: wrapper at most {most(report, 'wrapper'):.2f} ms a call; a process of "
        f"its own at most {most(report, 'own_process'):.2f} ms (640×640×3 in warm caches: "
        f"{warm:.2f} ms)"
    )


def most(report: dict[str, Any], part: str) -> float:
    """The worst of what "wrapper" or "own_process" cost beside a report's networks, in ms."""
    rows = [row["overhead_ms"] for row in report["rows"] if row.get("overhead_ms")]
    return float(max((row[part] for row in rows if row[part] is not None), default=0.0))


def _absent(report: dict[str, Any]) -> dict[str, list[str]]:
    """Why not → which ones, so that one reason is said once."""
    absent: dict[str, list[str]] = {}
    for row in report["rows"]:
        if not row["runs"]:
            absent.setdefault(row["why_not"], []).append(row["label"])
    return absent


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    steady, seen = row["steady_ms"], (row["accuracy"] or {}).get("map50")
    keys = ("throughput_per_s", "cpu_ms", "rss_mb", "energy_mj")
    numbers = (row["load_ms"], row["first_ms"], *steady.values(), *(row[key] for key in keys))
    shown = ("–" if value is None else three_digits(value) for value in numbers)
    return (row["label"], *shown, "–" if seen is None else f"{seen:.3f}")


def _best(report: dict[str, Any]) -> str:
    best = report["best"]
    return f"{best['label']}: {best['reason']}" if best else "nothing runs"


def _device(report: dict[str, Any]) -> str:
    device = report["device"]
    named = device["cpu"] if device["model"] in ("unknown", "") else device["model"]
    return f"{named}, {device['cores']} cores"


def three_digits(value: float) -> str:
    """A figure with the digits that count: a network may take 0.04 ms or 400."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
