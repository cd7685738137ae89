"""How good it is on recordings, beside the plain methods: detection, lead, false alarms.

Two forms of data, told apart by the columns of index.csv. Labelled recordings: are faulty
machines told from healthy ones? Run-to-failure histories: how long before the end, and was
anything said before? And, because such data are hours long, false alarms are counted over
weeks of simulated plant that changes speed and load. Machines and runs are never split: a
baseline is a machine's own healthy time, everything after it is test.
"""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.evaluation import labelled, runs, weeks
from apps.predictive_maintenance.sequence import SequenceModel
from common.errors import ConfigError
from common.inference.bundle import open_bundle
from common.inference.selection import OpenRuntime, open_model

INDEX = "index.csv"
FORMS = {
    "labelled": {"file", "condition", "fs_hz"},
    "runs": {"file", "rpm", "fs_hz", "end_of_test_s"},
}
SIMULATED_WEEKS = 20.0
"""Machine time without any fault, watched for false alarms."""
Progress = Callable[[str], None]
Row = dict[str, str]


def read_index(folder: Path) -> tuple[str, list[Row]]:
    """("labelled" or "runs", the rows of index.csv); raises ConfigError."""
    path = folder / INDEX
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, skipinitialspace=True))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no CSV file ({error})") from error
    columns = [name.strip() for name in lines[0]] if lines else []
    rows = [_row(columns, line, path) for line in lines[1:] if any(line)]
    form = next((name for name, needed in FORMS.items() if needed <= set(columns)), None)
    if form is None:
        needs = "; or ".join(f"{', '.join(sorted(v))} ({k})" for k, v in FORMS.items())
        raise ConfigError(
            f"{path}: has the columns {', '.join(sorted(columns))}; needs {needs}"
        )
    if not rows:
        raise ConfigError(f"{path}: has no rows")
    again = [file for file, times in Counter(row["file"] for row in rows).items() if times > 1]
    if again:
        raise ConfigError(f"{path}: two rows name {again[0]}")
    unknown = [row["file"] for row in rows if not row.get("condition", "?")]
    if unknown and form == "labelled":
        raise ConfigError(f"{path}: gives no condition of {unknown[0]}")
    return form, rows


def _row(columns: list[str], line: list[str], path: Path) -> Row:
    row = dict(zip(columns, (value.strip() for value in line), strict=False))
    missing = [name for name in columns if name not in row]
    if missing or len(line) > len(columns):
        raise ConfigError(
            f"{path}: a row has {len(line)} values for {len(columns)} columns: "
            f"{', '.join(line)[:80]}"
        )
    return row


def run(
    settings: Settings,
    path: Path,
    data: Path,
    open_runtime: OpenRuntime,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """All figures with the model that `settings` (read from `path`) name, on `data`.

    Raises ConfigError for data that cannot be used, BundleError or BackendMissing for a model
    that cannot be opened. A model that is switched off is left out.
    """
    read_index(data)  # before anything is opened
    if not settings.model.enabled:
        return evaluate(settings, data, None, progress=progress)
    bundle = open_bundle(path.parent / settings.model.bundle)
    wanted = settings.model.runtime, settings.model.precision
    model = SequenceModel(open_model(bundle, open_runtime, *wanted).model)
    try:
        return evaluate(settings, data, model, progress=progress)
    finally:
        model.close()


def evaluate(
    settings: Settings,
    data: Path,
    model: SequenceModel | None,
    *,
    simulated_weeks: float | None = None,
    keep: Callable[[Row], bool] = lambda _: True,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """All figures on one folder, as the JSON that README and card use.

    `simulated_weeks` of machine time (None: SIMULATED_WEEKS) are watched for false alarms; 0
    leaves that out. Only the rows of the index that `keep` says yes to are looked at.
    """
    form, rows = read_index(data)
    rows = [row for row in rows if keep(row)]
    look = labelled.evaluate if form == "labelled" else runs.evaluate
    figures = look(settings, data, rows, model, progress)
    watched = SIMULATED_WEEKS if simulated_weeks is None else simulated_weeks
    healthy = weeks.evaluate(settings, model, watched, progress)
    for name, rate in healthy.pop("by_method").items():
        figures["methods"][name]["false_alarms_per_machine_week"] = rate
    return {"form": form, "model": model.name if model else None, **figures, **healthy}
