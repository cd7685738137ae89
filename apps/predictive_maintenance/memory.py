"""What `decide` remembers of a machine, as JSON: a restart must not forget a STOP.

The trend begins anew after a restart: its times are of a clock that ends with the process.
"""

import sqlite3
from dataclasses import asdict
from typing import Any

from apps.predictive_maintenance.aside import readable
from apps.predictive_maintenance.domain import Evidence, Verdict
from apps.predictive_maintenance.latches import Latch
from apps.predictive_maintenance.remembered import Memory
from common import meta
from common.errors import ConfigError

KEY = "memory:"


def as_json(memory: Memory) -> dict[str, Any]:
    """A memory for the station's file."""
    return {
        "verdict": memory.verdict.value,
        "unacknowledged": memory.unacknowledged,
        "severity": _finite(memory.severity),
        "latches": {name: asdict(latch) for name, latch in memory.latches.items()},
        "evidence": [evidence_as_json(evidence) for evidence in memory.evidence],
    }


def evidence_as_json(evidence: Evidence) -> dict[str, Any]:
    """One reason for a verdict."""
    return asdict(evidence) | {
        "verdict": evidence.verdict.value,
        "value": _finite(evidence.value),
    }


def from_json(body: dict[str, Any]) -> Memory:
    """The memory of `as_json`; raises ConfigError for what is none."""
    try:
        evidence = tuple(
            Evidence(**{**one, "verdict": Verdict(one["verdict"])}) for one in body["evidence"]
        )
        latches = {name: Latch(**latch) for name, latch in body["latches"].items()}
        return Memory(
            Verdict(body["verdict"]), latches, evidence, float(body["severity"]),
            bool(body["unacknowledged"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"a stored verdict cannot be read: {error}") from error


def keep(connection: sqlite3.Connection, asset: str, memory: Memory) -> None:
    """Have it found by the next start, in place of what was remembered before."""
    meta.put(connection, KEY + asset, as_json(memory))


def stored_memories(connection: sqlite3.Connection) -> tuple[dict[str, Memory], list[str]]:
    """Asset → what was remembered of it last; and the keys of what cannot be read."""
    return readable(connection, KEY, from_json)


def _finite(value: float) -> float:
    """JSON knows no infinity; a value that is none is as large as can be."""
    return value if abs(value) < 1e300 else 1e300
