"""Draw a sample of mutants, with the same number from every module as far as they have so many places."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from tools.mutants.changes import Fault, Mutant, faults, mutant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def sample(sources: Mapping[str, str], size: int, seed: int) -> list[Mutant]:
    """Return so many mutants of these modules (text by path); fewer if they have no more places."""
    generator = np.random.default_rng(seed)
    drawn = [_drawn(path, sources[path], generator) for path in generator.permutation(sorted(sources)).tolist()]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*drawn))
    return list(itertools.islice((one for one in in_turn if one is not None), size))


def _drawn(path: str, source: str, generator: np.random.Generator) -> Iterator[Mutant]:
    """Yield one random mutant for each place of a module, in random order."""
    places: dict[tuple[int, int], list[Fault]] = {}
    for fault in faults(source):
        places.setdefault(fault.start, []).append(fault)
    # A generator of its own for each module, so that how many mutants one yields moves no other.
    own = np.random.default_rng(generator.integers(2**63))
    return _mutants(path, source, list(places.values()), own)


def _mutants(path: str, source: str, places: list[list[Fault]], generator: np.random.Generator) -> Iterator[Mutant]:
    for place in generator.permutation(len(places)).tolist():
        of_place = places[place]
        for index in generator.permutation(len(of_place)).tolist():
            made = mutant(path, source, of_place[index])
            if made is not None:
                yield made
                break
