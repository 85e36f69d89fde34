"""Speed of the signals of related parties on a made-up graph of a million nodes and three million edges.

Every graph feature of the catalogue is computed for all sellers as of one date, in a process of its own, from canonical
tables: CPU seconds of all threads, wall seconds and peak memory, tables included. Smaller graphs of the same make are
then given to this package and to networkx, for the signals that both compute; networkx gets the edges ready made, this
package the tables. Their values are compared, and different values fail. A guarantor whose clients all guarantee it
back is part of every graph; it is timed alone as well. Times decide nothing. Writes JSON.

    python benchmarks/graph/graph_speed.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import itertools
import json
import multiprocessing
import platform
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.definition.compiler import table_contract
from features.catalogue import feature_records
from features.engine.as_of import AsOf
from features.graph.circles import circle_sizes
from features.graph.cores import core_numbers
from features.graph.edges import GraphSettings, links_by_row
from features.graph.guarantees import Guarantees, expected_loss, worst_loss_two_steps
from features.graph.signals import SIGNALS, graph_values
from features.graph.snapshot import Snapshot
from features.record import GraphFeature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from features.graph.edges import LinkRows

DAY = dt.date(2024, 6, 30)
GOAL = {"cpu_seconds": 12.0, "peak_gib": 2.0, "networkx_times": 5.0}
# Of every node, and of every edge, what it is.
NODES = {"seller": 0.30, "party": 0.48, "partner": 0.15, "device": 0.05, "asset": 0.02}
EDGES = {"link": 0.50, "guarantee": 1 / 6, "invoice": 0.70 / 3, "login": 0.2 / 3, "pledge": 0.1 / 3}
KINDS = np.array(["owner", "director", "address", "phone", "bank_account", "device"])
BOTH = ("related_group_seller_count", "guarantee_core", "guarantee_circle_size", "guarantee_given_usd",
        "shared_attribute_count", "default_pagerank")  # fmt: skip
_NOTHING = 1e-9
# networkx stops its iteration when all nodes together change by less than a bound: its walks are less exact.
_EXACT = (1e-9, 1e-6)


def filled(name: str, **given: pa.Array[Any] | NDArray[Any]) -> pa.Table:
    """Return rows of a canonical table from some of its columns; the others are null."""
    schema = table_contract(name).arrow_schema
    count = len(next(iter(given.values())))
    day = pa.array(np.full(count, np.datetime64("2024-01-02", "D")))
    instant = pa.array([dt.datetime(2024, 1, 3, tzinfo=dt.UTC)] * 1, pa.timestamp("us", tz="UTC"))
    given = {"event_date": day, "known_at": instant.take(pa.array(np.zeros(count, np.int64))), **given}
    columns = [
        pa.array(given[field.name]).cast(field.type) if field.name in given else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, names=schema.names)


def names(prefix: str, numbers: NDArray[np.int64]) -> pa.Array[Any]:
    """Return ids of one length, as pseudonyms have."""
    return pa.array(np.char.mod(prefix + "%08d", numbers))


def made_up_tables(nodes: int, edges: int) -> dict[str, pa.Table]:
    """Return the tables of a graph: groups of sellers with parties in common, bridges between some, and services."""
    rng = np.random.default_rng(20240630)
    of = {kind: int(nodes * share) for kind, share in NODES.items()}
    count = {kind: int(edges * share) for kind, share in EDGES.items()}
    seller = rng.integers(0, of["seller"], count["link"])
    # Sellers of one group have neighbouring numbers; half of their links lead to parties of the group.
    group = np.searchsorted(np.cumsum(rng.zipf(2.2, of["seller"]).clip(1, 40)), np.arange(of["seller"]))
    draw = rng.random(count["link"])
    party = np.select(
        [draw < 0.02, draw < 0.04, draw < 0.5],
        [rng.integers(0, 200, len(draw)), rng.integers(200, of["party"], len(draw)),
         200 + (group[seller] * 3 + rng.integers(0, 3, len(draw))) % (of["party"] - 200)],
        200 + (seller * 7 + rng.integers(0, 5, len(draw)) + of["party"] // 2) % (of["party"] - 200),
    )  # fmt: skip
    kind = KINDS[rng.integers(0, len(KINDS), len(draw))]
    is_holder = (kind == "owner") | (kind == "director")
    firms, parties = names("P", seller), names("Q", party)
    start, end = _guarantees(rng, of["seller"], count["guarantee"])
    nowhere = pa.nulls(len(draw), pa.float64())
    party_link = filled(
        "party_link",
        from_party_id=_chosen(is_holder, parties, firms, names("P", start)),
        to_party_id=_chosen(is_holder, firms, parties, names("P", end)),
        link_type=np.r_[kind, np.repeat("guarantee", len(start))],
        amount_usd=pa.concat_arrays([nowhere, pa.array(np.round(rng.lognormal(11, 1, len(start)), 2))]),
        valid_from=np.datetime64("2024-06-30") - rng.integers(0, 900, len(draw) + len(start)),
        valid_to=_ends(rng, len(draw) + len(start)),
    )
    firms = names("S", np.arange(of["seller"]))
    party = filled("party", party_id=names("P", np.arange(of["seller"])), seller_id=firms)
    return {"party": party, "party_link": party_link, **_uses(rng, of, count), **_loans(rng, of["seller"])}


def _uses(rng: np.random.Generator, of: Mapping[str, int], count: Mapping[str, int]) -> dict[str, pa.Table]:
    """Return invoices, logins and pledges, and one declaration."""
    return {
        "trade_invoice": filled(
            "trade_invoice", seller_id=names("S", rng.integers(0, of["seller"], count["invoice"])),
            counterparty_id=names("C", (of["partner"] * rng.random(count["invoice"]) ** 2).astype(np.int64)),
            direction=np.array(["purchase", "sale"])[rng.integers(0, 2, count["invoice"])],
            status=np.repeat("valid", count["invoice"])),
        "login_event": filled(
            "login_event", seller_id=names("S", rng.integers(0, of["seller"], count["login"])),
            device_id=names("D", rng.integers(0, of["device"], count["login"])),
            login_count=np.ones(count["login"], np.int64),
            event_date=np.repeat(np.datetime64("2024-06-01"), count["login"])),
        "pledge": filled(
            "pledge", pledge_id=names("V", np.arange(count["pledge"])),
            seller_id=names("S", rng.integers(0, of["seller"], count["pledge"])),
            asset_id=names("A", rng.integers(0, of["asset"], count["pledge"])),
            asset_type=np.repeat("receivable", count["pledge"]), entry_type=np.repeat("pledged", count["pledge"]),
            lender_id=names("L", rng.integers(0, 40, count["pledge"])),
            secured_loan_id=names("N", np.arange(count["pledge"]))),
        "export_declaration": filled("export_declaration", seller_id=names("S", np.arange(1)),
                                     consignee_id=names("C", np.arange(1))),
    }  # fmt: skip


def _loans(rng: np.random.Generator, sellers: int) -> dict[str, pa.Table]:
    """Return loans of a third of the sellers, some of them late or in default."""
    borrowers = rng.choice(sellers, sellers // 3, replace=False)
    late = borrowers[: sellers // 50]
    return {
        "loan": filled("loan", seller_id=names("S", borrowers), loan_id=names("N", borrowers),
                       lender_id=names("L", rng.integers(0, 40, len(borrowers))),
                       principal_usd=np.round(rng.lognormal(10, 1, len(borrowers)), 2)),
        "repayment": filled(
            "repayment", repayment_id=names("R", late), seller_id=names("S", late), loan_id=names("N", late),
            entry_type=np.repeat("due", len(late)), amount=np.full(len(late), 100.0),
            amount_usd=np.full(len(late), 100.0),
            event_date=np.datetime64("2024-06-29") - rng.integers(1, 300, len(late))),
    }  # fmt: skip


def _guarantees(rng: np.random.Generator, sellers: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return guarantees among neighbours and at random, and a guarantor whose clients all guarantee it back."""
    clients = np.arange(1, max(sellers // 75, 10))
    start = rng.integers(0, sellers, count - 2 * len(clients))
    near = (start + rng.integers(1, 6, len(start)) * np.where(rng.random(len(start)) < 0.5, 1, -1)) % sellers
    end = np.where(rng.random(len(start)) < 0.6, near, rng.integers(0, sellers, len(start)))
    end = np.where(end == start, (start + 1) % sellers, end)
    hub = np.zeros(len(clients), np.int64)
    return np.r_[start, hub, clients], np.r_[end, clients, hub]


def _chosen(mask: NDArray[np.bool_], first: pa.Array[Any], other: pa.Array[Any], more: pa.Array[Any]) -> pa.Array[Any]:
    pool = pa.concat_arrays([first, other])
    place = np.arange(len(mask)) + np.where(mask, 0, len(mask))
    return pa.concat_arrays([pool.take(pa.array(place)), more])


def _ends(rng: np.random.Generator, count: int) -> pa.Array[Any]:
    days = np.datetime64("2024-06-30") - rng.integers(0, 600, count)
    return pa.array(days, mask=rng.random(count) > 0.03)


def of_all_signals(folder: Path) -> dict[str, object]:
    """Compute every graph feature from the tables of a folder, and return what it took."""
    tables = {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
    read = _peak_gib()
    records = [record for record in feature_records() if isinstance(record, GraphFeature)]
    snapshot = Snapshot(tables, AsOf(DAY), GraphSettings())
    cpu, wall = time.process_time(), time.perf_counter()
    sellers = tables["party"]["seller_id"].to_pylist()
    own = np.random.default_rng(1).random(len(sellers))
    averaged = {str(record.neighbour_feature): own for record in records if record.neighbour_feature}
    neighbours = pa.table({"seller_id": tables["party"]["seller_id"], **averaged})
    seconds, positive = {}, {}
    for record in records:
        before = time.process_time()
        found = graph_values([record], snapshot, sellers, neighbours)[record.name]
        seconds[record.name] = round(time.process_time() - before, 3)
        positive[record.name] = int((found > 0).sum())
    groups = np.bincount(snapshot.groups)
    return {
        "cpu_seconds": round(time.process_time() - cpu, 2), "wall_seconds": round(time.perf_counter() - wall, 2),
        "peak_gib": round(_peak_gib(), 3), "peak_gib_with_tables_alone": round(read, 3),
        "features": len(records), "sellers": len(sellers), "party_nodes": snapshot.graph.node_count,
        "largest_group": int(groups.max()), "rows": {name: table.num_rows for name, table in tables.items()},
        "cpu_seconds_by_feature": seconds, "sellers_above_zero": positive,
    }  # fmt: skip


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def beside_networkx(folder: Path) -> dict[str, object]:
    """Compute the signals that both have, in this package from tables and in networkx from ready edges."""
    tables = {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
    records = {record.signal: record for record in feature_records() if isinstance(record, GraphFeature)}
    settings = GraphSettings()
    snapshot = Snapshot(tables, AsOf(DAY), settings)
    ours, own = {}, {}
    for name in BOTH:
        before = time.process_time()
        ours[name] = SIGNALS[name](snapshot, records[name]).values
        own[name] = round(time.process_time() - before, 3)
    rows = links_by_row(tables["party"], tables["party_link"], AsOf(DAY), settings)
    edges = ready_edges(rows)
    defaulted = np.flatnonzero(snapshot.has_defaulted).tolist()
    theirs, cpu, other = {}, {}, Networkx(edges, len(rows.sellers))
    works = (other.groups, other.cores, other.circles, other.given, other.attributes,
             functools.partial(other.pagerank, defaulted, settings.walk_on))  # fmt: skip
    for name, work in zip(BOTH, works, strict=True):
        before = time.process_time()
        theirs[name] = work()
        cpu[name] = round(time.process_time() - before, 3)
    differing = {name: _differing(ours[name], theirs[name], _EXACT[name == "default_pagerank"]) for name in BOTH}
    if any(differing.values()):
        raise AssertionError(f"values differ from those of networkx: {differing}")
    total, own_total = sum(cpu.values()), sum(own.values())
    circles = "guarantee_circle_size"
    return {
        "nodes": rows.node_count, "links": len(edges["links"]), "guarantees": len(edges["guarantees"]),
        "cpu_seconds": round(own_total, 3), "cpu_by_signal": own, "networkx_cpu_seconds": round(total, 3),
        "networkx_cpu_by_signal": cpu,
        "networkx_times": round(total / own_total, 2),
        "networkx_times_without_circles": round((total - cpu[circles]) / (own_total - own[circles]), 2),
    }  # fmt: skip


def _differing(ours: NDArray[np.float64], theirs: NDArray[np.float64], tolerance: float) -> int:
    """Count values that differ; a value that either does not state is left out."""
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    return int((np.abs(ours - theirs)[both] > tolerance * np.maximum(np.abs(theirs[both]), 1.0)).sum())


def ready_edges(rows: LinkRows) -> dict[str, list[Any]]:
    """Return the edges as Python lists, so that networkx need not read tables."""
    amounts = np.nan_to_num(rows.table["amount_usd"].cast(pa.float64()).to_numpy())
    kept, debts = rows.is_kept, rows.is_guarantee & (rows.start != rows.end)
    links = zip(rows.company[kept].tolist(), rows.other[kept].tolist(), rows.is_holder[kept].tolist(), strict=True)
    guarantees = zip(rows.start[debts].tolist(), rows.end[debts].tolist(), amounts[debts].tolist(), strict=True)
    return {"links": list(links), "guarantees": list(guarantees)}


@dataclass(frozen=True)
class Networkx:
    """The signals in networkx, each by seller; ``built`` makes the graphs.

    Attributes:
        edges: the links and the guarantees.
        sellers: nodes below this number are sellers.
        ties: graph of links, empty until built.
        guarantees: graph of guarantees, empty until built.
    """

    edges: Mapping[str, list[Any]]
    sellers: int
    ties: nx.Graph[int] = field(default_factory=nx.Graph)
    guarantees: nx.DiGraph[int] = field(default_factory=nx.DiGraph)

    def groups(self) -> NDArray[np.float64]:
        """Build both graphs and count the other sellers of each component."""
        self.ties.add_edges_from((start, end) for start, end, _ in self.edges["links"])
        for start, end, usd in self.edges["guarantees"]:
            before = self.guarantees.edges[start, end]["usd"] if self.guarantees.has_edge(start, end) else 0.0
            self.guarantees.add_edge(start, end, usd=before + usd)
        found = np.zeros(self.sellers)
        for members in nx.connected_components(self.ties):
            own = [node for node in members if node < self.sellers]
            found[own] = len(own) - 1
        return found

    def cores(self) -> NDArray[np.float64]:
        """Return the core numbers of the guarantees."""
        return _by_node(nx.core_number(nx.Graph(self.guarantees)), self.sellers)

    def circles(self) -> NDArray[np.float64]:
        """Return the longest circle through each seller."""
        longest: dict[int, int] = {}
        for cycle in nx.simple_cycles(self.guarantees, length_bound=4):
            for node in cycle:
                longest[node] = max(longest.get(node, 0), len(cycle))
        return _by_node(longest, self.sellers)

    def given(self) -> NDArray[np.float64]:
        """Return the sums of guarantees given."""
        return _by_node(dict(self.guarantees.out_degree(weight="usd")), self.sellers)

    def attributes(self) -> NDArray[np.float64]:
        """Count the attributes shared with another seller."""
        pairs = ((start, end) for start, end, is_holder in self.edges["links"] if not is_holder)
        uses: nx.Graph[int] = nx.Graph(pairs)
        shared = {node for node, degree in uses.degree() if node >= self.sellers and degree > 1}
        counts = {node: sum(end in shared for end in uses[node]) for node in uses if node < self.sellers}
        return _by_node(counts, self.sellers)

    def pagerank(self, defaulted: list[int], walk_on: float) -> NDArray[np.float64]:
        """Return one run of PageRank from all defaults; a seller in default would need a run of its own."""
        related = _related(self.edges["links"], self.sellers)
        seeds = {node: 1.0 for node in defaulted if node in related}
        time_at = nx.pagerank(related, walk_on, personalization=seeds, tol=1e-14, max_iter=400)
        values = {node: time_at[node] * len(seeds) / related.degree[node] for node in related if node not in seeds}
        found = _by_node(values, self.sellers)
        found[found < _NOTHING] = 0.0
        found[defaulted] = np.nan
        return found


def _related(links: list[Any], sellers: int) -> nx.Graph[int]:
    """Return the graph of sellers with a holder or an attribute in common; who holds whom does not occur here."""
    users: dict[tuple[int, bool], set[int]] = {}
    for seller, other, is_holder in links:
        users.setdefault((other, is_holder), set()).add(seller)
    related: nx.Graph[int] = nx.Graph()
    for (other, _), who in users.items():
        if other < sellers:
            raise AssertionError("the made-up links join sellers and parties alone")
        related.add_edges_from(itertools.combinations(who, 2))
    return related


def _by_node(values: Mapping[int, float], sellers: int) -> NDArray[np.float64]:
    found = np.zeros(sellers)
    for node, value in values.items():
        if node < sellers:
            found[node] = value
    return found


def mutual_hub(clients: int) -> dict[str, object]:
    """Measure the signals of guarantees where thousands guarantee their guarantor back, and the next one."""
    around, hub = np.arange(1, clients + 1), np.zeros(clients, np.int64)
    pairs = np.unique(np.r_[np.c_[hub, around], np.c_[around, hub], np.c_[around, np.roll(around, 1)]], axis=0)
    guarantees = Guarantees(pairs[:, 0], pairs[:, 1], np.arange(len(pairs)) + 1.0, clients + 1)
    nobody, usual = np.zeros(clients + 1, np.bool_), np.full(clients + 1, 0.02)
    before = time.process_time()
    circle_sizes(guarantees)
    core_numbers(guarantees.start, guarantees.end, clients + 1)
    worst_loss_two_steps(guarantees)
    expected_loss(guarantees, nobody, usual, steps=2)
    return {"clients": clients, "guarantees": len(pairs), "cpu_seconds": round(time.process_time() - before, 3)}


def alone(work: Callable[..., dict[str, object]], *given: object) -> dict[str, object]:
    """Run work in a process of its own, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def written(nodes: int, edges: int, folder: str) -> dict[str, object]:
    """Write the tables of a graph into a folder."""
    for name, table in made_up_tables(nodes, edges).items():
        pq.write_table(table, Path(folder) / f"{name}.parquet")
    return {}


def main() -> None:
    """Measure and write ``graph_speed.json``."""
    parser = argparse.ArgumentParser(description="Speed of the signals of related parties.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--beside", type=int, nargs="*", default=[50_000, 100_000, 200_000])
    parser.add_argument("--clients", type=int, nargs="*", default=[4_000, 40_000, 400_000])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone(written, given.nodes, 3 * given.nodes, folder)
        whole = alone(of_all_signals, Path(folder))
    compared = []
    for nodes in given.beside:
        with tempfile.TemporaryDirectory() as folder:
            alone(written, nodes, 3 * nodes, folder)
            compared.append({"asked_nodes": nodes, **alone(beside_networkx, Path(folder))})
    document = {
        "made_of": "made-up graph, no seller is real", "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.platform(),
        "python": platform.python_version(), "networkx": nx.__version__, "goal": GOAL, "nodes": given.nodes,
        "edges": 3 * given.nodes, "all_signals": whole, "beside_networkx": compared,
        "mutual_hub": [alone(mutual_hub, clients) for clients in given.clients],
    }  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "graph_speed.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
