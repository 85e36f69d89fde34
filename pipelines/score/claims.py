"""What the sources say about the claims of scored sellers: a column of the scores and evidence for passports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from features.reconciliation.plausibility import CONTRADICTION
from features.reconciliation.reconcile import CONTRADICTED
from pipelines.passports.claims import ClaimRow, claim_lines, rows_by_seller
from pipelines.passports.document import ClaimLine
from pipelines.score_rows import REFUSED, WITH_WARNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    Reconcile = Callable[[date, Sequence[str]], pa.Table]


def claims_at(reconcile: Reconcile, identities: pa.Table) -> dict[tuple[str, date], tuple[ClaimRow, ...]]:
    """Return what the sources say about each seller's claims as of the date of each row, by seller and date.

    Args:
        reconcile: compares the sources of some sellers with each other as of a date.
        identities: rows with ``seller_id`` and ``as_of``, neither of them missing.
    """
    sellers_at: dict[date, list[str]] = {}
    for row in identities.select(["seller_id", "as_of"]).to_pylist():
        sellers_at.setdefault(row["as_of"], []).append(row["seller_id"])
    return {
        (seller, as_of): rows
        for as_of, sellers in sorted(sellers_at.items())
        for seller, rows in rows_by_seller(reconcile(as_of, sorted(set(sellers)))).items()
    }


def with_claims(scored: pa.Table, reconcile: Reconcile) -> pa.Table:
    """Add the claims of each scored row to the scores (SCORE_SCHEMA), as JSON in the form of a passport.

    A row with a claim that another source contradicts has a warning.
    """
    rows = scored.select(["seller_id", "as_of", "status", "codes"]).to_pylist()
    accepted = [number for number, row in enumerate(rows) if row["status"] != REFUSED]
    found = claims_at(reconcile, scored.take(pa.array(accepted, pa.int64())))
    texts: list[str | None] = [None] * len(rows)
    for number in accepted:
        row = rows[number]
        claims = found.get((row["seller_id"], row["as_of"]), ())
        texts[number] = _as_json(claims)
        if any(claim["grade"] == CONTRADICTED for claim in claims):
            row["status"], row["codes"] = WITH_WARNING, ";".join(filter(None, (row["codes"], CONTRADICTION)))
    status = pa.array([row["status"] for row in rows], pa.string()).dictionary_encode()
    columns = {"status": status, "codes": pa.array([row["codes"] for row in rows]), "claims": pa.array(texts)}
    for name, values in columns.items():
        place, field = scored.column_names.index(name), scored.schema.field(name)
        scored = scored.set_column(place, field, values.cast(field.type))
    return scored


def _as_json(rows: Sequence[ClaimRow]) -> str:
    lines = [ClaimLine.model_validate(line).model_dump(mode="json", exclude_none=True) for line in claim_lines(rows)]
    return json.dumps(lines, ensure_ascii=False, separators=(",", ":"))
