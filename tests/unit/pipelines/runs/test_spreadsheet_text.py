"""Cells that could run as formulas are marked as text; all others are unchanged."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from data_contracts.definition.compiler import template_names
from pipelines.commands.blank_template import blank_template
from pipelines.runs.spreadsheet_text import cell_text


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+1",
        "@SUM(A1)",
        " =cmd|' /C calc'!A0",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
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


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a;b; -1;c", "a;b;' -1;c"),
        ("a\t=1", "a\t'=1"),
        (";=1", ";'=1"),
        ("=1;=2", "'=1;'=2"),
        ("plain\n=1", "plain\n'=1"),
        ("plain\r\n +1", "plain\r\n' +1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\tplain", "'\tplain"),
        ('a;"=1', "a;'\"=1"),
    ],
)
def test_a_part_that_another_separator_makes_a_cell_is_marked_too(text: str, marked: str) -> None:
    assert cell_text(text) == marked


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_whatever_separator_a_spreadsheet_takes_no_cell_begins_with_a_sign_that_starts_a_formula(
    delimiter: str,
) -> None:
    texts = ["=1", "a;=1", "a\t=1", "a,=1", 'a";=1', "a;b", "x\n=1", 'q"', "a; '@b", ";;=1", "\t\t+1", "-1;-2"]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(
        [[cell_text(one), cell_text(two)] for one in texts for two in texts]
    )
    cells = [cell for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter) for cell in row]
    starts = {cell.lstrip(' "\u00a0')[:1] for cell in cells}
    assert starts & set("=+-@|%\t\r") == set()


def test_every_writer_of_a_csv_marks_its_cells() -> None:
    root = Path(__file__).resolve().parents[4]
    modules = [path for folder in ("pipelines", "models", "features") for path in (root / folder).rglob("*.py")]
    writers = {path.name: path for path in modules if re.search(r"csv\.(Dict)?[Ww]riter\(", path.read_text("utf-8"))}
    # Templates have nothing but the headers of contracts, which the next test looks at.
    unmarked = {name for name, path in writers.items() if "cell_text(" not in path.read_text("utf-8")}
    assert len(writers) >= 4
    assert unmarked == {"blank_template.py"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_header_of_a_template_could_run(language: str) -> None:
    for form in (*template_names(), "wallet_statement"):
        text = blank_template(form, "zh" if language == "zh" else "en")
        (headers,) = csv.reader(io.StringIO(text))
        assert [cell_text(header) for header in headers] == headers
