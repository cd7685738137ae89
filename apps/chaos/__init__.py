"""`lineside chaos`: kill and break what buffers, then count what is lost.

Two halves: power cuts in software (`cuts`), and real processes killed by the dice
(`kills`). Both end in arithmetic on sets of ids, and both are proven to see a loss: the
one by its controls, the other by its tests.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from apps.chaos.ledger import CORRUPTS, LOSES, NOTHING_WRONG
from common.errors import BackendMissing

APSW = "the power cuts need apsw: pip install '.[dev]'"


Half = Callable[[int, int, Callable[[str], None]], dict[str, Any]]
"""How often, seed and progress → figures."""


def play(*, kills: int, cuts: int, seed: int) -> dict[str, Any]:
    """Cut and kill; the figures. Raises BackendMissing without mosquitto or apsw."""
    started, say = time.monotonic(), _progress()
    cut, kill = _cutter() if cuts else None, _killer() if kills else None
    figures: dict[str, Any] = {"kills": kills, "seed": seed}
    figures["power_cuts"] = cut(cuts, seed, say) if cut else {}
    figures |= kill(kills, seed, say) if kill else {}
    say("")
    return figures | {"wall_s": round(time.monotonic() - started, 1)}


def _cutter() -> Half:
    try:
        from apps.chaos.cuts import power_cuts  # noqa: PLC0415 - apsw is for development
    except ModuleNotFoundError as error:
        if error.name != "apsw":
            raise
        raise BackendMissing(APSW) from error
    return power_cuts


def _killer() -> Half:
    from apps.chaos import kills, processes  # noqa: PLC0415 - its processes import us

    processes.mosquitto()
    return kills.play


def passed(figures: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or corrupt, and the controls proved the harness."""
    return _kills_fine(figures) and _cuts_fine(figures["power_cuts"])


def _kills_fine(figures: dict[str, Any]) -> bool:
    fine = all(figures.get(name, 0) == 0 for name in NOTHING_WRONG)
    return fine and ("control_puback" not in figures or figures["control_puback"]["lost"] > 0)


def _cuts_fine(settings: dict[str, dict[str, int]]) -> bool:
    shipped = [found for name, found in settings.items() if not name.startswith("control")]
    if any(found["lost"] or found["corrupt"] or found["noticed"] for found in shipped):
        return False
    return not settings or bool(settings[LOSES]["lost"] and settings[CORRUPTS]["corrupt"])


def as_text(figures: dict[str, Any]) -> str:
    """The figures for people, with the verdict first."""
    from apps.figures_text import table  # noqa: PLC0415 - the forked processes need none of it

    verdict = "nothing lost" if passed(figures) else "FAILED"
    return f"{verdict}\n{table(figures)}"


def _progress() -> Callable[[str], None]:
    """Writes one line over and over on a terminal; silent in a pipe."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201
