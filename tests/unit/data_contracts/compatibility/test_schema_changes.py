"""For every source, any change of a file's columns by its publisher is reported; nothing is silently misread.

Renamed, dropped, look-alike and added columns, values of another type, another order (harmless by itself), and, in
contracts, a unit a hundred times smaller. A file in which all amounts are a hundred times larger, under the same header
and within the same bounds, cannot be distinguished from that of a larger seller; units are therefore part of the
contract.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from data_contracts.compatibility.contracts import contract_changes
from data_contracts.definition.compiler import source_contract, source_names
from data_contracts.errors import InputRefused
from data_contracts.lineage import Origin, ReadResult, empty_quarantine
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from pipelines.ingest.deliveries.recognition import recognise
from tests.factories.files.header_files import every_column, header_file, needed_columns
from tests.factories.files.workbooks import workbook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from data_contracts.definition.contract import Column, CompiledContract

SOURCES = source_names()
FLAT = [
    name
    for name in SOURCES
    if (spec := source_contract(name).read_spec) is not None
    and spec.format in {"delimited", "tabular", "xlsx"}
    and not spec.sheets
]
# A message of a bank has no header: its elements are fixed by a standard, and its parser refuses what breaks that.
MESSAGES = {"camt053", "mt940", "ofx"}
HEADED = [name for name in SOURCES if (spec := source_contract(name).read_spec) is None or spec.format not in MESSAGES]
# Letters of the Cyrillic alphabet that look like Latin ones.
LOOK_ALIKES = str.maketrans("aceopxABCEHKMOPT", "асеорхАВСЕНКМОРТ")


def refusal(contract: CompiledContract, columns: Sequence[Column], respelled: Mapping[str, str]) -> str:
    """Return the refusal of a file with these columns, some of them spelled differently."""

    def spelled(column: Column) -> str:
        return respelled.get(column.name, column.header)

    with pytest.raises(InputRefused) as refused:
        read_file(header_file(contract, columns, spelled), contract, "changed file")
    return str(refused.value)


@pytest.mark.parametrize("source", HEADED)
def test_a_dropped_column_is_reported(source: str) -> None:
    contract = source_contract(source)
    columns = every_column(contract)
    for lost in needed_columns(contract):
        left = [column for column in columns if column.name != lost.name]
        assert repr(lost.header) in refusal(contract, left, {})


@pytest.mark.parametrize("source", HEADED)
def test_a_renamed_column_is_reported(source: str) -> None:
    contract = source_contract(source)
    for one in needed_columns(contract):
        message = refusal(contract, every_column(contract), {one.name: f"{one.header}2"})
        assert repr(one.header) in message


@pytest.mark.parametrize("source", HEADED)
def test_a_column_name_with_lookalike_letters_is_reported(source: str) -> None:
    contract = source_contract(source)
    for one in needed_columns(contract):
        forged = one.header.translate(LOOK_ALIKES)
        if forged == one.header:  # a header without such letters, as most Chinese ones
            continue
        message = refusal(contract, every_column(contract), {one.name: forged})
        assert repr(one.header) in message


@pytest.mark.parametrize("source", HEADED)
def test_an_added_column_is_reported(source: str, tmp_path: Path) -> None:
    contract = source_contract(source)
    new = dataclasses.replace(contract.columns[0], name="brand_new", header="BrandNew")
    data = header_file(contract, [*every_column(contract), new])
    spec = contract.read_spec
    assert spec is not None
    if spec.format in {"delimited", "xlsx"} and spec.extra_columns == "warn":
        assert any("BrandNew" in note for note in read_file(data, contract, "a file").notes)
    path = tmp_path / "file"
    path.write_bytes(data)
    (found,) = recognise([path])
    assert any("BrandNew" in header for fit in found.met for header in fit.foreign)


@pytest.mark.parametrize("source", FLAT)
def test_the_order_of_columns_does_not_matter(source: str) -> None:
    contract = source_contract(source)
    columns = every_column(contract)
    spec = contract.read_spec
    assert spec is not None
    given, turned = (_with_a_row(contract, listed) for listed in (columns, columns[::-1]))
    one, other = (read_file(data, contract, "a file").rows for data in (given, turned))
    assert one.num_rows == 1
    assert one.equals(other)


def _with_a_row(contract: CompiledContract, columns: Sequence[Column]) -> bytes:
    """Return a file with one row in which each cell holds the name of its column."""
    spec = contract.read_spec
    assert spec is not None
    cells = [column.name for column in columns]
    if spec.format == "xlsx":
        return workbook({spec.sheet or "Sheet1": [[column.header for column in columns], cells]})
    return header_file(contract, columns) + (spec.delimiter.join(cells) + "\n").encode(spec.encoding)


@pytest.mark.parametrize("source", SOURCES)
def test_a_value_of_another_type_is_reported(source: str) -> None:
    contract = source_contract(source)
    for one in contract.columns:
        if pa.types.is_string(one.arrow_type) or pa.types.is_dictionary(one.arrow_type):
            continue
        cells = {column.name: pa.array(["no such value" if column == one else ""]) for column in contract.columns}
        rows = pa.table({**cells, "source_row": pa.array([2])})
        read = ReadResult(rows, empty_quarantine(), 1, (), Origin(contract.identity, "a file", None))
        typed = cast_columns(read, contract)
        assert typed.rows.num_rows == 0
        assert typed.quarantined["rule_id"].to_pylist() == [f"type:{one.name}"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_unit_a_hundred_times_smaller_is_reported(source: str) -> None:
    contract = source_contract(source)
    columns = tuple(
        column if column.unit is None else dataclasses.replace(column, unit=f"hundredths of {column.unit}")
        for column in contract.columns
    )
    changes = contract_changes(contract, dataclasses.replace(contract, columns=columns))
    named = {(change.kind, change.place) for change in changes if change.breaking}
    assert named == {("unit changed", column.name) for column in contract.columns if column.unit is not None}
