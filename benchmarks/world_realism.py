"""Whether prediction in the synthetic world is as hard as in a real portfolio, over several seeds.

For every seed a world is written, read back by the pipeline's own functions and measured: default rates, out-of-time
AUC of the model families, random and temporal split, learning curve, shuffled labels, relations with a rewired graph
and a deliberate leak, missing data, records of the future, and ranking by true risk. Each finished seed is printed as
one line and kept, so a stopped run continues where it ended; other settings or code measure it anew. Exit code 1 if a
band is missed.

    python benchmarks/world_realism.py --out artifacts/benchmarks --seeds 1,2,3
    python benchmarks/world_realism.py --measures families,rates --perturb
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from realism.learning import families, learning_curve, pillar_weights, shuffled_labels, splits
from realism.rates import default_rates, dropping_the_future, imputation, missing_sources
from realism.relations import graph_ablation
from realism.sample import make_sample
from realism.summary import best_single_feature, figures, rankings, verdicts

from data_contracts.digest import sha256_bytes
from models.evaluation.discrimination import auc
from pipelines.profiles import load_profile
from pipelines.runs.publish import json_bytes, read_json, write_json
from pipelines.runs.stages import digest_of_code
from pipelines.world.marginals import marginals
from simulator.economy.oracle import true_risk
from simulator.economy.simulation import simulate
from simulator.population.districts import districts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from realism.sample import WorldSample

    from pipelines.profiles import Profile

CODE = ("data_contracts", "features", "models", "simulator", "pipelines", "benchmarks/realism")
MEASURES: dict[str, Callable[[WorldSample], dict[str, Any]]] = {
    "families": families,
    "pillars": pillar_weights,
    "rates": default_rates,
    "splits": splits,
    "curve": learning_curve,
    "shuffle": shuffled_labels,
    "graph": graph_ablation,
    "missing": missing_sources,
    "imputation": imputation,
    "as_of": dropping_the_future,
}
# Measures that need only the settings of a world.
ORACLE, MARGINALS = "oracle", "marginals"
ALL_MEASURES = (*MEASURES, ORACLE, MARGINALS)
PERTURBED = (
    "economy.margin_sd",
    "economy.annual_quality_drift",
    "economy.weekly_noise_sd",
    "economy.outside_loss_rate",
    "economy.faulty_batch_rate",
    "economy.rescue_rate",
)
FACTORS = (0.8, 1.2)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        seeds: Seeds of the worlds.
        sellers: Number of sellers in each world.
        measures: Names of MEASURES, ``oracle`` and ``marginals``.
        futures: Simulated futures for the true risk.
        oracle_districts: Districts of each world whose true risk is measured.
        seeds_folder: Folder of finished worlds.
        code_sha256: Digest of the measuring code; a kept world of other code is measured anew.
    """

    seeds: tuple[int, ...]
    sellers: int
    measures: tuple[str, ...]
    futures: int
    oracle_districts: int
    seeds_folder: Path
    code_sha256: str


@dataclass(frozen=True)
class Change:
    """One parameter of the world times a factor."""

    parameter: str = ""
    factor: float = 1.0

    @property
    def label(self) -> str:
        """Text for file names and printed lines."""
        return f"-{self.parameter}-x{self.factor:g}" if self.parameter else ""


def world_profile(seed: int, sellers: int, change: Change) -> Profile:
    """Return the demonstration profile with the world of a seed; the observation has its own seed."""
    profile = load_profile("demo")
    if profile.world is None:
        raise ValueError("profile demo has no [world]")
    world = profile.world.model_copy(update={"seed": seed, "observation_seed": seed + 4, "seller_count": sellers})
    if change.parameter:
        section, name = change.parameter.split(".")
        part = getattr(world, section)
        changed = part.model_validate({**part.model_dump(), name: getattr(part, name) * change.factor})
        world = world.model_copy(update={section: changed})
    return profile.model_copy(update={"world": world})


def oracle(profile: Profile, futures: int, count: int) -> dict[str, float]:
    """Rank open borrowers by their true risk at the first test date, over some districts of the world.

    ``expected_auc`` tests every future against the risk from all other futures and is the mean over futures: how well
    the true risk ranks in a year to come. ``auc`` tests the one year that the world itself went through, which has few
    defaults.
    """
    if profile.world is None or profile.split is None:
        raise ValueError("the true risk needs a synthetic world and an out-of-time split")
    week = ((profile.split.test_from - profile.world.first_day).days + 6) // 7
    found = [true_risk(district.settings, week, futures) for district in districts(profile.world)[:count]]
    each = np.hstack([one.defaults_in[:, one.is_exposed] for one in found]).astype(np.int64)
    outcome = np.concatenate([one.defaulted[one.is_exposed] for one in found]).astype(np.int64)
    risk = each.mean(axis=0)
    return {
        "expected_auc": expected_auc(each),
        "auc": auc(outcome, risk),
        "sellers": len(risk),
        "defaults": int(outcome.sum()),
        "mean_true_risk": float(risk.mean()),
        "futures": futures,
    }


def expected_auc(outcomes: NDArray[np.int64]) -> float:
    """Return the mean AUC of each future against the default shares of the others; input shape (futures, sellers)."""
    if len(outcomes) < 2:
        raise ValueError("at least two futures are needed")
    others = (outcomes.sum(axis=0) - outcomes) / (len(outcomes) - 1)
    return float(np.mean([auc(one, share) for one, share in zip(outcomes, others, strict=True) if 0 < one.mean() < 1]))


def world_marginals(profile: Profile) -> dict[str, float]:
    """Return the figures of the world page for the first district of a world."""
    if profile.world is None:
        raise ValueError("marginals need a synthetic world")
    return marginals(simulate(districts(profile.world)[0].settings))


def measure_world(plan: Plan, seed: int, change: Change) -> dict[str, Any]:
    """Return all figures of one world, from the kept file if nothing has changed since."""
    profile = world_profile(seed, plan.sellers, change)
    identity = {
        "profile": profile.model_dump(mode="json"),
        "code_sha256": plan.code_sha256,
        "futures": plan.futures,
        "oracle_districts": plan.oracle_districts,
    }
    path = plan.seeds_folder / f"seed-{seed:04d}-of-{plan.sellers}{change.label}.json"
    digest = sha256_bytes(json_bytes(identity))
    kept = read_json(path) if path.is_file() else {}
    found: dict[str, Any] = kept["figures"] if kept.get("identity") == digest else {}
    missing = [name for name in plan.measures if name not in found]
    if missing:
        found |= _measured(profile, plan, missing)
        write_json(path, {"identity": digest, "seed": seed, "change": asdict(change), "figures": found})
    return {name: found[name] for name in (*plan.measures, "cost") if name in found}


def _measured(profile: Profile, plan: Plan, names: Sequence[str]) -> dict[str, Any]:
    started, cpu = time.perf_counter(), os.times()
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, tempfile.TemporaryDirectory() as folder:
        # The true risk needs only the settings, so it uses the second processor while the pipeline works.
        waiting = pool.submit(oracle, profile, plan.futures, plan.oracle_districts) if ORACLE in names else None
        wanted = [name for name in names if name in MEASURES]
        cost: dict[str, Any] = {"seconds": {}}
        if MARGINALS in names:
            found[MARGINALS] = world_marginals(profile)
        if wanted:
            sample = make_sample(profile, Path(folder))
            cost |= {"seconds": dict(sample.seconds), "rows": dict(sample.rows)}
        for name in wanted:
            begun = time.perf_counter()
            found[name] = MEASURES[name](sample)
            cost["seconds"][name] = round(time.perf_counter() - begun, 2)
        if waiting is not None:
            found[ORACLE] = waiting.result()
    cost["seconds_in_all"] = round(time.perf_counter() - started, 1)
    cost["cpu_seconds_in_all"] = round(sum(os.times()[:4]) - sum(cpu[:4]), 1)
    return {**found, "cost": cost}


def run(plan: Plan, changes: Sequence[Change]) -> dict[str, Any]:
    """Measure every world, print a line for each, and summarise."""
    plain, changed = [], []
    for seed in plan.seeds:
        found = measure_world(plan, seed, Change())
        plain.append(found)
        print(line(seed, Change(), found), flush=True)
    light = replace(plan, measures=("families", "rates"))
    for change in changes:
        found = measure_world(light, plan.seeds[0], change)
        changed.append({"change": asdict(change), **found})
        print(line(plan.seeds[0], change, found), flush=True)
    found_figures = figures(plain)
    best = best_single_feature(found_figures)
    over_seeds, under_changes = rankings(plain), rankings(changed)
    return {
        "data": "synthetic",
        "measured_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": {
            "python": platform.python_version(),
            "processor": platform.processor() or platform.machine(),
            "processors": os.cpu_count(),
        },
        "code_sha256": plan.code_sha256,
        "code_changed_meanwhile": digest_of_code(CODE) != plan.code_sha256,
        "sellers": plan.sellers,
        "seeds": list(plan.seeds),
        "figures": {name: asdict(value) for name, value in found_figures.items()},
        "best_single_feature": best[0] if best else None,
        "bands": verdicts(found_figures, {"seeds": over_seeds, "changed parameters": under_changes}),
        "ranking_over_seeds": over_seeds,
        "ranking_under_changes": under_changes,
        "changes": changed,
    }


def line(seed: int, change: Change, found: dict[str, Any]) -> str:
    """Return the key figures of a world as one line."""
    shown = {
        "rate": found.get("rates", {}).get("default_rate"),
        "lgbm": found.get("families", {}).get("lightgbm"),
        "scorecard": found.get("families", {}).get("scorecard"),
        "linear": found.get("families", {}).get("linear"),
        "single": found.get("families", {}).get("best_single_variable"),
        "oracle": found.get("oracle", {}).get("expected_auc"),
        "random-oot": found.get("splits", {}).get("random_minus_out_of_time"),
        "slope": found.get("curve", {}).get("auc_per_doubling_at_5000"),
        "graph": found.get("graph", {}).get("uplift"),
        "rewired": found.get("graph", {}).get("uplift_rewired"),
        "leak": found.get("graph", {}).get("uplift_leak"),
        "shuffle": found.get("shuffle", {}).get("auc"),
        "seconds": found.get("cost", {}).get("seconds_in_all"),
    }
    texts = [f"{name} {value:.4f}" if name != "seconds" else f"{value:.0f} s"
             for name, value in shown.items() if value is not None]  # fmt: skip
    return f"synthetic world {seed}{change.label}: " + ", ".join(texts)


def report(found: dict[str, Any]) -> bool:
    """Print every band with value, interval and verdict; return whether none is missed."""
    for band in found["bands"]:
        limits = f"{'' if band['lower'] is None else band['lower']} .. {'' if band['upper'] is None else band['upper']}"
        if band["value"] is None:
            print(f"{band['verdict']:>12}  {band['name']} ({limits})")
            continue
        ends = "one world" if None in band["interval"] else "{:.4f} to {:.4f}".format(*band["interval"])
        print(f"{band['verdict']:>12}  {band['name']} ({limits}): {band['value']:.4f} ({ends})")
    if found["code_changed_meanwhile"]:
        print("the code changed during the measurement: measure again before quoting any figure")
    return all(band["verdict"] != "missed" for band in found["bands"])


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"), help="folder, or a .json file")
    parser.add_argument("--seeds", default="1,2,3,4,5,6,7,8,9,10")
    parser.add_argument("--sellers", type=int, default=4_000)
    parser.add_argument("--measures", default=",".join(ALL_MEASURES))
    parser.add_argument("--futures", type=int, default=200)
    parser.add_argument("--oracle-districts", type=int, default=2)
    parser.add_argument(
        "--perturb", action="store_true", help="also change each parameter by a fifth, on the first seed"
    )
    given = parser.parse_args()
    path = given.out if given.out.suffix == ".json" else given.out / "world_realism.json"
    measures = tuple(given.measures.split(","))
    if unknown := [name for name in measures if name not in ALL_MEASURES]:
        parser.error(f"no measure {unknown[0]!r}; there are {', '.join(ALL_MEASURES)}")
    seeds = tuple(int(seed) for seed in given.seeds.split(","))
    plan = Plan(
        seeds=seeds,
        sellers=given.sellers,
        measures=measures,
        futures=given.futures,
        oracle_districts=given.oracle_districts,
        seeds_folder=path.with_suffix(""),
        code_sha256=digest_of_code(CODE),
    )
    changes = [Change(name, factor) for name in PERTURBED for factor in FACTORS] if given.perturb else []
    found = run(plan, changes)
    write_json(path, json.loads(json.dumps(found)))
    sys.exit(0 if report(found) else 1)


if __name__ == "__main__":
    main()
