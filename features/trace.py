"""Where the value of a feature comes from: its inputs, step by step, down to the rows of the canonical tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from features.build import BuildSettings, build_features, make_plan
from features.catalogue import only
from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.rendering import render
from features.engine.sql_text import days_before, nested, select
from features.engine.views import AS_OF_VIEWS, tables_behind
from features.record import DerivedFeature, Feature, GraphFeature
from features.related_parties import path_finder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from features.catalogue import FeatureSet
    from features.graph.evidence import Evidence
    from features.record import FeatureRecord

LINEAGE = ("source_file", "source_row")


@dataclass(frozen=True)
class Step:
    """A feature or quantity with its value, what it was computed from, and how many steps it is below the first.

    Attributes:
        record: its record.
        value: its value; None if it is missing.
        depth: 0 for the feature that was asked for.
        rows: for a base feature, the rows in its window that meet its condition: the date, the columns of the formula,
            and file and row of the delivery. Rows of a view have its columns and no file. None for a feature that is
            made of others.
        evidence: for a feature of the graph, the links behind it and those left out; None for any other feature.
    """

    record: FeatureRecord
    value: float | None
    depth: int
    rows: pa.Table | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class TraceSource:
    """What a value is traced in: canonical tables by name, the seller and the day, and the settings of the build."""

    tables: Mapping[str, pa.Table]
    seller_id: str
    as_of: dt.date
    settings: BuildSettings = field(default_factory=BuildSettings)


def trace_feature(feature_set: FeatureSet, name: str, source: TraceSource) -> tuple[Step, ...]:
    """Return the feature, then its inputs in the order of the formula, each followed by its own.

    A feature of the graph of related parties has the paths of links behind its value instead of rows.

    Raises:
        ConfigurationRefused: the set has no such feature.
    """
    one = only(feature_set, name)
    records = {record.name: record for record in (*one.inputs, *one.records)}
    with DuckDbEngine(source.settings.threads) as engine:
        for table in sorted(_tables_read(records.values())):
            engine.load(table, _own_rows(table, source))
        engine.load("observed", pa.table({"seller_id": [source.seller_id]}))
        values = _values(one, source, engine)

        def steps(record: FeatureRecord, depth: int) -> tuple[Step, ...]:
            rows = _rows(record, source, engine) if isinstance(record, Feature) else None
            links = _links(record, feature_set, source) if isinstance(record, GraphFeature) else None
            first = Step(record, values.get(record.name), depth, rows, links)
            inputs = record.inputs() if isinstance(record, DerivedFeature) else ()
            return (first, *(step for each in inputs for step in steps(records[each], depth + 1)))

        return steps(records[name], 0)


def _tables_read(records: Iterable[FeatureRecord]) -> set[str]:
    base = [record.table for record in records if isinstance(record, Feature)]
    return {"source_coverage"}.union(*(tables_behind(table) for table in base))


def _own_rows(table: str, source: TraceSource) -> pa.Table:
    """Return the seller's rows of a table; none if the table was not delivered."""
    rows = source.tables.get(table)
    if rows is None:
        return table_contract(table).arrow_schema.empty_table()
    return rows.filter(pc.equal(rows["seller_id"].cast(pa.string()), pa.scalar(source.seller_id)))


def _values(one: FeatureSet, source: TraceSource, engine: DuckDbEngine) -> dict[str, float | None]:
    """Return the values of a feature and of everything that it is computed from.

    The build alone knows graph features, and what the absence of a whole table means for the feature.
    """
    asked = pa.table({"seller_id": [source.seller_id], "as_of": pa.array([source.as_of], pa.date32())})
    built = build_features(source.tables, asked, one, settings=source.settings).table
    values = {name: built[name][0].as_py() for name in one.names}
    if any(isinstance(record, GraphFeature) for record in one.records):
        return values
    found = engine.query(render(make_plan(one, source.settings), AsOf(source.as_of)))
    return {**{record.name: found[record.name][0].as_py() for record in one.inputs}, **values}


def _links(record: GraphFeature, feature_set: FeatureSet, source: TraceSource) -> Evidence:
    finder = path_finder(feature_set, source.tables, source.as_of, source.settings.graph)
    return finder.evidence(record, source.seller_id)


def _rows(record: Feature, source: TraceSource, engine: DuckDbEngine) -> pa.Table:
    """Return the rows behind a base feature, oldest first."""
    as_of, view = AsOf(source.as_of), AS_OF_VIEWS.get(record.table)
    oldest = None if record.window_days is None else record.window_days - 1
    conditions = [] if record.where is None else [f"({record.where})"]
    conditions += [f"({part}) IS NOT NULL" for part in (record.value, record.key) if part is not None]
    if record.of is not None:
        conditions.append(f"(({record.value}) <> 0 OR ({record.of}) <> 0)")
    shown = (*record.columns(), *LINEAGE) if view is None else view.columns
    columns = list(dict.fromkeys(["event_date", *(name for name in shown if name != "seller_id")]))
    if view is None:
        read = record.table
        conditions.append(as_of.condition(oldest))
    else:
        read = nested(view.sql(as_of), record.table)
        conditions += [] if oldest is None else [f"event_date >= {days_before(as_of.day, oldest)}"]
    statement = select(columns, read, where=" AND ".join(conditions) or None)
    return engine.query(f"{statement}\nORDER BY {', '.join(str(place + 1) for place in range(len(columns)))}")
