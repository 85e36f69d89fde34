"""Each lie changes what it says and nothing else, and its gain is measured before and after the checks."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.build import build_features
from features.catalogue import select_features
from models.components.scale import PointsScale
from pipelines.explain.lie_table import LieSettings, liars_of, lie_table
from pipelines.explain.lies import LIES, UPLIFT
from tests.factories.canonical_tables import canonical_tables, coverage_rows, observations

SELLERS = tuple(f"S{number}" for number in range(1, 9))
FEATURES = ("refund_share_worst_180d", "chargeback_share_365d", "undelivered_account_count")
AMOUNTS = {"sale": 1000, "refund": -100, "chargeback": -50, "penalty": -30, "advance_repayment": -20, "payout": -800}


def ledger(seller: str, platform: str = "amazon") -> list[dict[str, Any]]:
    rows = []
    for number in range(12):
        day = dt.date(2024, 1, 10) + dt.timedelta(days=28 * number)
        common = {"seller_id": seller, "statement_id": f"{platform}-{number}", "event_date": day, "platform": platform}
        source = {"source": "amazon_settlement_v2@1.0.0" if platform == "amazon" else "temu_settlement@1.0.0"}
        rows += [{**common, **source, "event_type": kind, "amount": amount} for kind, amount in AMOUNTS.items()]
    return rows


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    """Return sellers with a ledger, orders, invoices and bank entries; S1 sells on a second platform."""
    events = [row for seller in SELLERS for row in ledger(seller)]
    other = {"refund": -300, "payout": -600}
    second = [{**row, "amount": other.get(row["event_type"], row["amount"])} for row in ledger("S1", "Temu")]
    covered = coverage_rows(SELLERS, ["money_event", "login_event"])
    of_second = {**coverage_rows(["S1"], ["money_event"])[0], "delivered_source": "temu_settlement"}
    return canonical_tables(
        money_event=events + second,
        site_order=[{"seller_id": "S1", "refunded_amount": 5, "event_date": "2024-06-01"}],
        trade_invoice=[
            {"seller_id": "S1", "direction": side, "event_date": "2024-06-01"} for side in ("sale", "purchase")
        ],
        bank_entry=[
            {"seller_id": "S1", "counterparty_kind": "loan_repayment", "amount": -5, "event_date": "2024-06-01"}
        ],
        login_event=[{"seller_id": "S1", "platform": "Temu", "event_date": "2024-06-01"}],
        source_coverage=[*covered, of_second],
    )


def sums(tables: dict[str, pa.Table], seller: str = "S2") -> dict[str, float]:
    found: dict[str, float] = {}
    for row in tables["money_event"].to_pylist():
        if row["seller_id"] == seller:
            found[row["event_type"]] = found.get(row["event_type"], 0.0) + float(row["amount_usd"])
    return found


HONEST = {kind: 12.0 * amount for kind, amount in AMOUNTS.items()}


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ("drop_refunds", {**HONEST, "refund": None}),
        ("drop_refunds_penalties_chargebacks", {**HONEST, "refund": None, "penalty": None, "chargeback": None}),
        ("delay_refunds", HONEST),
        ("raise_everything", {kind: amount * UPLIFT for kind, amount in HONEST.items()}),
        ("raise_sales_and_payouts", {**HONEST, "sale": 15_600, "payout": -12_480}),
        ("raise_sales", {**HONEST, "sale": 15_600}),
        ("raise_own_shop", HONEST),
        ("raise_purchases", HONEST),
        ("raise_payouts", {**HONEST, "payout": -12_480}),
        ("leave_out_repayments", {**HONEST, "advance_repayment": None}),
        ("halve_refunds_and_balance", {**HONEST, "refund": -600, "payout": -10_200}),
    ],
)
def test_a_lie_changes_the_ledger_as_it_says(
    tables: dict[str, pa.Table], lie: str, expected: dict[str, float | None]
) -> None:
    falsified = LIES[lie](tables)
    assert sums(falsified) == pytest.approx({kind: amount for kind, amount in expected.items() if amount is not None})
    for name, table in tables.items():
        assert falsified[name].schema.equals(table.schema), name


@pytest.mark.parametrize(
    ("lie", "changed"),
    [
        ("drop_refunds", {"money_event", "site_order"}),
        ("delay_refunds", {"money_event"}),
        ("raise_own_shop", {"site_order"}),
        ("raise_purchases", {"trade_invoice"}),
        ("raise_everything", {"money_event", "site_order", "trade_invoice"}),
        ("split_account", {"money_event", "source_coverage"}),
        ("leave_out_repayments", {"money_event", "bank_entry"}),
    ],
)
def test_a_lie_leaves_all_other_tables_alone(tables: dict[str, pa.Table], lie: str, changed: set[str]) -> None:
    falsified = LIES[lie](tables)
    assert {name for name in tables if not falsified[name].equals(tables[name])} == changed


def test_delayed_refunds_come_sixty_days_later(tables: dict[str, pa.Table]) -> None:
    def days(of: dict[str, pa.Table], kind: str) -> list[dt.date]:
        rows = of["money_event"].to_pylist()
        return sorted(row["event_date"] for row in rows if row["seller_id"] == "S2" and row["event_type"] == kind)

    falsified = LIES["delay_refunds"](tables)
    assert days(falsified, "refund") == [day + dt.timedelta(days=60) for day in days(tables, "refund")]
    assert days(falsified, "sale") == days(tables, "sale")


def test_a_split_account_takes_the_worse_platform_with_its_deliveries(tables: dict[str, pa.Table]) -> None:
    falsified = LIES["split_account"](tables)
    rows = falsified["money_event"].to_pylist()
    assert {row["platform"] for row in rows if row["seller_id"] == "S1"} == {"amazon"}
    covered = falsified["source_coverage"].to_pylist()
    assert {row["delivered_source"] for row in covered if row["seller_id"] == "S1"} == {"amazon_settlement_v2"}
    alone = {row["statement_id"] for row in rows if row["seller_id"] == "S2"}
    assert 0 < len(alone) < 12
    assert len([row for row in rows if row["seller_id"] == "S2"]) == len(AMOUNTS) * len(alone)


class RefundsCount:
    """A model whose log-odds rise with the refund share only."""

    feature_names = FEATURES
    scale = PointsScale()

    def log_odds(self, X: np.ndarray) -> np.ndarray:
        return 10 * X[:, 0] - 3.0

    def missing_required(self, X: np.ndarray) -> np.ndarray:
        return np.zeros(len(X), dtype=bool)


@pytest.fixture(scope="module")
def document(tables: dict[str, pa.Table]) -> dict[str, Any]:
    chosen = select_features("few", "1.0.0", FEATURES)
    matrix = build_features(tables, observations([(seller, "2024-12-31") for seller in SELLERS]), chosen).table
    settings = LieSettings(sellers=50, together=3, draws=200)
    liars = liars_of(RefundsCount(), chosen, tables, matrix, settings)  # type: ignore[arg-type]
    found = lie_table(liars, settings)
    assert found is not None
    return {**found, "of": {line["lie"]: SimpleNamespace(**line) for line in found["lies"]}}


def test_the_gain_of_a_lie_is_that_of_the_falsified_features(document: dict[str, Any]) -> None:
    # Seven sellers lose a refund share of 0.1; of S1 the worst platform loses 0.3.
    points = [round(10 * share * PointsScale().factor) for share in (0.1, 0.3)]
    dropped = document["of"]["drop_refunds"]
    assert dropped.before["mean"]["value"] == pytest.approx((7 * points[0] + points[1]) / 8, abs=1)
    assert dropped.before["largest"] == pytest.approx(points[1], abs=1)
    assert dropped.before["mean"]["lower"] <= dropped.before["mean"]["value"] <= dropped.before["mean"]["upper"]


def test_a_flagged_lie_keeps_nothing(document: dict[str, Any]) -> None:
    dropped = document["of"]["drop_refunds"]
    assert dropped.codes == {"no_refunds": 8, "statements_do_not_close": 8}
    assert dropped.flagged["value"] == 1.0
    assert (dropped.after["mean"]["value"], dropped.after["largest"]) == (0.0, 0.0)


def test_a_lie_that_no_check_finds_keeps_its_gain(document: dict[str, Any]) -> None:
    everything = document["of"]["raise_everything"]
    assert everything.codes == {}
    assert everything.after == everything.before
    assert everything.before["mean"]["value"] == 0.0, "all shares stay the same"


def test_a_careful_lie_is_found_by_no_check_of_the_ledger(document: dict[str, Any]) -> None:
    careful = document["of"]["halve_refunds_and_balance"]
    assert careful.codes == {}
    assert careful.after == careful.before
    assert 0 < careful.before["mean"]["value"] < document["of"]["drop_refunds"].before["mean"]["value"]


def test_a_split_account_that_a_login_shows_is_flagged(document: dict[str, Any]) -> None:
    assert document["of"]["split_account"].codes == {"undelivered_account": 1}


def test_honest_sellers_are_counted_too(document: dict[str, Any]) -> None:
    assert document["sellers"] == len(SELLERS)
    assert document["honest"]["codes"] == {}
    assert document["honest"]["flagged"]["value"] == 0.0
    assert [line["lie"] for line in document["lies"]] == list(LIES)


def test_a_lie_about_what_was_not_delivered_is_no_line(tables: dict[str, pa.Table]) -> None:
    chosen = select_features("few", "1.0.0", FEATURES)
    matrix = build_features(tables, observations([("S2", "2024-12-31")]), chosen).table
    liars = liars_of(RefundsCount(), chosen, tables, matrix, LieSettings())  # type: ignore[arg-type]
    found = lie_table(liars, LieSettings(draws=10))
    assert found is not None
    assert {line["lie"] for line in found["lies"]} == set(LIES) - {"raise_own_shop", "raise_purchases"}
