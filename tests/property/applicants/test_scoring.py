"""A row's result does not depend on the order or the size of chunks, and every row has one."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.score.scorer import chunked, score_chunk
from tests.factories.scoring import applicants, context

ROWS = 24


def results(rows: pa.Table, size: int) -> list[dict[str, object]]:
    return [row for chunk in chunked(rows, size) for row in score_chunk(context(), chunk).to_pylist()]


EXPECTED = {row["source_row"]: row for row in results(applicants(ROWS), ROWS)}


@given(order=st.permutations(range(ROWS)), size=st.integers(1, ROWS))
@settings(max_examples=25, deadline=None)
def test_order_and_chunk_size_change_no_bit_of_a_row(order: list[int], size: int) -> None:
    found = results(applicants(ROWS).take(pa.array(order)), size)
    assert [row["source_row"] for row in found] == [index + 1 for index in order]
    assert all(row == EXPECTED[row["source_row"]] for row in found)


@given(chosen=st.sets(st.integers(0, ROWS - 1), min_size=1))
@settings(max_examples=15, deadline=None)
def test_the_company_of_other_rows_changes_nothing(chosen: set[int]) -> None:
    found = results(applicants(ROWS).take(pa.array(sorted(chosen))), ROWS)
    assert found == [EXPECTED[index + 1] for index in sorted(chosen)]
