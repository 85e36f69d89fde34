from __future__ import annotations

import datetime
import io

import pytest
import xlsxwriter

from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import read_workbook
from tests.factories.contracts import column, contract_of


def contract(**custom: object) -> CompiledContract:
    properties = [{"property": key, "value": value} for key, value in custom.items()]
    columns = [column("a", header="订单"), column("b", header="金额")]
    return contract_of(columns, server={"format": "xlsx", "customProperties": properties})


def workbook(rows: list[list[object]], sheet: str = "Sheet1") -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"})
    page = book.add_worksheet(sheet)
    for row, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            page.write(row, place, cell)
    book.close()
    return file.getvalue()


def test_cells_become_the_text_a_person_would_write() -> None:
    rows: list[list[object]] = [["订单", "金额"], ["00012", 610.49], [12, 180.0], [datetime.date(2020, 3, 1), True]]
    result = read_workbook(workbook(rows), contract(), "f.xlsx")
    cells = [(row["a"], row["b"]) for row in result.rows.to_pylist()]
    assert cells == [("00012", "610.49"), ("12", "180"), ("2020-03-01", "true")]
    assert result.rows["source_row"].to_pylist() == [2, 3, 4]


def test_values_beyond_the_header_and_repeated_headers_are_set_aside() -> None:
    rows: list[list[object]] = [["订单", "金额"], ["1", 2, 3], [], ["订单", "金额"], ["4", 5]]
    result = read_workbook(workbook(rows), contract(), "f")
    assert result.rows["a"].to_pylist() == ["4"]
    assert [(r["source_row"], r["rule_id"]) for r in result.quarantined.to_pylist()] == [
        (2, "line:width"),
        (4, "line:repeated_header"),
    ]
    assert result.quarantined["original"][0].as_py() == b'["1", "2", "3"]'
    assert result.rows_in == 3


def test_the_named_sheet_is_read_below_its_preamble() -> None:
    data = workbook([["月报"], ["订单", "金额"], ["1", 2]], sheet="交易结算")
    assert read_workbook(data, contract(sheet="交易结算", preamble=True), "f").rows["a"].to_pylist() == ["1"]
    with pytest.raises(InputRefused, match="no sheet 'other'"):
        read_workbook(data, contract(sheet="other"), "f")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", b"A,B\n1,2\n"])
def test_a_file_that_is_not_a_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused, match="not a readable workbook"):
        read_workbook(data, contract(), "f.xlsx")


def test_an_empty_sheet_and_a_missing_column_are_refused() -> None:
    with pytest.raises(InputRefused, match="the sheet is empty"):
        read_workbook(workbook([]), contract(), "f")
    with pytest.raises(InputRefused, match="missing columns: '金额'"):
        read_workbook(workbook([["订单"], ["1"]]), contract(), "f")


def test_a_far_away_cell_that_would_fill_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_contracts.reading.workbooks.reader._MOST_CELLS", 100)
    rows: list[list[object]] = [["订单", "金额"], *[[]] * 60, ["1", 2]]
    with pytest.raises(InputRefused, match="124 cells; the limit is 100; remedy"):
        read_workbook(workbook(rows), contract(), "f.xlsx")


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_contracts.reading.workbooks.reader._MOST_UNPACKED_BYTES", 1000)
    with pytest.raises(InputRefused, match=r"unpacks to \d+ bytes; the limit is 1000; remedy"):
        read_workbook(workbook([["订单", "金额"]]), contract(), "f.xlsx")
