"""Default rates over time, and which data is missing for whom."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import chi2

from features.build import build_features, tables_read
from features.engine.as_of import AsOf
from models.training.dataset import Dataset
from realism.fits import booster_auc, scorecard_auc

if TYPE_CHECKING:
    from models.components.encoding import FloatArray
    from realism.sample import WorldSample


def default_rates(sample: WorldSample) -> dict[str, Any]:
    """Return twelve-month default rates of sellers with an open loan, and how strongly defaults cluster in time.

    The dispersion is Pearson's chi-square over its degrees of freedom, for defaults from one observation date to the
    next against one constant rate: 1 for independent defaults, more where shocks make them cluster.
    """
    frame = sample.labels.table.to_pandas()
    by_date = frame.groupby("as_of")["label"].agg(["size", "sum", "mean"])
    by_year = frame.groupby(pd.to_datetime(frame["as_of"]).dt.year)["label"].mean()
    exposed, defaulted = _periods(sample)
    expected = exposed * defaulted.sum() / exposed.sum()
    rate = defaulted.sum() / exposed.sum()
    statistic = float(((defaulted - expected) ** 2 / (expected * (1 - rate))).sum())
    return {
        "default_rate": float(frame["label"].mean()),
        "default_rate_by_vintage_year": {str(year): float(share) for year, share in by_year.items()},
        "default_rate_lowest_vintage": float(by_date["mean"].min()),
        "default_rate_highest_vintage": float(by_date["mean"].max()),
        "dispersion_of_quarterly_defaults": statistic / (len(exposed) - 1),
        "dispersion_p_value": float(chi2.sf(statistic, len(exposed) - 1)),
        "sellers_with_a_default": sample.defaults.num_rows,
        "observations_labelled": len(frame),
    }


def _periods(sample: WorldSample) -> tuple[FloatArray, FloatArray]:
    """Return the sellers observed at each date, and those of them in default by the next date."""
    observed = sample.observations.to_pandas().merge(sample.defaults.to_pandas(), on="seller_id", how="left")
    dates = sorted(observed["as_of"].unique())
    exposed, defaulted = [], []
    for start, end in pairwise(dates):
        at_risk = observed[observed["as_of"] == start]
        exposed.append(len(at_risk))
        defaulted.append(int((at_risk["default_date"].notna() & (at_risk["default_date"] <= end)).sum()))
    return np.asarray(exposed, dtype=np.float64), np.asarray(defaulted, dtype=np.float64)


def missing_sources(sample: WorldSample) -> dict[str, Any]:
    """Return the shares of bad and good observations without a source, and the z-value of the difference.

    A source is missing if every feature that reads only its table is missing; ``count`` is the number of missing
    sources. The standard error allows for correlation within a related-party component.
    """
    dataset = sample.dataset
    found: dict[str, Any] = {}
    reads = tables_read(sample.feature_set)
    count = np.zeros(dataset.n)
    for table in sorted({next(iter(tables)) for tables in reads.values() if len(tables) == 1}):
        alone = [place for place, name in enumerate(dataset.feature_names) if reads[name] == {table}]
        missing = np.asarray(np.isnan(dataset.X[:, alone]).all(axis=1), dtype=np.float64)
        if missing.any():
            found[table] = _difference(missing, dataset)
            count += missing
    found["count"] = _difference(np.asarray(count), dataset)
    return found


def _difference(missing: FloatArray, dataset: Dataset) -> dict[str, float]:
    bad = dataset.y == 1
    of_bad, of_good = float(missing[bad].mean()), float(missing[~bad].mean())
    # Influence of each row on the difference, summed by component (sandwich variance of a difference of means).
    influence = np.where(bad, (missing - of_bad) / bad.sum(), -(missing - of_good) / (~bad).sum())
    _, cluster = np.unique(dataset.component_id, return_inverse=True)
    error = float(np.sqrt((np.bincount(cluster, weights=influence) ** 2).sum()))
    return {
        "among_bad": of_bad,
        "among_good": of_good,
        "difference": of_bad - of_good,
        "z": (of_bad - of_good) / error if error else 0.0,
    }


def imputation(sample: WorldSample) -> dict[str, float]:
    """Return the change of AUC when training medians replace missing values."""
    train, test = sample.split.train, sample.split.test
    with np.errstate(all="ignore"):
        medians = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0
                            for column in train.X.T])  # fmt: skip
    filled_train, filled_test = (_filled(part, medians) for part in (train, test))
    training = sample.profile.training
    return {
        "lightgbm_gain_from_medians": booster_auc(filled_train, filled_test, training, sample.boosters)
        - sample.lightgbm_auc,
        "scorecard_gain_from_medians": scorecard_auc(filled_train, filled_test, training)
        - scorecard_auc(train, test, training),
    }


def _filled(part: Dataset, medians: FloatArray) -> Dataset:
    X = np.where(np.isfinite(part.X), part.X, medians)
    return Dataset(X, part.y, part.seller_id, part.as_of, part.component_id, part.facts)


def dropping_the_future(sample: WorldSample) -> dict[str, float]:
    """Count the cells of the matrix on one date that change when all later records are removed."""
    split = sample.profile.split
    if split is None:
        raise ValueError("realism needs an out-of-time split")
    as_of = AsOf(split.test_from)
    at_date = np.asarray(sample.matrix["as_of"].to_numpy(), dtype="datetime64[D]") == np.datetime64(as_of.day)
    full = sample.matrix.filter(pa.array(at_date)).combine_chunks()
    past = {name: as_of.visible(table) for name, table in sample.tables.items()}
    rebuilt = build_features(past, full.select(["seller_id", "as_of"]), sample.feature_set).table
    if rebuilt.select(["seller_id", "as_of"]) != full.select(["seller_id", "as_of"]):
        raise AssertionError("the observations changed")
    changed = 0
    for name in sample.feature_set.names:
        one, other = full[name].to_numpy(), rebuilt[name].to_numpy()
        changed += int((~((one == other) | (np.isnan(one) & np.isnan(other)))).sum())
    dropped = sum(table.num_rows - past[name].num_rows for name, table in sample.tables.items())
    return {"cells_compared": full.num_rows * len(sample.feature_set.names), "cells_changed": changed,
            "later_records_dropped": dropped}  # fmt: skip
