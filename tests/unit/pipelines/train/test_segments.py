"""Segments are bands of a feature, named in the unit before a logarithm was taken."""

from __future__ import annotations

import numpy as np
import pytest

from models.components.encoding import FeatureFacts
from models.training.dataset import Dataset
from pipelines.train.segments import segments_of


def dataset(unit: str, values: list[float]) -> Dataset:
    facts = FeatureFacts(name="size", pillar="sales_health", family="size", unit=unit, direction=-1, title_en="Size",
                         title_zh="规模")  # fmt: skip
    count = len(values)
    names = np.array([f"S{row}" for row in range(count)])
    days = np.full(count, np.datetime64("2024-12-31"))
    return Dataset(np.array(values)[:, None], np.zeros(count, np.int8), names, days, names, (facts,))


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("USD", [0.0, 99_999.0, 100_000.0, 2_000_000.0, np.nan]),
        ("ln USD", [0.0, np.log1p(99_999.0), np.log1p(100_000.5), np.log1p(2_000_000.0), np.nan]),
    ],
)
def test_bands_of_an_amount_have_edges_in_plain_money(unit: str, values: list[float]) -> None:
    assert segments_of(dataset(unit, values), {"size": (100_000, 1_000_000)})["size"] == [
        "below 100,000",
        "below 100,000",
        "100,000 to 1,000,000",
        "1,000,000 and above",
        "missing",
    ]


def test_a_ratio_in_logarithms_has_plain_edges() -> None:
    found = segments_of(dataset("ln ratio", [np.log(0.5), np.log(2.0)]), {"size": (1.0,)})
    assert found["size"] == ["below 1", "1 and above"]
