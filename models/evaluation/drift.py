"""Population drift: the stability index (PSI) with a critical value for the sample sizes at hand.

The usual limits of 0.10 and 0.25 ignore sample size. Two samples of 200 from one population often exceed 0.10, while at
5,000 a tenth of that is already significant. Each index therefore comes with the probability of seeing it without any
drift, found by simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_WORTH_MORE = 0.05  # share of the first simulations that reach the index from which more are simulated


@dataclass(frozen=True)
class DriftSettings:
    """How drift is judged.

    Attributes:
        bins: bins by reference quantiles.
        first_simulations: driftless pairs of samples to simulate for every variable.
        simulations: pairs to simulate where the first ones leave a doubt (Besag and Clifford 1991).
        family_wise_error: chance of any false alert over all variables.
        smallest_index: smallest index of the model's output worth an alert.
        least_effect: least relative change of the mean probability of default that makes a variable's drift an alert.
        seed: random seed of the simulation.
    """

    bins: int = 10
    first_simulations: int = 1_000
    simulations: int = 40_000
    family_wise_error: float = 0.01
    smallest_index: float = 0.10
    least_effect: float = 0.05
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


def stability_index(reference: FloatArray | IntArray, current: FloatArray | IntArray) -> FloatArray:
    """Return the population stability index of counts by bin, with half a row added to each bin.

    ``reference`` and ``current`` have shape (..., bins); the result has shape (...). It is the symmetrised
    Kullback-Leibler divergence (Jeffreys 1946) of the two smoothed distributions.
    """
    p = (reference + 0.5) / (reference + 0.5).sum(axis=-1, keepdims=True)
    q = (current + 0.5) / (current + 0.5).sum(axis=-1, keepdims=True)
    index: FloatArray = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def bin_counts(
    reference: FloatArray, current: FloatArray, bins: int, weights: FloatArray | None = None
) -> tuple[FloatArray | IntArray, IntArray]:
    """Count both samples in the reference's quantile bins; missing values have their own bin, the last.

    With ``weights`` of the reference rows, its counts are weighted and still add up to its rows.
    """
    known = reference[~np.isnan(reference)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.empty(0)

    def places(values: FloatArray) -> IntArray:
        missing = np.isnan(values)
        found = np.searchsorted(edges, np.where(missing, 0.0, values), side="left")
        return np.where(missing, len(edges) + 1, found).astype(np.int64)

    counted_current = np.bincount(places(current), minlength=len(edges) + 2).astype(np.int64)
    if weights is None:
        return np.bincount(places(reference), minlength=len(edges) + 2).astype(np.int64), counted_current
    weighted = np.bincount(places(reference), weights * (len(reference) / weights.sum()), minlength=len(edges) + 2)
    return weighted, counted_current


@dataclass(frozen=True)
class Evidence:
    """How much a reference sample knows.

    Attributes:
        units: independent units behind its rows: sellers, not seller-quarters, since a seller's quarters resemble each
            other; with weights, as many equally weighted ones as know as much.
        weights: of its rows, shape (n,); None for equal weights.
    """

    units: int
    weights: FloatArray | None = None


def measure_drift(
    name: str, reference: FloatArray, current: FloatArray, reference_units: int | Evidence, settings: DriftSettings
) -> Drift:
    """Measure the drift of one variable between two samples of shape (n,).

    ``reference_units`` is the number of independent units behind the reference rows, or units and weights of the rows.
    ``alert`` stays false here; it depends on all variables together.
    """
    evidence = reference_units if isinstance(reference_units, Evidence) else Evidence(reference_units)
    counted_reference, counted_current = bin_counts(reference, current, settings.bins, evidence.weights)
    index = float(stability_index(counted_reference, counted_current))
    pooled = counted_reference + counted_current
    simulated = _driftless_indices(pooled, (evidence.units, len(current)), (settings.first_simulations, settings.seed))
    if np.mean(simulated >= index) <= _WORTH_MORE:
        simulated = _driftless_indices(pooled, (evidence.units, len(current)), (settings.simulations, settings.seed))
    weights = np.ones(len(reference)) if evidence.weights is None else evidence.weights
    return Drift(
        name=name,
        index=index,
        p_value=float((1 + np.sum(simulated >= index)) / (1 + len(simulated))),
        critical_value=float(np.quantile(simulated, 1 - settings.family_wise_error)),
        reference_missing_share=float(np.average(np.isnan(reference), weights=weights)),
        current_missing_share=float(np.isnan(current).mean()),
        alert=False,
    )


def _driftless_indices(pooled: FloatArray | IntArray, sizes: tuple[int, int], draws: tuple[int, int]) -> FloatArray:
    """Simulate indices of pairs of samples from one distribution: what chance alone yields at these sizes.

    ``sizes`` are those of the two samples; ``draws`` the number of pairs and the seed.
    """
    generator = np.random.default_rng(draws[1])
    shares = pooled / pooled.sum()
    return stability_index(*(generator.multinomial(size, shares, size=(draws[0],)) for size in sizes))
