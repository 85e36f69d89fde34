"""Population drift: the stability index (PSI) with a critical value for the sample sizes at hand.

The usual limits of 0.10 and 0.25 ignore sample size. Two samples of 200 from one population often exceed 0.10, while at
5,000 a tenth of that is already significant. Each index therefore comes with the probability of seeing it without any
drift, found by simulation. An alert needs both: significance after Holm's correction and an effect worth acting on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluation.many_tests import holm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DriftSettings:
    """How drift is judged.

    Attributes:
        bins: bins by reference quantiles.
        simulations: driftless pairs of samples to simulate.
        family_wise_error: chance of any false alert over all variables.
        smallest_index: smallest index worth an alert.
        seed: random seed of the simulation.
    """

    bins: int = 10
    simulations: int = 20_000
    family_wise_error: float = 0.01
    smallest_index: float = 0.10
    seed: int = 20_241_231


@dataclass(frozen=True)
class Drift:
    """Drift of one variable; ``p_value`` is the share of driftless simulations with an index at least as large."""

    name: str
    index: float
    p_value: float
    critical_value: float
    reference_missing_share: float
    current_missing_share: float
    alert: bool


def stability_index(reference: IntArray, current: IntArray) -> FloatArray:
    """Return the population stability index of counts by bin, with half a row added to each bin.

    ``reference`` and ``current`` have shape (..., bins); the result has shape (...). It is the symmetrised
    Kullback-Leibler divergence (Jeffreys 1946) of the two smoothed distributions.
    """
    p = (reference + 0.5) / (reference + 0.5).sum(axis=-1, keepdims=True)
    q = (current + 0.5) / (current + 0.5).sum(axis=-1, keepdims=True)
    index: FloatArray = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def bin_counts(reference: FloatArray, current: FloatArray, bins: int) -> tuple[IntArray, IntArray]:
    """Count both samples in the reference's quantile bins; missing values have their own bin, the last."""
    known = reference[~np.isnan(reference)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.empty(0)

    def count(values: FloatArray) -> IntArray:
        missing = np.isnan(values)
        places = np.where(missing, len(edges) + 1, np.searchsorted(edges, np.where(missing, 0.0, values), side="left"))
        return np.bincount(places, minlength=len(edges) + 2).astype(np.int64)

    return count(reference), count(current)


def measure_drift(
    name: str, reference: FloatArray, current: FloatArray, reference_units: int, settings: DriftSettings
) -> Drift:
    """Measure the drift of one variable between two samples of shape (n,).

    ``reference_units`` is the number of independent units behind the reference rows: sellers, not seller-quarters,
    since a seller's quarters resemble each other. ``alert`` stays false here; it depends on all variables together.
    """
    counted_reference, counted_current = bin_counts(reference, current, settings.bins)
    index = float(stability_index(counted_reference, counted_current))
    simulated = _driftless_indices(counted_reference + counted_current, reference_units, len(current), settings)
    return Drift(
        name=name,
        index=index,
        p_value=float((1 + np.sum(simulated >= index)) / (1 + settings.simulations)),
        critical_value=float(np.quantile(simulated, 1 - settings.family_wise_error)),
        reference_missing_share=float(np.isnan(reference).mean()),
        current_missing_share=float(np.isnan(current).mean()),
        alert=False,
    )


def judge(drifts: list[Drift], settings: DriftSettings) -> list[Drift]:
    """Mark the alerts: significant after Holm's step-down correction (1979), and at least the smallest index.

    Raises:
        ValueError: there are too few simulations for any p-value to pass the correction.
    """
    if drifts and 1 / (1 + settings.simulations) > settings.family_wise_error / len(drifts):
        raise ValueError(f"{settings.simulations} simulations are too few for {len(drifts)} variables")
    adjusted = holm({drift.name: drift.p_value for drift in drifts})
    significant = {name for name, p_value in adjusted.items() if p_value <= settings.family_wise_error}
    return [
        Drift(**{**vars(drift), "alert": drift.name in significant and drift.index >= settings.smallest_index})
        for drift in drifts
    ]


def _driftless_indices(pooled: IntArray, reference_size: int, current_size: int, settings: DriftSettings) -> FloatArray:
    """Simulate indices of pairs of samples from one distribution: what chance alone yields at these sizes."""
    generator = np.random.default_rng(settings.seed)
    shares = pooled / pooled.sum()
    draws = (settings.simulations,)
    return stability_index(
        generator.multinomial(reference_size, shares, size=draws),
        generator.multinomial(current_size, shares, size=draws),
    )
