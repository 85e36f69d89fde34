"""Claims about a seller's trade, the sources that speak of each, and how far their amounts may lie apart.

Sources of one claim state amounts of different things: a platform the retail or the supply price, customs the export
price, the tax bureau what was invoiced. A `Gap` says how much of a claimed amount a witness may show; the carry says
how many quarters' worth may lie on the other side of the period, because goods ship before they are sold. Where no
source gives a number, the number is ours and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The other ends of platforms' payouts, not sales of their own.
WALLETS: Final = ("Payoneer",)
# Who pays an own shop's orders out: evidence of that shop, not another channel.
PAYMENT_PROVIDERS: Final = ("PayPal", "Stripe", "Shopify Payments")
PROVIDER_SOURCES: Final = (
    "paypal_activity", "paypal_settlement", "stripe_payout_reconciliation", "shopify_payouts",
    "shopify_payout_transactions",
)  # fmt: skip
WALLET_SOURCES: Final = ("payoneer",)
# Ledgers of full hosted selling: the platform buys at a supply price, and may export and import itself.
FULL_HOSTED_SOURCES: Final = ("shein_report", "temu_settlement", "temu_ledger")
# Semi hosted: the seller exports, the platform sells at a supply price.
SEMI_HOSTED_SOURCES: Final = ("shein_statement",)
# One marketplace's purchases are a part of a seller's, so their total says nothing of the whole.
PARTIAL_PROCUREMENT_SOURCES: Final = ("alibaba_1688_orders",)


@dataclass(frozen=True)
class Family:
    """Sources that go back to one party, so that two of them are not two witnesses.

    Attributes:
        name: of the family.
        table: canonical table whose deliveries cover it.
        only: the sources that count, all others where empty.
        without: sources that do not count.
        must_have_spoken: whether a delivery of the table may lack what the family speaks of (purchase and sales
            invoices come in lists of their own, few traffic reports count purchases), so that a seller of whom it
            never said anything counts as one it was not delivered of.
    """

    name: str
    table: str
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    must_have_spoken: bool = False

    def holds(self, source: str, table: str) -> bool:
        """Whether what a source delivered for a table is of this family."""
        return table == self.table and source not in self.without and (not self.only or source in self.only)


FAMILIES: Final = (
    Family("platform", "money_event", without=(*PROVIDER_SOURCES, *WALLET_SOURCES)),
    Family("payment", "money_event", only=PROVIDER_SOURCES),
    Family("own_site", "site_order"),
    Family("site_analytics", "site_day", must_have_spoken=True),
    Family("customs", "export_declaration"),
    Family("tax_sales", "trade_invoice", must_have_spoken=True),
    Family("tax_purchases", "trade_invoice", must_have_spoken=True),
    Family("procurement", "purchase_order", without=PARTIAL_PROCUREMENT_SOURCES),
)


@dataclass(frozen=True)
class Figure:
    """An amount in USD of a seller and quarter: the sum of ``value`` over the rows of the family's table."""

    name: str
    family: str
    value: str
    where: str


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_SOURCE = "split_part(CAST(source AS VARCHAR), '@', 1)"
_GROSS = "event_type IN ('sale', 'shipping', 'discount')"
_ON_PLATFORM = f"CAST(platform AS VARCHAR) NOT IN ({_quoted((*PAYMENT_PROVIDERS, *WALLETS))})"
_FULL_HOSTED, _SEMI_HOSTED = (f"{_SOURCE} IN ({_quoted(s)})" for s in (FULL_HOSTED_SOURCES, SEMI_HOSTED_SOURCES))
_VALID = "status = 'valid' AND direction"

FIGURES: Final = (
    Figure(
        "marketplace", "platform", "amount_usd",
        f"{_ON_PLATFORM} AND {_GROSS} AND NOT ({_FULL_HOSTED} OR {_SEMI_HOSTED})",
    ),
    Figure("full_hosted", "platform", "amount_usd", f"{_ON_PLATFORM} AND {_GROSS} AND {_FULL_HOSTED}"),
    Figure("semi_hosted", "platform", "amount_usd", f"{_ON_PLATFORM} AND {_GROSS} AND {_SEMI_HOSTED}"),
    Figure("payouts", "platform", "-amount_usd", f"{_ON_PLATFORM} AND event_type = 'payout'"),
    Figure(
        "payment", "payment", "amount_usd",
        f"CAST(platform AS VARCHAR) IN ({_quoted(PAYMENT_PROVIDERS)}) AND event_type = 'sale'",
    ),
    Figure("own_site", "own_site", "total_usd", "NOT is_cancelled"),
    Figure("site_analytics", "site_analytics", "purchase_usd", "purchase_usd IS NOT NULL"),
    Figure("customs", "customs", "declared_amount_usd", "TRUE"),
    Figure("tax_sales", "tax_sales", "net_amount_usd", f"{_VALID} = 'sale'"),
    Figure("tax_purchases", "tax_purchases", "net_amount_usd", f"{_VALID} = 'purchase'"),
    Figure(
        "procurement", "procurement", "amount_usd",
        f"entry_type = 'placed' AND {_SOURCE} NOT IN ({_quoted(PARTIAL_PROCUREMENT_SOURCES)})",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """What a witness may show of an amount, as shares of it, before the carry; and why."""

    lowest: Decimal
    highest: Decimal
    reason: str


@dataclass(frozen=True)
class Witness:
    """A source held against a claim.

    Attributes:
        figure: its amount.
        gaps: by figure of the claim, what the witness may show of it.
        carry_quarters: how many quarters' worth may fall on the other side of the period.
        is_less_hosted: whether it need not show the share that full hosted platforms have of the seller's sales.
    """

    figure: str
    gaps: Mapping[str, Gap]
    carry_quarters: Decimal
    is_less_hosted: bool = False


@dataclass(frozen=True)
class Claim:
    """A statement about a seller's trade.

    Attributes:
        name: of the claim.
        parts: figures that make it up, added.
        beside: figures of the same sources, shown with it and no witness of it.
        witnesses: sources held against it.
        pillars: of the passport whose amounts it evidences.
        is_expected: whether every seller makes it; of a seller without own shop nothing is missing.
    """

    name: str
    parts: tuple[str, ...]
    beside: tuple[str, ...]
    witnesses: tuple[Witness, ...]
    pillars: tuple[str, ...]
    is_expected: bool = True


# Goods are at sea or in stock for weeks before they are sold, longest under regime 9810, which ships to a warehouse
# abroad: 0.25 year of stock abroad and on the way is ours; Zhang 2025 section 5 asks for 20 days of the fastest goods.
GOODS_CARRY_QUARTERS: Final = Decimal(1)
# Invoices and payments follow a sale within a month or so: platforms settle in 14-30 days, hosted ones in 60, suppliers
# give 30-60 days (feasibility study on cross-border digital trade platforms 2025 section 3, Zhang 2025 section 5.1).
PAPER_CARRY_QUARTERS: Final = Decimal("0.33")

RETAIL_TO_EXPORT: Final = Gap(
    Decimal("0.15"),
    Decimal("1.00"),
    "ours: an export price covers goods and a margin; the retail price also fees, freight, duty and advertising",
)
FULL_HOSTED_TO_EXPORT: Final = Gap(
    Decimal("0.00"),
    Decimal("1.00"),
    "Zhang 2025 section 3: the platform takes the goods over, so the seller may export nothing; never above the supply "
    "price it is paid (ours)",
)
SEMI_HOSTED_TO_EXPORT: Final = Gap(
    Decimal("0.15"), Decimal("1.00"), "ours: the seller exports, at most at the supply price it is paid"
)
RETAIL_TO_INVOICE: Final = Gap(
    Decimal("0.30"),
    Decimal("1.00"),
    "ours: the firm at home invoices a price to its entity abroad, which keeps fees and freight, or the whole",
)
HOSTED_TO_INVOICE: Final = Gap(
    Decimal("0.00"), Decimal("1.00"), "ours: hosted platforms settle by statement, with or without an invoice"
)
PURCHASE_TO_EXPORT: Final = Gap(
    Decimal("0.80"),
    Decimal("1.40"),
    "ours: purchases before tax, then packing, inland freight and the exporter's margin",
)
PURCHASE_TO_ORDER: Final = Gap(
    Decimal("0.80"),
    Decimal("1.25"),
    "ours: orders state prices with or without 13 % value-added tax; some are cancelled",
)
SHOP_TO_PAYMENT: Final = Gap(
    Decimal("0.50"), Decimal("1.05"), "ours: one provider may handle only some of a shop's payments; tips and shipping"
)
SHOP_TO_ANALYTICS: Final = Gap(
    Decimal("0.40"), Decimal("1.10"), "ours: browsers that refuse to be counted buy unseen; some purchases count twice"
)

CLAIMS: Final = (
    Claim(
        name="sales",
        parts=("marketplace", "full_hosted", "semi_hosted", "own_site"),
        beside=("payouts",),
        witnesses=(
            Witness(
                "customs",
                {
                    "marketplace": RETAIL_TO_EXPORT,
                    "full_hosted": FULL_HOSTED_TO_EXPORT,
                    "semi_hosted": SEMI_HOSTED_TO_EXPORT,
                    "own_site": RETAIL_TO_EXPORT,
                },
                GOODS_CARRY_QUARTERS,
            ),
            Witness(
                "tax_sales",
                {
                    "marketplace": RETAIL_TO_INVOICE,
                    "full_hosted": HOSTED_TO_INVOICE,
                    "semi_hosted": HOSTED_TO_INVOICE,
                    "own_site": RETAIL_TO_INVOICE,
                },
                PAPER_CARRY_QUARTERS,
            ),
        ),
        pillars=("sales_health", "platform_dependence", "data_integrity"),
    ),
    Claim(
        name="cost_of_goods",
        parts=("tax_purchases",),
        beside=(),
        witnesses=(
            Witness("customs", {"tax_purchases": PURCHASE_TO_EXPORT}, GOODS_CARRY_QUARTERS, is_less_hosted=True),
            Witness("procurement", {"tax_purchases": PURCHASE_TO_ORDER}, GOODS_CARRY_QUARTERS),
        ),
        pillars=("supply_chain", "compliance", "data_integrity"),
    ),
    Claim(
        name="own_site_sales",
        parts=("own_site",),
        beside=(),
        witnesses=(
            Witness("payment", {"own_site": SHOP_TO_PAYMENT}, PAPER_CARRY_QUARTERS),
            Witness("site_analytics", {"own_site": SHOP_TO_ANALYTICS}, PAPER_CARRY_QUARTERS),
        ),
        pillars=("user_quality", "data_integrity"),
        is_expected=False,
    ),
)
