from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.mapping.currency import load_exchange_rates
from features.engine.as_of import AsOf
from lending.cash_forecast.figures import SOURCES
from lending.cash_forecast.forecast import EMERGENCY, NO_ACTION, NO_SALES, Basis, CashForecast, forecast_cash
from lending.cash_forecast.settings import WEEKS, CashForecastSettings
from tests.factories.canonical_tables import canonical_table, coverage_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from data_contracts.mapping.currency import ExchangeRates

DAY = dt.date(2024, 9, 30)
Rows = dict[str, list[dict[str, Any]]]


def on(ahead: int) -> str:
    return (DAY + dt.timedelta(days=ahead)).isoformat()


def statements(seller: str, sales: float, weeks: int = 32) -> list[dict[str, Any]]:
    """Return fortnightly statements: sales, a commission of 30 % and a payout two days after the close."""
    rows = []
    for number in range(weeks // 2):
        close, name = -14 * number - 4, f"{seller}-{number}"
        common = {"seller_id": seller, "statement_id": name, "known_at": f"{on(close)}T12:00:00"}
        rows += [
            {**common, "event_type": "sale", "amount": sales, "event_date": on(close - 11)},
            {**common, "event_type": "sale", "amount": sales, "event_date": on(close - 4)},
            {**common, "event_type": "commission", "amount": round(-0.6 * sales, 2), "event_date": on(close - 4)},
            {**common, "event_type": "payout", "amount": round(-1.4 * sales, 2), "event_date": on(close + 2)},
        ]
    return rows


def balance_row(seller: str, balance: int) -> dict[str, Any]:
    return {"seller_id": seller, "account_purpose": "operating", "balance": balance, "balance_usd": balance,
            "event_date": on(-1)}  # fmt: skip


def rows_of(seller: str = "S1") -> Rows:
    loans = [
        {"seller_id": seller, "loan_id": "L1", "entry_type": "due", "amount": 500, "event_date": on(ahead),
         "known_at": f"{on(-100)}T00:00:00"}
        for ahead in (10, 40, 70)
    ]  # fmt: skip
    return {
        "money_event": statements(seller, 7_000.0),
        "cash_balance": [balance_row(seller, 20_000)],
        "repayment": loans,
        "purchase_order": [
            {"seller_id": seller, "order_number": "O1", "entry_type": "placed", "amount": 9_000, "event_date": on(-10),
             "payment_terms_days": 30},
        ],
        "source_coverage": coverage_rows([seller], SOURCES),
    }  # fmt: skip


def forecast(rows: Mapping[str, list[dict[str, Any]]], seller: str = "S1", **changed: float) -> CashForecast:
    return of_tables({name: canonical_table(name, own) for name, own in rows.items()}, [seller], **changed)


def of_tables(tables: Mapping[str, pa.Table], sellers: list[str], **changed: float) -> CashForecast:
    basis = Basis(rates(), CashForecastSettings.model_validate(changed))
    return forecast_cash(tables, pa.array(sellers), AsOf(DAY), basis)


@functools.cache
def rates() -> ExchangeRates:
    return load_exchange_rates()


def column(found: CashForecast, name: str) -> NDArray[np.float64]:
    return np.asarray(found.weeks[name])


def band(found: CashForecast) -> NDArray[np.float64]:
    return column(found, "balance_p90_usd") - column(found, "balance_p10_usd")


def without(rows: Rows, source: str) -> Rows:
    kept = [row for row in rows["source_coverage"] if row["covered_table"] != source]
    return {**{name: own for name, own in rows.items() if name != source}, "source_coverage": kept}


def test_thirteen_weeks_begin_on_the_day_after_the_date() -> None:
    found = forecast(rows_of())
    assert found.weeks["week"].to_pylist() == list(range(1, WEEKS + 1))
    assert found.weeks["week_start"][0].as_py() == DAY + dt.timedelta(days=1)
    assert found.sellers["opening_usd"][0].as_py() == 20_000


def test_flows_add_up_from_the_opening_balance_to_each_median() -> None:
    found = forecast(rows_of())
    net = np.cumsum(column(found, "inflow_p50_usd") - column(found, "outflow_p50_usd"))
    opening = found.sellers["opening_usd"][0].as_py()
    assert column(found, "balance_p50_usd") == pytest.approx(opening + net, abs=0.2)
    assert column(found, "inflow_p50_usd").min() >= 0
    assert column(found, "outflow_p50_usd").min() >= 0


def test_known_forecast_and_assumed_shares_add_up_to_all_flows() -> None:
    summary = forecast(rows_of()).sellers.to_pylist()[0]
    shares = [summary[f"{name}_share"] for name in ("known", "forecast", "assumed")]
    assert sum(shares) == pytest.approx(1, abs=2e-4)
    assert min(shares) >= 0


def test_quantiles_are_in_order_and_probabilities_lie_between_zero_and_one() -> None:
    found = forecast(rows_of())
    assert (np.diff([column(found, f"balance_p{level}_usd") for level in (10, 50, 90)], axis=0) >= 0).all()
    assert ((column(found, "breach_probability") > 0) & (column(found, "breach_probability") < 1)).all()


@given(amount=st.integers(1, 50_000), ahead=st.integers(1, 91))
@settings(max_examples=4, deadline=None)
def test_more_debt_service_never_raises_the_balance(amount: int, ahead: int) -> None:
    rows = rows_of()
    more = {"seller_id": "S1", "loan_id": "L2", "entry_type": "due", "amount": amount, "event_date": on(ahead)}
    more["known_at"] = f"{on(-5)}T00:00:00"
    plain, burdened = forecast(rows), forecast({**rows, "repayment": [*rows["repayment"], more]})
    for name in ("balance_p10_usd", "balance_p50_usd", "balance_p90_usd"):
        assert (column(burdened, name) <= column(plain, name) + 0.011).all()
    due = (ahead - 1) // 7
    assert column(burdened, "balance_p50_usd")[due] < column(plain, "balance_p50_usd")[due]
    assert burdened.sellers["debt_service_usd"][0].as_py() == 1_500 + amount


@pytest.mark.parametrize("source", ["cash_balance", "purchase_order", "repayment", "debt", "receivable", "bank_entry"])
@pytest.mark.parametrize(("sales", "balance"), [(300, 2_000_000), (90_000, -5_000)])
def test_a_missing_source_never_narrows_the_forecast(source: str, sales: int, balance: int) -> None:
    rows = rows_of()
    rows["money_event"] = statements("S1", float(sales))
    rows["cash_balance"] = [balance_row("S1", balance)]
    lacking = forecast(without(rows, source))
    assert (band(lacking) >= band(forecast(rows)) - 0.011).all()
    assert source in lacking.sellers["sources_missing"][0].as_py()


@given(
    table=st.sampled_from(["money_event", "cash_balance", "purchase_order", "repayment"]),
    amount=st.integers(1, 10**6),
    happened=st.integers(-80, 80),
    known=st.integers(1, 90),
)
@settings(max_examples=6, deadline=None)
def test_what_becomes_known_after_the_date_changes_no_bit(table: str, amount: int, happened: int, known: int) -> None:
    rows = rows_of()
    later = {**rows[table][-1], "amount": amount, "event_date": on(happened), "known_at": f"{on(known)}T00:00:00"}
    if table == "cash_balance":
        later = {**balance_row("S1", later.pop("amount")), **{name: later[name] for name in ("event_date", "known_at")}}
    changed = {**rows, table: [*rows[table], later]}
    assert forecast(rows).weeks.equals(forecast(changed).weeks)
    assert forecast(rows).sellers.equals(forecast(changed).sellers)


def test_a_known_instalment_in_another_currency_uses_the_rate_of_the_date() -> None:
    rows = rows_of()
    due = {"seller_id": "S1", "loan_id": "L9", "entry_type": "due", "amount": 7_000, "currency": "CNY",
           "event_date": on(20), "known_at": f"{on(-5)}T00:00:00"}  # fmt: skip
    cheap, dear = ({**due, "amount_usd": usd} for usd in (1, 9_999))
    found = [forecast({**rows, "repayment": [one]}).weeks for one in (cheap, dear)]
    assert found[0].equals(found[1])


def test_a_seller_gets_the_same_forecast_alone_and_in_chunks_with_others() -> None:
    both = rows_of()
    for name, rows in rows_of("S2").items():
        both[name] = [*both[name], *({**row, "amount": 3.0} if name == "purchase_order" else row for row in rows)]
    tables = {name: canonical_table(name, own) for name, own in both.items()}
    together, apart = (of_tables(tables, ["S2", "S1"], sellers_at_once=size) for size in (10, 1))
    alone = of_tables(tables, ["S1"])
    assert together.weeks.equals(apart.weeks)
    assert together.weeks.slice(0, WEEKS).equals(alone.weeks)


def test_settled_money_that_was_not_paid_out_is_known_inflow_in_its_week() -> None:
    rows = rows_of()
    sale = {"seller_id": "S1", "platform": "SHEIN", "statement_id": "H1", "event_type": "sale", "amount": 5_000,
            "event_date": on(-20), "known_at": f"{on(-15)}T00:00:00", "available_on": on(24)}  # fmt: skip
    plain, more = forecast(rows), forecast({**rows, "money_event": [*rows["money_event"], sale]})
    gained = column(more, "inflow_p50_usd") - column(plain, "inflow_p50_usd")
    assert gained.argmax() == 3
    assert more.sellers["known_share"][0].as_py() > plain.sellers["known_share"][0].as_py()


def test_a_paid_statement_is_not_counted_again() -> None:
    rows = rows_of()
    common = {"seller_id": "S1", "platform": "SHEIN", "statement_id": "H1", "known_at": f"{on(-3)}T00:00:00"}
    sale = {**common, "event_type": "sale", "amount": 5_000, "event_date": on(-40), "available_on": on(10)}
    paid = {**common, "event_type": "payout", "amount": -5_000, "event_date": on(-4)}
    unpaid = forecast({**rows, "money_event": [*rows["money_event"], sale]})
    settled = forecast({**rows, "money_event": [*rows["money_event"], sale, paid]})
    assert column(settled, "inflow_p50_usd")[1] < column(unpaid, "inflow_p50_usd")[1]


def test_a_seller_without_sales_gets_no_forecast_and_says_so() -> None:
    found = forecast({"source_coverage": coverage_rows(["S1"], ["cash_balance"])})
    assert found.weeks.num_rows == 0
    summary = found.sellers.to_pylist()[0]
    assert (summary["status"], summary["action"], summary["opening_usd"]) == (NO_SALES, NO_ACTION, None)
    assert "money_event" in summary["sources_missing"]


def test_an_overdrawn_seller_is_to_seek_emergency_finance_and_a_rich_one_is_left_alone() -> None:
    rows = rows_of()
    poor, rich = (
        forecast({**rows, "cash_balance": [balance_row("S1", balance)]}).sellers.to_pylist()[0]
        for balance in (-60_000, 900_000)
    )
    assert (poor["action"], poor["first_breach_week"]) == (EMERGENCY, 1)
    assert (rich["action"], rich["first_breach_week"]) == (NO_ACTION, None)


def test_a_higher_safety_line_makes_a_breach_more_likely() -> None:
    low, high = (column(forecast(rows_of(), safety_line_weeks=weeks), "breach_probability") for weeks in (0.5, 3.0))
    assert (high > low).all()
