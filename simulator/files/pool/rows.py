"""Rows of the credit data pool: members, days, and how rows become files of our own templates.

The pool's operator collects stock, ratings, balances and similar data of its members and delivers one file per table
and district. Membership is not random: sellers of low quality or honesty join less often.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.files.deliveries import district_file, seller_files
from simulator.files.raw_file import DistrictContent, FileFormat, Lines, RawFile, View
from simulator.observation.availability import is_dirty
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import chosen, day_text, joined, line_offsets, taken, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

TEMPLATE = "template_"
_POOL_SECOND = 28_800  # eight in the morning
_MEMBER_SHARE = 0.45


@dataclass(frozen=True)
class PoolRows:
    """Rows of one table, in any order.

    Attributes:
        table: Canonical table.
        seller: Seller of each row.
        day: Day number of the event.
        key: Identifier of the row within its seller.
        columns: The other columns by canonical name (or by the template's name of a column that becomes a pseudonym).
    """

    table: str
    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    key: Text
    columns: Mapping[str, Text | str]


@dataclass(frozen=True)
class Moments:
    """State of sellers at given moments; arrays of shape (rows,). Money in account currency unless noted.

    Attributes:
        seller: Seller.
        week: Week of the moment.
        day: Day number of the moment.
        quality: Hidden quality.
        tightness: Shortage of cash: 0 with a month's sales in cash, above 1 in debt.
        sales: All sales of the four weeks up to it.
        rate: CNY per account unit.
    """

    seller: NDArray[np.int64]
    week: NDArray[np.int64]
    day: NDArray[np.int64]
    quality: NDArray[np.float64]
    tightness: NDArray[np.float64]
    sales: NDArray[np.float64]
    rate: NDArray[np.float64]


def members(world: World, table: str, share: float = 1.0) -> NDArray[np.bool_]:
    """Return which sellers join the pool with a table, ``share`` of the pool's members, shape (sellers,)."""
    seed, firms, sellers = world.settings.observation_seed, world.firms, np.arange(world.firms.count)
    joins = _MEMBER_SHARE * np.exp(0.2 * firms.quality + 0.15 * firms.honesty)
    in_pool = unit_interval(scatter(seed, "pool member", sellers)) < joins
    has_table = unit_interval(scatter(seed, f"pool {table}", sellers)) < share
    return np.asarray(in_pool & has_table, dtype=np.bool_)


def month_ends(world: World) -> NDArray[np.int64]:
    """Return the day number of each month end within the world."""
    first, last = world.timeline.first_day, 7 * world.timeline.weeks
    months = first.astype("datetime64[M]") + np.arange(1, last // 28 + 2)
    days = (months.astype("datetime64[D]") - first).astype(np.int64) - 1
    ends: NDArray[np.int64] = days[days < last]
    return ends


def moments(world: World, is_member: NDArray[np.bool_], days: NDArray[np.int64]) -> Moments:
    """Return the members' states on given days while they trade, in order of seller and day."""
    week = days // 7
    trades = (week[None, :] >= world.firms.entry_week[:, None]) & (week[None, :] < world.closed_week[:, None])
    seller, at = np.nonzero(trades & is_member[:, None])
    return states(world, seller, days[at])


def states(world: World, seller: NDArray[np.int64], day: NDArray[np.int64]) -> Moments:
    """Return the state of each seller on its own day."""
    week, timeline = np.minimum(day // 7, world.timeline.weeks - 1), world.timeline
    rate = np.where(world.firms.is_euro[seller], timeline.cny_per_eur[week], timeline.cny_per_usd[week])
    sales = four_week_sales(world)[week, seller]
    usual = np.maximum(sales, 0.5 * 4 * np.exp(world.firms.log_level[seller])) * rate
    return Moments(
        seller=seller, week=week, day=day, quality=world.weekly["quality"][week, seller],
        tightness=np.clip(1 - world.cash[week, seller] / usual, 0.0, 2.0), sales=sales, rate=rate,
    )  # fmt: skip


def four_week_sales(world: World) -> NDArray[np.float64]:
    """Return sales of all channels in the four weeks up to each week, account currency, shape (weeks, sellers)."""
    weekly = world.weekly["sales"] + world.weekly["hosted_sales"] + world.weekly["site_sales"]
    total = np.cumsum(np.vstack([np.zeros((4, world.firms.count)), weekly]), axis=0)
    sums: NDArray[np.float64] = np.maximum(total[4:] - total[:-4], 0.0)
    return sums


class Chances:
    """Random numbers of rows, by name, independent of what else is written."""

    def __init__(self, world: World, table: str, *keys: NDArray[np.int64]) -> None:
        self._seed, self._table, self._keys = world.settings.seed, table, keys

    def even(self, name: str) -> NDArray[np.float64]:
        """Return numbers evenly spread over [0, 1)."""
        return unit_interval(scatter(self._seed, f"{self._table} {name}", *self._keys))

    def bell(self, name: str) -> NDArray[np.float64]:
        """Return about standard normal numbers: the rescaled sum of three even numbers."""
        parts = [self.even(f"{name} {part}") for part in range(3)]
        return np.asarray(2.0 * (parts[0] + parts[1] + parts[2] - 1.5), dtype=np.float64)

    def count(self, name: str, mean: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """Return whole numbers around a mean, spread about like Poisson counts."""
        spread = mean + np.sqrt(np.maximum(mean, 0.0)) * self.bell(name) + self.even(f"{name} rest") - 0.5
        whole: NDArray[np.int64] = np.maximum(np.rint(spread), 0).astype(np.int64)
        return whole


def currencies(world: World, seller: NDArray[np.int64]) -> Text:
    """Return the account currency of each seller."""
    return chosen(["USD", "EUR"], world.firms.is_euro[seller])


def _lines(world: World, rows: PoolRows) -> Lines:
    """Return the rows as lines, by seller and day."""
    order = np.lexsort((rows.day, rows.seller))
    parts: list[Text | str] = ["S", whole_text(world.number(rows.seller), 6), ",", rows.key]
    for values in rows.columns.values():
        parts += [",", values]
    text = joined(*parts, ",", day_text(world.timeline.first_day, rows.day), "\n")
    width = len(rows.columns)
    return Lines(
        text=taken(text, order), seller=rows.seller[order], day=rows.day[order], record=np.arange(len(order)),
        may_follow=np.ones(len(order), dtype=bool),
        junk=lambda row: f"{world.seller_id(int(rows.seller[order[row]]))},?{',?' * width},2021-13-40\n".encode(),
    )  # fmt: skip


def _header(rows: PoolRows) -> bytes:
    return (",".join(["seller_id", f"{rows.table}_id", *rows.columns, "event_date"]) + "\n").encode()


def pool_file(world: World, rows: PoolRows, name: str | None = None) -> RawFile:
    """Return one file of a table about all members of a district; ``name`` is its name if not that of the table."""
    name = name or rows.table
    lines = _lines(world, rows)
    _, data = line_offsets(lines.text)
    share = world.settings.observation.malformed_row_share
    bad = np.flatnonzero(is_dirty(world, f"junk {name}", np.arange(len(lines.seller)), share))[:5]
    junk = b"".join(lines.junk(int(row)) for row in bad)
    content = DistrictContent((_header(rows), data, junk), len(lines.seller) + len(bad), len(bad))
    return district_file(world, f"{TEMPLATE}{rows.table}", f"{name}-{{}}.csv", _POOL_SECOND, content)


def own_files(view: View, rows: PoolRows, is_member: NDArray[np.bool_]) -> Iterator[RawFile]:
    """Yield the files of a table that members deliver themselves; empty files count, as "nothing pledged" is a fact."""
    source, firms = f"{TEMPLATE}{rows.table}", view.world.firms
    first = np.where(is_member, firms.entry_week, view.world.timeline.weeks + 1)
    observation = replace(view.observation, first_week={**view.observation.first_week, source: first})
    seen = View(view.world, observation, view.sellers)
    kept = np.flatnonzero(seen.delivers(source, rows.seller, rows.day // 7))
    columns = {n: v if isinstance(v, str) else taken(v, kept) for n, v in rows.columns.items()}
    mine = PoolRows(rows.table, rows.seller[kept], rows.day[kept], taken(rows.key, kept), columns)
    yield from seller_files(seen, FileFormat(source, ".csv", _header(rows)), _lines(view.world, mine))
