"""Receivables, pledges and warehouse receipts of sellers who borrow against them; some are pledged twice or forged.

A statement pledged to two lenders appears as one asset under both, unless the second pledge writes its number
differently. Honest sellers also pledge one statement to two lenders: one after the other when they refinance, or in
parts. The register shows these cases in the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import DOUBLE_PLEDGE
from simulator.files.lenders import due_rows, loan_text
from simulator.files.pool.rows import Chances, PoolRows, currencies, states
from simulator.files.pool.stock import order_numbers, supplier_orders, waybills
from simulator.observation.fraud_cases import fraud_cases
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import cents_text, chosen, day_text, either, joined, taken, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

_FINANCED_SHARE = 0.30  # share of sellers whose register entries are delivered
_PLEDGED_SHARE = 0.5  # share of their loans
_REFINANCED_SHARE = 0.10  # share of pledges of a statement that was pledged before and released
_SPLIT_SHARE = 0.02  # share of pledges that split a statement between two lenders
_RESPELT_SHARE = 0.25  # share of double pledges that write the number differently
_PAID_AFTER_DAYS = 7
_MOST_OPEN = 4  # earlier loans searched for one that still runs
_STATEMENTS_HALF_A_YEAR = 12


def financed(world: World) -> NDArray[np.bool_]:
    """Return the sellers whose receivables, pledges and receipts are delivered, shape (sellers,); not at random."""
    seed, firms, sellers = world.settings.observation_seed, world.firms, np.arange(world.firms.count)
    chance = unit_interval(scatter(seed, "financed", sellers))
    return np.asarray(chance < _FINANCED_SHARE * np.exp(0.15 * firms.honesty), dtype=np.bool_)


def _statements(world: World) -> dict[str, NDArray[np.int64]]:
    """Return the marketplace statements with a payout, by seller and week: seller, week, cents in account currency."""
    rows = world.events.get("statements", {})
    seller, week = (rows[name].astype(np.int64) for name in ("seller", "week"))
    cents = to_cents(rows["total"].astype(np.float64))
    kept = np.flatnonzero(cents > 1_000)
    kept = kept[np.lexsort((week[kept], seller[kept]))]
    return {"seller": seller[kept], "week": week[kept], "cents": cents[kept]}


def _asset(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> Text:
    return joined("STM-S", whole_text(world.number(seller), 6), "-", whole_text(week, 4))


def receivables(world: World) -> PoolRows:
    """Return every second statement of financed sellers as a claim on the marketplace, and its later collection."""
    found = _statements(world)
    kept = financed(world)[found["seller"]] & (found["week"] // 2 % 2 == 0)
    seller, week, cents = (found[name][kept] for name in ("seller", "week", "cents"))
    issued = 7 * week + 6
    chances = Chances(world, "receivable", seller, week)
    wait = _PAID_AFTER_DAYS + (3 * chances.even("wait") ** 2).astype(np.int64)
    both = np.concatenate([np.arange(len(seller)), np.flatnonzero(issued + wait < 7 * world.timeline.weeks)])
    is_paid = np.arange(len(both)) >= len(seller)
    day = np.where(is_paid, issued[both] + wait[both], issued[both])
    return PoolRows(
        "receivable", seller[both], day, joined(whole_text(week[both], 4), chosen(["-I", "-C"], is_paid)),
        {
            "asset_reference": _asset(world, seller[both], week[both]), "debtor_name": "Amazon Payments",
            "debtor_type": "platform", "entry_type": chosen(["issued", "collected"], is_paid),
            "due_date": day_text(world.timeline.first_day, issued[both] + 14), "amount": cents_text(cents[both]),
            "currency": currencies(world, seller[both]),
            "collection_days": either(is_paid, whole_text(day - issued[both]), ""),
        },
    )  # fmt: skip


@dataclass(frozen=True)
class Pledges:
    """Statements pledged for loans; arrays of shape (pledges,).

    Attributes:
        seller: Seller that pledged.
        statement: Row of the statement, in order of seller and week.
        lender: Number of the lender.
        loan: Loan number.
        day: Day of the pledge.
        end_day: Day of release or enforcement; may be past the world's end.
        is_respelt: Whether the statement's number is written differently.
        part: Share of the statement that is pledged.
    """

    seller: NDArray[np.int64]
    statement: NDArray[np.int64]
    lender: NDArray[np.int64]
    loan: NDArray[np.int64]
    day: NDArray[np.int64]
    end_day: NDArray[np.int64]
    is_respelt: NDArray[np.bool_]
    part: NDArray[np.float64]


@dataclass(frozen=True)
class _Loans:
    """Loans as the register sees them; arrays of shape (loans,). ``statement`` is the last one before, -1 for none."""

    seller: NDArray[np.int64]
    loan: NDArray[np.int64]
    lender: NDArray[np.int64]
    day: NDArray[np.int64]
    end_day: NDArray[np.int64]
    statement: NDArray[np.int64]


def _loans(world: World, statements: dict[str, NDArray[np.int64]]) -> _Loans:
    """Return all loans with the last statement before each; a loan runs until its last instalment or its default."""
    rows, dues = world.events.get("loans", {}), due_rows(world)
    seller, loan, lender, day = (rows[name].astype(np.int64) for name in ("seller", "loan", "lender", "day"))
    end = np.zeros(len(loan), dtype=np.int64)
    np.maximum.at(end, np.searchsorted(loan, dues["loan"]), dues["day"])
    default = world.default_day[seller]
    end = np.where(default >= 0, np.minimum(end, np.maximum(default, day + 30)), end)
    last = np.searchsorted(statements["seller"] * 10_000 + statements["week"], seller * 10_000 + day // 7) - 1
    is_own = (last >= 0) & (statements["seller"][np.maximum(last, 0)] == seller)
    return _Loans(seller, loan, lender, day, end, np.where(is_own, last, -1))


def drawn_pledges(world: World) -> Pledges:
    """Draw which statement secures which loan: the last before the loan, a used one, a part of one, or one twice."""
    statements = _statements(world)
    loans, chances = _loans(world, statements), Chances(world, "pledge", world.events["loans"]["loan"].astype(np.int64))
    is_double, before = np.isin(loans.loan, fraud_cases(world, DOUBLE_PLEDGE).loan), _open_loan_before(loans)
    secured = (chances.even("secured") < _PLEDGED_SHARE) | is_double
    secured[before[is_double & (before >= 0)]] = True
    is_part = secured & ~is_double & (before >= 0) & (chances.even("in parts") < _SPLIT_SHARE)
    again = np.flatnonzero((is_double | is_part) & (before >= 0))
    is_part[before[np.flatnonzero(is_part)]] = True
    is_settled = is_double | is_part
    is_settled[before[again]] = True
    reuses = ~is_settled & (chances.even("used") < _REFINANCED_SHARE) & (loans.statement >= _STATEMENTS_HALF_A_YEAR)
    older = np.maximum(loans.statement - _STATEMENTS_HALF_A_YEAR, 0)
    statement = np.where(reuses & (statements["seller"][older] == loans.seller), older, loans.statement)
    for _ in range(_MOST_OPEN):  # the earlier loan may itself use the statement of a loan before it
        statement[again] = statement[before[again]]
    secured &= statement >= 0
    secured &= is_settled | ~_is_taken(loans, statement, secured)
    at = np.flatnonzero(secured & financed(world)[loans.seller])
    return Pledges(
        loans.seller[at], statement[at], loans.lender[at], loans.loan[at], loans.day[at], loans.end_day[at],
        (is_double & (chances.even("respelt") < _RESPELT_SHARE))[at], np.where(is_part, 0.5, 1.0)[at],
    )  # fmt: skip


def _open_loan_before(loans: _Loans) -> NDArray[np.int64]:
    """Return the row of the same seller's latest earlier loan that still runs, -1 for none."""
    order = np.lexsort((loans.day, loans.seller))
    before = np.full(len(order), -1)
    for steps in range(_MOST_OPEN, 0, -1):
        later, earlier = order[steps:], order[:-steps]
        runs = (loans.seller[later] == loans.seller[earlier]) & (loans.end_day[earlier] > loans.day[later])
        before[later] = np.where(runs, earlier, before[later])
    return before


def _is_taken(loans: _Loans, statement: NDArray[np.int64], secured: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether an earlier pledge of the same statement is still in force; honest sellers then pledge nothing."""
    order = np.flatnonzero(secured)
    order = order[np.lexsort((loans.day[order], statement[order]))]
    later, earlier = order[1:], order[:-1]
    is_taken = np.zeros(len(statement), dtype=bool)
    is_taken[later] = (statement[later] == statement[earlier]) & (loans.end_day[earlier] > loans.day[later])
    return is_taken


def pledges(world: World) -> PoolRows:
    """Return the entries of the pledge register: pledged, then released or, after a default, enforced."""
    found, statements = drawn_pledges(world), _statements(world)
    ended = np.flatnonzero(found.end_day < 7 * world.timeline.weeks)
    both = np.concatenate([np.arange(len(found.loan)), ended])
    is_end = np.arange(len(both)) >= len(found.loan)
    seller, row = found.seller[both], found.statement[both]
    day = np.where(is_end, found.end_day[both], found.day[both])
    is_enforced = is_end & (world.default_day[seller] >= 0) & (world.default_day[seller] <= day)
    cents = statements["cents"][row]
    asset = _asset(world, seller, statements["week"][row])
    asset = either(found.is_respelt[both], joined(asset, "/A"), asset)
    return PoolRows(
        "pledge", seller, day, joined(loan_text(world, found.loan[both]), chosen(["-P", "-E"], is_end)),
        {
            "asset_reference": asset, "asset_type": "receivable",
            "lender_id": joined("LN", whole_text(found.lender[both], 2)),
            "secured_loan_id": loan_text(world, found.loan[both]),
            "entry_type": chosen(["pledged", "released", "enforced"], is_end.astype(np.int64) + is_enforced),
            "asset_value": cents_text(cents),
            "secured_amount": cents_text(np.floor(0.75 * found.part[both] * cents).astype(np.int64)),
            "currency": currencies(world, seller), "is_registered": "true",
        },
    )  # fmt: skip


def warehouse_receipts(world: World) -> PoolRows:
    """Return financed sellers' warehouse receipts, one for about every fourth shipment; most are inspected later.

    Forgers hold receipts for goods that were never shipped. These are worth more and are seldom inspected.
    """
    orders = supplier_orders(world)
    bits = scatter(world.settings.seed, "receipt", orders.seller, orders.week)
    chosen_ones = np.where(orders.is_forged, bits % np.uint64(2) == 0, bits % np.uint64(4) == 0)
    day = 7 * orders.arrival_week + 6 + (bits >> np.uint64(8)).astype(np.int64) % 10
    kept = np.flatnonzero(financed(world)[orders.seller] & chosen_ones & (day < 7 * world.timeline.weeks))
    seller, day, forged = orders.seller[kept], day[kept], orders.is_forged[kept]
    chances = Chances(world, "warehouse_receipt", seller, orders.week[kept])
    at = states(world, seller, day)
    share = 0.3 + 0.5 * chances.even("share")
    cost = orders.cost[kept] * np.where(forged, 1.0, share)
    later = day + 10 + (40 * chances.even("inspected")).astype(np.int64)
    seen = (chances.even("seen") < np.where(forged, 0.35, 0.75)) & (later < 7 * world.timeline.weeks)
    both = np.concatenate([np.arange(len(kept)), np.flatnonzero(seen)])
    is_visit = np.arange(len(both)) >= len(kept)
    pieces = np.maximum(np.rint(cost / at.rate / np.maximum(world.firms.unit_price[seller] * 0.3, 0.5)), 1)
    number, bill, at_row, house = order_numbers(orders), waybills(world, orders), kept[both], bits[kept][both]
    return PoolRows(
        "warehouse_receipt", seller[both], np.where(is_visit, later[both], day[both]),
        joined(taken(number, at_row), chosen(["-I", "-V"], is_visit)),
        {
            "asset_reference": joined("WR-S", whole_text(world.number(seller[both]), 6), "-", taken(number, at_row)),
            "warehouse_id": joined("WH-", whole_text(house % np.uint64(12), 2)), "warehouse_kind": "overseas",
            "issuer_id": joined("WI-", whole_text(house % np.uint64(5), 2)),
            "entry_type": chosen(["issued", "inspected"], is_visit),
            "quantity": whole_text(pieces[both].astype(np.int64)), "goods_value": cents_text(to_cents(cost[both])),
            "currency": "CNY", "waybill_number": taken(bill, at_row), "order_id": taken(number, at_row),
        },
    )  # fmt: skip
