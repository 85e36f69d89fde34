"""Scoring of a chunk of applicants with a verified bundle: every row is scored, scored with a warning, or refused.

A row's result depends on that row alone, so the size of a chunk and the order of rows change nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from scipy.special import expit

from data_contracts.definition.unit_ranges import possible_range
from features.reconciliation.plausibility import UNDELIVERED, UNDELIVERED_FEATURE
from models.components.fast_trees import FEWEST_ROWS_OF_MARGINS
from models.components.oracle import Sample, model_objection, uses_own_way
from models.components.scale import points_by_group
from models.explanation.reasons import batch_reasons, reason_rows
from pipelines.features.matrix import feature_matrix
from pipelines.score_rows import INTERVAL_LEVEL, REFUSED, SCORE_SCHEMA, SCORED, WITH_WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from data_contracts.arrow import Values
    from models.components.encoding import BoolArray, FloatArray
    from models.components.model import CreditModel
    from models.explanation.reasons import Reason, RowReasons
    from models.registry.bundle import Bundle
    from pipelines.profiles.score_settings import ScoringLimits
    from pipelines.score.applicants import Chunk


_MARGINS_COMPARED: Final = 256
_CONTRIBUTIONS_COMPARED: Final = 16


class OwnWayRefused(Exception):
    """Our own way through the trees differs from LightGBM."""


@dataclass(frozen=True)
class ScoringContext:
    """What every row is scored with.

    ``model_version`` is the registry's, or the one that a bundle folder states. Ages are counted from ``issued_on``.
    Without ``with_reasons`` all figures are the same; only the points of pillars and the reasons are left out.
    """

    bundle: Bundle
    limits: ScoringLimits
    issued_on: date
    model_version: str
    with_reasons: bool = True


def score_chunk(context: ScoringContext, chunk: Chunk) -> pa.Table:
    """Score a chunk; return a table with SCORE_SCHEMA that has one row for each input row, in the same order.

    The chunk holds the model's features by name; a text column ``warnings`` (";"-joined codes) is copied.
    """
    model = context.bundle.model
    X = feature_matrix(chunk, model.feature_names)
    given = _texts(chunk, "refusals")
    # A row refused earlier may have no features; further codes would add nothing.
    refusals = [before or found for before, found in zip(given, _refusals(context, chunk, X), strict=True)]
    accepted = np.asarray([not codes for codes in refusals], dtype=np.bool_)
    warnings = _joined(_texts(chunk, "warnings"), _warnings(context, X, accepted))
    figures = _figures(context, X[accepted])
    status = [
        REFUSED if refusal else WITH_WARNING if warning else SCORED
        for refusal, warning in zip(refusals, warnings, strict=True)
    ]
    codes = [refusal or warning for refusal, warning in zip(refusals, warnings, strict=True)]
    columns: dict[str, Values] = {
        **{name: chunk[name] for name in ("source_row", "applicant_id", "seller_id", "as_of")},
        "status": status,
        "codes": codes,
        **{name: _spread(values, accepted) for name, values in figures.items()},
        "claims": [None] * len(status),
        **{name: [value] * len(status) for name, value in _provenance(context).items()},
    }
    return pa.table([_typed(columns[field.name], field) for field in SCORE_SCHEMA], schema=SCORE_SCHEMA)


def refuse_unequal_sample(context: ScoringContext, chunk: Chunk) -> None:
    """Compare our own way through the trees with LightGBM on an even sample of a chunk.

    Raises:
        OwnWayRefused: they differ.
    """
    model = context.bundle.model
    if not uses_own_way(model) or chunk.num_rows == 0:
        return
    compiled = chunk.num_rows >= FEWEST_ROWS_OF_MARGINS
    sample = Sample(_MARGINS_COMPARED, _CONTRIBUTIONS_COMPARED if context.with_reasons else 0, compiled)
    rows = np.linspace(0, chunk.num_rows - 1, min(sample.margins, chunk.num_rows)).astype(np.int64)
    found = model_objection(model, feature_matrix(chunk.take(rows), model.feature_names), sample)
    if found is not None:
        raise OwnWayRefused(found)


def _refusals(context: ScoringContext, chunk: Chunk, X: FloatArray) -> list[str]:
    """Return the codes that forbid scoring a row, beyond those found when it was read."""
    as_of = _days(chunk)
    issued_on = np.datetime64(context.issued_on)
    flags = {
        "as_of_in_future": as_of > issued_on,
        "stale_data": issued_on - as_of > np.timedelta64(context.limits.as_of_age_days, "D"),
        "all_missing": ~np.isfinite(X).any(axis=1),
    }
    if context.bundle.meta.valid_until is not None:
        flags["model_expired"] = as_of > np.datetime64(context.bundle.meta.valid_until)
    codes = _joined(_codes_of(flags, len(X)), _impossible(context, X))
    free = [index for index, feature in enumerate(context.bundle.model.features) if feature.treatment == "free"]
    lacking = ~np.isfinite(X[:, free])
    named = [f"missing_required:{context.bundle.model.feature_names[index]}" for index in free]
    return _joined(codes, _codes_by_column(lacking & ~flags["all_missing"][:, None], named))


def _impossible(context: ScoringContext, X: FloatArray) -> list[str]:
    """Return a code for each value that its unit does not allow, whether or not the model uses it."""
    features = context.bundle.model.features
    lower, upper = np.asarray([possible_range(feature.unit) for feature in features]).reshape(-1, 2).T
    with np.errstate(invalid="ignore"):
        beyond = np.less(X, lower) | np.greater(X, upper)
    return _codes_by_column(beyond, [f"impossible_value:{name}" for name in context.bundle.model.feature_names])


def _warnings(context: ScoringContext, X: FloatArray, accepted: BoolArray) -> list[str]:
    """Return the warning codes of rows that are scored nevertheless."""
    model = context.bundle.model
    lower = np.asarray([feature.lower for feature in model.features])
    upper = np.asarray([feature.upper for feature in model.features])
    used = np.asarray([feature.treatment != "set_aside" for feature in model.features], dtype=np.bool_)
    margin = context.limits.range_margin * (upper - lower)
    with np.errstate(invalid="ignore"):
        beyond = (np.less(X, lower - margin) | np.greater(X, upper + margin)) & used & accepted[:, None]
    share = 1.0 - np.isfinite(X[:, used]).mean(axis=1) if used.any() else np.zeros(len(X))
    flags = {UNDELIVERED: _undelivered(model, X), "missing_share": share > context.limits.missing_share}
    sparse = _codes_of({code: found & accepted for code, found in flags.items()}, len(X))
    blind = _blind_pillars(context, X, accepted)
    return _joined(sparse, blind, _codes_by_column(beyond, [f"out_of_range:{name}" for name in model.feature_names]))


def _undelivered(model: CreditModel, X: FloatArray) -> BoolArray:
    """Return which rows (n,) count an account that was seen and not delivered."""
    if UNDELIVERED_FEATURE not in model.feature_names:
        return np.zeros(len(X), dtype=np.bool_)
    counts = X[:, model.feature_names.index(UNDELIVERED_FEATURE)]
    return np.asarray(np.nan_to_num(counts) > 0, dtype=np.bool_)


def _blind_pillars(context: ScoringContext, X: FloatArray, accepted: BoolArray) -> list[str]:
    """Return a code for each pillar whose points come mainly from missing data.

    A feature weighs what it contributes on average, without sign, in the training population.
    """
    weights = np.asarray([feature.mean_absolute_contribution for feature in context.bundle.reference.features])
    pillars = np.asarray([feature.pillar for feature in context.bundle.model.features])
    missing = ~np.isfinite(X) * weights
    flags = {}
    for pillar in sorted(set(pillars)):
        own = pillars == pillar
        weight = weights[own].sum()
        if weight >= context.limits.smallest_pillar_share * weights.sum():
            limit = context.limits.missing_pillar_share * weight
            flags[f"missing_pillar:{pillar}"] = (missing[:, own].sum(axis=1) > limit) & accepted
    return _codes_of(flags, len(X))


def _figures(context: ScoringContext, X: FloatArray) -> dict[str, Sequence[object]]:
    """Compute the figures of rows that may be scored, column by column."""
    model = context.bundle.model
    margin = model.margin(X)
    log_odds = model.calibrator.log_odds(margin)
    probability = np.asarray(expit(log_odds), dtype=np.float64)
    lower, upper = probability_interval(model, margin)
    figures: dict[str, Sequence[object]] = {
        "probability_of_default": probability.tolist(),
        "pd_lower": lower,
        "pd_upper": upper,
        "score": model.scale.score(log_odds).tolist(),
        "grade": model.grades.grades_of(probability),
        "base_points": [context.bundle.golden.base_points] * len(X),
        "pillar_points": [None] * len(X),
        "reasons": [None] * len(X),
    }
    if context.with_reasons:
        figures |= _explained(context.bundle, X)
    return figures


def _explained(bundle: Bundle, X: FloatArray) -> dict[str, Sequence[object]]:
    """Return the score with its parts: base points, points of each pillar, and reasons in words."""
    model = bundle.model
    issued = model.issue_points(model.contributions(X))
    by_pillar = points_by_group(issued.points, [feature.pillar for feature in model.features])
    pillars = ({name: int(points[row]) for name, points in by_pillar.items()} for row in range(len(X)))
    batch = batch_reasons(issued.points, [feature.family for feature in model.features])
    return {
        "score": issued.score.tolist(),
        "base_points": [issued.base_points] * len(X),
        "pillar_points": [_compact(points) for points in pillars],
        "reasons": [_compact(_reasons(row)) for row in reason_rows(batch, X, bundle.dictionary)],
    }


def _reasons(row: RowReasons) -> dict[str, object]:
    return {
        "for": [_reason(reason) for reason in row.positive],
        "against": [_reason(reason) for reason in row.negative],
        "all_others": row.all_others,
    }


def _reason(reason: Reason) -> dict[str, object]:
    return {
        "code": reason.code,
        "feature": reason.feature,
        "pillar": reason.pillar,
        "points": reason.points,
        "value": reason.value,
        "unit": reason.unit,
        "en": reason.text_en,
        "zh": reason.text_zh,
    }


def probability_interval(model: CreditModel, margin: FloatArray) -> tuple[list[float | None], list[float | None]]:
    """Return the bounds of the probability for raw margins (n,); None if the calibrator has no interval."""
    lower, upper = model.calibrator.probability_interval(margin, INTERVAL_LEVEL)
    return _or_none(lower), _or_none(upper)


def _or_none(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _provenance(context: ScoringContext) -> dict[str, str]:
    bundle = context.bundle
    return {
        "model_name": bundle.meta.model_name,
        "model_version": context.model_version,
        "bundle_sha256": bundle.digest,
        "feature_set": bundle.meta.feature_set,
    }


def _typed(values: Values, field: pa.Field[Any]) -> Values:
    if isinstance(values, pa.ChunkedArray):
        return values.cast(field.type)
    return pa.array(values, field.type)


def _spread(values: Sequence[object], accepted: BoolArray) -> list[object]:
    """Place the values of accepted rows among all rows, None elsewhere."""
    following = iter(values)
    return [next(following) if taken else None for taken in accepted.tolist()]


def _days(chunk: Chunk) -> Values:
    """Return the as-of dates as datetime64[D], NaT if missing (neither stale nor in the future)."""
    days: Values = chunk["as_of"].to_numpy()
    return days.astype("datetime64[D]")


def _texts(chunk: Chunk, name: str) -> list[str]:
    if name not in chunk.column_names:
        return [""] * chunk.num_rows
    return [text or "" for text in chunk[name].to_pylist()]


def _codes_of(flags: dict[str, Values], count: int) -> list[str]:
    columns = np.asarray(list(flags.values()), dtype=np.bool_).reshape(len(flags), count)
    return _codes_by_column(columns.T, list(flags))


def _codes_by_column(flags: Values, codes: Sequence[str]) -> list[str]:
    """Join the codes of the columns that are true in each row of ``flags`` (n, k) with ";"."""
    texts = [""] * len(flags)
    for row in np.flatnonzero(flags.any(axis=1)).tolist():
        texts[row] = ";".join(codes[column] for column in np.flatnonzero(flags[row]).tolist())
    return texts


def _joined(*columns: Sequence[str]) -> list[str]:
    return [";".join(filter(None, codes)) for codes in zip(*columns, strict=True)]


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def chunked(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    """Yield the rows in pieces of at most ``size``."""
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)
