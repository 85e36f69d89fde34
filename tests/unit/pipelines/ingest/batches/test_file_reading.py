from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from pipelines.ingest.batches.file_reading import RawFile, read_groups
from tests.factories.raw_files import csv_file, vat_file, vat_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.ingest.batches.file_reading import ReadGroup

CONTRACT = source_contract("vat_invoices")
HEADER = vat_file("sale", []).decode("utf-8-sig").strip()


def numbered(*contents: bytes) -> list[RawFile]:
    return [RawFile(number, f"file{number}.csv", data) for number, data in enumerate(contents)]


def found(groups: Sequence[ReadGroup]) -> list[tuple[int, int, str]]:
    """Return file, physical line and invoice number of every row."""
    rows = [
        (int(file), int(line), number)
        for group in groups
        for file, line, number in zip(group.file_of, group.physical_row, group.rows["number"].to_pylist(), strict=True)
    ]
    return sorted(rows)


def test_plain_files_of_one_header_are_read_in_one_go() -> None:
    groups = read_groups(
        numbered(vat_file("sale", [vat_row("1"), vat_row("2")]), vat_file("sale", [vat_row("3")])), CONTRACT
    )
    assert len(groups) == 1
    assert found(groups) == [(0, 2, "1"), (0, 3, "2"), (1, 2, "3")]


def test_another_header_is_another_group() -> None:
    files = numbered(vat_file("sale", [vat_row("1")]), vat_file("purchase", [vat_row("2")]))
    assert len(read_groups(files, CONTRACT)) == 2


@pytest.mark.parametrize(
    "awkward",
    [
        csv_file(HEADER, [f"1,{vat_row('1')}", '"'])[:-1],
        (HEADER + "\n\n1," + vat_row("1") + "\n").encode(),
        (HEADER + "\n1," + vat_row("1")).encode(),
        (HEADER + "\r\n1," + vat_row("1") + "\r\n").encode(),
        ("\n" + HEADER + "\n1," + vat_row("1") + "\n").encode(),
    ],
    ids=["quote", "blank line", "unfinished last line", "other line ends", "header further down"],
)
def test_a_file_that_is_not_plain_is_read_by_itself(awkward: bytes) -> None:
    groups = read_groups(numbered(vat_file("sale", [vat_row("7")]), awkward), CONTRACT)
    assert len(groups) == 2
    assert "1" in {number for file, _, number in found(groups) if file == 1}


def test_a_short_line_is_set_aside_under_its_own_file_and_line() -> None:
    short = csv_file(HEADER, [f"1,{vat_row('1')}", "2,S000001", f"3,{vat_row('3')}"])
    (group,) = read_groups(numbered(vat_file("sale", [vat_row("9")] * 5), short), CONTRACT)
    records = group.quarantined.to_pylist()
    assert [(one["source_file"], one["source_row"], one["original"]) for one in records] == [
        ("file1.csv", 3, b"2,S000001")
    ]
    assert [(fact.name, fact.rows_in) for fact in group.facts] == [("file0.csv", 5), ("file1.csv", 3)]


def test_text_that_does_not_decode_is_refused_under_its_own_name() -> None:
    broken = vat_file("sale", [vat_row("1")]).replace("有效".encode(), b"\xff\xfe\xff")
    with pytest.raises(InputRefused, match=r"file file1\.csv, row 2"):
        read_groups(numbered(vat_file("sale", [vat_row("7")]), broken), CONTRACT)


def test_a_missing_column_is_refused_under_the_name_of_a_file_that_lacks_it() -> None:
    broken = vat_file("sale", [vat_row("1")]).replace("金额".encode(), "金币".encode())
    with pytest.raises(InputRefused, match=r"file file1\.csv.*'金额'"):
        read_groups(numbered(vat_file("sale", [vat_row("7")]), broken), CONTRACT)


LINES = st.sampled_from([vat_row("1"), vat_row("22", state=" 作废发票"), "short", ",,,,,,,,,,", HEADER, '"', ""])


@settings(max_examples=60, deadline=None)
@given(contents=st.lists(st.lists(LINES, max_size=6), min_size=1, max_size=5))
def test_files_read_together_have_the_same_rows_as_alone(contents: list[list[str]]) -> None:
    files = numbered(*(csv_file(HEADER, [f"1,{row}" if "S0" in row else row for row in rows]) for rows in contents))
    together = read_groups(files, CONTRACT)
    alone = [group for file in files for group in read_groups([file], CONTRACT)]
    assert found(together) == found(alone)
    assert facts(together) == facts(alone)
    assert records(together) == records(alone)


def facts(groups: Sequence[ReadGroup]) -> list[object]:
    return sorted((one.number, one.name, one.sha256, one.rows_in, one.notes) for group in groups for one in group.facts)


def records(groups: Sequence[ReadGroup]) -> list[object]:
    rows = [row for group in groups for row in group.quarantined.to_pylist()]
    return sorted((row["source_file"], row["source_row"], row["rule_id"], row["original"]) for row in rows)
