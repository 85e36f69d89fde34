"""What reading a delimited file in pieces refuses; ``tests/property`` compares it with reading at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused, IntegrityRefused
from data_contracts.reading.delimited import pieces as delimited_pieces
from data_contracts.reading.delimited.pieces import DelimitedPieces
from tests.factories.contracts import column, contract_of, delimited

COLUMNS = [column("a", header="A"), column("b", header="B")]
CONTRACT = contract_of(COLUMNS, server=delimited(",", quote='"', quotedNewlines=True))
ROWS = b"A,B\n" + b"".join(b"%d,x\n" % number for number in range(100))


def test_a_file_that_changed_since_it_was_read_has_no_originals(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(ROWS)
    with path.open("rb", buffering=0) as file:
        reader = DelimitedPieces(file, CONTRACT, "f.csv", 64)
        assert sum(piece.rows.num_rows for piece in reader) == 100
        assert reader.original_of([101, 2]) == [b"99,x", b"0,x"]
        path.write_bytes(ROWS.replace(b"97,x", b"97,y"))
        reader.original_of([2])
        with pytest.raises(IntegrityRefused, match=r"f\.csv changed while it was read"):
            reader.original_of([99])


def test_a_record_without_an_end_is_refused_at_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited_pieces, "LONGEST_PIECE_BYTES", 500)
    path = tmp_path / "f.csv"
    path.write_bytes(ROWS + b"x" * 600 + b",y\n")
    with (
        path.open("rb") as file,
        pytest.raises(InputRefused, match="row 102: a line or record is longer than 500 bytes; remedy"),
    ):
        list(DelimitedPieces(file, CONTRACT, "f.csv", 64))


def test_a_contract_in_another_encoding_is_not_read_in_pieces(tmp_path: Path) -> None:
    contract = contract_of(COLUMNS, server={**delimited(","), "encoding": "GB18030"})
    path = tmp_path / "f.csv"
    path.write_bytes(ROWS)
    with path.open("rb") as file, pytest.raises(ConfigurationRefused, match="read the whole file"):
        DelimitedPieces(file, contract, "f.csv")
