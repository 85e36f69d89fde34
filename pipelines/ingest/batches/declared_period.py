"""Rows of events outside the period that the delivery of their file declares: counted, and past a limit refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.arrow import Values
    from data_contracts.mapping.source_mapping import SourceMapping
    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.runs.file_counts import FileCounts

OUTSIDE_PERIOD = "outside the period that the delivery declares"
# Days begin first at UTC+14 and end last at UTC-12, and a file need not say in which zone its period is meant.
_EARLIEST_ZONE_HOURS, _LATEST_ZONE_HOURS = 14, 12
_HOUR = 3_600_000_000
_SECONDS_A_DAY = 86_400


def rows_outside_period(rows: pa.Table, mapping: SourceMapping) -> tuple[tuple[str, Values], ...]:
    """Return a remark on the rows whose event is outside the declared period, with their ordinals; or no remark."""
    if mapping.happened is None or mapping.any_period or not rows.num_rows:
        return ()
    happened: Values = rows[mapping.happened]
    first = pc.subtract(rows["covered_from"], pa.scalar(mapping.reaches_back_days * _SECONDS_A_DAY, pa.duration("s")))
    first, last = first.cast(pa.date32()), rows["covered_to"]
    if pa.types.is_timestamp(happened.type):
        happened = happened.cast(pa.int64())
        first = pc.subtract(_microseconds(first), _EARLIEST_ZONE_HOURS * _HOUR)
        last = pc.add(_microseconds(last), (24 + _LATEST_ZONE_HOURS) * _HOUR - 1)
    outside: Values = pc.or_(pc.less(happened, first), pc.greater(happened, last))
    found: Values = rows["row_order"].filter(pc.fill_null(outside, pa.scalar(value=False)))
    return ((OUTSIDE_PERIOD, found.to_numpy()),) if len(found) else ()


def _microseconds(days: Values) -> Values:
    return days.cast(pa.timestamp("us")).cast(pa.int64())


def require_declared_period(
    files: Sequence[DeliveredFile], all_counts: Mapping[str, FileCounts], limit_share: float
) -> None:
    """Check that no file has a larger share of its accepted rows outside its declared period than the limit.

    Raises:
        InputRefused: a file has.
    """
    for file in files:
        counts = all_counts.get(file.name)
        outside = counts.warnings.get(OUTSIDE_PERIOD, 0) if counts is not None else 0
        if counts is not None and outside > limit_share * counts.accepted:
            period = f"{file.covered_from}..{file.covered_to}"
            raise InputRefused(
                file=file.name,
                rule=f"{outside:,} of {counts.accepted:,} rows lie outside {period}, the period that the delivery "
                f"declares; the profile allows {limit_share:.0%}",
                remedy="correct the period (--from and --to, or the list of deliveries), or deliver the file of it",
            )
