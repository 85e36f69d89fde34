"""Scoring of a chunk of applicants with a verified bundle: every row is scored, scored with a warning, or refused.

A row's result depends on that row alone, so the size of a chunk and the order of rows change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

from data_contracts.definition.unit_ranges import possible_range
from features.reconciliation.plausibility import UNDELIVERED, UNDELIVERED_FEATURE
from models.components.fast_trees import FEWEST_ROWS_OF_MARGINS
from models.components.oracle import Sample, model_objection, uses_own_way
from models.components.scale import points_by_group
from models.explanation.reason_columns import pillar_points_json, reason_pieces, reasons_json
from models.explanation.reasons import batch_reasons
from pipelines.features.matrix import feature_columns
from pipelines.score.applicants import join_codes
from pipelines.score_rows import INTERVAL_LEVEL, REFUSED, SCORE_SCHEMA, SCORED, WITH_WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import numpy.typing as npt

    from data_contracts.arrow import Values
    from models.components.encoding import BoolArray, FloatArray
    from models.components.model import Contributions, CreditModel
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
    X = feature_columns(chunk, model.feature_names)
    given = _texts(chunk, "refusals")
    # A row refused earlier may have no features; further codes would add nothing.
    refusals = pc.if_else(_is_empty(given), _joined_codes(_refusals(context, chunk, X)), given)
    accepted = _is_empty(refusals).to_numpy(zero_copy_only=False)
    warnings = join_codes(_texts(chunk, "warnings"), _joined_codes(_warnings(context, X, accepted)))
    status = pc.if_else(
        pa.array(accepted),
        pc.if_else(_is_empty(warnings), pa.scalar(SCORED), pa.scalar(WITH_WARNING)),
        pa.scalar(REFUSED),
    )
    figures = _figures(context, X if accepted.all() else X[accepted])
    columns: dict[str, Values] = {
        **{name: chunk[name] for name in ("source_row", "applicant_id", "seller_id", "as_of")},
        "status": status,
        "codes": pc.if_else(pa.array(accepted), warnings, refusals),
        **{name: _spread(values, accepted) for name, values in figures.items()},
        "claims": pa.nulls(len(X), pa.string()),
        **{name: pa.repeat(value, len(X)) for name, value in _provenance(context).items()},
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
    found = model_objection(model, feature_columns(chunk.take(rows), model.feature_names), sample)
    if found is not None:
        raise OwnWayRefused(found)


def _refusals(context: ScoringContext, chunk: Chunk, X: FloatArray) -> dict[str, BoolArray]:
    """Return the codes that forbid scoring a row (n,), beyond those found when it was read, in their order."""
    model, as_of, issued_on = context.bundle.model, _days(chunk), np.datetime64(context.issued_on)
    known = np.isfinite(X)
    all_missing = ~known.any(axis=1)
    flags = {
        "as_of_in_future": as_of > issued_on,
        "stale_data": issued_on - as_of > np.timedelta64(context.limits.as_of_age_days, "D"),
        "all_missing": all_missing,
    }
    if context.bundle.meta.valid_until is not None:
        flags["model_expired"] = as_of > np.datetime64(context.bundle.meta.valid_until)
    # A value that its unit does not allow, whether or not the model uses it.
    for place, feature in enumerate(model.features):
        lower, upper = possible_range(feature.unit)
        flags[f"impossible_value:{feature.name}"] = _outside(X[:, place], lower, upper)
    for place, feature in enumerate(model.features):
        if feature.treatment == "free":
            flags[f"missing_required:{feature.name}"] = ~known[:, place] & ~all_missing
    return flags


def _outside(values: FloatArray, lower: float, upper: float) -> BoolArray:
    with np.errstate(invalid="ignore"):
        return np.asarray((values < lower) | (values > upper))


def _warnings(context: ScoringContext, X: FloatArray, accepted: BoolArray) -> dict[str, BoolArray]:
    """Return the warning codes of rows that are scored nevertheless (n,), in their order."""
    model = context.bundle.model
    used = np.asarray([feature.treatment != "set_aside" for feature in model.features], dtype=np.bool_)
    known = np.isfinite(X)
    share = 1.0 - known[:, used].mean(axis=1) if used.any() else np.zeros(len(X))
    flags = {UNDELIVERED: _undelivered(model, X), "missing_share": share > context.limits.missing_share}
    flags |= _blind_pillars(context, known)
    for place, feature in enumerate(model.features):
        margin = context.limits.range_margin * (feature.upper - feature.lower)
        if used[place]:
            beyond = _outside(X[:, place], feature.lower - margin, feature.upper + margin)
            flags[f"out_of_range:{feature.name}"] = beyond
    return {code: found & accepted for code, found in flags.items()}


def _undelivered(model: CreditModel, X: FloatArray) -> BoolArray:
    """Return which rows (n,) count an account that was seen and not delivered."""
    if UNDELIVERED_FEATURE not in model.feature_names:
        return np.zeros(len(X), dtype=np.bool_)
    counts = X[:, model.feature_names.index(UNDELIVERED_FEATURE)]
    return np.asarray(np.nan_to_num(counts) > 0, dtype=np.bool_)


def _blind_pillars(context: ScoringContext, known: BoolArray) -> dict[str, BoolArray]:
    """Return a code (n,) for each pillar whose points come mainly from missing data.

    A feature weighs what it contributes on average, without sign, in the training population.
    """
    weights = np.asarray([feature.mean_absolute_contribution for feature in context.bundle.reference.features])
    pillars = np.asarray([feature.pillar for feature in context.bundle.model.features])
    flags = {}
    for pillar in sorted(set(pillars)):
        own = pillars == pillar
        weight = weights[own].sum()
        if weight >= context.limits.smallest_pillar_share * weights.sum():
            limit = context.limits.missing_pillar_share * weight
            # In C order, as the order of a sum decides its last bit.
            missing = np.ascontiguousarray(~known[:, own]) * weights[own]
            flags[f"missing_pillar:{pillar}"] = missing.sum(axis=1) > limit
    return flags


def _figures(context: ScoringContext, X: FloatArray) -> dict[str, Values]:
    """Compute the figures of rows that may be scored, column by column."""
    model = context.bundle.model
    explained: dict[str, Values] = {"pillar_points": None, "reasons": None}
    if context.with_reasons:
        margin, contributions = model.margin_and_contributions(X)
        explained = _explained(context.bundle, X, contributions)
    else:
        margin = model.margin(X)
    log_odds = model.calibrator.log_odds(margin)
    probability = np.asarray(expit(log_odds), dtype=np.float64)
    lower, upper = model.calibrator.probability_interval(margin, INTERVAL_LEVEL)
    return {
        "probability_of_default": pa.array(probability),
        "pd_lower": _or_null(lower),
        "pd_upper": _or_null(upper),
        "score": pa.array(model.scale.score(log_odds)),
        "grade": pa.array(model.grades.names).take(model.grades.index_of(probability)),
        "base_points": pa.repeat(pa.scalar(context.bundle.golden.base_points, pa.int32()), len(X)),
        **explained,
    }


def _explained(bundle: Bundle, X: FloatArray, contributions: Contributions) -> dict[str, Values]:
    """Return the parts of the score: points of each pillar, and reasons in words."""
    model = bundle.model
    issued = model.issue_points(contributions)
    batch = batch_reasons(issued.points, [feature.family for feature in model.features])
    return {
        "base_points": pa.repeat(pa.scalar(issued.base_points, pa.int32()), len(X)),
        "pillar_points": pillar_points_json(points_by_group(issued.points, [f.pillar for f in model.features])),
        "reasons": reasons_json(batch, X, reason_pieces(bundle.dictionary)),
    }


def _or_null(values: FloatArray) -> Values:
    return pa.array(values, mask=~np.isfinite(values))


def _provenance(context: ScoringContext) -> dict[str, str]:
    bundle = context.bundle
    return {
        "model_name": bundle.meta.model_name,
        "model_version": context.model_version,
        "bundle_sha256": bundle.digest,
        "feature_set": bundle.meta.feature_set,
    }


def _typed(values: Values, field: pa.Field[Any]) -> Values:
    """Return a column with the type of its field; labels are numbered in the order in which they first appear."""
    if pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    return values if values.type == field.type else values.cast(field.type)


def _spread(values: Values | None, accepted: BoolArray) -> Values:
    """Place the values of accepted rows among all rows, null elsewhere."""
    if values is None:
        return pa.nulls(len(accepted), pa.string())
    if accepted.all():
        return values
    return values.take(_places(np.cumsum(accepted) - 1, ~accepted))


def _places(places: npt.NDArray[np.int64], nowhere: BoolArray) -> Values:
    return pa.array(places, mask=nowhere)


def _days(chunk: Chunk) -> Values:
    """Return the as-of dates as datetime64[D], NaT if missing (neither stale nor in the future)."""
    days: Values = chunk["as_of"].to_numpy()
    return days.astype("datetime64[D]")


def _texts(chunk: Chunk, name: str) -> Values:
    """Return a column of texts, "" where it has none."""
    if name not in chunk.column_names:
        return pa.repeat("", chunk.num_rows)
    return pa.chunked_array(chunk[name]).combine_chunks().cast(pa.string()).fill_null("")


def _is_empty(texts: Values) -> Values:
    return pc.equal(texts, pa.scalar(""))


def _joined_codes(flags: dict[str, BoolArray]) -> Values:
    """Return the codes that hold for each row (n,), joined with ";"."""
    found = np.column_stack(list(flags.values()))
    rows, columns = np.nonzero(found)
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(found)))])
    codes = pa.array(list(flags), pa.string()).take(columns)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), codes), ";")


def chunked(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    """Yield the rows in pieces of at most ``size``."""
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)
