"""Reasons of a score: whole points by feature family, up to four positive and four negative, and all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from models.components.levels import is_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.components.encoding import FeatureFacts, FloatArray
    from models.components.model import CreditModel
    from models.components.scale import IntArray

REASONS_EACH_WAY = 4
DICTIONARY_VERSION = "1.1.0"
_LOGARITHM = "ln "
# Beyond it, no power of e is a number.
_LARGEST_EXPONENT = 709.0
_NEVER_REAL = 1e24
# Counts, indices and flags need no unit.
_UNIT_WORDS = {
    "USD": ("USD", "美元"),
    "days": ("days", "天"),
    "stars": ("stars", "星"),
    "weighted events": ("weighted events", "次（加权）"),
    "ratio of two": ("times", "倍"),
    "ratio": ("times", "倍"),
}


class ReasonText(BaseModel):
    """Code and wording of one feature as a reason; ``{value}`` is replaced by the seller's value with its unit.

    ``levels`` are the texts of a category, whose values are positions among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    code: str
    family: str
    pillar: str
    unit: str
    raises_en: str
    raises_zh: str
    lowers_en: str
    lowers_zh: str
    missing_en: str
    missing_zh: str
    levels: tuple[str, ...] | None = Field(default=None, exclude_if=lambda levels: levels is None)


class ReasonDictionary(BaseModel):
    """The wording of every reason of a model, one entry per feature in feature order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    entries: tuple[ReasonText, ...]


class Reason(BaseModel):
    """One line of an explanation: the points of a feature family, worded by its leading feature.

    Positive ``points`` count in the seller's favour. ``value`` is in ``unit``, None if it is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    feature: str
    family: str
    pillar: str
    points: int
    value: float | None
    unit: str
    text_en: str
    text_zh: str


class RowReasons(NamedTuple):
    """Reasons of one row: score == base_points + points of all reasons + ``all_others``."""

    positive: tuple[Reason, ...]
    negative: tuple[Reason, ...]
    all_others: int


@dataclass(frozen=True)
class BatchReasons:
    """Reasons of a batch as arrays, best first.

    ``feature`` (n, 4) is the position of the leading feature of each named family, -1 where there is no further reason.
    ``points`` (n, 4) are the points of that family, 0 where there is none. ``all_others`` is (n,).
    """

    positive_feature: IntArray
    positive_points: IntArray
    negative_feature: IntArray
    negative_points: IntArray
    all_others: IntArray


def reason_dictionary(facts: Sequence[FeatureFacts]) -> ReasonDictionary:
    """Build the dictionary of a feature set from the facts its records declare."""
    return ReasonDictionary(version=DICTIONARY_VERSION, entries=tuple(_reason_text(fact) for fact in facts))


def _reason_text(fact: FeatureFacts) -> ReasonText:
    return ReasonText(
        feature=fact.name,
        code=fact.name.upper(),
        family=fact.family,
        pillar=fact.pillar,
        unit=fact.unit,
        raises_en=f"{fact.title_en} ({{value}}) raises the score",
        raises_zh=f"{fact.title_zh}（{{value}}）拉高评分",
        lowers_en=f"{fact.title_en} ({{value}}) lowers the score",
        lowers_zh=f"{fact.title_zh}（{{value}}）拉低评分",
        missing_en=f"{fact.title_en}: no data",
        missing_zh=f"{fact.title_zh}：无数据",
        levels=fact.levels,
    )


def batch_reasons(points: IntArray, families: Sequence[str]) -> BatchReasons:
    """Select the reasons of every row of ``points`` (n, p).

    Families are ranked by their points, ties in order of first appearance. The leading feature of a family is the one
    with the most points in the same direction, ties in feature order.
    """
    names = list(dict.fromkeys(families))
    family_of = np.asarray([names.index(family) for family in families], dtype=np.intp)
    family_points = _sum_columns(points, family_of, len(names))
    positive_family, positive_points = _top(family_points)
    negative_family, negated_points = _top(-family_points)
    named = positive_points.sum(axis=1) - negated_points.sum(axis=1)
    return BatchReasons(
        positive_feature=_leading_features(points, family_of, positive_family),
        positive_points=positive_points,
        negative_feature=_leading_features(-points, family_of, negative_family),
        negative_points=-negated_points,
        all_others=(points.sum(axis=1, dtype=np.int32) - named).astype(np.int32),
    )


def _sum_columns(points: IntArray, family_of: npt.NDArray[np.intp], count: int) -> IntArray:
    if count == points.shape[1]:
        return points
    sums = np.zeros((len(points), count), dtype=np.int32)
    for column, family in enumerate(family_of):
        sums[:, family] += points[:, column]
    return sums


def _top(points: IntArray) -> tuple[IntArray, IntArray]:
    """Return positions (n, 4) of the largest positive entries, best first, -1 if there are fewer; and their points."""
    count = points.shape[1]
    wanted = min(REASONS_EACH_WAY, count)
    # One integer key per entry makes the order total, so a partial sort cannot break ties differently.
    key = points.astype(np.int64) * count - np.arange(count)
    top = np.argpartition(-key, wanted - 1, axis=1)[:, :wanted]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(key, top, axis=1), axis=1), axis=1)
    chosen = np.take_along_axis(points, top, axis=1)
    positions = np.full((len(points), REASONS_EACH_WAY), -1, dtype=np.int32)
    values = np.zeros((len(points), REASONS_EACH_WAY), dtype=np.int32)
    positions[:, :wanted] = np.where(chosen > 0, top, -1)
    values[:, :wanted] = np.maximum(chosen, 0)
    return positions, values


def _leading_features(points: IntArray, family_of: npt.NDArray[np.intp], chosen: IntArray) -> IntArray:
    if len(np.unique(family_of)) == points.shape[1]:
        return chosen
    leading = np.empty_like(chosen)
    lowest = np.iinfo(np.int32).min
    for slot in range(chosen.shape[1]):
        same_family = family_of[None, :] == chosen[:, slot, None]
        best = np.where(same_family, points, lowest).argmax(axis=1)
        leading[:, slot] = np.where(chosen[:, slot] >= 0, best, -1)
    return leading


def reason_rows(batch: BatchReasons, X: FloatArray, dictionary: ReasonDictionary) -> Iterator[RowReasons]:
    """Yield the worded reasons of a batch row by row; ``X`` (n, p) holds the values as delivered, NaN = missing."""
    for row in range(len(X)):
        yield RowReasons(
            _worded(batch.positive_feature[row], batch.positive_points[row], X[row], dictionary),
            _worded(batch.negative_feature[row], batch.negative_points[row], X[row], dictionary),
            int(batch.all_others[row]),
        )


def reasons_for_row(
    points_row: IntArray, x_row: FloatArray, model: CreditModel, dictionary: ReasonDictionary
) -> RowReasons:
    """Return the worded reasons of one row from its issued points (p,) and its values (p,) as delivered."""
    batch = batch_reasons(points_row[None, :], [feature.family for feature in model.features])
    return next(reason_rows(batch, x_row[None, :], dictionary))


def _worded(
    features: IntArray, points: IntArray, values: FloatArray, dictionary: ReasonDictionary
) -> tuple[Reason, ...]:
    return tuple(
        worded_reason(dictionary.entries[int(feature)], int(point), float(values[int(feature)]))
        for feature, point in zip(features, points, strict=True)
        if feature >= 0
    )


def worded_reason(text: ReasonText, points: int, value: float) -> Reason:
    """Return the reason of one feature with its points; ``value`` is NaN if it is missing."""
    known = bool(np.isfinite(value))
    shown_en, shown_zh = shown_value(value, text) if known else ("", "")
    if not known:
        english, chinese = text.missing_en, text.missing_zh
    elif points > 0:
        english, chinese = text.raises_en, text.raises_zh
    else:
        english, chinese = text.lowers_en, text.lowers_zh
    return Reason(
        code=text.code,
        feature=text.feature,
        family=text.family,
        pillar=text.pillar,
        points=points,
        value=value if known else None,
        unit=text.unit,
        text_en=english.replace("{value}", shown_en),
        text_zh=chinese.replace("{value}", shown_zh),
    )


def shown_value(value: float, text: ReasonText) -> tuple[str, str]:
    """Return a known value of a feature in English and in Chinese."""
    if text.levels is None:
        return worded_value(value, text.unit)
    if not is_level(np.asarray(value), len(text.levels)):
        return "not seen in training", "训练样本中未出现过"
    return (text.levels[int(value)],) * 2


def worded_value(value: float, unit: str) -> tuple[str, str]:
    """Return a value in English and in Chinese: shares in per cent, logarithms undone, counts bare, 0 as "none".

    Features in ``ln USD`` and ``ln count`` are ln(1 + x); ``ln ratio`` is ln(x).

    >>> worded_value(0.0335, "share"), worded_value(6.0, "count"), worded_value(3.0, "days")
    (('3.35 %', '3.35 %'), ('6', '6'), ('3 days', '3 天'))
    >>> worded_value(0.0, "count"), worded_value(0.0, "days"), worded_value(1.0, "days")
    (('none', '无'), ('0 days', '0 天'), ('1 day', '1 天'))
    >>> worded_value(10.0, "ln USD"), worded_value(0.0, "ln ratio"), worded_value(-0.5, "ratio, -1 to 1")
    (('22,025 USD', '22,025 美元'), ('1 time', '1 倍'), ('-0.5', '-0.5'))
    """
    if unit == "share":
        return (f"{format_value(100 * value)} %",) * 2
    if unit.startswith(_LOGARITHM):
        undone = np.exp if unit == "ln ratio" else np.expm1
        shown = format_value(float(undone(value))) if value <= _LARGEST_EXPONENT else f"e^{format_value(value)}"
        plain = "ratio of two" if unit == "ln ratio" else unit.removeprefix(_LOGARITHM)
    else:
        shown, plain = format_value(value), unit
    if plain == "count" and shown == "0":
        return "none", "无"
    english, chinese = _UNIT_WORDS.get(plain, ("", ""))
    return f"{shown} {english.removesuffix('s') if shown == '1' else english}".strip(), f"{shown} {chinese}".strip()


def format_value(value: float) -> str:
    """Return a value with three significant digits and thousands separators.

    Only values that would take more than 24 digits, which nothing real has, are in scientific notation.

    >>> format_value(1234567.0), format_value(0.04217), format_value(-3.0), format_value(-1e45)
    ('1,234,567', '0.0422', '-3', '-1e+45')
    """
    if abs(value) >= _NEVER_REAL:
        return f"{value:.3g}"
    if abs(value) >= 100.0 or value == int(value):
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")
