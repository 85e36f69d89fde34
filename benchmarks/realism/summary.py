"""Figures of several worlds as means with intervals, and a verdict for every target band."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.stats import kendalltau, t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAMILIES = ("lightgbm", "scorecard", "linear", "best_single_variable")
Verdict = Literal["met", "missed", "not measured"]


@dataclass(frozen=True)
class Figure:
    """Mean over worlds with its 95 % t-interval; the ends are None for a single world."""

    mean: float
    lower: float | None
    upper: float | None
    standard_deviation: float | None
    worlds: int


@dataclass(frozen=True)
class Band:
    """Target band for the mean of a figure; a missing end is open.

    ``bound`` tells what is compared: the mean, or the end of the interval that must clear the limit.
    """

    name: str
    figure: str
    lower: float | None = None
    upper: float | None = None
    bound: Literal["mean", "lower", "upper"] = "mean"
    stops_the_build: bool = False


BANDS: tuple[Band, ...] = (
    Band("AUC of the true risk", "oracle.expected_auc", 0.85, 0.90),
    Band("AUC of the full model, out of time", "families.lightgbm", 0.76, 0.83),
    Band("AUC not implausibly high", "families.lightgbm", None, 0.88, stops_the_build=True),
    Band(
        "training AUC above out-of-time AUC",
        "families.training_minus_out_of_time",
        0.0,
        None,
        "upper",
        stops_the_build=True,
    ),
    Band("AUC of the best single feature", "best_single_feature", None, 0.70),
    Band("LightGBM above the scorecard", "families.lightgbm_minus_scorecard", 0.005, 0.03),
    Band("weight of sales and supply", "pillars.sales_and_supply", 1 / 3, None),
    Band("weight of the heaviest pillar", "pillars.heaviest", None, 0.5),
    Band("yearly default rate", "rates.default_rate", 0.03, 0.06),
    Band("defaults cluster in time", "rates.dispersion_of_quarterly_defaults", 1.0, None, "lower"),
    Band("random split above out of time", "splits.random_minus_out_of_time", 0.003, 0.03),
    Band("learning curve rises at 5,000 rows", "curve.auc_per_doubling_at_5000", 0.0, None, "lower"),
    Band("gain from graph features", "graph.uplift", 0.005, 0.03),
    Band("gain from a rewired graph", "graph.uplift_rewired", None, 0.0, "lower"),
    Band("further gain from leaked defaults", "graph.uplift_leak", 0.0, None, "lower"),
    Band("defaulters miss more sources", "missing.count.difference", 0.0, None, "lower"),
    Band("cells changed by dropping the future", "as_of.cells_changed", 0.0, 0.0),
)


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested mapping by dotted path."""
    found: dict[str, float] = {}
    for name, item in value.items():
        path = f"{prefix}{name}"
        if isinstance(item, dict):
            found |= flatten(item, f"{path}.")
        elif isinstance(item, int | float) and not isinstance(item, bool):
            found[path] = float(item)
    return found


def figures(worlds: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Return every figure by dotted path, over the worlds that have it."""
    flat = [flatten(world) for world in worlds]
    names = sorted({name for one in flat for name in one})
    return {name: figure([one[name] for one in flat if name in one]) for name in names}


def figure(values: Sequence[float]) -> Figure:
    """Return the mean with a 95 % t-interval."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Figure(mean, None, None, None, len(array))
    spread = float(array.std(ddof=1))
    half = float(t.ppf(0.975, len(array) - 1)) * spread / float(np.sqrt(len(array)))
    return Figure(mean, mean - half, mean + half, spread, len(array))


def best_single_feature(found: Mapping[str, Figure]) -> tuple[str, Figure] | None:
    """Return the feature with the highest mean AUC over the worlds."""
    prefix = "families.single_features."
    single = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    if not single:
        return None
    best = max(single, key=lambda name: single[name].mean)
    return best, single[best]


def verdicts(found: Mapping[str, Figure], orders: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every band with value, interval and verdict.

    Args:
        found: Figures by dotted path.
        orders: ``rankings`` of several sets of worlds, by what the worlds differ in; empty sets are not judged.
    """
    best = best_single_feature(found)
    known = dict(found) | ({"best_single_feature": best[1]} if best else {})
    judged = [{**asdict(band), **_judged(band, known.get(band.figure))} for band in BANDS]
    return [*judged, _shuffle_verdict(known.get("shuffle.auc")), *(_order_verdict(*item) for item in orders.items())]


def _order_verdict(differ_in: str, ranking: Mapping[str, Any]) -> dict[str, Any]:
    """Judge how well the worlds agree on the order of the families; the limit is this project's own choice."""
    band = Band(f"agreement on the order of model families over {differ_in}", "kendall_tau_to_mean", 0.6, None)
    value = Figure(**ranking["kendall_tau_to_mean"]) if ranking and ranking["worlds"] > 1 else None
    return {**asdict(band), **_judged(band, value)}


def _judged(band: Band, value: Figure | None) -> dict[str, Any]:
    if value is None:
        return {"value": None, "interval": None, "verdict": "not measured"}
    compared = {"mean": value.mean, "lower": value.lower, "upper": value.upper}[band.bound]
    compared = value.mean if compared is None else compared
    is_met = (band.lower is None or compared >= band.lower) and (band.upper is None or compared <= band.upper)
    return {"value": value.mean, "interval": [value.lower, value.upper], "verdict": "met" if is_met else "missed"}


def _shuffle_verdict(value: Figure | None) -> dict[str, Any]:
    band = Band("AUC of shuffled labels within 2 standard errors of 0.5", "shuffle.auc")
    if value is None or value.standard_deviation is None:
        return {**asdict(band), **_judged(band, value), "verdict": "not measured"}
    error = value.standard_deviation / np.sqrt(value.worlds)
    verdict = "met" if abs(value.mean - 0.5) <= 2 * error else "missed"
    return {**asdict(band), **_judged(band, value), "verdict": verdict}


def rankings(worlds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how stable the order of the model families is.

    The result holds the share of worlds with each order, and Kendall's tau between the AUCs of each world and the mean
    AUCs.
    """
    rows = [[world["families"][name] for name in FAMILIES] for world in worlds if "families" in world]
    if not rows:
        return {}
    table = np.asarray(rows)
    orders = [" > ".join(FAMILIES[place] for place in np.argsort(-row, kind="stable")) for row in table]
    mean = table.mean(axis=0)
    tau = [float(kendalltau(row, mean).statistic) for row in table]
    return {
        "worlds": len(rows),
        "share_of_worlds_by_order": {order: orders.count(order) / len(orders) for order in sorted(set(orders))},
        "mean_auc": dict(zip(FAMILIES, mean.tolist(), strict=True)),
        "kendall_tau_to_mean": asdict(figure(tau)),
        "smallest_kendall_tau": min(tau),
    }
