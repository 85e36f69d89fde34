"""The sums and counts that derived features are made of, by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.pillars.quantities import MONTHLY, Quantity, parts

if TYPE_CHECKING:
    from features.record import Feature

FEES = "('commission', 'fulfilment_fee', 'storage_fee', 'subscription')"
SALE = "event_type = 'sale'"
VALID_PURCHASE = "direction = 'purchase' AND status = 'valid'"
VALID_SALE = "direction = 'sale' AND status = 'valid'"
# Customs regimes made for cross-border e-commerce, against 0110 (general trade) and 1039 (market procurement).
ECOMMERCE_REGIMES = "('1210', '9610', '9710', '9810')"
LATE_DAYS = 7
FEED_LATE_DAYS = 60
ROUND_TO = 1000

_HEALTH: Final = "sales_health"
_CASH: Final = "liquidity"
_USERS: Final = "user_quality"
_SUPPLY: Final = "supply_chain"
_RULES: Final = "compliance"
_TRUTH: Final = "data_integrity"


def _money_parts() -> tuple[Feature, ...]:
    def paid(name: str, condition: str, meaning: str) -> Quantity:
        """Money that leaves the seller is negative in the ledger; here it counts as positive."""
        return Quantity(name, "money_event", condition, "-amount_usd", meaning, _HEALTH)

    late = f"unix_date(CAST(known_at AS DATE)) - unix_date(event_date) > {FEED_LATE_DAYS}"
    return (
        *parts(
            Quantity("platform_sales", "money_event", SALE, "amount_usd", "Gross sales on platforms.", _HEALTH),
            (*MONTHLY, 365, 455),
        ),
        *parts(
            Quantity("platform_sale_rows", "money_event", SALE, None, "Sales booked by platforms.", _HEALTH), MONTHLY
        ),
        *parts(paid("payout_net", "event_type = 'payout'", "Money paid out by platforms."), (90, 180, 365)),
        *parts(Quantity("payout_rows", "money_event", "event_type = 'payout'", None, "Payouts.", _HEALTH), (180,)),
        *parts(paid("platform_refunds", "event_type = 'refund'", "Refunds to buyers on platforms."), (180,)),
        *parts(
            paid("platform_fees", f"event_type IN {FEES}", "Commission, fulfilment, storage, subscription."), (180, 360)
        ),
        *parts(paid("storage_fees", "event_type = 'storage_fee'", "Fees for stock in the platform's store."), (180,)),
        *parts(paid("platform_advertising", "event_type = 'advertising'", "Advertising on platforms."), (180,)),
        *parts(paid("penalties", "event_type = 'penalty'", "Fines taken by platforms."), (365,)),
        *parts(paid("chargebacks", "event_type = 'chargeback'", "Payments taken back by buyers' banks."), (365,)),
        *parts(paid("reserve_holds", "event_type = 'reserve_hold'", "Money held back by platforms."), (90,)),
        *parts(
            Quantity("ledger_rows", "money_event", None, None, "All rows of the platforms' ledgers.", _TRUTH), (365,)
        ),
        *parts(Quantity("ledger_late_rows", "money_event", late, None, "Rows known late.", _TRUTH), (365,)),
    )


def _site_parts() -> tuple[Feature, ...]:
    kept = "NOT is_cancelled"

    def orders(name: str, condition: str | None, meaning: str, value: str | None = None) -> Quantity:
        return Quantity(name, "site_order", condition, value, meaning, _USERS)

    def days(name: str, value: str, meaning: str) -> Quantity:
        return Quantity(name, "site_day", None, value, meaning, _USERS)

    return (
        *parts(orders("site_sales", kept, "Sales of the own site.", "total_usd"), (90, 180, 365)),
        *parts(orders("site_refunds", kept, "Refunds of the own site.", "refunded_usd"), (365,)),
        *parts(orders("site_discounts", kept, "Discounts given on the own site.", "discount_usd"), (365,)),
        *parts(orders("site_orders", None, "Orders on the own site."), (180, 365)),
        *parts(orders("site_kept_orders", kept, "Orders not cancelled."), (365,)),
        *parts(orders("site_cancelled_orders", "is_cancelled", "Cancelled orders."), (365,)),
        *parts(orders("site_high_risk_orders", "is_high_risk", "Orders the shop system calls risky."), (365,)),
        *parts(orders("site_unfulfilled_orders", f"{kept} AND NOT is_fulfilled", "Orders not sent."), (365,)),
        *parts(days("site_sessions", "session_count", "Sessions on the own site."), (90, 180)),
        *parts(days("site_bounces", "bounce_count", "Sessions left at once."), (90,)),
        *parts(days("site_paid_sessions", "paid_session_count", "Sessions that came by advertising."), (90,)),
        *parts(days("site_visitors", "visitor_count", "Visitors of the own site."), (90, 180)),
        *parts(days("site_advertising", "advertising_usd", "Advertising for the own site."), (180,)),
        *parts(
            Quantity(
                "site_days_without_advertising",
                "site_day",
                "advertising_usd IS NULL",
                None,
                "Days whose report does not say what was spent on advertising.",
                _USERS,
            ),
            (180,),
        ),
        *parts(Quantity("site_days", "site_day", None, None, "Days reported by the own site.", _TRUTH), (365,)),
    )


def _trade_parts() -> tuple[Feature, ...]:
    regular = f"{VALID_PURCHASE} AND NOT is_credit_note"
    rounded = f"{regular} AND MOD(net_amount, {ROUND_TO}) = 0"

    def invoices(name: str, condition: str, meaning: str) -> Quantity:
        return Quantity(name, "trade_invoice", condition, None, meaning, _SUPPLY)

    def declared(name: str, condition: str | None, meaning: str) -> Quantity:
        return Quantity(name, "export_declaration", condition, "declared_amount_usd", meaning, _SUPPLY)

    return (
        *parts(
            Quantity("purchases", "trade_invoice", VALID_PURCHASE, "net_amount_usd", "Purchases, net of tax.", _SUPPLY),
            (180, 360, 365),
        ),
        *parts(invoices("purchase_invoices", "direction = 'purchase'", "Invoices received, void ones too."), (365,)),
        *parts(invoices("purchase_void_invoices", "direction = 'purchase' AND status = 'void'", "Void ones."), (365,)),
        *parts(invoices("purchase_credit_notes", f"{VALID_PURCHASE} AND is_credit_note", "Credit notes."), (365,)),
        *parts(invoices("purchase_regular_invoices", regular, "Valid invoices, no credit notes."), (365,)),
        *parts(invoices("purchase_round_invoices", rounded, f"Of these, whole multiples of {ROUND_TO}."), (365,)),
        *parts(declared("declared", None, "Amount declared at customs."), (180, 360, 365)),
        *parts(
            declared("declared_ecommerce", f"supervision_mode IN {ECOMMERCE_REGIMES}", "Under e-commerce regimes."),
            (365,),
        ),
        *parts(declared("declared_unnamed", "consignee_id IS NULL", "To no named consignee."), (365,)),
        *parts(
            Quantity("declaration_rows", "export_declaration", None, None, "Declared items.", _TRUTH),
            (365,),
        ),
    )


def _loan_parts() -> tuple[Feature, ...]:
    def flow(name: str, condition: str, meaning: str) -> Quantity:
        return Quantity(name, "repayment", condition, "amount_usd", meaning, _CASH)

    late = f"days_late >= {LATE_DAYS}"
    return (
        *parts(Quantity("loan_principal", "loan", None, "principal_usd", "Money lent so far.", _CASH), (None,)),
        *parts(flow("instalments_due", "entry_type = 'due'", "Instalments fallen due."), (90, None)),
        *parts(flow("instalments_paid", "entry_type = 'paid'", "Payments made on loans."), (None,)),
        *parts(Quantity("instalment_rows", "instalment", None, None, "Instalments fallen due.", _CASH), (365,)),
        *parts(Quantity("instalment_late_rows", "instalment", late, None, "Of these, paid late.", _CASH), (365,)),
    )


def _invoice_history_parts() -> tuple[Feature, ...]:
    def amount(name: str, condition: str, value: str, meaning: str) -> Quantity:
        return Quantity(name, "trade_invoice", condition, value, meaning, _HEALTH)

    def count(name: str, condition: str, meaning: str) -> Quantity:
        return Quantity(name, "trade_invoice", condition, None, meaning, _RULES)

    sale, purchase = "direction = 'sale'", "direction = 'purchase'"
    rounded = f"{VALID_SALE} AND NOT is_credit_note AND MOD(net_amount, {ROUND_TO}) = 0"
    return (
        *parts(
            amount("invoice_sales", VALID_SALE, "net_amount_usd", "Invoiced sales, net of tax and credit notes."),
            (*MONTHLY, 365, 730, None),
        ),
        *parts(amount("invoice_sales_local", VALID_SALE, "net_amount", "The same in the invoices' currency."), (None,)),
        *parts(amount("invoice_sales_tax", VALID_SALE, "tax_amount", "Tax on them."), (None,)),
        *parts(amount("invoice_purchases", VALID_PURCHASE, "net_amount_usd", "Invoiced purchases, net."), (None,)),
        *parts(count("sale_invoices", sale, "Invoices issued, void ones too."), (None,)),
        *parts(count("sale_valid_invoices", f"{VALID_SALE} AND NOT is_credit_note", "Valid invoices issued."), (None,)),
        *parts(count("sale_void_invoices", f"{sale} AND status = 'void'", "Void invoices issued."), (None,)),
        *parts(count("sale_credit_notes", f"{VALID_SALE} AND is_credit_note", "Credit notes issued."), (None,)),
        *parts(count("sale_round_invoices", rounded, f"Issued for whole multiples of {ROUND_TO}."), (None,)),
        *parts(count("purchase_invoices", purchase, "Invoices received, void ones too."), (None,)),
        *parts(count("purchase_void_invoices", f"{purchase} AND status = 'void'", "Void ones."), (None,)),
        *parts(count("purchase_credit_notes", f"{VALID_PURCHASE} AND is_credit_note", "Credit notes."), (None,)),
    )


RECORDS: tuple[Feature, ...] = (
    *_money_parts(),
    *_site_parts(),
    *_trade_parts(),
    *_loan_parts(),
    *_invoice_history_parts(),
)
