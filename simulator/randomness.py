"""Named random streams: adding a draw to one part of the world never shifts the draws of another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Gives the generator of one named part of the world.

    Args:
        seed: The world's (or the observation's) seed.
        name: Name of the part, for example ``"firms"``; equal names give equal draws.

    Returns:
        A PCG64 generator seeded by both.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))
