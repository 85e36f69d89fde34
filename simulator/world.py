"""Simulates a world: causes and events of every seller, week by week, with known truth."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator import cash, contagion, credit, hosted, incidents, lies, marketplace, trade
from simulator.firms import Firms, draw_firms
from simulator.randomness import stream
from simulator.shocks import shock_paths
from simulator.state import Books, Setting, State, Week, new_books, new_state
from simulator.timeline import Timeline, build_timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.network import Network
    from simulator.settings import WorldSettings

log = logging.getLogger(__name__)

_STREAMS = (
    "demand", "site", "marketplace", "incidents", "suppliers", "batches", "habits", "lenders", "borrowing", "closing",
    "outside", "rescue", "other", "hosted", "lies",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """A simulated world.

    Attributes:
        settings: What it was made from; of a district, with the district's seeds and number of sellers.
        first_seller: Sellers of the whole world in the districts before this one.
        timeline: Weeks, season, exchange rates.
        firms: Fixed attributes, hidden ones included.
        network: Relations.
        flows: Cash movements in CNY by cause (``simulator.state.FLOWS``), shape (causes, weeks, sellers).
        cash: Closing cash, CNY, shape (weeks, sellers); the opening cash of week 0 is nil.
        weekly: Weekly amounts by name, each of shape (weeks, sellers).
        events: Event tables: name to columns of equal length.
        default_day: Day number of the first default, -1 for none, shape (sellers,).
        closed_week: Week of closing, past the end for none, shape (sellers,).
    """

    settings: WorldSettings
    first_seller: int
    timeline: Timeline
    firms: Firms
    network: Network
    flows: NDArray[np.float64]
    cash: NDArray[np.float64]
    weekly: Mapping[str, NDArray[np.float64]]
    events: Mapping[str, Mapping[str, NDArray[np.generic]]]
    default_day: NDArray[np.int64]
    closed_week: NDArray[np.int64]

    def number(self, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number in the whole world, from 1, of sellers (or groups, suppliers, addresses) of this district."""
        return local + self.first_seller + 1

    def incidents(self, kind: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Seller, week and size of the incidents of a kind (``simulator.incidents.note``)."""
        rows = self.events.get("incidents")
        if rows is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        at = rows["kind"] == kind
        return rows["seller"][at].astype(np.int64), rows["week"][at].astype(np.int64), rows["size"][at].astype(float)

    def seller_id(self, seller: int) -> str:
        """Reference of a seller as lenders write it: ``S000001`` for the first."""
        return f"S{seller + self.first_seller + 1:06d}"

    def seller_ids(self) -> NDArray[np.str_]:
        """References of all sellers of this district."""
        return np.array([self.seller_id(seller) for seller in range(self.firms.count)])


def _turn(week: Week, starts: NDArray[np.int64]) -> None:
    """One week in the life of all sellers, causes before effects."""
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
    lies.deceive(week)
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
    return World(
        settings=setting.settings, first_seller=first_seller, timeline=setting.timeline, firms=setting.firms,
        network=setting.network,
        flows=books.flows, cash=np.round(books.cash, 2), weekly=books.weekly, events=_joined(books),
        default_day=state.default_day, closed_week=state.closed_week,
    )  # fmt: skip


def world_setting(settings: WorldSettings) -> Setting:
    """Draws everything of a world that stays fixed while the weeks pass, and opens its random streams."""
    timeline = build_timeline(settings)
    firms, network = draw_firms(settings, timeline)
    return Setting(settings, timeline, shock_paths(timeline), firms, network, world_streams(settings.seed))


def world_streams(seed: int) -> dict[str, np.random.Generator]:
    """Opens the random streams of the weekly simulation."""
    return {name: stream(seed, name) for name in _STREAMS}


def pass_weeks(setting: Setting, state: State, books: Books, weeks: range) -> None:
    """Lets weeks pass: changes ``state``, fills ``books``."""
    starts = credit.month_starts(setting.timeline.first_day)
    for number in weeks:
        _turn(Week(number, setting, state, books), starts)


def simulate(settings: WorldSettings, first_seller: int = 0) -> World:
    """Simulates a world, or one district of it, from its settings; equal settings give equal worlds.

    What is simulated: demand with season, dated shocks and noise; stock and supplier payments with lead times; fees,
    refunds, reserve and statements of one marketplace account a seller; full and semi hosted platforms with supply
    prices under bidding, fines and payouts after weeks; an own site for some; fixed costs, tax, owner's draws; loans of
    6-18 months under a lender's noisy acceptance; group cash, guarantees, suppliers in common; accounts suspended,
    goods delisted, claims, suppliers failing, faulty batches; help that stays away after a faulty batch or a default in
    the group; deceit (``simulator.lies``). What is not: several marketplace accounts a seller, single shoppers' orders
    on the marketplace, employees, courts.

    Args:
        settings: Size, dates, seeds, parameters. ``observation_seed`` changes nothing here.
        first_seller: Sellers of the whole world in the districts before; only numbers identifiers.

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
