"""What was looked for, and the one step that gets what is missing."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    ok: bool
    needed: bool
    """Whether Lineside cannot do its work without it."""
    found: str
    remedy: str = ""
    """The one command or step that gets it; empty when it is there."""


def as_text(findings: Iterable[Finding]) -> str:
    """One line per finding: ✓ here, ✗ missing and needed, – missing and optional."""
    listed = list(findings)
    width = max((len(finding.name) for finding in listed), default=0)
    return "\n".join(_line(finding, width) for finding in listed)


def as_json(findings: Iterable[Finding]) -> str:
    """The same for programs."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _line(finding: Finding, width: int) -> str:
    mark = "✓" if finding.ok else ("✗" if finding.needed else "–")
    remedy = f"  → {finding.remedy}" if finding.remedy and not finding.ok else ""
    return f"{mark} {finding.name:<{width}} {finding.found}{remedy}"
