"""A scorecard as one SQL statement, whose scores and grades equal those of the model for every row.

Every weight is computed by the model itself and written as a double with all its digits; the statement adds them in the
model's order, so that each sum has the model's bits. Grades are told by log-odds and not by probabilities, because
databases may round the exponential function otherwise.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import expit

from data_contracts.errors import ConfigurationRefused
from models.components.scorecard import ScorecardComponent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.components.encoding import ModelFeature
    from models.components.model import CreditModel
    from models.components.scorecard import ScorecardColumn

Dialect = Literal["duckdb", "postgresql", "spark"]


@dataclass(frozen=True)
class _Words:
    """How a dialect names the double type, rounds half to even, writes a number and asks for a value that counts."""

    double: str
    rounded: str
    quote: str
    infinity: str

    def number(self, value: float) -> str:
        """Return a double with all its digits."""
        return f"CAST('{value!r}' AS {self.double})"

    def column(self, name: str) -> str:
        """Return a quoted column as a double."""
        return f"CAST({self.quote}{name.replace(self.quote, 2 * self.quote)}{self.quote} AS {self.double})"

    def is_missing(self, value: str) -> str:
        """Return the condition that a value is null, NaN or infinite."""
        special = ", ".join(f"CAST('{one}' AS {self.double})" for one in ("NaN", self.infinity, f"-{self.infinity}"))
        return f"({value} IS NULL OR {value} IN ({special}))"


_DIALECTS: Final = {
    "duckdb": _Words("DOUBLE", "round_even({}, 0)", '"', "Infinity"),
    "postgresql": _Words("DOUBLE PRECISION", "round({})", '"', "Infinity"),
    "spark": _Words("DOUBLE", "rint({})", "`", "Infinity"),
}


def scorecard_sql(model: CreditModel, table: str, keys: Sequence[str], dialect: Dialect) -> str:
    """Return a SELECT of the keys, log-odds of default, probability, score and grade of each row of a table.

    The table has a column for each feature of the model. A row that the model may not score has nulls. The probability
    may differ from the model's in its last digit; everything else is equal.

    Args:
        model: made of one scorecard.
        table: name of the table, as written in the statement.
        keys: columns that are passed through.
        dialect: of the database.

    Raises:
        ConfigurationRefused: the model is not one scorecard.
    """
    component = model.components[0]
    if len(model.components) != 1 or not isinstance(component, ScorecardComponent):
        raise ConfigurationRefused(
            f"only a scorecard is written in SQL; the model is {' and '.join(one.kind for one in model.components)}",
            'train with champion = "scorecard" in [training]',
        )
    words = _DIALECTS[dialect]
    named = [f"{words.quote}{key.replace(words.quote, 2 * words.quote)}{words.quote}" for key in keys]
    through = "".join(f"{key}, " for key in named)
    total = _sum_of_evidence(model, component, words)
    log_odds = f"{words.number(model.calibrator.intercept)} + {words.number(model.calibrator.slope)} * {total}"
    refused = _refused(model, words)
    known = f"CASE WHEN {refused} THEN NULL ELSE {log_odds} END" if refused else log_odds
    columns = [
        f"{through}log_odds",
        "1 / (1 + exp(-log_odds)) AS probability",
        f"CAST({words.rounded.format(_exact_score(model, words))} AS INTEGER) AS score",
        f"{_grade(model, words)} AS grade",
    ]
    scored = f"({_select([f'{through}{known} AS log_odds'], table)}) AS scored"
    return _select(columns, scored)


def _select(columns: Sequence[str], source: str) -> str:
    return "\n".join(["SELECT", ",\n  ".join(columns), f"FROM {source}"])


def _sum_of_evidence(model: CreditModel, component: ScorecardComponent, words: _Words) -> str:
    """Return the weighted margin: the base and the evidence of every encoded column, added in the model's order."""
    base, _ = component.contributions(np.empty((0, component.column_count)))
    columns = iter(component.table.columns)
    parts = [words.number(base)]
    for feature in model.features:
        parts += _evidence(feature, [next(columns) for _ in feature.columns], words)
    total = parts[0]
    for part in parts[1:]:
        total = f"({total}\n    + {part})"
    # The model starts its weighted sum at zero.
    return f"({words.number(0.0)} + {words.number(model.weights[0])} * {total})"


def _evidence(feature: ModelFeature, columns: Sequence[ScorecardColumn], words: _Words) -> Iterator[str]:
    """Yield the evidence of each encoded column of a feature, as a CASE over its raw value."""
    if not columns:
        return
    value = words.column(feature.name)
    exact = [np.nan, *feature.special_codes, *range(len(feature.levels or ()))]
    for place, column in enumerate(columns):
        found = [_bin_of(column, float(feature.encode(np.array([one]))[place][0])) for one in exact]
        lines = [f"WHEN {words.is_missing(value)} THEN {words.number(found[0])}"]
        lines += [
            f"WHEN {value} = {words.number(float(one))} THEN {words.number(weight)}"
            for one, weight in zip(exact[1:], found[1:], strict=True)
        ]
        lines += _bins(feature, place, column, value, words)
        yield f"CASE {' '.join(lines)} END"


def _bins(feature: ModelFeature, place: int, column: ScorecardColumn, value: str, words: _Words) -> Iterator[str]:
    """Yield the cases of values that are neither missing nor coded, in rising order of the encoded value."""
    if feature.treatment == "category":
        other = float(feature.encode(np.array([float(len(feature.levels or ()))]))[place][0])
        yield f"ELSE {words.number(_bin_of(column, other))}"
        return
    if place > 0 and feature.treatment != "two_sided":
        # The indicator of a special code: whatever is not the code.
        yield f"ELSE {words.number(_bin_of(column, 0.0))}"
        return
    evidence = [log_odds - column.mean for log_odds in column.log_odds]
    if feature.treatment == "two_sided":
        value, reached = _distance(feature, place, value, words), list(enumerate(column.edges))
    else:
        # Values are clipped to the range of training: an edge below it is never reached, one at its end always.
        reached = [(at, edge) for at, edge in enumerate(column.edges) if feature.lower <= edge < feature.upper]
    for at, edge in reached:
        yield f"WHEN {value} <= {words.number(edge)} THEN {words.number(evidence[at])}"
    last = len(evidence) - 1 if feature.treatment == "two_sided" else bisect_left(column.edges, feature.upper)
    yield f"ELSE {words.number(evidence[last])}"


def _distance(feature: ModelFeature, place: int, value: str, words: _Words) -> str:
    """Return the distance of a two-sided feature below its centre, or above it."""
    clipped = f"LEAST(GREATEST({value}, {words.number(feature.lower)}), {words.number(feature.upper)})"
    centre = words.number(feature.lower if feature.centre is None else feature.centre)
    distance = f"{centre} - {clipped}" if place == 0 else f"{clipped} - {centre}"
    return f"GREATEST({distance}, {words.number(0.0)})"


def _bin_of(column: ScorecardColumn, encoded: float) -> float:
    """Return the evidence of one encoded value, as the component computes it."""
    if np.isnan(encoded):
        return column.missing - column.mean
    return column.log_odds[int(np.searchsorted(np.asarray(column.edges), encoded, side="left"))] - column.mean


def _refused(model: CreditModel, words: _Words) -> str:
    """Return the condition that a row lacks a feature without direction; empty if there is none."""
    free = [feature.name for feature in model.features if feature.treatment == "free"]
    return " OR ".join(words.is_missing(words.column(name)) for name in free)


def _exact_score(model: CreditModel, words: _Words) -> str:
    scale = model.scale
    shift = words.number(math.log(scale.base_odds))
    return f"{words.number(scale.base_score)} - {words.number(scale.factor)} * (log_odds + {shift})"


def _grade(model: CreditModel, words: _Words) -> str:
    """Return the grade by log-odds: each bound is the highest log-odds whose probability the grade still holds."""
    grades = list(zip(model.grades.names, model.grades.upper_bounds, strict=True))
    cases = [f"WHEN log_odds <= {words.number(_highest(bound))} THEN '{name}'" for name, bound in grades[:-1]]
    return f"CASE WHEN log_odds IS NULL THEN NULL {' '.join(cases)} ELSE '{grades[-1][0]}' END"


def _highest(bound: float) -> float:
    """Return the highest double whose logistic function is at most ``bound``, by bisection over doubles."""
    low, high = -745.0, 40.0
    while np.nextafter(low, high) < high:
        middle = low + (high - low) / 2
        low, high = (middle, high) if float(expit(middle)) <= bound else (low, middle)
    return float(low)
