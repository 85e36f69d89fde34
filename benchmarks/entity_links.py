"""Links between sellers that name matching adds to those by equal identifiers, on synthetic worlds.

One company may appear under two names in three places:

- **Registers**: every company has its registered name and its Latin alias. Each has its own number, so any accepted
  match is a mistake.
- **Consignees** of export declarations have no number. Two sellers are linked if they name the same consignee, by equal
  text (ignoring case and punctuation, as in ingest) or by a matched name. Consignees of many sellers are hubs, as in
  the graph. Measured on all declarations, and on the last declaration of each seller, as in a thin file. The true pairs
  are sellers that trade through one entity.
- A **second register** of ownership, made here, lists companies of control groups under noisy spellings without their
  numbers, each held by the person behind its group. Both registers go through ingest. The benchmark counts the pairs of
  sellers that the graph links, with and without name matching, against the pairs of one control group.

Precision and recall are over pairs of all worlds, with 95 % t-intervals over worlds. Time is measured on made-up
names. Writes JSON.

    python benchmarks/entity_links.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import hashlib
import json
import platform
import re
import tempfile
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from entity_matching import made_names
from fraud_rules import interval

from data_contracts.entities.party_matches import PARTY_MATCH, party_matches
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings, party_graph
from features.graph.matches import believed_pairs
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.economy.simulation import simulate
from simulator.observation.name_spellings import observe_names
from simulator.observation.overseas_entities import sold_to
from simulator.population.districts import districts
from simulator.settings import WorldSettings
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from simulator.economy.simulated_world import World
    from simulator.observation.name_spellings import ObservedNames

NOBODY = frozenset({"TO ORDER", "TO THE ORDER"})
_NO_SIGN = re.compile(r"[^A-Z0-9]+")
LEAST_SCORES = (0.85, 0.95)
_NOW = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
Pairs = set[tuple[str, str]]


def matched(names: Iterable[tuple[str, str]], least_score: float) -> Pairs:
    """Return pairs of parties that matching takes for one company, from pairs of party and name."""
    rows = list(names)
    columns = {"party_id": [row[0] for row in rows], "name": [row[1] for row in rows]}
    table = pa.table({**columns, "known_at": pa.array([_NOW] * len(rows), pa.timestamp("us", tz="UTC"))})
    found = believed_pairs(party_matches(table, _NOW), None, least_score)
    return {(row["left_party_id"], row["right_party_id"]) for row in found.to_pylist()}


def consignees(raw: Path) -> dict[str, list[str]]:
    """Return the consignees in each seller's declarations, in order, told apart as in ingest."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((raw / "customs_declaration").glob("*/*.json")):
        try:
            declarations = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue  # a planted defect: the file is cut off
        for declaration in declarations:
            name = _NO_SIGN.sub(" ", str(declaration.get("consigneeEname") or "").upper()).strip()
            if name and name not in NOBODY:
                found[path.parent.name].append(name)
    return found


def groups(names: Iterable[str], pairs: Pairs) -> dict[str, str]:
    """Return for every name the first name of its connected group."""
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
    """Return pairs of sellers that share an entity that is not a hub."""
    sellers_of: dict[str, set[str]] = defaultdict(set)
    for seller, names in named.items():
        for name in names:
            sellers_of[entity_of[name]].add(seller)
    most = GraphSettings().counterparty_hub_sellers
    return {
        pair for sellers in sellers_of.values() if len(sellers) <= most for pair in combinations(sorted(sellers), 2)
    }


def true_pairs(world: World, sellers: Iterable[str]) -> Pairs:
    """Return pairs of these sellers that trade through one entity."""
    entity = dict(zip(world.seller_ids().tolist(), sold_to(world, np.arange(world.firms.count)).tolist(), strict=True))
    by_entity: dict[int, list[str]] = defaultdict(list)
    for seller in sorted(sellers):
        by_entity[entity[seller]].append(seller)
    return {pair for members in by_entity.values() for pair in combinations(members, 2)}


def judged(found: Pairs, true: Pairs) -> dict[str, float]:
    """Return the number of pairs, precision and recall; 1 where there was nothing to find."""
    right = len(found & true)
    return {
        "pairs": len(found),
        "precision": right / len(found) if found else 1.0,
        "recall": right / len(true) if true else 1.0,
    }


def one_world(seed: int, sellers: int) -> dict[str, Any]:
    """Return the counts of one world."""
    settings = WorldSettings(seller_count=sellers, district_sellers=sellers, seed=seed)
    (district,) = districts(settings)
    world = simulate(district.settings)
    observed, ids = observe_names(world), world.seller_ids().tolist()
    registered = list(zip(ids, observed.registered, strict=True))
    registered += [(seller, alias.text) for seller, alias in zip(ids, observed.alias, strict=True) if alias]
    with tempfile.TemporaryDirectory() as name:
        write_world(settings, Path(name))
        named = consignees(Path(name) / "raw")
        (Path(name) / "registers").mkdir()
        registers = registers_judged(world, observed, Path(name) / "raw", Path(name) / "registers")
    true = true_pairs(world, named)
    last = {seller: [found[-1]] for seller, found in named.items()}
    views = {"all declarations": named, "the last declaration of each seller": last}
    wrong = {f"matched from {least}": len(matched(registered, least)) for least in LEAST_SCORES}
    return {
        "companies": sellers,
        "wrong_register_matches": wrong,
        "second_register": registers,
        "true_pairs": len(true),
        "consignee_links": {f"{view}, {way}": found for view, seen in views.items() for way, found in ways(seen, true)},
    }


def second_register(world: World, names: ObservedNames) -> bytes:
    """Return ownership statements about companies of control groups, with noisy spellings."""
    statements: list[dict[str, Any]] = []
    for number, group in enumerate(world.network.group.tolist()):
        if group >= 0:
            alias = names.alias[number]
            name = names.in_customs[number][1].text if alias is None else alias.text
            company = {"name": name, "entityType": {"type": "registeredEntity"}, "jurisdiction": {"code": "CN"}}
            held = {"subject": f"c{number}", "interestedParty": f"p{group}", "interests": [{"type": "shareholding"}]}
            statements.append(_statement(f"c{number}", "entity", company))
            statements.append(_statement(f"p{group}", "person", {"personType": "knownPerson"}))
            statements.append(_statement(f"r{number}", "relationship", held))
    once = {statement["statementId"]: statement for statement in statements}
    return json.dumps(list(once.values()), ensure_ascii=False).encode()


def _statement(record: str, kind: str, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "statementId": f"statement-{record}",
        "declarationSubject": "register",
        "statementDate": "2024-06-30",
        "publicationDetails": {"publicationDate": "2024-06-30", "bodsVersion": "0.4"},
        "recordId": record,
        "recordStatus": "new",
        "recordType": kind,
        "recordDetails": {"isComponent": False, **details},
    }


def two_registers(raw: Path, register: bytes, folder: Path) -> Mapping[str, pa.Table]:
    """Return what ingest makes of a world's company links and the second register."""
    with (raw / "deliveries.csv").open(encoding="utf-8", newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["Source"] == "company_links"]
    first = lines[0]
    for line in lines:
        (folder / line["File"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / line["File"]).write_bytes((raw / line["File"]).read_bytes())
    (folder / "register.json").write_bytes(register)
    digest = hashlib.sha256(register).hexdigest()
    lines.append({**first, "File": "register.json", "Source": "bods_statements", "SHA-256": digest})
    with (folder / "deliveries.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerows(lines)
    return ingest_folder(folder, IngestSettings(recorded_at=_NOW), bytes(32)).tables


def seller_ties(tables: Mapping[str, pa.Table], least_score: float | None) -> Pairs:
    """Return pairs of sellers that share a holder or an attribute, or hold each other."""
    settings = GraphSettings(same_from_score=least_score)
    graph = party_graph(tables["party"], tables["party_link"], AsOf(_NOW.date()), settings, tables[PARTY_MATCH])
    found = graph.related.tocoo()
    names = graph.sellers
    return {(str(names[a]), str(names[b])) for a, b in zip(found.row, found.col, strict=True) if names[a] < names[b]}


def registers_judged(world: World, names: ObservedNames, raw: Path, folder: Path) -> dict[str, Any]:
    """Return how many companies of the second register are matched, how many rightly, and the effect on links."""
    tables = two_registers(raw, second_register(world, names), folder)
    ids, group = world.seller_ids().tolist(), world.network.group.tolist()
    parties = tables["party"].to_pylist()
    seller_of = {row["party_id"]: row["seller_id"] for row in parties if row["seller_id"]}
    company_of = {f"bods:c{number}": seller for number, seller in enumerate(ids)}
    members: dict[int, list[str]] = defaultdict(list)
    for seller, one in zip(ids, group, strict=True):
        if one >= 0 and seller in seller_of.values():
            members[one].append(seller)
    true = {pair for sellers in members.values() for pair in combinations(sorted(sellers), 2)}
    listed = [f"bods:c{number}" for number, one in enumerate(group) if one >= 0 and ids[number] in seller_of.values()]
    ways: dict[str, Any] = {}
    for least in (None, *LEAST_SCORES):
        believed = [] if least is None else believed_pairs(tables[PARTY_MATCH], AsOf(_NOW.date()), least).to_pylist()
        pairs = [(row["left_party_id"], row["right_party_id"]) for row in believed]
        right = sum(company_of.get(left, seller_of.get(left)) == seller_of.get(right) for left, right in pairs)
        ties = judged(seller_ties(tables, least), true)
        way = "no matching" if least is None else f"matched from {least}"
        ways[way] = {"listed": len(listed), "matches": len(pairs), "right": right, **ties}
    return {"true_pairs": len(true), "ways": ways}


def made_companies(companies: int) -> dict[str, Any]:
    """Match made-up names, each of its own party with its own time of knowledge; return pairs and time."""
    names = made_names(companies)
    first = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
    hours = [first + dt.timedelta(hours=place * 7919 % 80_000) for place in range(len(names))]
    columns = {"party_id": [f"p{place}" for place in range(len(names))], "name": [name.text for name in names]}
    table = pa.table({**columns, "known_at": pa.array(hours, pa.timestamp("us", tz="UTC"))})
    start = time.process_time()
    found = believed_pairs(party_matches(table, _NOW), None, LEAST_SCORES[0]).to_pylist()
    seconds = time.process_time() - start
    company = {f"p{place}": name.company for place, name in enumerate(names)}
    right = sum(company[row["left_party_id"]] == company[row["right_party_id"]] for row in found)
    return {"names": len(names), "pairs": len(found), "right": right, "cpu_seconds": round(seconds, 1)}


def ways(named: Mapping[str, Iterable[str]], true: Pairs) -> Iterator[tuple[str, dict[str, float]]]:
    """Return how well each way of comparing names finds the true pairs."""
    names = sorted({name for found in named.values() for name in found})
    yield "equal text", {**judged(linked(named, {name: name for name in names}), true), "matched_names": 0}
    for least in LEAST_SCORES:
        pairs = matched(((name, name) for name in names), least)
        found = judged(linked(named, groups(names, pairs)), true)
        yield f"matched from {least}", {**found, "matched_names": len(pairs)}


def summary(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return sums and means over worlds."""
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
    registers = [world["second_register"] for world in worlds]
    return {
        "second_register": {
            "pairs_of_one_group": sum(one["true_pairs"] for one in registers),
            **{way: _over_worlds([one["ways"][way] for one in registers]) for way in registers[0]["ways"]},
        },
        "companies": sum(world["companies"] for world in worlds),
        "wrong_register_matches": wrong,
        "true_pairs": sum(world["true_pairs"] for world in worlds),
        "consignee_links": ways,
    }


def _over_worlds(counts: list[dict[str, float]]) -> dict[str, Any]:
    sums = {name: sum(count[name] for count in counts) for name in ("listed", "matches", "right", "pairs")}
    return {**sums, **{name: interval([count[name] for count in counts]) for name in ("precision", "recall")}}


def main() -> int:
    """Run the worlds and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--sellers", type=int, default=400)
    parser.add_argument("--made", type=int, default=20_000, help="number of made-up companies for the time measurement")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    seeds = [int(text) for text in options.seeds.split(",")]
    report = {
        "benchmark": "entity_links", "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(), "data": "synthetic worlds", "seeds": seeds,
        "made_companies": made_companies(options.made),
        **summary([one_world(seed, options.sellers) for seed in seeds]),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "entity_links.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
