"""Overseas entities of the sellers, as named in documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.randomness import scatter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World


def sold_to(world: World, seller: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each seller's overseas entity; half of the control groups share one."""
    group = world.network.group[seller]
    is_shared = (group >= 0) & (scatter(world.settings.seed, "group entity", group) % np.uint64(2) == 0)
    return np.where(is_shared, 10_000_000 + world.number(group), world.number(seller))
