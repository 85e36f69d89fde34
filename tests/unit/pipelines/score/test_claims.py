"""A scored row with a claim that another source contradicts has a warning, besides those that it has already."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from features.reconciliation.reconcile import RECONCILIATION_SCHEMA
from pipelines.score.claims import with_claims
from pipelines.score_rows import SCORE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = dt.date(2024, 12, 31)


def claim(seller: str, grade: str) -> dict[str, Any]:
    compared = {"source": "customs", "verdict": "above", "quarters": 4, "usd": 90_000, "claimed_usd": 40_000}
    compared |= {"ratio": 2.25, "lowest_usd": 6_000, "highest_usd": 40_000}
    return {"seller_id": seller, "quarter_end": DAY, "claim": "sales", "grade": grade, **compared}


def reconcile(_: dt.date, sellers: Sequence[str]) -> pa.Table:
    rows = [claim("S1", "contradicted"), claim("S2", "corroborated"), claim("S3", "contradicted")]
    return pa.Table.from_pylist([row for row in rows if row["seller_id"] in sellers], schema=RECONCILIATION_SCHEMA)


def scored(*rows: tuple[str, str, str]) -> pa.Table:
    texts = {"model_name": "m", "model_version": "1", "bundle_sha256": "0", "feature_set": "f"}
    listed = [
        {"source_row": place, "seller_id": seller, "as_of": DAY, "status": status, "codes": codes, **texts}
        for place, (seller, status, codes) in enumerate(rows)
    ]
    return pa.Table.from_pylist(listed, schema=SCORE_SCHEMA)


@pytest.mark.parametrize(
    ("row", "status", "codes"),
    [
        (("S1", "scored", ""), "scored_with_warning", "sources_contradict"),
        (("S1", "scored_with_warning", "missing_share"), "scored_with_warning", "missing_share;sources_contradict"),
        (("S2", "scored", ""), "scored", ""),
        (("S3", "refused", "stale_data"), "refused", "stale_data"),
        (("S4", "scored", ""), "scored", ""),
    ],
)
def test_a_contradicted_claim_is_a_warning(row: tuple[str, str, str], status: str, codes: str) -> None:
    found = with_claims(scored(row), reconcile)
    assert found.schema.equals(SCORE_SCHEMA)
    assert (found["status"][0].as_py(), found["codes"][0].as_py()) == (status, codes)
    claims = found["claims"][0].as_py()
    assert (claims is None) == (status == "refused")
    if row[0] == "S1":
        assert [one["grade"] for one in json.loads(claims)] == ["contradicted"]
