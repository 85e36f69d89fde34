from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account, vat_file, vat_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def invoices(rows: Sequence[str], direction: str = "sale", seller: str = "S000001") -> RawFile:
    return RawFile(f"vat_invoices/{seller}/{direction}.csv", "vat_invoices", vat_file(direction, rows), seller)


def test_the_header_determines_the_direction(tmp_path: Path) -> None:
    files = [invoices([vat_row("1")]), invoices([vat_row("2")], "purchase")]
    table = ingested(tmp_path, files).tables["trade_invoice"]
    assert cells(table, "direction", "invoice_number") == [("purchase", "2"), ("sale", "1")]


def test_both_counterparty_headers_at_once_are_refused(tmp_path: Path) -> None:
    header = ",企业代号,发票号码,开票日期,购方单位代号,销方单位代号,金额,税额,价税合计,发票状态\n"
    file = RawFile("vat_invoices/x.csv", "vat_invoices", header.encode())
    with pytest.raises(InputRefused, match="exactly one of the columns"):
        ingested(tmp_path, [file])


def test_a_void_status_with_a_leading_space_is_read_and_remarked_on(tmp_path: Path) -> None:
    rows = [vat_row("1"), vat_row("2", state="作废发票"), vat_row("3", state=" 作废发票")]
    result = ingested(tmp_path, [invoices(rows)])
    assert cells(result.tables["trade_invoice"], "status") == ["valid", "void", "void"]
    assert only_account(result).warnings == {"state_without_blanks": 1}


def test_an_unknown_status_is_quarantined_not_guessed(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [invoices([vat_row("1"), vat_row("2", state="红冲发票")])]))
    assert (account.accepted, account.quarantined) == (1, {"state:enum": 1})


def test_rows_that_differ_only_in_their_row_number_are_duplicates(tmp_path: Path) -> None:
    result = ingested(tmp_path, [invoices([vat_row("1"), vat_row("2"), vat_row("1"), vat_row("1")])])
    assert result.tables["trade_invoice"].num_rows == 2
    assert cells(result.duplicates, "reason", "source_row") == [("repeated invoice", 4), ("repeated invoice", 5)]


@pytest.mark.parametrize(
    "other",
    [vat_row("1", state="作废发票"), vat_row("1", amounts="100.0,12.9,112.9"), vat_row("1").replace("B00001", "B2")],
    ids=["state", "amounts", "counterparty"],
)
def test_rows_that_differ_in_anything_are_two_invoices(tmp_path: Path, other: str) -> None:
    table = ingested(tmp_path, [invoices([vat_row("1"), other])]).tables["trade_invoice"]
    assert len(set(cells(table, "invoice_id"))) == 2


def test_an_invoice_voided_in_a_later_file_is_void_from_that_delivery_on(tmp_path: Path) -> None:
    void = vat_row("1", state="作废发票")
    rows = {"2023-04-01 00:00:00": [vat_row("1")], "2023-05-01 00:00:00": [vat_row("2"), void]}
    files = [
        RawFile(f"vat_invoices/{day[:7]}.csv", "vat_invoices", vat_file("sale", lines), "S000001", delivered_at=day)
        for day, lines in rows.items()
    ]
    table = ingested(tmp_path, files).tables["trade_invoice"]
    found = sorted(cells(table, "invoice_number", "row_version", "status"))
    assert found == [("1", 1, "valid"), ("1", 2, "void"), ("2", 1, "valid")]
    assert {str(moment) for moment in cells(table, "superseded_at")} == {"None", "2023-05-01 00:00:00+00:00"}


def test_a_void_copy_next_to_the_valid_invoice_stays_a_row_of_its_own_in_every_file(tmp_path: Path) -> None:
    both = [vat_row("1"), vat_row("1", state="作废发票")]
    files = [
        RawFile(f"vat_invoices/{name}.csv", "vat_invoices", vat_file("sale", both), "S000001") for name in ("a", "b")
    ]
    result = ingested(tmp_path, files)
    assert cells(result.tables["trade_invoice"], "row_version", "status") == [(1, "valid"), (1, "void")]
    assert cells(result.duplicates, "source_file") == ["vat_invoices/b.csv"] * 2


def test_a_negative_amount_is_a_credit_note(tmp_path: Path) -> None:
    rows = [vat_row("1"), vat_row("2", amounts="-100.0,-13.0,-113.0")]
    table = ingested(tmp_path, [invoices(rows)]).tables["trade_invoice"]
    assert cells(table, "is_credit_note", "gross_amount") == [
        (False, Decimal("113.0000")),
        (True, Decimal("-113.0000")),
    ]


def test_unpadded_dates_are_read_and_impossible_ones_are_quarantined(tmp_path: Path) -> None:
    rows = [vat_row("1"), vat_row("2").replace("2023/3/5", "2021/13/5"), vat_row("3").replace("2023/3/5", "2023/2/30")]
    result = ingested(tmp_path, [invoices(rows)])
    assert [str(day) for day in cells(result.tables["trade_invoice"], "event_date")] == ["2023-03-05"]
    assert cells(result.quarantine, "rule_id", "value") == [
        ("type:issued_on", "2021/13/5"),
        ("type:issued_on", "2023/2/30"),
    ]


def test_an_invoice_of_another_company_is_quarantined(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [invoices([vat_row("1"), vat_row("2", firm="S000002")])]))
    assert account.quarantined == {"delivery:seller_matches": 1}


def test_a_file_of_many_companies_names_the_company_in_each_row(tmp_path: Path) -> None:
    data = vat_file("sale", [vat_row("1"), vat_row("2", firm="S000002")])
    result = ingested(tmp_path, [RawFile("vat_invoices/all.csv", "vat_invoices", data)])
    assert cells(result.tables["source_coverage"], "seller_id") == ["S000001", "S000002"]


def test_quarantine_keeps_the_original_bytes(tmp_path: Path) -> None:
    result = ingested(tmp_path, [invoices([vat_row("1"), vat_row("2", amounts="1O3.20,0.0,103.2")])])
    original = cells(result.quarantine, "original")[0]
    assert original.decode() == "2,S000001,2,2023/3/5,B00001,1O3.20,0.0,103.2,有效发票"
