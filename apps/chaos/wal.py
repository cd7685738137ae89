"""What a power cut may do to a station's log, done by hand after a kill.

A SIGKILL leaves the log as the operating system has it; a power cut at the same moment
would also tear what was not yet synced. From outside one thing is certain: an event is
accepted, and a reader sees it, only after the sync of its commit returned. So all frames
up to the last commit in the log are left alone; whether that one was synced cannot be
known, and tearing it would claim a cut that can not have been. Behind it lie frames of a
transaction that never ended and remains of the log's earlier rounds: these are torn,
garbled, cut off or drawn out. The index of the log (-shm) is never synced at all: it may
hold anything, or be gone.
"""

import random
import struct
from pathlib import Path

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
SECTOR_BYTES = 512
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")


def end_of_commits(log: bytes) -> int:
    """Where the last commit of the log's present round ends, in bytes; 0 without one.

    Checksums are not looked at: a frame that only claims to be a commit is left alone, too.
    """
    if len(log) < HEADER_BYTES:
        return 0
    _, _, page_bytes, _, *salts, _, _ = _HEADER.unpack_from(log)
    end, size = 0, FRAME_HEADER_BYTES + page_bytes
    for start in range(HEADER_BYTES, len(log) - size + 1, size):
        _, pages_after_commit, *frame_salts, _, _ = _FRAME.unpack_from(log, start)
        if frame_salts != salts:
            break
        if pages_after_commit:
            end = start + size
    return end


def tear(path: Path, rng: random.Random) -> list[str]:
    """Tear the log and its index of the (dead) station's file at `path`; says how."""
    done = _tear_log(path.with_name(path.name + "-wal"), rng)
    index = path.with_name(path.name + "-shm")
    if index.exists() and rng.random() < 0.5:
        done.append("index garbled")
        index.write_bytes(rng.randbytes(index.stat().st_size))
    return done


def _tear_log(log: Path, rng: random.Random) -> list[str]:
    content = log.read_bytes() if log.exists() else b""
    safe = end_of_commits(content)
    if not safe:
        return []  # not one commit: no station has written here since the last checkpoint
    tail = bytearray(content[safe:])
    how = rng.choice(("cut off", "garbled", "drawn out", "torn"))
    if how == "cut off":
        del tail[rng.randint(0, len(tail)) :]
    elif how == "drawn out":
        tail += rng.choice((bytes(4096), rng.randbytes(4096)))
    else:
        for start in range(0, len(tail), SECTOR_BYTES):
            if how == "garbled" or rng.random() < 0.5:
                sector = tail[start : start + SECTOR_BYTES]
                tail[start : start + SECTOR_BYTES] = rng.randbytes(len(sector))
    log.write_bytes(content[:safe] + bytes(tail))
    return [f"log {how}"]
