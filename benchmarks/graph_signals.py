"""What signals of related parties that wait in the catalogue add on synthetic worlds, and whether they find the truth.

For every seed a world is written and read by the pipeline's own functions. The booster is fitted on the features of
the profile, and again with the graph features that the set leaves out: all of them, and those of ``NEW``; gains are
paired by world. Circles of guarantees, rings of sellers in one hand and receivables pledged twice are compared with the
truth that no stage reads: recall of all, recall of those the raw files can show, and precision, pooled over worlds with
Wilson's interval. Every world is kept as it ends. Writes JSON; figures decide nothing.

    python benchmarks/graph_signals.py --out artifacts/benchmarks --seeds 1,2,3 --sellers 1500
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import platform
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from realism.fits import booster_auc, single_aucs
from realism.sample import make_sample, used_observations
from scipy import stats

from features.build import build_features
from features.catalogue import feature_records, select_features
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings
from features.graph.snapshot import Snapshot
from features.record import GraphFeature
from models.components.encoding import FeatureFacts, fit_encoding
from pipelines.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realism.sample import WorldSample

    from models.components.encoding import FloatArray
    from models.training.dataset import Dataset

NEW = (
    "link_churn_count_180d", "related_group_loan_balance_usd", "contagion_expected_loss_one_step_usd",
    "contagion_expected_loss_two_step_usd", "supplier_shared_default_excess_365d", "buyer_shared_default_excess_365d",
    "supplier_block_core_365d", "buyer_block_core_365d",
)  # fmt: skip
LONGEST_CIRCLE = 4
_CONFIDENCE = 0.95


def waiting(sample: WorldSample) -> list[GraphFeature]:
    """Return the graph features of the catalogue that a seller has and the set leaves out."""
    used = {record.name for record in sample.feature_set.records}
    found = [record for record in feature_records() if isinstance(record, GraphFeature) and record.name not in used]
    # Full-history overlaps serve the profile that has invoices alone.
    return [record for record in found if not record.name.startswith("invoice_")]


def gains(sample: WorldSample) -> dict[str, Any]:
    """Return the out-of-time AUC on the features of the set, what others add to it, and what each ranks alone."""
    records = waiting(sample)
    observed = used_observations(sample.profile, sample.observations)
    chosen = select_features("waiting", "1.0.0", [record.name for record in records])
    matrix = build_features(sample.tables, observed, chosen).table
    keys = zip(matrix["seller_id"].to_pylist(), matrix["as_of"].to_pylist(), strict=True)
    place = {key: row for row, key in enumerate(keys)}
    auc = {"set": sample.lightgbm_auc}
    for name, some in {"all": records, "new": [record for record in records if record.name in NEW]}.items():
        train, test = (_with(part, some, matrix, place) for part in (sample.split.train, sample.split.test))
        auc[name] = booster_auc(train, test, sample.profile.training, sample.boosters)
    train, test = (_with(part, records, matrix, place) for part in (sample.split.train, sample.split.test))
    alone = single_aucs(fit_encoding(train.X, train.facts, sample.profile.training.encoding), test)
    return {
        "auc": auc,
        "gain_of_all": auc["all"] - auc["set"],
        "gain_of_new": auc["new"] - auc["set"],
        "alone": {record.name: alone.get(record.name) for record in records},
        "test_observations": int(test.n),
        "test_defaults": int(test.y.sum()),
    }


def _with(
    part: Dataset, records: Sequence[GraphFeature], matrix: pa.Table, place: Mapping[tuple[str, dt.date], int]
) -> Dataset:
    days = part.as_of.astype("datetime64[D]").astype(object).tolist()
    rows = [place[key] for key in zip(part.seller_id.tolist(), days, strict=True)]
    more: list[FloatArray] = [matrix[record.name].to_numpy()[rows] for record in records]
    facts = tuple(
        FeatureFacts(**{name: getattr(record, name) for name in
                        ("name", "pillar", "family", "unit", "direction", "title_en", "title_zh")})
        for record in records
    )  # fmt: skip
    return replace(part, X=np.ascontiguousarray(np.column_stack([part.X, *more])), facts=(*part.facts, *facts))


def found_of_truth(sample: WorldSample, truth: Path) -> dict[str, dict[str, int]]:
    """Return, for circles, rings and double pledges: planted, in view, found, flagged, and flagged rightly."""
    day = sample.profile.observations.last_as_of
    snapshot = Snapshot(sample.tables, AsOf(day), GraphSettings())
    tables = {name: pacsv.read_csv(truth / f"{name}.csv").to_pylist() for name in ("guarantees", "sellers", "lies")}
    return {
        "circles": circles(snapshot, tables["guarantees"]),
        "rings": rings(snapshot, tables["sellers"]),
        "double_pledges": double_pledges(sample, tables["lies"]),
    }


def circles(snapshot: Snapshot, guarantees: list[dict[str, Any]]) -> dict[str, int]:
    """Compare sellers in a circle of at most four guarantees; in view if the registry shows all of a circle."""
    sellers = snapshot.graph.sellers
    flagged = set(sellers[snapshot.circle_sizes[: len(sellers)] > 0].tolist())
    stated = {
        (str(sellers[start]), str(sellers[end]))
        for start, end in snapshot.graph.guarantees.tolist()
        if max(start, end) < len(sellers)
    }
    planted, in_view = set(), set()
    network = nx.DiGraph((row["guarantor"], row["guaranteed"]) for row in guarantees)
    for cycle in nx.simple_cycles(network, length_bound=LONGEST_CIRCLE):
        planted |= set(cycle)
        steps = itertools.pairwise([*cycle, cycle[0]])
        in_view |= set(cycle) if all(step in stated for step in steps) else set()
    return _counts(planted, in_view, flagged)


def rings(snapshot: Snapshot, rows: list[dict[str, Any]]) -> dict[str, int]:
    """Compare pairs of sellers in one hand; in view if both are in the registry and not alone there."""
    hands: dict[int, list[str]] = {}
    for row in rows:
        if row["control_group"] >= 0:
            hands.setdefault(row["control_group"], []).append(row["seller_id"])
    groups: dict[int, list[str]] = {}
    for seller, group in zip(snapshot.graph.sellers.tolist(), snapshot.groups.tolist(), strict=True):
        groups.setdefault(group, []).append(seller)
    linked = set(snapshot.graph.sellers[np.diff(snapshot.graph.holders.indptr) > 0].tolist())
    linked |= set(snapshot.graph.sellers[np.diff(snapshot.graph.attributes.indptr) > 0].tolist())
    planted, flagged = _pairs(hands), _pairs(groups)
    return _counts(planted, {pair for pair in planted if set(pair) <= linked}, flagged)


def _pairs(groups: Mapping[int, list[str]]) -> set[tuple[str, str]]:
    return {pair for members in groups.values() for pair in itertools.combinations(sorted(members), 2)}


def double_pledges(sample: WorldSample, lies: list[dict[str, Any]]) -> dict[str, int]:
    """Compare sellers and quarter ends at which a receivable was pledged twice; in view if the seller shows pledges.

    A case is in force from its first day to its last, or to the end.
    """
    days = sample.profile.observations.as_of_dates()
    showing = set(sample.tables["pledge"]["seller_id"].to_pylist())
    cases = [row for row in lies if row["kind"] == "double_pledge"]
    planted = {
        (case["seller_id"], day)
        for case in cases
        for day in days
        if case["from"] <= day and (case["to"] is None or day <= case["to"])
    }
    flagged = set()
    for day in days:
        rows = Snapshot(sample.tables, AsOf(day), GraphSettings()).colliding_pledges
        flagged |= {(seller, day) for seller in rows["seller_id"].to_pylist()}
    return _counts(planted, {key for key in planted if key[0] in showing}, flagged)


def _counts(planted: set[Any], in_view: set[Any], flagged: set[Any]) -> dict[str, int]:
    return {
        "planted": len(planted), "in_view": len(in_view), "found": len(planted & flagged),
        "found_in_view": len(in_view & flagged), "flagged": len(flagged), "flagged_rightly": len(flagged & planted),
    }  # fmt: skip


def measure(seed: int, sellers: int) -> dict[str, Any]:
    """Return the figures of one world."""
    profile = load_profile("small")
    if profile.world is None:
        raise ValueError("the profile has no synthetic world")
    world = profile.world.model_copy(update={"seed": seed, "observation_seed": 100 + seed, "seller_count": sellers})
    with tempfile.TemporaryDirectory() as folder:
        sample = make_sample(profile.model_copy(update={"world": world}), Path(folder))
        truth = found_of_truth(sample, Path(folder) / "truth")
        return {"seed": seed, **gains(sample), "truth": truth, "seconds": dict(sample.seconds)}


def summary(worlds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return means over worlds with t intervals, and pooled shares with Wilson's interval."""
    shares = {"recall": ("found", "planted"), "recall_in_view": ("found_in_view", "in_view"),
              "precision": ("flagged_rightly", "flagged")}  # fmt: skip
    found = {
        kind: {
            name: _share(*(sum(world["truth"][kind][part] for world in worlds) for part in parts))
            for name, parts in shares.items()
        }
        for kind in worlds[0]["truth"]
    }
    paired = {name: _mean([world[name] for world in worlds]) for name in ("gain_of_all", "gain_of_new")}
    names = [name for name, value in worlds[0]["alone"].items() if value is not None]
    alone = {name: _mean([world["alone"][name] for world in worlds if world["alone"].get(name)]) for name in names}
    return {"gains": paired, "auc_alone": alone, "truth": found}


def _mean(values: Sequence[float]) -> dict[str, Any]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": round(mean, 5), "interval": None, "worlds": len(values)}
    low, high = stats.t.interval(_CONFIDENCE, len(values) - 1, mean, max(float(stats.sem(values)), 1e-12))
    return {"mean": round(mean, 5), "interval": [round(float(low), 5), round(float(high), 5)], "worlds": len(values)}


def _share(hits: int, of: int) -> dict[str, Any]:
    if of == 0:
        return {"share": None, "interval": None, "hits": hits, "of": of}
    low, high = stats.binomtest(hits, of).proportion_ci(_CONFIDENCE, "wilson")
    return {"share": round(hits / of, 4), "interval": [round(low, 4), round(high, 4)], "hits": hits, "of": of}


def main() -> None:
    """Measure and write ``graph_signals.json``."""
    parser = argparse.ArgumentParser(description="What waiting signals of related parties add on synthetic worlds.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--sellers", type=int, default=1500)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    worlds: list[dict[str, Any]] = []
    for seed in (int(number) for number in given.seeds.split(",")):
        worlds.append(measure(seed, given.sellers))
        document = {
            "made_of": "synthetic worlds, no seller is real", "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "machine": platform.platform(), "profile": "small", "sellers": given.sellers, "new": list(NEW),
            "summary": summary(worlds), "worlds": worlds,
        }  # fmt: skip
        (given.out / "graph_signals.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(worlds[-1]), flush=True)
    print(json.dumps(document["summary"], indent=2))


if __name__ == "__main__":
    main()
