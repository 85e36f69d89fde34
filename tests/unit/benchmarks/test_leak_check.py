"""Kinds of leak planted into a real table are found, and the table itself is not refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from leak_check import FEWEST_KINDS, as_numbers, dataset, tiers, trial
from leaks.planting import KINDS, KINDS_OF_ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from leaks.planting import Table


@pytest.fixture(scope="module")
def german(shared_data: Path) -> Table:
    return as_numbers("german", shared_data)


def test_at_least_seven_eighths_of_the_kinds_are_found(german: Table) -> None:
    kinds = (*KINDS, *KINDS_OF_ROWS)
    found = [kind for kind in kinds if trial(kind, german, 1, 0.0, set())["any"]]
    assert len(found) >= FEWEST_KINDS, found


def test_every_column_imputed_by_class_is_refused_and_nothing_else(german: Table) -> None:
    X, columns = KINDS["class_means"](german.X, german.y, np.random.default_rng(2), 0.0)
    assert tiers(dataset(X, german.y)) == {f"c{column}": "leak" for column in columns}


def test_the_table_as_it_is_has_no_finding(german: Table) -> None:
    assert tiers(dataset(german.X, german.y)) == {}
