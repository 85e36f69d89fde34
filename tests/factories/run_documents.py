"""Documents of a run as its stages write them, with every light in order."""

from __future__ import annotations

import copy
from typing import Any

from pipelines.reports.lights import SCORE
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
        "score_shift_points": sum(one["points_shift"] for one in features),
        "alerts": [one["name"] for one in features if one["alert"]],
        "settings": {"bins": 10, "simulations": 20000, "family_wise_error": 0.01, "smallest_index": 0.1, "seed": 1},
        "variables": [_variable(SCORE, score_index, alert=score_alert, shift=None), *features],
    }


def _variable(name: str, index: float, *, alert: bool, shift: float | None) -> dict[str, Any]:
    shares = {"reference_missing_share": 0.05, "current_missing_share": 0.10}
    return {"name": name, "index": index, "alert": alert, "points_shift": shift, "critical_value": 0.02, **shares}


def changed(document: dict[str, Any], *path: str | int, to: object) -> dict[str, Any]:
    """Return a copy of a document with one value changed."""
    document = copy.deepcopy(document)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document
