"""Figures for people: the same that `--json` prints, a line each."""

from typing import Any


def table(figures: dict[str, Any], indent: str = "") -> str:
    """Figures for people: one per line, nested ones below their name."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            lines += [f"{indent}{key}", table(value, indent + "  ")]
        elif isinstance(value, dict):
            inner = "  ".join(f"{k} {v}" for k, v in value.items())
            lines.append(f"{indent}{key:<22} {inner}")
        else:
            lines.append(f"{indent}{key:<22} {'–' if value is None else value}")
    return "\n".join(lines)
