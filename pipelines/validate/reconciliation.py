"""Reconciliation of sources: a file beside the validated tables, and a section of the report."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from features.engine.as_of import AsOf
from features.reconciliation.claims import CLAIMS
from features.reconciliation.reconcile import ABOVE, BELOW, GRADES, OPEN_END_DAYS, SMALLEST_USD, latest, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pyarrow as pa

RECONCILIATION_FILE: Final = "reconciliation.parquet"


def reconciled(tables: Mapping[str, pa.Table], as_of: date) -> pa.Table:
    """Return the reconciliation of every seller with a delivery, for all quarters that ended by the date."""
    return reconcile(tables, AsOf(as_of))


def reconciliation_document(reconciliation: pa.Table, as_of: date, sellers_shown: int) -> dict[str, Any]:
    """Return the report section: claims by grade, the most contradicted sellers, and all tolerances, last quarter.

    Args:
        reconciliation: table of ``features.reconciliation.RECONCILIATION_SCHEMA``.
        as_of: its date.
        sellers_shown: number of contradicted sellers to list, those farthest outside the admissible range first.
    """
    rows = latest(reconciliation).to_pylist()
    graded = {(row["seller_id"], row["claim"]): row["grade"] for row in rows}
    count = Counter((claim, grade) for (_, claim), grade in graded.items())
    contradicted = [row for row in rows if row["verdict"] in (BELOW, ABOVE)]
    contradicted.sort(key=lambda row: (-distance(row), row["seller_id"], row["claim"], row["source"]))
    return {
        "as_of": as_of.isoformat(),
        "quarter_end": max((row["quarter_end"].isoformat() for row in rows), default=None),
        "sellers": len({seller for seller, _ in graded}),
        "smallest_usd": SMALLEST_USD,
        "open_end_days": OPEN_END_DAYS,
        "claims": [
            {"claim": claim.name, "grades": {grade: count[claim.name, grade] for grade in GRADES}} for claim in CLAIMS
        ],
        "contradicted_sellers": len({row["seller_id"] for row in contradicted}),
        "contradicted": [_contradiction(row) for row in contradicted[:sellers_shown]],
        "gaps": [
            {
                "claim": claim.name,
                "witness": witness.figure,
                "part": part,
                "lowest": str(gap.lowest),
                "highest": str(gap.highest),
                "carry_quarters": str(witness.carry_quarters),
                "reason": gap.reason,
            }
            for claim in CLAIMS
            for witness in claim.witnesses
            for part, gap in witness.gaps.items()
        ],
    }


def distance(row: Mapping[str, Any]) -> float:
    """Return how far a contradicted amount is outside its range: the logarithm of their ratio, at most 10."""
    usd = float(row["usd"])
    if row["verdict"] == ABOVE:
        bound = float(row["highest_usd"])
        return min(math.log(usd / bound), 10.0) if bound > 0 else 10.0
    return min(math.log(float(row["lowest_usd"]) / usd), 10.0) if usd > 0 else 10.0


def _contradiction(row: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {name: f"{row[name]:.2f}" for name in ("usd", "claimed_usd", "lowest_usd", "highest_usd")}
    named = {name: row[name] for name in ("seller_id", "claim", "source", "verdict", "quarters")}
    return {**named, **amounts}
