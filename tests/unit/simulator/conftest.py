"""One tiny simulated world, written once, for all tests of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from simulator.economy.simulated_world import World
from simulator.economy.simulation import simulate
from simulator.population.districts import districts
from simulator.settings import ObservationSettings, WorldSettings
from simulator.writing import WorldRecord, write_world

if TYPE_CHECKING:
    from pathlib import Path

# Every file whole, once and as it was typed, so that tests can read what is meant; the mishaps have tests of their own.
UNHARMED = ObservationSettings(
    late_delivery_share=0, duplicate_delivery_share=0, truncated_file_share=0, unit_slip_share=0, date_slip_share=0
)
TINY = WorldSettings(seller_count=150, seed=3, observation=UNHARMED)


@dataclass(frozen=True)
class Written:
    """A world and the folders it was written to."""

    world: World
    raw: Path
    truth: Path
    record: WorldRecord


@pytest.fixture(scope="session")
def tiny_world() -> World:
    return simulate(districts(TINY)[0].settings)


@pytest.fixture(scope="session")
def written(tiny_world: World, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("world")
    record = write_world(TINY, folder)
    return Written(tiny_world, folder / "raw", folder / "truth", record)
