"""How good it is on recordings, beside the plain methods: detection, lead, false alarms.

Two forms of data, told apart by the columns of index.csv. Labelled recordings: are faulty
machines told from healthy ones? Run-to-failure histories: how long before the end, and was
anything said before? And, because such data are hours long, false alarms are counted over
weeks of simulated plant that changes speed and load. Machines and runs are never split: a
baseline is a machine's own healthy time, everything after it is test.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.predictive_maintenance.config import Settings
from apps.predictive_maintenance.evaluation import labelled, runs, weeks
from apps.predictive_maintenance.sequence import SequenceModel
from common.errors import ConfigError

INDEX = "index.csv"
FORMS = {
    "labelled": {"file", "condition", "fs_hz"},
    "runs": {"file", "rpm", "fs_hz", "end_of_test_s"},
}
Progress = Callable[[str], None]
Row = dict[str, str]


def read_index(folder: Path) -> tuple[str, list[Row]]:
    """("labelled" or "runs", the rows of index.csv); raises ConfigError."""
    path = folder / INDEX
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), set(reader.fieldnames or ())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no CSV file ({error})") from error
    form = next((name for name, needed in FORMS.items() if needed <= columns), None)
    if form is None:
        needs = "; or ".join(f"{', '.join(sorted(v))} ({k})" for k, v in FORMS.items())
        raise ConfigError(
            f"{path}: has the columns {', '.join(sorted(columns))}; needs {needs}"
        )
    if not rows:
        raise ConfigError(f"{path}: has no rows")
    return form, rows


def evaluate(
    settings: Settings,
    data: Path,
    model: SequenceModel | None,
    *,
    simulated_weeks: float = 20.0,
    keep: Callable[[Row], bool] = lambda _: True,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """All figures on one folder, as the JSON that README and card use.

    `simulated_weeks` of machine time are watched for false alarms; 0 leaves that out. Only
    the rows of the index that `keep` says yes to are looked at.
    """
    form, rows = read_index(data)
    rows = [row for row in rows if keep(row)]
    run = labelled.evaluate if form == "labelled" else runs.evaluate
    figures = run(settings, data, rows, model, progress)
    healthy = weeks.evaluate(settings, model, simulated_weeks, progress)
    for name, rate in healthy.pop("by_method").items():
        figures["methods"][name]["false_alarms_per_machine_week"] = rate
    return {"form": form, "model": model.name if model else None, **figures, **healthy}
