"""What each command of `lineside` does, with the options as they were typed.

Each imports what it needs when it runs: `lineside --help` loads no vendor library.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.openers import APPS, VAR, default_config, measure_of
from common.errors import ConfigError

if TYPE_CHECKING:
    from apps.asked import Asked

DONE, FAILED = 0, 1


def _config_path(options: argparse.Namespace, app: str) -> Path:
    return options.config or default_config(app)


def _json(figures: dict[str, Any], options: argparse.Namespace) -> str:
    """Measured figures, with what they were measured with."""
    from apps.measured import measured  # noqa: PLC0415

    return json.dumps(measured(figures, options.typed), indent=2)


def run(options: argparse.Namespace) -> None:
    """One station until it is told to stop."""
    from apps.run import run  # noqa: PLC0415

    config = _config_path(options, options.app)
    run(options.app, config, options.changes, options.var or VAR)


def demo(options: argparse.Namespace) -> int:
    """The whole plant in software."""
    from apps import demo  # noqa: PLC0415

    plan = demo.Plan(
        apps=tuple(options.apps) or APPS,
        config=options.config,
        changes=tuple(options.changes),
        var=options.var or VAR / "demo",
        seconds=options.seconds,
        screen=not options.no_screen,
        quiet=options.json,
    )
    figures = demo.play(plan)
    if options.json:
        print(_json(figures, options))
    return DONE if figures["passed"] else FAILED


def screen(options: argparse.Namespace) -> int:
    """The operator screens; who ends this process ends the server."""
    import signal  # noqa: PLC0415

    from apps import demo  # noqa: PLC0415

    server = demo.open_screen(options.port, options.var or VAR)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.terminate())
    code = server.wait()
    return DONE if code == -signal.SIGTERM else code


def _asked(options: argparse.Namespace, app: str) -> "Asked":
    from apps.asked import Asked  # noqa: PLC0415

    return Asked(
        config=_config_path(options, app),
        changes=tuple(options.changes),
        data=getattr(options, "data", None),
        split=getattr(options, "split", None),
        recipe=getattr(options, "recipe", None),
        model=options.model,
        runtime=options.runtime,
        precision=options.artefact,
        quick=getattr(options, "quick", False),
    )


def evaluate(options: argparse.Namespace) -> None:
    """Accuracy on data."""
    asked = _asked(options, options.app)
    _show(measure_of(options.app).evaluate(asked), options)


BENCHES: dict[str, tuple[str | None, ...]] = {
    "model": (None, *APPS), "runtime": (None, *APPS), "artefact": APPS, "config": APPS,
    "changes": APPS, "runtimes": (None,), "data": (None,), "plot": (None,), "merge": (None,),
    "hours": ("screen",),
}  # fmt: skip
"""Which subjects of `bench` heed an option; None is a model, or reports of one."""


def bench(options: argparse.Namespace) -> int:
    """Speed beside the bare parts."""
    subject = options.subject
    for name, heeding in BENCHES.items():
        if getattr(options, name) and subject not in heeding:
            flag = "set" if name == "changes" else name
            raise ConfigError(f"bench {subject or '--model'}: --{flag} is not for this")
    if subject is None:
        return _bench_model(options)
    if subject == "telemetry":
        from apps import telemetry_bench  # noqa: PLC0415

        figures = telemetry_bench.bench(quick=options.quick)
    elif subject == "screen":
        from apps import screen_bench  # noqa: PLC0415

        figures = screen_bench.bench(quick=options.quick, hours=options.hours)
    else:
        figures = measure_of(subject).bench(_asked(options, subject))
    _show(figures, options)
    return DONE


def _bench_model(options: argparse.Namespace) -> int:
    """One model on every runtime that runs here, or reports of several devices as one."""
    from apps import model_bench  # noqa: PLC0415
    from apps.model_bench.devices import EXPECTED  # noqa: PLC0415

    if options.merge:
        print(model_bench.as_markdown(model_bench.merged(options.merge), EXPECTED))
        return DONE
    if options.model is None:
        raise ConfigError("bench: name an app, telemetry, screen, or --model FOLDER-or-FILE")
    runtimes = options.runtimes or [options.runtime] * bool(options.runtime)
    report = model_bench.run(options.model, runtimes, options.data, quick=options.quick)
    print(_json(report, options) if options.json else model_bench.as_text(report))
    if options.plot:
        options.plot.write_text(model_bench.as_svg(report), "utf-8")
    return DONE if report["best"] else FAILED


def quantize(options: argparse.Namespace) -> None:
    """A smaller file of a model, if it still sees enough."""
    from apps.quantize import run  # noqa: PLC0415

    made = run(options.model, options.data, options.to, options.out, options.limit)
    print(_json(made, options) if options.json else made["model_toml"])


def _show(figures: dict[str, Any], options: argparse.Namespace) -> None:
    from apps.figures_text import table  # noqa: PLC0415

    print(_json(figures, options) if options.json else table(figures))


def train(options: argparse.Namespace) -> int:
    """An app's recipe, in the environment that has torch."""
    from apps.train import train  # noqa: PLC0415

    name = options.name or options.data.name
    extra = ["--data-licence", options.data_licence, *["--smoke"] * options.smoke]
    return train(options.app, options.data, options.out, name, *extra)


def doctor(options: argparse.Namespace) -> int:
    """What is here and what is missing."""
    from hardware.doctor import as_json, as_text, examine  # noqa: PLC0415

    findings = examine()
    print(as_json(findings) if options.json else as_text(findings))
    return DONE if all(finding.ok or not finding.needed for finding in findings) else FAILED


def user(options: argparse.Namespace) -> None:
    """Add a user to a station, give one a new password, or take the access away."""
    import getpass  # noqa: PLC0415

    from common.clock import SystemClock  # noqa: PLC0415
    from common.users import Users  # noqa: PLC0415

    folder = (options.var or VAR) / options.station
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such station; start it once, then add users")
    users = Users(folder / "users.json", SystemClock())
    if options.remove:
        users.remove(options.name)
        print(f"{options.name} may no longer sign in at {options.station}")
        return
    users.add(options.name, options.role, getpass.getpass(f"password for {options.name}: "))
    print(f"{options.name} is {options.role} of {options.station}")


def collect(options: argparse.Namespace) -> None:
    """From the broker to a database, until interrupted."""
    from apps import collect  # noqa: PLC0415

    collect.run(options.to, options.config, options.changes)


def gaps(options: argparse.Namespace) -> None:
    """What an archive knows to be missing."""
    from apps import collect  # noqa: PLC0415

    found = collect.gaps(options.url)
    print(json.dumps(found, indent=2) if options.json else collect.as_text(found))


def dead(options: argparse.Namespace) -> None:
    """Events refused for good: listed, or sent once more."""
    from apps import dead  # noqa: PLC0415

    folder = (options.var or VAR) / options.station
    found = dead.resend(folder) if options.resend else dead.listed(folder)
    print(json.dumps(found, indent=2) if options.json else dead.as_text(found))


def audit(options: argparse.Namespace) -> int:
    """Whether the trail of who did what is whole."""
    from apps import audit  # noqa: PLC0415

    found = audit.verify((options.var or VAR) / options.station, options.head)
    print(json.dumps(found, indent=2) if options.json else audit.as_text(found))
    return DONE if found["sound"] else FAILED


def baseline(options: argparse.Namespace) -> None:
    """A machine's own normal: shown, or changed through its station."""
    from apps import baseline  # noqa: PLC0415

    name, arguments = "", {"asset": options.asset}
    if options.learn:
        name = "learn"
    elif options.between:
        name = "choose"
        arguments |= dict(zip(("start", "end"), options.between, strict=True))
    elif options.accept is not None:
        name, arguments["reason"] = "accept", options.accept
    elif options.back:
        name = "back"
        arguments |= {"version": options.back, "reason": options.reason}
    if not name:
        folder = (options.var or VAR) / options.station
        print(json.dumps(baseline.shown(folder, options.asset), indent=2))
        return
    if not options.user:
        raise ConfigError("--user: say who asks; the station audits it")
    print(json.dumps(baseline.carried_out(options.port, options.user, name, arguments)))


def calibrate(options: argparse.Namespace) -> None:
    """From a picture of a target, the lines of a recipe."""
    from apps import calibrate  # noqa: PLC0415

    asked = {name: getattr(options, name) for name in ("kind", "columns", "rows", "pitch_mm")}
    print(calibrate.as_recipe(calibrate.measured(options.picture, asked, options.out)))


def replay(options: argparse.Namespace) -> int:
    """An alert's score and risk from its record."""
    from apps import open_ward  # noqa: PLC0415

    path = _config_path(options, options.app)
    settings = open_ward.load(path, options.changes)
    folder = (options.var or VAR) / settings.station.name
    found = open_ward.replay(settings, path, folder, options.alert)
    print(json.dumps(found, indent=2))
    return DONE if found["same"] else FAILED


def statement(options: argparse.Namespace) -> None:
    """What a shop's cameras do, keep and send, by its settings: for the DPIA and the door."""
    from apps import open_retail  # noqa: PLC0415
    from apps.retail_analytics.statement import statement  # noqa: PLC0415

    path = _config_path(options, "retail_analytics")
    print(statement(open_retail.load(path, options.changes), options.lang))


def screenshots(options: argparse.Namespace) -> None:
    """Pictures of the running screens."""
    from apps import screenshots  # noqa: PLC0415

    for path in screenshots.take(options.to, lang=options.lang):
        print(path)


def chaos(options: argparse.Namespace) -> int:
    """Break what buffers and count the loss."""
    from apps import chaos  # noqa: PLC0415

    figures = chaos.play(kills=options.kills, cuts=options.cuts, seed=options.seed)
    print(_json(figures, options) if options.json else chaos.as_text(figures))
    return DONE if chaos.passed(figures) else FAILED
