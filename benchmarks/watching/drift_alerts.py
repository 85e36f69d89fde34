"""Alerts of the stage ``monitor``: how often a run without drift raises them, and how often a planted shift is found.

Takes a finished run up to ``train``. The training observations of its champion are the population; each replay draws a
reference and applicants from it, as many independent sellers as stated, so that nothing has drifted. A planted shift
changes one feature of some applicants, drawn at random, until the mean probability of default has moved by a tenth: to
the value at the risky end of the population (``value``), or to no value (``missing``). Features that cannot move the
mean that far are counted and left out. A shift is found if its feature has an alert. Intervals: 95 %, Wilson.

    python benchmarks/watching/drift_alerts.py --profile small --artifacts artifacts --out benchmarks/results

Writes JSON; a goal is met if the lower end of its interval reaches it. Exit code 1 if one is not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit

from models.evaluation.drift import DriftSettings, measure_drift
from models.registry.bundle import load_bundle
from pipelines.monitor.comparison import LOG_ODDS, compare, judged
from pipelines.monitor.effect import effects
from pipelines.monitor.stage import training_rows
from pipelines.profiles import load_profile
from pipelines.runs.stages import Place, current_output
from pipelines.signing.keys import load_keys
from pipelines.train.samples import SampleFiles, labelled_sample

if TYPE_CHECKING:
    from models.components.encoding import FloatArray
    from models.components.model import CreditModel
    from models.training.dataset import Dataset
    from pipelines.monitor.comparison import Comparison

MOST_ALERTS: Final = 3
GOALS: Final = {"replays_with_few_alerts": 0.95, "planted_shifts_found": 0.90}
MOVED: Final = 0.10
KINDS: Final = ("value", "missing")
SHARES: Final = tuple(np.round(np.linspace(0.02, 1.0, 50), 2).tolist())


@dataclass(frozen=True)
class Replay:
    """A reference and applicants drawn from one population, and how they compare."""

    reference: Dataset
    current: FloatArray
    found: Comparison


def drawn(population: Dataset, model: CreditModel, sizes: tuple[int, int], seed: int) -> Replay:
    """Draw a reference and applicants of these sizes, each row a seller of its own, and compare them."""
    generator = np.random.default_rng(seed)
    first, second = (generator.integers(0, population.n, size) for size in sizes)
    reference = replace(_rows(population, first), seller_id=np.arange(sizes[0]).astype(str))
    current = population.X[second]
    return Replay(reference, current, compare(model, reference, current, (None, DriftSettings())))


def _rows(dataset: Dataset, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Dataset:
    return replace(
        dataset,
        X=dataset.X[rows],
        y=dataset.y[rows],
        seller_id=dataset.seller_id[rows],
        as_of=dataset.as_of[rows],
        component_id=dataset.component_id[rows],
        known_on=None,
    )


def planted(model: CreditModel, replay: Replay, place: int, kind: str, seed: int) -> FloatArray | None:
    """Return the applicants with one feature changed just so far that the mean probability has moved by a tenth."""
    order = np.random.default_rng(seed).permutation(len(replay.current))
    before = expit(model.log_odds(replay.current)).mean()
    value = np.nan if kind == "missing" else _risky_end(model, replay.reference, place)
    changed_all = replay.current.copy()
    changed_all[:, place] = value
    log_odds, after = model.log_odds(replay.current), model.log_odds(changed_all)
    for share in SHARES:
        rows = order[: round(share * len(order))]
        mixed = log_odds.copy()
        mixed[rows] = after[rows]
        if abs(expit(mixed).mean() / before - 1) >= MOVED:
            changed = replay.current.copy()
            changed[rows, place] = value
            return changed
    return None


def _risky_end(model: CreditModel, reference: Dataset, place: int) -> float:
    """Return the 5 % or 95 % quantile of a feature, whichever has the higher mean contribution."""
    column = reference.X[:, place]
    if np.isnan(column).all():
        return float("nan")
    ends = np.nanquantile(column, [0.05, 0.95])
    rows = np.repeat(reference.X[:200], 2, axis=0)
    rows[::2, place], rows[1::2, place] = ends
    log_odds = model.log_odds(rows)
    return float(ends[0] if np.nanmean(log_odds[::2]) > np.nanmean(log_odds[1::2]) else ends[1])


def is_found(model: CreditModel, replay: Replay, changed: FloatArray, place: int) -> bool:
    """Return whether the changed feature has an alert; the drift of the others is that of the replay."""
    name, settings = model.feature_names[place], DriftSettings()
    rows, evidence = replay.found.comparable.rows, replay.found.comparable.evidence
    reference = replay.reference.X[rows]
    own = measure_drift(name, reference[:, place], changed[:, place], evidence, settings)
    scores = model.log_odds(reference), model.log_odds(changed)
    output = measure_drift(LOG_ODDS, *scores, evidence, settings)
    drifts = [{name: own, LOG_ODDS: output}.get(one.name, one) for one in replay.found.drifts]
    after = judged(drifts, effects(model, reference, changed, evidence), settings)
    return any(one.alert for one in after if one.name == name)


def wilson(hits: int, trials: int) -> dict[str, float]:
    """Return a share with its 95 % Wilson interval."""
    if not trials:
        return {"share": float("nan"), "low": 0.0, "high": 1.0}
    z, share = 1.96, hits / trials
    centre, half = share + z**2 / (2 * trials), z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return {"share": share, "low": float((centre - half) / scale), "high": float((centre + half) / scale)}


def main() -> int:
    """Replay, plant and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="small")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--replays", type=int, default=100)
    parser.add_argument("--sellers", type=int, nargs=2, default=(1500, 1800), help="reference, applicants")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    profile = load_profile(options.profile)
    place = Place(profile.name, options.artifacts)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    model = load_bundle(current_output(place, "train", "bundle"), [keys.public_key]).model
    population = training_rows(profile, labelled_sample(profile, SampleFiles.of(profile, place)))
    counts: list[int] = []
    shifts = {kind: {"planted": 0, "found": 0, "cannot": 0} for kind in KINDS}
    importance = np.argsort(-np.abs(model.contributions(population.X).values).mean(axis=0))
    for seed in range(options.replays):
        replay = drawn(population, model, tuple(options.sellers), seed)
        counts.append(len(replay.found.alerts))
        column = int(importance[seed % 40])
        for kind in KINDS:
            changed = planted(model, replay, column, kind, seed)
            shifts[kind]["cannot" if changed is None else "planted"] += 1
            if changed is not None:
                shifts[kind]["found"] += is_found(model, replay, changed, column)
        print(f"replay {seed}: {counts[-1]} alerts, {shifts}", flush=True)
    return _report(options, model, (counts, shifts))


def _report(
    options: argparse.Namespace, model: CreditModel, results: tuple[list[int], dict[str, dict[str, int]]]
) -> int:
    counts, shifts = results
    few = wilson(sum(count <= MOST_ALERTS for count in counts), len(counts))
    found = {kind: {**each, **wilson(each["found"], each["planted"])} for kind, each in shifts.items()}
    # A goal counts as met only where the lower end of the interval reaches it: few replays show little.
    met = {
        "replays_with_few_alerts": few["low"] >= GOALS["replays_with_few_alerts"],
        "planted_shifts_found": all(one["low"] >= GOALS["planted_shifts_found"] for one in found.values()),
    }
    report = {
        "benchmark": "drift_alerts",
        "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "data": "synthetic world",
        "profile": options.profile,
        "features": len(model.feature_names),
        "sellers": list(options.sellers),
        "mean_probability_moved_by": MOVED,
        "replays": len(counts),
        "alerts_without_drift": {str(count): counts.count(count) for count in sorted(set(counts))},
        "replays_with_few_alerts": few,
        "planted_shifts": found,
        "goals": GOALS,
        "met": met,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "drift_alerts.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: report[name] for name in ("replays_with_few_alerts", "planted_shifts", "met")}, indent=2))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
