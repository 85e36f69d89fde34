"""Single orders of the own web shops, drawn from their weekly sales; and the orders brushers fake.

Sales of four weeks are split over a drawn number of orders, so that orders add up to the shop's true sales. Buyers come
back with the shop's repurchase rate, which moves with hidden quality. Refunded and cancelled orders are drawn at the
rates of the period, so raw refunds match the shop's true refunds in expectation, not order by order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.randomness import scatter, unit_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.raw_files import View

PERIOD_WEEKS = 4
_FAKE_BUYERS = 7


@dataclass(frozen=True)
class SiteOrders:
    """Own-site orders of the sellers in view, in order of seller and time; arrays of shape (orders,).

    Attributes:
        seller: Seller.
        day: Day number of the order, shop time.
        second: Second of the day.
        number: Order number within the shop, from 0.
        buyer: Buyer's number within the shop.
        cents: Total paid, in the shop's currency.
        refunded_cents: Part paid back.
        lines: Line items, 1-3.
        is_fulfilled: Whether goods were sent.
        fulfilment_days: Days until they were.
        is_cancelled: Whether the order was cancelled.
        is_high_risk: Whether the shop's fraud check flags it.
        is_fake: Whether a brusher made it (never written to raw files).
        bits: Random bits for further details.
    """

    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    second: NDArray[np.int64]
    number: NDArray[np.int64]
    buyer: NDArray[np.int64]
    cents: NDArray[np.int64]
    refunded_cents: NDArray[np.int64]
    lines: NDArray[np.int64]
    is_fulfilled: NDArray[np.bool_]
    fulfilment_days: NDArray[np.int64]
    is_cancelled: NDArray[np.bool_]
    is_high_risk: NDArray[np.bool_]
    is_fake: NDArray[np.bool_]
    bits: NDArray[np.uint64]


@dataclass(frozen=True)
class _Periods:
    """Four-week periods with site sales: one row each."""

    seller: NDArray[np.int64]
    first_week: NDArray[np.int64]
    sales_cents: NDArray[np.int64]
    refund_share: NDArray[np.float64]
    quality: NDArray[np.float64]
    strain: NDArray[np.float64]  # share of demand the stock could not serve


def _periods(view: View) -> _Periods:
    world, sellers = view.world, view.sellers
    weeks = world.timeline.weeks
    starts = np.arange(0, weeks, PERIOD_WEEKS)
    low, high = sellers[0], sellers[-1] + 1

    def summed(name: str) -> NDArray[np.float64]:
        return np.add.reduceat(world.weekly[name][:, low:high], starts, axis=0)

    sales, refunds = summed("site_sales"), summed("site_refunds")
    served, demand = summed("sales"), summed("demand")
    strain = np.clip(1 - served / np.maximum(demand, 1.0), 0, 1)
    period, column = np.nonzero(sales > 0.5)
    order = np.lexsort((period, column))
    period, column = period[order], column[order]
    return _Periods(
        seller=sellers[column], first_week=starts[period], sales_cents=np.rint(sales[period, column] * 100).astype(np.int64),
        refund_share=(refunds / np.maximum(sales, 0.01))[period, column],
        quality=world.weekly["quality"][starts[period], sellers[column]], strain=strain[period, column],
    )  # fmt: skip


def _poisson(mean: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Poisson counts from uniform numbers, by a rounded normal where the mean is large, by inversion where small."""
    count, term = np.zeros(len(mean), dtype=np.int64), np.exp(-np.minimum(mean, 30.0))
    total = term.copy()
    for step in range(1, 60):
        is_more = chance > total
        if not is_more.any():
            break
        count += is_more
        term = term * np.minimum(mean, 30.0) / step
        total += term
    return np.where(mean > 30.0, np.rint(mean).astype(np.int64), count)


def _true_counts(view: View, periods: _Periods) -> NDArray[np.int64]:
    mean = periods.sales_cents / 100 / view.world.firms.site_basket[periods.seller]
    chance = unit_interval(scatter(view.world.settings.seed, "site count", periods.seller, periods.first_week))
    return np.maximum(_poisson(mean, chance), 1)


def _fake_counts(view: View, periods: _Periods) -> NDArray[np.int64]:
    """Brushers fake more when sales are weak: between a half and twice as many orders as are true."""
    is_brusher = view.world.firms.is_brusher[periods.seller]
    chance = unit_interval(scatter(view.world.settings.seed, "fake count", periods.seller, periods.first_week))
    mean = (2.0 + 1.2 * _true_counts(view, periods)) * np.exp(-0.3 * periods.quality)
    return np.where(is_brusher, _poisson(mean, chance), 0)


def _split(cents: NDArray[np.int64], count: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Splits the cents of each period over its orders by weight, to the cent: the last order takes the rest."""
    owner = np.repeat(np.arange(len(cents)), count)
    ends = np.cumsum(count)
    total = np.add.reduceat(weight, ends - count)
    running = np.cumsum(weight) - np.repeat(np.cumsum(total) - total, count)
    upto = np.floor(cents[owner] * np.minimum(running / total[owner], 1.0)).astype(np.int64)
    upto[ends - 1] = cents
    before = np.concatenate([[0], upto[:-1]])
    before[ends - count] = 0
    return upto - before


def _buyers(seller: NDArray[np.int64], returns: NDArray[np.bool_], pick: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers buyers in order of appearance; a returning one is drawn from those seen before in the shop."""
    starts = np.flatnonzero(np.concatenate([[True], seller[1:] != seller[:-1]]))
    is_new = ~returns
    is_new[starts] = True
    seen = np.cumsum(is_new)
    base = np.repeat(seen[starts] - 1, np.diff(np.concatenate([starts, [len(seller)]])))
    known = seen - base
    return np.where(is_new, known - 1, np.floor(pick * known).astype(np.int64))


def site_orders(view: View) -> SiteOrders | None:
    """Draws all own-site orders of the sellers in view; None when none of them has a shop with sales.

    The draws depend on the world's seed and the seller alone, so any part of the world gives the same orders.
    """
    periods = _periods(view)
    if not len(periods.seller):
        return None
    true, fake = _true_counts(view, periods), _fake_counts(view, periods)
    period = np.repeat(np.arange(len(true)), true + fake)
    place = np.arange(len(period)) - np.repeat(np.cumsum(true + fake) - true - fake, true + fake)
    is_fake = place >= true[period]
    seed, seller = view.world.settings.seed, periods.seller[period]
    bits = scatter(seed, "site order", seller, periods.first_week[period], place)
    chance = [unit_interval(scatter(seed, f"site order {name}", seller, periods.first_week[period], place)) for name in range(8)]
    quality, strain = periods.quality[period], periods.strain[period]
    cents = np.zeros(len(period), dtype=np.int64)
    cents[~is_fake] = _split(periods.sales_cents, true, (0.3 - np.log1p(-chance[0] * 0.999))[~is_fake])
    cents[is_fake] = np.rint(1_200 + 2_600 * chance[0][is_fake]).astype(np.int64)
    rate = np.clip(view.world.firms.site_repurchase[seller] * np.exp(0.35 * quality), 0, 0.92)
    buyer = _buyers(seller, (chance[1] < rate) & ~is_fake, chance[2])
    buyer = np.where(is_fake, 3 + 5 * np.floor(chance[2] * _FAKE_BUYERS).astype(np.int64), buyer)
    is_cancelled = (chance[3] < 0.015 + 0.10 * strain) & ~is_fake
    is_refunded = (chance[4] < periods.refund_share[period]) & ~is_fake & ~is_cancelled
    part = np.where(chance[5] < 0.6, 1.0, 0.3 + 0.5 * chance[6])
    day = 7 * periods.first_week[period] + np.floor(unit_interval(bits) * 7 * PERIOD_WEEKS).astype(np.int64)
    day = np.minimum(day, 7 * view.world.timeline.weeks - 1)
    second = ((bits >> np.uint64(17)) % np.uint64(86_400)).astype(np.int64)
    order = np.lexsort((second, day, seller))
    starts = np.searchsorted(seller, np.unique(seller))
    unsorted = SiteOrders(
        seller=seller, day=day, second=second,
        number=np.arange(len(seller)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(seller)]]))),
        buyer=buyer, cents=np.maximum(cents, 1), refunded_cents=np.where(is_refunded, np.floor(cents * part), 0).astype(np.int64),
        lines=1 + (chance[7] > 0.80) + (chance[7] > 0.96), is_fake=is_fake, bits=bits, is_cancelled=is_cancelled,
        is_fulfilled=~is_cancelled & (chance[6] > np.where(is_fake, 0.85, 0.015 + 0.2 * strain)),
        fulfilment_days=1 + np.floor(-np.log1p(-chance[5] * 0.999) * 2.2 * np.exp(0.8 * strain - 0.25 * quality)).astype(np.int64),
        is_high_risk=chance[3] > np.where(is_fake, 0.75, 1 - 0.02 * np.exp(-0.3 * quality)),
    )  # fmt: skip
    kept = {name: getattr(unsorted, name)[order] for name in SiteOrders.__dataclass_fields__ if name != "number"}
    return SiteOrders(number=unsorted.number, **kept)
