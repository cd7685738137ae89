"""Which alarms are active: the plant's condition, read off as alarms.toml names it.

Pure, like `decide`: a table that an engineer can check against alarms.toml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.predictive_maintenance.config import APP, Machine
from apps.predictive_maintenance.domain import Verdict
from common.alarms.definition import AlarmDefinition, at_place, load_definitions
from common.alarms.diagnostics import well

EACH = "machine_"
UNJUDGED_S = 86_400.0
SHOWN = 5
"""Names in one detail."""


@dataclass(frozen=True, slots=True)
class MachineCondition:
    """One machine as the alarms see it."""

    verdict: Verdict = Verdict.UNKNOWN
    evidence: str = ""
    """The worst reason for the verdict; of a stop all that ask for it."""
    stopping: frozenset[str] = frozenset()
    """The kinds of evidence that ask for a stop."""
    wrong: str = ""
    """What is wrong with its records; empty: nothing."""
    age_s: float | None = None
    """Since its last record; None: none came since the start."""
    unjudged_s: float = 0.0
    """For how long it ran since it was last judged, and compared with something."""
    damaged: str = ""
    """Why its baseline cannot be read; empty where it can, or there is none."""
    temperature: str = ""
    """What is wrong with its temperature alone; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the loop knows; texts are empty when all is well."""

    machines: Mapping[str, MachineCondition]
    silent_s: float
    up_s: float = 0.0
    """Since the station started: before, no machine can be silent."""
    sources: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    lost: int = 0
    """Records lost since the last look."""
    inference: str = ""
    orders: str = ""
    refused: int = 0
    """Work orders that the CMMS refused for good."""
    light: str = ""
    unreadable: tuple[str, ...] = ()
    """What was stored and could not be read, at the first look after the start."""
    diagnostics: Mapping[str, str] = field(default_factory=well)
    """What the station tells of itself."""


def definitions(machines: Mapping[str, Machine]) -> dict[str, AlarmDefinition]:
    """All alarms of this plant; raises ConfigError."""
    found: dict[str, AlarmDefinition] = {}
    for name, definition in load_definitions(APP / "alarms.toml").items():
        if not name.startswith(EACH):
            found[name] = definition
            continue
        for asset, machine in machines.items():
            alarm_id = f"{name}.{asset}"
            found[alarm_id] = at_place(definition, alarm_id, machine.name or asset)
    return found


def priority(alarm_id: str, machines: Mapping[str, Machine]) -> int | None:
    """More urgent than alarms.toml says, where the machine stops production."""
    name, _, asset = alarm_id.partition(".")
    machine = machines.get(asset)
    return 2 if name == "machine_plan" and machine and machine.criticality == 1 else None


def active_alarms(now: Condition) -> dict[str, str]:
    """Alarm id → detail, of active alarms alone."""
    found = {
        "source_failed": "; ".join(f"{name}: {why}" for name, why in now.sources.items()),
        "unknown_asset": ", ".join(now.unknown[:SHOWN]),
        "overload": f"{now.lost} records lost" if now.lost else "",
        "inference_failed": now.inference,
        "orders_waiting": now.orders,
        "orders_refused": f"{now.refused} refused for good" if now.refused else "",
        "light_failed": now.light,
        "stored_unreadable": ", ".join(now.unreadable),
        **now.diagnostics,
    }
    for asset, machine in now.machines.items():
        for name, detail in _of_machine(machine, now).items():
            found[f"{EACH}{name}.{asset}"] = detail
    return {name: detail for name, detail in found.items() if detail}


def worse(before: Mapping[str, MachineCondition], now: Condition) -> set[str]:
    """Alarms of a stop that has a cause that it did not have: these must sound again."""
    return {
        f"{EACH}stop.{asset}"
        for asset, machine in now.machines.items()
        if machine.stopping - before.get(asset, machine).stopping
    }


def unsure(now: Condition) -> frozenset[str]:
    """Machines that are not heard, measured badly, or not judged for long."""
    return frozenset(
        asset
        for asset, machine in now.machines.items()
        if machine.wrong
        or machine.age_s is None
        or machine.age_s > now.silent_s
        or machine.unjudged_s > UNJUDGED_S
    )


def _of_machine(machine: MachineCondition, now: Condition) -> dict[str, str]:
    why = machine.evidence or "its cause is gone; nobody has acknowledged it"
    age = machine.age_s if machine.age_s is not None else now.up_s
    silent = age > now.silent_s
    unjudged = machine.unjudged_s > UNJUDGED_S and not machine.wrong and not silent
    return {
        "stop": why if machine.verdict is Verdict.STOP else "",
        "plan": why if machine.verdict is Verdict.PLAN else "",
        "sensor": machine.wrong,
        "temperature": machine.temperature,
        "silent": f"since {age:.0f} s" if silent else "",
        "baseline": machine.damaged,
        "unjudged": f"for {machine.unjudged_s / 3600:.0f} h" if unjudged else "",
    }
