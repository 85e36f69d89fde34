"""Lenders that race to court, and help that is refused: what each does to whom, and to nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.settings import CreditSettings, EconomySettings, NetworkSettings, WorldSettings
from simulator.state import FLOWS
from simulator.world import World, simulate


def a_world(
    seed: int = 5,
    credit: CreditSettings | None = None,
    economy: EconomySettings | None = None,
    network: NetworkSettings | None = None,
) -> World:
    return simulate(
        WorldSettings(
            seller_count=500,
            seed=seed,
            credit=credit or CreditSettings(),
            economy=economy or EconomySettings(),
            network=network or NetworkSettings(),
        )
    )


@pytest.fixture(scope="module")
def racing_world() -> World:
    return a_world(credit=CreditSettings(suit_rate=1.0))


def freezes(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seller, week and weeks of every account freeze."""
    return world.incidents("account freeze")


def helped(world: World) -> np.ndarray:
    """Weeks in which capital comes in after entry, shape (weeks, sellers)."""
    weeks = np.arange(world.timeline.weeks)[:, None]
    return (world.flows[FLOWS.index("owner_capital")] > 0) & (weeks > world.firms.entry_week)


def test_only_sellers_that_took_many_loans_have_their_accounts_frozen(racing_world: World) -> None:
    loans = racing_world.events["loans"]
    sellers, weeks, _ = freezes(racing_world)
    assert len(sellers) >= 20
    for seller, week in zip(sellers.tolist(), weeks.tolist(), strict=True):
        taken = (loans["seller"] == seller) & (loans["day"] < 7 * week)
        assert taken.sum() >= racing_world.settings.credit.suit_loans


def test_nobody_is_sued_when_no_seller_may_have_so_many_loans() -> None:
    world = a_world(credit=CreditSettings(suit_rate=1.0, suit_loans=4))
    assert len(freezes(world)[0]) == 0


def test_nobody_is_sued_for_debts_too_small_for_a_suit() -> None:
    world = a_world(credit=CreditSettings(suit_rate=1.0, suit_debt_months=99.0))
    assert len(freezes(world)[0]) == 0


def test_no_instalment_is_paid_while_accounts_are_frozen(racing_world: World) -> None:
    payments = racing_world.events["payments"]
    week_paid = payments["day"] // 7
    for seller, week, length in zip(*(part.tolist() for part in freezes(racing_world)), strict=True):
        is_during = (week_paid >= week) & (week_paid < week + length)
        assert not (is_during & (payments["seller"] == seller)).any()


def test_more_sellers_default_where_lenders_race_to_court(racing_world: World) -> None:
    patient = a_world(credit=CreditSettings(suit_rate=0.0))
    assert (racing_world.default_day >= 0).sum() > 1.2 * (patient.default_day >= 0).sum()


@pytest.mark.parametrize("left", [0.0, 1.0])
def test_a_default_in_the_group_takes_away_as_much_help_as_the_setting_says(left: float) -> None:
    world = a_world(network=NetworkSettings(rescue_after_group_default=left), credit=CreditSettings(suit_rate=0.5))
    default_week = np.where(world.default_day >= 0, world.default_day // 7 + 1, world.timeline.weeks)
    liable, liable_for = world.network.liable, world.network.liable_for
    is_after = np.arange(world.timeline.weeks)[:, None] > default_week[liable_for]
    found = (helped(world)[:, liable] & is_after).sum()
    assert found == 0 if left == 0 else found > 0


def test_more_sellers_default_when_helpers_shun_shrinking_sellers() -> None:
    shunned, welcome = (
        [a_world(seed, economy=EconomySettings(rescue_refused_share=share)) for seed in (5, 6)] for share in (1.0, 0.0)
    )
    assert sum((world.default_day >= 0).sum() for world in shunned) > sum(
        (world.default_day >= 0).sum() for world in welcome
    )
