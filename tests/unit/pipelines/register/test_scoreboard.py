"""The scoreboard shows the candidate first and then what it was compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.register.scoreboard import scoreboard
from pipelines.runs.publish import write_json
from pipelines.runs.stages import write_manifest
from tests.factories.published import estimate

if TYPE_CHECKING:
    from pathlib import Path


def test_each_model_has_a_line_with_auc_and_log_loss_but_ablations_have_none(tmp_path: Path) -> None:
    names = {"champion": 0.8, "scorecard": 0.75, "best_single_variable": 0.7, "without_liquidity": 0.6}
    models = [
        {"name": name, "measures": {"auc": estimate(auc, 0.02), "log_loss": estimate(0.2, 0.01)}}
        for name, auc in names.items()
    ]
    write_json(tmp_path / "evaluation.json", {"evaluation": {"models": models}})
    write_manifest(tmp_path, {"record": {"notes": {"champion": "gbm"}}})
    assert scoreboard(tmp_path) == [
        "  gbm (candidate)       AUC 0.8000 (0.7800 to 0.8200), log-loss 0.2000 (0.1900 to 0.2100)",
        "  scorecard             AUC 0.7500 (0.7300 to 0.7700), log-loss 0.2000 (0.1900 to 0.2100)",
        "  best single variable  AUC 0.7000 (0.6800 to 0.7200), log-loss 0.2000 (0.1900 to 0.2100)",
    ]
