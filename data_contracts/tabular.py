"""The reader of our own templates: delimited text, a workbook or Parquet, told apart by the first bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.delimited import read_delimited
from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.headers import match_headers, require_headers
from data_contracts.lineage import Origin, ReadResult, empty_quarantine
from data_contracts.workbook import read_workbook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from data_contracts.contract import CompiledContract

_WORKBOOK_START = b"PK\x03\x04"
_PARQUET_START = b"PAR1"


def read_tabular(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Gives the rows of a template's file as text columns, by the reader of the form it has.

    Raises InputRefused as the readers of delimited text and workbooks do, and for a Parquet file that is broken or has
    a column of lists, structures or bytes among those the contract asks for.
    """
    if contract.read_spec is None or contract.read_spec.format != "tabular":
        raise ConfigurationRefused(f"{contract.identity} is no tabular source", "use the reader of its format")
    if data.startswith(_PARQUET_START):
        return _read_parquet(data, contract, file_name)
    if data.startswith(_WORKBOOK_START):
        return read_workbook(data, _of_format(contract, "xlsx"), file_name)
    return read_delimited(data, _of_format(contract, "delimited"), file_name)


def _of_format(contract: CompiledContract, form: Literal["xlsx", "delimited"]) -> CompiledContract:
    if contract.read_spec is None:
        return contract
    return replace(contract, read_spec=replace(contract.read_spec, format=form))


def _read_parquet(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Gives the rows of a Parquet file; ``source_row`` is the record's number, its original its cells as JSON."""
    try:
        table = pq.read_table(pa.BufferReader(data)).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise InputRefused(
            file=file_name, rule=f"no readable Parquet file: {error}", remedy="write the file again"
        ) from error
    match = match_headers(table.column_names, contract)
    notes = require_headers(match, contract, file_name, 1)
    absent = pa.array([""] * table.num_rows, pa.string())
    arrays = [
        _as_text(table.column(match.positions[column.name]), column.header, file_name)
        if column.name in match.positions
        else absent
        for column in contract.columns
    ]
    names = [column.name for column in contract.columns]
    numbers = pa.array(np.arange(1, table.num_rows + 1, dtype=np.int64))
    rows = pa.table([*arrays, numbers], names=[*names, "source_row"])

    def originals(source_rows: Sequence[int]) -> list[bytes | None]:
        found = rows.take(pa.array([row - 1 for row in source_rows], pa.int64())).drop_columns("source_row")
        return [json.dumps(list(row.values()), ensure_ascii=False).encode() for row in found.to_pylist()]

    origin = Origin(contract.identity, file_name, sha256_bytes(data), originals)
    return ReadResult(rows, empty_quarantine(), rows.num_rows, match.headers, origin, notes)


def _as_text(values: Values, header: str, file_name: str) -> Values:
    """Gives a column as the text a delimited file would hold: missing is empty, moments carry their offset."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _as_text(values.cast(kind.value_type), header, file_name)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputRefused(
            file=file_name, column=header, rule=f"the column has type {kind}", remedy="write it as text or numbers"
        )
    if pa.types.is_timestamp(kind):
        values = _moments_as_text(values, header, file_name)
    text = pc.fill_null(values.cast(pa.string()), "")
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def _moments_as_text(values: Values, header: str, file_name: str) -> Values:
    """Gives moments as ISO text in UTC with milliseconds; a moment without time zone is in UTC."""
    try:
        moments = values.cast(pa.timestamp("ms", values.type.tz)).cast(pa.timestamp("ms"))
    except pa.ArrowInvalid as error:
        raise InputRefused(
            file=file_name, column=header, rule="a moment is finer than a millisecond", remedy="round it"
        ) from error
    return pc.binary_join_element_wise(pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S"), pa.scalar("Z"), "")
