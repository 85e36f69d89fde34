"""Points of pillars and reasons as JSON, made column by column for a whole chunk.

Everything about a reason except its points and its value is known beforehand, so its text is put together from pieces
that are written as JSON once. The bytes are those of ``json.dumps`` without blanks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.explanation.reasons import worded_reason
from models.explanation.worded_columns import worded_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from data_contracts.arrow import Values
    from models.components.encoding import FloatArray
    from models.components.scale import IntArray
    from models.explanation.reasons import BatchReasons, Reason, ReasonDictionary, ReasonText

_VALUE: Final = "{value}"
_RAISES, _LOWERS, _MISSING = 0, 1, 2


def json_text(value: object) -> str:
    """Return a value as JSON without blanks, with characters of all languages as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def pillar_points_json(points: Mapping[str, IntArray]) -> Values:
    """Return the points of each pillar as one JSON object a row."""
    pieces: list[Values] = []
    for number, (name, column) in enumerate(points.items()):
        pieces += [pa.scalar(f"{',' if number else '{'}{json_text(name)}:"), pc.cast(pa.array(column), pa.string())]
    return _joined(*pieces, pa.scalar("}"))


@dataclass(frozen=True)
class ReasonPieces:
    """The fixed pieces of every reason of a model, as JSON.

    ``head`` has one piece a feature. ``before``, ``between`` and ``after`` have three, for a reason that raises the
    score, lowers it, or lacks its value: the text before the English value, between both values, and after the Chinese.
    ``irregular`` (p,) marks features whose texts do not hold their value once; their reasons are written one by one.
    """

    entries: tuple[ReasonText, ...]
    irregular: npt.NDArray[np.bool_]
    head: Values
    before: Values
    between: Values
    after: Values


def reason_pieces(dictionary: ReasonDictionary) -> ReasonPieces:
    """Return the pieces of a dictionary's reasons."""
    heads = [
        f'{{"code":{json_text(entry.code)},"feature":{json_text(entry.feature)},"pillar":{json_text(entry.pillar)},"points":'
        for entry in dictionary.entries
    ]
    ways = [way for entry in dictionary.entries for way in _ways(entry)]
    irregular = np.asarray([not _is_regular(entry) for entry in dictionary.entries], dtype=np.bool_)
    return ReasonPieces(
        dictionary.entries,
        irregular,
        pa.array(heads, pa.string()),
        *(pa.array(p, pa.string()) for p in zip(*ways, strict=True)),
    )


def _is_regular(entry: ReasonText) -> bool:
    with_value = (entry.raises_en, entry.raises_zh, entry.lowers_en, entry.lowers_zh)
    without = (entry.missing_en, entry.missing_zh)
    return all(text.count(_VALUE) == 1 for text in with_value) and not any(_VALUE in text for text in without)


def _ways(entry: ReasonText) -> list[tuple[str, str, str]]:
    texts = (
        (entry.raises_en, entry.raises_zh),
        (entry.lowers_en, entry.lowers_zh),
        (entry.missing_en, entry.missing_zh),
    )
    return [_pieces(entry.unit, english, chinese) for english, chinese in texts]


def _pieces(unit: str, english: str, chinese: str) -> tuple[str, str, str]:
    """Return the three pieces around the values; a text without a value is in the first alone."""
    (before_en, _, after_en), (before_zh, _, after_zh) = (
        json_text(text).partition(_VALUE) for text in (english, chinese)
    )
    return f',"unit":{json_text(unit)},"en":{before_en}', f'{after_en},"zh":{before_zh}', f"{after_zh}}}"


def reasons_json(batch: BatchReasons, X: FloatArray, pieces: ReasonPieces) -> Values:
    """Return the reasons of each row as one JSON object; ``X`` (n, p) holds the values as delivered."""
    count = len(X)
    feature = np.concatenate([batch.positive_feature.T.ravel(), batch.negative_feature.T.ravel()]).astype(np.int64)
    points = np.concatenate([batch.positive_points.T.ravel(), batch.negative_points.T.ravel()])
    named = np.flatnonzero(feature >= 0)
    values = X[named % count, feature[named]] if count else np.empty(0)
    texts = _reason_texts(feature[named], points[named], values, pieces)
    slots = texts.take(_places(named, len(feature)))
    slots = [slots.slice(first, count).fill_null("") for first in range(0, len(feature), count)] if count else []
    half = len(slots) // 2
    with_commas = [slot if place % half == 0 else _after_comma(slot) for place, slot in enumerate(slots)]
    others = pc.cast(pa.array(batch.all_others), pa.string())
    return _joined(
        pa.scalar('{"for":['), *with_commas[:half], pa.scalar('],"against":['), *with_commas[half:],
        pa.scalar('],"all_others":'), others, pa.scalar("}"),
    )  # fmt: skip


def _reason_texts(feature: npt.NDArray[np.int64], points: IntArray, values: FloatArray, pieces: ReasonPieces) -> Values:
    """Return the JSON of reasons (m,) that exist."""
    known = np.isfinite(values)
    way = pa.array(3 * feature + np.where(known, np.where(points > 0, _RAISES, _LOWERS), _MISSING))
    numbers = pa.array(list(map(repr, values.tolist())), pa.string())
    numbers = pc.if_else(pa.array(known), numbers, pa.scalar("null"))
    english, chinese = _shown(feature, values, known, pieces.entries)
    texts = _joined(
        pieces.head.take(pa.array(feature)), pc.cast(pa.array(points), pa.string()), pa.scalar(',"value":'), numbers,
        pieces.before.take(way), english, pieces.between.take(way), chinese, pieces.after.take(way),
    )  # fmt: skip
    irregular = pieces.irregular[feature]
    if not irregular.any():
        return texts
    rows = np.flatnonzero(irregular).tolist()
    written = [reason_json(worded_reason(pieces.entries[feature[i]], int(points[i]), float(values[i]))) for i in rows]
    return pc.replace_with_mask(texts, pa.array(irregular), pa.array(written, pa.string()))


def reason_json(reason: Reason) -> str:
    """Return one reason as JSON."""
    return json_text(
        {
            "code": reason.code,
            "feature": reason.feature,
            "pillar": reason.pillar,
            "points": reason.points,
            "value": reason.value,
            "unit": reason.unit,
            "en": reason.text_en,
            "zh": reason.text_zh,
        }
    )


def _shown(
    feature: npt.NDArray[np.int64], values: FloatArray, known: npt.NDArray[np.bool_], entries: Sequence[ReasonText]
) -> tuple[Values, Values]:
    """Return the values of reasons (m,) in words, as the inside of a JSON text; "" where there is none."""
    place = np.zeros(len(feature), dtype=np.int64)
    english, chinese = [""], [""]
    for one in np.unique(feature[known]).tolist():
        rows = np.flatnonzero(known & (feature == one))
        worded = worded_column(values[rows], entries[one])
        place[rows] = worded.place + len(english)
        english += [json_text(text)[1:-1] for text in worded.english]
        chinese += [json_text(text)[1:-1] for text in worded.chinese]
    return pa.array(english, pa.string()).take(place), pa.array(chinese, pa.string()).take(place)


def _places(named: npt.NDArray[np.int64], count: int) -> Values:
    """Return, for each of ``count`` slots, the place of its text, null where it has none."""
    places = np.zeros(count, dtype=np.int64)
    places[named] = np.arange(len(named))
    empty = np.ones(count, dtype=np.bool_)
    empty[named] = False
    return pa.array(places, mask=empty)


def _after_comma(texts: Values) -> Values:
    """Return texts with a comma before each that is not empty."""
    is_empty: Values = pc.equal(texts, pa.scalar(""))
    return pc.if_else(is_empty, texts, _joined(pa.scalar(","), texts))


def _joined(*pieces: Values) -> Values:
    join: Values = pc.binary_join_element_wise
    return join(*pieces, "")
