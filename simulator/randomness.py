"""Named random streams: a new draw in one part of the world does not change the draws of another."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of a named part of the world.

    Args:
        seed: Seed of the world or of the observation.
        name: Name of the part, for example ``"firms"``; the same name always draws the same numbers.

    Returns:
        A PCG64 generator seeded by both.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def scatter(seed: int, name: str, *keys: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 64 pseudo-random bits for each combination of keys, independent of all other calls and of their order.

    Details that are only needed when files are written (the hour of an order, the number of a buyer) come from here.
    Part of a world, or the same world in another order, is therefore written with the same bytes.

    Args:
        seed: Seed of the world or of the observation.
        name: Name of the detail.
        keys: Integer arrays of one shape.

    Returns:
        64 bits per key, by the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    """
    state = np.full(keys[0].shape, np.uint64((seed << 32) ^ zlib.crc32(name.encode())), dtype=np.uint64)
    for key in keys:
        state = _mixed(state ^ key.astype(np.uint64))
    return state


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def unit_interval(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Convert scattered bits to numbers in [0, 1)."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
