"""Amounts written for the eye become plain numbers, or stay as they are."""

from __future__ import annotations

import pytest

from data_contracts.values.money_text import plain_amount


@pytest.mark.parametrize(
    ("text", "currency", "plain"),
    [
        ("$25.00", "USD", "25.00"),
        ("-$1,250.00", "CAD", "-1250.00"),
        ("(5.00)", "USD", "-5.00"),
        ("CN￥ 1,234.56", "CNY", "1234.56"),
        ("1.234,50 EUR", "EUR", "1.234,50 EUR"),
        ("£5", "USD", "£5"),
        ("BRL 35,91", "BRL", "35.91"),
        ("35.9", "BRL", "35.9"),
        ("7.000", "BRL", "7.000: thousands or decimals"),
        ("Rp1.250.000", "IDR", "1250000"),
        ("100.000", "VND", "100000"),
        ("--", "USD", "--"),
    ],
)
def test_an_amount_is_rewritten_only_if_there_is_one_way_to_read_it(text: str, currency: str, plain: str) -> None:
    assert plain_amount(text, currency) == plain
