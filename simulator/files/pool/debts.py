"""Month-end balances of what pool members owe: to lenders, the bank, suppliers, the tax office and the marketplace.

Balances are those of the simulated economy. Debts of the owner outside the trade appear nowhere. Some sellers, more of
the dishonest ones, leave a debt out or understate it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.advances import advance_fee
from simulator.economy.state import FLOWS
from simulator.economy.trade import PRODUCTION_WEEKS
from simulator.files.lenders import due_rows, loan_text
from simulator.files.pool.finance import drawn_pledges
from simulator.files.pool.rows import Chances, Moments, PoolRows, currencies, members, moments, month_ends
from simulator.files.pool.stock import main_supplier
from simulator.text_columns import cents_text, chosen, day_text, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

DEBT_TYPES = ("term_loan", "credit_line", "supplier_credit", "tax", "platform_advance", "guarantee_given")
LOAN, OVERDRAFT, SUPPLIER, TAX, ADVANCE, GUARANTEE = range(len(DEBT_TYPES))
_LEFT_OUT_SHARE = 0.05  # of the debts of a seller of average honesty
_UNDERSTATED_SHARE = 0.06  # of the sellers of average honesty understate what they owe to suppliers
_MAY_BE_LEFT_OUT = (LOAN, ADVANCE, GUARANTEE)
_LEAST_CENTS = 100_000  # the tax office does not list smaller debts
_REPORTED_AFTER_DAYS = 145  # from the end of a year until its tax is overdue, as the public records show it
_WEEKS_OF_A_MONTH = 4


@dataclass(frozen=True)
class Balances:
    """True month-end balances; arrays of shape (rows,). Money in cents; -1 stands for an empty cell.

    Attributes:
        seller: Seller that owes.
        month: Number of the month.
        kind: Index into ``DEBT_TYPES``.
        loan: Number of the loan, -1 for other debts.
        owed: Amount owed.
        limit: Credit limit.
        due: Amount due in the next 30 days.
        overdue: Overdue amount.
        rate: Yearly rate in hundredths of a per cent.
        matures: Day on which the debt ends.
        is_secured: Whether it is secured by a pledge or a guarantee.
    """

    seller: NDArray[np.int64]
    month: NDArray[np.int64]
    kind: NDArray[np.int64]
    loan: NDArray[np.int64]
    owed: NDArray[np.int64]
    limit: NDArray[np.int64]
    due: NDArray[np.int64]
    overdue: NDArray[np.int64]
    rate: NDArray[np.int64]
    matures: NDArray[np.int64]
    is_secured: NDArray[np.bool_]


def _balances(
    kind: int, seller: NDArray[np.int64], month: NDArray[np.int64], kept: NDArray[np.bool_], **known: NDArray[np.int64]
) -> Balances:
    """Return the kept rows of one kind of debt; what is not known stays empty."""
    at = np.flatnonzero(kept)
    empty = np.full(len(at), -1)
    columns = {
        name: known[name][at] if name in known else empty
        for name in ("loan", "owed", "limit", "due", "overdue", "rate", "matures")
    }
    is_secured = known["is_secured"][at] > 0 if "is_secured" in known else np.zeros(len(at), dtype=bool)
    return Balances(seller=seller[at], month=month[at], kind=np.full(len(at), kind), is_secured=is_secured, **columns)


def _open_loans(world: World, is_member: NDArray[np.bool_]) -> Balances:
    """Return the principal not yet due, plus what is overdue, of each open loan; the lenders' sheets say the same."""
    loans, ends = world.events.get("loans", {}), month_ends(world)
    nothing = np.zeros(0, dtype=np.int64)
    if not loans:
        return _balances(LOAN, nothing, nothing, nothing > 0, owed=nothing)
    whole = {name: loans[name].astype(np.int64) for name in ("loan", "seller", "day", "term", "first_month")}
    paid = np.zeros((len(whole["loan"]), len(ends) + 1))
    payments = world.events.get("payments", dict.fromkeys(("loan", "day", "amount"), nothing))
    booked = np.searchsorted(ends, payments["day"].astype(np.int64))
    np.add.at(paid, (payments["loan"].astype(np.int64), booked), payments["amount"].astype(np.float64))
    is_open = is_member[whole["seller"], None] & (ends[None, :] >= whole["day"][:, None])
    is_open &= ends[None, :] // 7 < world.closed_week[whole["seller"], None]
    loan, month = np.nonzero(is_open)
    passed = np.clip(month - whole["first_month"][loan], 0, whole["term"][loan])  # no instalment after the 28th
    principal, instalment, rate = (loans[n].astype(np.float64) for n in ("principal", "instalment", "rate_pct"))
    growth = (1 + rate[loan] / 1_200) ** passed
    left = principal[loan] * growth - instalment[loan] * (growth - 1) / (rate[loan] / 1_200)
    has_dues = passed < whole["term"][loan]
    arrears = np.maximum(passed * instalment[loan] - np.cumsum(paid, axis=1)[loan, month], 0.0)
    overdue = to_cents(arrears)
    owed = to_cents(np.where(has_dues, np.maximum(left, 0.0), 0.0)) + overdue
    last = np.zeros(len(whole["loan"]), dtype=np.int64)
    dues = due_rows(world)
    np.maximum.at(last, dues["loan"], dues["day"])
    seller = whole["seller"][loan]
    secured = np.isin(loan, drawn_pledges(world).loan) | np.isin(seller, world.network.guaranteed)
    return _balances(
        LOAN, seller, month, owed > 0, loan=loan, owed=owed, overdue=overdue, rate=to_cents(rate)[loan],
        due=to_cents(instalment)[loan] * has_dues, matures=last[loan], is_secured=secured.astype(np.int64),
    )  # fmt: skip


def _overdrafts(world: World, at: Moments, month: NDArray[np.int64]) -> Balances:
    """Return the bank's credit line of every member, used or not; its limit follows the weekly outflow."""
    firms, weeks = world.firms, world.settings.credit.overdraft_weeks
    payroll = -world.flows[FLOWS.index("payroll_and_rent_paid"), at.week, at.seller]
    level = np.maximum(at.sales / _WEEKS_OF_A_MONTH, 0.5 * np.exp(firms.log_level[at.seller]))
    outflow = 1.15 * level * firms.goods_cost_share[at.seller] * at.rate + payroll
    owed = to_cents(np.maximum(-world.cash[at.week, at.seller], 0.0))
    rounded = np.int64(100_000)
    limit = -(-np.maximum(to_cents(weeks * outflow), owed) // rounded) * rounded
    rate = np.rint(900 + 700 * Chances(world, "overdraft", at.seller).even("rate")).astype(np.int64)
    return _balances(
        OVERDRAFT, at.seller, month, np.ones(len(owed), dtype=bool), owed=owed, limit=limit, overdue=0 * owed, rate=rate
    )


def supplier_balances(world: World) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what sellers owe for finished goods at the end of each week, and what of it is due in the next month.

    A failed supplier's goods never come and need not be paid. CNY, both of shape (weeks, sellers).
    """
    weeks, count = world.timeline.weeks, world.firms.count
    lost = np.zeros((weeks, count))
    failed, week, share = world.incidents("supplier failure")
    np.add.at(lost, (week, failed), np.log(1 - np.minimum(share, 1 - 1e-6)))
    left = np.cumsum(lost, axis=0)
    rows, billed, payable = world.events.get("orders", {}), *np.zeros((2, weeks + _WEEKS_OF_A_MONTH + 1, count))
    if rows:
        seller, placed = rows["seller"].astype(np.int64), rows["week"].astype(np.int64)
        amount = rows["cost"].astype(np.float64) - rows["deposit"].astype(np.float64)
        amount = amount * np.exp(-left[placed, seller])
        ready = np.minimum(placed + PRODUCTION_WEEKS, len(billed) - 1)
        np.add.at(billed, (ready, seller), amount)
        due = np.minimum(ready + world.firms.supplier_credit_weeks[seller], len(billed) - 1)
        np.add.at(payable, (due, seller), amount)
    billed, payable = np.cumsum(billed, axis=0), np.cumsum(payable, axis=0)
    owed = np.maximum(billed[:weeks] - payable[:weeks], 0.0) * np.exp(left)
    later = payable[_WEEKS_OF_A_MONTH : weeks + _WEEKS_OF_A_MONTH] - payable[:weeks]
    return owed, np.minimum(later * np.exp(left), owed)


def _supplier_credit(world: World, at: Moments, month: NDArray[np.int64]) -> Balances:
    owed, due = (to_cents(amounts[at.week, at.seller]) for amounts in supplier_balances(world))
    return _balances(SUPPLIER, at.seller, month, owed > 0, owed=owed, due=due, overdue=0 * owed)


def tax_shortfall(world: World) -> NDArray[np.float64]:
    """Return tax due and never paid, summed up to each week, CNY, shape (weeks, sellers)."""
    timeline, weekly = world.timeline, world.weekly
    rate = np.where(world.firms.is_euro, timeline.cny_per_eur[:, None], timeline.cny_per_usd[:, None])
    due = (weekly["sales"] + weekly["hosted_sales"] + weekly["site_sales"]) * rate * world.settings.economy.tax_share
    total: NDArray[np.float64] = np.cumsum(due + world.flows[FLOWS.index("tax_paid")], axis=0)
    return total


def _tax(world: World, at: Moments, month: NDArray[np.int64]) -> Balances:
    """Return unpaid tax; it is overdue once the tax office has closed the year."""
    first, owed = world.timeline.first_day, tax_shortfall(world)
    now = to_cents(owed[at.week, at.seller])
    years = (first + at.day - _REPORTED_AFTER_DAYS).astype("datetime64[Y]").astype("datetime64[D]")
    closed = (years - first).astype(np.int64) // 7
    overdue = np.where(closed > 0, to_cents(owed[np.maximum(closed - 1, 0), at.seller]), 0)
    return _balances(TAX, at.seller, month, now > _LEAST_CENTS, owed=now, overdue=np.clip(overdue, 0, now))


def _advances(world: World, at: Moments, month: NDArray[np.int64]) -> Balances:
    """Return what is left of the marketplace's advances, fees included, in account currency."""
    rows, owed = world.events.get("statements", {}), np.zeros((world.timeline.weeks, world.firms.count), dtype=np.int64)
    if rows:
        seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64)
        lent, withheld = (to_cents(rows[name].astype(np.float64)) for name in ("advance", "repayment"))
        np.add.at(owed, (week, seller), lent + advance_fee(world.settings.seed, seller, week, lent) - withheld)
    now = np.cumsum(owed, axis=0)[at.week, at.seller]
    return _balances(ADVANCE, at.seller, month, now > 0, owed=now, overdue=0 * now)


def _called_guarantees(world: World, at: Moments, month: NDArray[np.int64]) -> Balances:
    """Return called debts of others that are not yet paid; all of it is overdue."""
    rows, called = world.events.get("guarantee_calls", {}), np.zeros((world.timeline.weeks, world.firms.count))
    if rows:
        payer, week = rows["guarantor"].astype(np.int64), rows["week"].astype(np.int64)
        np.add.at(called, (week, payer), rows["called"].astype(np.float64))
    owed = np.cumsum(called + world.flows[FLOWS.index("guarantee_paid")], axis=0)
    now = to_cents(np.maximum(owed[at.week, at.seller], 0.0))
    return _balances(GUARANTEE, at.seller, month, now > 0, owed=now, overdue=now)


def true_balances(world: World) -> Balances:
    """Return what members owe at each month end, before anything is left out."""
    is_member = members(world, "debt", 0.6)
    at = moments(world, is_member, month_ends(world))
    month = np.searchsorted(month_ends(world), at.day)
    parts = [_open_loans(world, is_member)]
    parts += [part(world, at, month) for part in (_overdrafts, _supplier_credit, _tax, _advances, _called_guarantees)]
    return Balances(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Balances.__dataclass_fields__)
    )


def told_share(world: World, found: Balances) -> NDArray[np.float64]:
    """Return the share of each balance that the seller states: 0 where the debt is left out."""
    chances = Chances(world, "debt told", found.seller, found.kind, found.loan)
    honesty = world.firms.honesty[found.seller]
    hides = chances.even("left out") < np.minimum(_LEFT_OUT_SHARE * np.exp(-0.8 * honesty), 0.5)
    shrinks = chances.even("understated") < np.minimum(_UNDERSTATED_SHARE * np.exp(-0.8 * honesty), 0.5)
    shrunk = np.where((found.kind == SUPPLIER) & shrinks, 0.4 + 0.4 * chances.even("share"), 1.0)
    return np.where(np.isin(found.kind, _MAY_BE_LEFT_OUT) & hides, 0.0, shrunk)


def facility_text(world: World, found: Balances) -> Text:
    """Return the reference of each debt: the lenders' number of a loan, else one a seller and kind."""
    names = chosen(["", "OVERDRAFT", "SUPPLIER", "TAX", "ADVANCE", "GUARANTEE"], found.kind)
    return either(found.kind == LOAN, loan_text(world, np.maximum(found.loan, 0)), names)


def _creditors(world: World, found: Balances) -> Text:
    lender = np.full(len(found.kind), 0)
    loans = world.events.get("loans", {})
    if loans:
        lender = loans["lender"].astype(np.int64)[np.maximum(found.loan, 0)]
    bank = 1 + np.floor(12 * Chances(world, "overdraft", found.seller).even("bank")).astype(np.int64)
    supplier = world.number(main_supplier(world, found.seller))
    number = np.select([found.kind == LOAN, found.kind == OVERDRAFT, found.kind == SUPPLIER], [lender, bank, supplier])
    names = chosen(["LN", "BK", "V", "TAX-OFFICE", "AMAZON", "CALLED"], found.kind)
    width = whole_text(number, 2)
    numbered = either(found.kind == SUPPLIER, whole_text(number, 5), width)
    return either(found.kind < TAX, joined(names, numbered), names)


def debts(world: World) -> PoolRows:
    """Return the balances that members state, one row per debt and month end."""
    whole = true_balances(world)
    told = told_share(world, whole)
    kept = np.flatnonzero(told > 0)
    kept = kept[np.lexsort((whole.loan[kept], whole.kind[kept], whole.month[kept], whole.seller[kept]))]
    found, share = Balances(*(getattr(whole, name)[kept] for name in Balances.__dataclass_fields__)), told[kept]
    owed, due = (np.rint(cents * share).astype(np.int64) for cents in (found.owed, found.due))
    day = month_ends(world)[found.month]
    facility = facility_text(world, found)

    def filled(values: NDArray[np.int64]) -> Text:
        return either(values >= 0, cents_text(np.maximum(values, 0)), "")

    return PoolRows(
        "debt", found.seller, day, joined(facility, "-", whole_text(found.month, 3)),
        {
            "facility_id": facility, "creditor_id": _creditors(world, found),
            "debt_type": chosen(DEBT_TYPES, found.kind), "outstanding": cents_text(owed),
            "limit_amount": filled(found.limit), "due_30d": either(found.due >= 0, filled(np.maximum(due, 0)), ""),
            "overdue": filled(np.minimum(found.overdue, owed)),
            "currency": either(found.kind == ADVANCE, currencies(world, found.seller), "CNY"),
            "annual_rate_pct": filled(found.rate),
            "maturity_date": either(
                found.matures >= 0, day_text(world.timeline.first_day, np.maximum(found.matures, 0)), ""
            ),
            "is_secured": chosen(["false", "true"], found.is_secured),
        },
    )  # fmt: skip
