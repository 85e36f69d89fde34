"""Deliveries of two sellers and a lender, as received, for tests of the data desk pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.commands.seller_delivery import Received
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.runs.publish import write_parquet
from pipelines.validate.table_checks import validate_tables
from tests.factories.pages import ABOUT
from tests.factories.raw_files import (
    APPLICATIONS_HEADER,
    CANARY_EMAIL,
    RawFile,
    csv_file,
    ingest_settings,
    ingested_and_written,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
    write_raw_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

SELLER, OTHER = "S000001", "S000002"
INVOICES = [
    vat_row("1"),
    vat_row("2", amounts="1O3.20,0.0,103.2"),
    vat_row("3", state="红冲发票"),
    vat_row("1"),
    vat_row("5", amounts="100.0,13.0,120.0"),
]


def delivered_files() -> list[RawFile]:
    """Return two years of invoices and an order export of one seller, an invoice file of another, and applications."""
    orders = [
        shopify_order("#1", "1001", Email=CANARY_EMAIL),
        shopify_order("#2", "1002", total="a lot", Email=CANARY_EMAIL),
    ]
    spoilt = [vat_row("9", firm=OTHER, amounts="n/a,n/a,n/a")]
    earlier = vat_file("sale", INVOICES).replace(b"2023/3/5", b"2022/3/5")
    later = vat_file("sale", [vat_row("4")]).replace(b"2023/3/5", b"2024/3/5")
    applications = csv_file(APPLICATIONS_HEADER, ["A1,S000001,2022-12-20,9.00,stock,C,accepted"])
    return [
        RawFile("vat/2022.csv", "vat_invoices", earlier, SELLER, "", "2022-01-01", "2022-12-31"),
        RawFile("vat/2024.csv", "vat_invoices", later, SELLER, "", "2024-01-01", "2024-12-31"),
        RawFile("shop/1.csv", "shopify_orders", shopify_file(orders), SELLER, "shop-1"),
        RawFile("vat/other.csv", "vat_invoices", vat_file("sale", spoilt), OTHER),
        RawFile("a.csv", "lender_applications", applications),
    ]


def received(folder: Path) -> Received:
    """Ingest the same files into ``folder`` and return the received deliveries."""
    settings = ingest_settings()
    raw_dir = write_raw_folder(folder / "raw", delivered_files())
    result = ingested_and_written(raw_dir, settings, folder / "run")
    accounts = {account.file: account for account in result.file_counts}
    files = find_deliveries(raw_dir, settings).files
    quarantined = validate_tables({"trade_invoice": result.tables["trade_invoice"]}).quarantine["trade_invoice"]
    write_parquet(folder / "validated" / "quarantine" / "trade_invoice.parquet", quarantined)
    pairs = tuple((file, accounts[file.name]) for file in files)
    return Received(pairs, folder / "run", ABOUT, folder / "validated")
