"""What registers show of links between companies and people: some late, some never, sold shares long after the sale.

An owner who sells the shares stays in control; only the register says otherwise. A register enters the end of a link
on the day it learns of the sale, so no record reveals the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.randomness import scatter, unit_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_LATEST_EXTRA_DAYS, _EARLIEST_EXTRA_DAYS = 720, 180
_BEFORE_DEFAULT_DAYS = (30, 300)
_NEVER = -1


@dataclass(frozen=True)
class Finding:
    """A link that a register shows wrongly, for the truth tables of the observation.

    Attributes:
        link: Identifier of the link.
        seller: The company.
        link_type: Kind of the link.
        kind: ``sold`` (day of the sale), ``late`` (day it is first seen) or ``unregistered`` (day it began).
        day: The day, as a day number.
    """

    link: str
    seller: int
    link_type: str
    kind: str
    day: int


def registry_lag_days(world: World, numbers: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Return the days until a registry or a device log shows a link, at most ``longest``; most are short."""
    chance = unit_interval(scatter(world.settings.observation_seed, "registry", numbers))
    return np.floor(chance**2 * (longest + 1)).astype(np.int64)


def extra_lag_days(world: World, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return extra days for links that a register shows half a year to two years late, 0 for the others."""
    share = world.settings.observation.late_link_share
    bits = scatter(world.settings.observation_seed, "late link", numbers)
    spread = np.uint64(_LATEST_EXTRA_DAYS - _EARLIEST_EXTRA_DAYS)
    days = _EARLIEST_EXTRA_DAYS + (bits % spread).astype(np.int64)
    return np.where(unit_interval(bits) < share, days, 0)


def is_unregistered(world: World, numbers: NDArray[np.int64], seller: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which links no register ever shows; dishonest sellers have more of them."""
    chance = unit_interval(scatter(world.settings.observation_seed, "unregistered link", numbers))
    share = world.settings.observation.unregistered_link_share * np.exp(-0.6 * world.firms.honesty[seller])
    hidden: NDArray[np.bool_] = chance < share
    return hidden


def sale_days(world: World) -> NDArray[np.int64]:
    """Return the day on which each seller's owner sells the shares, -1 for never, shape (sellers,).

    Owners sell at a steady rate while the firm trades; some also sell in the months before a default.
    """
    settings, sellers = world.settings, np.arange(world.firms.count)
    wait = -np.log1p(-unit_interval(scatter(settings.seed, "share sale", sellers))) * 365
    opened, last = 7 * world.firms.entry_week, np.minimum(7 * world.closed_week, 7 * world.timeline.weeks - 1)
    day = opened + np.minimum(wait / max(settings.network.share_sale_rate, 1e-9), 1e6).astype(np.int64)
    low, high = _BEFORE_DEFAULT_DAYS
    ahead = low + (scatter(settings.seed, "sale ahead", sellers) % np.uint64(high - low)).astype(np.int64)
    flees = unit_interval(scatter(settings.seed, "flight", sellers)) < settings.network.share_sale_before_default
    day = np.where((world.default_day >= 0) & flees, world.default_day - ahead, day)
    return np.where((day > opened) & (day < last), day, _NEVER)
