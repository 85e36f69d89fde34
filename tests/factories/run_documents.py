"""Documents of a run as its stages write them, with every light in order."""

from __future__ import annotations

import copy
from typing import Any

from pipelines.reports.lights import SCORE
from pipelines.watch.policy import load_watch_policy
from pipelines.watch.stage import policy_document
from tests.factories.pages import ABOUT

SHA, OTHER_SHA = "ab" * 32, "cd" * 32
GATE = {"gate": "signature", "passed": True, "measured": "holds", "limit": "a limit", "power": "any changed byte"}


def rule(status: str = "passed", severity: str = "error") -> dict[str, Any]:
    """Return a rule's verdict."""
    return {"status": status, "exception": None, "severity": severity}


def validation() -> dict[str, Any]:
    """Return what the lights and the index page read of ``validation.json``."""
    rules = [rule(), rule("no_values")]
    return {
        "about": dict(ABOUT),
        "sources": [{"rows_in": 1000, "quarantined": {"line:width": 2}, "duplicates": {"repeated row": 8}}],
        "tables": [{"table": "loan", "rows_in": 990, "quarantined": {}, "rejected_by": [], "rules": rules}],
        "reconciliation": {"contradicted_sellers": 0},
        "unlisted_files": [],
        "withheld_files": [],
    }


def estimate(value: float, lower: float | None, upper: float | None) -> dict[str, Any]:
    """Return an estimate with its interval."""
    return {"value": value, "lower": lower, "upper": upper}


def evaluation() -> dict[str, Any]:
    """Return what the lights and the index page read of ``evaluation`` in ``evaluation.json``."""
    rates = {
        "rows": 700,
        "bad": 35,
        "expected": 0.054,
        "observed": 0.048,
        "observed_lower": 0.03,
        "observed_upper": 0.07,
    }
    return {
        "sample": {"rows": 3779, "bad": 173},
        "models": [
            {
                "measures": {
                    "auc": estimate(0.825, 0.770, 0.871),
                    "ks": estimate(0.500, 0.422, 0.608),
                    "expected_to_observed": estimate(1.18, 0.94, 1.57),
                    "calibration_slope": estimate(1.02, 0.82, 1.23),
                }
            }
        ],
        "differences": [difference("scorecard", "better"), difference("best_single_variable", "better")],
        "periods": [{"part": "2023 Q1", "rates": rates}, {"part": "2023 Q2", "rates": rates}],
        "level": [level("whole", estimate(1.18, 0.94, 1.57)), level("grade"), level("months"), level("months")],
    }


def level(column: str, ratio: dict[str, Any] | None = None, verdict: str = "agrees") -> dict[str, Any]:
    """Return the predicted against the observed defaults of a group."""
    return {"column": column, "part": "", "ratio": ratio or estimate(1.0, 0.9, 1.1), "verdict": verdict}


def difference(other: str, verdict: str) -> dict[str, Any]:
    """Return a paired comparison of the champion's AUC."""
    gain = estimate(0.012, -0.009, 0.032)
    return {"measure": "auc", "other": other, "verdict": verdict, "gain": gain, "detectable_gain": 0.030}


def registration(*, refused: bool = False) -> dict[str, Any]:
    """Return a registration: every gate passed, or the last one failed while an earlier champion stays."""
    gates = [dict(GATE) for _ in range(7)] + [{**GATE, "gate": "calibration_slope", "passed": not refused}]
    return {
        "outcome": "refused" if refused else "promoted",
        "model_name": "seller-default",
        "bundle_sha256": SHA,
        "champion": {"version": "3", "bundle_sha256": OTHER_SHA if refused else SHA},
        "gates": gates,
    }


def monitor(*, score_index: float = 0.02, score_alert: bool = False, alerts: int = 0) -> dict[str, Any]:
    """Return a monitoring result of five features; the first ``alerts`` of them have drifted."""
    features = [_variable(f"x{i}", 0.3, alert=i < alerts, shift=(-1) ** i * (3.0 - i / 2)) for i in range(5)]
    return {
        "is_synthetic": True,
        "evidence": "synthetic world",
        "reference_rows": 7973,
        "reference_sellers": 1520,
        "scored_rows": 1893,
        "compared_rows": 1810,
        "compared_sellers": 1204,
        "is_same_season": True,
        "is_age_weighted": True,
        "mean_probability_change": 0.08,
        "score_shift_points": sum(one["points_shift"] for one in features),
        "alerts": [one["name"] for one in features if one["alert"]],
        "settings": {
            "bins": 10,
            "simulations": 20000,
            "family_wise_error": 0.01,
            "smallest_index": 0.1,
            "least_effect": 0.05,
            "seed": 1,
        },
        "variables": [_variable(SCORE, score_index, alert=score_alert, shift=None), *features],
    }


def _variable(name: str, index: float, *, alert: bool, shift: float | None) -> dict[str, Any]:
    effect = None if shift is None else -shift / 50
    shares = {"reference_missing_share": 0.05, "current_missing_share": 0.10}
    return {
        "name": name,
        "index": index,
        "alert": alert,
        "points_shift": shift,
        "critical_value": 0.02,
        "probability_effect": effect,
        **shares,
    }


def watch(name: str = "L1") -> dict[str, Any]:
    """Return the result of the early warning: one loan with two alerts, one of them with its rows."""
    policy = load_watch_policy()
    met = {"of": "sales_trend_90d", "at_most": -0.4, "change": False, "newly": False, "now": -0.52, "before": None}
    seen = {"first_seen": "2024-11-05", "last_seen": "2024-12-31", "met_on": "2024-12-31", "holds": True}
    grave = {"severity": "severe", "severe_since": "2024-12-03", "action": "cut_limit", **seen}
    light = {"severity": "watch", "severe_since": None, "action": "watch", **seen, "holds": False}
    risen = {**met, "of": "refund_share_worst_180d", "at_least": 0.04, "change": True, "now": 0.16, "before": 0.1}
    del risen["at_most"]
    row = {"day": "2024-12-30", "values": {"amount_usd": "12.5"}, "file": f"settlements/{name}.txt", "row": 663}
    part = {"feature": met["of"], "quantity": "platform_sales_90d", "value": 8.5, "count": 40, "links": None}
    links = {"en": [f"{name} is owned by P1"], "zh": [f"{name} 的股东为 P1"]}
    tied = {**part, "quantity": "related_known_default_excess", "rows": [], "links": links}
    loan = {
        "loan_id": name, "seller_id": "S000001", "lender_id": "LN08", "paid_out_on": "2024-07-11", "severe": 1,
        "outstanding_usd": 19_831.0, "days_past_due": 20,
        "alerts": [
            {"rule": "sales_drop", **grave, "met": [met]}, {"rule": "refunds", **light, "met": [risen]},
        ],
        "covenants": [
            {"id": one.id, "value": value, "headroom": None if value is None else one.headroom(value)}
            for one, value in zip(policy.covenants, (0.2, None, 45.0), strict=True)
        ],
        "evidence": {"sales_drop": [{**part, "rows": [row]}, tied]},
    }  # fmt: skip
    counts = [{"rule": one.id, "holds": 1, "holds_not": 5, "not_judged": 2} for one in policy.all_rules]
    return {
        "is_synthetic": True, "evidence": "synthetic world", "as_of": "2024-12-31", "policy": policy_document(policy),
        "book": {
            "loans": 9, "sellers": 7, "outstanding_usd": 90_000.0, "in_default": 1, "in_default_usd": 5_000.0,
            "late": 1, "late_usd": 19_831.0, "default_days": 90,
        },
        "opened": {"days": 28, "alerts": 2, "severe": 1, "alerts_per_100": 27.0, "severe_per_100": 13.5},
        "rules": counts, "loans": [loan],
    }  # fmt: skip


def changed(document: dict[str, Any], *path: str | int, to: object) -> dict[str, Any]:
    """Return a copy of a document with one value changed."""
    document = copy.deepcopy(document)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document
