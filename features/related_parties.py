"""The related parties behind some graph features of a seller, as of a day: which links lead where."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract
from data_contracts.entities.party_matches import PARTY_MATCH
from features.build import graph_settings
from features.engine.as_of import AS_OF_COLUMNS, AsOf
from features.graph.edges import GraphSettings
from features.graph.path_words import EVENTS
from features.graph.signals import SIGNAL_COLUMNS, signal_tables
from features.graph.snapshot import Snapshot
from features.record import GraphFeature

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.catalogue import FeatureSet
    from features.graph.evidence import PathFinder
    from features.graph.paths import Path

    Columns = Mapping[str, list[str]]
    Values = Iterable[tuple[str, float | None]]

FLAG_UNIT: Final = "0 or 1"
"""Unit of a feature that is a flag, raised at 1."""
_REGISTRY: Final = ("party", "party_link")
_BOOKS: Final = "repayment"
_DATES_KEPT: Final = 2
_STATED_IN: Final = ("source_file", "source_row")
_MATCHES: Final = ("left_party_id", "right_party_id", "score", "decided_by", "is_accepted")


@dataclass(frozen=True)
class SignalPaths:
    """A graph feature and the paths of links behind a seller's value of it, at least one, the shortest first."""

    record: GraphFeature
    paths: tuple[Path, ...]

    def first(self, most: int) -> tuple[Path, ...]:
        """Return at most so many paths: those to sellers in default first, then to late payers, then the others."""
        worst_first = sorted(self.paths, key=lambda path: (path.default_date is None, path.days_late is None))
        return tuple(worst_first[:most])


@dataclass(frozen=True)
class RelatedParties:
    """What is behind some graph features of a seller.

    Attributes:
        seller: the seller.
        signals: the features that links are behind, in the order asked for; none if there are no links.
        sellers: the names in the paths that are sellers; every other name is an owner, an address, an asset and so on.
    """

    seller: str
    signals: tuple[SignalPaths, ...]
    sellers: frozenset[str]


def related_finder(
    feature_set: FeatureSet, read: Callable[[Columns], Mapping[str, pa.Table]], described: pa.Table
) -> Callable[[str, dt.date, Values], RelatedParties | None]:
    """Return the function that finds the related parties behind features and raised flags of a seller on a date.

    It takes the seller, the date, and the features in question with their values; it returns None if none of them, and
    no raised flag, is a feature of the graph.

    Args:
        feature_set: the features of the model.
        read: returns the tables that exist, with at least these columns; called once for each date that needs links.
        described: seller_id, as_of and features.
    """
    records = graph_features(feature_set)
    raised = raised_flags(records, described)

    @functools.lru_cache(_DATES_KEPT)
    def finder(as_of: dt.date) -> PathFinder:
        return path_finder(feature_set, read(columns_of_links(records.values())), as_of)

    def found(seller: str, as_of: dt.date, values: Values) -> RelatedParties | None:
        asked = asked_features(records, values, raised.get((seller, as_of), ()))
        return related_parties(finder(as_of), asked, seller) if asked else None

    return found


def graph_features(feature_set: FeatureSet) -> dict[str, GraphFeature]:
    """Return the graph features of a set by name."""
    return {record.name: record for record in feature_set.records if isinstance(record, GraphFeature)}


def raised_flags(records: Mapping[str, GraphFeature], described: pa.Table) -> dict[tuple[Any, Any], tuple[str, ...]]:
    """Return the flags among some graph features that are raised, by seller and date.

    Args:
        records: the features by name.
        described: seller_id, as_of and features.
    """
    flags = [name for name, record in records.items() if record.unit == FLAG_UNIT and name in described.column_names]
    raised: dict[tuple[Any, Any], tuple[str, ...]] = {}
    for flag in flags:
        rows = described.filter(pc.equal(described[flag], pa.scalar(1.0)))
        for key in zip(rows["seller_id"].to_pylist(), rows["as_of"].to_pylist(), strict=True):
            raised[key] = (*raised.get(key, ()), flag)
    return raised


def asked_features(
    records: Mapping[str, GraphFeature], values: Iterable[tuple[str, float | None]], raised: Iterable[str]
) -> list[GraphFeature]:
    """Return the graph features among some features with their values, then the raised flags, each once.

    A feature whose value is missing is left out: nothing is known there, so no link can be the reason.
    """
    names = dict.fromkeys([*(name for name, value in values if value is not None), *raised])
    return [records[name] for name in names if name in records]


def columns_of_links(records: Iterable[GraphFeature]) -> dict[str, list[str]]:
    """Return the columns that the paths behind some graph features are found in, by table."""
    tables = dict.fromkeys((*_REGISTRY, _BOOKS, *(table for record in records for table in signal_tables(record))))
    # A link belongs to its parties, not to one seller.
    key = {table: () if table == "party_link" else ("seller_id",) for table in tables}
    found = {table: (*key[table], *AS_OF_COLUMNS, *SIGNAL_COLUMNS[table], *_STATED_IN) for table in tables}
    found[PARTY_MATCH] = (*AS_OF_COLUMNS, *_MATCHES)
    return {table: list(dict.fromkeys(columns)) for table, columns in found.items()}


def path_finder(
    feature_set: FeatureSet, tables: Mapping[str, pa.Table], as_of: dt.date, settings: GraphSettings | None = None
) -> PathFinder:
    """Return the finder of the paths behind the graph features of a set; a table that is absent counts as empty."""
    names = dict.fromkeys((*_REGISTRY, _BOOKS))
    names |= dict.fromkeys(table for one in graph_features(feature_set).values() for table in signal_tables(one))
    absent = {name: table_contract(name).arrow_schema.empty_table() for name in names if name not in tables}
    settings = graph_settings(feature_set, settings or GraphSettings())
    from features.graph.evidence import PathFinder  # noqa: PLC0415 - loads networkx, which rows alone do not need

    return PathFinder(Snapshot({**absent, **tables}, AsOf(as_of), settings))


def related_parties(finder: PathFinder, records: Sequence[GraphFeature], seller: str) -> RelatedParties:
    """Return the paths behind some graph features of a seller.

    A path to a seller that is in default says since when, whatever the feature is about.
    """
    found = [SignalPaths(record, _with_defaults(finder, record, seller)) for record in records]
    signals = tuple(one for one in found if one.paths)
    return RelatedParties(seller, signals, _sellers(finder, [path for one in signals for path in one.paths]))


def _with_defaults(finder: PathFinder, record: GraphFeature, seller: str) -> tuple[Path, ...]:
    days = finder.snapshot.default_days
    return tuple(
        replace(path, default_date=days[path.reaches])
        if path.reaches is not None and path.reaches != seller and path.reaches in days
        else path
        for path in finder.evidence(record, seller).paths
    )


def _sellers(finder: PathFinder, paths: Sequence[Path]) -> frozenset[str]:
    ties = [tie for path in paths for tie in path.ties]
    # Who logged in, pledged or traded is a seller, whether or not the registry names it.
    known = {path.reaches for path in paths if path.reaches} | {tie.start for tie in ties if tie.link_type in EVENTS}
    others = sorted({name for tie in ties for name in (tie.start, tie.end)} - known)
    registered = finder.snapshot.graph.sellers
    place = np.searchsorted(registered, np.asarray(others, dtype=np.str_))
    is_seller = [at < len(registered) and registered[at] == name for at, name in zip(place, others, strict=True)]
    return frozenset(known | {name for name, found in zip(others, is_seller, strict=True) if found})
