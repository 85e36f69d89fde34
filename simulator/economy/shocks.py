"""Dated shocks that hit many sellers at once: tariffs by destination and HS chapter, freight, demand, platform policy.

The dates follow events that sellers remember; the sizes are invented. Each shock is a row of a table, so the truth
folder can list them and new ones are easy to add.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES, MARKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.timeline import Timeline


@dataclass(frozen=True)
class Shock:
    """One dated shock.

    Attributes:
        name: What happened.
        effect: ``demand`` (factor), ``freight`` (factor), ``tariff`` (points added), ``reserve`` (share added),
            ``suspension`` (factor on the rate, for the dishonest), ``outside`` (factor on the rate of losses outside
            the trade), ``faulty_batches`` (factor on their rate), ``lead_time`` (weeks added), ``hosted_price`` (factor
            on the supply price) or ``hold_weeks`` (weeks added to the payout term of hosted platforms).
        first_day: First day of the ramp.
        last_day: Last day of the full effect.
        ramp_weeks: Weeks until the full effect, and again to fade.
        size: Full effect, in the unit of ``effect``.
        markets: Countries hit; empty means all.
        hs_chapters: HS chapters hit; empty means all.
    """

    name: str
    effect: str
    first_day: date
    last_day: date
    ramp_weeks: int
    size: float
    markets: tuple[str, ...] = ()
    hs_chapters: tuple[str, ...] = ()


# Chapters of the dated US lists: plastics, steel ware, machinery, electrical goods, car parts, furniture, other goods.
_FIRST_LIST = ("39", "73", "84", "85")
_SECOND_LIST = ("39", "73", "82", "85", "87", "94", "95")
SHOCKS: tuple[Shock, ...] = (
    Shock("US tariff, first list", "tariff", date(2019, 5, 10), date(2099, 1, 1), 2, 0.08, ("US",), _FIRST_LIST),
    Shock("factories and ports shut", "lead_time", date(2020, 2, 3), date(2020, 4, 6), 1, 3.0),
    Shock("spring slump", "demand", date(2020, 2, 17), date(2020, 4, 20), 2, 0.78),
    Shock("home shopping boom", "demand", date(2020, 5, 4), date(2021, 6, 28), 6, 1.22),
    Shock("container freight spike", "freight", date(2020, 11, 2), date(2022, 6, 27), 18, 2.2),
    Shock("makers stretch scarce materials", "faulty_batches", date(2021, 1, 11), date(2021, 6, 7), 2, 2.7),
    Shock("review crackdown", "suspension", date(2021, 4, 26), date(2021, 10, 4), 2, 7.0),
    Shock("EU import VAT change", "demand", date(2021, 7, 1), date(2021, 12, 27), 3, 0.88, ("DE", "FR", "IT", "ES")),
    Shock("private lenders call their money", "outside", date(2021, 8, 30), date(2022, 1, 31), 4, 2.0),
    Shock("inflation slump", "demand", date(2022, 4, 4), date(2023, 3, 27), 10, 0.85),
    Shock("delivery-date reserve policy", "reserve", date(2022, 9, 5), date(2099, 1, 1), 4, 0.14),
    Shock("hosted platforms pay later", "hold_weeks", date(2022, 10, 3), date(2023, 2, 27), 3, 3.0),
    Shock("hosted price round", "hosted_price", date(2023, 3, 6), date(2099, 1, 1), 8, 0.95),
    Shock("toy and car-part safety rules in the EU", "demand", date(2023, 4, 3), date(2023, 12, 25), 6, 0.82,
          ("DE", "FR", "IT", "ES"), ("87", "95")),
    Shock("private lenders call their money again", "outside", date(2023, 5, 8), date(2024, 7, 29), 6, 2.2),
    Shock("US tariff, second list", "tariff", date(2023, 6, 5), date(2099, 1, 1), 3, 0.15, ("US",), _SECOND_LIST),
    Shock("makers save on materials", "faulty_batches", date(2023, 6, 5), date(2023, 10, 30), 2, 2.7),
    Shock("low-price platforms arrive", "demand", date(2023, 9, 4), date(2024, 9, 30), 14, 0.78),
    Shock("Red Sea detour", "freight", date(2023, 12, 25), date(2024, 8, 26), 5, 1.0),
)  # fmt: skip


@dataclass(frozen=True)
class ShockPaths:
    """Combined weekly effect of all shocks, by market and category where they differ.

    Attributes:
        demand: Factor, shape (markets, categories, weeks).
        tariff: Duty over declared value, shape (markets, categories, weeks).
        freight: Index, 1 in quiet times, shape (weeks,).
        reserve: Share added to the marketplace's reserve, shape (weeks,).
        suspension: Factor on the suspension rate of the dishonest, shape (weeks,).
        outside: Factor on the rate of losses outside the trade, shape (weeks,).
        faulty_batches: Factor on the rate of faulty batches, shape (weeks,).
        hosted_price: Factor on the supply price that hosted platforms pay, shape (weeks,).
        lead_time: Weeks added to delivery, shape (weeks,).
        hold_weeks: Weeks added to the payout term of hosted platforms, shape (weeks,).
    """

    demand: NDArray[np.float64]
    tariff: NDArray[np.float64]
    freight: NDArray[np.float64]
    reserve: NDArray[np.float64]
    suspension: NDArray[np.float64]
    outside: NDArray[np.float64]
    faulty_batches: NDArray[np.float64]
    hosted_price: NDArray[np.float64]
    lead_time: NDArray[np.float64]
    hold_weeks: NDArray[np.float64]


def _ramp(shock: Shock, timeline: Timeline) -> NDArray[np.float64]:
    """Return the share of the full effect by week: up over ``ramp_weeks``, flat, down over ``ramp_weeks``."""
    first, last = timeline.week_of(shock.first_day), timeline.week_of(shock.last_day)
    week = np.arange(timeline.weeks, dtype=np.float64)
    width = max(shock.ramp_weeks, 1)
    up = np.clip((week - first + 1) / width, 0, 1)
    down = np.clip((last + width - week) / width, 0, 1)
    return np.minimum(up, down)


def _hit(shock: Shock) -> NDArray[np.bool_]:
    """Return which pairs of market and category a shock hits, shape (markets, categories)."""
    market = np.array([not shock.markets or m.country in shock.markets for m in MARKETS])
    category = np.array([not shock.hs_chapters or bool(c.hs_chapters & set(shock.hs_chapters)) for c in CATEGORIES])
    pairs: NDArray[np.bool_] = market[:, None] & category[None, :]
    return pairs


def shock_paths(timeline: Timeline, shocks: tuple[Shock, ...] = SHOCKS) -> ShockPaths:
    """Combine all shocks week by week: tariff, reserve, lead time and hold add up, the others multiply."""
    shape = (len(MARKETS), len(CATEGORIES), timeline.weeks)
    demand, tariff = np.ones(shape), np.full(shape, 0.02)
    factors = ("freight", "suspension", "outside", "faulty_batches", "hosted_price")
    by_week = {name: np.ones(timeline.weeks) for name in factors}
    added = {name: np.zeros(timeline.weeks) for name in ("reserve", "lead_time", "hold_weeks")}
    for shock in shocks:
        ramp = _ramp(shock, timeline)
        if shock.effect == "demand":
            demand *= np.where(_hit(shock)[:, :, None], 1 + (shock.size - 1) * ramp, 1.0)
        elif shock.effect == "tariff":
            tariff += _hit(shock)[:, :, None] * shock.size * ramp
        elif shock.effect in by_week:
            by_week[shock.effect] *= 1 + (shock.size if shock.effect == "freight" else shock.size - 1) * ramp
        else:
            added[shock.effect] += shock.size * ramp
    return ShockPaths(demand=demand, tariff=tariff, **by_week, **added)
