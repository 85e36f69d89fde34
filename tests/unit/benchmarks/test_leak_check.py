"""Sixteen kinds of leak planted into a real table are found, and the table itself is not refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from leak_check import as_numbers, dataset, tiers
from leaks.planting import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from leaks.planting import Table


@pytest.fixture(scope="module")
def german(shared_data: Path) -> Table:
    return as_numbers("german", shared_data)


def test_at_least_fourteen_of_sixteen_kinds_are_found_by_a_planted_column(german: Table) -> None:
    found = []
    for kind, plant in KINDS.items():
        X, columns = plant(german.X, german.y, np.random.default_rng(1), 0.0)
        if set(tiers(dataset(X, german.y))) & set(columns):
            found.append(kind)
    assert len(found) >= 14, found


def test_every_column_imputed_by_class_is_refused_and_nothing_else(german: Table) -> None:
    X, columns = KINDS["class_means"](german.X, german.y, np.random.default_rng(2), 0.0)
    assert tiers(dataset(X, german.y)) == dict.fromkeys(columns, "leak")


def test_the_table_as_it_is_has_no_finding(german: Table) -> None:
    assert tiers(dataset(german.X, german.y)) == {}
