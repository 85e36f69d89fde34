"""Borrowing: applications, lenders' decisions, repayment and default.

A seller defaults on the first day on which an instalment is 90 days past due; payments settle the oldest instalment
first. Nothing else causes a default. Instalments stay unpaid because cash and overdraft are used up, or because the
owner forgets. Forgotten instalments are paid long before day 90 if there is cash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.contagion import call_guarantees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.state import State, Week

TERMS_MONTHS = (6, 9, 12, 18)
_TERM_WEIGHTS = (0.18, 0.20, 0.44, 0.18)
_PURPOSES = ("stock", "freight", "advertising", "expansion", "refinancing")
_MAX_DEBT_MONTHS = 1.5
_DUNNING_DAYS = 40  # days past due after which the lender calls the seller


def month_starts(first_day: np.datetime64, months: int = 240) -> NDArray[np.int64]:
    """Return the day number of the first of each month, starting with the month of ``first_day``."""
    first = first_day.astype("datetime64[M]")
    starts = (first + np.arange(months)).astype("datetime64[D]")
    numbers: NDArray[np.int64] = (starts - first_day).astype(np.int64)
    return numbers


def due_days(starts: NDArray[np.int64], state: State, instalment_number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the day on which an instalment (1 = first) of the loan in each slot falls due, shape (sellers, slots)."""
    month = np.clip(state.first_month + instalment_number, 0, len(starts) - 1)
    days: NDArray[np.int64] = starts[month] + state.day_of_month - 1
    return days


def oldest_unpaid_days(starts: NDArray[np.int64], state: State) -> NDArray[np.int64]:
    """Return the due day of the oldest unpaid instalment in each slot, or a day in the far future without arrears."""
    behind = np.ceil(np.round(state.arrears / np.maximum(state.instalment, 0.01), 6)).astype(np.int64)
    days = due_days(starts, state, state.dues_passed - behind + 1)
    return np.where(state.arrears > 0.004, days, np.int64(10**9))


def find_defaults(week: Week, starts: NDArray[np.int64]) -> None:
    """Mark sellers whose oldest unpaid instalment is 90 days past due, call their guarantors and wind them down."""
    state, limit = week.state, week.setting.settings.credit.default_days_past_due
    reached = oldest_unpaid_days(starts, state).min(axis=1) + limit
    is_new = (reached <= 7 * week.number) & (state.default_day < 0)
    state.default_day = np.where(is_new, reached, state.default_day)
    state.is_winding_down |= is_new
    call_guarantees(week, is_new)


def note_last_defaults(state: State, starts: NDArray[np.int64], end_day: int, days_past_due: int) -> None:
    """Mark defaults reached after the start of the last week and before ``end_day``, the end of the simulation."""
    reached = oldest_unpaid_days(starts, state).min(axis=1) + days_past_due
    state.default_day = np.where((reached < end_day) & (state.default_day < 0), reached, state.default_day)


def serve_debt(week: Week, starts: NDArray[np.int64]) -> None:
    """Pay arrears first (on the first day of the week), then the instalments due in the week, as far as cash allows."""
    state, rng = week.state, week.rng("habits")
    first_day = 7 * week.number
    forgetful = week.setting.firms.is_forgetful
    forgets = rng.random(forgetful.shape) < np.where(forgetful, 0.42, 0.04)
    is_dunned = first_day - oldest_unpaid_days(starts, state).min(axis=1) > _DUNNING_DAYS
    remembers = rng.random(forgetful.shape) < np.where(is_dunned, 0.9, np.where(forgetful, 0.26, 0.75))
    quarrels = rng.random(forgetful.shape) < week.setting.settings.credit.dispute_rate / 52
    length = rng.integers(3, 10, forgetful.shape)
    state.disputed_until = np.where(
        quarrels & (state.disputed_until < week.number - 13), week.number + length, state.disputed_until
    )
    may_pay = (state.default_day < 0) & (week.number >= state.disputed_until)
    for slot in range(state.loan.shape[1]):
        _pay_slot(week, slot, state.arrears[:, slot] * (may_pay & remembers), np.full(len(may_pay), first_day))
    next_due = due_days(starts, state, state.dues_passed + 1)
    is_due = (state.loan >= 0) & (state.dues_passed < state.term) & (next_due < first_day + 7)
    for slot in range(state.loan.shape[1]):
        falls = is_due[:, slot]
        is_clear = state.arrears[:, slot] <= 0.004
        state.arrears[:, slot] = np.round(state.arrears[:, slot] + falls * state.instalment[:, slot], 2)
        state.dues_passed[:, slot] += falls
        wanted = state.instalment[:, slot] * (falls & is_clear & may_pay & ~forgets)
        _pay_slot(week, slot, wanted, next_due[:, slot])
    is_repaid = (state.loan >= 0) & (state.dues_passed == state.term) & (state.arrears <= 0.004)
    state.loan = np.where(is_repaid, -1, state.loan)
    state.instalment = np.where(is_repaid, 0.0, state.instalment)


def _pay_slot(week: Week, slot: int, wanted: NDArray[np.float64], day: NDArray[np.int64]) -> None:
    """Pay into one loan slot; a seller that can pay less than a tenth of the amount pays nothing."""
    state = week.state
    enough = state.spendable(week.setting, week.number) >= 0.1 * wanted
    paid = week.pay("instalment_paid", wanted * enough)
    state.arrears[:, slot] = np.round(state.arrears[:, slot] - paid, 2)
    at = np.flatnonzero(paid > 0)
    week.books.add_rows("payments", seller=at, loan=state.loan[at, slot], day=day[at], amount=paid[at])


def _lender_view(week: Week, debt_months: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lender's noisy score of each seller: trend, leverage, age, arrears and a weak signal of quality."""
    state, firms, credit = week.state, week.setting.firms, week.setting.settings.credit
    trend = np.log(np.maximum(state.expected, 1.0) / np.maximum(state.long_expected, 1.0))
    age_years = np.maximum(week.number - firms.entry_week, 0) / 52 + np.maximum(-firms.founded_day, 0) / 365 * 0.3
    noise = credit.acceptance_noise_sd * week.rng("lenders").standard_normal(firms.count)
    late = (state.arrears > 0.004).any(axis=1)
    score = 1.6 * trend - 0.45 * debt_months + 0.35 * np.log1p(age_years) + 0.2 * state.quality - 1.8 * late + noise
    return np.asarray(score, dtype=np.float64)


def borrow(week: Week, starts: NDArray[np.int64]) -> None:
    """Let sellers apply for loans once a month, decide on each application and pay out the accepted loans.

    Sellers short of cash, and those with an appetite for debt, apply more often.
    """
    state, setting, firms, credit = week.state, week.setting, week.setting.firms, week.setting.settings.credit
    rng, count = week.rng("borrowing"), firms.count
    total_sales = state.expected * firms.revenue_share + firms.other_share * np.exp(firms.log_level + state.other_trend)
    monthly_sales = total_sales * 52 / 12 * setting.cny_rate(week.number)
    debt = ((state.term - state.dues_passed) * state.instalment * (state.loan >= 0)).sum(axis=1) + state.arrears.sum(
        axis=1
    )
    debt_months = debt / np.maximum(monthly_sales, 1.0)
    shortage = np.clip(1.4 - state.cash / np.maximum(4.0 * state.weekly_outflow(setting, week.number), 1.0), 0, 1.4)
    urge = np.clip(credit.application_rate * firms.appetite + 0.06 * shortage, 0, 0.9)
    may = ((np.arange(count) + week.number) % 4 == 2) & state.is_active & ~state.is_winding_down
    may &= (week.number - firms.entry_week >= 12) & (state.loan < 0).any(axis=1) & (debt_months < _MAX_DEBT_MONTHS)
    applies = may & (rng.random(count) < urge)
    wanted = credit.amount_months * firms.appetite**0.3 * np.exp(0.45 * rng.standard_normal(count)) * monthly_sales
    amount = np.round(np.minimum(wanted, (_MAX_DEBT_MONTHS + 0.5 - debt_months) * monthly_sales) / 1_000) * 1_000
    applies &= amount >= 10_000
    score = _lender_view(week, debt_months)
    accepted = applies & (score > credit.acceptance_threshold)
    _write_applications(week, applies, accepted, amount)
    _disburse(week, np.flatnonzero(accepted), amount, score, starts)


def _write_applications(
    week: Week, applies: NDArray[np.bool_], accepted: NDArray[np.bool_], amount: NDArray[np.float64]
) -> None:
    at = np.flatnonzero(applies)
    rng = week.rng("borrowing")
    purpose = rng.choice(len(_PURPOSES), len(at), p=(0.45, 0.15, 0.15, 0.15, 0.10))
    week.books.add_rows(
        "applications", seller=at, day=np.full(len(at), 7 * week.number),
        requested_usd=np.round(amount[at] / week.setting.timeline.cny_per_usd[week.number] / 100) * 100,
        purpose=np.array(_PURPOSES)[purpose], is_accepted=accepted[at],
    )  # fmt: skip


def _disburse(
    week: Week,
    at: NDArray[np.int64],
    amount: NDArray[np.float64],
    score: NDArray[np.float64],
    starts: NDArray[np.int64],
) -> None:
    """Pay out loans into the first free slot: monthly annuities with the first instalment one month later."""
    state, rng, credit = week.state, week.rng("borrowing"), week.setting.settings.credit
    slot = (state.loan[at] < 0).argmax(axis=1)
    day = 7 * week.number + rng.integers(0, 5, len(at))
    term = rng.choice(TERMS_MONTHS, len(at), p=_TERM_WEIGHTS)
    rate = credit.annual_rate_pct * np.exp(0.18 * rng.standard_normal(len(at)) - 0.06 * score[at])
    rate = np.asarray(np.round(np.clip(rate, 4.0, 24.0), 2), dtype=np.float64)
    monthly = rate / 1_200
    instalment = np.round(amount[at] * monthly / (1 - (1 + monthly) ** -term), 2)
    month = np.searchsorted(starts, day, side="right") - 1
    day_of_month = np.minimum(day - starts[month] + 1, 28)
    number = state.loan_count + np.arange(len(at))
    state.loan_count += len(at)
    for target, values in (
        (state.loan, number), (state.instalment, instalment), (state.arrears, 0.0), (state.dues_passed, 0),
        (state.term, term), (state.first_month, month), (state.day_of_month, day_of_month),
    ):  # fmt: skip
        target[at, slot] = values
    paid_out = np.zeros(len(state.cash))
    paid_out[at] = amount[at]
    week.book("loan_disbursed", paid_out)
    week.books.add_rows(
        "loans", seller=at, loan=number, lender=rng.integers(1, credit.lenders + 1, len(at)), day=day,
        principal=amount[at], rate_pct=rate, term=term, instalment=instalment, first_month=month,
        day_of_month=day_of_month,
    )  # fmt: skip


def close_firms(week: Week) -> None:
    """Close sellers some months after default, and some debt-free sellers, mostly those whose sales have collapsed."""
    state, firms, rng = week.state, week.setting.firms, week.rng("closing")
    draw = rng.random(firms.count)
    is_over = state.is_winding_down & (state.default_day >= 0) & (7 * week.number - state.default_day > 150)
    is_free = (state.loan < 0).all(axis=1) & (state.guarantee_due <= 0)
    has_faded = state.long_expected < 0.25 * np.exp(firms.log_level)
    quits = is_free & (draw < np.where(has_faded, 0.05, 0.0016))
    closing = state.is_active & (is_over | quits)
    state.is_active &= ~closing
    state.closed_week = np.where(closing, week.number, state.closed_week)
    for amounts in (state.expected, state.long_expected, state.stock, state.fixed_cost, state.guarantee_due):
        amounts[closing] = 0.0
    state.arriving[:, closing] = 0.0
    state.balance_due[:, closing] = 0.0
