"""The results as a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

from credit.comparison import LEVEL

NAMES = {
    "passport": "**ours**",
    "passport_scorecard": "**our scorecard**",
    "lightgbm": "LightGBM",
    "lightgbm_tuned": "LightGBM, tuned",
    "catboost": "CatBoost",
    "xgboost": "XGBoost",
    "explainable_boosting": "explainable boosting machine",
    "optbinning_scorecard": "optbinning scorecard, monotone",
    "woe_logistic": "logistic regression on optbinning's weights of evidence",
    "logistic_regression": "logistic regression",
    "random_forest": "random forest",
    "neural_network": "neural network",
}


INTRODUCTION = """\
# The trainer on public credit tables

<!-- Written by benchmarks/credit_tables.py from benchmarks/results/credit_tables.json; do not edit. -->

Measured on {date} ({machine}, Python {python}; {packages}) by `make bench-credit`. Every contender is fitted on the
same rows and judged on the same held-out folds, with the settings it comes with. "LightGBM, tuned" tries six settings;
the stock trainer tries up to seven boosters.

A difference is the peer's value minus ours, turned so that a positive one means a better peer. Its 95 % interval is
corrected for folds that share training rows (Nadeau and Bengio). A star marks a difference that remains below 5 % when
the number of peers is allowed for (Holm).
"""


def write_page(results: Mapping[str, Any], path: Path) -> None:
    """Write the page of the results."""
    path.write_text("\n".join(lines(results)) + "\n", encoding="utf-8")


def lines(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the page."""
    packages = ", ".join(f"{name} {number}" for name, number in results["packages"].items())
    yield INTRODUCTION.format(packages=packages, **{key: results[key] for key in ("date", "machine", "python")})
    yield from _summary(results["tables"])
    for name, table in results["tables"].items():
        yield from ("", f"## {name}", "", *_table(table))


def _summary(tables: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| | mean rank by AUC | mean rank by log-loss |", "|---|---|---|")
    names = list(next(iter(tables.values()))["contenders"])
    rank = {
        name: [
            np.mean([table["contenders"][name][f"{m}_rank"] for table in tables.values()]) for m in ("auc", "log_loss")
        ]
        for name in names
    }
    for name in sorted(names, key=lambda one: sum(rank[one])):
        yield f"| {NAMES[name]} | {rank[name][0]:.1f} | {rank[name][1]:.1f} |"


def _mean_rank(tables: Mapping[str, Any], name: str, measure: str) -> float:
    return float(np.mean([table["contenders"][name][f"{measure}_rank"] for table in tables.values()]))


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{table['rows']:,} rows, {table['bads']:,} bad; {table['columns']} columns, {table['text_columns']} of them "
        f"texts; {table['missing_cells']:,} missing cells. {table['repeats']} × {table['folds']} folds."
    )
    yield ""
    yield "| | AUC | difference in AUC | KS | H | Brier | log-loss | difference in log-loss | slope | CPU s |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, found in sorted(table["contenders"].items(), key=lambda item: -item[1]["mean"]["auc"]):
        mean = found["mean"]
        yield (
            f"| {NAMES[name]} | {mean['auc']:.4f} | {_difference(found, 'auc')} | {mean['ks']:.3f} "
            f"| {mean['h_measure']:.3f} | {mean['brier']:.4f} | {mean['log_loss']:.4f} "
            f"| {_difference(found, 'log_loss')} | {mean['calibration_slope']:.2f} | {mean['cpu_seconds']:.1f} |"
        )


def _difference(found: Mapping[str, Any], measure: str) -> str:
    difference = found.get(f"{measure}_better_than_ours")
    if difference is None:
        return ""
    mark = " *" if difference["p_holm"] < LEVEL else ""
    return f"{difference['mean']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f}){mark}"
