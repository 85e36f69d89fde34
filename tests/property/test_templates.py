"""For any cells of a template, every row is accepted, quarantined or a duplicate, with the reason."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import source_contract, table_contract, template_names
from data_contracts.definition.templates import PREFIX
from tests.factories.files.templates import SELLER, template_csv, template_row
from tests.factories.raw_files import RawFile, ingested, only_account

CELLS = st.one_of(
    st.sampled_from(["", " ", "0", "-1", "99999999999999", "1,5", "2023-02-29", "2023-3-5", "31/12/2023", "NaN", "是"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20),
)


@st.composite
def mixed_files(draw: st.DrawFn) -> tuple[str, list[dict[str, str]]]:
    """Draw a table with a template and rows of it with some replaced cells."""
    table = draw(st.sampled_from(template_names()))
    headers = [column.header for column in source_contract(f"{PREFIX}{table}").columns]
    identifiers = draw(st.lists(st.sampled_from(["R1", "R2", "R3"]), min_size=1, max_size=5))
    replaced = [draw(st.dictionaries(st.sampled_from(headers), CELLS, max_size=2)) for _ in identifiers]
    return table, [template_row(table, name) | cells for name, cells in zip(identifiers, replaced, strict=True)]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(mixed_files())
def test_every_row_of_any_mix_is_accounted_for(mixed: tuple[str, list[dict[str, str]]]) -> None:
    table, rows = mixed
    with tempfile.TemporaryDirectory() as folder:
        result = ingested(Path(folder), [RawFile("a.csv", f"{PREFIX}{table}", template_csv(rows), SELLER)])
    account = only_account(result)
    assert account.rows_in == len(rows)
    assert account.accepted == result.tables[table].num_rows
    assert sum(account.quarantined.values()) == result.quarantine.num_rows
    assert sum(account.duplicates.values()) == result.duplicates.num_rows
    assert account.accepted + result.quarantine.num_rows + result.duplicates.num_rows == len(rows)
    assert all(result.quarantine["rule_id"].to_pylist())
    assert result.tables[table].schema.names == table_contract(table).arrow_schema.names
