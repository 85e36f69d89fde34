"""The state that the simulation carries from week to week, and the books it keeps.

Cash is in CNY, the marketplace account in its own currency (USD or EUR). Every amount is rounded to cents when it is
booked, so that raw files, books and truth agree to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.shocks import ShockPaths
    from simulator.population.firms import Firms
    from simulator.population.network import Network
    from simulator.settings import WorldSettings
    from simulator.timeline import Timeline

# Causes of cash movements, in the order of the first axis of ``Books.flows``; positive = money in.
FLOWS: tuple[str, ...] = (
    "owner_capital", "marketplace_deposit", "hosted_payout", "site_payout", "loan_disbursed", "group_received",
    "supplier_paid", "freight_paid", "duty_paid", "payroll_and_rent_paid", "tax_paid", "site_costs_paid",
    "own_shipping_paid", "instalment_paid", "guarantee_paid", "group_sent", "owner_drawn", "claim_paid", "outside_loss",
    "other_business", "advance_passed_on",
)  # fmt: skip
RING = 20  # most weeks that a payment or a shipment can be ahead


def _by_currency(firms: Firms, euro: float, dollar: float) -> NDArray[np.float64]:
    rates: NDArray[np.float64] = np.where(firms.is_euro, np.float64(euro), np.float64(dollar))
    return rates


@dataclass(frozen=True)
class Setting:
    """Everything that stays fixed during the simulation."""

    settings: WorldSettings
    timeline: Timeline
    shocks: ShockPaths
    firms: Firms
    network: Network
    streams: dict[str, np.random.Generator]

    def cny_rate(self, week: int) -> NDArray[np.float64]:
        """Return CNY per unit of each seller's account currency in a week, shape (sellers,)."""
        return _by_currency(self.firms, self.timeline.cny_per_eur[week], self.timeline.cny_per_usd[week])

    def reference_rate(self, week: int) -> NDArray[np.float64]:
        """Return CNY per account unit on which current prices are based: mean of the past year, shape (sellers,)."""
        first = max(week - 51, 0)
        dollar, euro = self.timeline.cny_per_usd[first : week + 1], self.timeline.cny_per_eur[first : week + 1]
        return _by_currency(self.firms, euro.mean(), dollar.mean())

    def season(self, week: int) -> NDArray[np.float64]:
        """Return the season factor of each seller's category, shape (sellers,); past the end the last year repeats."""
        weeks = self.timeline.weeks
        chosen: NDArray[np.float64] = self.timeline.season[self.firms.category, week if week < weeks else week - 52]
        return chosen


@dataclass
class Books:
    """Weekly records, filled during the simulation.

    Attributes:
        flows: Cash movements in CNY by cause, shape (causes, weeks, sellers).
        cash: Closing cash in CNY, shape (weeks, sellers).
        weekly: Other weekly amounts by name, each of shape (weeks, sellers).
        rows: Event rows by table; each entry is a dict of arrays of equal length.
    """

    flows: NDArray[np.float64]
    cash: NDArray[np.float64]
    weekly: dict[str, NDArray[np.float64]]
    rows: dict[str, list[dict[str, NDArray[np.generic]]]] = field(default_factory=dict)

    def add_rows(self, table: str, **columns: NDArray[np.generic]) -> None:
        """Append events to a table; does nothing if there are none."""
        if len(next(iter(columns.values()))):
            self.rows.setdefault(table, []).append(columns)


WEEKLY: tuple[str, ...] = (
    "demand", "sales", "hosted_sales", "site_sales", "site_refunds", "site_advertising", "quality", "stock",
)  # fmt: skip
ACCOUNT_ITEMS: tuple[str, ...] = (
    "principal", "shipping", "commission", "fulfilment", "refund", "chargeback", "advertising",
    "storage", "subscription", "penalty", "compensation",
)  # fmt: skip
# What a hosted platform books between two reports, in account currency.
REPORT_ITEMS: tuple[str, ...] = ("sales", "returns", "fines", "top_ups")


@dataclass
class State:
    """State of all sellers at one moment; arrays of shape (sellers,) unless noted.

    Attributes:
        is_active: In business (entered, not closed).
        is_winding_down: Selling off after a default.
        level: Log weekly marketplace demand before season and shocks.
        noise: Mean-reverting part of log demand.
        quality: Hidden quality now.
        other_trend: Log size of the owner's other business relative to its start.
        expected: Seller's own estimate of deseasonalised weekly sales, own site included.
        long_expected: Same, but slower: the sales for which fixed costs were built up.
        cash: Cash, CNY.
        stock: Goods at cost, CNY.
        arriving: Goods at cost by arrival week modulo ``RING``, shape (RING, sellers).
        balance_due: Supplier balances by week modulo ``RING``, shape (RING, sellers).
        fixed_cost: Weekly payroll and rent, CNY.
        account: Marketplace items since the last statement, account currency, shape (items, sellers).
        last_week_sales: Marketplace sales of the last week, account currency.
        reserve: Reserve held by the marketplace, account currency.
        carried: Deposit in transit to the bank, account currency.
        suspended_until: First week in which the account works again.
        report: Hosted items since the last report, account currency, shape (items, sellers).
        hosted_due: Hosted payouts by week modulo ``RING``, account currency, shape (RING, sellers).
        hosted_price: Current supply price of the hosted platform over that at entry.
        delisted_until: First week in which the hosted platform sells the goods again.
        guarantee_due: Called guarantees not yet paid, CNY.
        outside_due: Owner's debts outside the trade that creditors collect from the seller, CNY.
        is_to_be_stripped: Whether an owner in trouble may take the seller's cash in a later week.
        disputed_until: Week until which instalments are held back because of a dispute or the bank's paperwork.
        shunned_until: First week in which the seller can be rescued again after a faulty batch.
        default_day: Day number of the first default, -1 for none.
        closed_week: Week of closing, past the end for none.
        loan: Loan number in each slot, -1 when free, shape (sellers, slots).
        instalment: Monthly instalment, CNY, shape (sellers, slots).
        arrears: Due and unpaid, CNY, shape (sellers, slots).
        dues_passed: Instalments that have fallen due so far, shape (sellers, slots).
        term: Total number of instalments, shape (sellers, slots).
        first_month: Month number of disbursement, shape (sellers, slots).
        day_of_month: Day of the month on which instalments fall due, shape (sellers, slots).
    """

    is_active: NDArray[np.bool_]
    is_winding_down: NDArray[np.bool_]
    level: NDArray[np.float64]
    noise: NDArray[np.float64]
    quality: NDArray[np.float64]
    other_trend: NDArray[np.float64]
    expected: NDArray[np.float64]
    long_expected: NDArray[np.float64]
    cash: NDArray[np.float64]
    stock: NDArray[np.float64]
    arriving: NDArray[np.float64]
    balance_due: NDArray[np.float64]
    fixed_cost: NDArray[np.float64]
    account: NDArray[np.float64]
    last_week_sales: NDArray[np.float64]
    reserve: NDArray[np.float64]
    carried: NDArray[np.float64]
    suspended_until: NDArray[np.int64]
    report: NDArray[np.float64]
    hosted_due: NDArray[np.float64]
    hosted_price: NDArray[np.float64]
    delisted_until: NDArray[np.int64]
    guarantee_due: NDArray[np.float64]
    outside_due: NDArray[np.float64]
    is_to_be_stripped: NDArray[np.bool_]
    disputed_until: NDArray[np.int64]
    shunned_until: NDArray[np.int64]
    default_day: NDArray[np.int64]
    closed_week: NDArray[np.int64]
    loan: NDArray[np.int64]
    instalment: NDArray[np.float64]
    arrears: NDArray[np.float64]
    dues_passed: NDArray[np.int64]
    term: NDArray[np.int64]
    first_month: NDArray[np.int64]
    day_of_month: NDArray[np.int64]
    loan_count: int = 0

    def refund_share(self, firms: Firms) -> NDArray[np.float64]:
        """Return the expected refunds over sales at current quality, shape (sellers,)."""
        return firms.refund_share * np.exp(-0.40 * (self.quality - firms.quality))

    def weekly_outflow(self, setting: Setting, week: int) -> NDArray[np.float64]:
        """Return the expected weekly cash outflow: goods, freight, duty and fixed costs, CNY, shape (sellers,)."""
        goods = setting.firms.goods_cost_share * setting.reference_rate(week) * self.expected * 1.15
        outflow: NDArray[np.float64] = goods + self.fixed_cost
        return outflow

    def spendable(self, setting: Setting, week: int) -> NDArray[np.float64]:
        """Return cash plus informal overdraft, CNY, never below zero, shape (sellers,)."""
        overdraft = setting.settings.credit.overdraft_weeks * self.weekly_outflow(setting, week)
        return np.maximum(self.cash + overdraft, 0.0)


def new_state(setting: Setting) -> State:
    """Return the state before the first week, when no seller has entered yet."""
    count, slots, weeks = setting.firms.count, setting.settings.credit.slots, setting.timeline.weeks

    def zeros(*more: int) -> NDArray[np.float64]:
        return np.zeros((count, *more))

    def integers(*more: int) -> NDArray[np.int64]:
        return np.zeros((count, *more), dtype=np.int64)

    return State(
        is_active=np.zeros(count, dtype=bool), is_winding_down=np.zeros(count, dtype=bool),
        level=setting.firms.log_level.copy(), noise=zeros(), quality=setting.firms.quality.copy(),
        other_trend=zeros(), expected=zeros(), long_expected=zeros(), cash=zeros(), stock=zeros(),
        arriving=np.zeros((RING, count)), balance_due=np.zeros((RING, count)), fixed_cost=zeros(),
        account=np.zeros((len(ACCOUNT_ITEMS), count)), last_week_sales=zeros(), reserve=zeros(), carried=zeros(),
        suspended_until=integers() - 1, report=np.zeros((len(REPORT_ITEMS), count)), hosted_due=np.zeros((RING, count)),
        hosted_price=np.ones(count), delisted_until=integers() - 1, guarantee_due=zeros(), outside_due=zeros(),
        is_to_be_stripped=np.zeros(count, dtype=bool), disputed_until=integers(), shunned_until=integers(),
        default_day=integers() - 1,
        closed_week=np.full(count, weeks + 1), loan=integers(slots) - 1, instalment=zeros(slots), arrears=zeros(slots),
        dues_passed=integers(slots), term=integers(slots), first_month=integers(slots), day_of_month=integers(slots),
    )  # fmt: skip


def new_books(setting: Setting) -> Books:
    """Return empty books."""
    shape = (setting.timeline.weeks, setting.firms.count)
    return Books(np.zeros((len(FLOWS), *shape)), np.zeros(shape), {name: np.zeros(shape) for name in WEEKLY})


@dataclass(frozen=True)
class Week:
    """One week of the simulation: its number, the fixed setting, the changing state and the books."""

    number: int
    setting: Setting
    state: State
    books: Books

    def rng(self, name: str) -> np.random.Generator:
        """Return the random stream of one part of the world."""
        return self.setting.streams[name]

    def book(self, cause: str, amount: NDArray[np.float64]) -> None:
        """Add an amount, rounded to cents, to cash and to the books. Positive = money in, CNY."""
        cents = np.round(amount, 2)
        self.state.cash += cents
        self.books.flows[FLOWS.index(cause), self.number] += cents

    def pay(self, cause: str, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pay an amount as far as cash and overdraft allow, and return what was paid, CNY."""
        paid = (
            np.floor(np.minimum(np.round(wanted, 2), self.state.spendable(self.setting, self.number)) * 100 + 1e-6)
            / 100
        )
        paid = np.maximum(paid, 0.0)
        self.book(cause, -paid)
        return paid
