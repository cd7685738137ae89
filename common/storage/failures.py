"""Whose fault it is when the store fails: the operation's, the disk's or the file's."""

import errno
import sqlite3

from common.errors import LinesideError

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
STORAGE_FAILED = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    *DAMAGED,
)
ELSEWHERE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
)
"""The disk or the machine is to blame, not what the file holds."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class StoreError(LinesideError):
    """The station's file cannot be used; the text says why."""


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 when the error carries none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_storage_failure(error: Exception | None) -> bool:
    """Whether the disk or the file failed and not the operation: also a picture's OSError."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in STORAGE_FAILED
    return isinstance(error, OSError)


def is_full(error: BaseException | None) -> bool:
    """Whether there is no room, on the disk or within the file's limit."""
    if isinstance(error, StoreError):
        return is_full(error.__cause__)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
    return isinstance(error, OSError) and error.errno in NO_SPACE


def is_damage(error: BaseException | None) -> bool:
    """Whether what the file holds cannot be right; also as the cause of a StoreError.

    "Read-only" without a finer code is said of a file that we could open for writing: its
    header claims a format of the future.
    """
    if isinstance(error, StoreError):
        return is_damage(error.__cause__)
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0)
    return code == sqlite3.SQLITE_READONLY or primary_code(error) in DAMAGED


def spoils_file(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether a first look at a file failed by what is in it, not by disk or machine.

    Where SQLite quotes garbage, Python may fail to decode the message.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    return is_damage(error) or primary_code(error) not in ELSEWHERE
