"""Row versions: a later delivery that changes a canonical row adds the next version of it.

No version is lost or changed. An earlier version keeps its row and records when the later one became known
(``superseded_at``), which is when the later one takes effect. At any moment exactly one version of a row is in force
(``features.engine.as_of``). Rows that a later delivery omits stay as they are, because an export of the same period may
omit rows for many reasons. Records that are delivered whole, such as settlements, are different: the next delivery
replaces all their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from data_contracts.mapping.source_mapping import Tables, run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from pipelines.ingest.deliveries.manifest import DatedFile

VERSION = "row_version"
_VERSION_COLUMNS = (VERSION, "known_at", "superseded_at", "superseded_recorded_at")

_OF_FILES = """
SELECT rows.* EXCLUDE (source_file), files.* EXCLUDE (source_file)
FROM rows JOIN files ON CAST(rows.source_file AS VARCHAR) = files.source_file
"""

# A version takes effect with the delivery that brought it, or when its row could be known, if later; never before the
# version it follows.
_VERSIONS = """
WITH said AS (
    SELECT * FROM rows SEMI JOIN (
        SELECT {key} FROM rows GROUP BY {key} HAVING min(file_order) <> max(file_order)
    ) USING ({key})
), deliveries AS (
    SELECT {key}, file_order, delivered_at, max(known_at) AS could_be_known, max(recorded_at) AS recorded_at
    FROM said GROUP BY {key}, file_order, delivered_at
), numbered AS (
    SELECT *, row_number() OVER said_of_row AS row_version, greatest(could_be_known, delivered_at) AS counts_from
    FROM deliveries WINDOW said_of_row AS (PARTITION BY {key} ORDER BY delivered_at, file_order)
), corrected AS (
    SELECT *, CASE WHEN row_version > 1 THEN max(CASE WHEN row_version > 1 THEN counts_from END) OVER said_of_row END
        AS corrected_at
    FROM numbered WINDOW said_of_row AS (PARTITION BY {key} ORDER BY row_version)
), versions AS (
    SELECT *, lead(corrected_at) OVER said_of_row AS superseded_at,
        lead(recorded_at) OVER said_of_row AS superseded_recorded_at
    FROM corrected WINDOW said_of_row AS (PARTITION BY {key} ORDER BY row_version)
)
SELECT place, CAST(row_version AS INTEGER) AS row_version, coalesce(corrected_at, said.known_at) AS known_at,
    superseded_at, superseded_recorded_at
FROM said JOIN versions USING ({key}, file_order) ORDER BY place
"""


def with_versions(tables: Tables, files: Sequence[DatedFile], delivered_whole: Sequence[str] = ()) -> Tables:
    """Return canonical tables of one source with the versions of each row numbered and dated.

    Rows of one seller with the same key from different files are versions of one row, in order of delivery, then of
    file name. Rows of one file never are, because nothing says which of them is valid. Neither are rows of files of
    different groups, which may be read in different batches.

    Args:
        tables: canonical tables without exact repetitions.
        files: the files of their rows.
        delivered_whole: columns that identify records that are delivered whole, instead of the tables' own keys; all
            rows of a record then belong to one version.
    """
    if len(files) == 1:
        return tables
    order = sorted(files, key=lambda file: (file.delivered_at, file.name))
    named = pa.table(
        {
            "source_file": pa.array([file.name for file in order], pa.string()),
            "delivered_at": pa.array([file.delivered_at for file in order], pa.timestamp("us", "UTC")),
            "file_order": pa.array(np.arange(len(order))),
            "file_group": pa.array([file.group for file in order], pa.string()),
        }
    )
    return {name: _versioned(name, table, named, delivered_whole) for name, table in tables.items()}


def _versioned(name: str, table: pa.Table, files: pa.Table, delivered_whole: Sequence[str]) -> pa.Table:
    own_key = list(delivered_whole) or [key for key in table_contract(name).primary_key if key != VERSION]
    key = [*own_key, *(column for column in ("seller_id",) if column in table.column_names and column not in own_key)]
    rows = table.select([*key, "known_at", "recorded_at", "source_file"])
    rows = rows.append_column("place", pa.array(np.arange(table.num_rows)))
    rows = run_sql(_OF_FILES, rows=rows, files=files)
    versions = run_sql(_VERSIONS.format(key=", ".join([*key, "file_group"])), rows=rows)
    return _replaced(table, versions) if versions.num_rows else table


def _replaced(table: pa.Table, versions: pa.Table) -> pa.Table:
    """Return the table with version columns filled in for the rows that have versions."""
    places: Values = versions["place"]
    is_versioned: Values = pc.is_in(pa.array(np.arange(table.num_rows)), value_set=places)
    for name in _VERSION_COLUMNS:
        index = table.column_names.index(name)
        field = table.schema.field(name)
        values: Values = table[name].combine_chunks()
        replaced = pc.replace_with_mask(values, is_versioned, versions[name].cast(field.type).combine_chunks())
        table = table.set_column(index, field, replaced)
    return table
