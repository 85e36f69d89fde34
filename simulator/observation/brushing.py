"""How own-site orders are faked, and how brushers adapt: each dated check removes one tell-tale trace, with a lag.

Brushers start with the cheapest way: a few helpers who order again and again, at night, for the same small sums, and
no parcel is sent. When marketplaces and lenders begin to check one of these traces, each brusher changes its way some
months later: brushers exchange buyers, send empty parcels, spread orders over the day and use amounts from the shop's
real range. One trace remains: brushing shops have buyers in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import BRUSHING
from simulator.observation.fraud_cases import size_in_force
from simulator.randomness import scatter, unit_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

FEW_BUYERS = "few buyers repeat"
NOT_SENT = "orders stay unsent"
NIGHT = "orders come at night"
SAME_SUMS = "baskets are alike"
_RING_SHOPS = 5  # shops that exchange buyers
_RING_BUYERS = 60  # buyers that the shops of a ring exchange
_LONER_SHARE = 0.25  # share of brushers without a ring
_SLOPPY_SHARE = 0.8  # share of brushers that show a trace before its check


@dataclass(frozen=True)
class Check:
    """A check in common use from a date on; brushers learn to avoid the trace it looks for."""

    trace: str
    first_day: date


CHECKS: tuple[Check, ...] = (
    Check(FEW_BUYERS, date(2020, 3, 2)),
    Check(NOT_SENT, date(2021, 5, 3)),
    Check(NIGHT, date(2022, 3, 7)),
    Check(SAME_SUMS, date(2023, 2, 6)),
)


def shows_trace(world: World, trace: str, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a brusher's fake orders of a week still show a trace; this ends 3 to 15 months after its check."""
    (check,) = (each for each in CHECKS if each.trace == trace)
    lag = 13 + np.floor(52 * unit_interval(scatter(world.settings.seed, f"lag {trace}", seller)))
    is_sloppy = unit_interval(scatter(world.settings.seed, f"sloppy {trace}", seller)) < _SLOPPY_SHARE
    return np.asarray(is_sloppy & (week < world.timeline.week_of(check.first_day) + lag), dtype=np.bool_)


def fake_share(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a shop's fake orders over true orders in a week; 0 without a brushing case."""
    shares: NDArray[np.float64] = size_in_force(world, BRUSHING)[week, seller]
    return shares


def ring_buyers(
    world: World, seller: NDArray[np.int64], pick: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return buyers exchanged between brushers: the shop where each is a real customer, and the number there.

    Args:
        world: The world.
        seller: Brushing shop of each fake order.
        pick: A number in [0, 1) per order.
    """
    brushers = np.flatnonzero(world.firms.is_brusher)
    place = np.searchsorted(brushers, seller)
    ring = place // _RING_SHOPS
    is_loner = unit_interval(scatter(world.settings.seed, "brushes alone", seller)) < _LONER_SHARE
    first = brushers[ring * _RING_SHOPS]
    return np.where(is_loner, seller, first), 900 + np.floor(pick * _RING_BUYERS).astype(np.int64)
