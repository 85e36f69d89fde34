"""A synthetic world for the tables of costs, assets, debts and claims, and helpers to read their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from simulator.economy.simulation import simulate
from simulator.settings import WorldSettings

if TYPE_CHECKING:
    import numpy as np

    from simulator.economy.simulated_world import World
    from simulator.files.pool.rows import PoolRows


@pytest.fixture(scope="package")
def crowd() -> World:
    return simulate(WorldSettings(seller_count=1_200, seed=5))


def words(rows: PoolRows, name: str) -> np.ndarray:
    values = rows.columns[name]
    assert not isinstance(values, str)
    return values.to_numpy(zero_copy_only=False).astype(str)


def amounts(rows: PoolRows, name: str) -> np.ndarray:
    """Return a column as numbers; an empty cell is not a number."""
    values = rows.columns[name]
    assert not isinstance(values, str)
    return pc.cast(pc.if_else(pc.equal(values, ""), "nan", values), "float64").to_numpy()
