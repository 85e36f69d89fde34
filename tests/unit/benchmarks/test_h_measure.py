"""The H-measure is 1 for a perfect ranking, 0 for none, and equals its definition in between."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from credit.h_measure import h_measure
from scipy.integrate import quad
from scipy.stats import beta


def by_definition(label: np.ndarray, probability: np.ndarray) -> float:
    """Integrate the loss of the best cut-off over the cost of flagging a good."""
    bad_share = label.mean()
    weight = beta(1 + bad_share, 2 - bad_share)
    cut_offs = [*np.unique(probability), 2.0]
    good = np.array([np.mean(probability[label == 0] >= cut) for cut in cut_offs])
    bad = np.array([np.mean(probability[label == 1] < cut) for cut in cut_offs])

    def loss(cost: float) -> float:
        return float(np.min(cost * (1 - bad_share) * good + (1 - cost) * bad_share * bad) * weight.pdf(cost))

    def trivial(cost: float) -> float:
        return float(min(cost * (1 - bad_share), (1 - cost) * bad_share) * weight.pdf(cost))

    points = np.linspace(0, 1, 401)
    model, none = (
        sum(quad(curve, low, high)[0] for low, high in itertools.pairwise(points)) for curve in (loss, trivial)
    )
    return 1 - model / none


def test_a_perfect_ranking_has_one_and_a_constant_has_zero() -> None:
    label = np.array([0, 0, 0, 1, 1])
    assert h_measure(label, np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(1)
    assert h_measure(label, np.full(5, 0.4)) == pytest.approx(0)


def test_it_equals_its_definition_with_ties() -> None:
    generator = np.random.default_rng(5)
    label = (generator.random(60) < 0.3).astype(np.int64)
    probability = np.round(0.3 * label + generator.random(60), 1)
    assert h_measure(label, probability) == pytest.approx(by_definition(label, probability), abs=1e-6)


def test_it_does_not_change_with_the_scale_of_the_predictions() -> None:
    generator = np.random.default_rng(6)
    label = (generator.random(200) < 0.2).astype(np.int64)
    probability = 0.5 * label + generator.random(200)
    assert h_measure(label, probability) == h_measure(label, probability**3)


def test_a_sample_without_bads_has_none() -> None:
    assert np.isnan(h_measure(np.zeros(3, dtype=np.int64), np.array([0.1, 0.2, 0.3])))
