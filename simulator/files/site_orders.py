"""Single orders of the own web shops, drawn from their weekly sales, with the orders that brushers fake.

The sales of four weeks are split over a random number of orders, so orders add up to the shop's true sales. Buyers
return at the shop's repurchase rate, which moves with hidden quality; a few buy in several shops. Refunds and
cancellations are drawn at the rates of the period, so raw refunds match true refunds in expectation, not per order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.observation.brushing import FEW_BUYERS, NIGHT, NOT_SENT, SAME_SUMS, fake_share, ring_buyers, shows_trace
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import to_cents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.files.raw_file import View

PERIOD_WEEKS = 4
_HELPERS = 7  # buyers behind a careless brusher's fake orders
_ROAMING_SHARE = 0.04  # share of buyers that buy in several shops of the category
_ROAMERS = 400  # such buyers per category


@dataclass(frozen=True)
class SiteOrders:
    """Own-site orders of the sellers in view, in order of seller and time; arrays of shape (orders,).

    Attributes:
        seller: Seller.
        day: Day number of the order, shop time.
        second: Second of the day.
        number: Order number within the shop, from 0.
        listed_at: Shop whose buyer list contains the buyer; another shop's where the buyer is known there, too.
        buyer: Number of the buyer in that list.
        cents: Total paid, in the shop's currency.
        refunded_cents: Refunded part.
        lines: Line items, 1 to 3.
        is_fulfilled: Whether goods were sent.
        fulfilment_days: Days until they were sent.
        is_cancelled: Whether the order was cancelled.
        is_high_risk: Whether the shop's fraud check flags it.
        is_fake: Whether a brusher made it (never written to raw files).
        bits: Random bits for further details.
    """

    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    second: NDArray[np.int64]
    number: NDArray[np.int64]
    listed_at: NDArray[np.int64]
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
    """Four-week periods with site sales, one row each."""

    seller: NDArray[np.int64]
    first_week: NDArray[np.int64]
    sales_cents: NDArray[np.int64]
    refund_share: NDArray[np.float64]
    quality: NDArray[np.float64]
    strain: NDArray[np.float64]  # share of demand that stock could not serve


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
        seller=sellers[column],
        first_week=starts[period],
        sales_cents=to_cents(sales[period, column]),
        refund_share=(refunds / np.maximum(sales, 0.01))[period, column],
        quality=world.weekly["quality"][starts[period], sellers[column]],
        strain=strain[period, column],
    )


def _poisson(mean: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return Poisson counts by inversion of uniform numbers; for a mean above 30, return the rounded mean."""
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
    mean = np.asarray(periods.sales_cents / 100 / view.world.firms.site_basket[periods.seller], dtype=np.float64)
    chance = unit_interval(scatter(view.world.settings.seed, "site count", periods.seller, periods.first_week))
    return np.maximum(_poisson(mean, chance), 1)


def _fake_counts(view: View, periods: _Periods) -> NDArray[np.int64]:
    """Return the number of fake orders per period: proportional to true orders, and higher when quality is low."""
    share = fake_share(view.world, periods.seller, periods.first_week)
    chance = unit_interval(scatter(view.world.settings.seed, "fake count", periods.seller, periods.first_week))
    mean = np.asarray((2.0 + share * _true_counts(view, periods)) * np.exp(-0.3 * periods.quality), dtype=np.float64)
    return np.where(share > 0, _poisson(mean, chance), 0)


def _split(cents: NDArray[np.int64], count: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Split each period's cents over its orders by weight; the last order takes the remainder."""
    owner = np.repeat(np.arange(len(cents)), count)
    ends = np.cumsum(count)
    total = np.add.reduceat(weight, ends - count)
    running = np.cumsum(weight) - np.repeat(np.cumsum(total) - total, count)
    upto = np.floor(cents[owner] * np.minimum(running / total[owner], 1.0)).astype(np.int64)
    upto[ends - 1] = cents
    before = np.concatenate([[0], upto[:-1]])
    before[ends - count] = 0
    parts: NDArray[np.int64] = upto - before
    return parts


def _numbered(seller: NDArray[np.int64], returns: NDArray[np.bool_], pick: NDArray[np.float64]) -> NDArray[np.int64]:
    """Assign numbers to buyers in order of appearance; a returning buyer is drawn from the shop's earlier ones."""
    starts = np.flatnonzero(np.concatenate([[True], seller[1:] != seller[:-1]]))
    is_new = ~returns
    is_new[starts] = True
    seen = np.cumsum(is_new).astype(np.int64)
    known: NDArray[np.int64] = seen - np.repeat(seen[starts] - 1, _lengths(starts, len(seller)))
    return np.where(is_new, known - 1, np.floor(pick * known).astype(np.int64))


def _lengths(starts: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    return np.diff(np.concatenate([starts, [end]]))


class _Draws:
    """Random numbers of orders, by name, independent of the part of the world being written."""

    def __init__(self, view: View, *keys: NDArray[np.int64]) -> None:
        self._seed, self._keys = view.world.settings.seed, keys

    def bits(self, name: str) -> NDArray[np.uint64]:
        """Return 64 random bits per order."""
        return scatter(self._seed, f"site order {name}", *self._keys)

    def chance(self, name: str) -> NDArray[np.float64]:
        """Return a number in [0, 1) per order."""
        return unit_interval(self.bits(name))

    def waiting(self, name: str) -> NDArray[np.float64]:
        """Return an exponential number per order, capped near seven."""
        return -np.log1p(-0.999 * self.chance(name))


@dataclass(frozen=True)
class _Fakes:
    """Which orders are fake, and which of them show each trace; arrays of shape (orders,)."""

    is_fake: NDArray[np.bool_]
    has_few_buyers: NDArray[np.bool_]
    stays_unsent: NDArray[np.bool_]
    is_at_night: NDArray[np.bool_]
    has_usual_sum: NDArray[np.bool_]


def _fakes(view: View, seller: NDArray[np.int64], week: NDArray[np.int64], is_fake: NDArray[np.bool_]) -> _Fakes:
    traces = [np.zeros(len(is_fake), dtype=bool) for _ in range(4)]
    for shown, trace in zip(traces, (FEW_BUYERS, NOT_SENT, NIGHT, SAME_SUMS), strict=True):
        shown[is_fake] = shows_trace(view.world, trace, seller[is_fake], week[is_fake])
    return _Fakes(is_fake, *traces)


def _amounts(
    periods: _Periods, true: NDArray[np.int64], fakes: _Fakes, basket: NDArray[np.float64], draws: _Draws
) -> NDArray[np.int64]:
    """Return order totals in cents: true ones add up to the period's sales, fake ones are small or look true."""
    size = 0.3 + draws.waiting("size")
    cents = np.rint(80 / 1.3 * basket * size).astype(np.int64)
    cents[~fakes.is_fake] = _split(periods.sales_cents, true, size[~fakes.is_fake])
    usual = np.rint(1_990 + 200 * np.floor(5 * draws.chance("fake size"))).astype(np.int64)
    return np.maximum(np.where(fakes.has_usual_sum, usual, cents), 1)


def _buyers(
    view: View, seller: NDArray[np.int64], quality: NDArray[np.float64], fakes: _Fakes, draws: _Draws
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the buyer of each order, as the shop with the buyer list and the number in it.

    The few helpers of a careless brusher buy again and again; other brushers exchange buyers within a ring. Some true
    buyers are known in several shops of a category, so common buyers alone prove nothing.
    """
    world, is_fake = view.world, fakes.is_fake
    rate = np.clip(world.firms.site_repurchase[seller] * np.exp(0.35 * quality), 0, 0.92)
    pick = draws.chance("buyer")
    own = _numbered(seller, (draws.chance("returning") < rate) & ~is_fake, pick)
    bits = scatter(world.settings.seed, "roaming buyer", seller, own)
    roams = (unit_interval(bits) < _ROAMING_SHARE) & ~is_fake
    listed_at = np.where(roams, world.firms.category[seller], seller)
    buyer = np.where(roams, 100_000 + (bits % np.uint64(_ROAMERS)).astype(np.int64), own)
    helper = 3 + 5 * np.floor(pick * _HELPERS).astype(np.int64)
    ring_list, ring_buyer = ring_buyers(world, seller[is_fake], pick[is_fake])
    few = fakes.has_few_buyers[is_fake]
    listed_at[is_fake] = np.where(few, seller[is_fake], ring_list)
    buyer[is_fake] = np.where(few, helper[is_fake], ring_buyer)
    return listed_at, buyer


def _handled(
    periods: _Periods, period: NDArray[np.int64], cents: NDArray[np.int64], fakes: _Fakes, draws: _Draws
) -> dict[str, NDArray[np.generic]]:
    """Return what happened to each order: cancelled, refunded, sent, flagged. Fake orders, if sent, go out at once."""
    quality, strain, is_fake = periods.quality[period], periods.strain[period], fakes.is_fake
    is_cancelled = (draws.chance("cancelled") < 0.015 + 0.10 * strain) & ~is_fake
    is_refunded = (draws.chance("refunded") < periods.refund_share[period]) & ~is_fake & ~is_cancelled
    part = np.where(draws.chance("in full") < 0.6, 1.0, 0.3 + 0.5 * draws.chance("part"))
    unsent = np.select([fakes.stays_unsent, is_fake], [0.85, 0.03], 0.015 + 0.2 * strain)
    days = 1 + np.floor(draws.waiting("days") * 2.2 * np.exp(0.8 * strain - 0.25 * quality))
    return {
        "is_cancelled": is_cancelled,
        "refunded_cents": np.where(is_refunded, np.floor(cents * part), 0).astype(np.int64),
        "is_fulfilled": ~is_cancelled & (draws.chance("sent") > unsent),
        "fulfilment_days": np.where(is_fake, 1, days).astype(np.int64),
        "is_high_risk": draws.chance("risk") > np.where(is_fake, 0.85, 1 - 0.02 * np.exp(-0.3 * quality)),
    }


def site_orders(view: View) -> SiteOrders | None:
    """Draw all own-site orders of the sellers in view, or return None if none of them has a shop with sales.

    The draws depend only on the world's seed and the seller, so any part of the world has the same orders.
    """
    periods = _periods(view)
    if not len(periods.seller):
        return None
    true, fake = _true_counts(view, periods), _fake_counts(view, periods)
    period = np.repeat(np.arange(len(true)), true + fake)
    place = np.arange(len(period)) - np.repeat(np.cumsum(true + fake) - true - fake, true + fake)
    is_fake, seller = place >= true[period], periods.seller[period]
    draws = _Draws(view, seller, periods.first_week[period], place)
    bits = draws.bits("details")
    day = 7 * periods.first_week[period] + np.floor(draws.chance("day") * 7 * PERIOD_WEEKS).astype(np.int64)
    fakes = _fakes(view, seller, periods.first_week[period], is_fake)
    cents = _amounts(periods, true, fakes, view.world.firms.site_basket[seller], draws)
    listed_at, buyer = _buyers(view, seller, periods.quality[period], fakes, draws)
    second = ((bits >> np.uint64(17)) % np.uint64(86_400)).astype(np.int64)
    columns: dict[str, NDArray[np.generic]] = {
        "seller": seller,
        "day": np.minimum(day, 7 * view.world.timeline.weeks - 1),
        "second": np.where(fakes.is_at_night, 3_600 + second // 6, second),
        "listed_at": listed_at,
        "buyer": buyer,
        "cents": cents,
        "lines": 1 + (draws.chance("lines") > 0.80).astype(np.int64) + (draws.chance("lines") > 0.96),
        "is_fake": is_fake,
        "bits": bits,
        **_handled(periods, period, cents, fakes, draws),
    }
    return _in_order(columns)


def _in_order(columns: dict[str, NDArray[np.generic]]) -> SiteOrders:
    """Return orders sorted by seller and time, numbered within each shop."""
    order = np.lexsort((columns["second"], columns["day"], columns["seller"]))
    kept: dict[str, Any] = {name: values[order] for name, values in columns.items()}
    seller = kept["seller"]
    starts = np.flatnonzero(np.concatenate([[True], seller[1:] != seller[:-1]]))
    return SiteOrders(number=np.arange(len(seller)) - np.repeat(starts, _lengths(starts, len(seller))), **kept)
