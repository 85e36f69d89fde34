"""Marketplace statements as Amazon settlement reports, flat file V2.

A row of a statement stands for a group of orders (``quantity-purchased`` units), not for a single order, so a
statement has six to ten rows instead of hundreds. Commission refunded on returns is netted in the commission row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simulator.catalogue import MARKETS
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.randomness import scatter
from simulator.text_columns import (
    cents_text,
    chosen,
    clock_text,
    day_text,
    either,
    joined,
    taken,
    to_cents,
    whole_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

SOURCE = "amazon_settlement_v2"
COLUMNS: tuple[str, ...] = (
    "settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency",
    "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name",
    "amount-type", "amount-description", "amount", "fulfillment-id", "posted-date", "posted-date-time",
    "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku", "quantity-purchased",
    "promotion-id",
)  # fmt: skip
HEADER = ("\t".join(COLUMNS) + "\n").encode()
# Row kinds after the totals row: statement column, sign, transaction-type, amount-type, amount-description.
_KINDS: tuple[tuple[str, int, str, str, str], ...] = (
    ("principal", 1, "Order", "ItemPrice", "Principal"),
    ("shipping", 1, "Order", "ItemPrice", "Shipping"),
    ("commission", -1, "Order", "ItemFees", "Commission"),
    ("fulfilment", -1, "Order", "ItemFees", "FBAPerUnitFulfillmentFee"),
    ("refund", -1, "Refund", "ItemPrice", "Principal"),
    ("chargeback", -1, "A-to-z Guarantee Refund", "ItemPrice", "Principal"),
    ("advertising", -1, "ServiceFee", "Cost of Advertising", "TransactionTotalAmount"),
    ("storage", -1, "other-transaction", "other-transaction", "Storage Fee"),
    ("subscription", -1, "other-transaction", "other-transaction", "Subscription Fee"),
    ("penalty", -1, "other-transaction", "other-transaction", "Inbound Defect Fee"),
    ("compensation", 1, "other-transaction", "FBA Inventory Reimbursement", "WAREHOUSE_DAMAGE"),
    ("advance", 1, "other-transaction", "other-transaction", "Amazon Lending Advance"),
    ("repayment", -1, "other-transaction", "other-transaction", "Amazon Lending Repayment"),
    ("released", 1, "other-transaction", "other-transaction", "Previous Reserve Amount Balance"),
    ("held", -1, "other-transaction", "other-transaction", "Current Reserve Amount"),
)
_ORDER_KINDS = 6  # the first kinds have an order, a SKU and a shipper
_COUNTED_KINDS = (0, 4)  # principal and refund rows have a quantity
_BAD_AMOUNTS = (b"n/a", b"12.3.4", b"#REF!")
_STATEMENT_DAYS = 14


def merchant_token(world_seed: int, seller: int) -> str:
    """Return a seller's account on the marketplace."""
    bits = int(scatter(world_seed, "merchant", np.array([seller]))[0])
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "A" + "".join(letters[(bits >> (5 * place)) % 36] for place in range(12))


def settlement_number(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the settlements that sellers closed in given weeks."""
    return 10_000_000_000 + world.number(seller) * 1_000 + week + 7_000_000_000


def deposit_day(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the days on which the marketplace pays these settlements."""
    waits: NDArray[np.int64] = (_statement_bits(world, seller, week) % np.uint64(3)).astype(np.int64)
    return 7 * week + 7 + waits


def _statement_bits(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.uint64]:
    return scatter(world.settings.seed, "statement", seller, week)


class _Statements:
    """Statements of the sellers in view with the values that their rows share."""

    def __init__(self, view: View) -> None:
        columns = view.rows("statements", SOURCE)
        world = view.world
        self.columns = columns
        self.seller = columns["seller"].astype(np.int64)
        self.week = columns["week"].astype(np.int64)
        self.end_day = 7 * self.week + 6
        self.end_second = (scatter(world.settings.seed, "statement hour", self.seller) % np.uint64(86_400)).astype(
            np.int64
        )
        self.is_euro = world.firms.is_euro[self.seller]
        self.market = world.firms.market[self.seller]
        self.number = settlement_number(world, self.seller, self.week)
        self.bits = _statement_bits(world, self.seller, self.week)
        self.deposit_day = deposit_day(world, self.seller, self.week)

    def locale_date(self, first_day: np.datetime64, day: NDArray[np.int64], second: NDArray[np.int64]) -> Text:
        """Return time stamps of the totals row in the date format of the marketplace's country."""
        plain, dotted = day_text(first_day, day), day_text(first_day, day, "%d.%m.%Y")
        return joined(either(self.is_euro, dotted, plain), " ", clock_text(second), " UTC")


def _money(cents: NDArray[np.int64], is_euro: NDArray[np.bool_]) -> Text:
    return either(is_euro, cents_text(cents, ","), cents_text(cents))


def _totals(view: View, statements: _Statements) -> Text:
    """Return the totals row of each statement."""
    first = view.first_day
    opened = np.maximum(statements.end_day - _STATEMENT_DAYS, 7 * view.world.firms.entry_week[statements.seller])
    total = to_cents(statements.columns["total"].astype(np.float64))
    return joined(
        whole_text(statements.number), "\t", statements.locale_date(first, opened, statements.end_second), "\t",
        statements.locale_date(first, statements.end_day, statements.end_second), "\t",
        statements.locale_date(first, statements.deposit_day, statements.end_second), "\t",
        _money(total, statements.is_euro), "\t", chosen(["USD", "EUR"], statements.is_euro), "\t" * 18 + "\n",
    )  # fmt: skip


def _order_fields(
    view: View, statements: _Statements, at: NDArray[np.int64], kind: NDArray[np.int64]
) -> dict[str, Text]:
    """Return the cells that only order and refund rows fill: order, shipper, SKU, quantity."""
    firms, bits = view.world.firms, statements.bits[at]
    is_order, is_counted = kind < _ORDER_KINDS, np.isin(kind, _COUNTED_KINDS)
    prefix = np.array([m.order_prefix for m in MARKETS])[statements.market[at]] + (bits % np.uint64(3)).astype(np.int64)
    middle, last = (bits >> np.uint64(8)) % np.uint64(10**7), (bits >> np.uint64(36)) % np.uint64(10**7)
    order = joined(whole_text(prefix), "-", whole_text(middle, 7), "-", whole_text(last, 7))
    sku = joined(
        "S",
        whole_text(view.world.number(statements.seller[at]), 6),
        "-K",
        whole_text((bits >> np.uint64(60)) % np.uint64(5), 2),
    )
    amounts = np.where(kind == 0, statements.columns["principal"][at], statements.columns["refund"][at])
    units = np.maximum(np.rint(amounts.astype(np.float64) / firms.unit_price[statements.seller[at]]), 1).astype(
        np.int64
    )
    empty = chosen([""], np.zeros(len(at), dtype=np.int64))
    shipper = chosen(["MFN", "AFN"], firms.is_fulfilled_by_market[statements.seller[at]])
    return {
        "order": either(is_order, order, empty), "shipper": either(is_order, shipper, empty),
        "sku": either(is_order, sku, empty), "units": either(is_counted, whole_text(units), empty),
    }  # fmt: skip


def _items(
    view: View, statements: _Statements, at: NDArray[np.int64], kind: NDArray[np.int64], cents: NDArray[np.int64]
) -> Text:
    """Return one row per amount."""
    heads = [f"\t\t\t\t\t\t{transaction}\t" for _, _, transaction, _, _ in _KINDS]
    tails = [f"\t{amount_type}\t{description}\t" for _, _, _, amount_type, description in _KINDS]
    bits = scatter(view.world.settings.seed, "posting", statements.seller[at], statements.week[at], kind)
    is_last = kind >= len(_KINDS) - 2
    back = np.where(is_last, 0, (bits % np.uint64(_STATEMENT_DAYS - 1)).astype(np.int64))
    day = np.maximum(statements.end_day[at] - back, 7 * view.world.firms.entry_week[statements.seller[at]])
    second = np.where(
        is_last, statements.end_second[at], ((bits >> np.uint64(20)) % np.uint64(86_400)).astype(np.int64)
    )
    second = np.where(back == 0, np.minimum(second, statements.end_second[at]), second)
    posted = either(
        statements.is_euro[at], day_text(view.first_day, day, "%d.%m.%Y"), day_text(view.first_day, day, "%m/%d/%y")
    )
    fields = _order_fields(view, statements, at, kind)
    return joined(
        whole_text(statements.number[at]), chosen(heads, kind), fields["order"], "\t\t\t\t",
        chosen([m.name for m in MARKETS], statements.market[at]), chosen(tails, kind),
        _money(cents, statements.is_euro[at]), "\t", fields["shipper"], "\t", posted, "\t",
        day_text(view.first_day, day), " ", clock_text(second), " UTC\t\t\t\t", fields["sku"], "\t", fields["units"],
        "\t\n",
    )  # fmt: skip


def _settlement_lines(view: View) -> Lines:
    """Return all rows of the sellers in view: per statement a totals row, then a row for each non-zero amount."""
    statements = _Statements(view)
    amounts = np.stack(
        [sign * to_cents(statements.columns[name].astype(np.float64)) for name, sign, *_ in _KINDS], axis=1
    )
    at, kind = np.nonzero(amounts)
    text = pa.concat_arrays([_totals(view, statements), _items(view, statements, at, kind, amounts[at, kind])])
    count = len(statements.seller)
    owner = np.concatenate([np.arange(count), at])
    order = np.lexsort((np.concatenate([np.full(count, -1), kind]), owner))
    owner = owner[order]

    def junk(row: int) -> bytes:
        which = int(owner[row])
        bad = _BAD_AMOUNTS[which % len(_BAD_AMOUNTS)].decode()
        market = MARKETS[int(statements.market[which])].name
        cells = {"settlement-id": str(statements.number[which]), "transaction-type": "other-transaction", "amount": bad}
        cells |= {"marketplace-name": market, "amount-type": "other-transaction", "amount-description": "Storage Fee"}
        return ("\t".join(cells.get(column, "") for column in COLUMNS) + "\n").encode()

    return Lines(taken(text, order), statements.seller[owner], statements.end_day[owner], owner, order >= count, junk)


def amazon_files(view: View) -> Iterator[RawFile]:
    """Yield settlement reports of the sellers in view, one per seller and delivery, by the day a settlement ends."""
    if not view.rows("statements", SOURCE).get("seller", np.array([])).size:
        return

    def account(seller: int) -> str:
        return merchant_token(view.world.settings.seed, seller)

    yield from seller_files(
        view, FileFormat(SOURCE, ".txt", HEADER, account, repeats_last_record=True), _settlement_lines(view)
    )
