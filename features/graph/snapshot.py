"""The tables of one date, and what several graph signals have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.entities.party_matches import PARTY_MATCH
from features.delinquency import default_dates
from features.graph.circles import circle_sizes
from features.graph.cores import core_numbers
from features.graph.counterparties import Partners, overlaps, partner_rows
from features.graph.edges import party_graph
from features.graph.groups import seller_groups
from features.graph.guarantees import Guarantees
from features.graph.loans import late_events, loan_balances
from features.graph.shared_uses import colliding_assets, pledges_in_force
from features.graph.walks import default_walks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from features.engine.as_of import AsOf
    from features.graph.counterparties import Overlap
    from features.graph.edges import GraphSettings, Matrix, PartyGraph
    from features.graph.loans import LateEvents
    from features.record import GraphFeature

    _Trade = tuple[str, str | None, int | None]


@dataclass(frozen=True)
class SellerValues:
    """A number for each of some sellers, and one for all others.

    Attributes:
        sellers: ids, sorted.
        values: one per seller.
        otherwise: value of a seller that is not listed; NaN for missing.
    """

    sellers: NDArray[np.str_]
    values: NDArray[np.float64]
    otherwise: float

    def of(self, asked: Sequence[str] | NDArray[np.str_]) -> NDArray[np.float64]:
        """Return the values of the given sellers, in their order."""
        found = np.full(len(asked), self.otherwise)
        if len(self.sellers) == 0 or len(asked) == 0:
            return found
        ids = np.asarray(asked, dtype=np.str_)
        if np.array_equal(self.sellers, ids):
            return self.values.copy()
        place = np.minimum(np.searchsorted(self.sellers, ids), len(self.sellers) - 1)
        known = self.sellers[place] == ids
        found[known] = self.values[place[known]]
        return found


@dataclass(frozen=True)
class Snapshot:
    """Everything the signals need, as of one date.

    Attributes:
        tables: canonical tables by name, and ``party_match`` if names were matched.
        as_of: the date and, when replaying, the instant of recording.
        settings: what counts as a relation.
        _partners: partners by table, side and window; several features read each.
        _overlaps: how far they coincide.
    """

    tables: Mapping[str, pa.Table]
    as_of: AsOf
    settings: GraphSettings
    _partners: dict[_Trade, Partners] = field(default_factory=dict, repr=False, compare=False)
    _overlaps: dict[_Trade, Overlap] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def graph(self) -> PartyGraph:
        """The graph of links in force."""
        tables = self.tables
        return party_graph(tables["party"], tables["party_link"], self.as_of, self.settings, tables.get(PARTY_MATCH))

    @cached_property
    def related(self) -> Matrix:
        """Sellers x sellers of the graph, 1 where directly related."""
        return self.graph.related

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The number of each seller's related-party group, in the order of the graph; guarantees do not count."""
        return seller_groups(self.graph, with_guarantees=False)

    @cached_property
    def guarantees(self) -> Guarantees:
        """The guarantees in force, by pair of parties."""
        return Guarantees.of(self.graph)

    @cached_property
    def circle_sizes(self) -> NDArray[np.int64]:
        """The longest circle of guarantees through each node of the graph, up to four."""
        return circle_sizes(self.guarantees)

    @cached_property
    def guarantee_cores(self) -> NDArray[np.int64]:
        """The largest k of each node for which it is in a k-core of guarantees, given or received."""
        guarantees = self.guarantees
        return core_numbers(guarantees.start, guarantees.end, guarantees.node_count)

    @cached_property
    def nearness_to_defaults(self) -> NDArray[np.float64]:
        """How near each seller is to other sellers whose default was known."""
        return default_walks(self.related, self.has_defaulted, self.settings.walk_on)

    @cached_property
    def default_days(self) -> Mapping[str, dt.date]:
        """The day of each default that was known by the date, by seller."""
        as_of = self.as_of
        known = default_dates(self.tables["repayment"], recorded_until=as_of.recorded_until, as_of=as_of.day)
        return {row["seller_id"]: row["default_date"] for row in known.to_pylist()}

    @cached_property
    def has_defaulted(self) -> NDArray[np.bool_]:
        """For each seller of the graph, whether its default was known by the date."""
        return np.isin(self.graph.sellers, np.asarray(list(self.default_days), dtype=np.str_))

    @cached_property
    def usual_default_rate(self) -> NDArray[np.float64]:
        """For each seller of the graph, the share of all other sellers whose default was known by the date."""
        return usual_rate(self.has_defaulted)

    @cached_property
    def late_events(self) -> LateEvents:
        """The worst late payment of each seller by the date."""
        return late_events(self.tables["repayment"], self.as_of, self.settings.decay_days)

    @cached_property
    def loan_balances(self) -> SellerValues:
        """What each seller owed on its loans on the date, in US dollars."""
        return SellerValues(*loan_balances(self.tables["loan"], self.tables["repayment"], self.as_of), 0.0)

    @cached_property
    def colliding_pledges(self) -> pa.Table:
        """Pledges in force of assets that sellers of one group of the registry pledged to two or more lenders."""
        pledges = pledges_in_force(self.tables["pledge"], self.as_of)
        groups = self.groups.astype(np.float64)
        group = SellerValues(self.graph.sellers, groups, -1.0).of(_texts(pledges["seller_id"])).astype(np.int64)
        pledges = pledges.append_column("group", pa.array(group)).filter(pc.field("group") >= 0)
        return pledges.filter(pa.array(colliding_assets(pledges, group[group >= 0])))

    def partners(self, record: GraphFeature) -> Partners:
        """Return the trading partners of the record's table, side and window."""
        key = (record.tables[0], record.side, record.window_days)
        if key not in self._partners:
            rows, name = partner_rows(self.tables[key[0]], record, self.as_of)
            self._partners[key] = Partners.of(rows["seller_id"], rows[name], self.settings.counterparty_hub_sellers)
        return self._partners[key]

    def overlap(self, record: GraphFeature) -> Overlap:
        """Return how far the trading partners of the record's table, side and window coincide."""
        key = (record.tables[0], record.side, record.window_days)
        if key not in self._overlaps:
            self._overlaps[key] = overlaps(self.partners(record))
        return self._overlaps[key]

    def relatives(self, sellers: Sequence[str]) -> list[str]:
        """Return the given sellers and all directly related to them, sorted."""
        asked = np.isin(self.graph.sellers, np.asarray(sellers, dtype=np.str_))
        near = (self.related @ asked.astype(np.int64)) > 0
        return sorted({*sellers, *self.graph.sellers[near].tolist()})


def usual_rate(has_defaulted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return, for each seller, the share of defaults among all others."""
    others = max(len(has_defaulted) - 1, 1)
    return np.asarray((has_defaulted.sum() - has_defaulted.astype(np.int64)) / others)


def _texts(column: pa.ChunkedArray[Any]) -> list[str]:
    return [str(value) for value in column.to_pylist()]
