"""VAT invoices as listed by the tax bureau: purchases from suppliers, sales to trading buyers.

Related firms invoice one another too, for goods or in a ring (``simulator.observation.related_invoices``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.trade import PRODUCTION_WEEKS
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.observation.availability import is_dirty
from simulator.observation.defects import RED_LETTER, REPEATED_ROW
from simulator.observation.overseas_entities import sold_to
from simulator.observation.related_invoices import related_invoices
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import (
    cents_text,
    chosen,
    joined,
    taken,
    to_cents,
    unpadded_day_text,
    whole_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


SOURCE = "vat_invoices"
STATUSES = ("有效发票", "作废发票", " 作废发票")
_HEADER = "\ufeff,企业代号,发票号码,开票日期,{party}单位代号,金额,税额,价税合计,发票状态\n"
_PARTY = {"purchase": "销方", "sale": "购方"}
_TAX_RATE = 0.13
_PERIOD_WEEKS = 4
_MAX_INVOICES = 3  # per order
_RELATED_PARTIES = (
    30_000_000  # from here on: firms that are sellers themselves; only sales to them are domestic and taxed
)


@dataclass(frozen=True)
class _Invoices:
    """Invoices of one direction in order of seller and time; gross amounts in CNY cents.

    A settled invoice is neither voided nor credited later: it belongs to a red-letter correction.
    """

    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    gross: NDArray[np.int64]
    party: NDArray[np.int64]
    is_red: NDArray[np.bool_]
    is_settled: NDArray[np.bool_]


def _sorted(
    seller: NDArray[np.int64], day: NDArray[np.int64], gross: NDArray[np.int64], party: NDArray[np.int64]
) -> _Invoices:
    order = np.lexsort((day, seller))
    plain = np.zeros(len(order), dtype=bool)
    return _Invoices(seller[order], day[order], gross[order], party[order], plain, plain)


def _with_related(view: View, invoices: _Invoices, direction: str) -> _Invoices:
    """Add the invoices with related firms that the firm delivers."""
    trades = related_invoices(view.world)
    firm, other = (trades.buyer, trades.seller) if direction == "purchase" else (trades.seller, trades.buyer)
    at = np.flatnonzero(view.delivers(SOURCE, firm, trades.day // 7))
    return _sorted(
        np.concatenate([invoices.seller, firm[at]]), np.concatenate([invoices.day, trades.day[at]]),
        np.concatenate([invoices.gross, trades.gross_cents[at]]),
        np.concatenate([invoices.party, _RELATED_PARTIES + view.world.number(other[at])]),
    )  # fmt: skip


def _places(seller: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each invoice among its seller's, from 0."""
    starts, counts = np.unique(seller, return_index=True, return_counts=True)[1:]
    return np.arange(len(seller)) - np.repeat(starts, counts)


def _with_corrections(view: View, invoices: _Invoices, direction: str) -> _Invoices:
    """Add corrections: weeks after a wrong invoice, a red-letter invoice (红字) cancels it and a correct one follows.

    The final amounts are the same; what was known in between differs.
    """
    settings, seller = view.world.settings, invoices.seller
    bits = scatter(settings.observation_seed, f"restated {direction}", seller, _places(seller))
    day = invoices.day + 3 + ((bits >> np.uint64(3)) % np.uint64(40)).astype(np.int64)
    is_wrong = unit_interval(bits) < settings.observation.restated_invoice_share
    at = np.flatnonzero(is_wrong & (day < 7 * view.world.timeline.weeks) & (invoices.gross > 0))
    right = invoices.gross[at]
    wrong = np.where(bits[at] % np.uint64(2) == 0, right * 10, right + right // 5)  # a zero too many, an old price
    gross = invoices.gross.copy()
    gross[at] = wrong
    is_settled = np.zeros(len(seller), dtype=bool)
    is_settled[at] = True
    count, all_days = len(at), np.concatenate([invoices.day, day[at], day[at]])
    all_sellers = np.concatenate([seller, seller[at], seller[at]])
    order = np.lexsort((all_days, all_sellers))
    return _Invoices(
        seller=all_sellers[order], day=all_days[order], gross=np.concatenate([gross, -wrong, right])[order],
        party=np.concatenate([invoices.party, invoices.party[at], invoices.party[at]])[order],
        is_red=(np.repeat([0, 1, 0], [len(seller), count, count]) == 1)[order],
        is_settled=np.concatenate([is_settled, np.ones(2 * count, dtype=bool)])[order],
    )  # fmt: skip


def _by_supplier(view: View, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each order's shares by supplier: the seller's usual shares with noise, without the smallest."""
    network = view.world.network
    place = np.arange(network.suppliers.shape[1])
    keys = (np.repeat(seller[:, None], len(place), axis=1), week[:, None] * 8 + place[None, :])
    weights = network.supplier_weights[seller] * unit_interval(scatter(view.world.settings.seed, "supplier", *keys))
    is_small = np.argsort(np.argsort(-weights, axis=1), axis=1) >= _MAX_INVOICES
    weights = np.where(is_small | (weights < 0.08 * weights.max(axis=1, keepdims=True)), 0.0, weights)
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _purchases(view: View) -> _Invoices:
    """Return supplier invoices: each order is invoiced when the goods are ready, split over the seller's suppliers."""
    rows, world = view.rows("orders", SOURCE), view.world
    seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64) + PRODUCTION_WEEKS
    cents = to_cents(rows["cost"].astype(np.float64))
    share = _by_supplier(view, seller, week)
    part = np.floor(cents[:, None] * share).astype(np.int64)
    part[np.arange(len(part)), share.argmax(axis=1)] += cents - part.sum(axis=1)
    order, which = np.nonzero(part)
    lag = scatter(world.settings.seed, "invoice day", seller[order], week[order], which) % np.uint64(10)
    day = 7 * week[order] + lag.astype(np.int64)
    kept = day < 7 * world.timeline.weeks
    order, which, day = order[kept], which[kept], day[kept]
    return _sorted(seller[order], day, part[order, which], world.number(world.network.suppliers[seller[order], which]))


def _sales(view: View) -> _Invoices:
    """Return four-weekly invoices to the firm's overseas entities for goods sold, at its own transfer price."""
    world, low, high = view.world, view.sellers[0], view.sellers[-1] + 1
    starts = np.arange(0, world.timeline.weeks - _PERIOD_WEEKS + 1, _PERIOD_WEEKS)
    sold = np.add.reduceat(world.weekly["sales"][:, low:high] + world.weekly["site_sales"][:, low:high], starts, axis=0)
    period, column = np.nonzero(sold > 1.0)
    seller, week = view.sellers[column], starts[period] + _PERIOD_WEEKS - 1
    kept = view.delivers(SOURCE, seller, week)
    seller, week, amount = seller[kept], week[kept], sold[period, column][kept]
    seed, firms, timeline = world.settings.seed, world.firms, world.timeline
    rate = np.where(firms.is_euro[seller], timeline.cny_per_eur[week], timeline.cny_per_usd[week])
    price = 0.42 + 0.3 * unit_interval(scatter(seed, "transfer price", seller))
    noise = np.exp(0.3 * (unit_interval(scatter(seed, "billing", seller, week)) - 0.5))
    buyer = sold_to(world, seller) + 50_000_000 * (scatter(seed, "billed entity", seller, week) % np.uint64(16) == 0)
    day = 7 * week + (scatter(seed, "billing day", seller, week) % np.uint64(7)).astype(np.int64)
    return _sorted(seller, day, to_cents(amount * rate * price * noise), buyer)


def _lines(view: View, invoices: _Invoices, direction: str) -> Lines:
    """Return the rows of one direction: some void, some credit notes, a few duplicated."""
    world, seller = view.world, invoices.seller
    options, seed = world.settings.observation, world.settings.seed
    place = _places(seller)
    chance = unit_interval(scatter(seed, f"{direction} invoice status", seller, place))
    void, is_free = options.void_invoice_share, ~invoices.is_settled
    status = np.select([is_free & (chance < void * 0.1), is_free & (chance < void)], [2, 1], 0)
    gross = np.where(is_free & (chance > 0.99) & (place > 0), -(invoices.gross // 20), invoices.gross)
    is_export = (direction == "sale") & (invoices.party // 10_000_000 != _RELATED_PARTIES // 10_000_000)
    net = np.where(is_export, gross, to_cents(gross / (1 + _TAX_RATE) / 100))
    number = 10_000_000 + (world.number(seller) * 131_071 + place * 17) % 80_000_000
    prefix, width = ("V", 5) if direction == "purchase" else ("B", 6)
    text = joined(
        ",S", whole_text(world.number(seller), 6), ",", whole_text(number, 8), ",",
        unpadded_day_text(view.first_day, invoices.day), f",{prefix}", whole_text(invoices.party, width), ",",
        cents_text(net), ",", cents_text(gross - net), ",", cents_text(gross), ",", chosen(STATUSES, status), "\n",
    )  # fmt: skip
    doubled = is_dirty(world, f"doubled {direction}", seller * 100_000 + place, options.duplicate_invoice_share)
    at = np.repeat(np.arange(len(seller)), 1 + doubled)
    row_number = whole_text(np.arange(len(at)) + 100_001)

    def junk(row: int) -> bytes:
        number = int(seller[at[row]])
        day, amount = (("2021/13/5", "103.20"), ("2021/3/5", "1O3.20"))[number % 2]
        firm = world.seller_id(number)
        return f"99{number},{firm},9{number:07d},{day},V00001,{amount},0.00,103.20,有效发票\n".encode()

    return Lines(
        text=joined(row_number, taken(text, at)), seller=seller[at], day=invoices.day[at],
        record=np.arange(len(at)), may_follow=np.ones(len(at), dtype=bool), junk=junk,
        marks={REPEATED_ROW: np.concatenate([[False], at[1:] == at[:-1]])[: len(at)], RED_LETTER: invoices.is_red[at]},
    )  # fmt: skip


def vat_files(view: View) -> Iterator[RawFile]:
    """Yield the invoice lists of the sellers in view, one per seller, direction and delivery."""
    if not view.rows("orders", SOURCE).get("seller", np.array([])).size:
        return
    for direction, trade in (("purchase", _purchases(view)), ("sale", _sales(view))):
        found = _with_related(view, trade, direction)
        header = _HEADER.format(party=_PARTY[direction]).encode()
        rows = _lines(view, _with_corrections(view, found, direction), direction)
        yield from seller_files(view, FileFormat(SOURCE, f"/{direction}.csv", header), rows)
