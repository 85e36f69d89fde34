"""The reader of our own templates: delimited text, a workbook or Parquet, recognised by the first bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.lineage import Origin, ReadResult, empty_quarantine
from data_contracts.reading.delimited.reader import read_delimited
from data_contracts.reading.headers import HeaderMatch, match_headers, require_headers
from data_contracts.reading.parquet_files import PARQUET_START, open_parquet, require_modest_size
from data_contracts.reading.workbooks.reader import read_workbook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract

_WORKBOOK_START = b"PK\x03\x04"


def read_tabular(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read a template file as text columns with the reader for its format.

    Raises InputRefused as the readers of delimited text and workbooks do, and if a Parquet file is damaged, too large,
    or has lists or structs in a contract column.
    """
    if contract.read_spec is None or contract.read_spec.format != "tabular":
        raise ConfigurationRefused(f"{contract.identity} is not a tabular source", "use the reader for its format")
    if data.startswith(PARQUET_START):
        return _read_parquet(data, contract, file_name)
    if data.startswith(_WORKBOOK_START):
        return read_workbook(data, _of_format(contract, "xlsx"), file_name)
    return read_delimited(data, _of_format(contract, "delimited"), file_name)


def delimited_form(contract: CompiledContract) -> CompiledContract:
    """Return the contract for delimited text, which is one of the formats of a template file."""
    is_tabular = contract.read_spec is not None and contract.read_spec.format == "tabular"
    return _of_format(contract, "delimited") if is_tabular else contract


def is_delimited(start: bytes, contract: CompiledContract) -> bool:
    """Return whether a file is delimited UTF-8, judging by its first bytes and its contract."""
    spec = contract.read_spec
    if spec is None or spec.encoding != "utf-8":
        return False
    packed = start.startswith((PARQUET_START, _WORKBOOK_START))
    return spec.format == "delimited" or (spec.format == "tabular" and not packed)


def _of_format(contract: CompiledContract, form: Literal["xlsx", "delimited"]) -> CompiledContract:
    if contract.read_spec is None:
        return contract
    return replace(contract, read_spec=replace(contract.read_spec, format=form))


def _read_parquet(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read a Parquet file. ``source_row`` is the record number, and the original of a row is its cells as JSON."""
    with open_parquet(data, file_name) as file:
        require_modest_size(file.metadata, file_name)
        headers = file.schema_arrow.names
        match = match_headers(headers, contract)
        notes = require_headers(match, contract, file_name, 1)
        table = file.read(columns=[headers[place] for place in match.positions.values()]).combine_chunks()
    rows = _text_rows(table, headers, match, contract, file_name)
    origin = Origin(contract.identity, file_name, sha256_bytes(data), lambda numbers: _originals(rows, numbers))
    return ReadResult(rows, empty_quarantine(), rows.num_rows, match.headers, origin, notes)


def _text_rows(
    table: pa.Table, headers: Sequence[str], match: HeaderMatch, contract: CompiledContract, file_name: str
) -> pa.Table:
    absent = pa.array([""] * table.num_rows, pa.string())
    columns = {}
    for column in contract.columns:
        place = match.positions.get(column.name)
        columns[column.name] = absent if place is None else _as_text(table[headers[place]], headers[place], file_name)
    columns["source_row"] = pa.array(np.arange(1, table.num_rows + 1, dtype=np.int64))
    return pa.table(columns)


def _originals(rows: pa.Table, numbers: Sequence[int]) -> list[bytes | None]:
    found = rows.take(pa.array([number - 1 for number in numbers], pa.int64())).drop_columns("source_row")
    return [json.dumps(list(row.values()), ensure_ascii=False).encode() for row in found.to_pylist()]


def _as_text(values: Values, header: str, file_name: str) -> Values:
    """Return a column as the text of a delimited file: missing values are empty, timestamps are in UTC."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    try:
        plain = values.cast(kind)
        text = _moments_as_text(plain) if pa.types.is_timestamp(kind) else plain.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise InputRefused(
            file=file_name,
            column=header,
            rule=f"the column cannot be converted to text: {error}",
            remedy="write it as text, numbers, dates, or timestamps in whole milliseconds",
        ) from error
    return pc.fill_null(text, "").combine_chunks()


def _moments_as_text(moments: Values) -> Values:
    """Return timestamps as ISO text in UTC (assumed if there is no zone); raise ArrowInvalid below the millisecond."""
    in_utc = moments.cast(pa.timestamp("ms", moments.type.tz)).cast(pa.timestamp("ms"))
    return pc.binary_join_element_wise(pc.strftime(in_utc, format="%Y-%m-%dT%H:%M:%S"), pa.scalar("Z"), "")
