"""What survives a power cut: the old file or the new one, never half of one."""

import os
import stat
from pathlib import Path

import pytest

from common import whole_file
from common.whole_file import write_whole


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in its order."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        size = "" if is_folder else f" of {os.fstat(descriptor).st_size} bytes"
        done.append(f"sync {'folder' if is_folder else 'file'}{size}")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append(f"rename {path.name} {target.name}")
        return replace(path, target)

    monkeypatch.setattr(whole_file.os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return done


def test_bytes_reach_the_disk_before_their_name_and_the_name_before_the_return(
    tmp_path: Path, steps: list[str]
) -> None:
    write_whole(tmp_path / "a.json", b"12345")
    assert steps == ["sync file of 5 bytes", "rename a.json.new a.json", "sync folder"]
    assert (tmp_path / "a.json").read_bytes() == b"12345"


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_only_who_may_can_read_it_and_nothing_lies_beside(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.new").write_text("left by a power cut, for all to read")
    write_whole(tmp_path / "a", b"new", mode)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode & ~_umask()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "a", b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(whole_file.os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_root_writes_belongs_to_the_owner_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(whole_file.os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        whole_file.os, "fchown", lambda _, user, group: given.append((user, group))
    )
    write_whole(tmp_path / "a", b"new")
    assert given == [(tmp_path.stat().st_uid, -1)]


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now
