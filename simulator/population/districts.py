"""Districts of a world: sellers trade, share owners and guarantee one another only within their own district.

A district is simulated and written on its own. A world of any size needs the memory of one district per process, and
the bytes written do not depend on the number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simulator.settings import WorldSettings

_SMALLEST = 60


@dataclass(frozen=True)
class District:
    """Part of a world.

    Attributes:
        number: Its number, from 0.
        first_seller: Number of sellers in the districts before it.
        settings: The world's settings with this district's own seeds and number of sellers.
    """

    number: int
    first_seller: int
    settings: WorldSettings


def districts(settings: WorldSettings) -> tuple[District, ...]:
    """Split a world into districts of ``district_sellers``; a remainder too small for a district joins the last one."""
    size, total = settings.district_sellers, settings.seller_count
    count = max(1, total // size + (total % size >= _SMALLEST))
    starts = [number * size for number in range(count)]
    ends = [*starts[1:], total]
    return tuple(
        District(number, start, _settings_of(settings, number, end - start))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def _settings_of(settings: WorldSettings, number: int, seller_count: int) -> WorldSettings:
    return settings.model_copy(
        update={
            "seller_count": seller_count,
            "seed": _derived(settings.seed, number),
            "observation_seed": _derived(settings.observation_seed, number),
        }
    )


def _derived(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
