"""Cells that could run as formulas are marked as text; all others are unchanged."""

from __future__ import annotations

import pytest

from pipelines.runs.spreadsheet_text import cell_text


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =cmd|' /C calc'!A0",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "plain\n=1",
        "plain\r\n +1",
        '"=1',
        "'=1",
        "|calc",
        "%0A=1",
    ],
)
def test_cells_that_may_run_are_marked_as_text(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "S000123", "a=b", "1-2", "卖家", "x@example.com", "two\nlines", "payout (+5)"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert cell_text(text) == text
