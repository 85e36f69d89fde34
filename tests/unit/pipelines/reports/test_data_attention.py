"""The data page shows first what needs a person, and folds away what passed."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.reports.data_attention import counts_at_a_glance, months_of
from pipelines.reports.rendering import page_texts
from tests.factories.run_documents import validation

TEXTS = page_texts("validation_page", "en")
RULES = {"judged": 40, "failed": 2, "not_validated": 1}
DOUBLED = {"rows": 3, "usd": "120.00", "sellers": 1, "pairs": []}
SHARED = {"statements": 4, "sellers": 3, "usd": "90.00", "dearest": []}
PAYOUTS = {"payouts": 9, "matched": 7}


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({}, {"failed": 2, "not_validated": 1, "contradicted": 0, "withheld": 0}),
        (
            {"doubled_money": DOUBLED, "shared_statements": SHARED, "payouts_in_bank": PAYOUTS},
            {
                "failed": 2,
                "not_validated": 1,
                "contradicted": 0,
                "doubled": 3,
                "shared": 4,
                "unmatched": 2,
                "withheld": 0,
            },
        ),
    ],
)
def test_a_count_is_shown_only_if_its_figure_exists(more: dict[str, Any], counts: dict[str, int]) -> None:
    found = counts_at_a_glance({**validation(), **more}, RULES, TEXTS)
    assert {one["name"]: one["count"] for one in found} == counts


def source(name: str, rows: dict[str, int], usd: dict[str, int], sellers: dict[str, int]) -> dict[str, Any]:
    return {"source": name, "rows": rows, "usd": usd, "sellers": sellers}


def test_a_covered_month_without_money_is_the_title_of_the_chart() -> None:
    covered = {"2023-12": 4, "2024-01": 4, "2024-02": 4}
    payouts = source("a", {"2023-12": 5, "2024-02": 5}, {"2023-12": 10, "2024-02": 9}, covered)
    links = source("b", {"1999-01": 2}, {}, covered)
    found = months_of([payouts, links], str.upper, TEXTS)
    assert found is not None
    assert (found["first"], found["last"], found["gaps"], found["gap_sources"]) == ("2023-12", "2024-02", 1, "A")
    cells = found["sources"][0]["cells"]
    assert [cell["words"] for cell in cells] == [
        "most 5 in 2024-02",
        "most 10 in 2023-12",
        "most 4 in 2024-02",
    ]
    assert found["sources"][1]["cells"][:2] == [None, None]  # older than anything covered
    assert months_of([], str.upper, TEXTS) is None
