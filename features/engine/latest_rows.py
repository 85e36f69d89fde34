"""The latest row about each thing as of a date: stock by warehouse, balance by account, state of a pledge.

Tables of states get a new row when something changes. Only the latest one known on the date says how things are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data_contracts.definition.compiler import table_contract
from features.engine.sql_text import date_literal, nested, select

if TYPE_CHECKING:
    from features.engine.as_of import AsOf

PREFIX: Final = "latest_"
# Days from the as-of date to the day on which the thing ends or is due; negative once it is past.
DAYS_LEFT: Final = "days_left"


@dataclass(frozen=True)
class Latest:
    """What a table of states is about.

    Attributes:
        table: canonical table.
        keys: columns that name the thing, beside the seller.
        values: columns that features may read.
        ends_on: column with the day on which it ends or is due, if it has one.
    """

    table: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    ends_on: str | None = None

    @property
    def name(self) -> str:
        """Name under which features read it."""
        return f"{PREFIX}{self.table}"

    @property
    def read(self) -> tuple[str, ...]:
        """Columns of the table that are read, the row's identifier included."""
        ends = () if self.ends_on is None else (self.ends_on,)
        return (table_contract(self.table).primary_key[0], *self.keys, *self.values, *ends)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the view."""
        return ("seller_id", "event_date", *self.keys, *self.values, *(() if self.ends_on is None else (DAYS_LEFT,)))

    def sql(self, as_of: AsOf) -> str:
        """Return SQL for the view: one row for each thing of a seller, the latest known as of the date."""
        identifier = table_contract(self.table).primary_key[0]
        things = ", ".join(("seller_id", *self.keys))
        newest = f"PARTITION BY {things} ORDER BY event_date DESC, known_at DESC, {identifier} DESC"
        columns = {name: name for name in self.columns}
        if self.ends_on is not None:
            columns[DAYS_LEFT] = f"unix_date({self.ends_on}) - unix_date({date_literal(as_of.day)})"
        ordered = select({**columns, "place": f"ROW_NUMBER() OVER ({newest})"}, self.table, where=as_of.condition())
        return select(list(self.columns), nested(ordered, "ordered"), where="place = 1")


_AGED: Final = ("aged_181_270_days_quantity", "aged_271_365_days_quantity", "aged_over_365_days_quantity")
LATEST: Final = (
    Latest(
        "inventory_snapshot",
        ("warehouse_id", "sku_group"),
        ("warehouse_kind", "is_platform_bound", "on_hand_quantity", "unsellable_quantity", *_AGED, "sold_30d_quantity",
         "sku_count", "stocked_out_sku_count", "stock_value_usd"),
    ),
    Latest("cash_balance", ("account_id",), ("account_purpose", "balance_usd")),
    Latest(
        "account_health",
        ("platform", "store_id", "measure"),
        ("standing", "measured", "limit_value", "limit_side"),
    ),
    Latest("social_day", ("network", "account_handle"), ("follower_count",)),
    Latest("purchase_order", ("order_number",), ("entry_type", "supplier_id", "amount_usd"), "promised_on"),
    Latest("logistics_event", ("shipment_id",), ("milestone", "direction")),
    Latest("receivable", ("asset_id",), ("entry_type", "debtor_id", "debtor_type", "amount_usd"), "due_date"),
    Latest(
        "pledge",
        ("asset_id", "lender_id", "secured_loan_id"),
        ("entry_type", "asset_type", "asset_value_usd", "secured_usd"),
    ),
    Latest("warehouse_receipt", ("asset_id",), ("entry_type", "goods_value_usd"), "expires_on"),
    Latest(
        "certificate",
        ("certificate_kind", "market", "sku_group"),
        ("entry_type", "covered_sku_count", "required_sku_count", "is_verified"),
        "valid_to",
    ),
    Latest("insurance", ("policy_number",), ("entry_type", "cover_type", "insured_usd"), "valid_to"),
    Latest(
        "debt",
        ("facility_id",),
        ("debt_type", "creditor_id", "outstanding_usd", "limit_usd", "due_30d_usd", "overdue_usd", "annual_rate_pct"),
    ),
    Latest(
        "asset_register",
        ("asset_id",),
        ("asset_type", "entry_type", "book_value_usd", "is_platform_bound"),
    ),
    Latest("ip_claim", ("claim_number",), ("role", "entry_type", "amount_usd", "frozen_usd")),
)  # fmt: skip
"""The tables of states that features may read."""
