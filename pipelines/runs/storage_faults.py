"""Report a full or failing disk, and a lack of memory, in one line, whichever library met it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

import duckdb

from data_contracts.errors import ConfigurationRefused, PassportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDIES: Final = {
    errno.ENOSPC: "make room there and run it again",
    errno.EDQUOT: "make room there and run it again",
    errno.EFBIG: "raise the limit of file sizes and run it again",
    errno.EROFS: "give --out a folder that can be written",
    errno.EIO: "check the disk and run it again",
}
# DuckDB stops at the free space the disk had when it began, and calls that a lack of memory.
_OF_DUCKDB: Final = {
    "max_temp_directory_size": errno.ENOSPC,
    os.strerror(errno.ENOSPC): errno.ENOSPC,
    os.strerror(errno.EIO): errno.EIO,
}
_OF_SQLITE: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
# SQLite's extended codes carry details in their higher bits.
_PRIMARY_CODE: Final = 0xFF


# A folder of results that cannot be there: a file is in its way, or the name or the rights forbid it.
_UNUSABLE: Final = frozenset(
    {errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP}
)


class StorageFailed(PassportError):
    """The disk is full or failing; the data and the settings are not the cause."""

    exit_code: ClassVar[int] = 3


class MemoryLacking(PassportError):
    """The machine has too little memory; neither the data nor the settings are to blame."""

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}; what was published before is unchanged; remedy: end other programs, raise the limit of the shell "
            "(ulimit -v) or of the container, or use a machine with more memory, and run it again"
        )


def machine_fault(error: Exception) -> PassportError | None:
    """Return the one-line error for a disk or a memory that failed outside of any stage, or None for other errors.

    A full disk is most often that of temporary files, which the system names only sometimes.
    """
    number = error.errno if isinstance(error, OSError) else None
    # DuckDB's error is known by its name, so that it need not be imported.
    if isinstance(error, MemoryError) or number == errno.ENOMEM or type(error).__name__ == "OutOfMemoryException":
        return MemoryLacking("the machine has too little memory for this")
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        number = errno.ENOSPC
    remedy = _REMEDIES.get(number or 0)
    if remedy is None or not isinstance(error, OSError):
        return None
    place = error.filename or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - only named
    return StorageFailed(
        f"work stopped: {os.strerror(number or 0)} ({place}); what was published before is unchanged; remedy: {remedy}"
    )


@contextmanager
def emptied_if_full(folder: Path) -> Iterator[None]:
    """Remove a folder of unfinished work if the disk is full, so that it does not stay full.

    Raises:
        OSError: as it came.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def report_disk_faults(folder: Path) -> Iterator[None]:
    """Turn a full or failing disk into a one-line error instead of a traceback.

    Raises:
        StorageFailed: names the folder, the error of the operating system, and the remedy.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        place = f" ({error.filename})" if error.filename else ""
        raise StorageFailed(
            f"work on {folder} stopped: {error.strerror}{place}; what was published before is unchanged; "
            f"remedy: {remedy}"
        ) from error


@contextmanager
def refuse_unusable_folder(folder: Path) -> Iterator[None]:
    """Turn an error on making or looking into a folder of results into a refusal of its name.

    Raises:
        ConfigurationRefused: the folder cannot be where it should be; says why.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise ConfigurationRefused(
            f"{folder} cannot be used: {error.strerror}", "give --out a folder that can be written"
        ) from error


@contextmanager
def report_duckdb_faults(folder: Path) -> Iterator[None]:
    """Raise a disk fault that DuckDB meets while it spills to ``folder`` as the operating system's own error.

    Raises:
        OSError: names the folder.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        number = next((number for words, number in _OF_DUCKDB.items() if words in str(error)), None)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(folder)) from error


@contextmanager
def report_sqlite_faults(database: Path) -> Iterator[None]:
    """Raise a disk fault that SQLite meets, below whichever library uses it, as the operating system's own error.

    Raises:
        OSError: the disk is full, fails or cannot be written.
    """
    log = logging.getLogger("mlflow")
    level = log.level
    # MLflow would write the traceback of such a fault to the terminal; one line is enough.
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(database)) from error
    finally:
        log.setLevel(level)


def _error_number(error: BaseException | None) -> int | None:
    """Return the system error number of the disk fault that SQLite raised below an error, or None."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE)
        error = error.__cause__ or error.__context__
    return None
