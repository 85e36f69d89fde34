"""Stated debts are those of the simulated economy, less what a seller leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.economy.advances import advance_fee
from simulator.economy.simulated_world import World
from simulator.files.lenders import loan_text
from simulator.files.pool import debts
from simulator.files.pool.accounts import cash_balances
from simulator.files.pool.debts import debts as stated_debts
from simulator.files.pool.debts import told_share, true_balances
from simulator.files.pool.public_records import public_records
from simulator.files.pool.rows import members, month_ends
from simulator.observation.availability import observe
from simulator.text_columns import to_cents
from simulator.truth.observation_tables import observation_tables
from tests.unit.simulator.files.pool.conftest import amounts, words


def honest(world: World) -> np.ndarray:
    """Return members that state every debt in full."""
    found = true_balances(world)
    hides = np.bincount(found.seller, told_share(world, found) < 1, minlength=world.firms.count) > 0
    return members(world, "debt", 0.6) & ~hides


def owed_on_a_loan(world: World, loan: int, day: int) -> float:
    """Return the balance of a loan from its own course, instalment by instalment."""
    rows = world.events["loans"]
    principal, rate, instalment = (float(rows[name][loan]) for name in ("principal", "rate_pct", "instalment"))
    first = np.datetime64(world.timeline.first_day, "M") + int(rows["first_month"][loan])
    passed = 0
    for number in range(1, int(rows["term"][loan]) + 1):
        due = (first + number).astype("datetime64[D]") + int(rows["day_of_month"][loan]) - 1
        if (due - world.timeline.first_day).astype(int) > day:
            break
        principal = principal * (1 + rate / 1_200) - instalment
        passed = number
    payments = world.events["payments"]
    mine = (payments["loan"] == loan) & (payments["day"] <= day)
    arrears = max(passed * instalment - float(payments["amount"][mine].sum()), 0.0)
    return (principal if passed < rows["term"][loan] else 0.0) + arrears


def test_an_honest_seller_states_its_open_loans_in_full(crowd: World) -> None:
    rows = stated_debts(crowd)
    is_loan, outstanding, facility = (
        words(rows, "debt_type") == "term_loan",
        amounts(rows, "outstanding"),
        words(rows, "facility_id"),
    )
    loans, ends = crowd.events["loans"], month_ends(crowd)
    checked = 0
    for seller in np.flatnonzero(honest(crowd))[:40].tolist():
        for day in ends[[20, 40, 60]].tolist():
            if not crowd.firms.entry_week[seller] <= day // 7 < crowd.closed_week[seller]:
                continue
            mine = np.flatnonzero((loans["seller"] == seller) & (loans["day"] <= day))
            owed = {int(loan): owed_on_a_loan(crowd, int(loan), day) for loan in loans["loan"][mine]}
            is_open = {loan: amount for loan, amount in owed.items() if amount > 0.01}
            at = is_loan & (rows.seller == seller) & (rows.day == day)
            names = loan_text(crowd, np.array(sorted(is_open), dtype=np.int64)).to_pylist()
            assert sorted(facility[at]) == names
            assert outstanding[at].sum() == pytest.approx(sum(is_open.values()), abs=0.02 * max(len(is_open), 1))
            checked += len(is_open)
    assert checked > 20


def test_no_balance_is_overdue_beyond_what_is_owed_or_above_its_limit(crowd: World) -> None:
    rows = stated_debts(crowd)
    owed, overdue, limit = (amounts(rows, name) for name in ("outstanding", "overdue", "limit_amount"))
    assert (overdue <= owed).all()
    has_limit = ~np.isnan(limit)
    assert has_limit.any()
    assert (owed[has_limit] <= limit[has_limit]).all()
    assert (rows.day // 7 >= crowd.firms.entry_week[rows.seller]).all()
    assert (rows.day // 7 < crowd.closed_week[rows.seller]).all()


def test_each_facility_has_one_row_a_month_end(crowd: World) -> None:
    rows = stated_debts(crowd)
    keys = list(zip(rows.seller.tolist(), rows.key.to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)
    assert np.isin(rows.day, month_ends(crowd)).all()


def test_the_overdraft_is_the_negative_balance_of_the_bank_account(crowd: World) -> None:
    rows, bank = stated_debts(crowd), cash_balances(crowd)
    is_line = words(rows, "debt_type") == "credit_line"
    used = dict(zip(zip(rows.seller[is_line].tolist(), rows.day[is_line].tolist(), strict=True),
                    amounts(rows, "outstanding")[is_line].tolist(), strict=True))  # fmt: skip
    keys = list(zip(bank.seller.tolist(), bank.day.tolist(), strict=True))
    balances = amounts(bank, "balance").tolist()
    both = [(used[key], balance) for key, balance in zip(keys, balances, strict=True) if key in used]
    in_debt = [(line, -balance) for line, balance in both if balance < -500]
    assert len(in_debt) > 100
    assert np.median([line / balance for line, balance in in_debt]) == pytest.approx(1.0, abs=0.05)
    assert all(line == 0 for line, balance in both if balance > 0)


def test_unpaid_tax_in_the_public_records_is_owed_to_the_tax_office(crowd: World) -> None:
    found = public_records(crowd)
    kind, year_end = (
        words(found, "record_kind"),
        int((np.datetime64("2024-01-01") - crowd.timeline.first_day).astype(int)),
    )
    due = np.bincount(
        found.seller,
        np.where((kind == "tax_due") & (found.day < year_end), amounts(found, "amount"), 0.0),
        minlength=crowd.firms.count,
    )
    paid = np.bincount(
        found.seller,
        np.where((kind == "tax_paid") & (found.day < year_end), amounts(found, "amount"), 0.0),
        minlength=crowd.firms.count,
    )
    rows = stated_debts(crowd)
    at = (words(rows, "debt_type") == "tax") & (rows.day == month_ends(crowd)[-1])
    sellers, overdue = rows.seller[at], amounts(rows, "overdue")[at]
    short = (due - paid)[sellers]
    assert len(sellers) > 10
    later = overdue >= short - 1.0  # the year 2023 closed after the last of these records
    assert later.all()
    assert (overdue > 0).sum() > 0.5 * len(sellers)


def test_what_a_failed_supplier_never_delivers_is_not_owed(crowd: World) -> None:
    owed, due = debts.supplier_balances(crowd)
    assert (due <= owed + 1e-9).all()
    seller, week, share = crowd.incidents("supplier failure")
    before = np.maximum(week - 1, 0)
    hit = (share > 0.5) & (owed[before, seller] > 5_000) & (crowd.firms.supplier_credit_weeks[seller] == 8)
    assert hit.sum() >= 3
    assert (owed[week, seller][hit] / owed[before, seller][hit]).mean() < 0.8
    assert (owed[:, crowd.firms.supplier_credit_weeks == 0] == 0).all()


def test_a_supplier_is_owed_the_balance_until_its_due_week(crowd: World) -> None:
    rows, firms = crowd.events["orders"], crowd.firms
    failed = set(crowd.incidents("supplier failure")[0].tolist())
    owed, _ = debts.supplier_balances(crowd)
    sellers = [s for s in np.flatnonzero(firms.supplier_credit_weeks > 0).tolist() if s not in failed][:30]
    assert len(sellers) >= 10
    for seller in sellers:
        mine = rows["seller"] == seller
        ready = rows["week"][mine] + 3
        end, rest = ready + firms.supplier_credit_weeks[seller], (rows["cost"] - rows["deposit"])[mine]
        for week in (60, 150, 250):
            assert owed[week, seller] == pytest.approx(rest[(ready <= week) & (week < end)].sum(), abs=0.01)


def test_an_advance_is_owed_with_its_fee_until_it_is_repaid(crowd: World) -> None:
    found = true_balances(crowd)
    at = found.kind == debts.ADVANCE
    assert at.sum() > 30
    rows = crowd.events["statements"]
    for seller in np.unique(found.seller[at])[:10].tolist():
        mine = np.flatnonzero(rows["seller"] == seller)
        week = rows["week"][mine].astype(np.int64)
        lent, back = (to_cents(rows[name][mine].astype(float)) for name in ("advance", "repayment"))
        fee = advance_fee(crowd.settings.seed, rows["seller"][mine].astype(np.int64), week, lent)
        for month, owed in zip(
            found.month[at & (found.seller == seller)], found.owed[at & (found.seller == seller)], strict=True
        ):
            until = week <= month_ends(crowd)[month] // 7
            assert owed == (lent + fee - back)[until].sum() > 0


def test_dishonest_sellers_leave_debts_out_and_the_truth_says_which(crowd: World) -> None:
    found = true_balances(crowd)
    told = told_share(crowd, found)
    hides = np.bincount(found.seller, told < 1, minlength=crowd.firms.count) > 0
    is_member = members(crowd, "debt", 0.6)
    assert 0.05 < hides[is_member].mean() < 0.5
    assert crowd.firms.honesty[is_member & hides].mean() < crowd.firms.honesty[is_member & ~hides].mean() - 0.2
    truth = observation_tables(crowd, observe(crowd), [])["unreported"].to_pylist()
    left_out = {
        (row["seller_id"], row["reference"]) for row in truth if row["table"] == "debt" and row["told_share"] == 0
    }
    rows = stated_debts(crowd)
    stated = set(zip(crowd.seller_ids()[rows.seller].tolist(), words(rows, "facility_id").tolist(), strict=True))
    assert len(left_out) > 20
    assert not left_out & stated
    shrunk = [row for row in truth if row["table"] == "debt" and row["told_share"] > 0]
    assert shrunk
    assert {row["reference"] for row in shrunk} == {"SUPPLIER"}
    ids = crowd.seller_ids()
    for row in shrunk[:10]:
        seller = int(np.flatnonzero(ids == row["seller_id"])[0])
        told_owed = amounts(rows, "outstanding")[
            (rows.seller == seller) & (words(rows, "facility_id") == "SUPPLIER")
        ].sum()
        true_owed = found.owed[(found.seller == seller) & (found.kind == debts.SUPPLIER)].sum() / 100
        assert told_owed == pytest.approx(row["told_share"] * true_owed, rel=1e-4)


def test_called_guarantees_are_owed_as_far_as_they_are_unpaid(crowd: World) -> None:
    found, calls = true_balances(crowd), crowd.events["guarantee_calls"]
    at = found.kind == debts.GUARANTEE
    assert at.any()
    assert np.isin(found.seller[at], calls["guarantor"]).all()
    called = np.bincount(calls["guarantor"].astype(int), calls["called"].astype(float), minlength=crowd.firms.count)
    assert (found.owed[at] <= to_cents(called)[found.seller[at]] + 1).all()
    assert np.array_equal(found.owed[at], found.overdue[at])
