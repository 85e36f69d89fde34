"""Tiny canonical Arrow tables from a few rows with only the cells that a test needs.

``canonical_table("money_event", [{"seller_id": "S1", "amount": 10, "event_date": "2024-01-05"}])`` fills every other
column with a harmless default, so that a test names only what matters.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.definition.compiler import table_contract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STR = pa.string()
DICT = pa.dictionary(pa.int32(), pa.string())
DEC = pa.decimal128(18, 4)
DATE = pa.date32()
TS = pa.timestamp("us", tz="UTC")
I32, I64, F64, BOOL = pa.int32(), pa.int64(), pa.float64(), pa.bool_()

LINEAGE: dict[str, pa.DataType] = {
    "event_date": DATE,
    "known_at": TS,
    "recorded_at": TS,
    "superseded_at": TS,
    "superseded_recorded_at": TS,
    "row_version": I32,
    "source": DICT,
    "source_file": DICT,
    "source_sha256": DICT,
    "source_row": I64,
}

# Columns before the lineage, the primary key first.
OWN_COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "money_event": {
        "event_id": STR,
        "seller_id": STR,
        "platform": DICT,
        "store_id": STR,
        "marketplace": DICT,
        "statement_id": STR,
        "order_id": STR,
        "sku": STR,
        "quantity": I32,
        "event_type": DICT,
        "raw_type": STR,
        "raw_subtype": STR,
        "amount": DEC,
        "currency": DICT,
        "amount_usd": DEC,
        "event_at": TS,
        "available_on": DATE,
        "paid_out_on": DATE,
        "status": DICT,
        "counted_in": DICT,
    },
    "bank_entry": {
        "bank_entry_id": STR,
        "seller_id": STR,
        "account_id": STR,
        "value_date": DATE,
        "amount": DEC,
        "currency": DICT,
        "amount_usd": DEC,
        "balance_after": DEC,
        "counterparty_id": STR,
        "counterparty_kind": DICT,
        "platform": DICT,
        "reference": STR,
        "status": DICT,
    },
    "trade_invoice": {
        "invoice_id": STR,
        "seller_id": STR,
        "direction": DICT,
        "counterparty_id": STR,
        "invoice_number": STR,
        "net_amount": DEC,
        "tax_amount": DEC,
        "gross_amount": DEC,
        "currency": DICT,
        "net_amount_usd": DEC,
        "status": DICT,
        "is_credit_note": BOOL,
    },
    "export_declaration": {
        "declaration_item_id": STR,
        "declaration_id": STR,
        "item_number": I32,
        "seller_id": STR,
        "customs_office": STR,
        "supervision_mode": DICT,
        "commodity_code": STR,
        "hs6": STR,
        "destination_country": DICT,
        "incoterm": DICT,
        "quantity": DEC,
        "net_weight_kg": DEC,
        "declared_amount": DEC,
        "currency": DICT,
        "declared_amount_usd": DEC,
        "agent_id": STR,
        "consignee_id": STR,
    },
    "export_document": {
        "export_document_id": STR,
        "seller_id": STR,
        "document_kind": DICT,
        "document_number": STR,
        "order_number": STR,
        "waybill_number": STR,
        "list_number": STR,
        "declaration_id": STR,
        "platform_code": STR,
        "merchant_code": STR,
        "carrier_code": STR,
        "supervision_mode": DICT,
        "is_summed_later": BOOL,
        "is_withdrawn": BOOL,
        "amount": DEC,
        "currency": DICT,
        "amount_usd": DEC,
        "freight_amount": DEC,
        "gross_weight_kg": DEC,
        "container_teu": DEC,
        "commodity_code": STR,
        "destination_country": DICT,
        "counterparty_id": STR,
    },
    "site_order": {
        "site_order_id": STR,
        "seller_id": STR,
        "site_id": STR,
        "customer_id": STR,
        "total_amount": DEC,
        "refunded_amount": DEC,
        "currency": DICT,
        "total_usd": DEC,
        "refunded_usd": DEC,
        "discount_usd": DEC,
        "item_count": I32,
        "financial_status": DICT,
        "is_fulfilled": BOOL,
        "is_cancelled": BOOL,
        "is_high_risk": BOOL,
        "fulfilment_days": I32,
        "destination_country": DICT,
        "event_at": TS,
    },
    "site_day": {
        "site_day_id": STR,
        "seller_id": STR,
        "site_id": STR,
        "session_count": I32,
        "visitor_count": I32,
        "bounce_count": I32,
        "paid_session_count": I32,
        "advertising_usd": DEC,
        "purchase_count": I32,
        "purchase_usd": DEC,
    },
    "party": {"party_id": STR, "party_type": DICT, "seller_id": STR, "country": DICT, "registered_on": DATE},
    "party_link": {
        "party_link_id": STR,
        "from_party_id": STR,
        "to_party_id": STR,
        "link_type": DICT,
        "share_pct": F64,
        "amount_usd": DEC,
        "valid_from": DATE,
        "valid_to": DATE,
    },
    "loan": {
        "loan_id": STR,
        "seller_id": STR,
        "lender_id": STR,
        "principal": DEC,
        "currency": DICT,
        "principal_usd": DEC,
        "annual_rate_pct": F64,
        "maturity_date": DATE,
        "instalment_count": I32,
    },
    "repayment": {
        "repayment_id": STR,
        "loan_id": STR,
        "seller_id": STR,
        "entry_type": DICT,
        "amount": DEC,
        "currency": DICT,
        "amount_usd": DEC,
    },
    "application": {
        "application_id": STR,
        "seller_id": STR,
        "requested_usd": DEC,
        "purpose": DICT,
        "consent_reference": STR,
        "decision": DICT,
    },
    "credit_record": {
        "credit_record_id": STR,
        "seller_id": STR,
        "seller_name": STR,
        "credit_rating": DICT,
        "is_default": BOOL,
    },
    "source_coverage": {
        "source_coverage_id": STR,
        "seller_id": STR,
        "covered_table": DICT,
        "delivered_source": DICT,
        "period_from": DATE,
        "period_to": DATE,
        "delivered_at": TS,
        "doubts": STR,
    },
}
# Tables of which tests need only a few columns.
POOL_TABLES = (
    "login_event", "account_health", "rating_review", "ip_claim", "receivable", "consent", "cash_balance",
    "inventory_snapshot", "purchase_order", "logistics_event", "pledge", "warehouse_receipt", "certificate",
    "public_record", "social_day", "ad_spend", "production_capacity", "insurance", "debt", "asset_register",
)  # fmt: skip
OWN_COLUMNS |= {
    name: {field.name: field.type for field in table_contract(name).arrow_schema if field.name not in LINEAGE}
    for name in POOL_TABLES
}

# What a row says when the test does not care. The primary key and lineage are made in ``_complete``.
QUIET: dict[str, dict[str, Any]] = {
    "money_event": {
        "platform": "amazon",
        "store_id": "store-1",
        "marketplace": "Amazon.com",
        "event_type": "sale",
        "amount": 100,
        "currency": "USD",
        "status": "released",
    },
    "bank_entry": {
        "account_id": "a" * 32,
        "amount": 100,
        "currency": "USD",
        "counterparty_kind": "other",
        "status": "booked",
    },
    "trade_invoice": {
        "direction": "sale",
        "counterparty_id": "B1",
        "net_amount": 100,
        "tax_amount": 13,
        "currency": "CNY",
        "status": "valid",
        "is_credit_note": False,
    },
    "export_declaration": {
        "item_number": 1,
        "supervision_mode": "9710",
        "commodity_code": "6109100010",
        "hs6": "610910",
        "destination_country": "US",
        "quantity": 1,
        "net_weight_kg": 1,
        "declared_amount": 100,
        "currency": "USD",
    },
    "export_document": {"is_withdrawn": False, "currency": "USD"},
    "site_order": {
        "site_id": "site-1",
        "customer_id": "customer-1",
        "total_amount": 50,
        "refunded_amount": 0,
        "currency": "USD",
        "discount_usd": 0,
        "item_count": 1,
        "financial_status": "paid",
        "is_fulfilled": True,
        "is_cancelled": False,
        "is_high_risk": False,
        "fulfilment_days": 2,
        "destination_country": "US",
    },
    "site_day": {
        "site_id": "site-1",
        "session_count": 100,
        "visitor_count": 90,
        "bounce_count": 40,
        "paid_session_count": 10,
        "advertising_usd": 5,
    },
    "party": {"party_type": "company", "country": "CN"},
    "party_link": {"link_type": "owner"},
    "loan": {"lender_id": "L1", "principal": 1000, "currency": "USD", "annual_rate_pct": 9.0, "instalment_count": 4},
    "repayment": {"loan_id": "loan-1", "entry_type": "due", "amount": 100, "currency": "USD"},
    "application": {"requested_usd": 1000, "consent_reference": "consent-1"},
    "credit_record": {"credit_rating": "A", "is_default": False},
    "login_event": {"platform": "amazon", "user_id": "a" * 32, "login_count": 1, "failed_count": 0},
    "account_health": {"platform": "amazon"},
    "rating_review": {"platform": "amazon"},
    "ip_claim": {"platform": "amazon"},
    "receivable": {"debtor_type": "platform", "entry_type": "issued", "amount": 100, "currency": "USD"},
    "consent": {"consent_reference": "C1", "consented_source": "all", "purpose": "credit_assessment"},
    "cash_balance": {
        "account_id": "a" * 32,
        "account_type": "bank",
        "balance": 0,
        "currency": "USD",
        "period_days": 30,
    },
    "source_coverage": {"delivered_source": "amazon_settlement_v2"},
    "logistics_event": {"direction": "outbound"},
}

# Cells that follow from another cell of the row when left out.
FOLLOWS: dict[str, dict[str, str]] = {
    "money_event": {"amount_usd": "amount"},
    "bank_entry": {"amount_usd": "amount"},
    "trade_invoice": {"net_amount_usd": "net_amount", "invoice_number": "invoice_id"},
    "export_declaration": {"declared_amount_usd": "declared_amount", "declaration_id": "declaration_item_id"},
    "export_document": {"amount_usd": "amount", "document_number": "export_document_id"},
    "site_order": {"total_usd": "total_amount", "refunded_usd": "refunded_amount"},
    "loan": {"principal_usd": "principal", "maturity_date": "event_date"},
    "repayment": {"amount_usd": "amount"},
    "party_link": {"event_date": "valid_from"},
    "receivable": {"amount_usd": "amount", "due_date": "event_date"},
    "consent": {"valid_from": "event_date"},
    "source_coverage": {"event_date": "period_from", "delivered_at": "known_at"},
}

DEFAULT_DATE = dt.date(2024, 1, 1)


def canonical_schema(name: str) -> pa.Schema:
    """Return the Arrow schema of a canonical table."""
    return pa.schema(list({**OWN_COLUMNS[name], **LINEAGE}.items()))


def canonical_table(name: str, rows: Sequence[Mapping[str, Any]] = ()) -> pa.Table:
    """Return a canonical table of ``rows``; dates and times may be ISO text, money any number or text.

    Raises:
        KeyError: A row names a column that the table does not have.
    """
    schema = canonical_schema(name)
    complete = [_complete(name, row, number) for number, row in enumerate(rows, start=1)]
    columns = [_column([row.get(field.name) for row in complete], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def canonical_tables(**rows_by_table: Sequence[Mapping[str, Any]]) -> dict[str, pa.Table]:
    """Return every canonical table, empty except for the given rows: ``canonical_tables(loan=[{...}])``."""
    unknown = set(rows_by_table) - set(OWN_COLUMNS)
    if unknown:
        raise KeyError(f"no such canonical table: {sorted(unknown)}")
    return {name: canonical_table(name, rows_by_table.get(name, ())) for name in OWN_COLUMNS}


def coverage_rows(
    seller_ids: Sequence[str],
    covered_tables: Sequence[str],
    period_from: str = "2015-01-01",
    period_to: str = "2035-01-01",
    known_at: str = "2015-01-01",
) -> list[dict[str, Any]]:
    """Return rows of ``source_coverage`` with full coverage of these sellers and tables."""
    return [
        {
            "seller_id": seller,
            "covered_table": table,
            "period_from": period_from,
            "period_to": period_to,
            "known_at": known_at,
        }
        for seller in seller_ids
        for table in covered_tables
    ]


def observations(pairs: Sequence[tuple[str, str]]) -> pa.Table:
    """Return the observation table ``seller_id, as_of`` from pairs of seller and ISO date."""
    return pa.table(
        {
            "seller_id": pa.array([seller for seller, _ in pairs], STR),
            "as_of": pa.array([dt.date.fromisoformat(day) for _, day in pairs], DATE),
        }
    )


def _complete(name: str, row: Mapping[str, Any], number: int) -> dict[str, Any]:
    own = OWN_COLUMNS[name]
    unknown = set(row) - set(own) - set(LINEAGE)
    if unknown:
        raise KeyError(f"{name} has no column {sorted(unknown)}")
    full = {next(iter(own)): f"{name}-{number}", **QUIET.get(name, {}), **row}
    if name == "party_link" and "valid_from" not in full:
        full["valid_from"] = full.get("event_date", DEFAULT_DATE)
    if name == "trade_invoice" and "gross_amount" not in full:
        full["gross_amount"] = Decimal(str(full["net_amount"])) + Decimal(str(full["tax_amount"]))
    if "event_date" not in full:
        full["event_date"] = full.get(FOLLOWS.get(name, {}).get("event_date", ""), DEFAULT_DATE)
    event_date = _as_date(full["event_date"])
    full.setdefault("known_at", dt.datetime.combine(event_date, dt.time(12), tzinfo=dt.UTC))
    full.setdefault("recorded_at", full["known_at"])
    full = {
        "row_version": 1,
        "source": "factory@1.0.0",
        "source_file": f"{name}.csv",
        "source_sha256": "0" * 64,
        "source_row": number,
        **full,
    }
    for target, origin in FOLLOWS.get(name, {}).items():
        full.setdefault(target, full.get(origin))
    return full


def _column(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    return pa.array([None if value is None else _cell(value, kind) for value in values], kind)


def _cell(value: object, kind: pa.DataType) -> object:
    if pa.types.is_decimal(kind):
        return Decimal(str(value))
    if pa.types.is_date(kind):
        return _as_date(value)
    if pa.types.is_timestamp(kind):
        return _as_time(value)
    if isinstance(value, str) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return float(value) if pa.types.is_floating(kind) else int(value)
    return value


def _as_date(value: object) -> dt.date:
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(str(value))


def _as_time(value: object) -> dt.datetime:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time(0))
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
