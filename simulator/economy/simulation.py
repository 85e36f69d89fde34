"""The simulation loop: draw a world, then pass its weeks one by one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy import cash, contagion, credit, fraud, incidents, marketplace, trade
from simulator.economy import hosted_platforms as hosted
from simulator.economy.advances import book_advances
from simulator.economy.shocks import shock_paths
from simulator.economy.simulated_world import World
from simulator.economy.state import Books, Setting, State, Week, new_books, new_state
from simulator.population.firms import draw_firms
from simulator.randomness import stream
from simulator.timeline import build_timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.settings import WorldSettings

log = logging.getLogger(__name__)

_STREAMS = (
    "demand", "site", "marketplace", "incidents", "suppliers", "batches", "habits", "lenders", "borrowing", "closing",
    "outside", "rescue", "other", "hosted", "lies",
)  # fmt: skip


def _turn(week: Week, starts: NDArray[np.int64]) -> None:
    """Simulate one week of all sellers, causes before effects."""
    trade.enter(week)
    trade.drift(week)
    incidents.suspend(week)
    hosted.delist(week)
    hosted.bid(week)
    incidents.fail_suppliers(week)
    incidents.spoil_batches(week)
    trade.receive_goods(week)
    trade.sell(week)
    marketplace.charge(week)
    hosted.deduct(week)
    incidents.claim(week)
    incidents.lose_outside(week)
    marketplace.collect(week)
    marketplace.settle(week)
    hosted.report(week)
    hosted.collect(week)
    cash.run_other_business(week)
    cash.pay_running_costs(week)
    trade.pay_suppliers(week)
    credit.find_defaults(week, starts)
    cash.rescue(week)
    contagion.pay_guarantees(week)
    credit.serve_debt(week, starts)
    trade.order_goods(week)
    credit.borrow(week, starts)
    fraud.start_cases(week)
    contagion.move_group_cash(week)
    cash.draw(week)
    credit.close_firms(week)
    week.books.cash[week.number] = week.state.cash


def _joined(books: Books) -> dict[str, dict[str, NDArray[np.generic]]]:
    return {
        table: {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
        for table, parts in books.rows.items()
    }


def _finish(setting: Setting, state: State, books: Books, first_seller: int) -> World:
    events = _joined(books)
    if "statements" in events:
        events["statements"] = book_advances(setting, books, events["statements"], state.default_day)
    return World(
        settings=setting.settings, first_seller=first_seller, timeline=setting.timeline, firms=setting.firms,
        network=setting.network,
        flows=books.flows, cash=np.round(books.cash, 2), weekly=books.weekly, events=events,
        default_day=state.default_day, closed_week=state.closed_week,
    )  # fmt: skip


def world_setting(settings: WorldSettings) -> Setting:
    """Draw everything that stays fixed during the simulation, and open its random streams."""
    timeline = build_timeline(settings)
    firms, network = draw_firms(settings, timeline)
    return Setting(settings, timeline, shock_paths(timeline), firms, network, world_streams(settings.seed))


def world_streams(seed: int) -> dict[str, np.random.Generator]:
    """Open the random streams of the weekly simulation."""
    return {name: stream(seed, name) for name in _STREAMS}


def pass_weeks(setting: Setting, state: State, books: Books, weeks: range) -> None:
    """Simulate a range of weeks; changes ``state`` and fills ``books``."""
    starts = credit.month_starts(setting.timeline.first_day)
    for number in weeks:
        _turn(Week(number, setting, state, books), starts)


def simulate(settings: WorldSettings, first_seller: int = 0) -> World:
    """Simulate a world, or one district of it; equal settings produce equal worlds.

    What is simulated: demand with season, dated shocks and noise; stock and supplier payments with lead times; fees,
    refunds, reserve and statements of one marketplace account per seller; full and semi hosted platforms with bidding
    on supply prices, fines and late payouts; own web shops of some sellers; fixed costs, tax and owners' withdrawals;
    loans of 6 to 18 months granted on a lender's noisy score; advances of the marketplace, which change payouts but
    not the trade; cash moved within groups, guarantees and shared suppliers; account suspensions, delistings, claims,
    failed suppliers and faulty batches; rescues, which are rarer after a faulty batch or a default in the group;
    fraud (``simulator.economy.fraud``). What is not: several marketplace accounts per seller, single shoppers' orders
    on the marketplace, employees, courts.

    Args:
        settings: Size, dates, seeds and parameters. ``observation_seed`` has no effect here.
        first_seller: Number of sellers in the districts before this one; it only sets the identifiers.

    Returns:
        The world with its hidden truth.
    """
    setting = world_setting(settings)
    state, books, weeks = new_state(setting), new_books(setting), setting.timeline.weeks
    pass_weeks(setting, state, books, range(weeks))
    starts = credit.month_starts(setting.timeline.first_day)
    credit.note_last_defaults(state, starts, 7 * weeks, settings.credit.default_days_past_due)
    world = _finish(setting, state, books, first_seller)
    defaults = int((world.default_day >= 0).sum())
    log.info("simulated %d sellers over %d weeks, %d defaults", world.firms.count, weeks, defaults)
    return world
