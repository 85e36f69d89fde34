"""Faulty batches and missing rescues hit whom they should, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.economy.shocks import shock_paths
from simulator.economy.simulated_world import World
from simulator.economy.simulation import simulate
from simulator.economy.state import FLOWS
from simulator.settings import EconomySettings, NetworkSettings, WorldSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHUNNED_WEEKS = 20


def a_world(economy: EconomySettings, network: NetworkSettings | None = None, seed: int = 5) -> World:
    settings = WorldSettings(seller_count=500, seed=seed, economy=economy, network=network or NetworkSettings())
    return simulate(settings)


@pytest.fixture(scope="module")
def faulty_world() -> World:
    return a_world(EconomySettings(faulty_batch_rate=0.3))


@pytest.fixture(scope="module")
def sound_world() -> World:
    return a_world(EconomySettings(faulty_batch_rate=0.0))


def helped(world: World) -> NDArray[np.bool_]:
    """Return weeks with owner's capital after entry, shape (weeks, sellers)."""
    weeks = np.arange(world.timeline.weeks)[:, None]
    comes: NDArray[np.bool_] = (world.flows[FLOWS.index("owner_capital")] > 0) & (weeks > world.firms.entry_week)
    return comes


def test_at_rate_zero_there_are_no_faulty_batches(sound_world: World) -> None:
    assert len(sound_world.incidents("faulty batch")[0]) == 0


def test_a_faulty_batch_takes_the_share_of_one_of_the_sellers_suppliers(faulty_world: World) -> None:
    sellers, _, sizes = faulty_world.incidents("faulty batch")
    assert len(sellers) > 100
    assert (faulty_world.network.supplier_weights[sellers] == sizes[:, None]).any(axis=1).all()


def test_a_seller_of_one_supplier_has_no_stock_in_the_week_of_a_faulty_batch(faulty_world: World) -> None:
    sellers, weeks, sizes = faulty_world.incidents("faulty batch")
    is_all = sizes == 1.0
    assert is_all.sum() > 20
    assert (faulty_world.weekly["stock"][weeks[is_all], sellers[is_all]] == 0).all()
    is_part = sizes < 0.4
    assert (faulty_world.weekly["stock"][weeks[is_part], sellers[is_part]] > 0).mean() > 0.5


def test_sellers_with_high_returns_have_most_faulty_batches(faulty_world: World) -> None:
    met = np.bincount(faulty_world.incidents("faulty batch")[0], minlength=faulty_world.firms.count)
    often = faulty_world.firms.refund_share > np.median(faulty_world.firms.refund_share)
    assert met[often].sum() > 2 * met[~often].sum() > 0


def test_faulty_batches_come_more_often_in_the_weeks_of_a_dated_shock(faulty_world: World) -> None:
    factor = shock_paths(faulty_world.timeline).faulty_batches
    is_struck = factor == factor.max()
    met = np.bincount(faulty_world.incidents("faulty batch")[1], minlength=len(factor))
    assert met[is_struck].mean() > 1.5 * met[factor == 1].mean() > 0


def test_nobody_rescues_a_seller_during_a_recall(faulty_world: World) -> None:
    helps = helped(faulty_world)
    for seller, week, size in zip(*(part.tolist() for part in faulty_world.incidents("faulty batch")), strict=True):
        if size > 0.65:
            assert not helps[week : week + SHUNNED_WEEKS, seller].any()
    assert helps[:, np.unique(faulty_world.incidents("faulty batch")[0])].any()


def test_faulty_batches_ruin_sellers_of_one_supplier_rather_than_others(
    faulty_world: World, sound_world: World
) -> None:
    more = (faulty_world.default_day >= 0).astype(float) - (sound_world.default_day >= 0)
    main_share = faulty_world.network.supplier_weights.max(axis=1)
    assert more[main_share > 0.95].mean() > 0.1
    assert more[main_share > 0.95].mean() > 3 * more[main_share < 0.5].mean()


@pytest.mark.parametrize("left", [0.0, 1.0])
def test_a_default_in_the_group_reduces_rescues_by_the_setting(left: float) -> None:
    world = a_world(EconomySettings(faulty_batch_rate=0.3), NetworkSettings(rescue_after_group_default=left))
    default_week = np.where(world.default_day >= 0, world.default_day // 7 + 1, world.timeline.weeks)
    liable, liable_for = world.network.liable, world.network.liable_for
    is_after = np.arange(world.timeline.weeks)[:, None] > default_week[liable_for]
    found = (helped(world)[:, liable] & is_after).sum()
    assert found == 0 if left == 0 else found > 0
