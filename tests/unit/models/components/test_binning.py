from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from models.components.binning import BinningSettings, bin_columns

GENERATOR = np.random.default_rng(3)
N = 4000
VALUES = GENERATOR.normal(size=N)
RISKY = (GENERATOR.random(N) < 1 / (1 + np.exp(2.0 - VALUES))).astype(np.int8)


def one(values: np.ndarray, y: np.ndarray, direction: int, **settings: object) -> tuple[list[float], list[float]]:
    column = bin_columns(values[:, None], y, [direction], BinningSettings(**settings))[0]
    return list(column.edges), list(column.evidence)


def test_evidence_rises_with_a_feature_that_raises_risk() -> None:
    edges, evidence = one(VALUES, RISKY, 1)
    assert len(evidence) == len(edges) + 1 > 3
    assert (np.diff(evidence) > 0).all()


def test_evidence_falls_with_a_feature_that_lowers_risk() -> None:
    _, evidence = one(-VALUES, RISKY, -1)
    assert len(evidence) > 3
    assert (np.diff(evidence) < 0).all()


def test_a_declared_direction_the_data_deny_leaves_one_bin() -> None:
    edges, evidence = one(VALUES, RISKY, -1)
    assert edges == []
    assert evidence == pytest.approx([0.0], abs=1e-9)


def test_without_a_direction_the_better_one_is_taken() -> None:
    assert one(VALUES, RISKY, 0) == one(VALUES, RISKY, 1)
    assert one(-VALUES, RISKY, 0) == one(-VALUES, RISKY, -1)


def test_without_a_direction_that_of_most_rows_is_taken() -> None:
    # The rate falls from the first value to the second, which most rows have, and rises a little to the third.
    values = np.repeat([0.0, 1.0, 2.0], [1000, 1000, 100])
    y = np.concatenate([np.repeat([1, 0], [b, n - b]) for b, n in ((400, 1000), (100, 1000), (30, 100))])
    _, evidence = one(values, y.astype(np.int8), 0)
    assert evidence[0] > evidence[-1]
    # A large rise counts for more than a smaller fall.
    values = np.repeat([0.0, 1.0, 2.0], [1000, 1000, 1000])
    y = np.concatenate([np.repeat([1, 0], [b, 1000 - b]) for b in (100, 300, 190)])
    _, evidence = one(values, y.astype(np.int8), 0)
    assert evidence[0] < evidence[-1]
    # So does a rise to a value that many rows have.
    values = np.repeat([0.0, 1.0, 2.0], [200, 200, 1000])
    y = np.concatenate([np.repeat([1, 0], [b, n - b]) for b, n in ((40, 200), (20, 200), (400, 1000))])
    _, evidence = one(values, y.astype(np.int8), 0)
    assert evidence[0] < evidence[-1]


def test_evidence_is_near_the_true_log_odds_of_a_large_step() -> None:
    step = (VALUES > 0).astype(np.float64)
    y = (GENERATOR.random(N) < np.where(step == 1, 0.3, 0.1)).astype(np.int8)
    _, evidence = one(step, y, 1)
    true_gap = np.log(0.3 / 0.7) - np.log(0.1 / 0.9)
    assert evidence[1] - evidence[0] == pytest.approx(true_gap, abs=0.3)


def test_the_code_of_missing_values_gets_a_bin_of_its_own_when_it_is_worse() -> None:
    missing = GENERATOR.random(N) < 0.1
    y = np.where(missing, GENERATOR.random(N) < 0.9, RISKY).astype(np.int8)
    edges, evidence = one(np.where(missing, VALUES.max() + 1.0, VALUES), y, 1)
    assert edges[-1] == VALUES[~missing].max()
    assert evidence[-1] > evidence[-2]
    edges, evidence = one(np.where(missing, -VALUES.max() - 9.0, -VALUES), y, -1)
    assert edges[0] == -VALUES.max() - 9.0
    assert evidence[0] > evidence[1]


def test_every_bin_has_its_least_share_of_rows() -> None:
    edges, _ = one(VALUES, RISKY, 1, smallest_share=0.2)
    counts = np.bincount(np.searchsorted(edges, VALUES, side="left"))
    assert counts.min() >= 0.2 * N


def test_smoothing_tames_a_bin_without_defaults() -> None:
    y = (VALUES > 1.5).astype(np.int8)
    _, little = one(VALUES, y, 1, smoothing_rows=1.0)
    _, much = one(VALUES, y, 1, smoothing_rows=500.0)
    assert np.isfinite(little).all()
    assert np.ptp(much) < np.ptp(little)


def test_a_constant_column_has_one_bin() -> None:
    edges, evidence = one(np.ones(N), RISKY, 1)
    assert (edges, evidence) == ([], pytest.approx([0.0], abs=1e-9))


def test_bins_answer_for_values_never_seen() -> None:
    column = bin_columns(VALUES[:, None], RISKY, [1], BinningSettings())[0]
    outside = column.transform(np.array([-1e9, 1e9]))
    assert outside.tolist() == [column.evidence[0], column.evidence[-1]]


def test_a_sample_with_one_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="both outcomes"):
        bin_columns(VALUES[:, None], np.zeros(N, dtype=np.int8), [1], BinningSettings())
    with pytest.raises(ValueError, match="both outcomes"):
        bin_columns(VALUES[:, None], np.ones(N, dtype=np.int8), [1], BinningSettings())


def test_by_default_bins_are_cut_and_smoothed_like_this() -> None:
    settings = BinningSettings()
    assert (settings.first_cuts, settings.smallest_share, settings.smoothing_rows) == (24, 0.03, 10.0)
    for limits in ({"first_cuts": 1}, {"first_cuts": 255}, {"smallest_share": 0.5}, {"smoothing_rows": 0.0}):
        with pytest.raises(ValidationError):
            BinningSettings.model_validate(limits)
    BinningSettings(first_cuts=2, smallest_share=0.0)
    BinningSettings(first_cuts=254)


def counted(*counts: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values 0, 1, 2 and so on, each with so many defaulters of so many rows."""
    y = np.concatenate([np.repeat([1, 0], [bads, rows - bads]) for bads, rows in counts])
    return np.repeat(np.arange(float(len(counts))), [rows for _, rows in counts]), y.astype(np.int8)


@pytest.mark.parametrize(
    ("counts", "direction", "share", "edges"),
    [
        (((10, 100), (10, 100), (30, 100)), 1, 0.0, [1.0]),
        (((2, 25), (8, 25), (30, 50)), 1, 0.25, [0.0, 1.0]),
        (((123, 502), (11, 22), (379, 502)), 1, 0.1, [1.0]),
        (((1, 3), (2, 3), (1, 3)), 0, 0.0, [0.0]),
        (((2, 3), (1, 3)), 0, 0.0, [0.0]),
        (((300, 1000), (200, 2000), (400, 1000)), 0, 0.0, [1.0]),
        (((60, 400), (600, 2000), (40, 400)), 0, 0.0, [1.0]),
    ],
    ids=[
        *("equal rates are one bin", "exactly the smallest share is enough", "as near to both: with the lower one"),
        *("in doubt risk rises", "a small fall counts", "a rise of large steps", "a fall of large steps"),
    ],
)
def test_which_values_share_a_bin(
    counts: tuple[tuple[int, int], ...], direction: int, share: float, edges: list[float]
) -> None:
    assert one(*counted(*counts), direction, smallest_share=share)[0] == edges


def test_a_column_is_first_cut_into_as_many_parts_as_asked() -> None:
    # Of each ten values one, two, three or four are bad, quarter by quarter.
    places = np.arange(1000)
    edges, _ = one(places.astype(np.float64), (places % 10 < 1 + places // 250).astype(np.int8), 1, first_cuts=4)
    assert edges == [249.0, 499.0, 749.0]


def test_the_evidence_of_two_values_is_their_smoothed_log_odds_against_all() -> None:
    values = np.repeat([0.0, 1.0], [60, 40])
    y = np.concatenate([np.repeat([1, 0], [6, 54]), np.repeat([1, 0], [20, 20])]).astype(np.int8)
    edges, evidence = one(values, y, 1, smoothing_rows=10.0)
    assert edges == [0.0]
    rates = [(6 + 10 * 0.26) / 70, (20 + 10 * 0.26) / 50]
    expected = [np.log(rate / (1 - rate)) - np.log(0.26 / 0.74) for rate in rates]
    assert evidence == pytest.approx(expected, abs=1e-9)


def test_a_small_bin_joins_the_neighbour_whose_rate_is_nearer() -> None:
    # 400 rows each at rates of 10 and 60 %, and 20 rows between them at 15 or at 55 %.
    for middle, edge in ((3, 1.0), (11, 0.0)):
        values = np.repeat([0.0, 1.0, 2.0], [400, 20, 400])
        y = np.concatenate([np.repeat([1, 0], [b, n - b]) for b, n in ((40, 400), (middle, 20), (240, 400))])
        edges, evidence = one(values, y.astype(np.int8), 1, smallest_share=0.1)
        assert (edges, len(evidence)) == ([edge], 2)
