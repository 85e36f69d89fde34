"""What pool members own: production lines, moulds, vehicles, software and packing equipment.

A line, a mould or packing equipment may serve one hosted platform only. Such assets are worth little to anybody else,
and less still after the platform has removed the seller. Sellers buy further lines and moulds when their sales have
grown. A line is the same asset in the register and in the production reports (``simulator.files.pool.production``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import FIRM_KINDS, HOSTED_MODES
from simulator.files.pool.rows import Chances, PoolRows, four_week_sales, members, month_ends, states
from simulator.text_columns import cents_text, chosen, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text


@dataclass(frozen=True)
class _Kind:
    """A kind of asset.

    Attributes:
        code: Part of the asset's reference.
        asset_type: Type in the register.
        most: Most of them a seller has at the same time.
        years: Years of use.
        sales_share: Mean price over yearly sales at entry.
        resale_share: Resale value over price when new.
        may_be_bound: Whether it may serve one platform only.
    """

    code: str
    asset_type: str
    most: int
    years: float
    sales_share: float
    resale_share: float
    may_be_bound: bool


KINDS = (
    _Kind("LINE", "machinery", 4, 10.0, 0.050, 0.60, may_be_bound=True),
    _Kind("MOULD", "mould", 5, 3.0, 0.014, 0.30, may_be_bound=True),
    _Kind("VEHICLE", "vehicle", 2, 5.0, 0.010, 0.70, may_be_bound=False),
    _Kind("SOFTWARE", "software", 1, 3.0, 0.003, 0.10, may_be_bound=False),
    _Kind("PACKING", "other", 1, 6.0, 0.006, 0.20, may_be_bound=True),
)
LINE, MOULD, VEHICLE, SOFTWARE, PACKING = range(len(KINDS))
_YEARS = np.array([kind.years for kind in KINDS])
_MOST_TURNS = 4  # an asset and its successors within a world
_WORKSHOP_SHARE = 0.15  # of the sellers of goods of their own design make some themselves
_GROWTH_STEP = 0.4  # growth of yearly sales that asks for a further line or mould
_LEFT_AT_END = 0.05  # of the price at the end of use
_LEAST_PRICE = 500.0
_BOUND_RESALE = 0.35  # resale value of a bound asset over that of a free one
_IMPAIRED = 0.6  # what a removal from the platform leaves of a bound asset's value
_RESALE_A_YEAR = 0.8


@dataclass(frozen=True)
class Assets:
    """Assets of sellers; arrays of shape (assets,), in order of seller.

    Attributes:
        seller: Owner.
        kind: Index into ``KINDS``.
        slot: Number within the seller and kind.
        turn: Number of predecessors that were used up.
        start: Day on which the seller bought it, or entered with it.
        new_on: Day on which it was new; may be before ``start``.
        end: Day on which it is used up; may be past the world's end.
        price: Price when new, CNY.
        is_bound: Whether it serves one platform only.
    """

    seller: NDArray[np.int64]
    kind: NDArray[np.int64]
    slot: NDArray[np.int64]
    turn: NDArray[np.int64]
    start: NDArray[np.int64]
    new_on: NDArray[np.int64]
    end: NDArray[np.int64]
    price: NDArray[np.float64]
    is_bound: NDArray[np.bool_]


def makers(world: World) -> NDArray[np.bool_]:
    """Return the sellers that make their own goods: factories, and some that sell goods of their own design."""
    workshop = Chances(world, "maker", np.arange(world.firms.count)).even("workshop") < _WORKSHOP_SHARE
    kind = world.firms.kind
    is_maker: NDArray[np.bool_] = (kind == FIRM_KINDS.index("factory")) | (
        (kind == FIRM_KINDS.index("product seller")) & workshop
    )
    return is_maker


def _first_counts(world: World, seller: NDArray[np.int64], kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many assets of a kind each seller enters with."""
    draw = Chances(world, "asset count", seller, kind).even("draw")
    makes, trades = makers(world)[seller], world.firms.kind[seller] == FIRM_KINDS.index("trader")
    count: NDArray[np.int64] = np.select(
        [kind == LINE, kind == MOULD, kind == VEHICLE],
        [makes * (1 + np.floor(2.5 * draw**2)), ~trades * np.floor(1 + 3 * draw), np.floor(2.4 * draw**2)],
        1.0,
    ).astype(np.int64)
    return count


def _grown_weeks(world: World) -> NDArray[np.float64]:
    """Return the highest yearly sales so far over those usual at entry, shape (weeks, sellers)."""
    smooth = four_week_sales(world) / np.maximum(4 * np.exp(world.firms.log_level), 1.0)
    total = np.cumsum(np.vstack([np.zeros((52, world.firms.count)), smooth]), axis=0)
    yearly: NDArray[np.float64] = np.maximum.accumulate((total[52:] - total[:-52]) / 52, axis=0)
    return yearly


def _first_days(
    world: World, seller: NDArray[np.int64], kind: NDArray[np.int64], slot: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the day on which each slot is first filled: at entry, or after growth; past the world's end for never."""
    count = _first_counts(world, seller, kind)
    grows = ((kind == LINE) | (kind == MOULD)) & (count > 0)
    later = np.flatnonzero(grows & (slot >= count))
    enough = 1 + _GROWTH_STEP * (slot[later] - count[later] + 1)
    is_grown = _grown_weeks(world)[:, seller[later]] >= enough
    week = np.where(is_grown.any(axis=0), is_grown.argmax(axis=0) + 2, world.timeline.weeks + 1)
    days = np.where(slot < count, 7 * world.firms.entry_week[seller], 7 * (world.timeline.weeks + 1))
    days[later] = 7 * week
    return days


def assets(world: World, is_owner: NDArray[np.bool_]) -> Assets:
    """Draw the assets of some sellers; what one seller owns does not depend on the others."""
    slots = [(number, slot) for number, kind in enumerate(KINDS) for slot in range(kind.most)]
    seller, row = (part.ravel() for part in np.meshgrid(np.flatnonzero(is_owner), np.arange(len(slots)), indexing="ij"))
    kind, slot = (np.array(values, dtype=np.int64)[row] for values in zip(*slots, strict=True))
    first, firms, chances = (
        _first_days(world, seller, kind, slot),
        world.firms,
        Chances(world, "asset", seller, kind, slot),
    )
    last = 7 * np.minimum(world.closed_week[seller], world.timeline.weeks)
    life = np.rint(365 * _YEARS[kind] * np.exp(0.12 * chances.bell("life"))).astype(np.int64)
    is_old = (first == 7 * firms.entry_week[seller]) & (firms.founded_day[seller] < first)
    age = np.minimum(first - firms.founded_day[seller], 0.6 * life) * is_old * chances.even("age")
    share = np.array([each.sales_share for each in KINDS])[kind]
    rate = states(world, seller, np.minimum(first, 7 * world.timeline.weeks - 1)).rate
    price = share * 52 * np.exp(firms.log_level[seller] + 0.4 * chances.bell("price")) * rate
    full, mode = firms.full_hosted_share[seller], firms.hosted_mode[seller]
    semi = firms.hosted_share[seller] * (mode == HOSTED_MODES.index("semi hosted"))
    bound_share = 0.10 + 0.80 * full + 0.25 * semi - 0.06 * firms.quality[seller] * (mode > 0)
    may_be_bound = np.array([each.may_be_bound for each in KINDS])[kind]
    is_bound = may_be_bound & (mode > 0) & (chances.even("bound") < np.clip(bound_share, 0.02, 0.95))
    at, turn = (
        part.ravel() for part in np.meshgrid(np.flatnonzero(first < last), np.arange(_MOST_TURNS), indexing="ij")
    )
    new_on = (first - age.astype(np.int64))[at] + turn * life[at]
    start = np.where(turn == 0, first[at], new_on)
    kept = np.flatnonzero(start < last[at])
    at, turn, start, new_on = at[kept], turn[kept], start[kept], new_on[kept]
    return Assets(
        seller[at],
        kind[at],
        slot[at],
        turn,
        start,
        new_on,
        new_on + life[at],
        np.maximum(np.round(price[at], -2), _LEAST_PRICE),
        is_bound[at],
    )


def _removals(world: World) -> NDArray[np.int64]:
    """Return how often each seller was removed from its hosted platform up to each week, shape (weeks, sellers)."""
    seller, week, _ = world.incidents("delisting")
    hits = np.zeros((world.timeline.weeks, world.firms.count), dtype=np.int64)
    np.add.at(hits, (week, seller), 1)
    return np.cumsum(hits, axis=0)


def book_values(world: World, owned: Assets, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the book value of assets (row numbers) on given days: straight line, less after each removal, CNY."""
    used = (day - owned.new_on[row]) / (owned.end - owned.new_on)[row]
    left: NDArray[np.float64] = np.clip(1 - (1 - _LEFT_AT_END) * used, _LEFT_AT_END, 1.0)
    return owned.price[row] * left * _impairment(world, owned, row, day)


def _impairment(world: World, owned: Assets, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what removals from the platform have left of the value of assets: 1 where they serve more than one."""
    removals, seller, last = _removals(world), owned.seller[row], world.timeline.weeks - 1
    since = removals[np.minimum(day // 7, last), seller] - removals[np.minimum(owned.start[row] // 7, last), seller]
    return np.where(owned.is_bound[row], _IMPAIRED ** np.maximum(since, 0), 1.0)


def _resale_values(world: World, owned: Assets, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what a buyer would pay, CNY: an asset of one platform finds few buyers."""
    kind, years = owned.kind[row], (day - owned.new_on[row]) / 365
    noise = np.exp(0.15 * Chances(world, "resale", owned.seller[row], kind, owned.slot[row], day).bell("value"))
    share = np.array([each.resale_share for each in KINDS])[kind] * _RESALE_A_YEAR ** np.maximum(years, 0.0)
    value: NDArray[np.float64] = owned.price[row] * share * noise * _impairment(world, owned, row, day)
    return value * np.where(owned.is_bound[row], _BOUND_RESALE, 1.0)


def _valuation_days(world: World, owned: Assets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return asset and day of each revaluation: at year ends, and for bound assets after a removal."""
    ends = month_ends(world)
    month = (world.timeline.first_day + ends).astype("datetime64[M]").astype(np.int64) % 12
    years = ends[month == 11]
    is_held = (years[None, :] > owned.start[:, None]) & (years[None, :] < owned.end[:, None])
    row, year = np.nonzero(is_held)
    removed, week, _ = world.incidents("delisting")
    told = 7 * week + 20 + np.floor(40 * Chances(world, "impairment", removed, week).even("wait")).astype(np.int64)
    first, stop = (np.searchsorted(owned.seller, removed, side=side) for side in ("left", "right"))
    count = stop - first
    hit = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    day, when = np.repeat(told, count), np.repeat(7 * week, count)
    kept = owned.is_bound[hit] & (owned.start[hit] < when) & (day < owned.end[hit]) & ~np.isin(day, years)
    keys = np.unique(np.stack([hit[kept], day[kept]]), axis=1)
    return np.concatenate([row, keys[0]]), np.concatenate([years[year], keys[1]])


def asset_register(world: World) -> PoolRows:
    """Return assets bought, valued again, and taken out at the end of their use."""
    owned = assets(world, members(world, "asset_register", 0.55))
    valued, valued_day = _valuation_days(world, owned)
    count, used_up = len(owned.seller), np.arange(len(owned.seller))
    row = np.concatenate([used_up, valued, used_up])
    day = np.concatenate([owned.start, valued_day, owned.end])
    step = np.repeat([0, 1, 2], [count, len(valued), count])
    kept = np.flatnonzero(day < 7 * np.minimum(world.closed_week[owned.seller[row]], world.timeline.weeks))
    row, day, step = row[kept], day[kept], step[kept]
    book = book_values(world, owned, row, day)
    resale = _resale_values(world, owned, row, day)
    is_left = step < 2
    reference = asset_references(world, owned, row)
    return PoolRows(
        "asset_register", owned.seller[row], day, joined(reference, "-", whole_text(day)),
        {
            "asset_reference": reference, "asset_type": chosen([kind.asset_type for kind in KINDS], owned.kind[row]),
            "entry_type": chosen(["acquired", "revalued", "disposed"], step),
            "book_value": cents_text(to_cents(book * is_left)), "resale_value": cents_text(to_cents(resale * is_left)),
            "currency": "CNY", "country": "CN",
            "is_platform_bound": chosen(["false", "true"], owned.is_bound[row]),
        },
    )  # fmt: skip


def asset_references(world: World, owned: Assets, row: NDArray[np.int64]) -> Text:
    """Return the number of each asset (row number), the same in every table."""
    code = chosen([kind.code for kind in KINDS], owned.kind[row])
    number = whole_text(world.number(owned.seller[row]), 6)
    return joined("AST-S", number, "-", code, "-", whole_text(owned.slot[row]), "-", whole_text(owned.turn[row]))
