"""Scores as JSON lines and as CSV, made column by column from a table with SCORE_SCHEMA."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from models.explanation.reason_columns import json_text
from pipelines.runs.spreadsheet_text import cell_text
from pipelines.score_rows import SCORE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from data_contracts.arrow import Values

JSON_COLUMNS: Final = ("pillar_points", "reasons", "claims")
"""Columns that hold JSON."""
PLAIN_COLUMNS: Final = tuple(name for name in SCORE_SCHEMA.names if name not in JSON_COLUMNS)
CSV_HEADER: Final = (*PLAIN_COLUMNS, "speaks_for", "speaks_against")
CSV_HEADER_LINE: Final = ",".join(CSV_HEADER) + "\n"
_NULL: Final[Values] = pa.scalar("null")
_FALSE: Final[Values] = pa.scalar(value=False)
_NEEDS_ESCAPE: Final = r'[\x00-\x1f"\\]'
_MAY_BE_FORMULA: Final = "[-=+@|%\\t\\r＝＋－＠]"
_ONE_REASON: Final = pa.struct([("feature", pa.string()), ("points", pa.int64()), ("value", pa.float64())])
_REASONS: Final = pa.schema({"for": pa.list_(_ONE_REASON), "against": pa.list_(_ONE_REASON)})
_SMALLEST_BLOCK: Final = 1 << 20


def json_lines(table: pa.Table) -> str:
    """Return each row as one line of JSON; columns that hold JSON are inserted unchanged."""
    pieces: list[Values] = []
    for number, name in enumerate((*PLAIN_COLUMNS, *JSON_COLUMNS)):
        column = table[name].combine_chunks()
        values = pc.fill_null(column, _NULL) if name in JSON_COLUMNS else _json_values(column)
        pieces += [pa.scalar(f"{',' if number else '{'}{json_text(name)}:"), values]
    lines = _joined(*pieces, pa.scalar("}\n"))
    return "".join(lines.to_pylist())


def csv_lines(table: pa.Table, titles: Mapping[str, str]) -> str:
    """Return each row as a line of a sheet: short reasons, and no text that could run as a formula.

    ``titles`` maps a feature to its title.
    """
    columns = [_cells(table[name].combine_chunks()) for name in PLAIN_COLUMNS]
    columns += [column.to_pylist() for column in _short_reasons(table["reasons"].combine_chunks(), titles)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _json_values(column: Values) -> Values:
    """Return a column of texts, dates or numbers as JSON values."""
    if pa.types.is_floating(column.type):
        return pc.fill_null(pa.array(_reprs(column), pa.string()), _NULL)
    if pa.types.is_integer(column.type):
        return pc.fill_null(column.cast(pa.string()), _NULL)
    texts = column.cast(pa.string())
    return pc.fill_null(
        _joined(pa.scalar('"'), _replaced(texts, _NEEDS_ESCAPE, lambda text: json_text(text)[1:-1]), pa.scalar('"')),
        _NULL,
    )


def _reprs(column: Values) -> list[str | None]:
    """Return the shortest texts of a column of numbers that read back as the same numbers, as Python writes them."""
    if column.null_count == 0:
        return list(map(repr, column.to_numpy().tolist()))
    return [None if value is None else repr(value) for value in column.to_pylist()]


def _cells(column: Values) -> list[object]:
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        column = _replaced(column.cast(pa.string()), _MAY_BE_FORMULA, cell_text)
    cells: list[object] = column.to_pylist()
    return cells


def _replaced(texts: Values, pattern: str, replace: Callable[[str], str]) -> Values:
    """Return texts in which those that contain the pattern are replaced, the same ones once."""
    found: Values = pc.match_substring_regex(texts, pattern)
    if not pc.any(found).as_py():
        return texts
    chosen = texts.filter(found).dictionary_encode()
    replaced = pa.array([replace(text) for text in chosen.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(texts, pc.fill_null(found, _FALSE), replaced.take(chosen.indices))


def _short_reasons(reasons: Values, titles: Mapping[str, str]) -> tuple[Values, Values]:
    """Return the titles and points of the reasons for and against each row, "" where it has none."""
    written = pc.drop_null(reasons)
    if len(written) == 0:
        return (pa.repeat("", len(reasons)),) * 2
    lines = "\n".join(written.to_pylist()).encode()
    longest = pc.max(pc.binary_length(written)).as_py()
    table = pa.json.read_json(
        io.BytesIO(lines),
        pa.json.ReadOptions(use_threads=False, block_size=max(_SMALLEST_BLOCK, 2 * longest + 2)),
        pa.json.ParseOptions(explicit_schema=_REASONS, unexpected_field_behavior="ignore"),
    )
    places = pc.if_else(
        reasons.is_null(), None, pc.subtract(pc.cumulative_sum(pc.cast(reasons.is_valid(), pa.int64())), 1)
    )
    short = [_listed(table[way].combine_chunks(), titles).take(places).fill_null("") for way in ("for", "against")]
    return short[0], short[1]


def _listed(reasons: Values, titles: Mapping[str, str]) -> Values:
    """Return lists of reasons as texts. Points for missing data must not read like a finding."""
    one: Values = reasons.flatten()
    feature = one.field("feature").dictionary_encode()
    named = [titles.get(name, name) for name in feature.dictionary.to_pylist()]
    labels = [*named, *(f"{title}: no data" for title in named)]
    is_missing: Values = pc.cast(one.field("value").is_null(), pa.int64())
    place: Values = pc.add(pc.cast(feature.indices, pa.int64()), pc.multiply(is_missing, pa.scalar(len(named))))
    points = one.field("points")
    sign: Values = pc.if_else(pc.greater_equal(points, pa.scalar(0)), pa.scalar(" (+"), pa.scalar(" ("))
    texts = _joined(pa.array(labels, pa.string()).take(place), sign, points.cast(pa.string()), pa.scalar(")"))
    ends: Values = np.concatenate([[0], np.cumsum(pc.list_value_length(reasons).to_numpy())])
    joined: Values = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), texts), "; ")
    if all(cell_text(label) == label for label in labels):
        return joined
    return pa.array([cell_text(text) for text in joined.to_pylist()], pa.string())


def _joined(*pieces: Values) -> Values:
    join: Values = pc.binary_join_element_wise
    return join(*pieces, "")
