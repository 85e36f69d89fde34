"""A small valid file, with invented values, for every source that reads records or workbooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.factories.files.bank_files import camt_file, ccb_rows
from tests.factories.files.workbooks import workbook
from tests.factories.files.xml_files import (
    ceb_message,
    declaration_message,
    declared_item,
    list_record,
    order_record,
    receipt_record,
    summary_record,
    waybill_record,
)
from tests.factories.raw_files import declaration, declaration_item, declarations_file, entity, links_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAKER = "91440300MA00000011"
_LEI = ("00EXAMPLELAMPHOUSE79", "00EXAMPLEHARBOURCO42")


def record_samples() -> dict[str, bytes]:
    """Return one file of each source, by the name of the source."""
    return {**_platform_records(), **_platform_workbooks(), **_trade_files(), **_register_files()}


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _book(name: str, *rows: str, more: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """Return a workbook whose rows are given as cells with a bar between them; numbers stay text."""
    sheets = {name: rows, **(more or {})}
    return workbook(
        {sheet: [[cell or None for cell in row.split("|")] for row in rows] for sheet, rows in sheets.items()}
    )


def _platform_records() -> dict[str, bytes]:
    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currencyCode": "USD"}

    def part(kind: str, amount: float, *inner: dict[str, Any]) -> dict[str, Any]:
        value = {"currencyAmount": amount, "currencyCode": "USD"}
        return {"breakdownType": kind, "breakdownAmount": value, "breakdowns": list(inner) or None}

    child: dict[str, Any] = {"childOrderId": 11, "loanStatus": "loan_ok", "releasedDatetime": "20230305101500000-0800"}
    child |= {"loanAmount": money("100.00"), "realLoanAmount": money("91.00"), "escrowFee": money("8.00")}
    child |= {"affiliateCommission": money("1.00"), "realRefundAmount": money("4.00")}
    sale = {
        "transactionId": "T1",
        "transactionType": "Shipment",
        "transactionStatus": "Released",
        "description": "Order Payment",
        "postedDate": "2023-03-03T10:00:00.123Z",
        "totalAmount": {"currencyAmount": 8, "currencyCode": "USD"},
        "marketplaceDetails": {"marketplaceId": "ATVPDKIKX0DER"},
        "breakdowns": {"breakdowns": [part("Sales", 10, part("Product Charges", 10)), part("Amazon Fees", -2)]},
        "relatedIdentifiers": [{"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": "111-1"}],
    }
    return {
        "aliexpress_loan": _json([{"orderId": 1, "orderStatus": "FINISH", "sonOrderList": [child]}]),
        "amazon_finances": _json({"payload": {"transactions": [sale]}}),
        "shein_report": _json([_report()]),
        "shein_statement": _json([_statement()]),
        "woocommerce_orders": _json([_shop_order()]),
        "ga4_events": _visits(),
    }


def _report() -> dict[str, Any]:
    shared = {"settleCurrencyCode": "USD", "goodsCount": 4, "skuCode": "I1", "addTime": "2023-01-20 21:56:03"}
    sold = {"id": "OS1", "secondOrderType": 11, "secondOrderTypeName": "stock", "inAndOut": 1, "inAndOutName": "income"}
    cause = "Purchasing quality-Customer refund deduction"
    cut = {"id": "OF1", "replenishNo": "K1", "replenishType": 1, "replenishTypeName": "chargeback"}
    return {
        "reportOrderNo": "B1",
        "addTime": "2023-01-21 19:46:38",
        "lastUpdateTime": "2023-02-16 10:00:00",
        "settlementStatus": 3,
        "settlementStatusName": "Settled",
        "estimatePayTime": "2023-02-15 00:00:00",
        "completedPayTime": "2023-02-16 10:00:00",
        "estimateIncomeMoneyTotal": 40.26,
        "currencyCode": "USD",
        "reportSalesDetails": [{**shared, **sold, "bzOrderNo": "9001", "amount": 47.28, "unitPrice": 11.82}],
        "reportReplenishDetail": [{**shared, **cut, "replenishCategory": cause, "amount": 7.02}],
    }


def _statement() -> dict[str, Any]:
    charges = ("sellerRealTax", "commissionAmount", "performanceCost", "stockExpense", "returnExpense", "serviceFee")
    item = {"skuCode": "I1", "sellerCurrencyPrice": 12.37, **dict.fromkeys(charges, 0.25), "whtTotalAmount": 0.25}
    item |= {"couponAmount": 0.25, "subsidyTotalAmount": 0.5, "commissionSaleTax": 0.25, "returnFreightSubsidy": 0.5}
    return {
        "checkOrderNo": "C1",
        "checkStatus": 3,
        "secondOrderType": 1,
        "incomeExpenditureType": 1,
        "bzOrderNo": "GSC1",
        "businessCompletedTime": "2023-01-14 17:47:21",
        "completedPayTime": "2023-02-16 10:00:00",
        "site": "shein-us",
        "currencyCode": "USD",
        "estimateIncomeMoneyTotal": 11.12,
        "reportOrderNo": "B7",
        "estimatePayTime": "2023-02-15 10:23:58",
        "itemList": [{**item, "incomeAmount": 11.12}],
    }


def _shop_order() -> dict[str, Any]:
    moments = {f"date_{name}_gmt": f"2023-03-0{day}T10:00:00" for day, name in enumerate(("created", "paid"), start=1)}
    return {
        "id": 7,
        "status": "completed",
        "currency": "EUR",
        **moments,
        "date_modified_gmt": "2023-03-04T10:00:00",
        "date_completed_gmt": "2023-03-03T10:00:00",
        "discount_total": "1.50",
        "total": "29.35",
        "billing": {"email": "anna@example.com", "country": "DE"},
        "shipping": {"country": "FR"},
        "line_items": [{"id": 1, "quantity": 2, "total": "20.00"}, {"id": 2, "quantity": 1, "total": "9.35"}],
        "refunds": [{"id": 1, "total": "-9.35"}],
    }


def _visits() -> bytes:
    parameters = [{"key": "ga_session_id", "value": {"int_value": "1"}}]
    shared = {"event_date": "20230301", "user_pseudo_id": "anna", "event_params": parameters}
    seen: dict[str, Any] = {**shared, "event_timestamp": "1677664800000000", "event_name": "page_view"}
    seen["collected_traffic_source"] = {"manual_medium": "cpc", "gclid": "x"}
    bought: dict[str, Any] = {**shared, "event_timestamp": "1677664900000000", "event_name": "purchase"}
    bought["ecommerce"] = {"transaction_id": "1", "purchase_revenue_in_usd": 20.5}
    return b"".join(_json(event) + b"\n" for event in (seen, bought))


def _platform_workbooks() -> dict[str, bytes]:
    resent = ["订单编号|SKU ID|SKU货号|数量|赔付金额|币种|账务时间", "PO-2|17001|LAMP-1|1|5|CNY|2023-05-18 09:00:00"]
    refunds = ["SKU货号|消费者退款金额|币种|账务时间", "LAMP-1|3|CNY|2023-05-19 09:00:00"]
    return {
        "aliexpress_cash_flow": _book(
            "Sheet1",
            "结算时间|收支类型|费用项|变动金额|币种|订单号",
            "2023-03-02 08:40:25|收入|订单放款|CN￥ 1,234.56|CNY|1",
            "2023-03-02 08:40:25|支出|平台佣金|CN￥ -34.56|CNY|1",
        ),
        "shein_paid_bills": _book(
            "Sheet1",
            "合计||||70|",
            "站点|账单类型|订单号|打款日期|应收金额|币种",
            "UK|订单销售|A1|2023-03-02|100|GBP",
            "UK|订单退款|A1|2023-03-03|-30|GBP",
        ),
        "shopee_income": _book(
            "Income",
            "Sequence No.|View By|Order ID|Order Creation Date|Payout Completed Date|Product Price|Refund Amount|"
            "Commission Fee (incl. SST)|Service Fee (Incl. SST)|Total Released Amount (RM)",
            "1|Order|A|2023-03-01|2023-03-09|100|-5|-6|-2|87",
            "2|Sku|A|2023-03-01|2023-03-09|100|-5|-6|-2|87",
        ),
        "temu_ledger": _book(
            "财务明细",
            "账务时间|账务类型|币种|收支金额|备注",
            "2023-05-20 08:00:00|收入|CNY|61.5|交易结算",
            "2023-05-21 08:00:00|支出|CNY|9|推广服务费",
        ),
        "temu_pending": _book(
            "交易结算",
            "备货单号|SKU ID|SKU货号|货品名称|销售数量|申报价格折扣金额|预估待结算销售额|币种",
            "WB1|17001|LAMP-1|Lamp|3|0.5|92.25|CNY",
        ),
        "temu_settlement": _book(
            "交易结算",
            "销售订单|售后订单|备货单号|SKU ID|SKU货号|数量|申报价格折扣金额|交易类型|金额|币种|账务时间",
            "PO-1|/|WB1|17001|LAMP-1|2|/|销售回款|61.5|CNY|2023-05-16 10:30:00",
            "PO-1|/|WB1|17001|LAMP-1|1|/|销售冲回|-20|CNY|2023-05-17 10:30:00",
            more={"消费者及履约保障-售后补寄": resent, "结算-消费者退款金额": refunds},
        ),
        "tiktok_settlement": _book(
            "Order details",
            "Statement date|Statement ID|Payment ID|Status|Currency|Type|Order/adjustment ID|Related order ID|SKU ID|"
            "Quantity|Order created date|Total settlement amount|Net sales|Shipping|Fees|Adjustment amount",
            "2023/08/16|ST1|PAY1|Paid|USD|Order|1||17|2|2023/08/03|80|100|-5|-15|0",
            "2023/08/16|ST1|PAY1|Paid|USD|Logistics reimbursement|2|1|17||2023/08/03|7|0|0|0|7",
        ),
        "alibaba_1688_orders": _book(
            "订单",
            "订单编号|卖家公司名|卖家会员名|实付款(元)|订单状态|订单创建时间|订单付款时间|货品标题|单价(元)|数量",
            "1234567890123456789|灯具厂|lamp_factory|106.5|交易成功|2023-03-05 09:00:00|2023-03-05 09:01:00|灯|8.5|10",
        ),
        "china_bank_statement": workbook({"Sheet1": ccb_rows()}),
    }


def _trade_files() -> dict[str, bytes]:
    items = [declared_item("1")]
    seen = "2023-03-05 10:20:30|1000.00|130.00|1130.00|电子发票服务平台|专用|正常|是|正常|张|"
    return {
        "camt053_statement": camt_file(),
        "customs_declaration": declarations_file([declaration("222520230000000001", [declaration_item("1")])]),
        "customs_declaration_xml": declaration_message(items, AgentCode="3100980001"),
        "ceb_order": ceb_message("303", order_record()),
        "ceb_receipt": ceb_message("403", receipt_record()),
        "ceb_waybill": ceb_message("505", waybill_record()),
        "ceb_list": ceb_message("603", list_record("1", items=["10.00", "20.5"])),
        "ceb_summary": ceb_message("792", summary_record("222520230000000099", ["1", "2"])),
        "trade_data_workbook": _book(
            "Sheet1",
            "EXP_DATE|EXPORTER_NAME|BUYER_NAME|HS_CODE|DESTINATION_COUNTRY|GROSS_WEIGHT|GROSS_WEIGHT_UNIT|FOB_USD",
            "2023-06-01|Lampworks Co., Ltd.|Lamp House Ltd.|9405420000|Germany|12.5|LB|1000",
        ),
        "us_bills_of_lading": _book(
            "Sheet1",
            "ACTUAL_ARRIVAL_DATE|BILL_OF_LADING|MASTER_BILL_OF_LADING|SHIPPER_NAME|CONSIGNEE_NAME|WEIGHT|WEIGHT_IN_KG|"
            "WEIGHT_UNIT|TEU|CIF|ESTIMATE_ARRIVAL_DATE",
            "2023-06-01|M1|NULL|Lampworks Co., Ltd.|Lamp House Ltd.|2000|907.1847|LB|2|0|2023-05-30",
        ),
        "vat_tax_platform": _book(
            "发票基础信息",
            "序号|发票代码|发票号码|数电发票号码|销方识别号|销方名称|购方识别号|购买方名称|开票日期|金额|税额|价税合计|"
            "发票来源|发票票种|发票状态|是否正数发票|发票风险等级|开票人|备注",
            *(f"1|||2533200000000000000{n}|{_MAKER}|firm 1|91440300MA0000002{n}|firm 2|{seen}" for n in (1, 2)),
        ),
    }


def _register_files() -> dict[str, bytes]:
    updated = {"InitialRegistrationDate": "2019-01-30T16:19:49Z", "LastUpdateDate": "2023-05-18T15:41:20Z"}
    place = {"LegalJurisdiction": "US-MA", "LegalAddress": {"Country": "US"}}
    firm = {"LegalName": "Lamp House", **place, "EntityCreationDate": "1969-04-01T00:00:00Z"}
    period = {"StartDate": "2017-08-14T00:00:00Z", "PeriodType": "RELATIONSHIP_PERIOD"}
    nodes = {
        name: {"NodeID": lei, "NodeIDType": "LEI"} for name, lei in zip(("StartNode", "EndNode"), _LEI, strict=True)
    }
    kind = {"RelationshipType": "IS_DIRECTLY_CONSOLIDATED_BY", "RelationshipStatus": "ACTIVE"}
    link = {**nodes, **kind, "RelationshipPeriods": [period]}
    people = [
        entity("co-1", "Company", idNumber="S000001", jurisdiction="cn", incorporationDate="2018-04-01"),
        entity("pe-1", "Person", nationality="cn"),
        entity("o", "Ownership", owner="pe-1", asset="co-1", percentage="60.00", startDate="2020-01-01"),
        entity("g", "UnknownLink", role="guarantor", subject="pe-1", object="co-1", summary="USD 120000.00"),
    ]
    return {
        "gleif_entities": _json(
            [{"LEI": _LEI[0], "Entity": firm, "Registration": updated | {"RegistrationStatus": "ISSUED"}}]
        ),
        "gleif_relations": _json(
            [{"Relationship": link, "Registration": updated | {"RegistrationStatus": "PUBLISHED"}}]
        ),
        "company_links": links_file(people),
        "bods_statements": _json(_declared()),
    }


def _declared() -> list[dict[str, Any]]:
    company: dict[str, Any] = {
        "name": "Lamp Ltd",
        "entityType": {"type": "registeredEntity"},
        "foundingDate": "1969-04-01",
    }
    company["jurisdiction"] = {"name": "Delaware", "code": "US-DE"}
    share = {"type": "shareholding", "share": {"exact": 60}, "startDate": "2020-01-01"}
    records: dict[tuple[str, str], dict[str, Any]] = {
        ("co-1", "entity"): company,
        ("pe-1", "person"): {"names": [{"fullName": "Anna"}], "birthDate": "1970"},
        ("re-1", "relationship"): {"subject": "co-1", "interestedParty": "pe-1", "interests": [share]},
    }
    return [
        {
            "statementId": f"st-{record}-2021-03-01-new",
            "declarationSubject": "co-1",
            "statementDate": "2021-03-01",
            "publicationDetails": {"publicationDate": "2021-03-01", "bodsVersion": "0.4"},
            "recordId": record,
            "recordStatus": "new",
            "recordType": kind,
            "recordDetails": {"isComponent": False, **details},
        }
        for (record, kind), details in records.items()
    ]
