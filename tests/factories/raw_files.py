"""Builders of small raw files in the real source formats, and of the folder that holds them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.ingest.results import write_ingested
from pipelines.ingest.stage import IngestResult, deliveries_in, ingest_files, ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.runs.file_counts import FileCounts

HMAC_KEY = bytes(range(32))
CANARY_EMAIL = "canary.bird@example.com"
CANARY_NAME = "Wilhelmina Canary"

AMAZON_HEADER = tuple(
    """settlement-id|settlement-start-date|settlement-end-date|deposit-date|total-amount|currency|transaction-type|
order-id|merchant-order-id|adjustment-id|shipment-id|marketplace-name|amount-type|amount-description|amount|
fulfillment-id|posted-date|posted-date-time|order-item-code|merchant-order-item-id|merchant-adjustment-item-id|sku|
quantity-purchased|promotion-id""".replace("\n", "").split("|")
)

SHOPIFY_HEADER = tuple(
    """Name|Email|Financial Status|Paid at|Fulfillment Status|Fulfilled at|Accepts Marketing|Currency|Subtotal|Shipping|
Taxes|Total|Discount Code|Discount Amount|Shipping Method|Created at|Lineitem quantity|Lineitem name|Lineitem price|
Lineitem sku|Billing Name|Shipping Name|Shipping Country|Notes|Cancelled at|Refunded Amount|Vendor|Id|Risk Level|
Phone""".replace("\n", "").split("|")
)

VAT_HEADER = {
    "sale": ",企业代号,发票号码,开票日期,购方单位代号,金额,税额,价税合计,发票状态",
    "purchase": ",企业代号,发票号码,开票日期,销方单位代号,金额,税额,价税合计,发票状态",
}


@dataclass(frozen=True)
class RawFile:
    """A file for a raw folder, and its line in the manifest."""

    name: str
    source: str
    data: bytes
    seller: str = ""
    account: str = ""
    covered_from: str = "2023-01-01"
    covered_to: str = "2023-12-31"
    delivered_at: str = "2023-01-05 00:00:00"
    date_order: str = ""


def write_raw_folder(folder: Path, files: Iterable[RawFile], unlisted: Mapping[str, bytes] | None = None) -> Path:
    """Write files and their deliveries.csv, with a date order if a file states one; return the folder."""
    files = list(files)
    ordered = any(file.date_order for file in files)
    header = "File,Seller ref,Source,Account,Period start,Period end,Delivered at (UTC),SHA-256"
    lines = [f"{header},Date order" if ordered else header]
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        digest = hashlib.sha256(file.data).hexdigest()
        cells = (file.name, file.seller, file.source, file.account, file.covered_from, file.covered_to)
        lines.append(",".join((*cells, file.delivered_at, digest, *([file.date_order] if ordered else []))))
    for name, data in (unlisted or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deliveries.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def amazon_total(settlement: str, total: str, currency: str = "USD", day: str = "2023-03-14") -> dict[str, str]:
    """Return the totals row of a settlement that ends on ``day`` and is paid out two days later."""
    year, month, of_month = (int(part) for part in day.split("-"))
    if currency == "USD":
        start, end = f"{day} 00:00:00 UTC", f"{day} 12:00:00 UTC"
        deposit = f"{year}-{month:02}-{of_month + 2:02} 12:00:00 UTC"
    else:
        start = end = f"{of_month:02}.{month:02}.{year} 12:00:00 UTC"
        deposit = f"{of_month + 2:02}.{month:02}.{year} 12:00:00 UTC"
    return {
        "settlement-id": settlement,
        "settlement-start-date": start,
        "settlement-end-date": end,
        "deposit-date": deposit,
        "total-amount": total,
        "currency": currency,
    }


def amazon_amount(
    settlement: str, amount: str, kind: str = "Order/ItemPrice/Principal", **cells: str
) -> dict[str, str]:
    """Return one amount of a settlement; ``kind`` is transaction type, amount type and description."""
    transaction_type, amount_type, description = kind.split("/")
    return {
        "settlement-id": settlement,
        "transaction-type": transaction_type,
        "marketplace-name": "Amazon.com",
        "amount-type": amount_type,
        "amount-description": description,
        "amount": amount,
        "posted-date": "03/10/23",
        "posted-date-time": "2023-03-10 08:00:00 UTC",
        **{name.replace("_", "-"): value for name, value in cells.items()},
    }


def amazon_file(rows: Sequence[Mapping[str, str]], header: Sequence[str] = AMAZON_HEADER) -> bytes:
    """Return a settlement file of such rows."""
    lines = ["\t".join(header), *("\t".join(row.get(name, "") for name in header) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def shopify_order(name: str, number: str, total: str = "20.00", **cells: str) -> dict[str, str]:
    """Return the first line of a paid, shipped order; ``cells`` may name any header, with underscores for spaces."""
    given = {key.replace("_", " "): value for key, value in cells.items()}
    return {
        "Name": name,
        "Email": "anna@example.com",
        "Financial Status": "paid",
        "Paid at": "2023-03-01 10:05:00 -0500",
        "Fulfillment Status": "fulfilled",
        "Fulfilled at": "2023-03-03 10:00:00 -0500",
        "Currency": "USD",
        "Subtotal": total,
        "Shipping": "0.00",
        "Taxes": "0.00",
        "Total": total,
        "Discount Amount": "0.00",
        "Created at": "2023-03-01 10:00:00 -0500",
        "Lineitem quantity": "1",
        "Lineitem name": "Lamp, green",
        "Lineitem price": total,
        "Shipping Country": "US",
        "Refunded Amount": "0.00",
        "Id": number,
        "Risk Level": "Low",
        **given,
    }


def shopify_line(name: str, quantity: str = "1", **cells: str) -> dict[str, str]:
    """Return a further line of an order, with empty order-level cells."""
    given = {key.replace("_", " "): value for key, value in cells.items()}
    return {
        "Name": name,
        "Email": "anna@example.com",
        "Created at": "2023-03-01 10:00:00 -0500",
        "Lineitem quantity": quantity,
        "Lineitem name": "Bulb",
        "Lineitem price": "2.00",
        **given,
    }


def shopify_file(rows: Sequence[Mapping[str, str]], header: Sequence[str] = SHOPIFY_HEADER) -> bytes:
    """Return an order export of such rows, quoted where needed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return text.getvalue().encode()


def vat_file(direction: str, rows: Sequence[str]) -> bytes:
    """Return an invoice file with byte-order mark; rows are the cells after the row number, joined by commas."""
    lines = [VAT_HEADER[direction], *(f"{number},{row}" for number, row in enumerate(rows, start=1))]
    return ("\ufeff" + "\n".join(lines) + "\n").encode()


def vat_row(number: str, firm: str = "S000001", state: str = "有效发票", amounts: str = "100.0,13.0,113.0") -> str:
    """Return one invoice."""
    return f"{firm},{number},2023/3/5,B00001,{amounts},{state}"


def declaration(entry: str, items: Sequence[Mapping[str, str]], **cells: str) -> dict[str, Any]:
    """Return one export declaration."""
    return {
        "entryId": entry,
        "consigneeEname": "Lamp House Ltd.",
        "agentName": "Harbour Agents",
        "agentCode": "3100980001",
        "customMaster": "2225",
        "iEDate": "20230305",
        "supvModeCdde": "9710",
        "transMode": "3",
        "decMergeListVo": list(items),
        **cells,
    }


def declaration_item(number: str, **cells: str) -> dict[str, str]:
    """Return one item of a declaration."""
    return {
        "gNo": number,
        "codeTs": "0901210000",
        "gQty": "10",
        "qty1": "12.5",
        "unit1": "035",
        "declTotal": "1500.00",
        "tradeCurr": "USD",
        "destinationCountry": "DEU",
        **cells,
    }


def declarations_file(declarations: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a file of declarations."""
    return json.dumps(list(declarations), ensure_ascii=False).encode()


def entity(identifier: str, schema: str, first_seen: str = "2021-02-03T00:00:00", **properties: str) -> dict[str, Any]:
    """Return one FollowTheMoney entity, each property with one value."""
    return {
        "id": identifier,
        "schema": schema,
        "properties": {name: [value] for name, value in properties.items()},
        "first_seen": first_seen,
    }


def links_file(entities: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a file of entities, one per line."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entities).encode()


def csv_file(header: str, rows: Sequence[str]) -> bytes:
    """Return a plain comma-separated file."""
    return "\n".join([header, *rows, ""]).encode()


LOANS_HEADER = "Loan No,Borrower,Lender,Disbursed On,Matures On,Principal,Ccy,Rate % p.a.,Instalments"
REPAYMENTS_HEADER = "Entry No,Loan No,Borrower,Entry,Entry Date,Amount,Ccy,Booked At (UTC)"
APPLICATIONS_HEADER = "Application No,Applicant,Applied On,Requested (USD),Purpose,Consent Ref,Decision"
TRAFFIC_HEADER = "Day,Online store visitors,Sessions,Bounced sessions,Paid sessions,Ad spend (USD)"


def ingested(folder: Path, files: Iterable[RawFile], **settings: object) -> IngestResult:
    """Ingest a folder with these files and return the result."""
    write_raw_folder(folder, files)
    return ingest_folder(folder, ingest_settings(**settings), HMAC_KEY)


def ingested_and_written(raw: Path, settings: IngestSettings, out: Path) -> IngestResult:
    """Ingest a raw folder, write the result as the stage writes it, and return it."""
    found = ingest_files(raw, deliveries_in(raw, settings), settings, HMAC_KEY)
    write_ingested(out, found)
    return found.in_memory()


def ingest_settings(**settings: object) -> IngestSettings:
    """Return ingest settings for a test."""
    return IngestSettings(recorded_at=datetime(2026, 1, 1, tzinfo=UTC), **settings)


def only_account(result: IngestResult) -> FileCounts:
    """Return the row counts of the only file of a folder."""
    (account,) = result.file_counts
    return account


def cells(table: pa.Table, *names: str) -> list[Any]:
    """Return a column of a table as a list, or several as a list of tuples."""
    columns = [table[name].to_pylist() for name in names]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
