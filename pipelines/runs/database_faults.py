"""A full or failing disk as SQLite tells of it, below whatever library uses it."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OF_THE_SYSTEM: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
# Extended codes of SQLite say more in their higher bits.
_PRIMARY_CODE: Final = 0xFF


@contextmanager
def telling_database_faults(database: Path) -> Iterator[None]:
    """Let a fault of the disk below a database come as the system's own, which ``telling_disk_faults`` puts in a line.

    Raises:
        OSError: SQLite said, somewhere below, that the disk is full, fails or cannot be written.
    """
    log = logging.getLogger("mlflow")
    level = log.level
    # MLflow writes the traceback of such a fault to the terminal, where one line is to say it.
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:
        number = _system_error(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(database)) from error
    finally:
        log.setLevel(level)


def _system_error(error: BaseException | None) -> int | None:
    """Give the system's number of the disk fault that SQLite raised below an error, None where it raised none."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return _OF_THE_SYSTEM.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE)
        error = error.__cause__ or error.__context__
    return None
