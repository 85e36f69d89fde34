"""Predictions with known answers: outcomes are drawn from the probabilities of the best model."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

GRADES = ("A", "B", "C", "D")
QUARTER_ENDS = tuple(datetime.date(2024, month, day) for month, day in ((3, 31), (6, 30), (9, 30), (12, 31)))


def probability_of(log_odds: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return 1 / (1 + np.exp(-log_odds))


def holdout(rows: int = 2000, components: int = 600, seed: int = 7) -> pd.DataFrame:
    """Return an out-of-time sample: a calibrated champion, a noisier baseline, one without a pillar, a coin."""
    generator = np.random.default_rng(seed)
    component = generator.integers(0, components, rows)
    truth = -2.2 + 1.1 * generator.normal(size=rows) + 0.4 * generator.normal(size=components)[component]
    champion = probability_of(truth)
    return pd.DataFrame(
        {
            "seller_id": [f"S{row // len(QUARTER_ENDS):06d}" for row in range(rows)],
            "as_of": [QUARTER_ENDS[row % len(QUARTER_ENDS)] for row in range(rows)],
            "component_id": [f"c{number}" for number in component],
            "label": (generator.random(rows) < champion).astype(int),
            "pd_champion": champion,
            "pd_scorecard": probability_of(truth + 0.9 * generator.normal(size=rows)),
            "pd_without_liquidity": probability_of(truth + 0.2 * generator.normal(size=rows)),
            "pd_coin": generator.random(rows),
            "grade": [GRADES[step] for step in np.searchsorted([0.05, 0.1, 0.2], champion)],
            "main_channel": [("platform", "own site")[row % 2] for row in range(rows)],
        }
    )


def out_of_fold(sellers: int = 120, repeats: int = 5, seed: int = 11) -> pd.DataFrame:
    """Return a small sample predicted once per repeat, with slightly different predictions in each."""
    generator = np.random.default_rng(seed)
    truth = -1.6 + 1.5 * generator.normal(size=sellers)
    label = (generator.random(sellers) < probability_of(truth)).astype(int)
    frames = [
        pd.DataFrame(
            {
                "seller_id": [f"E{number}" for number in range(sellers)],
                "repeat": repeat,
                "label": label,
                "pd_champion": probability_of(truth + 0.3 * generator.normal(size=sellers)),
                "pd_single": probability_of(truth + 0.5 * generator.normal(size=sellers)),
                "grade": [GRADES[step] for step in np.searchsorted([-3, -2, -1], truth)],
            }
        )
        for repeat in range(repeats)
    ]
    return pd.concat(frames, ignore_index=True)
