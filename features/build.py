"""Build the feature matrix from canonical tables, observations and a feature set."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from data_contracts.definition.matrix import FeatureColumn, matrix_contract
from data_contracts.entities.party_matches import PARTY_MATCH
from data_contracts.errors import ConfigurationRefused, InputRefused, InternalFault
from data_contracts.progress import SILENT, counted
from features.engine.as_of import AS_OF_COLUMNS, REPLAY_COLUMNS, AsOf
from features.engine.coverage import CoverageNeed
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.rendering import Plan, steps
from features.engine.views import AS_OF_VIEWS, tables_behind
from features.graph.edges import GraphSettings
from features.graph.signals import SIGNAL_COLUMNS, graph_values, signal_tables
from features.graph.snapshot import Snapshot
from features.observations import OBSERVATION_SCHEMA
from features.record import DerivedFeature, Feature, GraphFeature

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from data_contracts.definition.contract import CompiledContract
    from data_contracts.progress import Progress
    from features.catalogue import FeatureSet
    from features.record import FeatureRecord

log = logging.getLogger(__name__)

# The lender's own tables: no seller has to deliver them, so an absent row means that nothing happened. If a whole table
# is absent, nothing in it is known about anyone.
ALWAYS_COVERED = frozenset({"loan", "repayment", "application"})

# How many days before the as-of date the newest delivery may end: settlements close twice a month and appear later;
# declarations, orders, invoices, stock and balances are exported once a month; registry extracts come once a quarter.
_MONTHLY_DAYS, _QUARTERLY_DAYS = 45, 100
_MONTHLY = (
    "money_event", "bank_entry", "trade_invoice", "export_declaration", "site_order", "site_day", "ad_spend",
    "inventory_snapshot", "purchase_order", "logistics_event", "receivable", "pledge", "warehouse_receipt",
    "cash_balance", "account_health", "login_event", "rating_review", "social_day", "debt",
)  # fmt: skip
_QUARTERLY = (
    "party", "party_link", "public_record", "certificate", "insurance", "asset_register", "production_capacity",
    "ip_claim", "consent",
)  # fmt: skip
COVERAGE_LAG_DAYS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_MONTHLY, _MONTHLY_DAYS) | dict.fromkeys(_QUARTERLY, _QUARTERLY_DAYS)
)


@dataclass(frozen=True)
class BuildSettings:
    """Settings of the feature build.

    Attributes:
        coverage_lag_days: for each table, how many days before the as-of date its newest delivery may end.
        graph: what counts as a relation.
        threads: threads of the embedded engine; None for all processors. They change no bit of the result.
        progress: receives the number of dates built.
    """

    coverage_lag_days: Mapping[str, int] = field(default_factory=lambda: COVERAGE_LAG_DAYS)
    graph: GraphSettings = field(default_factory=GraphSettings)
    threads: int | None = None
    progress: Progress = SILENT


@dataclass(frozen=True)
class FeatureMatrix:
    """Features by seller and date.

    Attributes:
        table: ``seller_id``, ``as_of``, then the features of the set in order as float64, null where missing; sorted by
            date, then seller.
        feature_set: the set that the matrix was built for.
    """

    table: pa.Table
    feature_set: FeatureSet

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the features alone, shape (rows, features), NaN where missing."""
        columns = [self.table[name].to_numpy() for name in self.feature_set.names]
        return np.column_stack(columns) if columns else np.empty((self.table.num_rows, 0))


def contract_of_matrix(feature_set: FeatureSet) -> CompiledContract:
    """Return the contract of a feature set's matrix: one row per seller and date, and no infinite feature."""
    columns = [FeatureColumn(one.name, one.unit, one.description, one.title_zh) for one in feature_set.records]
    return matrix_contract(columns)


def matrix_schema(feature_set: FeatureSet) -> pa.Schema:
    """Return the Arrow schema of a feature set's matrix."""
    return contract_of_matrix(feature_set).arrow_schema


def build_features(
    tables: Mapping[str, pa.Table],
    observations: pa.Table,
    feature_set: FeatureSet,
    recorded_until: dt.datetime | None = None,
    settings: BuildSettings | None = None,
) -> FeatureMatrix:
    """Build the matrix of a feature set from what was known of each seller by the end of its as-of date.

    Args:
        tables: canonical tables by name, and ``party_match`` if names were matched. An absent table counts as not
            delivered.
        observations: ``seller_id`` and ``as_of``, each pair once, in any order.
        feature_set: the features to compute.
        recorded_until: use only rows recorded up to this instant, to replay an old score.
        settings: how features are built.

    Raises:
        InputRefused: an observation is repeated or incomplete, or an amount is too large to sum exactly.
        ConfigurationRefused: a table needs a coverage lag that the settings lack.
    """
    settings = settings or BuildSettings()
    graph = graph_settings(feature_set, settings.graph)
    observations = _checked(observations)
    plan = make_plan(feature_set, settings)
    complete = {
        name: _columns_of(name, columns, tables)
        for name, columns in _needed_columns(feature_set, plan, recorded_until).items()
    }
    if PARTY_MATCH in tables:
        complete[PARTY_MATCH] = tables[PARTY_MATCH]
    asked: dict[dt.date, list[str]] = {}
    for row in observations.sort_by([("as_of", "ascending"), ("seller_id", "ascending")]).to_pylist():
        asked.setdefault(row["as_of"], []).append(row["seller_id"])
    numbers = _SellerNumbers.of(observations, complete, feature_set)
    built = [matrix_schema(feature_set).empty_table()]
    with DuckDbEngine(settings.threads) as engine:
        for name in _sql_tables(plan):
            engine.load(name, numbers.numbered(complete[name]))
        for day, sellers in counted(asked.items(), "dates built", len(asked), settings.progress):
            snapshot = Snapshot(complete, AsOf(day, recorded_until), graph)
            queried = _queried(snapshot, sellers, feature_set)
            engine.load("observed", numbers.numbered(pa.table({"seller_id": pa.array(queried, pa.string())})))
            found = numbers.named(engine.query_steps(steps(plan, snapshot.as_of)))
            built.append(_rows_as_of(snapshot, sellers, found, feature_set))
            log.info("features as of %s: %d sellers", day, len(sellers))
    matrix = pa.concat_tables(built).combine_chunks()
    return FeatureMatrix(_without_absent_tables(matrix, feature_set, ALWAYS_COVERED - set(tables)), feature_set)


def graph_settings(feature_set: FeatureSet, settings: GraphSettings) -> GraphSettings:
    """Return the graph settings with the matching threshold of the feature set, if it has one."""
    if feature_set.same_from_score is None:
        return settings
    return replace(settings, same_from_score=feature_set.same_from_score)


def tables_read(feature_set: FeatureSet, *, of_neighbours: bool = False) -> dict[str, frozenset[str]]:
    """Return, for each feature of a set, the canonical tables it reads through its inputs and as-of views.

    With ``of_neighbours`` also those from which a feature averaged over related sellers is computed for them.
    """
    records = {record.name: record for record in (*feature_set.inputs, *feature_set.records)}

    def read(record: FeatureRecord) -> frozenset[str]:
        if isinstance(record, Feature):
            return tables_behind(record.table)
        if isinstance(record, GraphFeature):
            averaged = record.neighbour_feature if of_neighbours else None
            return frozenset(signal_tables(record)) | (read(records[averaged]) if averaged else frozenset())
        return frozenset().union(*(read(records[name]) for name in record.inputs()))

    return {record.name: read(record) for record in feature_set.records}


def make_plan(feature_set: FeatureSet, settings: BuildSettings) -> Plan:
    """Build the plan from which the SQL text of a feature set is rendered.

    Raises:
        ConfigurationRefused: the settings lack a coverage lag.
    """
    records = (*feature_set.inputs, *feature_set.records)
    needs = {
        CoverageNeed(table, record.window_days)
        for record in records
        if isinstance(record, GraphFeature)
        for table in record.tables
        if table not in ALWAYS_COVERED
    }
    plan = Plan(
        base=tuple(record for record in records if isinstance(record, Feature)),
        derived=_in_order([record for record in records if isinstance(record, DerivedFeature)]),
        always_covered=ALWAYS_COVERED,
        coverage_lag_days=settings.coverage_lag_days,
        extra_coverage=tuple(needs),
    )
    without = sorted({need.table for need in plan.coverage_needs()} - set(settings.coverage_lag_days))
    if without:
        raise ConfigurationRefused(f"no coverage lag for {', '.join(without)}", "add it to coverage_lag_days")
    return plan


def _in_order(derived: Sequence[DerivedFeature]) -> tuple[DerivedFeature, ...]:
    """Sort derived features so that each comes after its inputs."""
    waiting = {record.name: record for record in derived}
    ordered: list[DerivedFeature] = []
    while waiting:
        ready = [record for record in waiting.values() if not set(record.inputs()) & set(waiting)]
        ordered += ready
        for record in ready:
            del waiting[record.name]
    return tuple(ordered)


def _checked(observations: pa.Table) -> pa.Table:
    observations = observations.select(["seller_id", "as_of"]).cast(OBSERVATION_SCHEMA)
    if observations["seller_id"].null_count or observations["as_of"].null_count:
        raise InputRefused(file="observations", rule="seller and date are required", remedy="fill both columns")
    repeated = observations.group_by(["seller_id", "as_of"]).aggregate([([], "count_all")])
    repeated = repeated.filter(pc.field("count_all") > 1)
    if repeated.num_rows:
        first = repeated.slice(0, 1).to_pylist()[0]
        rule = f"seller {first['seller_id']} is listed more than once as of {first['as_of']}"
        raise InputRefused(
            file="observations", column="seller_id", rule=rule, remedy="list each pair of seller and date once"
        )
    return observations


def _needed_columns(feature_set: FeatureSet, plan: Plan, recorded_until: dt.datetime | None) -> dict[str, list[str]]:
    """Return the columns to keep of every canonical table that is read."""
    needed: dict[str, list[str]] = {}
    for feature in plan.base:
        view = AS_OF_VIEWS.get(feature.table)
        for table, own in ({feature.table: feature.columns()} if view is None else view.tables).items():
            needed.setdefault(table, []).extend(own)
    if plan.coverage_needs():
        needed.setdefault("source_coverage", []).extend(["covered_table", "period_from", "period_to"])
    for record in feature_set.records:
        for table in signal_tables(record) if isinstance(record, GraphFeature) else ():
            needed.setdefault(table, []).extend(SIGNAL_COLUMNS[table])
    common = AS_OF_COLUMNS if recorded_until is None else (*AS_OF_COLUMNS, *REPLAY_COLUMNS)
    # A link belongs to its parties, not to one seller.
    keys = {table: () if table == "party_link" else ("seller_id",) for table in needed}
    return {table: list(dict.fromkeys([*keys[table], *common, *columns])) for table, columns in needed.items()}


def _sql_tables(plan: Plan) -> list[str]:
    read = frozenset().union(*(tables_behind(feature.table) for feature in plan.base))
    return sorted(read | ({"source_coverage"} if plan.coverage_needs() else set()))


def _columns_of(name: str, columns: Sequence[str], tables: Mapping[str, pa.Table]) -> pa.Table:
    table = tables.get(name)
    if table is None:
        table = table_contract(name).arrow_schema.empty_table()
    absent = [column for column in columns if column not in table.column_names]
    if absent:
        raise InputRefused(
            file=f"table {name}", column=absent[0], rule="the column is missing", remedy="validate the table first"
        )
    return table.select(columns)


@dataclass(frozen=True)
class _SellerNumbers:
    """Integers that stand for seller ids inside the engine: grouping takes half the time it takes by text.

    Attributes:
        ids: every seller that may be queried, sorted; a seller's number is its position.
    """

    ids: pa.Array[Any]

    @classmethod
    def of(cls, observations: pa.Table, tables: Mapping[str, pa.Table], feature_set: FeatureSet) -> _SellerNumbers:
        known = [observations["seller_id"].cast(pa.string())]
        if _needs_neighbours(feature_set):
            known.append(tables["party"]["seller_id"].cast(pa.string()).drop_null())
        names = {str(name) for column in known for name in column.unique().to_pylist()}
        return cls(pa.array(sorted(names), pa.string()))

    def numbered(self, table: pa.Table) -> pa.Table:
        """Keep the rows of known sellers and replace ids with numbers."""
        numbers = pc.index_in(table["seller_id"].cast(pa.string()), value_set=self.ids)
        place = table.column_names.index("seller_id")
        table = table.set_column(place, "seller_id", numbers)
        return table.filter(pc.is_valid(numbers)) if numbers.null_count else table

    def named(self, table: pa.Table) -> pa.Table:
        """Sort the rows by seller and replace numbers with ids."""
        table = table.sort_by("seller_id")
        return table.set_column(0, "seller_id", self.ids.take(table["seller_id"].combine_chunks()))


def _needs_neighbours(feature_set: FeatureSet) -> bool:
    return any(isinstance(record, GraphFeature) and record.neighbour_feature for record in feature_set.records)


def _queried(snapshot: Snapshot, sellers: list[str], feature_set: FeatureSet) -> list[str]:
    """Return the sellers to query: the requested ones, and their relatives if a feature averages over them."""
    return snapshot.relatives(sellers) if _needs_neighbours(feature_set) else sellers


def _rows_as_of(snapshot: Snapshot, sellers: list[str], found: pa.Table, feature_set: FeatureSet) -> pa.Table:
    """Assemble the rows of one date, sorted by seller, from engine and graph columns in the order of the set."""
    graph = [record for record in feature_set.records if isinstance(record, GraphFeature)]
    signals = graph_values(graph, snapshot, sellers, found)
    own = found.filter(pc.is_in(found["seller_id"], value_set=pa.array(sellers, pa.string())))
    if own["seller_id"].to_pylist() != sellers:
        raise InternalFault(f"features as of {snapshot.as_of.day}: rows are missing or repeated")
    arrays: list[pa.Array[Any]] = [pa.array(sellers, pa.string())]
    arrays.append(pa.array([snapshot.as_of.day] * len(sellers), pa.date32()))
    for record in feature_set.records:
        if isinstance(record, GraphFeature):
            values = _covered_only(signals[record.name], record, own)
        else:
            values = _finite(own[record.name].to_numpy(), record.name)
        arrays.append(pa.array(values, pa.float64(), from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=matrix_schema(feature_set))


def _covered_only(values: NDArray[np.float64], record: GraphFeature, own: pa.Table) -> NDArray[np.float64]:
    """Remove the values of sellers whose own rows of a needed table were not delivered."""
    for table in record.tables:
        if table not in ALWAYS_COVERED:
            covered = own[CoverageNeed(table, record.window_days).column].to_numpy() == 1
            values = np.where(covered, values, np.nan)
    return values


def _without_absent_tables(matrix: pa.Table, feature_set: FeatureSet, absent: frozenset[str]) -> pa.Table:
    """Remove the values of features computed from a lender table that is absent."""
    for name, tables in tables_read(feature_set, of_neighbours=True).items():
        if tables & absent:
            place = matrix.column_names.index(name)
            matrix = matrix.set_column(place, matrix.schema.field(name), pa.nulls(matrix.num_rows, pa.float64()))
    return matrix


def _finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if np.isinf(values).any():
        raise InternalFault(f"feature {name} is infinite; its formula must handle a zero denominator")
    return values
