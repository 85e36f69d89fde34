"""The snapshot of company links as of a date: who shares what with whom, hubs left out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from features.graph.matches import believed_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.engine.as_of import AsOf

HOLDER_LINKS = ("owner", "director")
GUARANTEE_LINK = "guarantee"

Matrix = sparse.csr_array[Any]


@dataclass(frozen=True)
class GraphSettings:
    """What counts as a relation.

    Attributes:
        hub_sellers: an address, person or other party linked to more sellers than this makes no edge: it is a service
            (a forwarder, an agent, a nominee), not a relation.
        counterparty_hub_sellers: the same limit for suppliers, buyers and consignees.
        prior_strength: how many related sellers the base rate counts for when a default rate is smoothed.
        decay_days: after this many days a late payment of a relation weighs 1/e of what it weighed at first.
        walk_on: probability that a random walk from a defaulter goes on to a relation instead of starting again.
        same_from_score: name matches with this score or more merge two parties into one node; None for no matching.
    """

    hub_sellers: int = 12
    counterparty_hub_sellers: int = 20
    prior_strength: float = 4.0
    decay_days: float = 365.0
    walk_on: float = 0.85
    same_from_score: float | None = None


@dataclass(frozen=True)
class PartyGraph:
    """The snapshot. Nodes are numbered, sellers first; several parties of one seller or one firm are one node.

    Attributes:
        sellers: ids of the sellers in the registry, sorted; node i < len(sellers) is seller i.
        node_count: number of all nodes.
        holders: sellers x nodes, 1 where a person or company that is not a seller owns or directs the seller.
        attributes: sellers x nodes, 1 where the seller uses the address, phone, account or device.
        direct: sellers x sellers, 1 where one owns or directs the other or both are one firm; symmetric.
        links: node pairs of every link except guarantees, hubs left out; shape (n, 2).
        guarantees: node pairs guarantor -> guaranteed; shape (n, 2).
        guaranteed_usd: amount of each guarantee.
        link_starts: for every link of a seller except guarantees, hubs included: the seller and the day it began.
    """

    sellers: NDArray[np.str_]
    node_count: int
    holders: Matrix
    attributes: Matrix
    direct: Matrix
    links: NDArray[np.int64]
    guarantees: NDArray[np.int64]
    guaranteed_usd: NDArray[np.float64]
    link_starts: tuple[NDArray[np.int64], NDArray[np.int64]]

    @property
    def related(self) -> Matrix:
        """Sellers x sellers, 1 where two sellers share a holder or attribute, or one holds the other."""
        shared = self.holders @ self.holders.T + self.attributes @ self.attributes.T + self.direct
        return without_diagonal(shared)


@dataclass(frozen=True)
class LinkRows:
    """What each row of ``party_link`` in force means in the graph; arrays of shape (rows,), in the order of the rows.

    Attributes:
        table: the rows.
        sellers: ids of the sellers in the registry, sorted; node i < len(sellers) is seller i.
        node_count: number of all nodes.
        start: node of ``from_party_id``.
        end: node of ``to_party_id``.
        company: node of the company; a holder link points to it, an attribute link away from it.
        other: node of its holder or attribute.
        is_guarantee: whether the link is a guarantee.
        is_holder: whether it makes somebody owner or director.
        is_started: whether it is a link of a seller and no guarantee, hubs included.
        is_kept: whether it makes a relation: no guarantee, no hub.
        one_firm: pairs of sellers that are one firm, shape (n, 2).
    """

    table: pa.Table
    sellers: NDArray[np.str_]
    node_count: int
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    company: NDArray[np.int64]
    other: NDArray[np.int64]
    is_guarantee: NDArray[np.bool_]
    is_holder: NDArray[np.bool_]
    is_started: NDArray[np.bool_]
    is_kept: NDArray[np.bool_]
    one_firm: NDArray[np.int64]


def links_by_row(
    party: pa.Table, party_link: pa.Table, as_of: AsOf | None, settings: GraphSettings, matches: pa.Table | None = None
) -> LinkRows:
    """Return what each link known and in force as of the date means; arguments as in :func:`party_graph`."""
    if as_of is not None:
        party_link = in_force(as_of.visible(party_link), as_of.day)
    return read_links(party, party_link, as_of, settings, matches)


def read_links(
    party: pa.Table, party_link: pa.Table, as_of: AsOf | None, settings: GraphSettings, matches: pa.Table | None = None
) -> LinkRows:
    """Return what the given links mean; the parties and matches are those known as of the date."""
    same = None
    if matches is not None and settings.same_from_score is not None:
        same = believed_pairs(matches, as_of, settings.same_from_score)
    if as_of is not None:
        party = as_of.visible(party)
    numbers = _Numbers.of(party, party_link, same)
    kinds, kind = coded(party_link["link_type"])
    is_guarantee, is_holder = (kinds == GUARANTEE_LINK)[kind], np.isin(kinds, HOLDER_LINKS)[kind]
    # A holder link points to the company, an attribute link points away from it: turn both into (company, other).
    company = np.where(is_holder, numbers.to_nodes, numbers.from_nodes)
    other = np.where(is_holder, numbers.from_nodes, numbers.to_nodes)
    is_tie = ~is_guarantee & (company != other)
    is_hub = _hubs(company[is_tie], other[is_tie], numbers, settings.hub_sellers)
    return LinkRows(
        table=party_link,
        sellers=numbers.sellers,
        node_count=numbers.count,
        start=numbers.from_nodes,
        end=numbers.to_nodes,
        company=company,
        other=other,
        is_guarantee=is_guarantee,
        is_holder=is_holder,
        is_started=is_tie & (company < len(numbers.sellers)),
        is_kept=is_tie & ~is_hub[company] & ~is_hub[other],
        one_firm=numbers.one_firm,
    )


def party_graph(
    party: pa.Table, party_link: pa.Table, as_of: AsOf | None, settings: GraphSettings, matches: pa.Table | None = None
) -> PartyGraph:
    """Build the graph of links known and in force as of the date; None takes every row, in force or not.

    Args:
        party: canonical table ``party``.
        party_link: canonical table ``party_link``.
        as_of: the date and, when replaying, the instant of recording.
        settings: what counts as a relation.
        matches: pairs of parties that may be one firm (``features.graph.matches``); used if the settings say so.
    """
    rows = links_by_row(party, party_link, as_of, settings, matches)
    company, other, kept, sellers = rows.company, rows.other, rows.is_kept, len(rows.sellers)
    outside = kept & (company < sellers) & (other >= sellers)
    between = kept & (company < sellers) & (other < sellers)
    days = rows.table["valid_from"].cast(pa.int32()).to_numpy().astype(np.int64)
    amounts = np.nan_to_num(rows.table["amount_usd"].cast(pa.float64()).to_numpy())
    shape = (sellers, rows.node_count)
    holder, attribute = outside & rows.is_holder, outside & ~rows.is_holder
    return PartyGraph(
        sellers=rows.sellers,
        node_count=rows.node_count,
        holders=incidence(company[holder], other[holder], shape),
        attributes=incidence(company[attribute], other[attribute], shape),
        direct=incidence(
            np.concatenate([company[between], other[between], *rows.one_firm.T]),
            np.concatenate([other[between], company[between], *rows.one_firm[:, ::-1].T]),
            (sellers, sellers),
        ),
        links=np.concatenate([np.column_stack([company[kept], other[kept]]), rows.one_firm]),
        guarantees=np.column_stack([rows.start, rows.end])[rows.is_guarantee],
        guaranteed_usd=amounts[rows.is_guarantee],
        link_starts=(company[rows.is_started], days[rows.is_started]),
    )


def in_force(party_link: pa.Table, as_of: dt.date) -> pa.Table:
    """Return the links that had not ended by the day."""
    ends = party_link["valid_to"]
    return party_link.filter(pc.or_kleene(pc.is_null(ends), pc.greater(ends, pa.scalar(as_of, pa.date32()))))


def ended(party_link: pa.Table, as_of: AsOf, window_days: int | None) -> pa.Table:
    """Return the links known by the date to have ended in the window."""
    rows = as_of.visible(party_link)
    day, ends = as_of.day, rows["valid_to"]
    is_ended = pc.less_equal(ends, pa.scalar(day, pa.date32()))
    if window_days is not None:
        oldest = pa.scalar(day - dt.timedelta(days=window_days), pa.date32())
        is_ended = pc.and_kleene(is_ended, pc.greater(ends, oldest))
    return rows.filter(is_ended)


def incidence(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> Matrix:
    """Return a matrix with 1 at the given positions, repeated ones counted once."""
    ones = np.ones(len(rows), dtype=np.int64)
    matrix = sparse.csr_array((ones, (rows, columns)), shape=shape)
    matrix.data[:] = 1
    return matrix


def without_diagonal(matrix: Matrix) -> Matrix:
    """Return 1 wherever a square matrix is non-zero off its diagonal."""
    found = matrix.tocoo()
    apart = (found.row != found.col) & (found.data != 0)
    return incidence(found.row[apart].astype(np.int64), found.col[apart].astype(np.int64), matrix.shape)


@dataclass(frozen=True)
class _Numbers:
    """Numbers of nodes: sellers in the order of their ids, then every other party.

    ``one_firm`` pairs sellers that are one firm; they stay two nodes, since each has its own score.
    """

    sellers: NDArray[np.str_]
    count: int
    from_nodes: NDArray[np.int64]
    to_nodes: NDArray[np.int64]
    one_firm: NDArray[np.int64]

    @classmethod
    def of(cls, party: pa.Table, party_link: pa.Table, same: pa.Table | None) -> _Numbers:
        known = party.filter(pc.is_valid(party["seller_id"]))
        sellers, owner = coded(known["seller_id"])
        columns = [known["party_id"], party_link["from_party_id"], party_link["to_party_id"]]
        columns += [] if same is None else [same["left_party_id"], same["right_party_id"]]
        parties, codes = coded(pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()))
        nodes = np.full(len(parties), -1, dtype=np.int64)
        nodes[codes[: len(known)]] = owner
        links_end = len(known) + 2 * len(party_link)
        nodes, one_firm = _united(nodes, codes[links_end:].reshape(2, -1))
        outside = nodes < 0
        firms, firm = np.unique(nodes[outside], return_inverse=True)
        nodes[outside] = len(sellers) + firm
        ends = nodes[codes[len(known) : links_end]].reshape(2, -1)
        return cls(sellers, len(sellers) + len(firms), ends[0], ends[1], one_firm)


def _united(nodes: NDArray[np.int64], pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Merge matched parties into one node, and return the pairs of sellers that turn out to be one firm.

    ``nodes`` holds a seller's node, or -1 for a party that is not a seller. Such a party takes the node of the first
    seller of its firm; if there is none, every party of the firm takes the same negative number.
    """
    ones = np.ones(pairs.shape[1], dtype=np.int8)
    tied = sparse.csr_array((ones, (pairs[0], pairs[1])), shape=(len(nodes), len(nodes)))
    count, firm = connected_components(tied, directed=False)
    lowest = np.full(count, len(nodes), dtype=np.int64)
    is_seller = nodes >= 0
    np.minimum.at(lowest, firm[is_seller], nodes[is_seller])
    of_firm = lowest[firm]
    others = is_seller & (nodes != of_firm)
    united = np.where(is_seller, nodes, np.where(of_firm < len(nodes), of_firm, firm - count))
    return united, np.unique(np.column_stack([of_firm[others], nodes[others]]), axis=0)


def coded(values: pa.ChunkedArray[Any]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the distinct texts of a column in alphabetical order, and the position of each row's text among them."""
    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    # Arrow sorts by the bytes of UTF-8, which is the order of code points.
    order = pc.array_sort_indices(encoded.dictionary)
    distinct = np.asarray(encoded.dictionary.take(order).to_pylist(), dtype=np.str_)
    place = np.empty(len(distinct), dtype=np.int64)
    place[order.to_numpy()] = np.arange(len(distinct))
    return distinct, place[encoded.indices.to_numpy()]


def _hubs(
    company: NDArray[np.int64], other: NDArray[np.int64], numbers: _Numbers, most_sellers: int
) -> NDArray[np.bool_]:
    """Mark the nodes, sellers excepted, that are linked to too many sellers."""
    sellers = len(numbers.sellers)
    tied = incidence(np.concatenate([company, other]), np.concatenate([other, company]), (numbers.count, numbers.count))
    of_sellers = np.asarray(tied[:sellers].sum(axis=0)).ravel() if sellers else np.zeros(numbers.count)
    is_hub = of_sellers > most_sellers
    is_hub[:sellers] = False
    return is_hub
