"""A file checked in pieces gets the verdict of its rows checked at once, wherever the pieces end."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import compile_contract
from data_contracts.lineage import concat_quarantine
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from pipelines.commands.contract_check import sort_file
from pipelines.runs.publish import read_parquet

CONTRACT = compile_contract(
    b"""
apiVersion: v3.2.0
kind: DataContract
id: piecewise
version: 1.0.0
name: Rows to check in pieces
status: draft
servers:
  - {server: file, type: custom, encoding: UTF-8, format: delimited, delimiter: ","}
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
HEADER = [column.header for column in CONTRACT.columns]

rows = st.tuples(
    st.sampled_from(["A", "B", "C", ""]),
    st.sampled_from(["1", "2", "3", "01", "4", "5", "six", ""]),
    st.sampled_from(["r1", "r2", "r3", "r4", ""]),
    st.sampled_from(["paid", "paid", "due", "lost", ""]),
    st.sampled_from(["-1", "0", "5", "20", "1.50", "1O", ""]),
    st.sampled_from(["2019-04-14 00:00:00 UTC", "2022-01-08 00:00:00 UTC", "yesterday", ""]),
).map(list)
short_or_good = st.one_of(rows, rows, rows, rows.map(lambda cells: cells[:-1]))


def _csv(content: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([HEADER, *content])
    return text.getvalue().encode()


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(content=st.lists(short_or_good, max_size=30), piece_bytes=st.integers(1, 1500))
def test_the_verdict_does_not_depend_on_where_pieces_end(content: list[list[str]], piece_bytes: int) -> None:
    data = _csv(content)
    typed = cast_columns(read_file(data, CONTRACT, "file.csv"), CONTRACT)
    whole = check_rows(typed.rows, CONTRACT, typed.origin)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "file.csv").write_bytes(data)
        found = sort_file(folder / "file.csv", CONTRACT, folder / "out", piece_bytes)
        written = {
            name: read_parquet(folder / "out" / f"{name}.parquet") for name in ("accepted", "quarantined", "duplicates")
        }
    assert (found.counts_by_rule, found.rejected_by) == (whole.counts_by_rule, whole.rejected_by)
    assert (found.rows_in, found.sha256, found.notes) == (typed.rows_in, typed.origin.source_sha256, typed.notes)
    assert written["accepted"].schema == whole.accepted.schema
    assert written["accepted"].to_pylist() == whole.accepted.to_pylist()
    quarantined = concat_quarantine([typed.quarantined, whole.quarantined]).sort_by("source_row")
    assert written["quarantined"].to_pylist() == quarantined.to_pylist()
    assert written["duplicates"].to_pylist() == whole.duplicates.to_pylist()


def test_the_contract_has_rules_that_need_other_rows_of_every_kind() -> None:
    assert {rule.kind for rule in CONTRACT.row_rules()} >= {"unique", "row_expression", "not_null", "enum"}
    assert len(CONTRACT.file_rules()) == 2
