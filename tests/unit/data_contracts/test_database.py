"""Databases for queries about rows: closed to the outside, and separate from each other."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from data_contracts.database import shared_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


@pytest.fixture(params=[None, 1], ids=["all threads", "one thread"])
def connection(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a connection to a database that other connections of the process use, too."""
    with shared_database(request.param) as connection:
        yield connection


@pytest.mark.parametrize("threads", [None, 1])
def test_a_temporary_table_belongs_to_one_connection_and_is_removed(threads: int | None) -> None:
    with shared_database(threads) as one, shared_database(threads) as other:
        one.register("rows", pa.table({"number": [1]}))
        other.register("rows", pa.table({"number": [2]}))
        assert one.sql("SELECT number FROM rows").fetchall() == [(1,)]
        assert other.sql("SELECT number FROM rows").fetchall() == [(2,)]
    with shared_database(threads) as later, pytest.raises(duckdb.CatalogException):
        later.sql("SELECT number FROM rows")


def test_every_connection_uses_utc(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_no_connection_can_read_a_file(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("number\n1\n")
    with pytest.raises(duckdb.PermissionException):
        connection.execute("SELECT * FROM read_csv(?)", [str(path)])


@pytest.mark.parametrize("setting", ["enable_external_access = true", "TimeZone = 'Asia/Shanghai'", "threads = 8"])
def test_no_connection_can_change_a_setting(connection: duckdb.DuckDBPyConnection, setting: str) -> None:
    with pytest.raises(duckdb.InvalidInputException):
        connection.execute(f"SET {setting}")


def test_a_forked_process_uses_its_own_database() -> None:
    with shared_database() as connection:
        connection.sql("SELECT sum(range) FROM range(1000000)").fetchall()
    context = get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_send_sum, args=(theirs,))
    child.start()
    theirs.close()
    assert ours.poll(60)
    assert ours.recv() == 499999500000
    child.join(60)
    assert child.exitcode == 0


def _send_sum(receiver: Any) -> None:  # noqa: ANN401 - the stubs have no common name for ends of pipes
    with shared_database() as connection:
        ((total,),) = connection.sql("SELECT CAST(sum(range) AS BIGINT) FROM range(1000000)").fetchall()
    receiver.send(total)
