"""Coverage rules: distinguish "not delivered" from "delivered and empty".

A window is covered when one unbroken run of deliveries contains its first day and ends no more than a few days before
the as-of date. How many days depends on the table: a settlement closes after its sales.
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
    """A coverage question: was a table delivered for a window (None: any start) up to the as-of date?"""

    table: str
    window_days: int | None

    @property
    def column(self) -> str:
        """Name of the column with the answer, 1 or 0."""
        return f"covered_{self.table}_{'all' if self.window_days is None else self.window_days}"


def coverage_sql(needs: Sequence[CoverageNeed], as_of: AsOf, lag_days: Mapping[str, int]) -> str:
    """Return SQL for ``seller_id`` and one 0/1 column per need, from ``source_coverage`` and ``observed``."""
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
    """Return SQL that merges the delivered periods of each seller and table into unbroken runs."""
    mine = f"{as_of.condition()} AND {OBSERVED}"
    periods = ["seller_id", "covered_table", "period_from", "period_to"]
    return stretches_sql(nested(select(periods, "source_coverage", where=mine), "known"), "seller_id, covered_table")


def stretches_sql(periods: str, keys: str) -> str:
    """Return SQL that merges touching and overlapping periods with equal ``keys`` into unbroken runs.

    ``periods`` is the source to read: the keys, ``period_from`` and ``period_to``.
    """
    same = f"PARTITION BY {keys} ORDER BY period_from, period_to"
    before = f"MAX(unix_date(period_to)) OVER ({same} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    opens = f"CASE WHEN unix_date(period_from) <= {before} + 1 THEN 0 ELSE 1 END AS opens"
    marked = nested(select([keys, "period_from", "period_to", opens], periods), "marked")
    stretch = f"SUM(opens) OVER ({same} ROWS UNBOUNDED PRECEDING) AS stretch"
    ends = ["MIN(period_from) AS period_from", "MAX(period_to) AS period_to"]
    numbered = nested(select([keys, "period_from", "period_to", stretch], marked), "numbered")
    return select([keys, *ends], numbered, group_by=f"{keys}, stretch")
