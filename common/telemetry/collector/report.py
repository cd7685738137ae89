"""What an archive knows to be missing, for people and for programs."""

from pathlib import Path
from typing import Any

from common.telemetry.collector.archive import SQLITE, parse_url
from common.telemetry.collector.ledger import Stream

FORMAT = "lineside.gaps/1"


def gaps(url: str) -> dict[str, Any]:
    """Per source and epoch what came, what is missing, and what of it nobody explained.

    Raises ConfigError for an address that is none, ArchiveError where nothing can be read.
    """
    sources = [_entry(stream) for stream in _read(url) if stream.last is not None]
    return {
        "format": FORMAT,
        "sources": sources,
        "received": sum(entry["received"] for entry in sources),
        "missing": sum(entry["missing_count"] for entry in sources),
        "told_dropped": sum(entry["told_dropped"] for entry in sources),
        "unexplained": sum(entry["unexplained"] for entry in sources),
    }


def _read(url: str) -> list[Stream]:
    kind, where = parse_url(url)
    if kind == SQLITE:
        from common.telemetry.collector import sqlite_engine  # noqa: PLC0415

        return sqlite_engine.read_streams(Path(where))
    from common.telemetry.collector import postgresql_engine  # noqa: PLC0415

    return postgresql_engine.read_streams(where)


def _entry(stream: Stream) -> dict[str, Any]:
    return {
        "source": stream.source,
        "epoch": stream.epoch,
        "received": stream.received,
        "first": stream.first,
        "last": stream.last,
        "begins": stream.begins,
        "ends": stream.ends,
        "missing": [list(one) for one in stream.missing],
        "missing_count": stream.missing_count,
        "told_dropped": stream.told_dropped,
        "unexplained": stream.unexplained,
        "gone": [list(one) for one in stream.gone],
        "asks": stream.asks,
        "replaces": stream.replaces or None,
        "lost_unknown": stream.lost_unknown,
        "last_seen": stream.seen.received_time if stream.seen else None,
    }


def as_text(found: dict[str, Any]) -> str:
    """A line per source and epoch, what is wrong first, and a sum."""
    entries = sorted(
        found["sources"], key=lambda one: (-one["unexplained"], one["source"], one["epoch"])
    )
    lines = [_line(entry) for entry in entries]
    return "\n".join(
        [
            *lines,
            f"{len(entries)} streams: {found['received']} events kept, {found['missing']}"
            f" missing, {found['told_dropped']} told as dropped,"
            f" {found['unexplained']} unexplained",
        ]
    )


def _line(entry: dict[str, Any]) -> str:
    start = "" if entry["begins"] else " (its beginning was never told)"
    missing = ", ".join(_range(*one) for one in entry["missing"][:5])
    more = f" and {len(entry['missing']) - 5} more" if len(entry["missing"]) > 5 else ""
    lost = (
        f"; missing {entry['missing_count']}: {missing or 'no longer known which'}{more};"
        f" told as dropped {entry['told_dropped']}, unexplained {entry['unexplained']}"
        if entry["missing_count"]
        else "; complete"
    )
    return (
        f"{entry['source']} epoch {entry['epoch']}: {entry['received']} kept,"
        f" {entry['first']} … {entry['last']}{start}{lost}"
    )


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
