"""While the process is sealed nothing in it writes or encodes a picture, nor does a crash."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps import retail_analytics
from apps.retail_analytics import guard
from apps.retail_analytics.guard import PictureBarred

APP = Path(retail_analytics.__file__).parent
PICTURE = np.zeros((9, 9, 3), np.uint8)
NOT_IN_THE_STATION = {"training", "models"}
"""Training runs elsewhere, on pictures that people gave for it."""


@pytest.fixture
def station(tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    with guard.sealed(folder):
        yield folder


ATTEMPTS = {
    "imwrite": lambda folder: cv2.imwrite(str(folder / "a.png"), PICTURE),
    "imencode": lambda _: cv2.imencode(".jpg", PICTURE),
    "imencodemulti": lambda _: cv2.imencodemulti(".tiff", [PICTURE]),
    "VideoWriter": lambda folder: cv2.VideoWriter(str(folder / "a.avi"), 0, 15.0, (9, 9)),
    "FileStorage": lambda folder: cv2.FileStorage(str(folder / "a.xml"), 1),
    "imshow": lambda _: cv2.imshow("picture", PICTURE),
    "numpy.save": lambda folder: np.save(folder / "a", PICTURE),
    "numpy.savez": lambda folder: np.savez(folder / "a", PICTURE),
    "numpy.savetxt": lambda folder: np.savetxt(folder / "a.csv", PICTURE[0]),
    "numpy.memmap": lambda folder: np.memmap(folder / "a", np.uint8, "w+", shape=(9,)),
    "write_array": lambda _: np.lib.format.write_array(sys.stdout, PICTURE),
    "tofile": lambda folder: PICTURE.tofile(folder.parent / "a.dat"),
    "dump": lambda folder: PICTURE.dump(folder.parent / "a.dat"),
    "a file elsewhere": lambda folder: (folder.parent / "a.txt").write_bytes(b"1"),
    "a file beside it": lambda folder: Path(f"{folder}-2").write_bytes(b"1"),
    "a picture's name": lambda folder: (folder / "a.PNG").write_bytes(b"1"),
    "os.open": lambda folder: os.open(folder.parent / "a", os.O_CREAT | os.O_WRONLY),
    "a way round": lambda folder: (folder / ".." / "a").write_bytes(b"1"),
    "Pillow": lambda _: __import__("PIL.Image"),
    "a video library": lambda _: __import__("av"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_nothing_writes_encodes_or_shows(station, attempt, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("PIL", "av")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PictureBarred, match="barred in this process"):
        attempt(station)
    assert list(station.parent.iterdir()) == [station]
    assert not list(station.iterdir())


def test_a_link_out_of_the_folder_is_no_way_out(station):
    (station / "out").symlink_to(station.parent)
    with pytest.raises(PictureBarred):
        (station / "out" / "a.txt").write_bytes(b"1")


def test_what_a_station_does_is_not_barred(station):
    (station / "users.json").write_text("{}")
    assert (station / "users.json").read_text() == "{}"
    Path(os.devnull).write_text("x")
    assert Path(__file__).read_text()
    assert cv2.resize(PICTURE, (3, 3)).shape == (3, 3, 3)
    assert not isinstance(PICTURE, np.memmap)


def test_sealing_ends_and_is_never_nested(tmp_path):
    with guard.sealed(tmp_path), pytest.raises(PictureBarred, match="already"):
        guard._hook.arm(tmp_path)
    assert cv2.imencode(".png", PICTURE)[0]
    np.save(tmp_path / "a", PICTURE)


def test_every_writer_that_this_opencv_has_is_barred(station):
    """A new version's new function must not slip through: it is looked for by its name."""
    words = ("imwrite", "imencode", "writer", "savepicture", "filestorage")
    functions = [
        name
        for name in dir(cv2)
        if any(word in name.lower() for word in words)
        and callable(getattr(cv2, name))
        and name not in ("VideoWriter_fourcc", "haveImageWriter")
    ]
    assert "imwrite" in functions
    for name in functions:
        with pytest.raises(PictureBarred):
            getattr(cv2, name)()


CRASH = """
import ctypes, os, resource, sys
from pathlib import Path
from apps.retail_analytics import guard
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
seal = guard.sealed(Path(sys.argv[1]))
assert seal.__enter__().core_dumps_off
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0, "dumpable"
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
os.abort()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl and core limits are Linux's")
def test_a_crash_leaves_no_memory_image(tmp_path):
    crashed = subprocess.Popen(
        [sys.executable, "-c", CRASH, str(tmp_path)], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(APP.parents[1])}, stderr=subprocess.PIPE,
    )  # fmt: skip
    errors = crashed.stderr.read().decode()
    crashed.stderr.close()
    _, status = os.waitpid(crashed.pid, 0)
    crashed.returncode = os.waitstatus_to_exitcode(status)
    assert crashed.returncode == -signal.SIGABRT, errors
    assert not os.WCOREDUMP(status)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------ the lint, for this app

FORBIDDEN_CALLS = {
    "imwrite", "imencode", "imwritemulti", "imencodemulti", "imwriteanimation", "imshow",
    "imencodeanimation", "VideoWriter", "FileStorage", "tofile", "dump", "savez", "memmap",
    "savez_compressed", "savetxt", "tobytes", "tostring", "b64encode", "write_bytes",
}  # fmt: skip
ALLOWED = {("sight.py", "tobytes")}  # one row of sums, compared and thrown away
FORBIDDEN_IMPORTS = guard.PACKAGES | {"pickle", "base64", "shelve", "marshal"}


def sources():
    return [
        path
        for path in sorted(APP.rglob("*.py"))
        if not NOT_IN_THE_STATION & set(path.relative_to(APP).parts)
        and path.name not in ("guard.py",)
    ]


def offences(name, text):
    """What in one file of the app could turn pixels into bytes, as "line: word"."""
    found = []
    for node in ast.walk(ast.parse(text)):
        words = []
        if isinstance(node, ast.Attribute | ast.Name):
            word = node.attr if isinstance(node, ast.Attribute) else node.id
            words = [word] * (word in FORBIDDEN_CALLS)
            if word == "save" and isinstance(node, ast.Attribute):
                words = [word]
        elif isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
            words = [name for name in names if name in FORBIDDEN_IMPORTS]
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").partition(".")[0]
            names = [alias.name for alias in node.names]
            words = [name for name in names if name in FORBIDDEN_CALLS]
            words += [module] * (module in FORBIDDEN_IMPORTS)
            words += ["common.pictures"] * (node.module == "common.pictures")
        found += [f"{node.lineno}: {word}" for word in words if (name, word) not in ALLOWED]
    return found


def test_this_app_has_no_code_that_writes_or_encodes_pictures():
    files = sources()
    assert APP / "perceive.py" in files
    found = [
        f"{path.name}:{bad}" for path in files for bad in offences(path.name, path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import cv2\ncv2.imwrite('a.png', frame)",
        "from cv2 import imencode",
        "import PIL.Image",
        "from PIL import Image",
        "frame.tofile('a')",
        "import pickle",
        "from base64 import b64encode",
        "store.pictures.save(connection, name, data, wall)",
        "np.save(path, frame)",
        "path.write_bytes(frame)",
        "from common.pictures import Pictures",
        "body['picture'] = frame.tobytes()",
    ],
)
def test_the_lint_finds_what_it_looks_for(line):
    assert offences("new.py", line)
