from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.templates import PREFIX
from data_contracts.sources.registry import mapped_sources, source_mapping
from pipelines.ingest.batches.file_reading import RawFile, read_groups
from tests.factories.files.bank_files import MT940_FILE, OFX_1, Movement, camt_file, csv_bytes, icbc_rows
from tests.factories.files.workbooks import workbook
from tests.factories.files.xml_files import ceb_message, declaration_message, declared_item, waybill_record
from tests.factories.raw_files import (
    HMAC_KEY,
    csv_file,
    declaration,
    declaration_item,
    declarations_file,
    entity,
    ingested,
    links_file,
    shopify_file,
    shopify_order,
)
from tests.factories.raw_files import RawFile as DeliveredRawFile

if TYPE_CHECKING:
    from pathlib import Path

SPIKED = (Movement("20230401", "1200.50", "spike-name", "spike-street"),)
AMAZON_RANGE = (
    "date/time,settlement id,type,order id,sku,description,quantity,marketplace,order city,order postal,product sales,"
    "total"
)
PAYPAL_ACTIVITY = (
    "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,From Email Address,To Email Address,Transaction ID"
)
PAYPAL_SETTLEMENT = (
    "CH,Transaction ID,Invoice ID,PayPal Reference ID,Transaction Event Code,Transaction Initiation Date,"
    "Transaction Completion Date,Transaction Debit or Credit,Gross Transaction Amount,Gross Transaction Currency,"
    "Fee Debit or Credit,Fee Amount,Fee Currency,Consumer ID"
)


def purchases(person: str) -> bytes:
    """Return a workbook with this person, who must be added before compression."""
    header = ["订单编号", "买家会员名", "卖家会员名", "实付款(元)", "订单状态", "订单创建时间", "订单付款时间", "数量"]
    row = ["1234567890123456789", person, person, 5, "交易成功", "2023-03-05 09:00:00", "2023-03-05 09:00:00", 1]
    return workbook({"订单": [header, row]})


def trade_records(person: str) -> bytes:
    """Return a workbook of a trade-data publisher with this buyer."""
    header = ["Date", "Exporter", "Importer", "HS Code", "Value (USD)"]
    return workbook({"Records": [header, ["2023-03-05", "Lampworks", person, "940542", 5]]})


def bills_of_lading(person: str) -> bytes:
    """Return a workbook of bills of lading with this consignee."""
    header = [
        "Actual Arrival Date",
        "Bill of Lading",
        "Master Bill of Lading",
        "Shipper Name",
        "Consignee Name",
        "TEU",
        "WEIGHT_IN_KG",
    ]
    return workbook({"Records": [header, ["2023-03-05", "B1", "NULL", "Lampworks", person, 1, 900]]})


def tax_platform(person: str) -> bytes:
    """Return a workbook of the tax platform in which this person bought and wrote an invoice."""
    header = [
        *("发票号码", "数电发票号码", "销方识别号", "销方名称", "购方识别号", "购买方名称", "开票日期"),
        *("金额", "税额", "价税合计", "发票状态", "开票人", "备注"),
    ]
    row = ["", "25332000000000000001", "91440300MA00000011", "Lampworks", "", person, "2023-03-05"]
    return workbook({"发票基础信息": [header, [*row, "100", "13", "113", "正常", person, person]]})


def released_orders(person: str) -> bytes:
    """Return a workbook of released orders with this buyer."""
    header = ["No. Pesanan", "Username (Pembeli)", "Tanggal Dana Dilepaskan", "Harga Asli Produk", "Total Penghasilan"]
    return workbook({"Income": [header, ["1", person, "2023-03-05", 5, 5]]})


COMPRESSED = {
    "vat_tax_platform": tax_platform,
    "shopee_income": released_orders,
    "alibaba_1688_orders": purchases,
    "trade_data_workbook": trade_records,
    "us_bills_of_lading": bills_of_lading,
}
SAMPLES = {
    **{source: made("x") for source, made in COMPRESSED.items()},
    "amazon_date_range": csv_file(
        AMAZON_RANGE, ['"Mar 1, 2023 1:00:00 AM PST",1,Order,1,A,Lamp,1,amazon.com,spike-city,spike-code,5.00,5.00']
    ),
    "paypal_activity": csv_file(
        PAYPAL_ACTIVITY,
        ["03/14/2023,10:00:00,PDT,spike-name,Payment,Completed,USD,1.00,0.00,1.00,spike-from,spike-to,T1"],
    ),
    "paypal_statement": csv_file(
        "Date,Time,TimeZone,Description,Currency,Gross,Fee,Net,Balance,Transaction ID,"
        "From Email Address,Name,Bank Account",
        ["03/14/2023,10:00:00,PDT,Payment,USD,1.00,0.00,1.00,1.00,T1,spike-from,spike-name,spike-to"],
    ),
    "airwallex_balance_activity": csv_file(
        "Time,Type,Transaction Id,Description,Wallet Currency,Debit Net Amount,Credit Net Amount,"
        "Account Balance,Reference",
        ["2023-06-24T22:41:36+1000,DEPOSIT,T1,spike-name,EUR,,5.00,5.00,spike-from"],
    ),
    "wallet_statement": csv_file(
        "Wallet,Wallet account,Day,Kind,Counterparty,Currency,Money in,Money out,Balance,Transaction ID",
        ["PingPong,spike-code,2023-04-14,Receipt,spike-name,USD,5.00,,5.00,W1"],
    ),
    "paypal_settlement": csv_file(
        PAYPAL_SETTLEMENT,
        ["SB,T1,1,,T0006,,2023/03/14 10:00:00 -0700,CR,100,USD,,,,spike-consumer", "SC,1"],
    ),
    "ebay_transactions": csv_file(
        "Transaction creation date,Type,Order number,Buyer username,Buyer name,Ship to city,Ship to zip,Net amount,"
        "Payout currency,Gross transaction amount,Transaction currency",
        ["2023-03-14,Order,1,spike-name,spike-name,spike-city,spike-code,1.00,USD,1.00,USD"],
    ),
    "web_shop_orders": csv_file(
        "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID,Country,Currency",
        ["1,85048,1,2023-03-01 10:00:00,6.95,spike-customer,FR,EUR"],
    ),
    "woocommerce_orders": json.dumps(
        [
            {
                "id": 1,
                "status": "completed",
                "currency": "EUR",
                "date_created_gmt": "2023-03-01T10:00:00",
                "total": "1.00",
                "line_items": [{"quantity": 1}],
                "customer_note": "spike-name",
                "billing": {"first_name": "spike-name", "email": "spike-from", "phone": "spike-to"},
                "shipping": {"last_name": "spike-name", "address_1": "spike-street"},
            }
        ]
    ).encode(),
    "bods_statements": json.dumps(
        [
            {
                "statementId": "1",
                "statementDate": "2021-03-01",
                "publicationDetails": {"bodsVersion": "0.4"},
                "recordId": "pe-1",
                "recordType": "person",
                "recordDetails": {
                    "names": [{"fullName": "spike-name"}],
                    "birthDate": "spike-from",
                    "addresses": [{"address": "spike-street"}],
                },
            }
        ]
    ).encode(),
    "gleif_entities": json.dumps(
        [
            {
                "LEI": "00EXAMPLELAMPHOUSE79",
                "Entity": {"LegalName": "spike-name"},
                "Registration": {
                    "InitialRegistrationDate": "2019-01-30T16:19:49Z",
                    "LastUpdateDate": "2019-01-30T16:19:49Z",
                    "RegistrationStatus": "ISSUED",
                },
            }
        ]
    ).encode(),
    "ga4_events": (
        b'{"event_date": "20230301", "event_timestamp": "1677664800000000", "event_name": "page_view",'
        b' "user_pseudo_id": "spike-consumer", "user_id": "spike-name", "event_params": []}\n'
    ),
    "shopify_orders": shopify_file([shopify_order("#1", "1000", Shipping_Name="x", Billing_Name="x", Notes="x")]),
    "customs_declaration": declarations_file([declaration("222520230000000001", [declaration_item("1")])]),
    "ceb_waybill": ceb_message("505", waybill_record(ebcTelephone="spike-name")),
    "customs_declaration_xml": declaration_message([declared_item("1")], OverseasConsigneeEname="spike-name"),
    "china_bank_statement": csv_bytes(icbc_rows(SPIKED)),
    "camt053_statement": camt_file(SPIKED),
    "mt940_statement": MT940_FILE.replace("invoice 7", "spike-name").encode(),
    "ofx_statement": OFX_1.replace("<NAME>", "<NAME>spike-name ").encode(),
    "company_links": links_file(
        [entity("p", "Person", name="x", nationality="cn"), entity("a", "Address", full="x", city="x", country="cn")]
    ),
}


def test_every_export_with_personal_columns_has_a_sample_here() -> None:
    personal = {
        name
        for name in mapped_sources()
        if not name.startswith(PREFIX)
        and any(column.classification == "personal" for column in source_contract(name).columns)
    }
    assert personal == set(SAMPLES)


@pytest.mark.parametrize("source", sorted(SAMPLES))
def test_no_text_of_a_personal_column_reaches_a_canonical_table(source: str, tmp_path: Path) -> None:
    contract = source_contract(source)
    canary = "Wq7Canary"
    personal = [column for column in contract.columns if column.classification == "personal"]
    data = spiked(SAMPLES[source], source, canary)
    (group,) = read_groups([RawFile(0, "f", data)], contract)
    spiked_columns = [c.name for c in personal if canary in str(group.rows[c.name].to_pylist())]
    assert spiked_columns, "the canary must have been put in"
    delivered = DeliveredRawFile("f", source, data, "S000001", "shop", covered_to="2024-12-31")
    result = ingested(tmp_path, [delivered])
    assert sum(account.accepted for account in result.file_counts) > 0
    for table in result.tables.values():
        assert canary.lower() not in str(table.to_pydict()).lower()
    assert HMAC_KEY.hex() not in str({name: table.to_pydict() for name, table in result.tables.items()})
    assert source_mapping(source).source == source


def spiked(data: bytes, source: str, canary: str) -> bytes:
    """Return the sample with a canary in its personal columns."""
    if source in COMPRESSED:
        return COMPRESSED[source](canary)
    marks = [
        *(b"spike-city", b"spike-code", b"spike-name", b"spike-from", b"spike-to", b"spike-consumer"),
        *(b"spike-customer", b"spike-street"),
    ]
    found = [(mark, canary.encode()) for mark in marks if mark in data]
    spikes = {
        **dict.fromkeys((name for name in SAMPLES if b"spike-" in SAMPLES[name]), found),
        "shopify_orders": [(b"anna@example.com", canary.encode()), (b",x,", f",{canary},".encode())],
        "customs_declaration": [(b"Lamp House Ltd.", canary.encode())],
        "company_links": [
            (b'["x"]', f'["{canary}"]'.encode()),
            (b'"nationality": ["cn"]', f'"nationality": ["{canary}"]'.encode()),
        ],
    }
    for old, new in spikes[source]:
        assert old in data
        data = data.replace(old, new)
    return data
