"""Hypothesis strategies for tiny worlds: a few sellers and a few rows per table, some of them not yet known."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import strategies as st

from data_contracts.definition.compiler import table_contract
from data_contracts.definition.contract import Kind
from tests.factories.canonical_tables import OWN_COLUMNS, POOL_TABLES, canonical_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

AS_OF = dt.date(2024, 6, 30)
SELLERS = ("S1", "S2", "S3")
MIDNIGHT_AFTER = dt.datetime(2024, 7, 1, tzinfo=dt.UTC)

Rows = dict[str, list[dict[str, Any]]]

_cents = st.integers(-5_000_00, 90_000_00).map(lambda cents: cents / 100)
_gains = st.integers(0, 90_000_00).map(lambda cents: cents / 100)
_parties = st.sampled_from(("P1", "P2", "P3", "a1", "a2", "h1"))


@st.composite
def _times(draw: st.DrawFn) -> dict[str, Any]:
    """Draw when a row happened and became known: before, on and after the date and the midnight that ends it."""
    happened = AS_OF - dt.timedelta(
        days=draw(st.integers(-40, 480) | st.sampled_from((0, -1, 29, 30, 89, 90, 364, 365)))
    )
    late = dt.timedelta(
        days=draw(st.sampled_from((0, 0, 0, 15, 70))), seconds=draw(st.sampled_from((0, 43_200, 86_399)))
    )
    known = dt.datetime.combine(happened, dt.time(0), tzinfo=dt.UTC) + late
    recorded = known + dt.timedelta(days=draw(st.sampled_from((0, 30))))
    return {"event_date": happened, "known_at": known, "recorded_at": recorded}


def _rows(most: int = 8, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.tuples(st.fixed_dictionaries(columns), _times()).map(lambda both: {**both[0], **both[1]})
    return st.lists(row, max_size=most)


_seller = st.sampled_from(SELLERS)
_TABLES: Mapping[str, st.SearchStrategy[list[dict[str, Any]]]] = {
    "money_event": _rows(
        14,
        seller_id=_seller,
        event_type=st.sampled_from(
            ("sale", "sale", "sale", "refund", "payout", "commission", "penalty", "reserve_hold")
        ),
        amount=_cents,
        sku=st.sampled_from(("x", "y", None)),
        platform=st.sampled_from(("amazon", "Temu")),
        marketplace=st.sampled_from(("US", "DE")),
        store_id=st.sampled_from(("s1", "s2")),
    ),
    "trade_invoice": _rows(
        12,
        seller_id=_seller,
        direction=st.sampled_from(("sale", "purchase")),
        counterparty_id=st.sampled_from(("c1", "c2", "c3")),
        net_amount=st.one_of(_cents, st.just(2000)),
        tax_amount=_gains,
        status=st.sampled_from(("valid", "valid", "void")),
        is_credit_note=st.booleans(),
    ),
    "export_declaration": _rows(
        seller_id=_seller,
        declared_amount=_gains,
        hs6=st.sampled_from(("610910", "850440")),
        destination_country=st.sampled_from(("US", "DE")),
        supervision_mode=st.sampled_from(("0110", "9710")),
        consignee_id=st.sampled_from(("k1", "k2", None)),
    ),
    "site_order": _rows(
        seller_id=_seller,
        customer_id=st.sampled_from(("u1", "u2", None)),
        total_amount=_gains,
        refunded_amount=_gains,
        discount_usd=_gains,
        is_cancelled=st.booleans(),
        is_fulfilled=st.booleans(),
        is_high_risk=st.booleans(),
        fulfilment_days=st.one_of(st.none(), st.integers(0, 30)),
    ),
    "site_day": _rows(4, seller_id=_seller, session_count=st.integers(0, 500), bounce_count=st.integers(0, 90)),
    "loan": _rows(
        4,
        seller_id=_seller,
        loan_id=st.sampled_from(("l1", "l2")),
        lender_id=st.sampled_from(("L1", "L2")),
        principal=_gains,
    ),
    "repayment": _rows(
        seller_id=_seller,
        loan_id=st.sampled_from(("l1", "l2")),
        entry_type=st.sampled_from(("due", "paid")),
        amount=st.integers(1, 300),
    ),
    "application": _rows(3, seller_id=_seller, decision=st.sampled_from(("accepted", "rejected", None))),
    "bank_entry": _rows(
        4,
        seller_id=_seller,
        counterparty_kind=st.just("platform_payout"),
        platform=st.sampled_from(("Amazon", "Mercado Libre", "Stripe")),
    ),
    "login_event": _rows(3, seller_id=_seller, platform=st.sampled_from(("amazon", "eBay"))),
    "receivable": _rows(3, seller_id=_seller, debtor_type=st.sampled_from(("platform", "business"))),
    "consent": _rows(
        4,
        seller_id=_seller,
        consent_reference=st.sampled_from(("C1", "C2")),
        consented_source=st.sampled_from(("temu_settlement", "shopify_orders", "vat_invoices")),
        valid_from=st.sampled_from((AS_OF - dt.timedelta(days=90), AS_OF - dt.timedelta(days=20))),
        valid_to=st.sampled_from((None, AS_OF, AS_OF - dt.timedelta(days=1))),
        withdrawn_on=st.sampled_from((None, None, AS_OF - dt.timedelta(days=2))),
    ),
    "party_link": _rows(
        from_party_id=_parties,
        to_party_id=_parties,
        link_type=st.sampled_from(("owner", "address", "guarantee", "guarantee")),
        amount_usd=st.one_of(st.none(), _gains),
    ),
}
_PERIODS = st.sampled_from(((900, -10), (900, 20), (900, 60), (300, 0), (100, -30)))


@st.composite
def worlds(draw: st.DrawFn) -> Rows:
    """Draw rows by table. Parties P1 to P3 are the sellers; most tables of most sellers are covered."""
    rows = {table: draw(strategy) for table, strategy in _TABLES.items()}
    for link in rows["party_link"]:
        link["valid_from"] = link["event_date"]
    rows["party"] = [
        {"party_id": f"P{seller[1:]}", "seller_id": seller, "event_date": "2020-01-01"} for seller in SELLERS
    ]
    rows["source_coverage"] = [
        _coverage(seller, table, draw(_PERIODS), draw(st.sampled_from((-1, 0, 3))))
        for seller in SELLERS
        for table in ("money_event", "trade_invoice", "export_declaration", "site_order", "site_day", "bank_entry")
    ]
    # The tables of the pool follow from one number: drawing each cell would take most of the time.
    pool = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - no secret
    rows |= {table: [_pool_row(table, pool) for _ in range(pool.randrange(5))] for table in _POOL}
    rows["source_coverage"] += [_coverage(seller, table, (900, -10), -1) for seller in SELLERS[:2] for table in _POOL]
    return rows


_POOL = tuple(table for table in POOL_TABLES if table not in _TABLES)


def _pool_row(table: str, source: random.Random) -> dict[str, Any]:
    """Return a row of a table of the pool with any values that its contract knows."""
    contract = table_contract(table)
    choices = {rule.column: rule.arguments.values for rule in contract.rules if rule.kind is Kind.ENUM}
    row = {
        name: source.choice(choices[name]) if name in choices else _pool_cell(kind, source)
        for name, kind in OWN_COLUMNS[table].items()
    }
    row[contract.primary_key[0]] = f"{table}-{source.randrange(10**9)}"
    happened = AS_OF - dt.timedelta(days=source.choice((-1, 0, 1, 30, 89, 90, 364, 365, 700)))
    known = dt.datetime.combine(happened, dt.time(0), tzinfo=dt.UTC) + dt.timedelta(days=source.choice((0, 0, 15)))
    recorded = known + dt.timedelta(days=source.choice((0, 30)))
    return {
        **row,
        "seller_id": source.choice(SELLERS),
        "event_date": happened,
        "known_at": known,
        "recorded_at": recorded,
    }


def _pool_cell(kind: pa.DataType, source: random.Random) -> Any:  # noqa: ANN401 - any cell
    if source.random() < 0.1:
        return None
    if pa.types.is_boolean(kind):
        return source.random() < 0.5
    if pa.types.is_date(kind):
        return AS_OF + dt.timedelta(days=source.choice((-400, -1, 0, 1, 60, 400)))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return source.randrange(90)
    return source.choice("ab")


def _coverage(seller: str, table: str, period: tuple[int, int], known_after: int) -> dict[str, Any]:
    known = dt.datetime.combine(AS_OF + dt.timedelta(days=known_after), dt.time(6), tzinfo=dt.UTC)
    return {
        "seller_id": seller,
        "covered_table": table,
        "period_from": AS_OF - dt.timedelta(days=period[0]),
        "period_to": AS_OF - dt.timedelta(days=period[1]),
        "known_at": known,
    }


def tables_of(rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, pa.Table]:
    """Return the Arrow tables of a world; primary keys follow a row's position, so add keys before dropping rows."""
    return canonical_tables(**rows)


def with_keys(rows: Rows) -> Rows:
    """Return the same world with explicit primary keys."""
    keys: dict[str, str | None] = {
        "money_event": "event_id",
        "trade_invoice": "invoice_id",
        "export_declaration": "declaration_item_id",
        "site_order": "site_order_id",
        "site_day": "site_day_id",
        "loan": None,
        "repayment": "repayment_id",
        "application": "application_id",
        "bank_entry": "bank_entry_id",
        "login_event": "login_event_id",
        "receivable": "receivable_id",
        "consent": "consent_id",
        "party_link": "party_link_id",
        "source_coverage": "source_coverage_id",
        "party": None,
    }
    keys |= dict.fromkeys(_POOL)
    return {
        table: [
            row if keys[table] is None else {keys[table]: f"{table}-{place}", **row} for place, row in enumerate(listed)
        ]
        for table, listed in rows.items()
    }


def is_visible(row: Mapping[str, Any]) -> bool:
    """Return whether a drawn row happened and was known by the end of the date."""
    happened = row.get("event_date", row.get("period_from"))
    if isinstance(happened, str):
        return True
    return happened <= AS_OF and row["known_at"] < MIDNIGHT_AFTER
