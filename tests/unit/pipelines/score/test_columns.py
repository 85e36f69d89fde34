"""Reasons, JSON lines and CSV made column by column are those made row by row."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.explanation.reason_columns import json_text, pillar_points_json, reason_json, reason_pieces, reasons_json
from models.explanation.reasons import ReasonDictionary, batch_reasons, reason_dictionary, reason_rows
from pipelines.runs.spreadsheet_text import cell_text
from pipelines.score.score_texts import CSV_HEADER, JSON_COLUMNS, PLAIN_COLUMNS, csv_lines, json_lines
from pipelines.score.scorer import score_chunk
from pipelines.score_rows import SCORE_SCHEMA
from tests.factories.models import fact
from tests.factories.scoring import applicants, context, with_values

HOSTILE = [
    "=1+1",
    "\t=1",
    "a;=1",
    "a\nb",
    'quote " and, comma',
    "back\\slash",
    "\u2028",
    "\x01",
    "＝1",
    "中文",
    "-5",
    "",
    None,
]


def row_by_row(points: np.ndarray, X: np.ndarray, dictionary: ReasonDictionary) -> list[str]:
    families = [entry.family for entry in dictionary.entries]
    return [
        f'{{"for":[{",".join(map(reason_json, row.positive))}],"against":[{",".join(map(reason_json, row.negative))}],'
        f'"all_others":{row.all_others}}}'
        for row in reason_rows(batch_reasons(points, families), X, dictionary)
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 20), columns=st.integers(1, 9))
def test_reasons_of_a_chunk_are_those_of_its_rows(seed: int, rows: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    names = ['quote"d', "back\\slash", "line\nbreak", "中文", "e", "f", "g", "h", "i"][:columns]
    units = generator.choice(["share", "USD", "ln USD", "count", "days", 'unit "x"'], columns)
    facts = [fact(name, 1).model_copy(update={"unit": str(unit)}) for name, unit in zip(names, units, strict=True)]
    dictionary = reason_dictionary(facts)
    points = generator.integers(-9, 10, (rows, columns)).astype(np.int32)
    X = np.where(generator.random((rows, columns)) < 0.2, np.nan, generator.normal(size=(rows, columns)) * 50)
    found = reasons_json(batch_reasons(points, names), X, reason_pieces(dictionary))
    assert found.to_pylist() == row_by_row(points, X, dictionary)


@pytest.mark.parametrize("title", ["{value}", "twice {value} {value}", "plain"])
def test_a_title_that_looks_like_a_value_is_worded_as_in_a_single_reason(title: str) -> None:
    dictionary = reason_dictionary([fact("one", 1).model_copy(update={"title_en": title, "title_zh": title})])
    entry = dictionary.entries[0].model_copy(update={"lowers_en": "no value here"})
    changed = dictionary.model_copy(update={"entries": (entry,)})
    points, X = np.asarray([[5], [-5], [-3]], dtype=np.int32), np.asarray([[0.5], [2.0], [np.nan]])
    found = reasons_json(batch_reasons(points, ["one"]), X, reason_pieces(changed))
    assert found.to_pylist() == row_by_row(points, X, changed)
    assert json.loads(found.to_pylist()[1])["against"][0]["en"] == "no value here"


def test_pillar_points_are_one_object_a_row() -> None:
    points = {'a"b': np.asarray([1, -2], dtype=np.int32), "中": np.asarray([0, 30], dtype=np.int32)}
    assert pillar_points_json(points).to_pylist() == ['{"a\\"b":1,"中":0}', '{"a\\"b":-2,"中":30}']


def scored(*, with_reasons: bool = True) -> pa.Table:
    count = 3 * len(HOSTILE)
    chunk = with_values(applicants(count), "applicant_id", HOSTILE * 3)
    chunk = with_values(chunk, "seller_id", [f"S{row}" if row % 3 else HOSTILE[row % 13] for row in range(count)])
    chunk = with_values(chunk, "refusals", ["unknown_seller;-x" if row % 7 == 0 else "" for row in range(count)])
    return score_chunk(context(with_reasons=with_reasons), chunk)


def expected_line(row: dict[str, Any]) -> str:
    plain = {name: row[name] for name in PLAIN_COLUMNS}
    plain["as_of"] = None if row["as_of"] is None else row["as_of"].isoformat()
    nested = "".join(f',"{name}":{"null" if row[name] is None else row[name]}' for name in JSON_COLUMNS)
    return f"{json_text(plain)[:-1]}{nested}}}\n"


def short(reason: dict[str, Any], titles: dict[str, str]) -> str:
    missing = ": no data" if reason["value"] is None else ""
    return f"{titles.get(reason['feature'], reason['feature'])}{missing} ({reason['points']:+d})"


def expected_cells(row: dict[str, Any], titles: dict[str, str]) -> list[object]:
    reasons = {"for": [], "against": []} if row["reasons"] is None else json.loads(row["reasons"])
    told = ["; ".join(short(one, titles) for one in reasons[way]) for way in ("for", "against")]
    cells = [*(row[name] for name in PLAIN_COLUMNS), *told]
    return [cell_text(cell) if isinstance(cell, str) else cell for cell in cells]


@pytest.mark.parametrize("with_reasons", [True, False])
@pytest.mark.parametrize("titles", [{}, {"refund_share_90d": "=Refunds"}, {"refund_share_90d": "a;-b"}])
def test_lines_and_cells_are_those_of_the_rows(titles: dict[str, str], *, with_reasons: bool) -> None:
    table = scored(with_reasons=with_reasons)
    rows = table.to_pylist()
    assert json_lines(table) == "".join(expected_line(row) for row in rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(expected_cells(row, titles) for row in rows)
    assert csv_lines(table, titles) == text.getvalue()
    assert len(CSV_HEADER) == len(expected_cells(rows[0], titles))


def test_a_table_without_rows_has_no_lines() -> None:
    nothing = SCORE_SCHEMA.empty_table()
    assert (json_lines(nothing), csv_lines(nothing, {})) == ("", "")


def test_a_reason_in_the_sheet_says_that_there_was_no_data() -> None:
    table = scored()
    against = [
        {"feature": "known_defaults", "points": -64, "value": None},
        {"feature": "refund_share", "points": -7, "value": 0.1},
    ]
    reasons = [json.dumps({"for": [], "against": against, "all_others": 0}), *[None] * (table.num_rows - 1)]
    place = table.column_names.index("reasons")
    table = table.set_column(place, SCORE_SCHEMA.field("reasons"), pa.array(reasons, pa.string()))
    titles = {"known_defaults": "Known defaults among related sellers", "refund_share": "Refunds"}
    cells = list(csv.reader(io.StringIO(csv_lines(table, titles))))
    assert cells[0][-1] == "Known defaults among related sellers: no data (-64); Refunds (-7)"
    assert [row[-1] for row in cells[1:]] == [""] * (table.num_rows - 1)
