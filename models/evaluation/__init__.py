"""Evaluation of models, every figure with its interval."""

from models.evaluation.evaluate import evaluate, evaluate_repeats
from models.evaluation.results import Evaluation, EvaluationSettings

__all__ = ["Evaluation", "EvaluationSettings", "evaluate", "evaluate_repeats"]
