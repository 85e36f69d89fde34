"""Amounts written for the eye become plain numbers, or stay as they are."""

from __future__ import annotations

import pytest

from data_contracts.values.money_text import NumberStyle, plain_amount


@pytest.mark.parametrize(
    ("text", "currency", "style", "plain"),
    [
        ("$25.00", "USD", NumberStyle.POINT, "25.00"),
        ("-$1,250.00", "CAD", NumberStyle.POINT, "-1250.00"),
        ("(5.00)", "USD", NumberStyle.POINT, "-5.00"),
        ("CN￥ 1,234.56", "CNY", NumberStyle.POINT, "1234.56"),
        ("1.234,50 EUR", "EUR", NumberStyle.POINT, "1.234,50 EUR: not in the number format of the file"),
        ("1.234,50 EUR", "EUR", NumberStyle.COMMA, "1234.50"),
        ("12.5", "EUR", NumberStyle.COMMA, "12.5: not in the number format of the file"),
        ("£5", "USD", NumberStyle.POINT, "£5"),
        ("BRL 35,91", "BRL", NumberStyle.CELL, "35.91"),
        ("35.9", "BRL", NumberStyle.CELL, "35.9"),
        ("7.000", "BRL", NumberStyle.CELL, "7.000: not in the number format of the file"),
        ("Rp1.250.000", "IDR", NumberStyle.CELL, "1250000"),
        ("100.000", "VND", NumberStyle.CELL, "100000"),
        ("100.000", "VND", NumberStyle.POINT, "100.000: not in the number format of the file"),
        ("0.250", "EUR", NumberStyle.COMMA, "0.250: not in the number format of the file"),
        ("0,250", "USD", NumberStyle.POINT, "0,250: not in the number format of the file"),
        ("0.250", "USD", NumberStyle.POINT, "0.250"),
        ("1 234.50", "EUR", NumberStyle.POINT, "1234.50"),
        ("1 234,50 zł", "PLN", NumberStyle.COMMA, "1234.50"),
        ("12 34", "MXN", NumberStyle.POINT, "12 34: not in the number format of the file"),
        ("--", "USD", NumberStyle.POINT, "--"),
    ],
)
def test_an_amount_is_rewritten_only_if_there_is_one_way_to_read_it(
    text: str, currency: str, style: NumberStyle, plain: str
) -> None:
    assert plain_amount(text, currency, style) == plain
