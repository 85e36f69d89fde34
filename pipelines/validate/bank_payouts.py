"""Payouts in the bank: a file beside the validated tables, and a section of the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from features.engine.as_of import AsOf
from features.reconciliation.bank_matching import (
    AGREEMENTS,
    ENTRIES,
    FINDINGS,
    MATCHED,
    NEVER_SEEN,
    UNDECLARED_PLATFORM,
    payouts_in_bank,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    import pyarrow as pa

PAYOUT_MATCHES_FILE: Final = "payout_matches.parquet"


def payout_matches(tables: Mapping[str, pa.Table], as_of: date) -> pa.Table | None:
    """Return the payouts and their credits as of a date, or None if no bank statement was delivered."""
    entries = tables.get(ENTRIES)
    if entries is None or not entries.num_rows:
        return None
    return payouts_in_bank(tables, AsOf(as_of))


def payouts_document(matches: pa.Table, as_of: date, shown: int) -> dict[str, Any]:
    """Return the report section: the match rate in all, by month and of the worst sellers, and what has no partner.

    Args:
        matches: table of ``features.reconciliation.bank_matching.PAYOUT_MATCH_SCHEMA``.
        as_of: the date of the matches.
        shown: number of sellers, payouts and credits to list.
    """
    rows = matches.to_pylist()
    count = Counter(row["finding"] for row in rows)
    return {
        "as_of": as_of.isoformat(),
        "findings": {name: count[name] for name in FINDINGS},
        "agreements": {name: sum(row["agreement"] == name for row in rows) for name in AGREEMENTS},
        **_rate(rows),
        "months": [{"month": key, **_rate(group)} for key, group in _grouped(rows, "month")],
        "sellers": _worst_sellers(rows, shown),
        "never_seen": _dearest(rows, NEVER_SEEN, "usd", shown),
        "undeclared_platforms": _dearest(rows, UNDECLARED_PLATFORM, "credited_usd", shown),
    }


def _rate(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return payouts judged and matched, in number and dollars, and the share matched; None if none was judged."""
    judged = [row for row in rows if row["finding"] in (MATCHED, NEVER_SEEN)]
    matched = [row for row in judged if row["finding"] == MATCHED]
    return {
        "payouts": len(judged),
        "matched": len(matched),
        "match_rate": round(len(matched) / len(judged), 6) if judged else None,
        "usd": _total(judged),
        "matched_usd": _total(matched),
    }


def _total(rows: Iterable[Mapping[str, Any]]) -> str:
    return f"{sum(row['usd'] for row in rows):.2f}"


def _grouped(rows: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row[name])].append(row)
    return sorted(groups.items())


def _worst_sellers(rows: Iterable[Mapping[str, Any]], shown: int) -> list[dict[str, Any]]:
    """Return the sellers with a payout that never arrived, the lowest match rate first."""
    rates = [{"seller_id": seller, **_rate(group)} for seller, group in _grouped(rows, "seller_id")]
    short = [rate for rate in rates if rate["payouts"] > rate["matched"]]
    return sorted(short, key=lambda rate: (rate["match_rate"], rate["seller_id"]))[:shown]


def _dearest(rows: Iterable[Mapping[str, Any]], finding: str, amount: str, shown: int) -> list[dict[str, Any]]:
    found = [row for row in rows if row["finding"] == finding]
    found.sort(key=lambda row: (-row[amount], row["seller_id"], str(row["payout_id"] or row["bank_entry_id"])))
    return [
        {
            "seller_id": row["seller_id"],
            "platform": row["platform"],
            "day": (row["paid_on"] or row["credited_on"]).isoformat(),
            "statement_id": row["statement_id"],
            "usd": f"{row[amount]:.2f}",
        }
        for row in found[:shown]
    ]
