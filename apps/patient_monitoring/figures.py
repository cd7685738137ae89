"""Figures as Markdown: card and README say what the JSON says, word for word."""

from typing import Any

from apps.patient_monitoring import elsewhere

HEADS = (
    "method", "AUROC", "AUPRC", "AUROC same hour", "sensitivity at NEWS2's alarms",
    "onsets caught", "lead h", "calls per patient-day", "utility",
)  # fmt: skip
KEYS = (
    "auroc", "auprc", "auroc_same_hour", "sensitivity_at_news2_alarm_rate", "onsets_caught",
    "lead_h", "calls_per_patient_day", "utility",
)  # fmt: skip
LOADS = (
    "patients", "wards", "alarms seen", "p50", "p95", "p99", "most", "messages/s",
    "beats missed", "cores", "memory MB", "growth MB",
)  # fmt: skip
STEPS = ("perceive", "decide", "act", "record", "snapshot", "total")
RATES = ("plain_limits", "ours", "ours_physiological", "ours_technical", "ours_outside_courses")


def methods(found: dict[str, Any]) -> list[str]:
    """One row per method of `evaluate`."""
    return table(HEADS, [[name, *(of[key] for key in KEYS)] for name, of in found.items()])


def accuracy(found: dict[str, Any]) -> str:
    """What `lineside evaluate patient_monitoring --json` said, for the README."""
    calibration = found["methods"]["model"]["calibration"]
    lines = [
        f"{found['patients']} patients held out ({', '.join(found['hospitals'])}), "
        f"{found['onsets']} onsets, {found['labelled_hours_percent']:g} % of hours labelled; "
        f"alarms of NEWS2 ≥ 5 per patient-day: {found['alarms_per_patient_day']:g}.",
        "",
        *methods(found["methods"]),
        "",
        "With the time since admission, which no shipped model knows and none may know:",
        "",
        *methods(found["with_time"]),
        "",
        f"Calibration of the model: slope {calibration['slope']:g}, expected error "
        f"{calibration['expected_error']:g}, Brier {calibration['brier']:g}; predicted "
        f"{calibration['mean_predicted']:g}, seen {calibration['mean_seen']:g}. Utility of the "
        f"challenge's winner, with laboratory and time: {found['published_winner_utility']:g}.",
    ]
    if found.get("elsewhere"):
        lines += ["", "The same patients as another hospital might have charted them:", ""]
        lines += table(*elsewhere.table(found["elsewhere"]))
    if found.get("deaths"):
        lines += ["", *_deaths(found["deaths"])]
    return "\n".join(lines) + "\n"


def _deaths(found: dict[str, Any]) -> list[str]:
    rows = [[name, of["auroc"], of["auprc"]] for name, of in found["methods"].items()]
    said = f"{found['data']}: {found['patients']} patients, {found['deaths']} deaths; "
    said += f"{found['outcome']}, an outcome that the model was not made for."
    return [said, "", *table(("method", "AUROC", "AUPRC"), rows)]


def burden(found: dict[str, Any]) -> str:
    """What `burden` measured on a simulated week, for the README."""
    rates = [[name.replace("_", " "), found["alarms_per_patient_day"][name]] for name in RATES]
    courses = [
        [kind, of["courses"], of["missed"], *_spread(of["lead_before_crisis_min"]),
         of["onset_to_crisis_min"]]
        for kind, of in found["courses"].items()
    ]  # fmt: skip
    lines = [
        f"{found['patients']} patients, {found['days']:g} days, signs every "
        f"{found['step_s']:g} s, seed {found['seed']}: "
        f"{found['fewer_percent']:g} % fewer alarms than plain limits, "
        f"{found['missed_courses']} courses missed; the score is incomplete "
        f"{found['score_incomplete_percent']:g} % of the time.",
        "",
        *table(("alarms per patient-day", ""), rates),
        "",
        *table(
            ("course", "of them", "missed", "lead min: least", "median", "most",
             "onset to crisis min"), courses,
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def speed(found: dict[str, Any]) -> str:
    """What `lineside bench patient_monitoring --json` said, for the README."""
    machine = found["machine"]
    loads = [
        [int(patients), of["wards"], f"{of['alarms_seen']} / {of['alarms_expected']}",
         *(of["wire_to_visible_ms"][name] for name in ("p50", "p95", "p99", "max")),
         of["messages_per_s"], of["beats_missed"], of["cpu_cores"], of["memory_mb"],
         of["memory_growth_mb"]]
        for patients, of in found["patients"].items()
    ]  # fmt: skip
    alone = found["one_process"]["patients"]
    steps = [
        [int(patients), *(_both(of["steps_ms"][step]) for step in STEPS),
         of["receive_us_per_message"], of["cpu_cores"]]
        for patients, of in alone.items()
    ]  # fmt: skip
    lines = [
        f"`{found['command']}` at commit {found['commit']}, {machine['cores']} cores of "
        f"{machine['cpu']}. From wire to visible in ms.",
        "",
        *table(LOADS, loads),
        "",
        "One gateway alone in a process, p50 / p99 of its steps in ms; a message in µs:",
        "",
        *table(("patients", *STEPS, "message", "cores"), steps),
    ]
    return "\n".join(lines) + "\n"


def _both(found: dict[str, float]) -> str:
    return f"{found['p50']:g} / {found['p99']:g}"


def _spread(found: dict[str, float] | None) -> list[float | None]:
    names = ("least", "median", "most")
    return [found[name] for name in names] if found else [None] * len(names)


def table(heads: tuple[str, ...], rows: list[list[Any]]) -> list[str]:
    """Lines of a Markdown table; None is –."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return lines + [f"| {' | '.join(map(_cell, row))} |" for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
