"""Rows older than their contract allows: counted by reason, with nothing of their contents stored.

A contract may state ``retentionDays``. A row whose event is older than that on the day of recording is set aside under
``retention:past``, whether it breaks a rule or not. Its quarantine entry holds the file and row number, but neither
value nor original. A group of rows expires when its last row does. A row that could not be typed has no known age.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import ConfigurationRefused
from pipelines.ingest.batches.setting_aside import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.sources.registry import Source
    from pipelines.ingest.batches.setting_aside import RowsLeft

PAST_RETENTION: Final = "retention:past"
_EXPIRED: Final = Reason(PAST_RETENTION, keep_contents=False)
_FALSE: Final[Values] = pa.scalar(value=False)


def rows_past_retention(rows: pa.Table, group_keys: Values | None, source: Source, recorded_at: datetime) -> Values:
    """Return the ordinals (``row_order``) of the typed rows that are too old to be kept.

    Raises:
        ConfigurationRefused: the contract limits how long rows are kept, but the mapping names no date of the event.
    """
    contract, mapping = source.contract, source.mapping
    if contract.retention_days is None:
        return pa.array([], pa.int64())
    if mapping.happened is None:
        raise ConfigurationRefused(
            f"{contract.identity} states retentionDays, but its mapping has no column 'happened'",
            "name the column with the date of the event in the mapping of the source",
        )
    limit: Values = pa.scalar(recorded_at.date() - timedelta(days=contract.retention_days), pa.date32())
    days: Values = pc.cast(rows[mapping.happened], pa.date32(), safe=False)
    is_old: Values = pc.fill_null(pc.less(days, limit), _FALSE)
    is_current: Values = pc.fill_null(pc.greater_equal(days, limit), _FALSE)
    ordinals: Values = rows["row_order"]
    if group_keys is not None:
        keys = group_keys.take(ordinals)
        # A total has no date of its own; it expires with its rows.
        old_keys, current_keys = (pc.unique(keys.filter(chosen)) for chosen in (is_old, is_current))
        is_old = pc.and_not(pc.is_in(keys, value_set=old_keys), pc.is_in(keys, value_set=current_keys))
    old: Values = ordinals.filter(is_old)
    return old.combine_chunks() if isinstance(old, pa.ChunkedArray) else old


def set_expired_aside(left: RowsLeft, expired: Values) -> None:
    """Set expired rows aside, and erase the contents of the entries of those quarantined before."""
    left.erase(expired)
    left.set_aside(pc.is_in(left.rows["row_order"], value_set=expired), _EXPIRED)
