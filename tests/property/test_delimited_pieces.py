"""A delimited file read in pieces has the same result as read at once, wherever the pieces end."""

from __future__ import annotations

import io

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import compile_contract
from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import InputRefused
from data_contracts.reading.delimited.pieces import DelimitedPieces
from data_contracts.reading.delimited.reader import read_delimited

CONTRACT = b"""
apiVersion: v3.2.0
kind: DataContract
id: piecewise
version: 1.0.0
name: Rows to read in pieces
status: draft
servers:
  - server: file
    type: custom
    format: delimited
    delimiter: ","
    encoding: UTF-8
    customProperties:
      - {property: quote, value: '"'}
      - {property: quotedNewlines, value: true}
      - {property: preamble, value: true}
schema:
  - name: piecewise
    properties:
      - {name: number, physicalName: Number, logicalType: string}
      - {name: amount, physicalName: Amount, logicalType: string}
      - {name: text, physicalName: Text, logicalType: string}
"""

lines = st.sampled_from(
    [
        "1,2.50,plain",
        '2,3.00,"quoted, with comma"',
        '3,4.00,"over\ntwo lines"',
        '4,5.00,"over\n\nthree ""lines""\r\n"',
        '5,6.00,"never closed',
        "6,too,many,fields",
        "7,few",
        '8,mis"placed,quote',
        "9,stray\rreturn,here",
        "Number,Amount,Text",
        "",
        "10,工厂,漢字",
    ]
)
files = st.tuples(
    st.sampled_from(["", "\ufeff"]),
    st.lists(st.sampled_from(["Report of May", "", "a,b,c"]), max_size=3),
    st.lists(lines, max_size=60).map(lambda rows: rows * 4),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)


def _file(parts: tuple[str, list[str], list[str], str, bool]) -> bytes:
    mark, preamble, rows, line_end, ends_well = parts
    text = line_end.join([*preamble, "Number,Amount,Text", *rows])
    return (mark + text + (line_end if ends_well else "")).encode()


def _contract(quoted_newlines: bool = True) -> CompiledContract:
    stated = CONTRACT if quoted_newlines else CONTRACT.replace(b"quotedNewlines, value: true", b"preamble, value: true")
    return compile_contract(stated, "piecewise")


def _records(table: pa.Table) -> list[dict[str, object]]:
    return sorted(
        (record | {"source_sha256": None} for record in table.to_pylist()), key=lambda record: record["source_row"]
    )


@settings(max_examples=200, deadline=None)
@given(files, st.integers(1, 400), st.booleans())
def test_rows_quarantine_and_notes_do_not_depend_on_where_pieces_end(
    parts: tuple[str, list[str], list[str], str, bool], piece_bytes: int, quoted_newlines: bool
) -> None:
    data, contract = _file(parts), _contract(quoted_newlines)
    whole = read_delimited(data, contract, "file.csv")
    reader = DelimitedPieces(io.BytesIO(data), contract, "file.csv", piece_bytes)
    pieces = list(reader)
    assert pa.concat_tables([piece.rows for piece in pieces]).to_pylist() == whole.rows.to_pylist()
    aside = [record for piece in pieces for record in _records(piece.quarantined)]
    assert aside == _records(whole.quarantined)
    assert (reader.rows_in, reader.sha256, reader.notes, reader.headers) == (
        whole.rows_in,
        whole.origin.source_sha256,
        whole.notes,
        whole.headers,
    )
    rows = whole.rows["source_row"].to_pylist()
    assert reader.original_of(rows) == whole.origin.original_of(rows)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 100))
def test_a_file_refused_whole_is_refused_in_pieces(data: bytes, piece_bytes: int) -> None:
    contract = _contract()
    try:
        read_delimited(data, contract, "file.csv")
    except InputRefused:
        refused = True
    else:
        refused = False
    try:
        list(DelimitedPieces(io.BytesIO(data), contract, "file.csv", piece_bytes))
    except InputRefused:
        assert refused
    else:
        assert not refused
