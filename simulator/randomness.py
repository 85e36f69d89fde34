"""Named random streams: adding a draw to one part of the world never shifts the draws of another."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stream(seed: int, name: str) -> np.random.Generator:
    """Gives the generator of one named part of the world.

    Args:
        seed: The world's (or the observation's) seed.
        name: Name of the part, for example ``"firms"``; equal names give equal draws.

    Returns:
        A PCG64 generator seeded by both.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def scatter(seed: int, name: str, *keys: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Gives a random-looking number for each combination of keys, whatever else is asked and in whatever order.

    Details that are only needed when files are written (an order's hour, a buyer's number) come from here, so that
    writing part of a world, or in another order, writes the same bytes.

    Args:
        seed: The world's (or the observation's) seed.
        name: Name of the detail.
        keys: Integer arrays of one shape.

    Returns:
        64 random-looking bits a key, by the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
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
    """Turns scattered bits into numbers in [0, 1)."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
