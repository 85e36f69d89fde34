"""What matched names add to the links between sellers that equal identifiers find, on synthetic worlds.

Two places where one company may stand under two names. **Registers**: every company of the link registers with its
registered name and its Latin alias; each has a number of its own there, so that any accepted match is a mistake.
**Consignees** of export declarations, who have no number: two sellers are linked when they name one consignee, by equal
text but for case and punctuation (as ingest tells them apart) or by matched names; consignees of many sellers are hubs,
as in the graph. All declarations are read, and again only the last of each seller, as of a thin file. True are pairs of
sellers that trade through one entity. Precision and recall are over pairs of all worlds, with 95 % t-intervals over
worlds. Writes JSON.

    python benchmarks/entity_links.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import re
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from fraud_rules import interval

from data_contracts.entities.party_matches import party_matches
from features.graph.edges import GraphSettings
from features.graph.matches import believed_pairs
from simulator.districts import districts
from simulator.name_spellings import observe_names
from simulator.network import sold_to
from simulator.settings import WorldSettings
from simulator.world import simulate
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from simulator.world import World

NOBODY = frozenset({"TO ORDER", "TO THE ORDER"})
_NO_SIGN = re.compile(r"[^A-Z0-9]+")
LEAST_SCORES = (0.85, 0.95)
_NOW = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
Pairs = set[tuple[str, str]]


def matched(names: Iterable[tuple[str, str]], least_score: float) -> Pairs:
    """Pairs of parties believed to be one firm, from pairs of party and name."""
    rows = list(names)
    columns = {"party_id": [row[0] for row in rows], "name": [row[1] for row in rows]}
    table = pa.table({**columns, "known_at": pa.array([_NOW] * len(rows), pa.timestamp("us", tz="UTC"))})
    found = believed_pairs(party_matches(table, _NOW), None, least_score)
    return {(row["left_party_id"], row["right_party_id"]) for row in found.to_pylist()}


def consignees(raw: Path) -> dict[str, list[str]]:
    """Consignees named in the declarations of each seller, one after another, as ingest tells them apart."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((raw / "customs_declaration").glob("*/*.json")):
        try:
            declarations = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue  # a planted defect: the file was cut off
        for declaration in declarations:
            name = _NO_SIGN.sub(" ", str(declaration.get("consigneeEname") or "").upper()).strip()
            if name and name not in NOBODY:
                found[path.parent.name].append(name)
    return found


def groups(names: Iterable[str], pairs: Pairs) -> dict[str, str]:
    """For every name the first of those it hangs together with by pairs."""
    first = {name: name for name in names}

    def root(name: str) -> str:
        while first[name] != name:
            name = first[name]
        return name

    for left, right in sorted(pairs):
        low, high = sorted((root(left), root(right)))
        first[high] = low
    return {name: root(name) for name in first}


def linked(named: Mapping[str, Iterable[str]], entity_of: Mapping[str, str]) -> Pairs:
    """Pairs of sellers with an entity in common that is no hub."""
    sellers_of: dict[str, set[str]] = defaultdict(set)
    for seller, names in named.items():
        for name in names:
            sellers_of[entity_of[name]].add(seller)
    most = GraphSettings().counterparty_hub_sellers
    return {
        pair for sellers in sellers_of.values() if len(sellers) <= most for pair in combinations(sorted(sellers), 2)
    }


def true_pairs(world: World, sellers: Iterable[str]) -> Pairs:
    """Pairs of these sellers that trade through one entity."""
    entity = dict(zip(world.seller_ids().tolist(), sold_to(world, np.arange(world.firms.count)).tolist(), strict=True))
    by_entity: dict[int, list[str]] = defaultdict(list)
    for seller in sorted(sellers):
        by_entity[entity[seller]].append(seller)
    return {pair for members in by_entity.values() for pair in combinations(members, 2)}


def judged(found: Pairs, true: Pairs) -> dict[str, float]:
    """How many pairs, and precision and recall; 1 where there was nothing to find or to get wrong."""
    right = len(found & true)
    return {
        "pairs": len(found),
        "precision": right / len(found) if found else 1.0,
        "recall": right / len(true) if true else 1.0,
    }


def one_world(seed: int, sellers: int) -> dict[str, Any]:
    """The counts of one world."""
    settings = WorldSettings(seller_count=sellers, district_sellers=sellers, seed=seed)
    (district,) = districts(settings)
    world = simulate(district.settings)
    observed, ids = observe_names(world), world.seller_ids().tolist()
    registered = list(zip(ids, observed.registered, strict=True))
    registered += [(seller, alias.text) for seller, alias in zip(ids, observed.alias, strict=True) if alias]
    with tempfile.TemporaryDirectory() as name:
        write_world(settings, Path(name))
        named = consignees(Path(name) / "raw")
    true = true_pairs(world, named)
    last = {seller: [found[-1]] for seller, found in named.items()}
    views = {"all declarations": named, "the last declaration of each seller": last}
    wrong = {f"matched from {least}": len(matched(registered, least)) for least in LEAST_SCORES}
    return {
        "companies": sellers,
        "wrong_register_matches": wrong,
        "true_pairs": len(true),
        "consignee_links": {f"{view}, {way}": found for view, seen in views.items() for way, found in ways(seen, true)},
    }


def ways(named: Mapping[str, Iterable[str]], true: Pairs) -> Iterator[tuple[str, dict[str, float]]]:
    """How well each way of telling names apart finds the true pairs."""
    names = sorted({name for found in named.values() for name in found})
    yield "equal text", {**judged(linked(named, {name: name for name in names}), true), "matched_names": 0}
    for least in LEAST_SCORES:
        pairs = matched(((name, name) for name in names), least)
        found = judged(linked(named, groups(names, pairs)), true)
        yield f"matched from {least}", {**found, "matched_names": len(pairs)}


def summary(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums and means over worlds."""
    ways = {
        way: {
            **{
                count: sum(world["consignee_links"][way][count] for world in worlds)
                for count in ("matched_names", "pairs")
            },
            **{
                figure: interval([world["consignee_links"][way][figure] for world in worlds])
                for figure in ("precision", "recall")
            },
        }
        for way in worlds[0]["consignee_links"]
    }
    wrong = {
        way: sum(world["wrong_register_matches"][way] for world in worlds)
        for way in worlds[0]["wrong_register_matches"]
    }
    return {
        "companies": sum(world["companies"] for world in worlds),
        "wrong_register_matches": wrong,
        "true_pairs": sum(world["true_pairs"] for world in worlds),
        "consignee_links": ways,
    }


def main() -> int:
    """Runs the worlds and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--sellers", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    seeds = [int(text) for text in options.seeds.split(",")]
    report = {
        "benchmark": "entity_links", "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(), "data": "synthetic worlds", "seeds": seeds,
        **summary([one_world(seed, options.sellers) for seed in seeds]),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "entity_links.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
