"""Invented bills of lading as a trade-data publisher sells them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult

HEADER = (
    "ACTUAL_ARRIVAL_DATE",
    "BILL_OF_LADING",
    "MASTER_BILL_OF_LADING",
    "SHIPPER_NAME",
    "CONSIGNEE_NAME",
    "WEIGHT",
    "WEIGHT_IN_KG",
    "WEIGHT_UNIT",
    "TEU",
    "CIF",
    "ESTIMATE_ARRIVAL_DATE",
)


def bill(number: str, master: str = "NULL", shipper: str = "Lampworks Co., Ltd.") -> list[object]:
    """Return a bill of lading of 2,205 pounds in one container of forty feet."""
    return ["2023-06-01", number, master, shipper, "Lamp House Ltd.", 2205, 1000, "LB", 2, 0, "2023-05-30"]


def read(folder: Path, *rows: Sequence[object]) -> IngestResult:
    data = workbook({"Sheet1": [[], ["Bills of lading"], list(HEADER), *rows]})
    return ingested(folder, [RawFile("a.xlsx", "us_bills_of_lading", data, "S000001")])


def test_a_bill_shows_weight_and_containers_and_no_value(tmp_path: Path) -> None:
    (row,) = read(tmp_path, bill("B1")).tables["export_document"].to_pylist()
    assert (row["document_kind"], row["document_number"], row["destination_country"]) == ("bill_of_lading", "B1", "US")
    assert (row["gross_weight_kg"], row["container_teu"], row["amount"]) == (Decimal(1000), Decimal(2), None)
    assert row["event_date"] == dt.date(2023, 6, 1)
    assert row["counterparty_id"]


def test_the_cargo_of_a_master_bill_counts_once(tmp_path: Path) -> None:
    result = read(tmp_path, bill("M1"), bill("H1", "M1"), bill("H2", "M1"), bill("M2", "M2"), bill("H3", "elsewhere"))
    assert cells(result.tables["export_document"], "document_number") == ["H1", "H2", "M2", "H3"]
    account = only_account(result)
    assert (account.accepted, account.quarantined) == (5, {})


def test_bills_of_another_shipper_than_most_are_set_aside(tmp_path: Path) -> None:
    result = read(tmp_path, bill("B1"), bill("B2"), bill("B3", shipper="Ocean Forwarding Inc."))
    assert cells(result.tables["export_document"], "document_number") == ["B1", "B2"]
    assert only_account(result).quarantined == {"exporter:one": 1}
