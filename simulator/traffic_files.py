"""Daily visits and advertising of the own web shops, as the traffic sheet sellers fill in.

Visits follow the shop's orders at a conversion rate of its own; brushers show the visits their faked orders would need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.randomness import scatter, unit_interval
from simulator.raw_files import Form, Lines, RawFile, View, seller_files
from simulator.text_columns import cents_text, day_text, joined, to_cents, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "shop_traffic"
HEADER = b"Day,Online store visitors,Sessions,Bounced sessions,Paid sessions,Ad spend (USD)\n"


def _days(view: View) -> Lines:
    world, sellers = view.world, view.sellers
    firms, weeks = world.firms, world.timeline.weeks
    open_week = np.maximum(view.observation.first_week[SOURCE], firms.site_week)
    end_week = np.minimum(world.closed_week, weeks)
    span = np.maximum(end_week - open_week, 0)[sellers] * 7
    seller = np.repeat(sellers, span)
    day = np.arange(len(seller)) - np.repeat(np.cumsum(span) - span, span) + 7 * open_week[seller]
    week, seed = day // 7, world.settings.seed
    chance = [unit_interval(scatter(seed, f"visits {name}", seller, day)) for name in range(4)]
    conversion = 0.012 + 0.02 * unit_interval(scatter(seed, "conversion", seller))
    orders = world.weekly["site_sales"][week, seller] / firms.site_basket[seller] / 7
    orders = orders * np.where(firms.is_brusher[seller], 1.8, 1.0)
    sessions = np.rint((1 + orders / conversion) * np.exp(0.5 * (chance[0] + chance[1] - 1))).astype(np.int64)
    dollar = np.where(firms.is_euro[seller], (world.timeline.cny_per_eur / world.timeline.cny_per_usd)[week], 1.0)
    spend = world.weekly["site_advertising"][week, seller] / 7 * dollar * (0.6 + 0.8 * chance[2])
    paid = np.minimum(np.rint(spend / 0.9), np.rint(0.85 * sessions)).astype(np.int64)
    bounced = np.rint(
        sessions * np.clip(0.48 - 0.05 * world.weekly["quality"][week, seller] + 0.2 * (chance[3] - 0.5), 0.1, 0.9)
    )
    visitors = np.rint(sessions * (0.78 + 0.15 * chance[1])).astype(np.int64)
    lines = joined(
        day_text(view.first_day, day), ",", whole_text(visitors), ",", whole_text(sessions), ",",
        whole_text(bounced.astype(np.int64)), ",", whole_text(paid), ",", cents_text(to_cents(spend)), "\n",
    )  # fmt: skip
    return Lines(
        text=lines, seller=seller, day=day, record=np.arange(len(day)), may_follow=np.ones(len(day), dtype=bool),
        junk=lambda _: b"2021-06-15,12,n/a,3,1,4.00\n",
    )  # fmt: skip


def traffic_files(view: View) -> Iterator[RawFile]:
    """Traffic sheets of the sellers in view, one a seller and delivery."""
    rows = _days(view)
    if len(rows.seller):
        yield from seller_files(view, Form(SOURCE, ".csv", HEADER, view.shop), rows)
