"""Messages of Chinese cross-border e-commerce become documents that name the documents they join."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from data_contracts.mapping.export_documents import currency_codes
from tests.factories.files.xml_files import (
    Content,
    ceb_message,
    list_number,
    list_record,
    order_record,
    receipt_record,
    summary_record,
    waybill_record,
)
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from pipelines.ingest.stage import IngestResult

SOURCES = {"303": "ceb_order", "403": "ceb_receipt", "505": "ceb_waybill", "603": "ceb_list", "792": "ceb_summary"}
ENTRY = "222520230000000099"


def delivered(kind: str, *records: Content, name: str = "a.xml", seller: str = "S000001") -> RawFile:
    return RawFile(
        name, SOURCES[kind], ceb_message(kind, *records), seller, delivered_at=f"2024-01-0{len(name)} 00:00:00"
    )


def read(folder: Path, kind: str, *records: Content) -> IngestResult:
    return ingested(folder, [delivered(kind, *records)])


def documents(result: IngestResult) -> pa.Table:
    return result.tables["export_document"]


def test_an_order_is_a_document_with_its_value_and_its_date_in_china(tmp_path: Path) -> None:
    table = documents(read(tmp_path, "303", order_record("O1", "30.00", ["10.00", "20.00"], appTime="20230302010000")))
    (row,) = table.to_pylist()
    assert (row["document_kind"], row["document_number"], row["order_number"]) == ("order", "O1", "O1")
    assert (row["amount"], row["freight_amount"], row["currency"]) == (Decimal(30), Decimal("2.5"), "USD")
    assert row["amount_usd"] == Decimal(30)
    assert (str(row["event_date"]), str(row["known_at"])) == ("2023-03-02", "2023-03-02 00:00:00+00:00")
    assert row["export_document_id"] == "S000001:order:3100000001:O1"


def test_an_order_whose_items_sum_to_another_value_is_remarked_on(tmp_path: Path) -> None:
    account = only_account(read(tmp_path, "303", order_record("O1", "30.00", ["10.00", "21.00"]), order_record("O2")))
    assert (account.accepted, account.warnings) == (3, {"items_sum_to_value": 2})


def test_a_receipt_names_its_order_and_the_date_of_payment(tmp_path: Path) -> None:
    rows = [
        receipt_record("O1"),
        receipt_record("O2", payNo="", accountingDate="20230304"),
        receipt_record("O2", payNo=""),
    ]
    table = documents(read(tmp_path, "403", *rows))
    assert cells(table, "document_number", "order_number") == [("P-O1", "O1"), ("O2", "O2"), ("O2", "O2")]
    assert [str(day) for day in cells(table, "event_date")] == ["2023-03-01", "2023-03-04", "2023-03-01"]
    assert len(set(cells(table, "export_document_id"))) == 3


def test_a_waybill_has_a_weight_and_no_value(tmp_path: Path) -> None:
    table = documents(read(tmp_path, "505", waybill_record("W1", ebcTelephone="021-5550000")))
    found = cells(table, "waybill_number", "carrier_code", "gross_weight_kg", "freight_amount", "amount", "amount_usd")
    assert found == [("W1", "3100000003", Decimal("1.2"), Decimal(5), None, None)]
    assert "5550000" not in str(table.to_pylist())


def test_a_list_sums_its_items_and_names_order_waybill_and_its_own_numbers(tmp_path: Path) -> None:
    rows = [list_record("1", items=["10.00", "20.5"], statisticsFlag="B"), list_record("2", invtNo="")]
    table = documents(read(tmp_path, "603", *rows))
    assert cells(table, "amount", "document_number", "list_number", "is_summed_later", "supervision_mode") == [
        (Decimal("30.5"), list_number("1"), list_number("1"), True, "9610"),
        (Decimal(30), "COP2", None, False, "9610"),
    ]
    assert cells(table, "order_number", "waybill_number") == [("O1", "W1")] * 2
    assert [str(day) for day in cells(table, "known_at")] == ["2023-03-03 00:00:00+00:00"] * 2


def test_a_response_names_the_declaration_of_each_list(tmp_path: Path) -> None:
    result = read(tmp_path, "792", summary_record(ENTRY, ["1", "2"]), summary_record("", ["3"], guid="GUID-early"))
    table = documents(result)
    assert cells(table, "list_number", "declaration_id") == [(list_number("1"), ENTRY), (list_number("2"), ENTRY)]
    assert only_account(result).warnings == {"no declaration named yet": 2}


@pytest.mark.parametrize(
    ("kind", "record"),
    [("303", order_record), ("403", receipt_record), ("505", waybill_record), ("603", list_record)],
)
def test_drafts_are_not_documents_and_withdrawals_are_marked(
    tmp_path: Path, kind: str, record: Callable[..., Content]
) -> None:
    draft, taken_back = record(appStatus="1"), record(appType="3")
    result = read(tmp_path / "draft", kind, draft)
    assert (documents(result).num_rows, only_account(result).warnings) == (0, {"draft, not declared": 1})
    assert cells(documents(read(tmp_path / "back", kind, taken_back)), "is_withdrawn") == [True]
    assert cells(documents(read(tmp_path / "sent", kind, record())), "is_withdrawn") == [False]


def test_the_newest_version_of_a_document_in_a_file_counts(tmp_path: Path) -> None:
    changed = list_record("1", items=["31.00"], guid="GUID-2", appType="2", appTime="20230302080000")
    result = read(tmp_path, "603", changed, list_record("1", items=["30.00"]))
    assert cells(documents(result), "amount") == [Decimal(31)]
    assert cells(result.duplicates, "reason", "source_row") == [("repeated document", 2)]


def test_an_identical_document_sent_again_is_a_duplicate_whatever_the_message_number(tmp_path: Path) -> None:
    again = order_record("O1", guid="GUID-2", appTime="20230305080000")
    result = ingested(tmp_path, [delivered("303", order_record("O1")), delivered("303", again, name="bb.xml")])
    assert documents(result).num_rows == 1
    assert cells(result.duplicates, "reason", "source_file") == [("repeated document", "bb.xml")]


def test_two_records_with_one_message_number_are_two_documents(tmp_path: Path) -> None:
    rows = [list_record("1", items=["1", "2"], guid="SAME"), list_record("2", items=["3", "4"], guid="SAME")]
    assert cells(documents(read(tmp_path, "603", *rows)), "amount") == [Decimal(3), Decimal(7)]


def test_an_unreadable_item_sets_its_whole_list_aside(tmp_path: Path) -> None:
    torn = list_record("1", items=["10.00", "20.00"])
    torn["InventoryList"][0]["totalPrice"] = ["10.00", "11.00"]
    mistyped = list_record("2", items=["10.00", "无"])
    account = only_account(read(tmp_path, "603", torn, mistyped, list_record("3")))
    assert account.quarantined == {"group:whole": 1, "type:item_value": 1, "xml:value": 1, "xml:whole": 1}
    assert (account.rows_in, account.accepted) == (5, 1)


@pytest.mark.parametrize(
    ("cells_of_head", "rule_id"),
    [
        ({"ieFlag": "I"}, "flow:enum"),
        ({"tradeMode": "0101"}, "supervision:enum"),
        ({"invtNo": "12"}, "customs_number:pattern"),
        ({"logisticsNo": ""}, "waybill_number:required"),
        ({"guid": ""}, "message_number:required"),
        ({"appTime": "2023-03-01"}, "type:sent_at"),
        ({"ieDate": "20990101"}, "delivery:not_in_the_future"),
    ],
)
def test_an_invalid_list_is_quarantined(tmp_path: Path, cells_of_head: dict[str, str], rule_id: str) -> None:
    account = only_account(read(tmp_path, "603", list_record("1", **cells_of_head), list_record("2")))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def test_a_list_in_two_currencies_is_quarantined(tmp_path: Path) -> None:
    record = list_record("1", items=["1", "2"])
    record["InventoryList"][1]["currency"] = "142"
    assert only_account(read(tmp_path, "603", record)).quarantined == {"one_currency": 2}


def test_currencies_are_read_by_number_or_letters_and_others_are_quarantined(tmp_path: Path) -> None:
    rows = [receipt_record(f"O{place}", currency=code) for place, code in enumerate(("142", "EUR", "999", "Yen"))]
    result = read(tmp_path, "403", *rows)
    assert cells(documents(result), "currency") == ["CNY", "EUR"]
    assert only_account(result).quarantined == {"money_code:known": 1, "money_code:pattern": 1}


def test_currency_numbers_and_letters_map_one_to_one() -> None:
    codes = currency_codes()
    assert len(set(cells(codes, "customs_code"))) == len(set(cells(codes, "iso_4217"))) == codes.num_rows > 10


def test_each_message_is_refused_by_the_other_sources(tmp_path: Path) -> None:
    file = RawFile("a.xml", "ceb_order", ceb_message("403", receipt_record()), "S000001")
    with pytest.raises(InputRefused, match=r"no record at CEB303Message\.Order; the root element is 'CEB403Mess"):
        ingested(tmp_path, [file])


def test_a_document_changed_by_a_later_delivery_has_two_versions(tmp_path: Path) -> None:
    changed = list_record("1", items=["31.00"], guid="GUID-2", appType="2", appTime="20230305080000")
    result = ingested(tmp_path, [delivered("603", list_record("1")), delivered("603", changed, name="bb.xml")])
    found = cells(documents(result), "amount", "row_version", "superseded_at")
    assert [(amount, version) for amount, version, _ in found] == [(Decimal(30), 1), (Decimal(31), 2)]
    assert [str(moment) for *_, moment in found] == ["2024-01-06 00:00:00+00:00", "None"]


def test_documents_of_imports_are_set_aside_under_a_rule_that_names_the_direction(tmp_path: Path) -> None:
    listed = only_account(read(tmp_path, "603", list_record("1", invtNo="22252023I000000001")))
    assert listed.quarantined == {"list_number_says_export": 1}
    ordered = only_account(read(tmp_path, "303", order_record("1", orderType="I")))
    assert ordered.quarantined == {"order_type:enum": 1}
