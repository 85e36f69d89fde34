"""The trainer on public credit tables: as good as known peers on the same folds, with gaps and categories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from models.estimators import PassportClassifier, PassportScorecard

FOLDS = StratifiedKFold(5, shuffle=True, random_state=1)


def table_of(folder: Path, file: str) -> Path:
    path = folder / file
    if not path.is_file():
        pytest.skip(f"{file} is not present in {folder}")
    return path


@pytest.fixture(scope="module")
def german(shared_data: Path) -> tuple[pd.DataFrame, pd.Series[int]]:
    table = pd.read_csv(table_of(shared_data, "german/german.data"), sep=" ", header=None)
    return table.drop(columns=20).rename(columns=str), (table[20] == 2).astype(int)


def with_gaps(table: pd.DataFrame, y: pd.Series[int]) -> pd.DataFrame:
    """Return the table with cells missing in every column, twice as often for defaulters."""
    generator = np.random.default_rng(0)
    return table.apply(lambda column: column.mask(generator.random(len(y)) < 0.15 * (1 + y)))


def out_of_fold_auc(model: object, table: pd.DataFrame, y: pd.Series[int]) -> float:
    areas = []
    for train, test in FOLDS.split(table, y):
        fitted = model.fit(table.iloc[train], y.iloc[train])  # type: ignore[attr-defined]
        areas.append(roc_auc_score(y.iloc[test], fitted.predict_proba(table.iloc[test])[:, 1]))
    return float(np.mean(areas))


def plain_lightgbm(table: pd.DataFrame, y: pd.Series[int]) -> float:
    native = table.astype(dict.fromkeys(table.select_dtypes(exclude="number"), "category"))
    return out_of_fold_auc(LGBMClassifier(n_jobs=1, verbose=-1, random_state=0), native, y)


@pytest.mark.parametrize("model", [PassportClassifier(), PassportScorecard()], ids=type)
def test_categories_rank_applicants_at_least_as_well_as_plain_lightgbm(
    german: tuple[pd.DataFrame, pd.Series[int]], model: PassportClassifier
) -> None:
    auc = out_of_fold_auc(model, *german)
    assert auc > plain_lightgbm(*german)
    assert auc > 0.78


@pytest.mark.parametrize("model", [PassportClassifier(), PassportScorecard()], ids=type)
def test_gaps_that_tell_are_used_and_not_a_reason_to_drop_columns(
    german: tuple[pd.DataFrame, pd.Series[int]], model: PassportClassifier
) -> None:
    table, y = with_gaps(*german), german[1]
    auc = out_of_fold_auc(model, table, y)
    assert auc > plain_lightgbm(table, y)
    assert auc > 0.88
