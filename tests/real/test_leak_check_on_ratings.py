"""The rating of the real firms is a label in disguise; the leak check finds it by its values, under any name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from data_contracts.errors import GateFailed
from models.settings import LeakSettings
from models.training.dataset import Dataset
from models.training.leaks.check import find_leaks, refuse_leaks
from tests.factories.models import fact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def firms(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "cumcm2020c" / "firms_with_credit_record.csv", encoding="utf-8-sig")


def sample(columns: dict[str, np.ndarray], y: np.ndarray) -> Dataset:
    names = np.arange(len(y)).astype(np.str_)
    X = np.column_stack(list(columns.values())).astype(np.float64)
    return Dataset(X, y, names, np.full(len(y), np.datetime64("2020-02-29")), names, tuple(fact(n, 0) for n in columns))


def test_every_encoding_of_the_rating_is_refused_and_random_companions_are_not(firms: pd.DataFrame) -> None:
    text = firms.select_dtypes(exclude="number")
    rating = next(text[column] for column in text if set(text[column]) == {"A", "B", "C", "D"})
    flag = next(text[column] for column in text if set(text[column]) == {"是", "否"})
    y = (flag == "是").to_numpy().astype(np.int8)
    assert (len(y), int(y.sum())) == (123, 27)
    generator = np.random.default_rng(0)
    leaks = {
        "ordinal": rating.map({"A": 1, "B": 2, "C": 3, "D": 4}).to_numpy(),
        "shuffled_codes": rating.map({"A": 3, "B": 1, "C": 4, "D": 2}).to_numpy(),
        "is_d": (rating == "D").to_numpy(),
        "default_rate_of_level": pd.Series(y).groupby(rating.to_numpy()).transform("mean").to_numpy(),
    }
    noisy = {"ordinal_with_noise": leaks["ordinal"] + 0.1 * generator.normal(size=123)}
    honest = {f"honest_{i}": generator.normal(size=123) + y * generator.uniform(0.0, 1.7) for i in range(100)}
    dataset = sample({**leaks, **noisy, **honest}, y)
    found = [finding.feature for finding in find_leaks(dataset, LeakSettings())]
    assert found[:5] == [*leaks, *noisy]
    assert len(found) <= 6
    with pytest.raises(GateFailed, match="ordinal"):
        refuse_leaks(dataset, LeakSettings())
