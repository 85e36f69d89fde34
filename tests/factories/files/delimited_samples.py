"""A small valid file, with invented values, for every source that reads one delimited table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.templates import PREFIX
from data_contracts.sources.registry import mapped_sources, source_mapping
from tests.factories.files.templates import template_row
from tests.factories.raw_files import (
    AMAZON_HEADER,
    APPLICATIONS_HEADER,
    LOANS_HEADER,
    REPAYMENTS_HEADER,
    SHOPIFY_HEADER,
    TRAFFIC_HEADER,
    amazon_amount,
    amazon_total,
    shopify_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from data_contracts.definition.contract import Column, Tags

ROWS = 8
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class DelimitedSample:
    """A valid table; if the source's cells cannot be quoted, none contains a delimiter, quote or line end.

    ``identifier``, ``amount``, ``date`` and ``name`` are headers of columns of these kinds, or of the nearest ones.
    """

    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    identifier: str
    amount: str
    date: str
    name: str

    @property
    def delimiter(self) -> str:
        """The delimiter of its source."""
        spec = source_contract(self.source).read_spec
        assert spec is not None
        return spec.delimiter

    def as_csv(self) -> bytes:
        """Return the table with commas."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows((self.header, *self.rows))
        return text.getvalue().encode()

    def as_delivered(self, with_commas: bytes) -> bytes:
        """Return a text with commas in the source's format: with its own delimiter and its tags."""
        spec = source_contract(self.source).read_spec
        if spec is not None and spec.tags is not None:
            return _with_tags(with_commas, spec.tags)
        mark = self.delimiter.encode()
        return with_commas if mark == b"," else with_commas.translate(bytes.maketrans(b"," + mark, mark + b","))


def _with_tags(text: bytes, tags: Tags) -> bytes:
    """Return a text with a tag before every non-blank line, framed, and with its number of rows at the end."""
    if not text.strip(_UTF8_MARK):
        return text
    mark = _UTF8_MARK if text.startswith(_UTF8_MARK) else b""
    header, *lines = text.removeprefix(mark).split(b"\n")
    rows = [tags.row.encode() + b"," + line if line.strip() else line for line in lines]
    count = sum(bool(line.strip()) for line in lines)
    whole = [tags.frame[0].encode() + b",1", tags.header.encode() + b"," + header, *rows]
    ending = f"{tags.count},{count}\n".encode()
    return mark + b"\n".join(whole) + (b"" if whole[-1] == b"" else b"\n") + ending


def _sample(
    source: str, header: str | Sequence[str], rows: Sequence[str | Mapping[str, str]], kinds: str
) -> DelimitedSample:
    names = tuple(header.split(",") if isinstance(header, str) else header)
    # A semicolon stands for a comma within a cell.
    cells = [
        tuple(cell.replace(";", ",") for cell in row.split(","))
        if isinstance(row, str)
        else tuple(row.get(n, "") for n in names)
        for row in rows
    ]
    return DelimitedSample(source, names, tuple(cells), *kinds.split("|"))


_NUMBERS = range(1, ROWS + 1)
_SETTLEMENTS = [(amazon_total(f"{i}", "9.00"), amazon_amount(f"{i}", "9.00", sku=f"LAMP-{i}")) for i in _NUMBERS]
_EXPORTS = (
    _sample(
        "airwallex_balance_activity",
        "Time,Type,Transaction Id,Description,Wallet Currency,Debit Net Amount,Credit Net Amount,Account Balance",
        [f"2023-06-2{i}T22:41:36+1000,DEPOSIT,T{i},Amazon,EUR,,5.00,{5 * i}.00" for i in _NUMBERS],
        "Transaction Id|Credit Net Amount|Time|Description",
    ),
    _sample(
        "amazon_date_range",
        "settlement id,type,order id,sku,description,quantity,marketplace,product sales,selling fees,date/time,total",
        [
            f"987,Order,111-0000001-000000{i},LAMP-{i},Lamp,1,amazon.com,12.00,-2.00,Mar {i}; 2023 1:01:49 AM PST,10.00"
            for i in _NUMBERS
        ],
        "type|total|date/time|description",
    ),
    _sample(
        "amazon_inventory_planning",
        "snapshot-date,sku,condition,available,reserved-quantity,currency",
        [f"2023-03-05,LAMP-{i},New,{100 + i},10,USD" for i in _NUMBERS],
        "sku|available|snapshot-date|sku",
    ),
    _sample(
        "amazon_settlement_v1",
        "settlement-id,settlement-start-date,settlement-end-date,deposit-date,total-amount,currency,transaction-type,"
        "order-id,marketplace-name,posted-date,sku,quantity-purchased,price-type,price-amount,item-related-fee-type,"
        "item-related-fee-amount,other-amount,shipment-fee-type,shipment-fee-amount,order-fee-type,order-fee-amount,"
        "misc-fee-amount,other-fee-amount,other-fee-reason-description,promotion-type,promotion-amount,"
        "direct-payment-type,direct-payment-amount",
        [
            line
            for i in _NUMBERS
            for line in (
                f"{i},2023-03-01,2023-03-14,2023-03-16,9.00,USD{',' * 22}",
                f"{i},,,,,,Order,111-0000001-000000{i},Amazon.com,2023-03-1{i % 4},LAMP-{i},1,Principal,9.00{',' * 14}",
            )
        ],
        "settlement-id|price-amount|posted-date|sku",
    ),
    _sample(
        "amazon_settlement_v2",
        AMAZON_HEADER,
        [row for pair in _SETTLEMENTS for row in pair],
        "settlement-id|amount|posted-date-time|sku",
    ),
    _sample(
        "cumcm_firms",
        "企业代号,企业名称,信誉评级,是否违约",
        [f"E{i},公司{i},A,否" for i in _NUMBERS],
        "企业代号|是否违约|信誉评级|企业名称",
    ),
    _sample(
        "delivery_manifest",
        "SHA-256,File,Seller ref,Source,Account,Period start,Period end,Delivered at (UTC)",
        [f"{i:064x},v/{i}.csv,S000001,vat_invoices,A{i},2023-01-01,2023-12-31,2024-01-05 10:00:00" for i in _NUMBERS],
        "SHA-256|Period start|Delivered at (UTC)|Account",
    ),
    _sample(
        "ebay_transactions",
        "Transaction creation date,Type,Order number,Net amount,Payout currency,Payout date,Payout ID,Payout status,"
        "Reason for hold,Item ID,Custom label,Quantity,Item subtotal,Shipping and handling,Seller collected tax,"
        "Final Value Fee - fixed,Final Value Fee - variable,Below standard performance fee,Gross transaction amount,"
        "Transaction currency,Exchange rate,Description",
        [
            f"2023-03-0{i},Order,0{i},18.00,USD,2023-03-09,55,Funds sent,,I{i},LAMP-{i},1,10.00,1.00,1.00,-1.00,-1.50,"
            f"-0.50,12.00,EUR,2.00,note"
            for i in _NUMBERS
        ],
        "Order number|Net amount|Transaction creation date|Custom label",
    ),
    _sample(
        "etsy_statement",
        "Date,Type,Title,Info,Currency,Amount,Fees & Taxes,Net,Tax Details",
        [f"2023-03-0{i},Sale,Payment for Order #{i},Order #{i},GBP,20.00,-1.00,19.00,--" for i in _NUMBERS],
        "Title|Amount|Date|Info",
    ),
    _sample(
        "exchange_rates",
        "Currency,Date,USD per unit",
        [f"TWD,2023-01-0{i},0.0325" for i in _NUMBERS],
        "Currency|USD per unit|Date|Currency",
    ),
    _sample(
        "lazada_statement",
        "Statement Number,Transaction Date,Fee Name,Amount(Include Tax),Release Status,Release Date,Order Number,"
        "Seller SKU,WHT Amount,WHT included in Amount,Currency",
        [f"MY1,2023-03-0{i},Commission,-8.00,Released,2023-03-0{i},{i},LAMP-{i},1.00,No,MYR" for i in _NUMBERS],
        "Order Number|Amount(Include Tax)|Transaction Date|Seller SKU",
    ),
    _sample(
        "lazada_transactions",
        "Transaction Date,Transaction Type,Fee Name,Seller SKU,Amount,WHT Amount,WHT included in Amount,Statement,"
        "Paid Status,Order No.,Currency",
        [f"2023-03-0{i},Orders-Sales,Item Price Credit,LAMP-{i},10.00,1.00,No,week,paid,{i},MYR" for i in _NUMBERS],
        "Order No.|Amount|Transaction Date|Seller SKU",
    ),
    _sample(
        "lender_applications",
        APPLICATIONS_HEADER,
        [f"A{i},S00000{i},2022-12-20,9000.00,stock,CR-{i},accepted" for i in _NUMBERS],
        "Application No|Requested (USD)|Applied On|Purpose",
    ),
    _sample(
        "lender_loans",
        LOANS_HEADER,
        [f"L{i},S00000{i},LN01,2023-01-02,2024-01-02,7000.00,CNY,12.50,12" for i in _NUMBERS],
        "Loan No|Principal|Disbursed On|Lender",
    ),
    _sample(
        "lender_repayments",
        REPAYMENTS_HEADER,
        [f"R{i},L1,S000001,Due,2023-02-0{i},600.00,CNY,2023-01-02 09:00:00" for i in _NUMBERS],
        "Entry No|Amount|Booked At (UTC)|Borrower",
    ),
    _sample(
        "mercado_release",
        "DATE,SOURCE_ID,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,MP_FEE_AMOUNT,SITE,CURRENCY",
        [f"2023-03-0{i}T10:00:00.000-06:00,{i},release,payment,88.00,0,100.00,-12.00,MLM,MXN" for i in _NUMBERS],
        "SOURCE_ID|NET_CREDIT_AMOUNT|DATE|DESCRIPTION",
    ),
    _sample(
        "mercado_settlement",
        "SOURCE_ID,TRANSACTION_TYPE,TRANSACTION_AMOUNT,TRANSACTION_CURRENCY,TRANSACTION_DATE,FEE_AMOUNT,TAXES_AMOUNT,"
        "SETTLEMENT_NET_AMOUNT,SETTLEMENT_CURRENCY,SETTLEMENT_DATE,ORDER_ID",
        [
            f"{i},SETTLEMENT,100.00,MXN,2023-03-0{i}T10:00:00.000-06:00,-12.00,-1.00,87.00,MXN,"
            f"2023-03-0{i}T11:00:00.000-06:00,{i}"
            for i in _NUMBERS
        ],
        "SOURCE_ID|SETTLEMENT_NET_AMOUNT|TRANSACTION_DATE|ORDER_ID",
    ),
    _sample(
        "payoneer",
        "Transaction Date,Transaction Time,Time Zone,Transaction ID,Description,Credit Amount,Debit Amount,Currency,"
        "Status,Running Balance,Additional Description,Store Name",
        [f"03/1{i}/2023,10:00:00,UTC,{i},Payment from Amazon,5.00,,USD,Completed,0.00,,My Shop" for i in _NUMBERS],
        "Transaction ID|Credit Amount|Transaction Date|Description",
    ),
    _sample(
        "paypal_activity",
        "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,Transaction ID,Balance,Balance Impact",
        [f"03/1{i}/2023,10:00:00,PDT,Anna,Payment,Completed,USD,10.00,-1.00,9.00,TX{i},0.00,Credit" for i in _NUMBERS],
        "Transaction ID|Gross|Date|Name",
    ),
    _sample(
        "paypal_settlement",
        "Transaction ID,Invoice ID,PayPal Reference ID,Transaction Event Code,Transaction Initiation Date,"
        "Transaction Completion Date,Transaction Debit or Credit,Gross Transaction Amount,Gross Transaction Currency,"
        "Fee Debit or Credit,Fee Amount,Fee Currency",
        [
            f"TX{i},INV-{i},,T0006,2023/03/1{i} 10:00:00 -0700,2023/03/1{i} 10:00:00 -0700,CR,1000,USD,DR,30,USD"
            for i in _NUMBERS
        ],
        "Transaction ID|Gross Transaction Amount|Transaction Completion Date|Invoice ID",
    ),
    _sample(
        "paypal_statement",
        "Date,Time,TimeZone,Description,Currency,Gross,Fee,Net,Balance,Transaction ID,Name",
        [f"03/1{i}/2023,10:00:00,PDT,General Payment,USD,10.00,-1.00,9.00,{9 * i}.00,TX{i},Anna" for i in _NUMBERS],
        "Transaction ID|Gross|Date|Name",
    ),
    _sample(
        "shop_traffic",
        TRAFFIC_HEADER,
        [f"2023-01-0{i},10,12,3,4,1.50" for i in _NUMBERS],
        "Day|Ad spend (USD)|Day|Sessions",
    ),
    _sample(
        "shopify_orders",
        SHOPIFY_HEADER,
        [shopify_order(f"#{i}", f"{i}", Lineitem_name=f"Lamp {i}") for i in _NUMBERS],
        "Id|Total|Created at|Lineitem name",
    ),
    _sample(
        "shopify_payout_transactions",
        "Transaction Date,Type,Order,Payout Status,Payout Date,Payout ID,Available On,Amount,Fee,Net,Checkout,Currency",
        [
            f"2023-08-1{i} 16:59:53 +0400,charge,#{i},paid,2023-09-01,901,2023-09-01,100.00,3.20,96.80,#7,USD"
            for i in _NUMBERS
        ],
        "Type|Amount|Transaction Date|Checkout",
    ),
    _sample(
        "shopify_payouts",
        "Payout Date,Status,Charges,Refunds,Adjustments,Reserved Funds,Fees,Retried Amount,Total,Currency,"
        "Bank Reference",
        [f"2023-09-0{i},paid,100.00,-20.00,0.00,0.00,-3.20,0.00,76.80,USD,REF-{i}" for i in _NUMBERS],
        "Currency|Total|Payout Date|Bank Reference",
    ),
    _sample(
        "stripe_balance_history",
        "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description,Transfer",
        [f"txn_{i},charge,ch_{i},9.00,0.20,8.80,usd,2023-03-1{i} 10:00,2023-03-17 00:00,note,po_1" for i in _NUMBERS],
        "id|Amount|Created (UTC)|Description",
    ),
    _sample(
        "stripe_payout_reconciliation",
        "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,available_on_utc,currency,"
        "gross,fee,net,reporting_category,source_id,description",
        [
            f"po_1,2023-03-18 00:00:00,txn_{i},2023-03-1{i} 10:00:00,2023-03-17 00:00:00,usd,100.00,3.20,96.80,charge,"
            f"ch_{i},note"
            for i in _NUMBERS
        ],
        "balance_transaction_id|gross|created_utc|description",
    ),
    _sample(
        "vat_invoices",
        ",企业代号,发票号码,开票日期,购方单位代号,金额,税额,价税合计,发票状态",
        [f"{i},S000001,{i},2023/3/{i},B00001,100.0,13.0,113.0,有效发票" for i in _NUMBERS],
        "发票号码|金额|开票日期|购方单位代号",
    ),
    _sample(
        "walmart_recon",
        "Period Start Date,Period End Date,Total Payable,Currency,Transaction Posted Timestamp,Transaction Type,"
        "Transaction Description,Purchase Order #,Amount,Amount Type,Ship Qty",
        [
            *(f"03/01/2023,03/14/2023,,USD,03/0{i}/2023,Sale,,P{i},10.00,Product Price,1" for i in range(1, ROWS)),
            "03/01/2023,03/14/2023,70.00,USD,03/15/2023,PaymentSummary,,,,,",
        ],
        "Purchase Order #|Amount|Transaction Posted Timestamp|Transaction Description",
    ),
    _sample(
        "wallet_statement",
        "Wallet,Wallet account,Day,Kind,Counterparty,Currency,Money in,Money out,Balance,Transaction ID",
        [f"PingPong,8801,2023-04-1{i},Receipt,Amazon,USD,5.00,,{5 * i}.00,W{i}" for i in _NUMBERS],
        "Transaction ID|Money in|Day|Counterparty",
    ),
    _sample(
        "web_shop_orders",
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country,Currency",
        [f"{i},8504{i},Lamp {i},2,2023-03-0{i} 10:00:00,6.95,13085,Germany,GBP" for i in _NUMBERS],
        "Invoice|Price|InvoiceDate|Description",
    ),
)


def delimited_samples() -> Iterator[DelimitedSample]:
    """Return one sample per source, templates and reference lists included."""
    yield from _EXPORTS
    yield from (_template(source.removeprefix(PREFIX)) for source in mapped_sources() if source.startswith(PREFIX))


def _template(table: str) -> DelimitedSample:
    contract = source_contract(f"{PREFIX}{table}")
    rows = [template_row(table, f"R{number}") for number in range(1, ROWS + 1)]

    def first(fits: Callable[[Column], bool], default: str) -> str:
        return next((column.header for column in contract.columns if fits(column)), default)

    header = tuple(rows[0])
    identifier = first(lambda c: c.name in contract.primary_key and c.name != "seller_id", header[0])
    amount = first(lambda c: pa.types.is_decimal(c.arrow_type) or pa.types.is_integer(c.arrow_type), header[-1])
    happened = source_mapping(f"{PREFIX}{table}").happened
    date = first(lambda c: c.name == happened, header[-1])
    name = first(lambda c: pa.types.is_string(c.arrow_type) and c.name not in contract.primary_key, header[-1])
    return _sample(f"{PREFIX}{table}", header, rows, "|".join((identifier, amount, date, name)))
