"""What becomes of a spoilt file: refused in one line, or read with every row accepted as it stood or set aside."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import duckdb

import pipelines.ingest_batch
from data_contracts.errors import InputRefused
from data_contracts.sources.registry import source_mapping
from pipelines.deliveries import DeliveredFile, Origin
from pipelines.ingest_batch import BatchRequest, ingest_batch
from tests.factories.raw_files import HMAC_KEY
from tests.factories.templates import SELLER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.accounting import FileAccount
    from pipelines.row_sorting import SortedRows

ACCOUNT = "A1"
# Keys of groups are made unique by the account they belong to and the place where the group begins.
_PLACE_IN_FILE = re.compile(r"@[0-9]+$")
# What a row is besides what its file says.
_ABOUT_THE_FILE = ("source_row", "source_item", "row_order", "source_file", "source_sha256", "file_order")


@contextmanager
def one_database() -> Iterator[None]:
    """Let thousands of small readings use cursors of one DuckDB, because opening one costs more than a reading."""
    with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as shared:

        def connect(*_: object, **__: object) -> _Cursor:
            return _Cursor(shared)

        with mock.patch.object(duckdb, "connect", connect):
            yield


class _Cursor:
    """A cursor in the place of a connection; it cannot lock the settings that it shares."""

    def __init__(self, shared: duckdb.DuckDBPyConnection) -> None:
        self._cursor = shared.cursor()

    def execute(self, query: str, *arguments: object) -> object:
        return self._cursor.execute(query.replace("SET lock_configuration = true", ""), *arguments)

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._cursor, name)


@dataclass(frozen=True)
class Reading:
    """What one file gave: a refusal, or its account, its accepted rows as typed, and its quarantine records."""

    refusal: InputRefused | None = None
    account: FileAccount | None = None
    accepted: tuple[dict[str, Any], ...] = ()
    quarantine: pa.Table | None = None
    duplicates: pa.Table | None = None


def delivered_file(name: str, source: str, size_bytes: int) -> DeliveredFile:
    """A file as a list of deliveries tells of it."""
    return DeliveredFile(
        name=name,
        source=source,
        container=None,
        size_bytes=size_bytes,
        group=SELLER,
        seller=SELLER,
        account=ACCOUNT,
        covered_from=date(2023, 1, 1),
        covered_to=date(2023, 12, 31),
        delivered_at=datetime(2024, 1, 5, tzinfo=UTC),
        listed_sha256=None,
        evidence=Origin("delivery_manifest@1", "deliveries.csv", None, 2),
    )


def read_spoilt(folder: Path, name: str, source: str) -> Reading:
    """What ingest makes of a file below ``folder``; any other fault than a refusal comes through."""
    kept: list[SortedRows] = []
    real = pipelines.ingest_batch.sort_rows

    def sort_rows(*arguments: object, **named: object) -> SortedRows:
        kept.append(real(*arguments, **named))  # type: ignore[arg-type]
        return kept[-1]

    file = delivered_file(name, source, (folder / name).stat().st_size)
    request = BatchRequest(folder, source, (file,), datetime(2026, 1, 1, tzinfo=UTC), {}, HMAC_KEY)
    try:
        with mock.patch.object(pipelines.ingest_batch, "sort_rows", sort_rows):
            result = ingest_batch(request)
    except InputRefused as refusal:
        return Reading(refusal=refusal)
    (account,) = result.accounts
    rows = kept[0].accepted
    plain = rows.drop_columns([column for column in _ABOUT_THE_FILE if column in rows.column_names]).to_pylist()
    key = source_mapping(source).group_column
    if key is not None:
        plain = [
            {**row, key: _PLACE_IN_FILE.sub("", row[key].removeprefix(ACCOUNT).removeprefix(":"))} for row in plain
        ]
    return Reading(None, account, tuple(plain), result.quarantine, result.duplicates)
