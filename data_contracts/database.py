"""In-memory DuckDB for queries on rows: no files, no network, no progress bar."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping


def closed_database(settings: Mapping[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """Connect to an in-memory database in UTC with these settings, which cannot be changed afterwards."""
    connection = duckdb.connect(":memory:", config={"enable_external_access": False, **settings})
    shown = connection.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    # In a notebook without widgets the bar is off, and setting it raises an error.
    if shown is not None and shown[0]:
        connection.execute("SET enable_progress_bar = false")
    connection.execute("SET GLOBAL TimeZone = 'UTC'; SET lock_configuration = true")
    return connection


def shared_database(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Connect to a database that stays open in this process, because opening one takes longer than most queries.

    A table registered with one connection is not visible to another, and is dropped when that connection is closed.

    Args:
        threads: threads a query may use; None for as many as the machine has.
    """
    return _kept_open(os.getpid(), threads).cursor()


@functools.cache
def _kept_open(_process_id: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open a database for one process; a forked process must not use the database of its parent."""
    return closed_database({} if threads is None else {"threads": threads})
