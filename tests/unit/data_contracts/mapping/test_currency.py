from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.mapping.currency import MONEY, ExchangeRates, load_exchange_rates, to_usd
from data_contracts.mapping.pegged_currencies import pegs


@pytest.fixture(scope="module")
def rates() -> ExchangeRates:
    return load_exchange_rates()


def usd(rates: ExchangeRates, amount: str | None, currency: str | None, day: date | None) -> Decimal | None:
    amounts = pa.array([None if amount is None else Decimal(amount)], MONEY)
    days = pa.array([day], pa.date32())
    found: Decimal | None = to_usd(amounts, pa.array([currency], pa.string()), days, rates)[0].as_py()
    return found


def test_a_rate_is_the_quotient_of_two_published_rates(rates: ExchangeRates) -> None:
    assert rates.usd_per_unit("EUR", date(2014, 3, 28)) == Decimal("1.375900000000")


def test_a_weekend_uses_the_rate_of_friday_not_of_monday(rates: ExchangeRates) -> None:
    friday, sunday, monday = (rates.usd_per_unit("CNY", date(2023, 3, day)) for day in (3, 5, 6))
    assert sunday == friday != monday


def test_dollars_are_not_converted(rates: ExchangeRates) -> None:
    assert usd(rates, "12.3456", "USD", date(1980, 1, 1)) == Decimal("12.3456")


@pytest.mark.parametrize(
    ("currency", "day"),
    [
        ("XXX", date(2023, 3, 3)),
        ("TWD", date(2023, 3, 3)),
        ("CNY", date(1999, 6, 1)),
        ("HRK", date(2023, 6, 1)),
        ("CNY", date(2090, 1, 1)),
    ],
    ids=["no currency", "not quoted", "before the first fixing", "abolished", "long after the last fixing"],
)
def test_without_a_known_rate_the_amount_is_missing(rates: ExchangeRates, currency: str, day: date) -> None:
    assert usd(rates, "1.00", currency, day) is None


@pytest.mark.parametrize(
    ("amount", "currency", "day"),
    [(None, "CNY", date(2023, 3, 3)), ("1", None, date(2023, 3, 3)), ("1", "CNY", None)],
)
def test_a_missing_amount_currency_or_date_makes_the_result_missing(
    rates: ExchangeRates, amount: str | None, currency: str | None, day: date | None
) -> None:
    assert usd(rates, amount, currency, day) is None


def test_an_override_applies_until_the_next_one() -> None:
    given_rates = {"TWD": {date(2023, 1, 10): Decimal("0.0330"), date(2023, 1, 20): Decimal("0.0320")}}
    rates = load_exchange_rates({**given_rates, "CNY": {date(2023, 1, 1): Decimal("0.5")}})
    assert [usd(rates, "100", "TWD", date(2023, 1, day)) for day in (9, 10, 19, 20)] == [
        None,
        Decimal("3.3000"),
        Decimal("3.3000"),
        Decimal("3.2000"),
    ]
    assert usd(rates, "100", "CNY", date(2023, 1, 2)) == Decimal("50.0000")


def test_halves_round_to_even() -> None:
    rates = load_exchange_rates({"ABC": {date(2023, 1, 1): Decimal("0.00005")}})
    assert [usd(rates, amount, "ABC", date(2023, 1, 1)) for amount in ("1", "3")] == [
        Decimal("0.0000"),
        Decimal("0.0002"),
    ]


def test_a_negative_amount_converts_to_the_negative_result(rates: ExchangeRates) -> None:
    assert usd(rates, "-10.01", "JPY", date(2023, 3, 3)) == -usd(rates, "10.01", "JPY", date(2023, 3, 3))  # type: ignore[operator]


def test_rows_without_any_currency_or_day_are_all_missing(rates: ExchangeRates) -> None:
    amounts = pa.array([Decimal(1), Decimal(2)], MONEY)
    currencies, days = pa.array(["CNY", None]), pa.array([None, date(2023, 3, 3)], pa.date32())
    assert to_usd(amounts, currencies, days, rates).to_pylist() == [None, None]
    assert to_usd(amounts.slice(2), currencies.slice(2), days.slice(2), rates).to_pylist() == []


def test_dictionary_and_plain_currency_columns_convert_alike(rates: ExchangeRates) -> None:
    amounts, days = pa.array([Decimal(1), Decimal(2)], MONEY), pa.array([date(2023, 3, 3)] * 2)
    plain = pa.array(["CNY", "EUR"])
    found = to_usd(amounts, plain, days, rates)
    assert found.equals(to_usd(amounts, plain.dictionary_encode(), days, rates))
    in_parts = (pa.chunked_array([column[:1], column[1:]]) for column in (amounts, plain, days))
    assert found.equals(to_usd(*in_parts, rates))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.decimals(-(10**9), 10**9, places=4),
            st.sampled_from(["USD", "EUR", "CNY", "JPY", "XXX"]),
            st.dates(date(2010, 1, 1), date(2024, 12, 31)),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_row_converts_the_same_alone_and_among_others(rows: list[tuple[Decimal, str, date]]) -> None:
    rates = load_exchange_rates()
    amounts, currencies, days = (list(column) for column in zip(*rows, strict=True))
    together = to_usd(pa.array(amounts, MONEY), pa.array(currencies), pa.array(days, pa.date32()), rates).to_pylist()
    assert together == [usd(rates, str(amount), currency, day) for amount, currency, day in rows]


@pytest.mark.parametrize(
    ("amount", "currency", "dollars"),
    [("-734.50", "AED", "-200"), ("37.50", "SAR", "10"), ("0.376", "BHD", "1")],
)
def test_a_pegged_currency_has_the_rate_of_its_peg(
    rates: ExchangeRates, amount: str, currency: str, dollars: str
) -> None:
    assert usd(rates, amount, currency, date(2025, 8, 23)) == Decimal(dollars)


def test_a_peg_to_another_currency_follows_it_and_a_delivered_rate_goes_first(rates: ExchangeRates) -> None:
    day = date(2023, 3, 3)
    hong_kong = rates.usd_per_unit("HKD", day)
    assert hong_kong is not None
    assert rates.usd_per_unit("MOP", day) == (hong_kong / Decimal("1.03")).quantize(Decimal("1e-12"))
    assert rates.usd_per_unit("MOP", date(2090, 1, 1)) is None
    given = load_exchange_rates({"AED": {day: Decimal("0.25")}})
    assert given.usd_per_unit("AED", day) == Decimal("0.25")
    assert given.usd_per_unit("AED", date(1990, 1, 1)) is None


def test_every_peg_is_to_a_quoted_currency_and_names_its_source(rates: ExchangeRates) -> None:
    for currency, peg in pegs().items():
        assert currency not in rates.reference.bounds
        assert peg.base == "USD" or peg.base in rates.reference.bounds
        assert rates.usd_per_unit(currency, date(2023, 3, 3)) is not None
        assert peg.source


def test_a_rate_is_known_from_the_first_fixing_until_a_week_after_the_last(rates: ExchangeRates) -> None:
    first, last = rates.reference.bounds["CNY"]
    last = min(last, rates.reference.bounds["USD"].last_date)
    week = timedelta(days=7)
    for day, is_known in ((first, True), (first - timedelta(days=1), False), (last + week, True)):
        assert (rates.usd_per_unit("CNY", day) is not None) is is_known
    assert rates.usd_per_unit("CNY", last + week + timedelta(days=1)) is None
    assert rates.usd_per_unit("CNY", last + week) == rates.usd_per_unit("CNY", last)


def test_a_peg_holds_from_its_day_on(rates: ExchangeRates) -> None:
    peg = pegs()["AED"]
    assert rates.usd_per_unit("AED", peg.since) == (1 / peg.units).quantize(Decimal("1e-12"))
    assert rates.usd_per_unit("AED", peg.since - timedelta(days=1)) is None


def test_each_row_has_the_rate_of_its_own_currency_and_day() -> None:
    days = [date(2023, 1, day) for day in (1, 5, 9)]
    given = {
        code: {day: Decimal(place * 10 + n) for n, day in enumerate(days)} for place, code in ((1, "AAA"), (2, "BBB"))
    }
    rates = load_exchange_rates(given)
    cells = [(code, day) for code in ("BBB", "AAA") for day in reversed(days)]
    amounts = pa.array([Decimal(1)] * 6, MONEY)
    found = to_usd(amounts, pa.array([c for c, _ in cells]), pa.array([d for _, d in cells], pa.date32()), rates)
    assert [int(value) for value in found.to_pylist()] == [22, 21, 20, 12, 11, 10]
    assert found.type == pa.decimal128(18, 4)
    assert to_usd(amounts[:0], pa.array([], pa.string()), pa.array([], pa.date32()), rates).to_pylist() == []
