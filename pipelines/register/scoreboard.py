"""How well a training did beside what it was compared with, in a few lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.register.training_runs import EVALUATION, estimate_text
from pipelines.runs.publish import read_json
from pipelines.runs.stages import read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ABLATION: Final = "without_"


def scoreboard(run: Path) -> list[str]:
    """Return one line for the champion of a training run and one for each baseline, the champion first."""
    models = read_json(run / EVALUATION)["evaluation"]["models"]
    kind = read_manifest(run)["record"]["notes"]["champion"]
    named = {f"{kind} (candidate)" if place == 0 else model["name"]: model for place, model in enumerate(models)}
    shown = {name.replace("_", " "): model for name, model in named.items() if not name.startswith(_ABLATION)}
    width = max(map(len, shown))
    return [f"  {name:<{width}}  {_figures(model['measures'])}" for name, model in shown.items()]


def _figures(measures: Mapping[str, Any]) -> str:
    return f"AUC {estimate_text(measures['auc'])}, log-loss {estimate_text(measures['log_loss'])}"
