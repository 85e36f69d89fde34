"""Groups of related parties: what hangs together by links of any kind, over any number of steps."""

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
    """The group of each seller, for splits that leave no group on both sides. Guarantees tie sellers too.

    Args:
        tables: canonical tables ``party`` and ``party_link``, and ``party_match`` where names were matched.
        sellers: the sellers asked about; one the registry does not know is a group of its own.
        as_of: only links in force and known on that day; None takes all that were ever recorded.
        settings: what counts as a relation.

    Returns:
        ``seller_id`` (sorted, each once) and ``component_id``: the first seller id of the group in alphabetical order
        of all sellers the registry knows, so that the name of a group does not depend on who is asked about.
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
    """The number of the group of every seller of the graph, in the order of ``graph.sellers``."""
    pairs = np.concatenate([graph.links, graph.guarantees]) if with_guarantees else graph.links
    ones = np.ones(len(pairs), dtype=np.int8)
    adjacency = sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(graph.node_count, graph.node_count))
    _, labels = connected_components(adjacency, directed=False)
    return np.asarray(labels[: len(graph.sellers)], dtype=np.int64)
