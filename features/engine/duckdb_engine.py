"""The embedded engine, DuckDB. Another engine needs only ``load``, ``query_steps`` and ``close``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import duckdb

from data_contracts.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import pyarrow as pa


class DuckDbEngine:
    """DuckDB in memory, in UTC, without access to files or the network.

    Sums of DECIMAL and BIGINT are exact, so the number of threads changes no bit of a result.
    """

    def __init__(self, threads: int | None = None) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": "false"}
        if threads is not None:
            config["threads"] = str(threads)
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("CREATE MACRO unix_date(day) AS date_diff('day', DATE '1970-01-01', day)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, name: str, table: pa.Table) -> None:
        """Copy ``table`` into the engine under ``name``."""
        self._connection.register("arriving", table)
        self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS FROM arriving")
        self._connection.unregister("arriving")

    def query(self, sql: str) -> pa.Table:
        """Run ``sql`` and return the result as an Arrow table.

        Raises:
            InputRefused: an amount is too large to sum exactly.
        """
        with _exact_sums():
            result: pa.Table = self._connection.sql(sql).to_arrow_table()
        return result

    def query_steps(self, steps: Mapping[str, str]) -> pa.Table:
        """Run statements in order, each of them readable by its name in those after it; return the result of the last.

        Raises:
            InputRefused: an amount is too large to sum exactly.
        """
        *before, (_, last) = steps.items()
        with _exact_sums():
            for name, sql in before:
                self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {sql}")
        return self.query(last)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def _exact_sums() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        raise InputRefused(
            file="canonical tables",
            rule=f"an amount is too large to sum exactly ({str(error).splitlines()[0]})",
            remedy="check the amounts of the raw files for misplaced decimal marks",
        ) from error


def quoted(name: str) -> str:
    """Quote a name as a SQL identifier.

    Raises:
        ValueError: the name is not a plain identifier.
    """
    if not name.isidentifier():
        raise ValueError(f"not a plain name: {name!r}")
    return f'"{name}"'
