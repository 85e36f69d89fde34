"""Value-added-tax invoices in the layout of the tax bureau's list: purchases from suppliers, sales to trading buyers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.firms import seller_id
from simulator.observation import is_dirty
from simulator.randomness import scatter, unit_interval
from simulator.raw_files import RawFile, View
from simulator.text_columns import cents_text, chosen, joined, line_offsets, unpadded_day_text, whole_text
from simulator.trade import PRODUCTION_WEEKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SOURCE = "vat_invoices"
STATUSES = ("有效发票", "作废发票", " 作废发票")
_HEADER = "\ufeff,企业代号,发票号码,开票日期,{party}单位代号,金额,税额,价税合计,发票状态\n"
_PARTY = {"purchase": "销方", "sale": "购方"}
_TAX_RATE = 0.13
_PERIOD_WEEKS = 4
_MAX_INVOICES = 3  # of one order


class _Invoices:
    """Invoices of one direction; gross amounts in CNY cents, arrays in order of seller and time."""

    def __init__(self, seller: NDArray[np.int64], day: NDArray[np.int64], gross: NDArray[np.int64], party: NDArray[np.int64]) -> None:
        order = np.lexsort((day, seller))
        self.seller, self.day, self.gross, self.party = seller[order], day[order], gross[order], party[order]


def _purchases(view: View) -> _Invoices:
    """Each supplier order is invoiced when goods are ready, split over the seller's suppliers by their shares."""
    rows, world = view.rows("orders", SOURCE), view.world
    seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64) + PRODUCTION_WEEKS
    cents = np.rint(rows["cost"].astype(np.float64) * 100).astype(np.int64)
    tilt = unit_interval(scatter(world.settings.seed, "supplier", seller[:, None] + 0 * world.network.suppliers[seller], week[:, None] * 8 + np.arange(5)))
    weights = world.network.supplier_weights[seller] * tilt
    is_small = np.argsort(np.argsort(-weights, axis=1), axis=1) >= _MAX_INVOICES
    weights = np.where(is_small | (weights < 0.08 * weights.max(axis=1, keepdims=True)), 0.0, weights)
    share = weights / weights.sum(axis=1, keepdims=True)
    part = np.floor(cents[:, None] * share).astype(np.int64)
    largest = share.argmax(axis=1)
    part[np.arange(len(part)), largest] += cents - part.sum(axis=1)
    order, which = np.nonzero(part)
    lag = (scatter(world.settings.seed, "invoice day", seller[order], week[order], which) % np.uint64(10)).astype(np.int64)
    day = 7 * week[order] + lag
    kept = day < 7 * world.timeline.weeks
    return _Invoices(seller[order][kept], day[kept], part[order, which][kept], world.network.suppliers[seller[order], which][kept])


def _sales(view: View) -> _Invoices:
    """Every four weeks the firm bills its overseas entities for what was sold, at a transfer price of its own."""
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
    buyer = seller * 3 + (scatter(seed, "billed entity", seller, week) % np.uint64(16) == 0)
    day = 7 * week + (scatter(seed, "billing day", seller, week) % np.uint64(7)).astype(np.int64)
    return _Invoices(seller, day, np.rint(amount * rate * price * noise * 100).astype(np.int64), buyer)


class _Written:
    """Invoice rows as text, defects included."""

    def __init__(self, view: View, invoices: _Invoices, direction: str) -> None:
        world, options = view.world, view.world.settings.observation
        count = len(invoices.seller)
        place = np.arange(count) - np.repeat(*np.unique(invoices.seller, return_index=True, return_counts=True)[1:])
        keys = (invoices.seller, place, np.full(count, direction == "sale", dtype=np.int64))
        chance = unit_interval(scatter(world.settings.seed, "invoice status", *keys))
        void = options.void_invoice_share
        status = np.select([chance < void * 0.1, chance < void], [2, 1], 0)
        is_credit = (chance > 0.99) & (place > 0)
        gross = np.where(is_credit, -(invoices.gross // 20), invoices.gross)
        net = np.rint(gross / (1 + _TAX_RATE)).astype(np.int64) if direction == "purchase" else gross
        doubled = is_dirty(world, f"doubled {direction}", invoices.seller * 100_000 + place, options.duplicate_invoice_share)
        at = np.repeat(np.arange(count), 1 + doubled)
        self.seller, self.repeated = invoices.seller[at], np.repeat(doubled, 1 + doubled)
        serial = np.arange(len(at)) + 100_001
        number = 10_000_000 + (invoices.seller * 131_071 + place * 17) % 80_000_000
        prefix, width = ("V", 5) if direction == "purchase" else ("B", 6)
        text = joined(
            ",S", whole_text(invoices.seller + 1, 6), ",", whole_text(number, 8), ",", unpadded_day_text(view.first_day, invoices.day),
            f",{prefix}", whole_text(invoices.party + 1, width), ",", cents_text(net), ",", cents_text(gross - net), ",",
            cents_text(gross), ",", chosen(STATUSES, status), "\n",
        )  # fmt: skip
        self.lines = joined(whole_text(serial), text.take(at))


def _file(view: View, written: _Written, direction: str, seller: int) -> RawFile:
    """A seller's whole invoice history in one direction."""
    observation, world = view.observation, view.world
    offsets, data = line_offsets(written.lines)
    first, end = np.searchsorted(written.seller, [seller, seller + 1]).tolist()
    start = 7 * int(observation.first_week[SOURCE][seller])
    header = _HEADER.format(party=_PARTY[direction]).encode()
    parts: tuple[bytes | memoryview, ...] = (header, data[offsets[first] : offsets[end]])
    share = world.settings.observation.malformed_row_share * (end - first)
    planted = int(is_dirty(world, f"vat junk {direction}", np.array([seller]), share)[0])
    if planted:
        day, amount = (("2021/13/5", "103.20"), ("2021/3/5", "1O3.20"))[seller % 2]
        parts += (f"99{seller},{seller_id(seller)},9{seller:07d},{day},V00001,{amount},0.00,103.20,有效发票\n".encode(),)
    delivered = (start + int(observation.delivery_lag_days[seller]), int(observation.delivery_second[seller]))
    return RawFile(
        f"{SOURCE}/{seller_id(seller)}/{direction}.csv", seller_id(seller), SOURCE, "", (start, 7 * world.timeline.weeks - 1),
        delivered, parts, end - first + planted, planted, int(written.repeated[first:end].sum()) // 2,
    )  # fmt: skip


def vat_files(view: View) -> Iterator[RawFile]:
    """Invoice lists of the sellers in view, one a seller and direction, whole history."""
    if not view.rows("orders", SOURCE).get("seller", np.array([])).size:
        return
    written = {direction: _Written(view, found, direction) for direction, found in (("purchase", _purchases(view)), ("sale", _sales(view)))}
    for seller in view.sellers.tolist():
        if view.observation.first_week[SOURCE][seller] < view.world.timeline.weeks:
            for direction, rows in written.items():
                yield _file(view, rows, direction, seller)
