"""What is known of a seller from earlier deliveries stays in force when a folder of theirs is scored.

A folder is one more delivery, so leaving a source out of it hides nothing. Rows that the folder repeats count once,
what it states otherwise is a correction, and money that another report states as well counts once, as at ingest. A
seller cannot withhold the lender's books or the registry: of these, a new record replaces a known one with its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.sources.registry import known_source
from pipelines.ingest.batches.row_versions import VERSION, with_versions
from pipelines.ingest.counted_once import EVENTS, counted_once
from pipelines.ingest.coverage import COVERAGE_TABLE
from pipelines.ingest.spill.chunked_rows import ChunkedRows
from pipelines.ingest.traffic_once import DAYS, traffic_once
from pipelines.score.applicant_features import OWN_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set
    from datetime import datetime

    from data_contracts.arrow import Values

_MARKS: Final = ("superseded_at", "superseded_recorded_at", "counted_in")
_AGAIN: Final = " (delivered again)"
_LINEAGE: Final = ("source", "source_file", "known_at", "recorded_at", VERSION)
# What two shops do not share by chance, at a moment that is not only a day.
_ORDER: Final = ("seller_id", "event_at", "total_amount", "currency", "item_count", "destination_country")
_AT_A_MOMENT: Final = "new.total_amount <> 0 AND new.event_at <> date_trunc('day', new.event_at)"


@dataclass(frozen=True)
class KnownFile:
    """A file delivered earlier or in the folder, with what decides which of two speaks later."""

    name: str
    source: str
    delivered_at: datetime
    group: str = ""


@dataclass(frozen=True)
class KnownHistory:
    """Known tables with a folder added to them.

    Attributes:
        tables: canonical tables by name.
        withdrawn: by seller, the sources delivered earlier that the folder lacks, in alphabetical order.
    """

    tables: dict[str, pa.Table]
    withdrawn: Mapping[str, tuple[str, ...]]


def with_known_history(
    known: Mapping[str, pa.Table], new: Mapping[str, pa.Table], sellers: Set[str], unread: Set[tuple[str, str]]
) -> KnownHistory:
    """Add the tables of a folder to the known ones.

    Args:
        known: validated tables of earlier deliveries.
        new: tables of the folder, among them ``source_coverage``.
        sellers: the sellers who delivered it.
        unread: sellers and sources that may not be read any more; what is known of them does not count.
    """
    of_own = {*OWN_TABLES, COVERAGE_TABLE}
    before = {name: _readable(table, unread) if name in of_own else table for name, table in known.items()}
    delivered = new[COVERAGE_TABLE]
    coverage = before.get(COVERAGE_TABLE, delivered.schema.empty_table())
    merged = {**before, **new}
    for name in before.keys() & new.keys():
        if name in OWN_TABLES:
            files = _files(_rows_of(coverage, sellers), delivered, name)
            merged[name] = _own_table(name, before[name], new[name], sellers, files)
        elif name == COVERAGE_TABLE:
            again = ("source_coverage_id", "period_from", "period_to")
            merged[name] = _joined(_without_repeated(new[name], coverage, again), coverage)
        else:
            merged[name] = _joined(new[name], _without_keys_of(before[name], new[name], name))
    return KnownHistory(dict(sorted(merged.items())), _withdrawn(_rows_of(coverage, sellers), delivered))


def own_sources(coverage: pa.Table | None) -> set[tuple[str, str]]:
    """Return the sellers with the sources of the exports of their own that a table of coverage names."""
    if coverage is None:
        return set()
    own: Values = pc.is_in(coverage["covered_table"].cast(pa.string()), value_set=pa.array(OWN_TABLES))
    rows = coverage.filter(own).select(["seller_id", "delivered_source"]).to_pylist()
    return {(str(row["seller_id"]), str(row["delivered_source"])) for row in rows}


def _readable(table: pa.Table, unread: Set[tuple[str, str]]) -> pa.Table:
    """Return a known table without the rows of sellers and sources that may not be read any more."""
    if not unread:
        return table
    source = "delivered_source" if "delivered_source" in table.column_names else "source"
    pairs = pc.binary_join_element_wise(table["seller_id"].cast(pa.string()), source_names(table[source]), "\0")
    chosen: Values = pc.is_in(pairs, value_set=pa.array(["\0".join(pair) for pair in sorted(unread)], pa.string()))
    others: Values = pc.invert(chosen)
    return table.filter(others)


def source_names(sources: Values) -> Values:
    """Return the names of sources, which may be stated with their versions."""
    return pc.list_element(pc.split_pattern(sources.cast(pa.string()), "@"), 0)


def _own_table(name: str, known: pa.Table, new: pa.Table, sellers: Set[str], files: Sequence[KnownFile]) -> pa.Table:
    """Return a table of the sellers' own exports: known rows, and what the folder adds or corrects."""
    theirs = _rows_of(known, sellers)
    added = _without_repeated(new, theirs, (*_key(name), "source_sha256", "source_row"))
    # The same bytes say the same, and an order is the same order, under any name that a delivery gives the account.
    added = _without_repeated(added, theirs, ("source_sha256", "source_row", *_content(name)))
    if name == "site_order":
        added = _without_repeated(added, theirs, _ORDER, f"{_AT_A_MOMENT} AND new.site_id <> known.site_id")
    if not added.num_rows:
        return known
    together = _versioned(name, _joined(_apart(added), _unmarked(theirs)), files)
    if name == EVENTS:
        events = ChunkedRows(together.schema, (together,))
        together = counted_once({EVENTS: events}, files, None).tables[EVENTS].whole()
    if name == DAYS:
        together = traffic_once({DAYS: ChunkedRows(together.schema, (together,))}).tables[DAYS].whole()
    return _joined(together, _rows_of(known, sellers, others=True))


def _key(name: str) -> tuple[str, ...]:
    return tuple(column for column in table_contract(name).primary_key if column != VERSION)


def _content(name: str) -> tuple[str, ...]:
    """Return the columns of a table that say what happened, but not in which account or file, and when it was known."""
    names = [column.name for column in table_contract(name).columns]
    return tuple(one for one in names if not one.endswith("_id") and one not in {*_MARKS, *_LINEAGE})


def _versioned(name: str, rows: pa.Table, files: Sequence[KnownFile]) -> pa.Table:
    """Return rows of several files with their versions numbered anew, source by source, as at ingest."""
    source_of = source_names(rows["source"])
    parts = []
    for source in sorted(pc.unique(source_of).to_pylist()):
        of_source = rows.filter(pc.equal(source_of, pa.scalar(source)))
        named = [file for file in files if file.source == source]
        whole = known_source(source).mapping.delivered_whole
        parts.append(with_versions({name: of_source.combine_chunks()}, named, whole)[name])
    return _joined(*parts)


def _files(known: pa.Table, new: pa.Table, table: str) -> tuple[KnownFile, ...]:
    """Return the files that feed a table, the known ones and those of the folder, from their coverage."""
    found: dict[str, KnownFile] = {}
    for coverage, mark in ((known, ""), (new, _AGAIN)):
        for row in coverage.filter(_equals(coverage["covered_table"], table)).to_pylist():
            name = str(row["source_coverage_id"]).removeprefix(f"{row['seller_id']}:{table}:") + mark
            found[name] = KnownFile(name, str(row["delivered_source"]), row["delivered_at"])
    return tuple(found.values())


def _apart(new: pa.Table) -> pa.Table:
    """Return rows of the folder with names of files that no known file has, for two deliveries may use one name."""
    index = new.column_names.index("source_file")
    join: Values = pc.binary_join_element_wise
    names = join(new["source_file"].cast(pa.string()), _AGAIN, "")
    return new.set_column(index, new.schema.field(index), names.dictionary_encode().cast(new.schema.field(index).type))


def _without_repeated(new: pa.Table, known: pa.Table, columns: Sequence[str], condition: str = "true") -> pa.Table:
    """Return the new rows that do not agree with a known one in these columns, where an SQL condition holds."""
    pairs = " AND ".join(f'new."{name}" IS NOT DISTINCT FROM known."{name}"' for name in columns)
    numbered = new.append_column("place", pa.array(range(new.num_rows), pa.int64()))
    query = f"SELECT place FROM new ANTI JOIN known ON {pairs} AND ({condition}) ORDER BY place"  # noqa: S608 - our own column names
    return new.take(run_sql(query, new=numbered, known=known)["place"])


def _unmarked(rows: pa.Table) -> pa.Table:
    """Return rows that all count; which of them another report states as well is found anew."""
    if "counted_in" not in rows.column_names:
        return rows
    repeated: Values = pc.is_valid(rows["counted_in"])
    for name in _MARKS:
        index, field = rows.column_names.index(name), rows.schema.field(name)
        rows = rows.set_column(index, field, pc.if_else(repeated, pa.scalar(None, field.type), rows[name]))
    return rows


def _rows_of(table: pa.Table, sellers: Set[str], *, others: bool = False) -> pa.Table:
    """Return the rows of these sellers, or of all others."""
    theirs: Values = pc.is_in(table["seller_id"], value_set=pa.array(sorted(sellers), pa.string()))
    wanted: Values = pc.invert(theirs) if others else theirs
    return table.filter(wanted)


def _without_keys_of(known: pa.Table, new: pa.Table, name: str) -> pa.Table:
    # A new record replaces every version of a known one.
    key, *_ = table_contract(name).primary_key
    others: Values = pc.invert(pc.is_in(known[key], value_set=new[key].combine_chunks()))
    return known.filter(others)


def _joined(*parts: pa.Table) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive").unify_dictionaries().combine_chunks()


def _equals(column: Values, text: str) -> Values:
    return pc.equal(column.cast(pa.string()), pa.scalar(text))


def _withdrawn(known: pa.Table, new: pa.Table) -> dict[str, tuple[str, ...]]:
    """Return, by seller, the sources of own exports that are known and not in the folder."""
    lacking = own_sources(known) - own_sources(new)
    return {seller: tuple(sorted(source for one, source in lacking if one == seller)) for seller, _ in sorted(lacking)}
