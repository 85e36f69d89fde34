from __future__ import annotations

import numpy as np
import pytest

from models.components.gbm import GbmParameters, LightGbmComponent, fit_fold, fit_gbm, fold_margin, prepare_fold
from models.components.settings import FitSettings

GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(800, 3))
Y = (GENERATOR.random(800) < 1 / (1 + np.exp(1.5 - X[:, 0] + X[:, 1]))).astype(np.int8)
SETTINGS = FitSettings(seed=1, threads=1, max_rounds=30, patience=5)
SMALL = GbmParameters(leaves=6, rows_in_leaf=15)


def fitted(threads: int = 1, seed: int = 1) -> LightGbmComponent:
    return fit_gbm(X, Y, [1, -1, 0], SMALL, SETTINGS._replace(threads=threads, seed=seed))


def test_the_same_fit_has_the_same_text_on_one_thread_and_on_two() -> None:
    assert fitted().text == fitted().text == fitted(threads=2).text


def test_another_seed_makes_another_model() -> None:
    assert fitted(seed=2).text != fitted().text


def test_directions_hold_over_the_whole_range() -> None:
    component = fitted()
    grid = np.linspace(-4, 4, 200)
    for row in X[:40]:
        for column, direction in ((0, 1), (1, -1)):
            sweep = np.tile(row, (200, 1))
            sweep[:, column] = grid
            assert (np.diff(component.margin(sweep)) * direction >= 0).all()


def test_the_text_ends_with_the_trees_and_reads_back_to_the_same_numbers() -> None:
    component = fitted()
    assert component.text.endswith("end of trees\n")
    again = LightGbmComponent(component.text, 3)
    assert np.array_equal(again.margin(X), component.margin(X))
    assert np.array_equal(again.contributions(X)[1], component.contributions(X)[1])


def test_early_stopping_finds_a_size_and_the_margin_is_that_of_its_rounds() -> None:
    held_out = np.arange(800) % 4 == 0
    fold = prepare_fold(X, Y, held_out)
    booster, best = fit_fold(fold, [1, -1, 0], SMALL, SETTINGS._replace(max_rounds=300))
    assert 1 <= best < 300
    assert fold_margin(booster, fold, best).shape == (200,)
    assert not np.array_equal(fold_margin(booster, fold, 1), fold_margin(booster, fold, best))


def test_one_binned_fold_serves_trials_of_different_leaf_sizes() -> None:
    fold = prepare_fold(X, Y, np.arange(800) % 4 == 0)
    margins = [
        fold_margin(*swap(fit_fold(fold, [0, 0, 0], GbmParameters(rows_in_leaf=rows), SETTINGS), fold))
        for rows in (100, 5)
    ]
    assert not np.array_equal(margins[0], margins[1])


def swap(fitted_fold: tuple[object, int], fold: object) -> tuple[object, object, int]:
    return fitted_fold[0], fold, fitted_fold[1]


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="3 columns"):
        fitted().margin(X[:, :2])
