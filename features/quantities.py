"""Sums, counts and means that other features are computed from.

They are base features like any other and computed in the same pass, but a set cannot name them: a model reads the
ratios, trends and shares that are made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from features.engine.platform_accounts import SOME_PLATFORM
from features.formulas import CALENDAR_MONTH, MONTHLY, SALE, VALID_PURCHASE, VALID_SALE
from features.record import Feature

if TYPE_CHECKING:
    from features.record import Pillar

FEES = "('commission', 'fulfilment_fee', 'storage_fee', 'subscription')"
# Customs regimes made for cross-border e-commerce, as opposed to 0110 (general trade) and 1039 (market procurement).
ECOMMERCE_REGIMES = "('1210', '9610', '9710', '9810')"
# A payout holds the money lent with it and lacks what is withheld to repay it; these rows take both out again.
PAID_OUT = "('payout', 'payout_reversal', 'advance', 'advance_repayment')"
LATE_DAYS = 7
FEED_LATE_DAYS = 60
ROUND_TO = 1000
# A platform with less of the seller's sales does not decide a worst share: a few refunds there say little.
PLATFORM_LEAST_SHARE = 0.1

_HEALTH: Final = "sales_health"
_CASH: Final = "liquidity"
_USERS: Final = "user_quality"
_SUPPLY: Final = "supply_chain"
_RULES: Final = "compliance"
_TRUTH: Final = "data_integrity"

_NOT_DELIVERED = "The table was not delivered for the window."
_NO_VALID_SALE = "Invoices were not delivered up to the date, or contain no valid sale."
_NO_ORDER = "Own-shop orders were not delivered for the window, or there were none."
_NO_LOAN_RECORDS = "Lenders keep these records themselves; missing only when there are no loan records at all."
_REGULAR_SALE = f"{VALID_SALE} AND NOT is_credit_note"
_KEPT = "NOT is_cancelled"


@dataclass(frozen=True)
class Quantity:
    """A sum (with ``value``) or a count (without) over rows of a table, for one window or several.

    Attributes:
        name: of the quantity; over 90 days it is called ``<name>_90d``, over all history ``<name>_all``.
        table: canonical table, or an as-of view.
        where: SQL condition on rows.
        value: SQL expression to sum; None counts rows.
        meaning: what is summed or counted, in words.
        pillar: where the feature page lists it.
    """

    name: str
    table: str
    where: str | None
    value: str | None
    meaning: str
    pillar: Pillar

    def over(self, *windows: int | None) -> tuple[Feature, ...]:
        """Return one feature for each window in days; None stands for all history."""
        return tuple(self._over(window) for window in windows)

    def _over(self, window_days: int | None) -> Feature:
        return Feature(
            name=f"{self.name}_{'all' if window_days is None else f'{window_days}d'}",
            pillar=self.pillar,
            family="intermediate",
            table=self.table,
            aggregate="count" if self.value is None else "sum",
            value=self.value,
            where=self.where,
            window_days=window_days,
            unit="count" if self.value is None else "USD",
            direction=0,
            description=self.meaning,
            missing=_NOT_DELIVERED,
            stops_with_trading=window_days is not None and self.pillar != "liquidity",
            is_intermediate=True,
        )


def _platforms() -> tuple[Feature, ...]:
    def events(name: str, condition: str | None, meaning: str, value: str | None = None) -> Quantity:
        return Quantity(name, "money_event", condition, value, meaning, _HEALTH)

    def paid(name: str, condition: str, meaning: str) -> Quantity:
        # Money that leaves the seller is negative in the platform's ledger; here it counts as positive.
        return events(name, condition, meaning, "-amount_usd")

    late = f"unix_date(CAST(known_at AS DATE)) - unix_date(event_date) > {FEED_LATE_DAYS}"
    return (
        *events("platform_sales", SALE, "Gross platform sales.", "amount_usd").over(*MONTHLY, 365, 455),
        *events("platform_sale_rows", SALE, "Number of platform sales.").over(*MONTHLY),
        *paid(
            "payout_net",
            f"event_type IN {PAID_OUT}",
            "Platform payouts, less those that came back, without money lent with them or withheld to repay it.",
        ).over(90, 180, 365),
        *events("payout_rows", "event_type = 'payout'", "Number of payouts.").over(180),
        *paid("platform_refunds", "event_type = 'refund'", "Refunds to platform buyers.").over(180),
        *paid("platform_fees", f"event_type IN {FEES}", "Commission, fulfilment, storage and subscription fees.").over(
            180, 360
        ),
        *paid("storage_fees", "event_type = 'storage_fee'", "Fees for stock in platform warehouses.").over(180),
        *paid("platform_advertising", "event_type = 'advertising'", "Platform advertising.").over(180),
        *paid("penalties", "event_type = 'penalty'", "Platform penalties.").over(365),
        *paid("chargebacks", "event_type = 'chargeback'", "Payments reversed by buyers' banks.").over(365),
        *paid("reserve_holds", "event_type = 'reserve_hold'", "Reserves withheld by platforms.").over(90),
        *events("advances", "event_type = 'advance'", "Money lent through platforms.", "amount_usd").over(None),
        *events("advance_rows", "event_type = 'advance'", "Number of advances by platforms.").over(90),
        *paid(
            "advance_repayments", "event_type = 'advance_repayment'", "Repayments of it, taken from what is owed."
        ).over(90, 180, None),
        *Quantity("ledger_rows", "money_event", None, None, "Number of settlement rows.", _TRUTH).over(365),
        *Quantity(
            "ledger_late_rows", "money_event", late, None, f"Settlement rows known after {FEED_LATE_DAYS} days.", _TRUTH
        ).over(365),
    )


def _own_shop() -> tuple[Feature, ...]:
    def orders(name: str, condition: str | None, meaning: str, value: str | None = None) -> tuple[Feature, ...]:
        return Quantity(name, "site_order", condition, value, meaning, _USERS).over(365)

    def days(name: str, value: str | None, meaning: str, condition: str | None = None) -> Quantity:
        return Quantity(name, "site_day", condition, value, meaning, _USERS)

    return (
        *Quantity("site_sales", "site_order", _KEPT, "total_usd", "Own-shop sales.", _USERS).over(90, 180, 365),
        *orders("site_refunds", _KEPT, "Own-shop refunds.", "refunded_usd"),
        *orders("site_discounts", _KEPT, "Discounts on own-shop orders.", "discount_usd"),
        *Quantity("site_orders", "site_order", None, None, "Own-shop orders.", _USERS).over(180, 365),
        *orders("site_kept_orders", _KEPT, "Orders not cancelled."),
        *orders("site_cancelled_orders", "is_cancelled", "Cancelled orders."),
        *orders("site_high_risk_orders", "is_high_risk", "Orders the shop system flags as high risk."),
        *orders("site_unfulfilled_orders", f"{_KEPT} AND NOT is_fulfilled", "Orders neither cancelled nor shipped."),
        *days("site_sessions", "session_count", "Own-shop sessions.").over(90, 180),
        *days("site_bounces", "bounce_count", "Sessions that end on the first page.").over(90),
        *days("site_paid_sessions", "paid_session_count", "Sessions from paid advertising.").over(90),
        *days("site_visitors", "visitor_count", "Own-shop visitors.").over(90, 180),
        *days("site_advertising", "advertising_usd", "Advertising for the own web shop.").over(180),
        *days(
            "site_days_without_advertising",
            None,
            "Days whose report does not state the advertising spend.",
            "advertising_usd IS NULL",
        ).over(180),
        *Quantity("site_days", "site_day", None, None, "Days with a traffic report.", _TRUTH).over(365),
    )


def _trade() -> tuple[Feature, ...]:
    regular = f"{VALID_PURCHASE} AND NOT is_credit_note"
    rounded = f"{regular} AND MOD(net_amount, {ROUND_TO}) = 0"

    def invoices(name: str, condition: str, meaning: str) -> tuple[Feature, ...]:
        return Quantity(name, "trade_invoice", condition, None, meaning, _SUPPLY).over(365)

    def declared(name: str, condition: str | None, meaning: str) -> Quantity:
        return Quantity(name, "export_declaration", condition, "declared_amount_usd", meaning, _SUPPLY)

    ecommerce = f"supervision_mode IN {ECOMMERCE_REGIMES}"
    return (
        *Quantity(
            "purchases", "trade_invoice", VALID_PURCHASE, "net_amount_usd", "Purchases, net of tax.", _SUPPLY
        ).over(180, 360, 365),
        *invoices("purchase_invoices", "direction = 'purchase'", "Purchase invoices, void ones included."),
        *invoices("purchase_void_invoices", "direction = 'purchase' AND status = 'void'", "Void purchase invoices."),
        *invoices("purchase_credit_notes", f"{VALID_PURCHASE} AND is_credit_note", "Purchase credit notes."),
        *invoices("purchase_regular_invoices", regular, "Valid purchase invoices, credit notes excluded."),
        *invoices("purchase_round_invoices", rounded, f"Those for a whole multiple of {ROUND_TO}."),
        *declared("declared", None, "Amount declared at customs.").over(180, 360, 365),
        *declared("declared_ecommerce", ecommerce, "Amount declared under e-commerce regimes.").over(365),
        *declared("declared_unnamed", "consignee_id IS NULL", "Amount declared without a named consignee.").over(365),
        *Quantity("declaration_rows", "export_declaration", None, None, "Declared items.", _TRUTH).over(365),
    )


def _loans() -> tuple[Feature, ...]:
    def flow(name: str, condition: str, meaning: str) -> Quantity:
        return Quantity(name, "repayment", condition, "amount_usd", meaning, _CASH)

    late = f"days_late >= {LATE_DAYS}"
    return (
        *Quantity("loan_principal", "loan", None, "principal_usd", "Principal of all loans.", _CASH).over(None),
        *flow("instalments_due", "entry_type = 'due'", "Instalments due.").over(90, None),
        *flow("instalments_paid", "entry_type = 'paid'", "Loan repayments.").over(None),
        *Quantity("loans_taken", "loan", None, None, "Loans disbursed.", _CASH).over(90),
        *Quantity("instalment_rows", "instalment", None, None, "Number of instalments due.", _CASH).over(365),
        *Quantity(
            "instalment_late_rows", "instalment", late, None, f"Those {LATE_DAYS} days late or more.", _CASH
        ).over(365),
    )


def _banks() -> tuple[Feature, ...]:
    def entries(name: str, condition: str, meaning: str, value: str) -> Quantity:
        return Quantity(name, "bank_entry", condition, value, meaning, _CASH)

    own, back = "counterparty_kind = 'own_transfer'", "counterparty_kind = 'loan_repayment'"
    lent = "counterparty_kind = 'loan_advance'"
    return (
        *entries("bank_inflow", "amount_usd > 0", "Money that came into bank accounts.", "amount_usd").over(365),
        *entries("bank_outflow", "amount_usd < 0", "Money that left bank accounts.", "-amount_usd").over(180, 365),
        *entries("bank_own_transfers_out", f"amount_usd < 0 AND {own}", "Own transfers out.", "-amount_usd").over(180),
        *entries("bank_loans_in", f"amount_usd > 0 AND {lent}", "Loans paid into the bank.", "amount_usd").over(365),
        *entries("bank_repayments", f"amount_usd < 0 AND {back}", "Loan repayments by bank.", "-amount_usd").over(365),
    )


def _invoice_history() -> tuple[Feature, ...]:
    def amount(name: str, condition: str, value: str, meaning: str) -> Quantity:
        return Quantity(name, "trade_invoice", condition, value, meaning, _HEALTH)

    def count(name: str, condition: str, meaning: str) -> tuple[Feature, ...]:
        return Quantity(name, "trade_invoice", condition, None, meaning, _RULES).over(None)

    sale, purchase = "direction = 'sale'", "direction = 'purchase'"
    rounded = f"{_REGULAR_SALE} AND MOD(net_amount, {ROUND_TO}) = 0"
    return (
        *amount("invoice_sales", VALID_SALE, "net_amount_usd", "Invoiced sales, net of tax and credit notes.").over(
            *MONTHLY, 365, 730, None
        ),
        *amount("invoice_sales_local", VALID_SALE, "net_amount", "The same in the invoice currency.").over(None),
        *amount("invoice_sales_tax", VALID_SALE, "tax_amount", "Tax on these invoices.").over(None),
        *amount("invoice_purchases", VALID_PURCHASE, "net_amount_usd", "Invoiced purchases, net of tax.").over(None),
        *count("sale_invoices", sale, "Sales invoices, void ones included."),
        *count("sale_valid_invoices", _REGULAR_SALE, "Valid sales invoices, credit notes excluded."),
        *count("sale_void_invoices", f"{sale} AND status = 'void'", "Void sales invoices."),
        *count("sale_credit_notes", f"{VALID_SALE} AND is_credit_note", "Sales credit notes."),
        *count("sale_round_invoices", rounded, f"Valid sales invoices for a whole multiple of {ROUND_TO}."),
        *count("purchase_invoices", purchase, "Purchase invoices, void ones included."),
        *count("purchase_void_invoices", f"{purchase} AND status = 'void'", "Void purchase invoices."),
        *count("purchase_credit_notes", f"{VALID_PURCHASE} AND is_credit_note", "Purchase credit notes."),
    )


def _undelivered(name: str, which: str, meaning: str) -> Feature:
    return Feature(
        name=name,
        pillar=_TRUTH,
        family="intermediate",
        table="platform_account",
        aggregate="count_distinct",
        where=f"NOT is_delivered AND {which}",
        key="account",
        window_days=365,
        unit="count",
        direction=0,
        description=meaning,
        missing="Never missing.",
        stops_with_trading=True,
        is_intermediate=True,
    )


MEASURES: tuple[Feature, ...] = (
    Feature(
        name="one_platform_refund_share_180d",
        pillar="sales_health",
        family="intermediate",
        table="money_event",
        aggregate="worst_ratio",
        value="CASE WHEN event_type = 'refund' THEN -amount_usd ELSE 0 END",
        of="CASE WHEN event_type = 'sale' THEN amount_usd ELSE 0 END",
        key="platform",
        least_share=PLATFORM_LEAST_SHARE,
        window_days=180,
        unit="share",
        direction=0,
        description="Highest refunds of one platform as a share of its sales, among platforms with at least a tenth of "
        "all sales.",
        missing="Settlement reports were not delivered for the window, or no platform has a tenth of the sales.",
        stops_with_trading=True,
        is_intermediate=True,
    ),
    Feature(
        name="account_witnesses_365d",
        pillar="data_integrity",
        family="intermediate",
        table="platform_account",
        aggregate="count",
        window_days=365,
        unit="count",
        direction=0,
        description="Accounts with platforms that any table shows, and deliveries of tables that could show one.",
        missing="Never missing.",
        stops_with_trading=True,
        is_intermediate=True,
    ),
    _undelivered(
        "undelivered_accounts_365d",
        f"account <> '{SOME_PLATFORM}'",
        "Those accounts whose payouts or orders were not delivered, as far as they are named.",
    ),
    _undelivered(
        "undelivered_unnamed_accounts_365d",
        f"account = '{SOME_PLATFORM}'",
        "1 if a receivable names a platform as debtor and no payouts of any platform were delivered.",
    ),
    Feature(
        name="invoice_sale_months",
        pillar="sales_health",
        family="intermediate",
        table="trade_invoice",
        aggregate="count_distinct",
        where=VALID_SALE,
        key=CALENDAR_MONTH,
        unit="count",
        direction=0,
        description="Calendar months with a valid sales invoice.",
        missing=_NOT_DELIVERED,
        is_intermediate=True,
    ),
    Feature(
        name="invoice_sale_mean",
        pillar="sales_health",
        family="intermediate",
        table="trade_invoice",
        aggregate="mean",
        value="net_amount_usd",
        where=_REGULAR_SALE,
        unit="USD",
        direction=0,
        description="Mean net amount of a valid sales invoice.",
        missing=_NO_VALID_SALE,
        is_intermediate=True,
    ),
    Feature(
        name="invoice_sale_stddev",
        pillar="sales_health",
        family="intermediate",
        table="trade_invoice",
        aggregate="stddev",
        value="net_amount_usd",
        where=_REGULAR_SALE,
        unit="USD",
        direction=0,
        description="Standard deviation of the net amount of valid sales invoices.",
        missing=_NO_VALID_SALE,
        is_intermediate=True,
    ),
    Feature(
        name="days_late_longest_365d",
        pillar="liquidity",
        family="intermediate",
        table="instalment",
        aggregate="max",
        value="days_late",
        window_days=365,
        unit="days",
        direction=0,
        description="Longest delay of an instalment due in the last 365 days; unpaid ones count up to the date.",
        missing=_NO_LOAN_RECORDS,
        is_intermediate=True,
    ),
    Feature(
        name="days_late_unpaid",
        pillar="liquidity",
        family="intermediate",
        table="instalment",
        aggregate="max",
        value="days_late",
        where="is_unpaid",
        unit="days",
        direction=0,
        description="Age of the oldest unpaid instalment.",
        missing=_NO_LOAN_RECORDS,
        is_intermediate=True,
    ),
    Feature(
        name="site_order_mean_365d",
        pillar="user_quality",
        family="intermediate",
        table="site_order",
        aggregate="mean",
        value="total_usd",
        where=_KEPT,
        window_days=365,
        unit="USD",
        direction=0,
        description="Mean value of orders not cancelled.",
        missing=_NO_ORDER,
        stops_with_trading=True,
        is_intermediate=True,
    ),
    Feature(
        name="site_order_stddev_365d",
        pillar="user_quality",
        family="intermediate",
        table="site_order",
        aggregate="stddev",
        value="total_usd",
        where=_KEPT,
        window_days=365,
        unit="USD",
        direction=0,
        description="Standard deviation of the value of orders not cancelled.",
        missing=_NO_ORDER,
        stops_with_trading=True,
        is_intermediate=True,
    ),
)
"""Quantities that are neither a sum nor a count of rows."""

RECORDS: tuple[Feature, ...] = (
    *_platforms(),
    *_own_shop(),
    *_trade(),
    *_loans(),
    *_banks(),
    *_invoice_history(),
    *MEASURES,
)
