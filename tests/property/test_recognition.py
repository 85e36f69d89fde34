"""A contract matches a file exactly when its reader accepts the header, and no bytes crash recognition."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.reading.contract_match import FileStart, match_contracts
from data_contracts.reading.dispatch import read_file
from pipelines.ingest.deliveries.recognition import described, recognisable_contracts, recognise
from tests.factories.files.header_files import header_file, needed_columns

SOURCES = [contract.contract_id for contract in recognisable_contracts()]
# Bank messages have no header; a file in another form than XML is never compared with CAMT.053.
MESSAGES = {"camt053_statement", "mt940_statement", "ofx_statement"}
WITH_HEADERS = [source for source in SOURCES if source not in MESSAGES]


@st.composite
def files_of_some_columns(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a source, and a file with some of its columns, often all it needs."""
    contract = source_contract(draw(st.sampled_from(WITH_HEADERS)))
    optional = [column for column in contract.columns if column not in needed_columns(contract)]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True)) if optional else []
    lost = draw(st.lists(st.sampled_from(needed_columns(contract)), max_size=1))
    columns = [c for c in contract.columns if c not in lost and (c in chosen or c not in optional)]
    return contract.contract_id, header_file(contract, columns or list(contract.columns[:1]))


def without_items(source: str) -> tuple[str, bytes]:
    """Draw a source whose records hold items, and a file with one record without items."""
    contract = source_contract(source)
    spec = contract.read_spec
    assert spec is not None
    assert spec.item_path is not None
    items = f"{spec.item_path.rpartition('.')[2]}."
    return source, header_file(contract, [c for c in contract.columns if not c.header.startswith(items)])


@settings(max_examples=100, deadline=None)
@example(without_items("ceb_summary"))
@given(files_of_some_columns())
def test_a_contract_matches_exactly_when_its_reader_accepts_the_header(file: tuple[str, bytes]) -> None:
    """A file whose records are all set aside, for example for a lack of items, is accepted, but no column is found."""
    source, data = file
    contract = source_contract(source)
    (fit,) = match_contracts(FileStart(data, is_whole=True), [contract], "file")
    try:
        read = read_file(data, contract, "file")
    except InputRefused:
        assert not fit.is_match
    else:
        assert fit.is_match == bool(read.headers), fit
        assert read.headers or read.quarantined.num_rows == read.rows_in > 0


@functools.cache
def whole_file(source: str) -> bytes:
    """Return a file with all columns of a source, made once: a workbook states when it was made."""
    contract = source_contract(source)
    return header_file(contract, contract.columns)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SOURCES), st.data())
def test_a_damaged_file_still_gets_one_line_for_each_contract(source: str, data: st.DataObject) -> None:
    damaged = bytearray(whole_file(source))
    places = st.integers(0, len(damaged) - 1)
    for place, byte in data.draw(st.dictionaries(places, st.integers(0, 255), max_size=8)).items():
        damaged[place] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
        lines = [line for found in recognise([path]) for line in described(found)]
    assert lines
    assert all(line.isprintable() for line in lines)
