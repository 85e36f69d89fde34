"""Each integrity rule fires on a tiny table that shows the sign, and not on one that does not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from features.integrity.flags import integrity_flags
from features.integrity.rules import LINEAGE, columns_read, integrity_rules
from features.policy import load_policy
from tests.factories.canonical_tables import canonical_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

AS_OF = dt.date(2024, 12, 31)
Row = dict[str, Any]
Rows = dict[str, list[Row]]


def flags(rows: Rows, *, across_sellers: bool = True, as_of: dt.date = AS_OF) -> tuple[str, ...]:
    tables = canonical_tables(**rows)
    return integrity_flags(tables, {as_of: ["S1"]}, across_sellers=across_sellers).get(("S1", as_of), ())


def orders(buyers: Sequence[str], unsent: int, seller: str = "S1") -> list[Row]:
    return [
        {"seller_id": seller, "event_date": "2024-06-01", "customer_id": buyer, "is_fulfilled": number >= unsent,
         "is_cancelled": False}
        for number, buyer in enumerate(buyers)
    ]  # fmt: skip


def strangers(count: int) -> list[str]:
    return [f"C{number}" for number in range(count)]


def pledged(lender: str, secured: float, seller: str = "S1", **changed: object) -> Row:
    return {
        "seller_id": seller, "asset_id": "A1", "lender_id": lender, "secured_loan_id": f"L-{lender}",
        "entry_type": "pledged", "event_date": "2024-05-01", "asset_value_usd": 1000, "secured_usd": secured, **changed,
    }  # fmt: skip


def invoices(purchase: float, days: int, count: int = 4) -> list[Row]:
    sold = [
        {"seller_id": "S1", "invoice_id": f"S{number}", "direction": "sale", "status": "valid", "tax_amount": 130,
         "net_amount": 1000, "gross_amount": 1130, "event_date": dt.date(2024, 1 + 2 * number, 5)}
        for number in range(count)
    ]  # fmt: skip
    bought = [
        {**row, "invoice_id": f"P{number}", "direction": "purchase", "gross_amount": purchase,
         "event_date": row["event_date"] + dt.timedelta(days)}
        for number, row in enumerate(sold)
    ]  # fmt: skip
    return sold + bought


def exports(declared: float, earned: float) -> Rows:
    return {
        "export_declaration": [{"seller_id": "S1", "event_date": "2024-06-01", "declared_amount_usd": declared}],
        "money_event": [{"seller_id": "S1", "event_date": "2024-06-01", "event_type": "payout", "amount_usd": -earned,
                         "status": "paid"}],
        "site_order": [],
        "trade_invoice": [{"seller_id": "S1", "event_date": "2024-06-01", "direction": "purchase", "status": "valid",
                           "net_amount_usd": declared * 0.8}],
    }  # fmt: skip


def tied(kinds: Sequence[str]) -> Rows:
    parties = [{"party_id": f"P{number}", "seller_id": f"S{number}", "event_date": "2020-01-01"} for number in (1, 2)]
    links = [
        {"party_link_id": f"{kind}{number}", "from_party_id": f"P{number}", "to_party_id": kind, "link_type": kind,
         "event_date": "2020-01-01"}
        for kind in kinds
        for number in (1, 2)
    ]  # fmt: skip
    return {"party": parties, "party_link": links}


def supplied(unknown: float, invoiced: float, ordered: float = 20_000) -> Rows:
    common = {"seller_id": "S1", "event_date": "2024-06-01"}
    order = {**common, "entry_type": "placed"}
    return {
        "purchase_order": [
            {**order, "supplier_id": "Known", "amount_usd": ordered - unknown},
            {**order, "supplier_id": "Unknown", "amount_usd": unknown},
        ],
        "trade_invoice": [{**common, "direction": "purchase", "status": "valid", "counterparty_id": "Known",
                           "net_amount": invoiced, "gross_amount": invoiced, "net_amount_usd": invoiced}],
    }  # fmt: skip


def shipped(seller: str, waybills: Sequence[str]) -> list[Row]:
    return [{"seller_id": seller, "event_date": "2024-06-01", "waybill_number": bill} for bill in waybills]


def receipts(*sellers: str) -> Rows:
    return {"warehouse_receipt": [{"seller_id": one, "asset_id": "W1", "event_date": "2024-06-01"} for one in sellers]}


def paid(credit: float, kind: str = "platform_payout") -> Rows:
    days = [dt.date(2024, month, 10) for month in range(1, 13)]
    return {
        "money_event": [
            {"seller_id": "S1", "event_type": "payout", "status": "paid", "amount": -1000, "statement_id": f"T{day}",
             "event_date": day}
            for day in days[1:-1]
        ],
        "bank_entry": [
            {"seller_id": "S1", "event_date": day + dt.timedelta(2), "amount": credit, "counterparty_kind": kind}
            for day in days
        ],
    }  # fmt: skip


def collected(amount: float) -> Rows:
    ledger = paid(1000)["money_event"]
    claims = [
        {"seller_id": "S1", "event_date": row["event_date"], "entry_type": "collected", "debtor_type": "platform",
         "amount": amount}
        for row in ledger
    ]  # fmt: skip
    return {"money_event": ledger, "receivable": claims}


def complaints(refunds: float) -> Rows:
    common = {"seller_id": "S1", "platform": "amazon", "event_date": "2024-06-01"}
    return {
        "money_event": [
            {**common, "event_type": "sale", "amount_usd": 20_000, "status": "paid"},
            {**common, "event_type": "refund", "amount_usd": -refunds, "status": "paid"},
        ],
        "account_health": [{**common, "measure": "order_defect_rate", "measured": 1.0}],
    }


FOREIGN = [*strangers(54), *(f"F{number}" for number in range(6))]
BRUSHED = [*strangers(48), *(["B"] * 12)]

# Rule: what shows its sign, and what nearly does.
EXAMPLES: dict[str, tuple[list[Rows], list[Rows]]] = {
    "integrity_brushing": (
        [
            {"site_order": orders(FOREIGN, 0) + orders(FOREIGN[54:], 0, "S2")},
            {"site_order": orders(BRUSHED, 9)},
        ],
        [
            {"site_order": orders(FOREIGN, 0) + orders(FOREIGN[55:], 0, "S2")},
            {"site_order": orders(BRUSHED, 8)},
            {"site_order": orders(strangers(60), 60)},
            {"site_order": orders(["B"] * 29, 29)},
        ],
    ),
    "integrity_duplicate_financing": (
        [
            {"pledge": [pledged("A", 800), pledged("B", 300)]},
            {"pledge": [pledged("A", 800), pledged("B", 300, "S2")]},
        ],
        [
            {"pledge": [pledged("A", 800), pledged("A", 300, secured_loan_id="L2")]},
            {"pledge": [pledged("A", 800), pledged("B", 200)]},
            {"pledge": [pledged("A", 800), pledged("A", 800, entry_type="released", event_date="2024-06-01"),
                        pledged("B", 800, event_date="2024-06-01")]},
        ],
    ),
    "integrity_circular_trade": (
        [{"trade_invoice": invoices(1170, 14)}],
        [
            {"trade_invoice": invoices(1180, 14)},
            {"trade_invoice": invoices(1170, 15)},
            {"trade_invoice": invoices(1170, 14, 3)},
        ],
    ),
    "integrity_customs_over_payouts": (
        [exports(31_000, 10_000), {**exports(12_000, 12_000), "trade_invoice": exports(7_000, 0)["trade_invoice"]}],
        [exports(29_000, 10_000), exports(9_000, 1_000)],
    ),
    "integrity_shared_identity": (
        [tied(["device", "phone"])],
        [tied(["device"]), tied(["phone"]), tied(["device", "phone", "address"])],
    ),
    "integrity_forged_orders": (
        [supplied(5_000, 15_900)],
        [supplied(4_900, 15_900), supplied(5_000, 16_100), supplied(2_000, 1_000, 9_000)],
    ),
    "integrity_forged_waybills": (
        [{"logistics_event": shipped("S1", "ABC") + shipped("S2", "BC")}],
        [
            {"logistics_event": shipped("S1", "ABC") + shipped("S2", "CD")},
            {"logistics_event": [row for seller in ("S1", "S2", "S3", "S4") for row in shipped(seller, "BC")]},
        ],
    ),
    "integrity_duplicate_receipts": ([receipts("S1", "S2")], [receipts("S1", "S1"), receipts("S2", "S3")]),
    "integrity_borrowed_as_sales": (
        [paid(1000, "loan_advance")],
        [paid(990, "loan_advance"), paid(1000), {
            "money_event": paid(0)["money_event"],
            "bank_entry": paid(1000)["bank_entry"] + paid(1000, "loan_advance")["bank_entry"],
        }],
    ),
    "integrity_payouts_not_in_bank": ([paid(970), paid(1003)], [paid(980), paid(1000), paid(1, "wages")]),
    "integrity_payouts_not_as_collected": ([collected(990), collected(1010)], [collected(1000), collected(999)]),
    "integrity_refunds_below_complaints": ([complaints(690)], [complaints(710)]),
    "integrity_invoices_over_orders": ([supplied(0, 26_100)], [supplied(0, 25_900), supplied(0, 20_000, 9_000)]),
}  # fmt: skip


def test_every_rule_has_examples() -> None:
    assert EXAMPLES.keys() == integrity_rules().keys()


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_fires_on_its_sign_and_not_on_what_nearly_shows_it(code: str) -> None:
    shown, not_shown = EXAMPLES[code]
    for rows in shown:
        assert code in flags(rows)
    for rows in not_shown:
        assert code not in flags(rows)


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_does_not_know_what_was_delivered_later_and_is_silent_without_a_table(code: str) -> None:
    rows = EXAMPLES[code][0][0]
    assert code not in flags({name: [{**row, "known_at": "2025-01-01T00:00:00"} for row in table]
                              for name, table in rows.items()})  # fmt: skip
    tables = canonical_tables(**rows)
    for name in integrity_rules()[code].tables:
        left = {other: table for other, table in tables.items() if other != name}
        assert code not in integrity_flags(left, {AS_OF: ["S1"]}).get(("S1", AS_OF), ())


def test_rules_that_compare_sellers_can_be_left_out() -> None:
    rows = {"pledge": [pledged("A", 800), pledged("B", 300)]}
    assert flags(rows) == ("integrity_duplicate_financing",)
    assert flags(rows, across_sellers=False) == ()


def test_every_figure_of_a_formula_but_counts_and_the_year_is_a_threshold_of_the_policy() -> None:
    for rule in integrity_rules().values():
        assert set(rule.thresholds()) <= load_policy().thresholds.keys()
        assert "{" not in rule.statement(AS_OF)


def test_rules_read_columns_that_their_tables_have() -> None:
    for table, columns in columns_read().items():
        have = {*LINEAGE, *canonical_tables(**{table: []})[table].column_names}
        assert set(columns) <= have, table
