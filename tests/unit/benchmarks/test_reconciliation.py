"""The benchmark of reconciliation against planted fraud: what is counted, and what the targets require."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from reconciliation import ANY, HONEST, Count, Counts, counted, summary

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "seller_id,kind,from,to,other_seller_id,reference,size\n"


def graded(*rows: tuple[str, str]) -> pa.Table:
    """Return grades of one claim at the end of 2023."""
    return pa.table(
        {
            "seller_id": [seller for seller, _ in rows],
            "quarter_end": pa.array([dt.date(2023, 12, 31)] * len(rows)),
            "claim": ["sales"] * len(rows),
            "grade": [grade for _, grade in rows],
        }
    )


def test_a_seller_is_honest_only_without_any_fraud_in_the_year_and_fraudulent_only_after_sixty_days(
    tmp_path: Path,
) -> None:
    truth = tmp_path / "lies.csv"
    truth.write_text(
        HEADER
        + "S1,over_declaration,2023-03-01,2023-09-30,,,1\n"
        + "S2,over_declaration,2023-12-01,,,,1\n"  # has just begun: neither honest nor fraudulent
        + "S3,over_declaration,2021-01-01,2022-06-30,,,1\n",  # long over
        encoding="utf-8",
    )
    table = graded(("S1", "contradicted"), ("S2", "contradicted"), ("S3", "corroborated"), ("S4", "single_source"))
    found = counted(table, truth)
    assert found == {
        (claim, kind): count
        for claim in ("sales", ANY)
        for kind, count in ((HONEST, Count(1, 0)), ("over_declaration", Count(1, 1)))
    }


def test_a_claim_of_several_sources_is_counted_once(tmp_path: Path) -> None:
    truth = tmp_path / "lies.csv"
    truth.write_text(HEADER, encoding="utf-8")
    table = pa.concat_tables([graded(("S1", "corroborated"))] * 3)
    assert counted(table, truth) == {("sales", HONEST): Count(1, 0), (ANY, HONEST): Count(1, 0)}


def test_one_contradicted_claim_contradicts_the_seller(tmp_path: Path) -> None:
    truth = tmp_path / "lies.csv"
    truth.write_text(HEADER, encoding="utf-8")
    other = graded(("S1", "contradicted")).set_column(2, "claim", pa.array(["cost_of_goods"]))
    found = counted(pa.concat_tables([graded(("S1", "corroborated")), other]), truth)
    assert (found["sales", HONEST], found[ANY, HONEST]) == (Count(1, 0), Count(1, 1))


def worlds(honest: int, fraudulent: int) -> list[Counts]:
    """Return three worlds with so many contradicted among a hundred."""
    return [
        {
            (claim, kind): Count(100, share + noise)
            for claim in ("sales", ANY)
            for kind, share in ((HONEST, honest), ("over_declaration", fraudulent), ("round_trip", fraudulent))
        }
        for noise in (0, 1, 2)
    ]


def test_the_targets_are_corroborated_honest_sellers_and_visible_fraud() -> None:
    good = summary(worlds(honest=3, fraudulent=50))
    assert good["meets_bars"] is True
    assert good["claims"]["sales"]["over_declaration"]["above_honest"]["mean"] == pytest.approx(0.47)
    assert summary(worlds(honest=30, fraudulent=90))["meets_bars"] is False
    assert summary(worlds(honest=3, fraudulent=3))["meets_bars"] is False
