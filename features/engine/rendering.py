"""Render feature records to one SQL text per date.

The text has no window functions over events and no dialect of one engine: each event is added once to its age band, and
a window is a running sum of bands. It needs a session in UTC and ``unix_date`` (days since 1970-01-01), which Spark SQL
has and the embedded engine receives as a macro.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.engine.coverage import CoverageNeed, coverage_sql
from features.engine.sql_text import OBSERVED, date_literal, days_before, nested, select, with_parts
from features.engine.views import AS_OF_VIEWS
from features.record import KEYED, ZERO_WHEN_EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from features.engine.as_of import AsOf
    from features.record import DerivedFeature, Feature


@dataclass(frozen=True)
class Plan:
    """Everything that one SQL text is rendered from.

    Attributes:
        base: base features to compute, of any table.
        derived: derived features, each after its inputs.
        always_covered: tables that need no coverage (the lender's own).
        coverage_lag_days: for each table, how many days before the as-of date its newest delivery may end.
        extra_coverage: further coverage questions to answer, for graph features.
    """

    base: tuple[Feature, ...]
    derived: tuple[DerivedFeature, ...]
    always_covered: frozenset[str]
    coverage_lag_days: Mapping[str, int]
    extra_coverage: tuple[CoverageNeed, ...] = ()

    def coverage_needs(self) -> tuple[CoverageNeed, ...]:
        """Return the coverage questions, each once, in alphabetical order."""
        needs = {need for feature in self.base if (need := self.need_of(feature)) is not None}
        return tuple(sorted(needs | set(self.extra_coverage), key=lambda need: need.column))

    def need_of(self, feature: Feature) -> CoverageNeed | None:
        """Return the coverage a base feature needs; None when its table is always covered, or its view says."""
        view = AS_OF_VIEWS.get(feature.table)
        table = feature.table if view is None else view.covered
        if table is None or table in self.always_covered:
            return None
        return CoverageNeed(table, feature.window_days)


def render(plan: Plan, as_of: AsOf) -> str:
    """Return the SQL text that yields ``seller_id``, every feature of the plan and every coverage answer.

    It reads the table ``observed`` (column ``seller_id``), the canonical tables and ``source_coverage``.
    """
    *before, (_, last) = steps(plan, as_of).items()
    return with_parts(dict(before), last)


def steps(plan: Plan, as_of: AsOf) -> dict[str, str]:
    """Return the same text in named steps: each may read the steps before it, and the last one yields the features.

    An engine that keeps each step as a table has many small statements to plan instead of one large one.
    """
    needs = plan.coverage_needs()
    found: dict[str, str] = {}
    named = {"covered": coverage_sql(needs, as_of, plan.coverage_lag_days)} if needs else {}
    for one_pass in _passes(plan.base):
        named[one_pass.table_of_features] = _features_of_pass(one_pass, as_of)
        found.update({feature.name: one_pass.table_of_features for feature in one_pass.features})
    named |= _assembled(plan, found, needs)
    last = "base_features"
    for depth, layer in enumerate(derived_layers(plan.derived)):
        columns = [f"CAST({record.guarded} AS DOUBLE) AS {record.name}" for record in layer]
        named[f"derived_{depth}"] = select(["*", *columns], last)
        last = f"derived_{depth}"
    named["features"] = select(["*"], f"{last}\nORDER BY seller_id")
    return named


def derived_layers(derived: Sequence[DerivedFeature]) -> list[list[DerivedFeature]]:
    """Group derived features into layers that need only base features and earlier layers."""
    depth: dict[str, int] = {}
    layers: list[list[DerivedFeature]] = []
    for record in derived:
        level = max((depth[name] + 1 for name in record.inputs() if name in depth), default=0)
        depth[record.name] = level
        if level == len(layers):
            layers.append([])
        layers[level].append(record)
    return layers


@dataclass(frozen=True)
class _Pass:
    """The features computed in one pass over one table: either those with windows, or those over all history.

    They are kept apart so that one feature over all history does not make every other read all rows.
    """

    name: str
    table: str
    features: tuple[Feature, ...]

    @property
    def rows(self) -> str:
        return f"{self.name}_rows"

    @property
    def table_of_features(self) -> str:
        return f"{self.name}_features"

    @property
    def longest_days(self) -> int | None:
        """The longest window; None over all history."""
        windows = [feature.window_days for feature in self.features]
        return None if None in windows else max(window for window in windows if window is not None)


def _passes(base: Sequence[Feature]) -> list[_Pass]:
    groups: dict[tuple[str, bool], list[Feature]] = {}
    for feature in base:
        groups.setdefault((feature.table, feature.window_days is None), []).append(feature)
    return [
        _Pass(f"{table}_all" if whole else table, table, tuple(features))
        for (table, whole), features in sorted(groups.items(), key=lambda group: group[0])
    ]


def _features_of_pass(one: _Pass, as_of: AsOf) -> str:
    """Return SQL for the features of a pass, one row for each observed seller."""
    found: dict[str, str] = {}
    parts = _pass_parts(one, as_of, found)
    columns = {"seller_id": "observed.seller_id", **{name: f"{part}.{name}" for name, part in found.items()}}
    return with_parts(parts, select(columns, f"observed{_joined(dict.fromkeys(found.values()))}"))


def _pass_parts(one: _Pass, as_of: AsOf, found: dict[str, str]) -> dict[str, str]:
    """Return the SQL parts of one pass, and note in ``found`` which part holds which feature."""
    parts = {one.rows: _visible_rows(one, as_of)}
    banded = [feature for feature in one.features if feature.aggregate not in KEYED | {"median"}]
    if banded:
        parts |= _banded_parts(one, banded, as_of)
        found.update({feature.name: f"{one.name}_windows" for feature in banded})
    medians = [feature for feature in one.features if feature.aggregate == "median"]
    if medians:
        columns = {feature.name: _median(feature, as_of) for feature in medians}
        parts[f"{one.name}_medians"] = select({"seller_id": "seller_id", **columns}, one.rows, group_by="seller_id")
        found.update({feature.name: f"{one.name}_medians" for feature in medians})
    for number, key in enumerate(sorted({feature.key for feature in one.features if feature.key is not None})):
        of_key = [feature for feature in one.features if feature.key == key]
        parts |= _keyed_parts(f"{one.name}_key{number}", one.rows, of_key, as_of)
        found.update({feature.name: f"{one.name}_key{number}" for feature in of_key})
    return parts


def _visible_rows(one: _Pass, as_of: AsOf) -> str:
    read = ["seller_id", "event_date", *(column for feature in one.features for column in feature.columns())]
    columns = list(dict.fromkeys(read))
    oldest = None if one.longest_days is None else one.longest_days - 1
    if one.table not in AS_OF_VIEWS:
        return select(columns, one.table, where=f"{as_of.condition(oldest)} AND {OBSERVED}")
    recent = "" if oldest is None else f" AND event_date >= {days_before(as_of.day, oldest)}"
    return select(columns, nested(AS_OF_VIEWS[one.table].sql(as_of), one.table), where=OBSERVED + recent)


# --- mergeable aggregates: age bands, then running sums of bands ----------------------------------------------------


@dataclass(frozen=True)
class _Measure:
    """A value and a condition that several features share, under a short column name."""

    column: str
    value: str | None
    where: str | None

    def case(self, result: str) -> str:
        return result if self.where is None else f"CASE WHEN {self.where} THEN {result} END"

    def band_sums(self) -> dict[str, str]:
        """Return what can be kept of a band, by the suffix of its column."""
        value = "1" if self.value is None else self.value
        decimal = self.case(f"CAST({value} AS DECIMAL(18,4))")
        # Cents with 18 and with 19 digits: the product has 37, which DuckDB and Spark both keep exactly.
        cents = self.case(f"CAST({value} AS DECIMAL(18,2))")
        square = self.case(f"CAST({value} AS DECIMAL(18,2)) * CAST({value} AS DECIMAL(19,2))")
        return {
            "n": f"COUNT({self.case(value)})",
            "sum": f"SUM({decimal})",
            "cents": f"SUM({cents})",
            "square": f"SUM({square})",
            "min": f"MIN({decimal})",
            "max": f"MAX({decimal})",
            "first": f"MIN({self.case('event_date')})",
            "last": f"MAX({self.case('event_date')})",
        }


_KEPT_OF_BANDS: Mapping[str, tuple[str, ...]] = {
    "count": ("n",),
    "sum": ("sum",),
    "mean": ("n", "sum"),
    "stddev": ("n", "cents", "square"),
    "min": ("min",),
    "max": ("max",),
    "days_since_last": ("last",),
    "days_since_first": ("first",),
}


def _banded_parts(one: _Pass, features: Sequence[Feature], as_of: AsOf) -> dict[str, str]:
    edges = sorted({feature.window_days for feature in features if feature.window_days is not None})
    measures: dict[tuple[str | None, str | None], _Measure] = {}
    sums: dict[str, str] = {}
    windows: dict[str, str] = {}
    for feature in features:
        key = (feature.value, feature.where)
        measure = measures.setdefault(key, _Measure(f"m{len(measures)}", *key))
        available = measure.band_sums()
        sums |= {f"{measure.column}_{part}": available[part] for part in _KEPT_OF_BANDS[feature.aggregate]}
        band = None if feature.window_days is None else edges.index(feature.window_days)
        windows[feature.name] = _over_bands(measure.column, feature.aggregate, band, as_of)
    bands = {"seller_id": "seller_id", "band": _band(edges, as_of), **sums}
    return {
        f"{one.name}_bands": select(bands, one.rows, group_by="1, 2"),
        f"{one.name}_windows": select({"seller_id": "seller_id", **windows}, f"{one.name}_bands", group_by="seller_id"),
    }


def _band(edges: Sequence[int], as_of: AsOf) -> str:
    """Return SQL for the band of an event: k when it is in window k but in no shorter one."""
    if not edges:
        return "0"
    cases = (f"WHEN event_date > {days_before(as_of.day, edge)} THEN {k}" for k, edge in enumerate(edges))
    return f"CASE {' '.join(cases)} ELSE {len(edges)} END"


def _over_bands(column: str, aggregate: str, band: int | None, as_of: AsOf) -> str:
    """Return SQL for the aggregate over all bands of a window, as DOUBLE."""
    within = "" if band is None else f" FILTER (WHERE band <= {band})"

    def total(function: str, part: str) -> str:
        return f"CAST({function}({column}_{part}){within} AS DOUBLE)"

    def exact(part: str, kind: str) -> str:
        return f"CAST(SUM({column}_{part}){within} AS DECIMAL({kind}))"

    today = f"unix_date({date_literal(as_of.day)})"
    count, summed = total("SUM", "n"), total("SUM", "sum")
    # n * sum of squares - square of sum, in exact decimals: equal amounts have a spread of exactly zero.
    spread = f"{exact('n', '8,0')} * {exact('square', '30,4')} - {exact('cents', '18,2')} * {exact('cents', '19,2')}"
    return {
        "count": count,
        "sum": summed,
        "mean": f"{summed} / NULLIF({count}, 0)",
        "stddev": f"CASE WHEN {count} > 1 THEN SQRT(CAST({spread} AS DOUBLE) / ({count} * ({count} - 1))) END",
        "min": total("MIN", "min"),
        "max": total("MAX", "max"),
        "days_since_last": f"CAST({today} - unix_date(MAX({column}_last){within}) AS DOUBLE)",
        "days_since_first": f"CAST({today} - unix_date(MIN({column}_first){within}) AS DOUBLE)",
    }[aggregate]


# --- aggregates that cannot be merged over bands ----------------------------------------------------------------------


def _median(feature: Feature, as_of: AsOf) -> str:
    return f"MEDIAN(CAST({feature.value} AS DOUBLE)) FILTER (WHERE {_in_window(feature, as_of)})"


def _in_window(feature: Feature, as_of: AsOf) -> str:
    parts = [] if feature.where is None else [f"({feature.where})"]
    if feature.window_days is not None:
        parts.append(f"event_date > {days_before(as_of.day, feature.window_days)}")
    return " AND ".join(parts) or "TRUE"


def _keyed_parts(name: str, rows: str, features: Sequence[Feature], as_of: AsOf) -> dict[str, str]:
    """Return two SQL parts: totals per key of a seller, then the spread over the seller's keys."""
    key = features[0].key
    sums = {"seller_id": "seller_id", "key_value": f"{key}"}
    spread = {"seller_id": "seller_id"}
    for number, feature in enumerate(features):
        within = f"FILTER (WHERE {_in_window(feature, as_of)})"
        total = f"SUM(CAST({feature.value} AS DECIMAL(18,4))) {within}"
        if feature.of is not None:
            whole = f"SUM(CAST({feature.of} AS DECIMAL(18,4))) {within}"
            sums[f"k{number}"] = f"CAST({total} AS DOUBLE)"
            sums[f"k{number}_of"] = f"CAST({whole} AS DOUBLE)"
            sums[f"k{number}_of_all"] = f"CAST(SUM({whole}) OVER (PARTITION BY seller_id) AS DOUBLE)"
            spread[feature.name] = _worst_ratio(f"k{number}", feature.least_share)
            continue
        if feature.aggregate in {"hhi", "top_share"} and feature.value is not None:
            # Cents in 18 digits leave room for an exact square.
            sums[f"k{number}"] = f"CAST({total} AS DECIMAL(18,2))"
        else:
            sums[f"k{number}"] = f"CAST(COUNT(*) {within} AS DECIMAL(18,2))"
        spread[feature.name] = _over_keys(feature.aggregate, f"k{number}")
    return {
        f"{name}_sums": select(sums, rows, where=f"{key} IS NOT NULL", group_by="1, 2"),
        name: select(spread, f"{name}_sums", group_by="seller_id"),
    }


def _over_keys(aggregate: str, column: str) -> str:
    """Return SQL for the spread over keys; keys whose total is zero or less (all refunded, say) do not count."""
    within = f"FILTER (WHERE {column} > 0)"
    whole = f"CAST(SUM({column}) {within} AS DOUBLE)"
    square = f"CAST(SUM({column} * CAST({column} AS DECIMAL(19,2))) {within} AS DOUBLE)"
    most = f"CAST(MAX({column}) {within} AS DOUBLE)"
    present = f"CAST(COUNT(*) {within} AS DOUBLE)"
    return {
        "hhi": f"{square} / NULLIF({whole} * {whole}, 0)",
        "top_share": f"{most} / NULLIF({whole}, 0)",
        "count_distinct": present,
        "repeat_share": f"CAST(COUNT(*) FILTER (WHERE {column} > 1) AS DOUBLE) / NULLIF({present}, 0)",
        "max_per_key": most,
    }[aggregate]


def _worst_ratio(column: str, least_share: float | None) -> str:
    """Return SQL for the highest ratio among the keys that hold enough of the whole."""
    enough = f"{column}_of > 0 AND {column}_of >= {least_share} * {column}_of_all"
    return f"MAX({column} / {column}_of) FILTER (WHERE {enough})"


# --- everything about a seller in one row ----------------------------------------------------------------------------

_JOINED_AT_ONCE = 7


def _assembled(plan: Plan, found: Mapping[str, str], needs: Sequence[CoverageNeed]) -> dict[str, str]:
    """Return statements that put the features of all passes into one row for each seller, as ``base_features``.

    The work of planning a join grows with its tables times its columns, so a few tables are joined at a time.
    """
    passes = list(dict.fromkeys(found.values()))
    groups = [passes[start : start + _JOINED_AT_ONCE] for start in range(0, len(passes), _JOINED_AT_ONCE)]
    named: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, group in enumerate(groups):
        features = [feature for feature in plan.base if found[feature.name] in group]
        columns = {feature.name: _covered_value(plan, feature, found[feature.name]) for feature in features}
        joins = [*group, *(["covered"] if needs else [])]
        group_name = f"base_features_{number}"
        named[group_name] = select({"seller_id": "observed.seller_id", **columns}, f"observed{_joined(joins)}")
        names |= {feature.name: f"{group_name}.{feature.name}" for feature in features}
    answers = {need.column: f"COALESCE(covered.{need.column}, 0)" for need in needs}
    joins = [*named, *(["covered"] if needs else [])]
    named["base_features"] = select(
        {"seller_id": "observed.seller_id", **names, **answers}, f"observed{_joined(joins)}"
    )
    return named


def _covered_value(plan: Plan, feature: Feature, source: str) -> str:
    """Return SQL for a base feature as DOUBLE, NULL where its table was not delivered."""
    value = f"{source}.{feature.name}"
    if feature.aggregate in ZERO_WHEN_EMPTY:
        value = f"COALESCE({value}, 0)"
    need = plan.need_of(feature)
    if need is not None:
        value = f"CASE WHEN covered.{need.column} = 1 THEN {value} END"
    return f"CAST({value} AS DOUBLE)"


def _joined(names: Iterable[str]) -> str:
    return "".join(f"\nLEFT JOIN {name} ON {name}.seller_id = observed.seller_id" for name in names)
