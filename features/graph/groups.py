"""Groups of related parties: everything connected by links of any kind, over any number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from data_contracts.entities.party_matches import PARTY_MATCH
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, party_graph

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from features.graph.edges import PartyGraph


def related_components(
    tables: Mapping[str, pa.Table],
    sellers: Iterable[str] | pa.ChunkedArray[Any],
    as_of: dt.date | None = None,
    settings: GraphSettings | None = None,
) -> pa.Table:
    """Return the group of each seller, so that a split can keep every group on one side.

    Guarantees connect sellers too.

    Args:
        tables: canonical tables ``party`` and ``party_link``, and ``party_match`` if names were matched.
        sellers: sellers to look up; one that the registry does not contain is a group of its own.
        as_of: use only links known and in force on that day; None takes all that were ever recorded.
        settings: what counts as a relation.

    Returns:
        ``seller_id`` (sorted, each once) and ``component_id``: the alphabetically first seller of the group among all
        sellers in the registry, so that a group's name does not depend on the sellers looked up.
    """
    listed = sellers.to_pylist() if isinstance(sellers, pa.ChunkedArray | pa.Array) else list(sellers)
    asked = sorted({str(seller) for seller in listed})
    at = None if as_of is None else AsOf(as_of)
    party, links, matches = tables["party"], tables["party_link"], tables.get(PARTY_MATCH)
    graph = party_graph(party, links, at, settings or GraphSettings(), matches)
    labels = seller_groups(graph, with_guarantees=True)
    first: dict[int, str] = {}
    group_of: dict[str, str] = {}
    for seller, label in zip(graph.sellers.tolist(), labels.tolist(), strict=True):
        group_of[seller] = first.setdefault(label, seller)
    return pa.table(
        {
            "seller_id": pa.array(asked, pa.string()),
            "component_id": pa.array([group_of.get(seller, seller) for seller in asked], pa.string()),
        }
    )


def seller_groups(graph: PartyGraph, *, with_guarantees: bool) -> NDArray[np.int64]:
    """Return the group number of every seller of the graph, in the order of ``graph.sellers``."""
    pairs = np.concatenate([graph.links, graph.guarantees]) if with_guarantees else graph.links
    ones = np.ones(len(pairs), dtype=np.int8)
    adjacency = sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(graph.node_count, graph.node_count))
    _, labels = connected_components(adjacency, directed=False)
    return np.asarray(labels[: len(graph.sellers)], dtype=np.int64)
