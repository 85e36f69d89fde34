"""A worse or missing figure never raises a limit or lowers a price, and every refusal has its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused
from lending.offers import offers
from lending.policy.records import FIGURES, WORSE_WHEN_HIGHER, parse_policy, shipped_policy

GOOD = {
    "pd_12m": 0.03, "monthly_payouts_usd": 50000.0, "evidence_share": 0.9, "borrowed_usd": 10000.0,
    "group_borrowed_usd": 10000.0, "months_of_history": 24.0, "receivables_usd": 60000.0, "stock_usd": 80000.0,
    "moving_goods_share": 0.7, "fraud_flags": 0.0, "screening_hits": 0.0,
}  # fmt: skip
ORDER = {"available": 0, "available_if": 1, "not_available": 2}


def table(*rows: dict[str, float | None]) -> pa.Table:
    columns: dict[str, list[Any]] = {"seller_id": [f"S{place}" for place in range(len(rows))]}
    columns |= {name: [row[name] for row in rows] for name in rows[0]}
    return pa.table(columns)


def offered(product: str, **changes: float | None) -> dict[str, Any]:
    rows = offers(table({**GOOD, **changes}), shipped_policy()).to_pylist()
    return next(row for row in rows if row["product"] == product)


def test_the_limit_is_two_months_of_verified_payouts_less_debts() -> None:
    row = offered("platform_flow_loan")
    assert (row["status"], row["binding_cap"], row["limit_usd"]) == ("available", "lender", 50000)
    row = offered("platform_flow_loan", monthly_payouts_usd=25000.0)
    assert (row["binding_cap"], row["limit_usd"]) == ("payouts", 35000)


def test_the_parts_of_the_rate_add_up() -> None:
    row = offered("platform_flow_loan")
    assert row["rate"] == pytest.approx(
        sum(row[f"rate_{part}"] for part in ("funding", "expected_loss", "capital", "operating", "margin"))
    )
    assert row["rate_operating"] == pytest.approx(150 / 50000 * 365 / 120)
    assert row["rate_expected_loss"] == pytest.approx((1 - 0.97 ** (120 / 365)) * 0.6 * 365 / 120)


def test_a_rate_above_the_legal_maximum_is_refused() -> None:
    row = offered("platform_flow_loan", pd_12m=0.6)
    assert (row["status"], row["rate"], row["limit_usd"]) == ("not_available", None, None)
    assert row["refused_because"] == ["rate_above_legal_maximum"]


def test_a_condition_not_met_says_which_by_how_much_and_which_document() -> None:
    row = offered("revolving_line", months_of_history=9.0)
    assert (row["status"], row["unmet"], row["shortfall"]) == ("available_if", ["months_of_history"], [3])
    assert row["documents"] == ["payout statements of the missing months"]


def test_a_borrowing_base_and_a_low_balance_bind() -> None:
    assert offered("receivable_factoring", receivables_usd=20000.0)["limit_usd"] == 16000
    row = offered("platform_flow_loan", lowest_balance_p10_usd=9100.0)
    assert (row["binding_cap"], row["limit_usd"]) == ("lowest_balance", 12000)


def test_signs_of_fraud_refuse_every_product() -> None:
    rows = offers(table({**GOOD, "fraud_flags": 1.0}), shipped_policy()).to_pylist()
    assert {row["status"] for row in rows} == {"not_available"}
    assert all("fraud_flags" in row["refused_because"] for row in rows)


def test_the_fee_of_an_advance_is_half_the_rate_over_the_days_it_takes() -> None:
    row = offered("revenue_based_advance")
    assert row["fee_usd"] == pytest.approx(row["limit_usd"] * row["rate"] * row["days_to_repay_middle"] / 730, rel=0.01)
    assert (row["binding_cap"], row["limit_usd"]) == ("share_of_payouts", int(0.15 * 45000 * 12 / 365 * 0.6 * 180))
    assert row["days_to_repay_fast"] < row["days_to_repay_middle"] < row["days_to_repay_slow"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ConfigurationRefused, match="stock_usd"):
        offers(table(GOOD).drop_columns(["stock_usd"]), shipped_policy())


def test_a_policy_that_rewards_looking_small_is_refused() -> None:
    text = shipped_policy().model_copy(update={"segments": shipped_policy().segments[::-1]}).model_dump_json()
    with pytest.raises(ConfigurationRefused, match="first segment"):
        parse_policy(text, "mine.yaml")


def random_sellers(count: int) -> list[dict[str, float | None]]:
    """Return sellers of all sizes around every threshold, some with gaps."""
    draw = np.random.default_rng(20261201)
    spread = {name: value * np.exp(draw.normal(0, 1.2, count)) for name, value in GOOD.items()}
    for name in ("evidence_share", "moving_goods_share", "pd_12m"):
        spread[name] = np.minimum(spread[name], 1)
    gaps = draw.random((count, len(GOOD))) < 0.03
    return [
        {name: None if gaps[row, place] else float(spread[name][row]) for place, name in enumerate(GOOD)}
        | {"lowest_balance_p10_usd": float(draw.normal(20000, 30000))}
        for row in range(count)
    ]


@pytest.mark.parametrize("how", ["worse", "gap"])
@pytest.mark.parametrize("name", [*FIGURES, "lowest_balance_p10_usd"])
def test_a_worse_or_withheld_figure_never_improves_an_offer(name: str, how: str) -> None:
    before = random_sellers(1000)
    after = [dict(row) for row in before]
    for row in after:
        value = row[name]
        worse = (value or 0) * 2 + 0.01 if name in WORSE_WHEN_HIGHER else (value or 0) - abs(value or 0) / 2
        row[name] = None if how == "gap" or value is None else worse
    old, new = (offers(table(*rows), shipped_policy()) for rows in (before, after))
    assert sum(status == "available" for status in old["status"].to_pylist()) > 200
    status_old, status_new = (
        np.array([ORDER[status] for status in found["status"].to_pylist()]) for found in (old, new)
    )
    limit_old, limit_new = (found["limit_usd"].fill_null(0).to_numpy() for found in (old, new))
    rate_old, rate_new = (found["rate"].fill_null(np.inf).to_numpy() for found in (old, new))
    assert (status_new >= status_old).all()
    assert (limit_new <= limit_old).all()
    assert (rate_new >= rate_old - 1e-12).all()
