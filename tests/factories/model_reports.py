"""What training passes to the model report, for an out-of-time test and for a small cross-validated sample."""

from __future__ import annotations

import datetime
from functools import cache
from typing import Any

import pandas as pd

from models.evaluation import EvaluationSettings, evaluate, evaluate_repeats
from pipelines.reports.model_page import ModelIdentity
from tests.factories.evaluation import GRADES, holdout, out_of_fold

SETTINGS = EvaluationSettings(
    baselines=("scorecard", "coin"),
    ablations=("without_liquidity",),
    grade_order=GRADES,
    segment_columns=("main_channel",),
    draws=200,
)


def identity(evidence: str = "synthetic world") -> ModelIdentity:
    """Return a model's identity."""
    return ModelIdentity(
        name="seller-default",
        version="1.0.0",
        bundle_digest="12" * 32,
        signed_by="ab" * 8,
        feature_set="demo 1.0.0",
        feature_set_digest="34" * 32,
        contracts=("money_event@1.0.0", "loan@1.0.0"),
        data_digests={"features/matrix.parquet": "56" * 32},
        code_version="0.1.0",
        evidence=evidence,
        is_synthetic=evidence == "synthetic world",
        trained_from=datetime.date(2020, 3, 31),
        trained_until=datetime.date(2022, 12, 31),
        valid_until=datetime.date(2026, 12, 31),
        components=(("lightgbm", 0.7), ("scorecard", 0.3)),
        calibration_slope=1.04,
        calibration_intercept=-0.03,
        scale=(600.0, 30.0, 40.0),
        grades=(("A", 0.05), ("B", 0.1), ("C", 0.2), ("D", 1.0)),
        feature_units={"main_channel": ""},
        feature_titles={"main_channel": {"en": "Main sales channel", "zh": "主要销售渠道"}},
    )


def split_section() -> dict[str, Any]:
    """Return the split of observations by part and by quarter end."""
    ends = [date.isoformat() for date in pd.date_range("2020-03-31", "2024-12-31", freq="QE").date]
    by_date = [
        {"as_of": end, "part": part, "rows": rows, "bad": rows // 25}
        for position, end in enumerate(ends)
        for part, rows in (
            ("train" if position < 11 else "embargo" if position < 15 else "test", 700 + 20 * position),
            ("component_overlap", 300),
        )
    ]
    parts = [
        {"part": "train", "first_as_of": ends[0], "last_as_of": ends[10], "rows": 8800, "bad": 350, "sellers": 1200},
        {
            "part": "embargo",
            "first_as_of": ends[11],
            "last_as_of": ends[14],
            "rows": 5600,
            "bad": None,
            "sellers": None,
        },
        {"part": "test", "first_as_of": ends[15], "last_as_of": ends[19], "rows": 2000, "bad": 300, "sellers": 500},
    ]
    return {"embargo_days": 365, "parts": [{**part, "components": None} for part in parts], "by_date": by_date}


@cache
def _out_of_time() -> dict[str, Any]:
    evaluation = evaluate(holdout(rows=3000), SETTINGS, random_split=holdout(seed=9))
    return {
        "schema_version": "1.0",
        "evaluation": evaluation.to_dict(),
        "target": {"kind": "days_past_due", "days_past_due": 90, "window_days": 365},
        "population": {
            "start": 41000,
            "dropped": {"immature": 9000, "in_default_before": 41},
            "sellers_without_consent": 0,
            "kept": 31959,
            "bad": 1300,
        },
        "split": split_section(),
        "audit": {
            "monotonicity": {"features": 30, "sellers": 200, "steps": 21, "violations": 0},
            "hiding": {
                "sellers": 200,
                "single": {"tried": 8800, "gained": 0},
                "joint": {"tried": 9100, "gained": 0},
                "auc_cost": 0.003,
            },
            "leaks": {
                "checked": 44,
                "rejected": [],
                "doubts": [{"feature": "site_orders", "reason": "AUC 0.81 by itself"}],
                "waived": [{"feature": "old_rating", "reason": "given before the loan (Chen, until 2026-12-31)"}],
            },
        },
        "training": {
            "train_auc": 0.81,
            "candidates": [
                {"name": "gbm 15 leaves", "auc": None, "log_loss": 0.23, "chosen": False},
                {"name": "blend 0.7", "auc": None, "log_loss": 0.229, "chosen": True},
            ],
            "seed": 7,
            "features_offered": 60,
            "features_used": 57,
            "features_set_aside": [
                {"reason": "no declared direction", "feature": "months_observed"},
                {"reason": "no known value", "feature": "site_session_trend"},
                {"reason": "no declared direction", "feature": "share_of_own_shop"},
            ],
        },
        "extra": None,
    }


@cache
def _small_sample() -> dict[str, Any]:
    settings = EvaluationSettings(baselines=("single",), grade_order=GRADES, draws=200, bands=5)
    evaluation = evaluate_repeats(out_of_fold(), settings).to_dict()
    area = evaluation["models"][0]["measures"]["auc"]
    leak = {"feature": "credit_rating", "reason": "pure value: value 4 for 24 rows, all of them defaulters"}
    return {
        "schema_version": "1.0",
        "evaluation": evaluation,
        "target": {"kind": "stated_flag", "days_past_due": None, "window_days": None},
        "population": {
            "start": 425,
            "dropped": {"no_recorded_outcome": 302},
            "sellers_without_consent": 0,
            "kept": 123,
            "bad": 27,
        },
        "split": None,
        "audit": {
            "monotonicity": None,
            "hiding": None,
            "leaks": {"checked": 24, "rejected": [leak], "doubts": [], "waived": []},
        },
        "training": None,
        "extra": {
            "variants": [
                {"code": "all_features", "as_of": None, "rows": 123, "bad": 27, "auc": area, "single_auc": area},
                {"code": "without_recency", "as_of": None, "rows": 123, "bad": 27, "auc": area, "single_auc": None},
                {
                    "code": "earlier_date",
                    "as_of": "2019-06-30",
                    "rows": 120,
                    "bad": 25,
                    "auc": area,
                    "single_auc": area,
                },
            ],
            "recency": {"date": "2019-12-01", "bad_stopped_share": 0.48, "good_stopped_share": 0.22},
            "populations": {
                "trained_rows": 123,
                "scored_rows": 302,
                "features": [
                    {
                        "name": "sales_net_sum_365d",
                        "title": {"en": "Net sales, last 365 days", "zh": "近 365 天净销售额"},
                        "unit": "CNY",
                        "trained_median": 5_200_000.0,
                        "scored_median": 10_800_000.0,
                        "ratio": 2.08,
                        "drift": 0.41,
                        "critical": 0.22,
                    }
                ],
            },
            "limits": [{"en": "One observation a firm.", "zh": "每家企业仅一个观测。"}],
        },
    }


def out_of_time_report() -> dict[str, Any]:
    """Return a document with every section of an out-of-time test; tests may change its top level."""
    return dict(_out_of_time())


def small_sample_report() -> dict[str, Any]:
    """Return a document with every section of a small published sample."""
    return dict(_small_sample())
