"""Let each visit count once: find the days of a web shop that two sources, or two names of it, state, and mark them.

As with money, no row is removed. A day that another row states better stops counting once both are known. Two names are
one shop if their visits have been equal on nearly all days that both state, up to the day: two small shops may have
equally many visits on some days. Web analytics, which also count purchases, go before the traffic sheet, and then what
was known first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from data_contracts.database import closed_database
from pipelines.ingest.counted_once import CountedOnce, MarkedRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_contracts.arrow import Values
    from pipelines.ingest.spill.chunked_rows import ChunkedRows

DAYS: Final = "site_day"
_READ: Final = (
    *("seller_id", "site_id", "session_count", "visitor_count", "bounce_count", "paid_session_count"),
    *("purchase_count", "event_date", "known_at", "recorded_at", "superseded_at"),
    *("source", "source_file", "source_row"),
)
# Ours. Days before count and later ones do not, so that what is delivered later changes no earlier day.
_EQUAL_SHARE: Final = 0.9
_SAME_DAY: Final = f"""
    WITH days AS (
        SELECT * REPLACE (split_part(CAST(source AS VARCHAR), '@', 1) AS source,
            CAST(source_file AS VARCHAR) AS source_file),
            row(purchase_count IS NULL, known_at, source_file, source_row) AS quality
        FROM rows_of_table
    ), pairs AS (
        SELECT seller_id, event_date, other.place, other.source, other.source_file,
            other.superseded_at AS corrected_at, greatest(other.known_at, better.known_at) AS known_at,
            better.recorded_at AS superseded_recorded_at, better.source AS counted_in,
            better.site_id = other.site_id AS has_its_name, better.source = other.source AS is_one_source,
            least(better.site_id, other.site_id) AS one_name, greatest(better.site_id, other.site_id) AS other_name,
            better.session_count = other.session_count AND better.visitor_count = other.visitor_count
                AND (better.source <> other.source OR (better.bounce_count = other.bounce_count
                    AND better.paid_session_count = other.paid_session_count)) AS is_equal
        FROM days AS other JOIN days AS better USING (seller_id, event_date)
        WHERE better.quality < other.quality AND (better.site_id = other.site_id OR other.session_count > 0)
    ), judged AS (
        SELECT *, count(*) FILTER (is_equal) OVER so_far >= {_EQUAL_SHARE} * count(*) OVER so_far AS are_one,
            max(known_at) OVER so_far AS known_so_far
        FROM pairs
        WINDOW so_far AS (
            PARTITION BY seller_id, one_name, other_name, has_its_name, is_one_source
            ORDER BY event_date RANGE UNBOUNDED PRECEDING
        )
    ), matches AS (
        SELECT *, CASE WHEN has_its_name THEN known_at ELSE known_so_far END AS superseded_at FROM judged
        WHERE CASE WHEN has_its_name THEN NOT is_one_source ELSE is_equal AND are_one END
    )
    SELECT place, source, source_file, min(superseded_at) AS superseded_at,
        arg_min(superseded_recorded_at, (superseded_at, counted_in)) AS superseded_recorded_at,
        arg_min(counted_in, (superseded_at, counted_in)) AS counted_in
    FROM matches GROUP BY ALL HAVING any_value(corrected_at) IS NULL OR min(superseded_at) < any_value(corrected_at)
    ORDER BY place
"""  # noqa: S608 - constants of this module


def traffic_once(tables: Mapping[str, ChunkedRows]) -> CountedOnce:
    """Return the tables with those days of web shops marked that another row states as well."""
    days = tables.get(DAYS)
    if days is None:
        return CountedOnce(dict(tables), {})
    rows = days.whole()
    if not rows.num_rows:
        return CountedOnce(dict(tables), {})
    places: Values = pa.array(np.arange(rows.num_rows))
    with closed_database({"threads": 1}) as database:
        database.register("rows_of_table", rows.select(list(_READ)).append_column("place", places))
        found: pa.Table = database.sql(_SAME_DAY).to_arrow_table().combine_chunks()
    if not found.num_rows:
        return CountedOnce(dict(tables), {})
    marks = found.select(["place", "superseded_at", "superseded_recorded_at"])
    return CountedOnce({**tables, DAYS: MarkedRows(days.schema, days.parts, marks)}, _remarks(found))


def _remarks(found: pa.Table) -> dict[str, dict[str, int]]:
    """Count, by file and source that counts instead, the days that another row states."""
    remarks: dict[str, dict[str, int]] = {}
    for row in found.select(["source", "source_file", "counted_in"]).to_pylist():
        other = f"{'another file of ' if row['source'] == row['counted_in'] else ''}{row['counted_in']}"
        of_file = remarks.setdefault(row["source_file"], {})
        of_file[f"day counted in {other}"] = of_file.get(f"day counted in {other}", 0) + 1
    return remarks
