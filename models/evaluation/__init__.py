"""How good a model is, with intervals."""

from models.evaluation.evaluate import evaluate, evaluate_repeats
from models.evaluation.results import Evaluation, EvaluationSettings

__all__ = ["Evaluation", "EvaluationSettings", "evaluate", "evaluate_repeats"]
