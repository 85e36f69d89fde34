"""What was delivered: the rule by which no data is told from nothing happened.

A window is covered when one unbroken stretch of deliveries holds its first day and runs on to within a few days of the
date. The few days are the table's own: a settlement closes after its sales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.engine.sql_text import OBSERVED, days_before, nested, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.engine.as_of import AsOf


@dataclass(frozen=True)
class CoverageNeed:
    """The question whether a table was delivered for a window (None: any beginning) as of the date."""

    table: str
    window_days: int | None

    @property
    def column(self) -> str:
        """The column that holds the answer, 1 or 0."""
        return f"covered_{self.table}_{'all' if self.window_days is None else self.window_days}"


def coverage_sql(needs: Sequence[CoverageNeed], as_of: AsOf, lag_days: Mapping[str, int]) -> str:
    """SQL that gives ``seller_id`` and one column a need, 1 when covered, from ``source_coverage`` and ``observed``."""
    answers = {
        need.column: f"MAX(CASE WHEN {_covers(need, as_of, lag_days[need.table])} THEN 1 ELSE 0 END)" for need in needs
    }
    return select({"seller_id": "seller_id", **answers}, nested(_stretches(as_of), "stretches"), group_by="seller_id")


def _covers(need: CoverageNeed, as_of: AsOf, lag_days: int) -> str:
    condition = f"covered_table = '{need.table}' AND period_to >= {days_before(as_of.day, lag_days)}"
    if need.window_days is None:
        return condition
    start = days_before(as_of.day, need.window_days - 1)
    return f"{condition} AND period_from <= {start} AND period_to >= {start}"


def _stretches(as_of: AsOf) -> str:
    """SQL that merges the periods of a seller's table into unbroken stretches."""
    mine = f"{as_of.condition()} AND {OBSERVED}"
    periods = ["seller_id", "covered_table", "period_from", "period_to"]
    return stretches_sql(nested(select(periods, "source_coverage", where=mine), "known"), "seller_id, covered_table")


def stretches_sql(periods: str, keys: str) -> str:
    """SQL that merges touching and overlapping periods into unbroken stretches, those of equal ``keys`` each.

    ``periods`` is what to read from: the keys, ``period_from`` and ``period_to``.
    """
    same = f"PARTITION BY {keys} ORDER BY period_from, period_to"
    before = f"MAX(unix_date(period_to)) OVER ({same} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    opens = f"CASE WHEN unix_date(period_from) <= {before} + 1 THEN 0 ELSE 1 END AS opens"
    marked = nested(select([keys, "period_from", "period_to", opens], periods), "marked")
    stretch = f"SUM(opens) OVER ({same} ROWS UNBOUNDED PRECEDING) AS stretch"
    ends = ["MIN(period_from) AS period_from", "MAX(period_to) AS period_to"]
    numbered = nested(select([keys, "period_from", "period_to", stretch], marked), "numbered")
    return select([keys, *ends], numbered, group_by=f"{keys}, stretch")
