from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from pipelines.ingest.stage import ingest_folder
from tests.factories.raw_files import (
    HMAC_KEY,
    RawFile,
    cells,
    ingest_settings,
    ingested,
    vat_file,
    vat_row,
    write_raw_folder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST = vat_file("sale", [vat_row("1"), vat_row("2")])
SECOND = vat_file("sale", [vat_row("2"), vat_row("3")])


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def delivered(name: str, data: bytes) -> RawFile:
    return RawFile(name, "vat_invoices", data, "S000001")


@pytest.mark.slow
def test_every_file_of_a_listed_zip_is_read_as_if_it_stood_in_the_folder(tmp_path: Path) -> None:
    loose = ingested(tmp_path / "loose", [delivered("v/1.csv", FIRST), delivered("v/2.csv", SECOND)])
    packed = ingested(tmp_path / "packed", [delivered("v.zip", zipped({"2.csv": SECOND, "1.csv": FIRST}))])
    invoices = [result.tables["trade_invoice"].drop_columns("source_file") for result in (loose, packed)]
    assert invoices[0].to_pylist() == invoices[1].to_pylist()
    assert [(account.file, account.rows_in, account.accepted) for account in packed.file_counts] == [
        ("v.zip/1.csv", 2, 2),
        ("v.zip/2.csv", 2, 1),
    ]
    assert set(cells(packed.tables["source_coverage"], "seller_id")) == {"S000001"}


def test_suffixes_in_upper_case_mean_the_same(tmp_path: Path) -> None:
    files = [delivered("V.ZIP", zipped({"1.CSV": FIRST})), delivered("W/3.CSV.GZ", gzip.compress(SECOND))]
    result = ingested(tmp_path, files)
    assert [(account.file, account.rows_in) for account in result.file_counts] == [
        ("V.ZIP/1.CSV", 2),
        ("W/3.CSV.GZ/3.CSV", 2),
    ]


def test_a_listed_gz_is_read_unpacked(tmp_path: Path) -> None:
    result = ingested(tmp_path, [delivered("v/1.csv.gz", gzip.compress(FIRST))])
    assert [(account.file, account.accepted) for account in result.file_counts] == [("v/1.csv.gz/1.csv", 2)]


def test_files_that_an_operating_system_adds_to_a_zip_are_set_aside_and_counted(tmp_path: Path) -> None:
    data = zipped({"1.csv": FIRST, "__MACOSX/._1.csv": b"\0\5\x16\7", ".DS_Store": b"\0"})
    result = ingested(tmp_path, [delivered("v.zip", data)])
    assert [(account.file, account.status) for account in result.file_counts] == [
        ("v.zip/1.csv", "read"),
        ("v.zip/.DS_Store", "unlisted"),
        ("v.zip/__MACOSX/._1.csv", "unlisted"),
    ]


def test_an_archive_must_have_the_digest_that_is_listed(tmp_path: Path) -> None:
    file = delivered("v.zip", zipped({"1.csv": FIRST}))
    with pytest.raises(InputRefused, match="SHA-256 differs from the one in row 2") as refusal:
        ingested_after(tmp_path, file, zipped({"1.csv": SECOND}))
    assert refusal.value.file == "v.zip"


def ingested_after(folder: Path, file: RawFile, changed: bytes) -> None:
    write_raw_folder(folder, [file])
    (folder / file.name).write_bytes(changed)
    ingest_folder(folder, ingest_settings(), HMAC_KEY)


def twice() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1.csv", FIRST)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("1.csv", SECOND)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "file", "says"),
    [
        ("v.zip", b"PK\3\4 and no more", "v.zip", "the archive cannot be read"),
        ("v.zip", zipped({}), "v.zip", "the zip contains 0 files"),
        ("v.zip", zipped({"1.csv": FIRST})[:-60], "v.zip", "the archive cannot be read"),
        ("v.zip", zipped({"in.zip": zipped({"1.csv": FIRST})}), "v.zip/in.zip", ""),
        ("v.csv.gz", gzip.compress(FIRST)[:-20], "v.csv.gz/v.csv", "the archive cannot be read"),
        ("v.csv.gz", FIRST, "v.csv.gz/v.csv", "the archive cannot be read"),
    ],
    ids=["no zip", "empty", "cut off", "zip in zip", "gz cut off", "no gz"],
)
def test_an_archive_that_cannot_be_read_is_refused_in_one_line(
    name: str, data: bytes, file: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [delivered(name, data)])
    assert refusal.value.file == file
    assert says in refusal.value.rule
    assert "\n" not in str(refusal.value)


def test_a_zip_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="two files with the same name"):
        ingested(tmp_path, [delivered("v.zip", twice())])


def test_an_encrypted_or_altered_file_in_a_zip_is_refused_by_its_name(tmp_path: Path) -> None:
    data = bytearray(zipped({"1.csv": FIRST}))
    data[45] ^= 0xFF
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [delivered("v.zip", bytes(data))])
    assert refusal.value.file == "v.zip/1.csv"


@pytest.mark.slow
def test_a_gz_that_unpacks_to_more_than_a_reader_takes_is_refused(tmp_path: Path) -> None:
    members = gzip.compress(bytes(2**20)) * 1025
    with pytest.raises(InputRefused, match="at least 1073741825 bytes unpacked") as refusal:
        ingested(tmp_path, [delivered("v.csv.gz", members)])
    assert refusal.value.file == "v.csv.gz/v.csv"
