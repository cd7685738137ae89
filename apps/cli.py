"""`lineside …`: reads what was typed, does it, and says plainly when it cannot.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or settings.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.openers import APPS, VAR, default_config, measure_of
from common.errors import BackendMissing, ConfigError, LinesideError

if TYPE_CHECKING:
    from apps.asked import Asked

DONE, FAILED, WRONG = 0, 1, 2
DATA = "a folder: see the app's README"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    typed = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(typed)
    options.typed = typed
    try:
        return int(options.run(options) or DONE)
    except (ConfigError, BackendMissing) as error:
        print(f"lineside: {error}", file=sys.stderr)
        return WRONG
    except LinesideError as error:
        print(f"lineside: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="lineside", description=__doc__)
    top.add_argument("--version", action="version", version=version("lineside"))
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _run_options(_command(commands, "run", _run, "one station, for real", app=True))
    _demo_options(_command(commands, "demo", _demo, "the whole plant in software"))
    screen = _command(commands, "screen", _screen, "the operator screens")
    screen.add_argument("--port", type=int, default=8501)
    _evaluate_options(_command(commands, "evaluate", _evaluate, "accuracy on data", app=True))
    bench = _command(commands, "bench", _bench, "speed beside the bare parts it is made of")
    bench.add_argument("subject", choices=(*APPS, "telemetry", "screen"))
    _model_options(bench)
    bench.add_argument("--quick", action="store_true", help="fewer rounds, no line")
    _train_options(_command(commands, "train", _train, "train, export, evaluate", app=True))
    doctor = _command(commands, "doctor", _doctor, "what is here and what is missing")
    doctor.add_argument("--json", action="store_true")
    _user_options(_command(commands, "user", _user, "add a user to a station"))
    _collect_options(_command(commands, "collect", _collect, "from the broker to a database"))
    _gaps_options(_command(commands, "gaps", _gaps, "what an archive knows to be missing"))
    _dead_options(_command(commands, "dead", _dead, "events refused for good: list, re-send"))
    _audit_options(_command(commands, "audit", _audit, "is the trail of who did what whole?"))
    _baseline_options(_command(commands, "baseline", _baseline, "a machine's own normal"))
    _replay_options(_command(commands, "replay", _replay, "an alert from its record"))
    shots = _command(commands, "screenshots", _screenshots, "pictures of the running screens")
    shots.add_argument("--to", type=Path, default=Path("docs/screens"))
    shots.add_argument("--lang", default="en")
    _chaos_options(_command(commands, "chaos", _chaos, "break what buffers, count the loss"))
    return top


def _command(
    commands: Any, name: str, run: Callable[..., Any], text: str, *, app: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    if app:
        command.add_argument("app", choices=APPS)
    return command


def _config_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, help="default: the app's own app.toml")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change one setting for this run",
    )  # fmt: skip


def _var_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--var", type=Path, help="where stations keep their files")


def _run_options(command: argparse.ArgumentParser) -> None:
    _config_options(command)
    _var_option(command)


def _demo_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("apps", nargs="*", choices=[*APPS, []], metavar="APP")
    command.add_argument("--for", type=float, dest="seconds", metavar="SECONDS")
    command.add_argument("--json", action="store_true", help="figures at the end")
    command.add_argument("--no-screen", action="store_true")
    _config_options(command)
    _var_option(command)


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, help="a bundle's folder")
    command.add_argument("--runtime", default="", help="auto, openvino, onnxruntime")
    command.add_argument("--artefact", default="", help="auto, fp32, fp16, int8")
    command.add_argument("--json", action="store_true")
    _config_options(command)


def _evaluate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, required=True, help="a folder: see the app's README"
    )
    command.add_argument("--split", help="of a YOLO folder; default: val")
    command.add_argument("--recipe", type=int, help="default: the last, ready-made pictures")
    _model_options(command)


def _train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, required=True, help="a folder: see the app's README"
    )
    command.add_argument("--out", type=Path, default=Path("runs/train"))
    command.add_argument("--name", help="of the bundle; default: the data folder's name")
    command.add_argument("--data-licence", default="as the data's owner says")
    command.add_argument("--smoke", action="store_true", help="seconds instead of hours")


def _user_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("station")
    command.add_argument("name")
    command.add_argument(
        "--role", default="operator", choices=("viewer", "operator", "engineer")
    )
    _var_option(command)


def _collect_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--to", required=True, metavar="URL", help="sqlite:///FILE or postgresql://…"
    )
    command.add_argument("--config", type=Path, help="TOML with [broker] and [collector]")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="e.g. broker.port=1883",
    )  # fmt: skip


def _gaps_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--in", required=True, metavar="URL", dest="url")
    command.add_argument("--json", action="store_true")


def _dead_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("station")
    command.add_argument("--resend", action="store_true", help="send them all once more")
    command.add_argument("--json", action="store_true")
    _var_option(command)


def _audit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("verify",))
    command.add_argument("station")
    command.add_argument("--head", help="a row's hash as it was seen elsewhere")
    command.add_argument("--json", action="store_true")
    _var_option(command)


def _baseline_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("asset")
    command.add_argument("--station", default="predictive-maintenance")
    command.add_argument("--user", help="who asks; the station wants to know the password")
    command.add_argument("--port", type=int, default=8102, help="of the station's API")
    todo = command.add_mutually_exclusive_group()
    todo.add_argument("--learn", action="store_true", help="from all rows on record")
    todo.add_argument("--between", type=float, nargs=2, metavar=("START", "END"),
                      help="learn from this time: UTC, s since 1970")  # fmt: skip
    todo.add_argument("--accept", metavar="REASON", help="take what was learned into use")
    todo.add_argument("--back", type=int, metavar="VERSION", help="an older one into use")
    command.add_argument("--reason", default="", help="of going back")
    _var_option(command)


def _replay_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("app", choices=("patient_monitoring",))
    command.add_argument("alert", help="its id, as record and screen show it")
    _config_options(command)
    _var_option(command)


def _chaos_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--kills", type=int, default=100)
    command.add_argument("--cuts", type=int, default=400, help="power cuts per setting")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--json", action="store_true")


# Commands import what they need when they run: `lineside --help` loads no vendor library.


def _config_path(options: argparse.Namespace, app: str) -> Path:
    return options.config or default_config(app)


def _json(figures: dict[str, Any], options: argparse.Namespace) -> str:
    """Measured figures, with what they were measured with."""
    from apps.measured import measured  # noqa: PLC0415

    return json.dumps(measured(figures, options.typed), indent=2)


def _run(options: argparse.Namespace) -> None:
    from apps.run import run  # noqa: PLC0415

    config = _config_path(options, options.app)
    run(options.app, config, options.changes, options.var or VAR)


def _demo(options: argparse.Namespace) -> int:
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


def _screen(options: argparse.Namespace) -> int:
    from apps import demo  # noqa: PLC0415

    return demo.open_screen(options.port, VAR).wait()


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


def _evaluate(options: argparse.Namespace) -> None:
    asked = _asked(options, options.app)
    _show(measure_of(options.app).evaluate(asked), options)


def _bench(options: argparse.Namespace) -> None:
    if options.subject == "telemetry":
        from apps import telemetry_bench  # noqa: PLC0415

        _show(telemetry_bench.bench(quick=options.quick), options)
    elif options.subject == "screen":
        from apps import screen_bench  # noqa: PLC0415

        _show(screen_bench.bench(quick=options.quick), options)
    else:
        asked = _asked(options, options.subject)
        _show(measure_of(options.subject).bench(asked), options)


def _show(figures: dict[str, Any], options: argparse.Namespace) -> None:
    from apps.figures_text import table  # noqa: PLC0415

    print(_json(figures, options) if options.json else table(figures))


def _train(options: argparse.Namespace) -> int:
    from apps.train import train  # noqa: PLC0415

    name = options.name or options.data.name
    extra = ["--data-licence", options.data_licence, *["--smoke"] * options.smoke]
    return train(options.app, options.data, options.out, name, *extra)


def _doctor(options: argparse.Namespace) -> int:
    from hardware.doctor import as_json, as_text, examine  # noqa: PLC0415

    findings = examine()
    print(as_json(findings) if options.json else as_text(findings))
    return DONE if all(finding.ok or not finding.needed for finding in findings) else FAILED


def _user(options: argparse.Namespace) -> None:
    import getpass  # noqa: PLC0415

    from common.clock import SystemClock  # noqa: PLC0415
    from common.users import Users  # noqa: PLC0415

    folder = (options.var or VAR) / options.station
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such station; start it once, then add users")
    users = Users(folder / "users.json", SystemClock())
    users.add(options.name, options.role, getpass.getpass(f"password for {options.name}: "))
    print(f"{options.name} is {options.role} of {options.station}")


def _collect(options: argparse.Namespace) -> None:
    from apps import collect  # noqa: PLC0415

    collect.run(options.to, options.config, options.changes)


def _gaps(options: argparse.Namespace) -> None:
    from apps import collect  # noqa: PLC0415

    found = collect.gaps(options.url)
    print(json.dumps(found, indent=2) if options.json else collect.as_text(found))


def _dead(options: argparse.Namespace) -> None:
    from apps import dead  # noqa: PLC0415

    folder = (options.var or VAR) / options.station
    found = dead.resend(folder) if options.resend else dead.listed(folder)
    print(json.dumps(found, indent=2) if options.json else dead.as_text(found))


def _audit(options: argparse.Namespace) -> int:
    from apps import audit  # noqa: PLC0415

    found = audit.verify((options.var or VAR) / options.station, options.head)
    print(json.dumps(found, indent=2) if options.json else audit.as_text(found))
    return DONE if found["sound"] else FAILED


def _baseline(options: argparse.Namespace) -> None:
    from apps import baseline  # noqa: PLC0415

    name, arguments = "", {"asset": options.asset}
    if options.learn:
        name = "learn"
    elif options.between:
        name = "choose"
        arguments |= dict(zip(("start", "end"), options.between, strict=True))
    elif options.accept:
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


def _replay(options: argparse.Namespace) -> int:
    from apps import open_ward  # noqa: PLC0415

    path = _config_path(options, options.app)
    settings = open_ward.load(path, options.changes)
    folder = (options.var or VAR) / settings.station.name
    found = open_ward.replay(settings, path, folder, options.alert)
    print(json.dumps(found, indent=2))
    return DONE if found["same"] else FAILED


def _screenshots(options: argparse.Namespace) -> None:
    from apps import screenshots  # noqa: PLC0415

    for path in screenshots.take(options.to, lang=options.lang):
        print(path)


def _chaos(options: argparse.Namespace) -> int:
    from apps import chaos  # noqa: PLC0415

    figures = chaos.play(kills=options.kills, cuts=options.cuts, seed=options.seed)
    print(_json(figures, options) if options.json else chaos.as_text(figures))
    return DONE if chaos.passed(figures) else FAILED


if __name__ == "__main__":
    sys.exit(main())
