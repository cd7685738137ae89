"""The finder of picture traces finds each kind where it is planted, and nothing elsewhere."""

import base64
import json
import sqlite3
import zlib

import cv2
import numpy as np
import pytest
import zstandard

from apps.retail_analytics import simulate

from .retail_traces import Finder, marked

PLAIN = [picture for picture, _ in simulate.pictures("corner", 0.4, fps=15.0)]
PICTURE = marked(PLAIN)[0]
FINDER = Finder(PICTURE)
SMALL = cv2.resize(PICTURE, (64, 36), interpolation=cv2.INTER_AREA)
TINY = cv2.resize(PICTURE, (16, 12), interpolation=cv2.INTER_AREA)
INPUT = cv2.resize(PICTURE, (352, 352), interpolation=cv2.INTER_AREA)
ROWS = PICTURE[100:103].tobytes()
NOISE = np.random.default_rng(1).bytes(50_000)
LOG = b"".join(
    b"2026-11-21 05:%02d:%02d door: 14.%d pictures/s\n" % (i // 60 % 60, i % 60, i % 9)
    for i in range(2000)
)


def encoded(suffix):
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def in_a_database(tmp_path, *, deleted):
    """A row of pixels in a SQLite file with its log, or what is left of it there."""
    path = tmp_path / "a.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("CREATE TABLE a(b BLOB)")
    connection.execute("INSERT INTO a VALUES (?)", (PICTURE[:20].tobytes(),))
    connection.commit()
    if deleted:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("DELETE FROM a")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes() + path.with_name("a.sqlite-wal").read_bytes()
    connection.close()
    return data


PLANTED = {
    "rows": ROWS,
    "sixteen bytes": PICTURE[200, 20:26].tobytes()[:16],
    "rows as RGB": PICTURE[100, :, ::-1].tobytes(),
    "rows in grey": cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)[50].tobytes(),
    "one colour": PICTURE[100:102, :, 2].tobytes(),
    "PNG": encoded(".png"),
    "JPEG": encoded(".jpg"),
    "WebP": encoded(".webp"),
    "BMP": encoded(".bmp"),
    "TIFF": encoded(".tiff"),
    "PPM": encoded(".ppm"),
    "numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '|u1'}" + ROWS,
    "base64 of JPEG": base64.b64encode(encoded(".jpg")),
    "base64 of rows": b"data:" + base64.b64encode(ROWS),
    "base64 in URLs": base64.urlsafe_b64encode(b"x" + ROWS),
    "base64 with lines": base64.encodebytes(ROWS),
    "hex": ROWS.hex().encode(),
    "repr": repr(ROWS).encode(),
    "JSON string": json.dumps(ROWS.decode("latin-1")).encode(),
    "zlib": zlib.compress(ROWS),
    "zstd": zstandard.compress(b'[{"picture": "' + base64.b64encode(encoded(".png"))),
    "mosaic as JSON": json.dumps(SMALL[:, :, ::-1].tolist()).encode(),
    "mosaic as zstd JSON": zstandard.compress(json.dumps(SMALL.tolist()).encode()),
    "mosaic in grey": json.dumps(cv2.cvtColor(SMALL, cv2.COLOR_BGR2GRAY).tolist()).encode(),
    "mosaic as CSV": "\n".join(";".join(map(str, row)) for row in SMALL[:, :, 1]).encode(),
    "mosaic as shares": json.dumps((SMALL / 255).round(3).tolist()).encode(),
    "tiny": TINY.tobytes(),
    "tiny as log line": str(TINY.ravel().tolist()).encode(),
    "eight by six": cv2.resize(PICTURE, (8, 6), interpolation=cv2.INTER_AREA).tobytes(),
    "network's input": (INPUT.transpose(2, 0, 1) / 255).astype(np.float32).tobytes(),
    "network's input in bytes": INPUT.tobytes(),
    "half size": cv2.resize(PICTURE, (320, 240), interpolation=cv2.INTER_AREA).tobytes(),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found(kind):
    assert any(FINDER.traces(NOISE[:3333] + PLANTED[kind] + LOG[:5001]))


@pytest.mark.parametrize("deleted", [False, True])
def test_it_is_found_in_a_database_and_in_what_deleting_leaves(tmp_path, deleted):
    assert "rows of pixels" in FINDER.traces(in_a_database(tmp_path, deleted=deleted))


@pytest.mark.parametrize(
    "innocent",
    [
        NOISE,
        LOG,
        bytes(10_000),
        json.dumps([{"count": i % 17, "mean": i / 7} for i in range(3000)]).encode(),
        zstandard.compress(LOG),
        base64.b64encode(NOISE),
        bytes(range(256)) * 40,
    ],
    ids=["noise", "log", "nothing", "counts", "packed", "base64", "ramp"],
)
def test_nothing_is_found_where_nothing_is(innocent):
    assert list(FINDER.traces(innocent)) == []
