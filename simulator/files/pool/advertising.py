"""Advertising of pool members by month and channel: the marketplace's own ads, and ads for the own web shop.

Spending is that of the marketplace statements and of the traffic sheets. What the channels attribute to it is their own
estimate: it follows the true sales, but weak sellers pay more for the same sales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.files.pool.rows import Chances, PoolRows, members, month_ends
from simulator.files.traffic import site_spend
from simulator.text_columns import cents_text, chosen, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_CHANNELS = ("amazon_ads", "google", "meta", "tiktok")
_FIRST_WEEKS = 4  # a seller without a marketplace account is a member only if its shop opened by then
_CLICK_PRICE = 0.9
_CLICK_SHARE = (0.004, 0.014)  # of impressions
_AD_COST_SHARE = 0.28  # spending over attributed sales of a seller of quality 0
_MOST_ATTRIBUTED = 0.7  # share of all sales of the channel


@dataclass(frozen=True)
class _Months:
    """Months of advertising by seller and channel; arrays of shape (rows,). Money in the currency of the row.

    Attributes:
        seller: Seller.
        day: Last day of the month.
        days: Days of the month on which the shop was open.
        channel: Index into ``_CHANNELS``; 0 is the marketplace.
        spend: Cents spent.
        sales: All sales of the shop in the month.
        item: Mean value of an order.
        is_euro: Whether the row is in euro.
    """

    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    days: NDArray[np.int64]
    channel: NDArray[np.int64]
    spend: NDArray[np.int64]
    sales: NDArray[np.float64]
    item: NDArray[np.float64]
    is_euro: NDArray[np.bool_]


def advertisers(world: World) -> NDArray[np.bool_]:
    """Return the members that advertise from their first weeks on, shape (sellers,)."""
    firms = world.firms
    starts_soon = firms.has_marketplace | (firms.site_week <= firms.entry_week + _FIRST_WEEKS)
    return members(world, "ad_spend", 0.55) & starts_soon


def _months(
    world: World, open_day: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return seller, last day and first day of each member's months since a day, partial first months included."""
    ends = month_ends(world)
    is_on = (ends[None, :] >= open_day[:, None]) & (ends[None, :] // 7 < world.closed_week[:, None])
    seller, month = np.nonzero(is_on & advertisers(world)[:, None])
    first = np.where(month > 0, ends[np.maximum(month - 1, 0)] + 1, 0)
    return seller, ends[month], np.maximum(first, open_day[seller])


def _between(
    weekly: NDArray[np.float64], seller: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the sum of a weekly amount over whole days; each day has a seventh of its week."""
    before = np.cumsum(np.vstack([np.zeros((1, weekly.shape[1])), weekly]), axis=0)
    padded = np.vstack([weekly, np.zeros((1, weekly.shape[1]))])

    def until(day: NDArray[np.int64]) -> NDArray[np.float64]:
        reached: NDArray[np.float64] = before[day // 7, seller] + padded[day // 7, seller] * (day % 7) / 7
        return reached

    return np.maximum(until(last + 1) - until(first), 0.0)


def platform_advertising(world: World) -> NDArray[np.float64]:
    """Return advertising fees by week, shape (weeks, sellers), account currency: a statement's for its two weeks."""
    rows, fees = world.events.get("statements", {}), np.zeros((world.timeline.weeks, world.firms.count))
    if rows:
        seller, week, fee = (rows[name] for name in ("seller", "week", "advertising"))
        at, half = (week.astype(np.int64), seller.astype(np.int64)), fee.astype(np.float64) / 2
        np.add.at(fees, at, half)
        np.add.at(fees, (np.maximum(at[0] - 1, 0), at[1]), half)
    return fees


def _on_the_marketplace(world: World) -> _Months:
    firms, never = world.firms, 7 * (world.timeline.weeks + 1)
    seller, last, first = _months(world, np.where(firms.has_marketplace, 7 * firms.entry_week, never))
    spend = to_cents(_between(platform_advertising(world), seller, first, last))
    sales = _between(world.weekly["sales"], seller, first, last)
    return _Months(
        seller, last, last - first + 1, np.zeros(len(seller), dtype=np.int64), spend, sales,
        firms.unit_price[seller], firms.is_euro[seller],
    )  # fmt: skip


def _for_the_own_shop(world: World) -> _Months:
    """Return two channels a shop; together they spend what the traffic sheet says, in US dollars."""
    firms, timeline = world.firms, world.timeline
    seller, last, first = _months(world, 7 * np.maximum(firms.site_week, firms.entry_week))
    days = last - first + 1
    start = np.cumsum(days) - days
    day = np.arange(int(days.sum())) - np.repeat(start, days) + np.repeat(first, days)
    daily = to_cents(site_spend(world, np.repeat(seller, days), day))
    total = np.add.reduceat(daily, start) if len(start) else daily
    dollar = np.where(firms.is_euro[seller], (timeline.cny_per_eur / timeline.cny_per_usd)[last // 7], 1.0)
    habit = Chances(world, "ad_spend habit", seller)
    main = np.floor(total * (0.5 + 0.45 * habit.even("main share"))).astype(np.int64)
    names = len(_CHANNELS) - 1
    channel = np.floor(names * habit.even("main channel")).astype(np.int64)
    other = (channel + 1 + np.floor((names - 1) * habit.even("other channel")).astype(np.int64)) % names
    sales = _between(world.weekly["site_sales"], seller, first, last) * dollar
    share = main / np.maximum(total, 1)
    return _Months(
        np.tile(seller, 2), np.tile(last, 2), np.tile(days, 2), 1 + np.concatenate([channel, other]),
        np.concatenate([main, total - main]), np.concatenate([sales * share, sales * (1 - share)]),
        np.tile(firms.site_basket[seller] * dollar, 2), np.zeros(2 * len(seller), dtype=bool),
    )  # fmt: skip


def ad_spend(world: World) -> PoolRows:
    """Return what members spend on advertising by month and channel, and what the channels attribute to it."""
    parts = (_on_the_marketplace(world), _for_the_own_shop(world))
    at = _Months(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Months.__dataclass_fields__))
    chances = Chances(world, "ad_spend", at.seller, at.day, at.channel)
    quality = world.weekly["quality"][at.day // 7, at.seller]
    cost_share = _AD_COST_SHARE * np.exp(-0.2 * quality + 0.25 * chances.bell("cost"))
    attributed = np.minimum(at.spend / 100 / cost_share, _MOST_ATTRIBUTED * at.sales)
    clicks = np.rint(at.spend / 100 / (_CLICK_PRICE * np.exp(0.2 * chances.bell("click price")))).astype(np.int64)
    low, high = _CLICK_SHARE
    shown = np.ceil(clicks / (low + (high - low) * chances.even("click share"))).astype(np.int64)
    orders = np.minimum(np.rint(attributed / at.item).astype(np.int64), clicks)
    new_share = np.clip(0.85 - world.firms.site_repurchase[at.seller] * np.exp(0.2 * quality), 0.2, 0.95)
    is_own = at.channel > 0
    number = world.number(at.seller)
    shop, account = joined("shop-s", whole_text(number, 6)), joined("A", whole_text(number, 9))
    return PoolRows(
        "ad_spend", at.seller, at.day, joined("AD-", whole_text(at.day // 7), "-", whole_text(at.channel)),
        {
            "channel": chosen(_CHANNELS, at.channel), "store_id": either(is_own, shop, account),
            "period_days": whole_text(at.days), "impression_count": whole_text(shown),
            "click_count": whole_text(clicks), "order_count": whole_text(orders),
            "new_customer_count": either(
                is_own, whole_text(np.floor(orders * new_share).astype(np.int64)), ""
            ),
            "spend": cents_text(at.spend), "attributed_sales": cents_text(to_cents(attributed)),
            "currency": chosen(["USD", "EUR"], at.is_euro),
        },
    )  # fmt: skip
