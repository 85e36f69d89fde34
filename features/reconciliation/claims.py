"""Claims about a seller's trade, the sources that can confirm each, and how far their amounts may differ.

Sources of one claim state amounts of different things: a platform the retail or the supply price, customs the export
price, the tax bureau the invoiced amount. A `Gap` says how much of a claimed amount a witness may show. The carry says
how many quarters' worth may fall outside the period, because goods ship before they are sold. Where no publication
states a number, the number is ours and marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Wallets receive platform payouts; they are not sales of their own.
WALLETS: Final = ("Payoneer",)
# They pay out the orders of an own web shop: evidence of that shop, not another channel.
PAYMENT_PROVIDERS: Final = ("PayPal", "Stripe", "Shopify Payments")
PROVIDER_SOURCES: Final = (
    "paypal_activity", "paypal_settlement", "stripe_payout_reconciliation", "shopify_payouts",
    "shopify_payout_transactions",
)  # fmt: skip
WALLET_SOURCES: Final = ("payoneer",)
# Ledgers of fully hosted selling: the platform buys at a supply price and may export and import itself.
FULL_HOSTED_SOURCES: Final = ("shein_report", "temu_settlement", "temu_ledger")
# Semi-hosted: the seller exports, the platform sells; the seller is paid a supply price.
SEMI_HOSTED_SOURCES: Final = ("shein_statement",)
# Purchases on one marketplace are only part of a seller's purchases, so their total says nothing about the whole.
PARTIAL_PROCUREMENT_SOURCES: Final = ("alibaba_1688_orders",)


@dataclass(frozen=True)
class Family:
    """Sources with one origin: two of them are not two witnesses.

    Attributes:
        name: name of the family.
        table: canonical table whose deliveries cover it.
        only: the sources that count; all others if empty.
        without: sources that do not count.
        must_have_spoken: True when a delivery of the table may lack this kind of content (purchase and sales invoices
            come in separate lists; few traffic reports count purchases). A seller for whom the family never had any
            content then counts as not delivered.
    """

    name: str
    table: str
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    must_have_spoken: bool = False

    def holds(self, source: str, table: str) -> bool:
        """Return whether a source's delivery for a table belongs to this family."""
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
    Family("bank", "bank_entry"),
)


@dataclass(frozen=True)
class Figure:
    """An amount in USD per seller and quarter: the sum of ``value`` over the rows of the family's table."""

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
    Figure("payouts", "platform", "-amount_usd", f"{_ON_PLATFORM} AND event_type IN ('payout', 'payout_reversal')"),
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
    Figure(
        "bank", "bank", "amount_usd",
        "amount_usd > 0 AND counterparty_kind IN ('platform_payout', 'wallet_payout') "
        f"AND coalesce(CAST(platform AS VARCHAR), '') NOT IN ({_quoted(PAYMENT_PROVIDERS)})",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """The lowest and highest share of an amount that a witness may show, before the carry, and the reason."""

    lowest: Decimal
    highest: Decimal
    reason: str


@dataclass(frozen=True)
class Witness:
    """A source compared with a claim.

    Attributes:
        figure: its amount.
        gaps: for each figure of the claim, how much of it the witness may show.
        carry_quarters: how many quarters' worth may fall outside the period.
        is_less_hosted: True when it need not show the share of sales made through fully hosted platforms.
    """

    figure: str
    gaps: Mapping[str, Gap]
    carry_quarters: Decimal
    is_less_hosted: bool = False


@dataclass(frozen=True)
class Claim:
    """A statement about a seller's trade.

    Attributes:
        name: name of the claim.
        parts: figures that are added to make it up.
        beside: figures from the same sources, shown with it but not as witnesses.
        witnesses: sources compared with it.
        pillars: pillars of the passport that the comparison is about, and no others: comparing purchases with exports
            says nothing about penalties. Whether sources agree is always about the integrity of the data.
        is_expected: True when every seller makes it; a seller without a web shop does not lack own-shop sales.
    """

    name: str
    parts: tuple[str, ...]
    beside: tuple[str, ...]
    witnesses: tuple[Witness, ...]
    pillars: tuple[str, ...]
    is_expected: bool = True


# Goods are at sea or in stock for weeks before they are sold, longest under regime 9810, which ships to a warehouse
# abroad. A quarter of a year is ours; Zhang 2025 section 5 asks for 20 days' stock of the fastest goods.
GOODS_CARRY_QUARTERS: Final = Decimal(1)
# Invoices and payments follow a sale within about a month: platforms settle in 14-30 days, hosted ones in 60, suppliers
# allow 30-60 days (feasibility study on cross-border digital trade platforms 2025 section 3, Zhang 2025 section 5.1).
PAPER_CARRY_QUARTERS: Final = Decimal("0.33")

# A payout arrives within days.
BANK_CARRY_QUARTERS: Final = Decimal("0.10")

RETAIL_TO_EXPORT: Final = Gap(
    Decimal("0.15"),
    Decimal("1.00"),
    "ours: the export price covers goods and margin; the retail price adds fees, freight, duty and advertising",
)
FULL_HOSTED_TO_EXPORT: Final = Gap(
    Decimal("0.00"),
    Decimal("1.00"),
    "Zhang 2025 section 3: the platform takes over the goods, so the seller may export nothing; at most the supply "
    "price it is paid (ours)",
)
SEMI_HOSTED_TO_EXPORT: Final = Gap(
    Decimal("0.15"), Decimal("1.00"), "ours: the seller exports, at most at the supply price it is paid"
)
RETAIL_TO_INVOICE: Final = Gap(
    Decimal("0.30"),
    Decimal("1.00"),
    "ours: the domestic firm invoices its foreign entity, which may keep fees and freight, or invoices the full price",
)
HOSTED_TO_INVOICE: Final = Gap(
    Decimal("0.00"), Decimal("1.00"), "ours: hosted platforms settle by statement, with or without an invoice"
)
PURCHASE_TO_EXPORT: Final = Gap(
    Decimal("0.80"),
    Decimal("1.40"),
    "ours: purchases before tax, plus packing, inland freight and the exporter's margin",
)
PURCHASE_TO_ORDER: Final = Gap(
    Decimal("0.80"),
    Decimal("1.25"),
    "ours: orders state prices with or without 13 % value-added tax; some are cancelled",
)
SHOP_TO_PAYMENT: Final = Gap(
    Decimal("0.50"),
    Decimal("1.05"),
    "ours: one provider may handle only part of a shop's payments; tips and shipping add to them",
)
SHOP_TO_ANALYTICS: Final = Gap(
    Decimal("0.40"), Decimal("1.10"), "ours: visitors who block tracking buy unseen; some purchases count twice"
)
PAYOUT_TO_BANK: Final = Gap(
    Decimal("0.90"),
    Decimal("1.50"),
    "ours: fees and exchange rates take a little; a wallet may also collect the payouts of a platform without a report",
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
        pillars=("sales_health", "data_integrity"),
    ),
    Claim(
        name="cost_of_goods",
        parts=("tax_purchases",),
        beside=(),
        witnesses=(
            Witness("customs", {"tax_purchases": PURCHASE_TO_EXPORT}, GOODS_CARRY_QUARTERS, is_less_hosted=True),
            Witness("procurement", {"tax_purchases": PURCHASE_TO_ORDER}, GOODS_CARRY_QUARTERS),
        ),
        pillars=("supply_chain", "data_integrity"),
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
    Claim(
        name="payouts",
        parts=("payouts",),
        beside=(),
        witnesses=(Witness("bank", {"payouts": PAYOUT_TO_BANK}, BANK_CARRY_QUARTERS),),
        pillars=("liquidity", "data_integrity"),
        is_expected=False,
    ),
)
