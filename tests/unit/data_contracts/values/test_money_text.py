"""Amounts written for the eye become plain numbers, or stay as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from data_contracts.values.money_text import NumberStyle, plain_amount, with_plain_amounts


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


def test_the_currency_of_a_row_decides_how_its_text_is_read_unless_the_file_has_a_style() -> None:
    # Each row is a file of its own.
    rows = pa.table(
        {
            "amount": ["1.234,50", "1,234.50", " 12.50 ", ""],
            "currency": ["brl", "USD", "USD", "EUR"],
            "file_order": [0, 1, 2, 3],
        }
    )
    found = with_plain_amounts(rows, ["amount"], "currency")["amount"].to_pylist()
    assert found[:3] == ["1234.50", "1234.50", "12.50"]
    styles = [NumberStyle.COMMA] * 4
    stated = with_plain_amounts(rows, ["amount"], "currency", styles)["amount"].to_pylist()
    assert stated[0] == "1234.50"
    assert stated[1] == "1,234.50: not in the number format of the file"
    pointed = with_plain_amounts(rows.slice(2, 1), ["amount"], "currency", styles[:1])["amount"].to_pylist()
    assert pointed == ["12.50: not in the number format of the file"]
    plain = pa.table({"amount": ["1.5", "-2"], "currency": ["USD", "EUR"], "file_order": [0, 0]})
    assert with_plain_amounts(plain, ["amount"], "currency") == plain


@pytest.mark.parametrize(
    ("amounts", "plain"),
    [
        (["1.234,50", "2,5"], ["1234.50", "2.5"]),
        (["1,234.50", "2.5"], ["1234.50", "2.5"]),
        (["1.257", "7"], ["1.257", "7"]),
        (["1.250", "7"], ["1.250: thousands or decimals", "7"]),
    ],
    ids=["comma", "point", "number cell", "text cell"],
)
def test_all_amounts_of_a_file_tell_whether_it_has_a_decimal_comma(amounts: list[str], plain: list[str]) -> None:
    # The first row is that of another file, whose currency has a decimal comma.
    rows = pa.table({"amount": ["3,5", *amounts], "currency": ["BRL", "EUR", "EUR"], "file_order": [0, 1, 1]})
    assert with_plain_amounts(rows, ["amount"], "currency")["amount"].to_pylist() == ["3.5", *plain]


@pytest.mark.parametrize(
    ("text", "currency", "plain"),
    [
        ("(5.00", "USD", "(5.00"),
        ("5.00)", "USD", "5.00)"),
        ("-(5.00)", "USD", "-(5.00)"),
        ("(-5.00)", "USD", "(-5.00)"),
        ("+5.00", "USD", "5.00"),
        ("USD 5", "USD", "5"),
        ("5 usd", "USD", "5"),
        ("EUR 5", "USD", "EUR 5"),
        ("1,23", "USD", "1,23: not in the number format of the file"),
        ("12,345,678.9", "USD", "12345678.9"),
        ("1'234.5", "CHF", "1234.5"),
        ("−5", "USD", "-5"),
        ("--5", "USD", "--5"),
    ],
)
def test_signs_brackets_and_codes_around_an_amount(text: str, currency: str, plain: str) -> None:
    assert plain_amount(text, currency, NumberStyle.POINT) == plain
