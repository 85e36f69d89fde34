"""Rows checked in pieces get the same verdicts as rows checked at once, wherever the pieces end."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.checks import pieces as piece_checking
from data_contracts.checks.pieces import PieceChecker
from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import compile_contract
from data_contracts.lineage import Origin

CONTRACT = compile_contract(
    b"""
apiVersion: v3.2.0
kind: DataContract
id: piecewise
version: 1.0.0
name: Rows to check in pieces
status: draft
schema:
  - name: piecewise
    properties:
      - {name: account, logicalType: string, physicalType: dictionary, primaryKey: true, primaryKeyPosition: 1}
      - {name: number, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}
      - name: reference
        logicalType: string
        unique: true
        customProperties: [{property: severity, value: {unique: warning}}]
      - name: state
        logicalType: string
        physicalType: dictionary
        required: true
        enum: [{value: paid}, {value: due}]
      - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0}}
      - {name: paid_at, logicalType: timestamp, logicalTypeOptions: {minimum: "2020-01-01"}}
    quality:
      - name: account_adds_up
        type: sql
        severity: error
        mustBe: 0
        query: >-
          SELECT COUNT(*) FROM ${table} WHERE account IN
          (SELECT account FROM ${table} GROUP BY account HAVING sum(amount) > 40)
      - {name: not_empty, metric: rowCount, mustBeGreaterThan: 3, severity: critical}
      - {name: mean_amount, type: sql, severity: warning, mustBeLessThan: 9, query: "SELECT avg(amount) FROM ${table}"}
""",
    "piecewise",
)
MOMENTS = [None, *(pa.scalar(day * 86_400_000_000, pa.timestamp("us", "UTC")).as_py() for day in (18_000, 19_000))]

rows = st.fixed_dictionaries(
    {
        "account": st.sampled_from(["A", "B", "C", None]),
        "number": st.integers(1, 6) | st.none(),
        "reference": st.sampled_from(["r1", "r2", "r3", "r4", None]),
        "state": st.sampled_from(["paid", "paid", "due", "lost", None]),
        "amount": st.integers(-1, 20) | st.none(),
        "paid_at": st.sampled_from(MOMENTS),
    }
)


def _table(content: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(content, schema=pa.schema([(c.name, _plain(c.arrow_type)) for c in CONTRACT.columns]))
    table = table.cast(pa.schema([(column.name, column.arrow_type) for column in CONTRACT.columns]))
    return table.append_column("source_row", pa.array(range(2, len(content) + 2), pa.int64()))


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def _original_of(source_rows: list[int]) -> list[bytes]:
    return [f"line {row}".encode() for row in source_rows]


@pytest.mark.parametrize("compared_at_once", [1, 500_000])
@settings(max_examples=60, deadline=None)
@given(content=st.lists(rows, max_size=30), cuts=st.sets(st.integers(0, 30)))
def test_the_verdict_does_not_depend_on_where_pieces_end(
    content: list[dict[str, Any]], cuts: set[int], compared_at_once: int
) -> None:
    table, origin = _table(content), Origin("piecewise", "file.csv", "00", _original_of)
    whole = check_rows(table, CONTRACT, origin)
    borders = [0, *sorted(cut for cut in cuts if cut < len(content)), len(content)]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(piece_checking, "_COMPARED_AT_ONCE", compared_at_once)
        with PieceChecker(CONTRACT, Path(folder)) as checker:
            for start, stop in itertools.pairwise(borders):
                checker.add(table.slice(start, stop - start), _original_of)
            verdict = checker.verdict()
            pieces = list(checker.sorted_pieces(verdict, origin))
    assert verdict.counts_by_rule == whole.counts_by_rule
    assert verdict.file_findings == whole.file_findings
    assert (verdict.rejected_by, verdict.rows_in) == (whole.rejected_by, whole.rows_in)
    for name in ("accepted", "quarantined", "duplicates"):
        found = pa.concat_tables([getattr(piece, name) for piece in pieces])
        assert found.schema == getattr(whole, name).schema
        assert found.to_pylist() == getattr(whole, name).to_pylist()
