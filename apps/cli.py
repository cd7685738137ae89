"""`lineside …`: reads what was typed, does it, and says plainly when it cannot.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or settings.
"""

import argparse
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apps import carry_out
from apps.carry_out import DONE, FAILED
from apps.openers import APPS
from common import typed
from common.errors import BackendMissing, ConfigError, LinesideError

WRONG = 2
DATA = "a folder: see the app's README"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(words)
    options.typed = words
    try:
        return _carried_out(options)
    except (ConfigError, BackendMissing) as error:
        print(f"lineside: {error}", file=sys.stderr)
        return WRONG
    except LinesideError as error:
        print(f"lineside: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        if error.filename is None and not _unwritten():
            raise  # no file that somebody named: a bug keeps its traceback
        print(f"lineside: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return FAILED
    except EOFError:
        print("lineside: no password was given: ask at a terminal", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return FAILED


def _carried_out(options: argparse.Namespace) -> int:
    code = int(options.run(options) or DONE)
    print(end="", flush=True)  # what cannot be written is said now, not when Python ends
    return code


def _unwritten() -> bool:
    """Whether it is our output that cannot be written: a closed pipe, a full disk.

    Nothing of it is tried again then: Python would at the end, and say so in its own words.
    """
    try:
        print(flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="lineside", description=__doc__)
    top.add_argument("--version", action="version", version=version("lineside"))
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _run_options(_command(commands, "run", "one station, for real", app=True))
    _demo_options(_command(commands, "demo", "the whole plant in software"))
    screen = _command(commands, "screen", "the operator screens")
    screen.add_argument("--port", type=typed.port, default=8501)
    _var_option(screen)
    _evaluate_options(_command(commands, "evaluate", "accuracy on data", app=True))
    _bench_options(_command(commands, "bench", "speed beside the bare parts"))
    _quantize_options(_command(commands, "quantize", "a smaller file, if it sees enough"))
    _train_options(_command(commands, "train", "train, export, evaluate", app=True))
    doctor = _command(commands, "doctor", "what is here and what is missing")
    doctor.add_argument("--json", action="store_true")
    _user_options(_command(commands, "user", "who may sign in at a station"))
    _collect_options(_command(commands, "collect", "from the broker to a database"))
    _gaps_options(_command(commands, "gaps", "what an archive knows to be missing"))
    _dead_options(_command(commands, "dead", "events refused for good: list, re-send"))
    _audit_options(_command(commands, "audit", "is the trail of who did what whole?"))
    _baseline_options(_command(commands, "baseline", "a machine's own normal"))
    _calibrate_options(_command(commands, "calibrate", "px to mm from a picture of a target"))
    _replay_options(_command(commands, "replay", "an alert from its record"))
    statement = _command(commands, "statement", "what a shop tells about its cameras")
    statement.add_argument("--lang", default="en", choices=("en", "de"))
    _config_options(statement)
    shots = _command(commands, "screenshots", "pictures of the running screens")
    shots.add_argument("--to", type=typed.path, default=Path("docs/screens"))
    shots.add_argument("--lang", default="en")
    _chaos_options(_command(commands, "chaos", "break what buffers, count the loss"))
    return top


def _command(
    commands: Any, name: str, text: str, *, app: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=getattr(carry_out, name))
    if app:
        command.add_argument("app", choices=APPS)
    return command


def _app(text: str) -> str:
    if text not in APPS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(APPS)}")
    return text


def _config_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=typed.path, help="default: the app's own app.toml")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change one setting for this run",
    )  # fmt: skip


def _var_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--var", type=typed.path, help="where stations keep their files")


def _run_options(command: argparse.ArgumentParser) -> None:
    _config_options(command)
    _var_option(command)


def _demo_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("apps", nargs="*", type=_app, metavar="APP")
    command.add_argument("--for", type=typed.seconds, dest="seconds", metavar="SECONDS")
    command.add_argument("--json", action="store_true", help="figures at the end")
    command.add_argument("--no-screen", action="store_true")
    _config_options(command)
    _var_option(command)


def _bench_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("subject", nargs="?", choices=(*APPS, "telemetry", "screen"),
                         help="none with --model or --merge")  # fmt: skip
    _model_options(command)
    command.add_argument("--runtimes", nargs="+", default=[], metavar="R",
                         help="with --model alone: only these")  # fmt: skip
    command.add_argument("--data", type=typed.path, help="with --model alone: for accuracy")
    command.add_argument("--plot", type=typed.path, help="with --model alone: an SVG")
    command.add_argument("--merge", type=typed.path, nargs="+", metavar="JSON",
                         help="reports of several devices as one table")  # fmt: skip
    command.add_argument(
        "--hours", type=typed.number(0, 8760), help="screen: how long memory is watched"
    )
    command.add_argument("--quick", action="store_true", help="fewer rounds, no line")


def _quantize_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=typed.path, help="a bundle's folder")
    command.add_argument(
        "--data", type=typed.path, required=True, help="YOLO, with train and val"
    )
    command.add_argument(
        "--to",
        required=True,
        help="openvino-fp16, openvino-int8, onnx-qdq, tflite-fp16, tflite-int8",
    )
    command.add_argument("--out", type=typed.path, default=Path("runs/quantize"))
    command.add_argument(
        "--limit", type=typed.number(0, 1), default=0.02, help="of mAP@0.5 that may go"
    )
    command.add_argument("--json", action="store_true")


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=typed.path, help="a bundle's folder")
    command.add_argument(
        "--runtime", default="", help="auto, openvino, onnxruntime, litert, tensorrt, hailo; "
        "with a device: openvino:GPU",
    )  # fmt: skip
    command.add_argument("--artefact", default="", help="auto, fp32, fp16, int8")
    command.add_argument("--json", action="store_true")
    _config_options(command)


def _evaluate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=typed.path, required=True, help=DATA)
    command.add_argument("--split", help="of a YOLO folder; default: val")
    command.add_argument("--recipe", type=int, help="default: the last, ready-made pictures")
    _model_options(command)


def _train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=typed.path, required=True, help=DATA)
    command.add_argument("--out", type=typed.path, default=Path("runs/train"))
    command.add_argument("--name", help="of the bundle; default: the data folder's name")
    command.add_argument("--data-licence", default="as the data's owner says")
    command.add_argument("--smoke", action="store_true", help="seconds instead of hours")


def _user_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("station")
    command.add_argument("name")
    asked = command.add_mutually_exclusive_group()
    asked.add_argument("--role", default="operator", choices=("viewer", "operator", "engineer"))
    asked.add_argument("--remove", action="store_true", help="take the access away, at once")
    _var_option(command)


def _collect_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--to", required=True, metavar="URL", help="sqlite:///FILE or postgresql://…"
    )
    command.add_argument("--config", type=typed.path, help="TOML with [broker] and [collector]")
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
    command.add_argument("--port", type=typed.port, default=8102, help="of the station's API")
    todo = command.add_mutually_exclusive_group()
    todo.add_argument("--learn", action="store_true", help="from all rows on record")
    todo.add_argument("--between", type=typed.number(0, 1e11), nargs=2,
                      metavar=("START", "END"),
                      help="learn from this time: UTC, s since 1970")  # fmt: skip
    todo.add_argument("--accept", metavar="REASON", help="take what was learned into use")
    todo.add_argument(
        "--back", type=typed.whole(1), metavar="VERSION", help="an older one into use"
    )
    command.add_argument("--reason", default="", help="of going back")
    _var_option(command)


def _calibrate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("picture", type=typed.path, help="of the target, where the parts lie")
    command.add_argument("--kind", default="chessboard", choices=("chessboard", "dots"))
    command.add_argument("--columns", type=int, default=9, help="inner corners, or dots")
    command.add_argument("--rows", type=int, default=6)
    command.add_argument("--pitch", type=float, required=True, dest="pitch_mm",
                         help="mm to the next one")  # fmt: skip
    command.add_argument(
        "--out", type=typed.path, required=True, help="keeps the measurement, TOML"
    )


def _replay_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("app", choices=("patient_monitoring",))
    command.add_argument("alert", help="its id, as record and screen show it")
    _config_options(command)
    _var_option(command)


def _chaos_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--kills", type=typed.whole(0), default=100)
    command.add_argument(
        "--cuts", type=typed.whole(0), default=400, help="power cuts per setting"
    )
    command.add_argument("--seed", type=typed.whole(0), default=1)
    command.add_argument("--json", action="store_true")


if __name__ == "__main__":
    sys.exit(main())
