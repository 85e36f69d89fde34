"""Ten planted leaks are found by their values, and honest features pass."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from scipy.special import expit

from data_contracts.errors import ConfigurationRefused, GateFailed
from models.settings import LeakSettings, LeakWaiver
from models.training.dataset import Dataset, assemble
from models.training.leaks.check import find_leaks, refuse_leaks
from tests.factories.models import fact

SETTINGS = LeakSettings()
N, BADS = 123, 27


def small_lender(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes of 123 firms, 27 of them bad, and a rating whose worst level only 24 defaulters have."""
    generator = np.random.default_rng(seed)
    y = np.zeros(N, dtype=np.int8)
    y[generator.permutation(N)[:BADS]] = 1
    rating = generator.integers(1, 4, N).astype(float)
    rating[np.flatnonzero(y)[:24]] = 4.0
    return y, rating


def sample(values: np.ndarray, y: np.ndarray) -> Dataset:
    n = len(y)
    matrix = values[:, None] if values.ndim == 1 else values
    facts = tuple(fact(f"column_{i}", 0) for i in range(matrix.shape[1]))
    names = np.arange(n).astype(np.str_)
    mixed = np.random.default_rng(0).permutation(n)  # so that the order of the rows tells nothing
    return Dataset(matrix[mixed], y[mixed], names, np.full(n, np.datetime64("2020-02-29")), names, facts)


def planted() -> dict[str, np.ndarray]:
    y, rating = small_lender()
    generator = np.random.default_rng(2)
    noise = generator.normal(size=N)
    by_outcome = np.argsort(np.argsort(y + 0.001 * noise)).astype(float)
    mean_default = np.array([y[rating == level].mean() for level in rating])
    return {
        "rating as a number": rating,
        "rating as a flag": (rating == 4.0).astype(float),
        "rating encoded by its default rate, with noise": mean_default + 0.01 * noise,
        "the outcome itself": y.astype(float),
        "days past due long after": np.where(y == 1, 95.0 + 30.0 * np.abs(noise), np.clip(20.0 * noise, 0.0, 80.0)),
        "day of default, known for defaulters only": np.where(y == 1, 10.0 + noise, np.nan),
        "amount written off": np.where((y == 1) & (noise > -0.5), np.exp(noise), 0.0),
        "day the loan was closed, missing for defaulters": np.where(y == 1, np.nan, noise),
    } | {"identifier handed out by outcome": by_outcome}


EVIDENCE = {
    "rating as a number": "value 4 for 24 rows, all of them defaulters",
    "rating as a flag": "value 1 for 24 rows, all of them defaulters",
    "rating encoded by its default rate, with noise": "the 24 highest values, all of them of defaulters",
    "the outcome itself": "value 1 for 27 rows, all of them defaulters",
    "days past due long after": "value 0 for 48 rows, all of them non-defaulters",
    "day of default, known for defaulters only": "known for 27 rows, all of them defaulters",
    "amount written off": "other than 0 for 15 rows, all of them defaulters",
    "day the loan was closed, missing for defaulters": "missing for 27 rows, all of them defaulters",
    "identifier handed out by outcome": "the 27 highest values, all of them of defaulters",
}


@pytest.mark.parametrize("name", planted())
def test_a_planted_leak_is_found_by_its_values_and_named(name: str) -> None:
    y, _ = small_lender()
    (finding,) = find_leaks(sample(planted()[name], y), SETTINGS)
    assert (finding.feature, finding.evidence) == ("column_0", EVIDENCE[name])
    assert finding.rule == ("pure tail" if "highest" in EVIDENCE[name] else "pure value")


def test_defaulters_at_the_lowest_values_are_found_too() -> None:
    y, _ = small_lender()
    (finding,) = find_leaks(sample(-planted()["identifier handed out by outcome"], y), SETTINGS)
    assert finding.evidence == "the 27 lowest values, all of them of defaulters"


def test_zeros_that_only_non_defaulters_have_are_a_leak_and_zeros_that_both_have_are_none() -> None:
    y, _ = small_lender()
    noise = np.random.default_rng(3).normal(size=N)
    only_good = np.where(y == 1, noise, 0.0)
    (finding,) = find_leaks(sample(only_good, y), SETTINGS)
    assert finding.evidence == "value 0 for 96 rows, all of them non-defaulters"
    both = np.where(noise > 0, 0.0, noise)
    assert find_leaks(sample(both, y), SETTINGS) == ()


def test_a_ranking_that_is_too_good_is_found_and_one_below_the_limit_is_not() -> None:
    y = np.repeat(np.array([1, 0], dtype=np.int8), [100, 400])
    order = np.arange(500, dtype=float)
    # An honest firm among every ten defaulters, so that no end is pure.
    mixed = order.copy()
    mixed[np.r_[0:100:10, 120:420:30]] = mixed[np.r_[120:420:30, 0:100:10]]
    (finding,) = find_leaks(sample(mixed, y), SETTINGS)
    assert finding.rule == "near-perfect ranking"
    assert finding.evidence == "AUC 0.948 by itself, standard error 0.014"
    assert find_leaks(sample(mixed, y), LeakSettings(auc_limit=0.91)) == ()


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_pure_value_counts_only_if_enough_of_the_defaulters_have_it(share: float) -> None:
    y, _ = small_lender()
    flag = np.zeros(N)
    flag[np.flatnonzero(y)[:12]] = 1.0  # 12 of 27 defaulters, which is 0.44 of them
    found = find_leaks(sample(flag, y), LeakSettings(value_share=share, tail_share=1.0))
    assert bool(found) == (share < 12 / 27)


@pytest.mark.parametrize(("fewest", "found"), [(12, 1), (13, 0)])
def test_a_pure_value_of_too_few_rows_proves_nothing(fewest: int, found: int) -> None:
    y, _ = small_lender()
    flag = np.zeros(N)
    flag[np.flatnonzero(y)[:12]] = 1.0
    assert len(find_leaks(sample(flag, y), LeakSettings(fewest_rows=fewest))) == found


def test_the_limits_of_the_leak_check_are_these_unless_a_profile_sets_others() -> None:
    assert LeakSettings().model_dump() == {
        "largest_probability": 1e-6,
        "fewest_rows": 8,
        "value_share": 0.2,
        "tail_share": 0.6,
        "good_share": 0.5,
        "auc_limit": 0.9,
        "standard_errors": 3.0,
        "waivers": (),
    }


def test_training_stops_at_a_leak_and_names_it() -> None:
    y, rating = small_lender()
    with pytest.raises(GateFailed, match=r"column_0 \(pure value: value 4 for 24 rows, all of them defaulters\)"):
        refuse_leaks(sample(rating, y), SETTINGS)


def waived(until: str) -> LeakSettings:
    waiver = LeakWaiver(
        feature="column_0", reason="given before the loan", person="Chen", until=dt.date.fromisoformat(until)
    )
    return LeakSettings(waivers=(waiver,))


def test_a_waived_feature_passes_up_to_the_last_day_of_the_waiver() -> None:
    y, rating = small_lender()
    refuse_leaks(sample(rating, y), waived("2020-02-29"))
    (finding,) = find_leaks(sample(np.column_stack([rating, rating]), y), waived("2020-02-29"))
    assert finding.feature == "column_1"
    with pytest.raises(GateFailed, match="column_0"):
        refuse_leaks(sample(rating, y), waived("2020-02-28"))


def honest(generator: np.random.Generator, n: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    """Return forty honest features of every shape: strong, weak, with atoms, with absence that correlates with risk."""
    latent = generator.normal(size=n)
    y = (generator.random(n) < expit(base + 2.0 * latent)).astype(np.int8)
    strength = generator.uniform(0.0, 2.0, 40)
    X = strength * latent[:, None] + generator.normal(size=(n, 40))
    X[:, 10:20] = np.maximum(X[:, 10:20], 0.0)
    X[:, 20:30] = np.round(X[:, 20:30])
    hidden = generator.random((n, 10)) < expit(-2.0 + 1.5 * latent)[:, None]
    X[:, 30:40] = np.where(hidden, np.nan, X[:, 30:40])
    return X, y


@pytest.mark.parametrize(("n", "base", "samples"), [(123, -2.0, 25), (3000, -4.0, 5)], ids=["small", "large"])
def test_at_most_one_honest_feature_in_a_hundred_is_taken_for_a_leak(n: int, base: float, samples: int) -> None:
    alarms = 0
    strongest = 0.0
    for seed in range(samples):
        X, y = honest(np.random.default_rng(seed), n, base)
        assert 10 < y.sum() < n / 2
        alarms += len(find_leaks(sample(X, y), SETTINGS))
        strongest = max(strongest, auc(X[:, :10], y))
    assert strongest > 0.8
    assert alarms <= samples * 40 // 100


def auc(X: np.ndarray, y: np.ndarray) -> float:
    return max(float(np.mean(column[y == 1][:, None] > column[y == 0])) for column in X.T)


def test_a_perfect_split_of_very_few_rows_proves_nothing() -> None:
    y = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=np.int8)
    assert find_leaks(sample(y.astype(float), y), SETTINGS) == ()


def test_a_seller_delivered_twice_is_refused_before_any_split() -> None:
    import pyarrow as pa

    days = pa.array([0, 0], pa.date32())
    matrix = pa.table({"seller_id": ["S1", "S1"], "as_of": days, "a": [1.0, 1.0]})
    labels = pa.table({"seller_id": ["S1"], "as_of": days[:1], "label": pa.array([1], pa.int8())})
    with pytest.raises(ConfigurationRefused, match="repeated rows in the feature matrix"):
        assemble(matrix, labels, None, (fact("a", 1),))


@pytest.mark.parametrize(("times", "found"), [(1.001, 1), (0.999, 0)])
def test_a_pure_value_counts_only_if_chance_would_hardly_produce_it(times: float, found: int) -> None:
    y, _ = small_lender()
    flag = np.zeros(N)
    flag[np.flatnonzero(y)[:12]] = 1.0
    # All 12 rows that have the value are among the 27 defaulters of 123.
    chance = math.comb(BADS, 12) / math.comb(N, 12)
    assert len(find_leaks(sample(flag, y), LeakSettings(largest_probability=chance * times))) == found


def test_a_single_defaulter_is_ranked_with_the_largest_uncertainty() -> None:
    y = np.array([1, *[0] * 60], dtype=np.int8)
    values = np.concatenate([[57.5], np.arange(60.0)])
    settings = LeakSettings(largest_probability=0.5, standard_errors=0.1, auc_limit=0.9)
    (finding,) = find_leaks(sample(values, y), settings)
    assert finding.evidence == "AUC 0.967 by itself, standard error 0.501"


def test_the_uncertainty_of_a_ranking_comes_from_defaulters_and_others_alike() -> None:
    y = np.array([1, 1, *[0] * 60], dtype=np.int8)
    values = np.concatenate([[57.5, 40.5], np.arange(60.0)])
    settings = LeakSettings(largest_probability=0.5, standard_errors=0.1, auc_limit=0.8)
    (finding,) = find_leaks(sample(values, y), settings)
    # Of 60 others the two defaulters exceed 58 and 41; of two defaulters, 41 others stay below both, 17 below one.
    defaulters = np.var([58 / 60, 41 / 60], ddof=1) / 2
    others = np.var([1.0] * 41 + [0.5] * 17 + [0.0] * 2, ddof=1) / 60
    assert finding.evidence == f"AUC 0.825 by itself, standard error {math.sqrt(defaulters + others):.3f}"


@pytest.mark.parametrize(("above", "found"), [(0.0, 0), (1e-9, 1)])
def test_a_ranking_as_good_as_the_limit_is_no_leak(above: float, found: int) -> None:
    y = np.repeat(np.array([1, 0], dtype=np.int8), [16, 16])
    values = np.arange(32.0)
    values[[0, 31]] = values[[31, 0]]
    settings = LeakSettings(auc_limit=225 / 256 - above, standard_errors=1e-300)
    assert len(find_leaks(sample(values, y), settings)) == found


def test_many_dates_of_a_few_sellers_prove_no_more_than_the_few() -> None:
    """Four of forty sellers rank perfectly by luck once in 91,390 draws, and ten dates of each add nothing."""
    dates = np.repeat(np.arange("2020-01", "2020-11", dtype="datetime64[M]").astype("datetime64[D]"), 40)
    seller = np.tile(np.arange(40), 10)
    y = (seller < 4).astype(np.int8)
    values = (seller + 0.01 * np.random.default_rng(3).normal(size=400))[:, None]
    facts = (fact("column_0", 0),)
    settings = LeakSettings(largest_probability=1e-6)
    few = Dataset(values, y, seller.astype(np.str_), dates, seller.astype(np.str_), facts)
    many = Dataset(values, y, np.arange(400).astype(np.str_), dates, np.arange(400).astype(np.str_), facts)
    assert find_leaks(few, settings) == ()
    assert [one.rule for one in find_leaks(many, settings)] == ["pure tail", "telling order"]
