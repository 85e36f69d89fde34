"""Read nested records from a Parquet file in the form they would have as JSON."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from data_contracts.errors import InputRefused
from data_contracts.reading.parquet_files import open_parquet, require_modest_size

if TYPE_CHECKING:
    from collections.abc import Collection


def nested_parquet_records(data: bytes, wanted: Collection[str], file_name: str) -> list[dict[str, Any]]:
    """Return the records of a Parquet file with the wanted columns; numbers are text, missing values None.

    Raises:
        InputRefused: the file is damaged, unpacks to too much data, or contains bytes that are not text.
    """
    with open_parquet(data, file_name) as file:
        require_modest_size(file.metadata, file_name)
        present = [name for name in file.schema_arrow.names if name in wanted]
        rows = file.read(columns=present).to_pylist()
    return [{name: _as_json(value, name, file_name) for name, value in row.items()} for row in rows]


def _as_json(value: object, column: str, file_name: str) -> object:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, float):
        # Some systems export whole numbers as floats; the shortest digits represent the same number.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, list):
        return [_as_json(part, column, file_name) for part in value]
    if isinstance(value, dict):
        return {key: _as_json(part, column, file_name) for key, part in value.items()}
    raise InputRefused(
        file=file_name,
        column=column,
        rule=f"a {type(value).__name__} is not text, number or time",
        remedy="export text",
    )
