"""The segments in which results are broken down: bands of a feature, in the unit before a logarithm was taken."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from models.training.dataset import Dataset

_LOGARITHM = "ln "
_RATIO = "ln ratio"


def segments_of(dataset: Dataset, edges_by_feature: Mapping[str, tuple[float, ...]]) -> dict[str, list[str]]:
    """Return the name of each row's band, (rows,) for each feature; edges of an amount in ln USD are in USD."""
    found = {}
    for name, edges in edges_by_feature.items():
        place = dataset.feature_names.index(name)
        found[name] = band(_plain(dataset.X[:, place], dataset.facts[place].unit), edges)
    return found


def band(values: npt.NDArray[np.float64], edges: tuple[float, ...]) -> list[str]:
    """Return the name of the band of each value, such as ``12 to 24``; missing values have a band of their own."""
    shown = [f"{edge:,.10g}" for edge in edges]
    bounds = [f"below {shown[0]}", *(f"{low} to {high}" for low, high in pairwise(shown)), f"{shown[-1]} and above"]
    places = np.searchsorted(edges, values, side="right")
    return ["missing" if np.isnan(value) else bounds[place] for value, place in zip(values, places, strict=True)]


def _plain(values: npt.NDArray[np.float64], unit: str) -> npt.NDArray[np.float64]:
    """Undo the logarithm: amounts and counts are ln(1 + amount), ratios ln(ratio)."""
    if not unit.startswith(_LOGARITHM):
        return values
    return np.asarray(np.exp(values) if unit == _RATIO else np.expm1(values))
