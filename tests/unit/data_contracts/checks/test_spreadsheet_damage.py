"""Identifiers that a spreadsheet turned into powers of ten are found, and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from data_contracts.checks.spreadsheet_damage import damaged_cells


def positions(values: list[str | None], kind: pa.DataType) -> list[int]:
    rows = pa.table({"a": pa.chunked_array([pa.array(values[:2]).cast(kind), pa.array(values[2:]).cast(kind)])})
    return [place for _, found in damaged_cells(rows, ("a",)) for place in found.tolist()]


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_powers_of_ten_are_found_in_both_notations(kind: pa.DataType) -> None:
    values = ["LAMP-1", "5.12346E+17", None, "1E+05", "LAMP-2", "5.12346E+17"]
    assert positions(values, kind) == [1, 3, 5]


@pytest.mark.parametrize("key", ["A1:5.12346E+17@0", "5.12346E+17@12", "5.12346E+17@0:3", "2.2312025e+17"])
def test_a_power_of_ten_is_found_in_a_prefixed_key_and_in_small_letters(key: str) -> None:
    assert positions(["A1:7@0", key, "LAMP-1"], pa.string()) == [1]


@pytest.mark.parametrize(
    "text", ["5.12346E-17", "size:5E+17", "A1:5E+17@x", "5.12346E+1", "55.1E+17", "A5E+17", "5E+17A", "E+17", ""]
)
def test_text_that_only_resembles_a_power_of_ten_is_accepted(text: str) -> None:
    assert positions(["LAMP-1", text, "LAMP-2"], pa.string()) == []


def test_columns_without_text_are_skipped() -> None:
    rows = pa.table({"a": [1, 2], "b": [None, None]})
    assert list(damaged_cells(rows, ("a", "b"))) == []
