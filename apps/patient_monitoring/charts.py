"""Hourly charts of patients whose outcome is known: PhysioNet/CinC 2019 (psv) and 2012 (txt).

What the charts lack is said, not made up: 2019 has no consciousness, and oxygen only as a
charted FiO2; 2012 has a coma scale, but respiration for few patients.
"""

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np

from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.trends import HOURS
from common.errors import ConfigError

COLUMNS = ("HR", "O2Sat", "Temp", "SBP", "Resp")
"""In the order of `trends.MODEL_SIGNS`."""
NEEDED = ("HR", "O2Sat", "SBP", "Resp", "ICULOS", "SepsisLabel")
READ = (*COLUMNS, "FiO2", "Unit1", "Unit2", "ICULOS", "SepsisLabel")
"""Of a column that is not there every hour is NaN."""
FIO2_HOURS = 6
"""A charted FiO2 above that of air says "on oxygen" for so long."""
LABEL_LEAD_H = 6
"""The label turns 1 so many hours before the onset."""
MOST_BYTES = 4_000_000


@dataclass(frozen=True, eq=False)
class Charts:
    """Hours of many patients, one below the other."""

    signs: Array
    """float32 [hours, 5] as charted; NaN where not."""
    oxygen: Array
    """float32 [hours]: 1 on oxygen, NaN not known."""
    label: Array
    """bool [hours]"""
    stay_h: Array
    """float32 [hours]: since admission to the unit. Never for a model that ships."""
    patient: Array
    """int64 [hours]: index into the lists below, ascending."""
    names: tuple[str, ...]
    hospitals: tuple[str, ...]
    units: tuple[int, ...] = ()
    """Of each patient: 1 medical, 2 surgical, 0 not said; empty where no chart says it."""

    @property
    def first(self) -> Array:
        """int64 [patients + 1]: where each patient's hours begin, and the end."""
        return np.searchsorted(self.patient, np.arange(len(self.names) + 1))

    def of(self, patients: Array) -> "Charts":
        """The charts of some patients (bool [patients])."""
        kept = patients[self.patient]
        number = np.cumsum(patients) - 1
        chosen = np.flatnonzero(patients)
        return Charts(
            self.signs[kept], self.oxygen[kept], self.label[kept], self.stay_h[kept],
            number[self.patient[kept]], tuple(self.names[i] for i in chosen),
            tuple(self.hospitals[i] for i in chosen),
            tuple(self.units[i] for i in chosen) if self.units else (),
        )  # fmt: skip

    def fingerprints(self) -> list[str]:
        """One per patient, of the charted signs: the same patient under any name."""
        edges = self.first
        return [
            sha256(np.ascontiguousarray(self.signs[a:b]).tobytes()).hexdigest()[:12]
            for a, b in pairwise(edges)
        ]

    def windows(self, rows: slice) -> Array:
        """float32 [rows, 24, 5]: each hour's day, newest first; NaN before the first hour."""
        index = np.arange(rows.start, min(rows.stop, len(self.signs)))
        back = index[:, None] - np.arange(HOURS)
        inside = back >= self.first[self.patient[index]][:, None]
        return np.where(inside[:, :, None], self.signs[np.maximum(back, 0)], np.nan)


def read_2019(folder: Path) -> Charts:
    """The .psv files below `folder`, loose or in tar files; raises ConfigError."""
    found = sorted(files(folder, ".psv"), key=lambda entry: entry[0])
    if not found:
        raise ConfigError(f"{folder}: no .psv files here, neither loose nor in a tar file")
    tables = [_psv(name, text) for name, text in found]
    lengths = [len(table) for table in tables]
    rows = np.concatenate(tables).astype(np.float32)
    patient = np.repeat(np.arange(len(tables)), lengths)
    fio2, medical, surgical = rows[:, len(COLUMNS) : len(COLUMNS) + 3].T
    unit = np.where(medical == 1, 1, np.where(surgical == 1, 2, 0))
    return Charts(
        signs=rows[:, : len(COLUMNS)],
        oxygen=_oxygen(fio2, patient),
        label=rows[:, -1] == 1,
        stay_h=rows[:, -2],
        patient=patient,
        names=tuple(Path(name).stem for name, _ in found),
        hospitals=tuple(_hospital(name) for name, _ in found),
        units=tuple(unit[np.cumsum([0, *lengths[:-1]])].tolist()),
    )


def has_2019(folder: Path) -> bool:
    """Whether there is a .psv file below `folder`, loose or in a tar file."""
    return next(iter(files(folder, ".psv")), None) is not None


def _psv(name: str, text: str) -> Array:
    header, *lines = [line.split("|") for line in text.splitlines() if line.strip()] or [[]]
    header = [column.strip() for column in header]
    missing = [column for column in NEEDED if column not in header]
    if missing:
        raise ConfigError(f"{name}: not an hourly chart: no column {missing[0]}")
    if not lines:
        raise ConfigError(f"{name}: holds no hours")
    if any(len(row) != len(header) for row in lines):
        raise ConfigError(f"{name}: not an hourly chart: a row of another length")
    where = [header.index(c) if c in header else len(header) for c in READ]
    try:
        table = np.array([[float([*row, "nan"][i] or "nan") for i in where] for row in lines])
    except ValueError as error:
        raise ConfigError(f"{name}: not an hourly chart ({error})") from error
    wrong = {
        "SepsisLabel is 0 or 1": ~np.isin(table[:, READ.index("SepsisLabel")], (0, 1)),
        "ICULOS is a number": np.isnan(table[:, READ.index("ICULOS")]),
        "no value is infinite": np.isinf(table).any(axis=1),
    }
    for rule, rows in wrong.items():
        if rows.any():
            hour = int(rows.argmax()) + 1
            raise ConfigError(f"{name}: not an hourly chart: {rule}, in row {hour} it is not")
    return table


def _oxygen(fio2: Array, patient: Array) -> Array:
    """1 where a FiO2 above air was charted in the last hours; NaN where nothing says so."""
    percent = np.where(fio2 > 1, fio2, fio2 * 100)
    given = (percent > 21) & (percent <= 100)
    row = np.arange(len(fio2))
    last = np.maximum.accumulate(np.where(given, row, -1))
    lately = (last >= 0) & (row - last <= FIO2_HOURS) & (patient[last] == patient)
    return np.where(lately, np.float32(1), np.float32(np.nan))


def _hospital(name: str) -> str:
    """Hospital A of …/setA/p000001.psv or training_setA; else by the challenge's numbers.

    Those of hospital B begin with 1. Else it is the folder's own name.
    """
    folder, patient = Path(name).parent.name, Path(name).stem
    said = folder.rpartition("set")[2] if "set" in folder else ""
    if said[:1] in ("A", "B") and not said[1:2].isalpha():
        return said[0]
    if re.fullmatch(r"p[01]\d{5}", patient):
        return "B" if patient[1] == "1" else "A"
    return folder or "unnamed"


def files(folder: Path, suffix: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every file of a kind below a folder, loose or in a tar file.

    One that lies beside the tar file it came from is one file; hidden ones are none.
    """
    seen: set[tuple[str, str]] = set()
    for name, content in _found(folder, suffix):
        file = Path(name).name
        if file.startswith("."):
            continue
        known = file, sha256(content).hexdigest()
        if known not in seen:
            seen.add(known)
            yield name, _text(file, content)


def _found(folder: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".tar", ".tar.gz", ".tgz")):
            yield from _members(path, suffix)
        elif path.suffix.lower() == suffix and path.is_file():
            yield str(path.relative_to(folder.parent)), path.read_bytes()


def _members(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not (member.isfile() and member.name.lower().endswith(suffix)):
                    continue
                if member.size > MOST_BYTES:
                    raise ConfigError(f"{path}: {member.name} is too large for a chart")
                file = archive.extractfile(member)
                yield member.name, file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read ({why})") from error


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: is not text") from error
