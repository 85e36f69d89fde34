"""Daily visits and advertising of the own web shops, as the traffic sheet that sellers fill in.

Visits follow the shop's orders at its own conversion rate, with occasional bursts. Brushers show some of the visits
that their fake orders would need. Inflated sheets show visits that never led to an order: some sellers buy robot
visits, which leave at once and never return; others invent visits in the sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import INFLATED_TRAFFIC
from simulator.files.deliveries import seller_files
from simulator.files.raw_file import FileFormat, Lines, RawFile, View
from simulator.observation.brushing import fake_share
from simulator.observation.fraud_cases import size_in_force
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import cents_text, day_text, joined, to_cents, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

SOURCE = "shop_traffic"
HEADER = b"Day,Online store visitors,Sessions,Bounced sessions,Paid sessions,Ad spend (USD)\n"
_BURST_SHARE = 0.03  # share of weeks
_ROBOT_SHARE = 0.6  # share of inflated sheets with robot visits


@dataclass(frozen=True)
class _Visits:
    """Daily visits of shops; arrays of shape (days of all shops,)."""

    sessions: NDArray[np.int64]
    bounced: NDArray[np.int64]
    visitors: NDArray[np.int64]


def _visits(world: World, seller: NDArray[np.int64], day: NDArray[np.int64]) -> _Visits:
    """Return the true visits, plus those that sellers with inflated traffic bought or invented."""
    seed, week = world.settings.seed, day // 7

    def chance(name: str, *keys: NDArray[np.int64]) -> NDArray[np.float64]:
        return unit_interval(scatter(seed, name, seller, *keys))

    orders = world.weekly["site_sales"][week, seller] / world.firms.site_basket[seller] / 7
    orders = orders * (1 + 0.7 * fake_share(world, seller, week))
    luck, faith = chance("visits 0", day), chance("visits 1", day)
    is_burst = chance("burst", week) < _BURST_SHARE
    true = (1 + orders / (0.012 + 0.02 * chance("conversion"))) * np.exp(0.5 * (luck + faith - 1))
    true = np.rint(true * np.where(is_burst, 1 + 4 * luck, 1.0))
    false = np.rint(true * size_in_force(world, INFLATED_TRAFFIC)[week, seller] * (0.7 + 0.6 * luck))
    habit = 0.38 + 0.2 * chance("bounce habit") - 0.05 * world.weekly["quality"][week, seller] + 0.12 * is_burst
    bounce = np.clip(habit + 0.2 * (chance("visits 3", day) - 0.5), 0.1, 0.9)
    by_robots = chance("robots") < _ROBOT_SHARE
    bounced = np.rint(true * bounce + false * np.where(by_robots, 0.78 + 0.2 * faith, 0.3))
    visitors = np.rint(true * (0.78 + 0.15 * faith) + false * np.where(by_robots, 0.98, 0.85))
    sessions, bounced, visitors = (values.astype(np.int64) for values in (true + false, bounced, visitors))
    return _Visits(sessions, np.minimum(bounced, sessions), np.minimum(visitors, sessions))


def site_spend(world: World, seller: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what each seller spends on advertising its own web shop on each day, USD."""
    timeline, week = world.timeline, day // 7
    dollar = np.where(world.firms.is_euro[seller], (timeline.cny_per_eur / timeline.cny_per_usd)[week], 1.0)
    chance = unit_interval(scatter(world.settings.seed, "visits 2", seller, day))
    spend: NDArray[np.float64] = world.weekly["site_advertising"][week, seller] / 7 * dollar * (0.6 + 0.8 * chance)
    return spend


def _days(view: View) -> Lines:
    world, sellers = view.world, view.sellers
    firms, timeline = world.firms, world.timeline
    open_week = np.maximum(view.observation.first_week[SOURCE], firms.site_week)
    end_week = np.minimum(world.closed_week, timeline.weeks)
    span = np.maximum(end_week - open_week, 0)[sellers] * 7
    seller = np.repeat(sellers, span)
    day = np.arange(len(seller)) - np.repeat(np.cumsum(span) - span, span) + 7 * open_week[seller]
    visits, spend = _visits(world, seller, day), site_spend(world, seller, day)
    paid = np.minimum(np.rint(spend / 0.9), np.rint(0.85 * visits.sessions)).astype(np.int64)
    lines = joined(
        day_text(view.first_day, day), ",", whole_text(visits.visitors), ",", whole_text(visits.sessions), ",",
        whole_text(visits.bounced), ",", whole_text(paid), ",", cents_text(to_cents(spend)), "\n",
    )  # fmt: skip
    return Lines(
        text=lines, seller=seller, day=day, record=np.arange(len(day)), may_follow=np.ones(len(day), dtype=bool),
        junk=lambda _: b"2021-06-15,12,n/a,3,1,4.00\n",
    )  # fmt: skip


def traffic_files(view: View) -> Iterator[RawFile]:
    """Yield the traffic sheets of the sellers in view, one per seller and delivery."""
    rows = _days(view)
    if len(rows.seller):
        yield from seller_files(view, FileFormat(SOURCE, ".csv", HEADER, view.shop), rows)
