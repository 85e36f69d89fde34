"""Rows older than their contract lets them be kept: counted by reason, and nothing they say is stored.

A contract states ``retentionDays``. A row whose event lies further back than that on the day of recording is set aside
under ``retention:past`` with its file and number alone, neither value nor original, whether it kept every rule or not.
Rows that stand or fall together go when the last of them is too old. A row that could not be typed has no known age.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import ConfigurationRefused
from data_contracts.lineage import Origin, SetAside, concat_quarantine, quarantine_table, redacted

if TYPE_CHECKING:
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.source_mapping import SourceMapping
    from pipelines.ingest.batches.row_checks import SortedRows

PAST_RETENTION: Final = "retention:past"
_FALSE: Final[Values] = pa.scalar(value=False)


def rows_past_retention(
    rows: pa.Table,
    group_keys: Values | None,
    mapping: SourceMapping,
    contract: CompiledContract,
    recorded_at: datetime,
) -> Values:
    """Give the ordinals (``row_order``) of the typed rows that are too old to be kept.

    Raises:
        ConfigurationRefused: the contract states how long rows are kept, and its mapping not when they happened.
    """
    if contract.retention_days is None:
        return pa.array([], pa.int64())
    if mapping.happened is None:
        raise ConfigurationRefused(
            f"{contract.identity} states retentionDays, and nothing says when its rows happened",
            "name the column as 'happened' in the mapping of the source",
        )
    limit: Values = pa.scalar(recorded_at.date() - timedelta(days=contract.retention_days), pa.date32())
    days: Values = pc.cast(rows[mapping.happened], pa.date32(), safe=False)
    is_old: Values = pc.fill_null(pc.less(days, limit), _FALSE)
    is_current: Values = pc.fill_null(pc.greater_equal(days, limit), _FALSE)
    ordinals: Values = rows["row_order"]
    if group_keys is not None:
        keys = group_keys.take(ordinals)
        # A total has no date of its own and goes with its rows.
        old_keys, current_keys = (pc.unique(keys.filter(chosen)) for chosen in (is_old, is_current))
        is_old = pc.and_not(pc.is_in(keys, value_set=old_keys), pc.is_in(keys, value_set=current_keys))
    old: Values = ordinals.filter(is_old)
    return old.combine_chunks() if isinstance(old, pa.ChunkedArray) else old


def without_expired(found: SortedRows, expired: Values, origin: Origin) -> SortedRows:
    """Give sorted rows with the expired ones set aside, and of those quarantined already nothing but rule and place."""
    if not len(expired):
        return found
    is_expired: Values = pc.is_in(found.accepted["row_order"], value_set=expired)
    kept: Values = pc.invert(is_expired)
    ordinals_gone: Values = found.accepted.filter(is_expired)["row_order"]
    gone: list[int] = ordinals_gone.to_pylist()
    nameless = Origin(origin.source, origin.source_file, origin.source_sha256)
    group = SetAside(PAST_RETENTION, gone, [None] * len(gone), originals=[None] * len(gone))
    set_aside = redacted(found.quarantined, pc.is_in(found.quarantined["source_row"], value_set=expired))
    ordinals = expired.to_numpy()
    return replace(
        found,
        accepted=found.accepted.filter(kept),
        quarantined=concat_quarantine([set_aside, quarantine_table(nameless, [group])]),
        remarks=tuple((remark, rows[~np.isin(rows, ordinals)]) for remark, rows in found.remarks),
    )
