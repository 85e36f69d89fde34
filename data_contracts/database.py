"""In-memory DuckDB for questions about rows: no files, no network, nothing drawn on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping


def closed_database(settings: Mapping[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """Connect to an in-memory database in UTC with these settings, which nothing can change afterwards."""
    connection = duckdb.connect(":memory:", config={"enable_external_access": False, **settings})
    shown = connection.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    # In a notebook without widgets the bar is off, and setting it at all is an error.
    if shown is not None and shown[0]:
        connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")
    return connection
