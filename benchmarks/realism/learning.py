"""What models learn from a world: families, random and temporal split, learning curve, shuffled labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.training.dataset import hash_share, split_out_of_time, split_random
from realism.fits import booster_auc, family_aucs, pillar_shares, scorecard_auc, single_feature_aucs, tuned_boosters

if TYPE_CHECKING:
    from models.components.encoding import BoolArray
    from models.training.dataset import Dataset, SplitSettings
    from realism.sample import WorldSample

CURVE_ROWS = (1_250, 2_500, 5_000)
SUBSAMPLES = 6
RANDOM_SPLITS = 4
SHUFFLES = 6


def families(sample: WorldSample) -> dict[str, Any]:
    """Return out-of-time AUCs of the model families, and the gaps that judge the world."""
    split, training = sample.split, sample.profile.training
    found = {"lightgbm": sample.lightgbm_auc, **family_aucs(split.train, split.test, training)}
    return {
        **found,
        "lightgbm_minus_scorecard": found["lightgbm"] - found["scorecard"],
        "training_minus_out_of_time": found["lightgbm_in_training"] - found["lightgbm"],
        "out_of_fold_minus_out_of_time": found["lightgbm_out_of_fold"] - found["lightgbm"],
        "single_features": dict(single_feature_aucs(split.train, split.test, training)),
        "training_observations": split.train.n,
        "training_defaults": int(split.train.y.sum()),
        "test_observations": split.test.n,
        "test_defaults": int(split.test.y.sum()),
    }


def pillar_weights(sample: WorldSample) -> dict[str, Any]:
    """Return the booster's weight of every pillar, of sales and supply together, and of the heaviest pillar."""
    split, training = sample.split, sample.profile.training
    pillars = {record.name: str(record.pillar) for record in sample.feature_set.records}
    shares = pillar_shares(split.train, split.test, training, sample.boosters.few, pillars)
    return {
        "share": shares,
        "sales_and_supply": shares["sales_health"] + shares["supply_chain"],
        "heaviest": max(shares.values()),
    }


def splits(sample: WorldSample) -> dict[str, float]:
    """Compare random with out-of-time splits that have the same number of rows on either side.

    - ``random`` tests the rows of the out-of-time split after training on rows of any date and seller except the tested
      ones. The test rows are taken in two halves, so that a seller's other dates may be in training.
    - ``random_other_test`` is the project's own contrast, whose test rows are random too.
    - ``any_date_other_components`` trains on rows of any date from components that are not in the test: the value of
      knowing the future without knowing the seller.
    """
    settings, dataset = sample.profile.split, sample.dataset
    if settings is None:
        raise ValueError("realism needs an out-of-time split")
    training, temporal = sample.profile.training, sample.split
    rng = np.random.default_rng(0)
    base, few = sample.lightgbm_auc, sample.boosters.few
    is_other = hash_share(dataset.component_id, settings.salt) >= settings.test_share
    is_test = ~is_other & (dataset.as_of >= np.datetime64(settings.test_from, "D"))
    found = {
        "random": [_half_by_half(sample, is_test, rng) for _ in range(RANDOM_SPLITS)],
        "random_other_test": [
            _contrast(sample, settings.model_copy(update={"salt": f"random-{number}"}), rng)
            for number in range(RANDOM_SPLITS)
        ],
        "any_date_other_components": [
            booster_auc(_some_rows(dataset.rows(is_other), temporal.train.n, rng), temporal.test, training, few)
            for _ in range(RANDOM_SPLITS)
        ],
    }
    gains = {f"{name}_minus_out_of_time": float(np.mean(values)) - base for name, values in found.items()}
    return {"out_of_time": base, **gains}


def _half_by_half(sample: WorldSample, is_test: BoolArray, rng: np.random.Generator) -> float:
    """Return the mean AUC of the two halves of the test rows, each tested after training on rows outside it."""
    dataset, rows = sample.dataset, sample.split.train.n
    half = rng.random(dataset.n) < 0.5
    found = []
    for judged in (is_test & half, is_test & ~half):
        train = _some_rows(dataset.rows(~judged), rows, rng)
        found.append(booster_auc(train, dataset.rows(judged), sample.profile.training, sample.boosters.few))
    return float(np.mean(found))


def _contrast(sample: WorldSample, settings: SplitSettings, rng: np.random.Generator) -> float:
    split, temporal = split_random(sample.dataset, settings), sample.split
    train, test = (
        _some_rows(*sides, rng) for sides in ((split.train, temporal.train.n), (split.test, temporal.test.n))
    )
    return booster_auc(train, test, sample.profile.training, sample.boosters.few)


def learning_curve(sample: WorldSample) -> dict[str, Any]:
    """Return out-of-time AUC by training size, with subsamples by component, and the slope at 5,000 rows.

    The slope is AUC per doubling, by least squares over all sizes from 2,500 rows.
    """
    split, training = sample.split, sample.profile.training
    rng = np.random.default_rng(1)
    curve: dict[int, float] = {}
    for rows in CURVE_ROWS:
        if rows < 0.9 * split.train.n:
            parts = [_some_components(split.train, rows, rng) for _ in range(SUBSAMPLES)]
            few = replace(sample.boosters.few, rounds=tuned_boosters(parts[0], training, 1).rounds)
            curve[rows] = float(np.mean([booster_auc(part, split.test, training, few) for part in parts]))
    curve[split.train.n] = sample.lightgbm_auc
    late = [rows for rows in curve if rows >= 2_500]
    found: dict[str, Any] = {"auc_by_rows": {("all" if rows == split.train.n else str(rows)): value
                                             for rows, value in curve.items()}}  # fmt: skip
    if len(late) > 1:
        slope = np.polyfit(np.log2(late), [curve[rows] for rows in late], 1)[0]
        found["auc_per_doubling_at_5000"] = float(slope)
    return found


def shuffled_labels(sample: WorldSample) -> dict[str, float]:
    """Return the AUC with outcomes shuffled over the whole sample, training and test.

    Test outcomes are shuffled too: a model with declared directions ranks real outcomes better than chance even if it
    has learned nothing, because the directions are knowledge.
    """
    settings, rng = sample.profile.split, np.random.default_rng(2)
    if settings is None:
        raise ValueError("realism needs an out-of-time split")
    found = []
    for _ in range(SHUFFLES):
        shuffled = replace(sample.dataset, y=rng.permutation(sample.dataset.y))
        split = split_out_of_time(shuffled, settings)
        found += [booster_auc(split.train, split.test, sample.profile.training, sample.boosters.few),
                  scorecard_auc(split.train, split.test, sample.profile.training)]  # fmt: skip
    return {"auc": float(np.mean(found))}


def _some_rows(part: Dataset, rows: int, rng: np.random.Generator) -> Dataset:
    chosen = rng.permutation(part.n)[: min(rows, part.n)]
    return part.rows(np.sort(chosen))


def _some_components(part: Dataset, rows: int, rng: np.random.Generator) -> Dataset:
    """Return random whole components until there are enough rows, cut to exactly that many rows."""
    names = rng.permutation(np.unique(part.component_id))
    order = {name: place for place, name in enumerate(names.tolist())}
    place = np.array([order[name] for name in part.component_id.tolist()])
    return part.rows(np.sort(np.argsort(place, kind="stable")[:rows]))
