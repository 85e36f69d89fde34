"""On a narrow screen a table becomes a list of terms: each cell has the heading of its column."""

from __future__ import annotations

from pipelines.reports.cell_labels import with_cell_labels

HEAD = (
    "<thead><tr>"
    '<th scope="col">Part</th><th scope="col" class="n">Rows <b>in</b> all</th><th scope="col"></th>'
    "</tr></thead>"
)


def labelled(body: str, table: str = '<table class="stack keep">') -> str:
    return with_cell_labels(f"{table}{HEAD}<tbody>{body}</tbody></table>").partition("<tbody>")[2]


def test_each_cell_carries_the_head_of_its_column() -> None:
    row = labelled('<tr><th scope="row">a</th><td class="n">3</td><td>bar</td></tr>')
    assert row.startswith(
        '<tr><th scope="row">a</th><td class="n" data-l="Rows in all">3</td><td data-l="">bar</td></tr>'
    )


def test_a_cell_over_several_columns_moves_the_next_ones_along() -> None:
    row = labelled('<tr><td colspan="2">both</td><td>last</td></tr>')
    assert row.startswith('<tr><td colspan="2" data-l="Part">both</td><td data-l="">last</td></tr>')


def test_other_tables_stay_as_they_are() -> None:
    body = "<tr><td>1</td></tr>"
    assert labelled(body, '<table class="facts">').startswith(body)


def test_a_head_does_not_leak_into_the_next_table() -> None:
    page = with_cell_labels(
        f'<table class="stack">{HEAD}</table><table class="stack"><tbody><tr><td>1</td></tr></table>'
    )
    assert page.endswith('<table class="stack"><tbody><tr><td data-l="">1</td></tr></table>')


def test_signs_in_a_head_stay_escaped() -> None:
    page = with_cell_labels(
        '<table class="stack"><thead><tr><th scope="col">a &lt; "b"</th></tr></thead><tr><td>1</td></tr></table>'
    )
    assert '<td data-l="a &lt; &quot;b&quot;">1</td>' in page
