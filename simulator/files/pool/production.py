"""Production of members that make their own goods: capacity, output, rejects and workers by line and quarter.

Output follows the goods that true orders finish. Forged orders make nothing, so a forger's orders exceed its capacity.
Rejects follow hidden quality and rise with a faulty batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES
from simulator.economy.state import FLOWS
from simulator.economy.trade import PRODUCTION_WEEKS
from simulator.files.pool.assets import LINE, Assets, asset_references, assets, book_values, makers
from simulator.files.pool.rows import Chances, PoolRows, members, month_ends
from simulator.text_columns import cents_text, chosen, day_text, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_MOST_OVERTIME = 1.4  # pieces over the capacity
_REJECTED = 0.018  # share of the pieces of a seller of quality 0
_MOST_REJECTED = 0.35
_WEEKS_OF_A_QUARTER = 13
_WORKER_COST = 1_700.0  # a week, CNY
_PAID_TO_WORKERS = 0.35  # share of payroll and rent


def finished_pieces(world: World) -> NDArray[np.float64]:
    """Return the pieces that true orders finish up to each week, shape (weeks + 1, sellers); forged ones make none."""
    rows, pieces = world.events.get("orders", {}), np.zeros((world.timeline.weeks + 1, world.firms.count))
    if rows:
        seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64)
        cost = np.maximum(world.firms.unit_price[seller] * world.firms.goods_cost_share[seller], 0.5)
        made = rows["cost"].astype(np.float64) / world.timeline.cny_per_usd[week] / cost
        np.add.at(pieces, (np.minimum(week + PRODUCTION_WEEKS, world.timeline.weeks - 1) + 1, seller), made)
    return np.cumsum(pieces, axis=0)


def reporting_makers(world: World) -> NDArray[np.bool_]:
    """Return the members that make goods and report what their lines do, shape (sellers,)."""
    return members(world, "production_capacity", 0.7) & makers(world)


def _quarters(world: World, lines: Assets) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return line, last day and first day of each quarter at whose end a line is in use."""
    ends = month_ends(world)
    month = (world.timeline.first_day + ends).astype("datetime64[M]").astype(np.int64) % 3
    last = ends[month == 2]
    first = np.concatenate([[0], last[:-1] + 1])
    is_used = (last[None, :] >= lines.start[:, None]) & (last[None, :] < lines.end[:, None])
    is_used &= last[None, :] // 7 < world.closed_week[lines.seller, None]
    line, quarter = np.nonzero(is_used)
    return line, last[quarter], np.maximum(first[quarter], lines.start[line])


def _lines(world: World) -> Assets:
    owned = assets(world, reporting_makers(world))
    at = np.flatnonzero(owned.kind == LINE)
    return Assets(*(getattr(owned, name)[at] for name in Assets.__dataclass_fields__))


def _capacity(world: World, lines: Assets) -> NDArray[np.float64]:
    """Return what each line can make in a week; the lines at entry suffice for the goods of usual sales."""
    firms, seller = world.firms, lines.seller
    habit = Chances(world, "capacity", seller)
    at_entry = np.bincount(seller[lines.start == 7 * firms.entry_week[seller]], minlength=firms.count)
    usual = np.exp(firms.log_level[seller]) / firms.unit_price[seller] / np.maximum(at_entry[seller], 1)
    size = 0.8 + 0.4 * Chances(world, "capacity", seller, lines.slot).even("size")
    made: NDArray[np.float64] = usual * (1.1 + 0.6 * habit.even("headroom")) * size * _made_share(world, seller)
    return made


def _made_share(world: World, seller: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of its goods that a seller makes itself; it buys the rest."""
    share: NDArray[np.float64] = 0.5 + 0.5 * Chances(world, "maker", seller).even("made share")
    return share


def production_capacity(world: World) -> PoolRows:
    """Return the quarters of each line: capacity, pieces made and rejected, workers and book value."""
    lines = _lines(world)
    row, last, first = _quarters(world, lines)
    seller, days = lines.seller[row], last - first + 1
    capacity = _capacity(world, lines)[row] * days / 7
    week, chances = last // 7, Chances(world, "production_capacity", seller, lines.slot[row], last)
    total = np.zeros((world.firms.count, world.timeline.weeks))
    np.add.at(total, (seller, week), capacity)
    part = capacity / np.maximum(total[seller, week], 1e-9)
    pieces = finished_pieces(world)
    since = np.maximum(week + 1 - _WEEKS_OF_A_QUARTER, 0)
    wanted = (pieces[week + 1, seller] - pieces[since, seller]) * _made_share(world, seller) * part
    can = np.ceil(capacity)
    made = np.rint(np.minimum(wanted * np.exp(0.05 * chances.bell("made")), _MOST_OVERTIME * can)).astype(np.int64)
    quality = world.weekly["quality"][week, seller]
    share = _REJECTED * np.exp(-0.5 * quality + 0.3 * chances.bell("rejects")) + _faulty(world)[week, seller]
    rejected = np.rint(made * np.clip(share, 0.0, _MOST_REJECTED)).astype(np.int64)
    payroll = np.cumsum(np.vstack([np.zeros((1, world.firms.count)),
                                   -world.flows[FLOWS.index("payroll_and_rent_paid")]]), axis=0)  # fmt: skip
    weekly = (payroll[week + 1, seller] - payroll[since, seller]) / np.maximum(week + 1 - since, 1)
    workers = np.rint(_PAID_TO_WORKERS * weekly * part / _WORKER_COST).astype(np.int64)
    reference = asset_references(world, lines, row)
    return PoolRows(
        "production_capacity", seller, last, joined(reference, "-", whole_text(week)),
        {
            "facility_id": joined("F-S", whole_text(world.number(seller), 6)),
            "line_id": reference, "sku_group": chosen([c.name for c in CATEGORIES], world.firms.category[seller]),
            "country": "CN", "period_from": day_text(world.timeline.first_day, first),
            "capacity_quantity": whole_text(can.astype(np.int64)), "produced_quantity": whole_text(made),
            "rejected_quantity": whole_text(rejected), "worker_count": whole_text(np.maximum(workers, made > 0)),
            "is_platform_bound": chosen(["false", "true"], lines.is_bound[row]),
            "line_value": cents_text(to_cents(book_values(world, lines, row, last))), "currency": "CNY",
        },
    )  # fmt: skip


def _faulty(world: World) -> NDArray[np.float64]:
    """Return the share of rejects that faulty batches add in the quarter up to each week, shape (weeks, sellers)."""
    seller, week, share = world.incidents("faulty batch")
    hits = np.zeros((world.timeline.weeks + _WEEKS_OF_A_QUARTER, world.firms.count))
    np.add.at(hits, (week + _WEEKS_OF_A_QUARTER, seller), 0.1 * share)
    total = np.cumsum(hits, axis=0)
    found: NDArray[np.float64] = total[_WEEKS_OF_A_QUARTER:] - total[:-_WEEKS_OF_A_QUARTER]
    return found
