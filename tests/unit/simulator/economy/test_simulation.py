"""The simulated world: equal seeds make equal worlds, every cash movement is booked, only arrears cause defaults."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.catalogue import MARKETS
from simulator.economy.credit import month_starts
from simulator.economy.simulated_world import World
from simulator.economy.simulation import simulate
from simulator.economy.state import FLOWS
from simulator.files.lenders import due_rows
from simulator.settings import WorldSettings


def flow(world: World, cause: str) -> np.ndarray:
    return world.flows[FLOWS.index(cause)]


def test_incidents_of_a_kind_are_all_of_that_kind_and_no_others(tiny_world: World) -> None:
    kinds = tiny_world.events["incidents"]["kind"].tolist()
    found = {kind: tiny_world.incidents(kind) for kind in {*kinds, "no such kind"}}
    assert {kind: len(seller) for kind, (seller, _, _) in found.items()} == {**Counter(kinds), "no such kind": 0}
    assert all((week < tiny_world.timeline.weeks).all() for _, week, _ in found.values())


def test_another_seed_makes_another_world(tiny_world: World) -> None:
    other = simulate(tiny_world.settings.model_copy(update={"seed": 4}))
    assert not np.array_equal(other.cash, tiny_world.cash)


def test_closing_cash_is_opening_cash_plus_booked_movements(tiny_world: World) -> None:
    opening = np.vstack([np.zeros(tiny_world.firms.count), tiny_world.cash[:-1]])
    closing = opening + tiny_world.flows.sum(axis=0)
    assert np.abs(closing - tiny_world.cash).max() < 0.005
    assert np.abs(tiny_world.cash).max() > 1_000


def test_cash_moved_within_a_group_is_received_in_full(tiny_world: World) -> None:
    moved = flow(tiny_world, "group_sent") + flow(tiny_world, "group_received")
    group = tiny_world.network.group
    assert (flow(tiny_world, "group_received") > 0).any()
    for number in range(group.max() + 1):
        assert np.abs(moved[:, group == number].sum(axis=1)).max() < 0.005


def test_loans_and_instalments_in_the_books_are_the_events(tiny_world: World) -> None:
    loans, payments = tiny_world.events["loans"], tiny_world.events["payments"]
    assert flow(tiny_world, "loan_disbursed").sum() == pytest.approx(loans["principal"].sum())
    assert flow(tiny_world, "instalment_paid").sum() == pytest.approx(-payments["amount"].sum())
    statements = tiny_world.events["statements"]
    assert set(statements) >= {"released", "held", "total"}


def test_statement_deposits_reach_the_bank_a_week_later(tiny_world: World) -> None:
    statements, timeline = tiny_world.events["statements"], tiny_world.timeline
    rate = np.where(tiny_world.firms.is_euro, timeline.cny_per_eur[:, None], timeline.cny_per_usd[:, None])
    expected = np.zeros_like(tiny_world.cash)
    arrives = statements["week"] + 1
    kept = arrives < timeline.weeks
    seller = statements["seller"][kept]
    np.add.at(expected, (arrives[kept], seller), statements["total"][kept] * rate[arrives[kept], seller])
    assert np.abs(expected - flow(tiny_world, "marketplace_deposit")).max() < 0.01


def first_90_days_past_due(world: World) -> np.ndarray:
    """Recount defaults independently from the events: first in, first out, per loan."""
    dues, payments = due_rows(world), world.events["payments"]
    first = np.full(world.firms.count, 10**9)
    for loan in np.unique(dues["loan"]):
        mine = dues["loan"] == loan
        paid = payments["loan"] == loan
        day, amount = payments["day"][paid], np.rint(payments["amount"][paid] * 100).astype(int)
        owed = 0
        for due_day, cents, seller in zip(dues["day"][mine], dues["cents"][mine], dues["seller"][mine], strict=True):
            owed += cents
            if amount[day < due_day + 90].sum() < owed:
                first[seller] = min(first[seller], due_day + 90)
    return np.where(first < 7 * world.timeline.weeks, first, -1)


def test_sellers_default_exactly_when_an_instalment_is_90_days_past_due(tiny_world: World) -> None:
    assert (tiny_world.default_day >= 0).sum() >= 5
    assert np.array_equal(first_90_days_past_due(tiny_world), tiny_world.default_day)


def test_sales_end_after_default(tiny_world: World) -> None:
    for seller in np.flatnonzero((tiny_world.default_day >= 0) & (tiny_world.default_day < 2_000)):
        after = tiny_world.default_day[seller] // 7 + 26
        assert tiny_world.weekly["sales"][after:, seller].sum() == 0


def test_arrears_are_sometimes_cured(tiny_world: World) -> None:
    dues, payments = due_rows(tiny_world), tiny_world.events["payments"]
    late = np.isin(payments["loan"], dues["loan"]) & ~np.isin(payments["day"], dues["day"])
    assert late.sum() > 20
    assert (tiny_world.default_day[np.unique(payments["seller"][late])] < 0).any()


def test_a_guarantor_pays_when_the_guaranteed_seller_defaults() -> None:
    world = simulate(WorldSettings(seller_count=400, seed=6))
    calls = world.events["guarantee_calls"]
    assert (world.default_day[calls["guaranteed"]] >= 0).all()
    assert flow(world, "guarantee_paid").sum() < 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_default_rate_of_open_loans_stays_in_its_band(seed: int) -> None:
    world = simulate(WorldSettings(seller_count=800, seed=seed))
    dues, default = due_rows(world), np.where(world.default_day < 0, 10**9, world.default_day)
    rates, open_shares = [], []
    for day in range(365, 7 * world.timeline.weeks - 365, 91):
        has_loan = np.zeros(world.firms.count, dtype=bool)
        has_loan[dues["seller"][(dues["disbursed"] <= day) & (dues["day"] > day)]] = True
        is_active = (7 * world.firms.entry_week <= day) & (7 * world.closed_week > day) & (default > day)
        seen = has_loan & is_active
        rates.append(((default > day) & (default <= day + 365))[seen].mean())
        open_shares.append(has_loan[is_active].mean())
    assert 0.02 < np.mean(rates) < 0.08
    assert 0.45 < np.mean(open_shares) < 0.80


def test_due_days_fall_on_one_day_of_the_month_and_a_month_apart(tiny_world: World) -> None:
    dues = due_rows(tiny_world)
    starts = month_starts(tiny_world.timeline.first_day)
    month = np.searchsorted(starts, dues["day"], side="right")
    assert (dues["day"] > dues["disbursed"]).all()
    same = dues["loan"][1:] == dues["loan"][:-1]
    assert (np.diff(month)[same] == 1).all()


def test_markets_of_the_euro_area_settle_in_euro(tiny_world: World) -> None:
    named = np.array([MARKETS[number].currency for number in tiny_world.firms.market])
    assert np.array_equal(named == "EUR", tiny_world.firms.is_euro)
    assert 0 < tiny_world.firms.is_euro.mean() < 1


def test_unknown_and_impossible_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="sellers"):
        WorldSettings.model_validate({"sellers": 100})
    with pytest.raises(ValidationError, match="greater than or equal to 60"):
        WorldSettings(seller_count=10)
    with pytest.raises(ValidationError, match="at least a year"):
        WorldSettings.model_validate({"first_day": "2020-01-01", "last_day": "2020-06-30"})


def test_hosted_reports_are_paid_out_after_the_term(tiny_world: World) -> None:
    reports, timeline = tiny_world.events["reports"], tiny_world.timeline
    term = reports["pay_week"] - reports["week"]
    assert 3 <= term.min() <= term.max() <= 13
    rate = np.where(tiny_world.firms.is_euro, timeline.cny_per_eur[:, None], timeline.cny_per_usd[:, None])
    expected = np.zeros_like(tiny_world.cash)
    kept = reports["pay_week"] < timeline.weeks
    week, seller = reports["pay_week"][kept], reports["seller"][kept]
    np.add.at(expected, (week, seller), reports["total"][kept] * rate[week, seller])
    assert np.abs(expected - flow(tiny_world, "hosted_payout")).max() < 0.05


def test_sellers_with_everything_hosted_have_no_statements(tiny_world: World) -> None:
    only_hosted = ~tiny_world.firms.has_marketplace
    assert only_hosted.any()
    assert not only_hosted[tiny_world.events["statements"]["seller"]].any()
    assert only_hosted[np.unique(tiny_world.events["reports"]["seller"])].any()
