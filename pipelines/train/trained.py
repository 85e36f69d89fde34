"""The result of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from models.evaluation import Evaluation
    from models.training.candidates import Candidate
    from models.training.dataset import Dataset, Split


@dataclass(frozen=True)
class Trained:
    """A candidate, its predictions on held-out rows, and their evaluation."""

    candidate: Candidate
    train: Dataset
    split: Split | None
    predictions: pd.DataFrame
    evaluation: Evaluation
