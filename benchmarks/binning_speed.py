"""CPU seconds of scorecard binning beside a boosted fit of the same table, in the same run.

Run ``python -m benchmarks.binning_speed [OUT.json]``. One thread; medians of several rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.components.binning import BinningSettings, bin_columns
from models.components.gbm import GbmParameters, fit_gbm
from models.components.scorecard import fit_scorecard
from models.components.settings import FitSettings

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, COLUMNS, ROUNDS = 100_000, 30, 3


def measure() -> dict[str, float]:
    """Measure CPU seconds of binning, of a whole scorecard and of 100 boosting rounds on one synthetic table."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, COLUMNS))
    y = (generator.random(ROWS) < 1.0 / (1.0 + np.exp(3.0 - X[:, :5].sum(axis=1)))).astype(np.int8)
    directions = [1] * COLUMNS
    boosting = FitSettings(threads=1, max_rounds=100)
    tasks: dict[str, Callable[[], object]] = {
        "binning": lambda: bin_columns(X, y, directions, BinningSettings()),
        "scorecard": lambda: fit_scorecard(X, y, directions, penalty=4.0),
        "lightgbm_100_rounds": lambda: fit_gbm(X, y, directions, GbmParameters(leaves=31), boosting),
    }
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Write the figures as JSON to the given path or to standard output."""
    figures = {"rows": ROWS, "columns": COLUMNS, "rounds": ROUNDS, "cpu_seconds": measure()}
    text = json.dumps(figures, indent=2, sort_keys=True) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
