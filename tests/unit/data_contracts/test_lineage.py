"""Quarantine entries keep rows of any size within a limit, and say what they left out."""

from __future__ import annotations

import hashlib

import pytest

from data_contracts.checks.rows import check_rows
from data_contracts.errors import InputRefused, listed, shown
from data_contracts.lineage import MOST_ORIGINAL_BYTES, kept_originals, kept_values
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from tests.factories.contracts import column, contract_of, delimited

CONTRACT = contract_of(
    [
        {**column("amount", "number"), "physicalName": "Amount", "logicalTypeOptions": {"minimum": 0}},
        {**column("note"), "physicalName": "Note"},
    ],
    server=delimited(",", quote='"', quotedNewlines=True),
)


def test_a_row_within_the_limit_is_kept_whole_and_a_longer_one_with_its_length_and_digest() -> None:
    fits, longer = b"x" * MOST_ORIGINAL_BYTES, b"y" * (MOST_ORIGINAL_BYTES + 1)
    kept = kept_originals([fits, longer, None, b""]).to_pylist()
    assert (kept[0], kept[2:]) == (fits, [None, b""])
    assert kept[1][:MOST_ORIGINAL_BYTES] == longer[:MOST_ORIGINAL_BYTES]
    told = f"\n[shortened: {len(longer)} bytes in all, SHA-256 {hashlib.sha256(longer).hexdigest()}]"
    assert kept[1][MOST_ORIGINAL_BYTES:] == told.encode()


def test_a_long_value_is_shown_in_part() -> None:
    assert kept_values(["a" * 4096, "a" * 5000, None]).to_pylist() == ["a" * 4096, f"{'a' * 4096}…", None]


@pytest.mark.parametrize(
    "line", ["x" * 200_000, f"{'9' * 200_000},a", f"-1,{'b' * 200_000}"], ids=["no row", "bad cell", "broken rule"]
)
def test_however_a_long_row_is_set_aside_little_of_it_is_kept(line: str) -> None:
    read = cast_columns(read_file(f"Amount,Note\n1,a\n{line}\n".encode(), CONTRACT, "file.csv"), CONTRACT)
    checked = check_rows(read.rows, CONTRACT, read.origin)
    (entry,) = [*read.quarantined.to_pylist(), *checked.quarantined.to_pylist()]
    assert MOST_ORIGINAL_BYTES < len(entry["original"]) < MOST_ORIGINAL_BYTES + 200
    assert hashlib.sha256(line.encode()).hexdigest().encode() in entry["original"]
    assert len(entry["value"] or "") < 5000


def test_names_of_any_length_and_number_fit_into_a_message() -> None:
    assert len(shown("x" * 10**6)) < 200
    assert len(listed(["y" * 10**6] * 1000)) < 10_000
    assert listed(["a"] * 51).endswith("and 1 more")


@pytest.mark.parametrize(
    "header", [f"Amount,{'x' * 10**6}", ",".join(["Amount", *map(str, range(100_000))])], ids=["long", "many"]
)
def test_columns_that_are_not_in_the_contract_are_named_in_a_short_note(header: str) -> None:
    optional = contract_of([{**column("amount", "number"), "physicalName": "Amount"}], server=delimited(","))
    read = read_file(f"{header}\n".encode(), optional, "file.csv")
    assert max(map(len, read.notes)) < 10_000


def test_a_long_header_in_place_of_a_missing_one_is_refused_in_a_short_line() -> None:
    with pytest.raises(InputRefused, match="missing columns: 'Amount'") as refused:
        read_file(f"{'x' * 10**6}\n1\n".encode(), CONTRACT, "file.csv")
    assert len(str(refused.value)) < 1000
