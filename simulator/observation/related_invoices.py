"""Invoices between sellers of one world: real trade between sister firms, and rings that only pass amounts around.

In a ring every member invoices the next within days for nearly the same amount, so that each shows sales and purchases
although no goods move. Sister firms that buy for one another invoice now and then, for amounts that follow sales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import ROUND_TRIP, rings
from simulator.observation.fraud_cases import fraud_cases
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import to_cents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

    Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

_ROUND_WEEKS = 4  # a ring is active every fourth week on average
_TRADING_GROUPS = 0.30  # share of control groups whose members trade honestly
_TRADE_WEEKS = 7  # sister firms trade every seventh week on average
_BOTH_WAYS = 0.5  # share of trading pairs that trade in both directions


@dataclass(frozen=True)
class RelatedInvoices:
    """Invoices between sellers; arrays of shape (invoices,).

    Attributes:
        seller: Issuer.
        buyer: Recipient.
        day: Day number of the invoice.
        gross_cents: Gross amount in CNY cents.
        is_round_trip: Whether it belongs to a ring (never written to raw files).
    """

    seller: NDArray[np.int64]
    buyer: NDArray[np.int64]
    day: NDArray[np.int64]
    gross_cents: NDArray[np.int64]
    is_round_trip: NDArray[np.bool_]


def related_invoices(world: World) -> RelatedInvoices:
    """Return all invoices between the sellers of a world, honest and fraudulent."""
    found = [_round_trips(world), _sister_trade(world)]
    seller, buyer, day, cents = (np.concatenate(parts) for parts in zip(*found, strict=True))
    is_round_trip = np.arange(len(seller)) < len(found[0][0])
    kept = (day < 7 * world.timeline.weeks) & (cents > 0)
    return RelatedInvoices(seller[kept], buyer[kept], day[kept], cents[kept], is_round_trip[kept])


def _four_week_sales(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return marketplace sales of the four weeks up to each week, CNY."""
    total = np.cumsum(np.vstack([np.zeros(world.firms.count), world.weekly["sales"]]), axis=0)
    sums = total[week + 1, seller] - total[np.maximum(week - 3, 0), seller]
    timeline = world.timeline
    rate = np.where(world.firms.is_euro[seller], timeline.cny_per_eur[week], timeline.cny_per_usd[week])
    amounts: NDArray[np.float64] = sums * rate
    return amounts


def _trading_weeks(world: World, pair: NDArray[np.int64], name: str, every: int) -> NDArray[np.bool_]:
    """Return the weeks in which each pair (or ring) trades, shape (pairs, weeks)."""
    week = np.arange(world.timeline.weeks)
    keys = np.repeat(pair[:, None], len(week), axis=1)
    bits = scatter(world.settings.seed, name, keys, np.repeat(week[None, :], len(pair), axis=0))
    return np.asarray(bits % np.uint64(every) == 0, dtype=np.bool_)


def _is_trading(world: World, seller: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each seller has entered and not closed, shape (sellers given, weeks)."""
    week = np.arange(world.timeline.weeks)[None, :]
    entered, closed = world.firms.entry_week[seller][:, None], world.closed_week[seller][:, None]
    return np.asarray((week >= entered) & (week < closed), dtype=np.bool_)


def _round_trips(world: World) -> Columns:
    """Return one invoice per case and week in which its ring is active; members follow one another within days."""
    found, seed = fraud_cases(world, ROUND_TRIP), world.settings.seed
    ring = rings(world.network)[found.seller]
    _, first, which = np.unique(ring * 10_000 + found.first_week, return_index=True, return_inverse=True)
    leader, leg = found.seller[first[which]], np.arange(len(ring)) - first[which]
    week = np.arange(world.timeline.weeks)[None, :]
    goes = (week >= found.first_week[:, None]) & (week < found.end_week[:, None])
    goes &= _trading_weeks(world, ring, "round trip", _ROUND_WEEKS)
    goes &= _is_trading(world, found.seller) & _is_trading(world, found.other)
    case, at = np.nonzero(goes)
    noise = np.exp(0.8 * (unit_interval(scatter(seed, "round amount", ring[case], at)) - 0.5))
    fee = 1 - 0.07 * unit_interval(scatter(seed, "round fee", found.seller[case], at))
    amount = 0.4 * found.size[case] * noise * fee * _four_week_sales(world, leader[case], at)
    wait = scatter(seed, "round day", found.seller[case], at) % np.uint64(3)
    return found.seller[case], found.other[case], 7 * at + 2 * leg[case] + wait.astype(np.int64), to_cents(amount)


def _sister_pairs(world: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of sister firms in which the first sells goods to the second."""
    group, seed = world.network.group, world.settings.seed
    order = np.argsort(group, kind="stable")
    _, first, which = np.unique(group[order], return_index=True, return_inverse=True)
    head, member = order[first[which]], order
    chance = unit_interval(scatter(seed, "sister trade", group[member]))
    trades = (group[member] >= 0) & (head != member) & (chance < _TRADING_GROUPS)
    head, member, chance = head[trades], member[trades], chance[trades]
    both = chance < _BOTH_WAYS * _TRADING_GROUPS
    return np.concatenate([head, member[both]]), np.concatenate([member, head[both]])


def _sister_trade(world: World) -> Columns:
    """Return invoices for goods that one group member buys for another; amounts follow the buyer's sales."""
    seller, buyer = _sister_pairs(world)
    pair, seed = seller * world.firms.count + buyer, world.settings.seed
    trades = _trading_weeks(world, pair, "sister trade", _TRADE_WEEKS)
    trades &= _is_trading(world, seller) & _is_trading(world, buyer)
    which, at = np.nonzero(trades)
    share = 0.03 + 0.3 * unit_interval(scatter(seed, "sister amount", pair[which], at))
    day = 7 * at + (scatter(seed, "sister day", pair[which], at) % np.uint64(7)).astype(np.int64)
    return seller[which], buyer[which], day, to_cents(share * _four_week_sales(world, buyer[which], at))
