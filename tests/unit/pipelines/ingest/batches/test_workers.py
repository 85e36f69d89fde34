from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from pipelines.ingest.stage import ingest_folder
from tests.factories.files.workbooks import workbook_with
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, ingested, vat_file, vat_row

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PURCHASES = ["订单编号", "买家会员名", "卖家会员名", "实付款(元)", "订单状态", "订单创建时间", "订单付款时间", "数量"]
GOOD_ROW = ["1234567890123456789", "a", "b", 5, "交易成功", "2023-03-05 09:00:00", "2023-03-05 09:00:00", 1]
# A lone cell in the last column spans a sheet of 49 million cells; each takes memory once it is read.
FAR_CELL = b'<row r="3000"><c r="XFD3000"><v>1</v></c></row>'


def many_rows(count: int) -> bytes:
    return b"".join(b'<row r="%d">%s</row>' % (row, b"<c><v>1</v></c>" * 8) for row in range(3, count))


def purchases(name: str, rows: bytes = b"") -> RawFile:
    return RawFile(name, "alibaba_1688_orders", workbook_with({"订单": [PURCHASES, GOOD_ROW]}, rows), "S000001")


def test_a_small_file_that_takes_all_memory_is_named_among_many(tmp_path: Path) -> None:
    files = [purchases(f"p/{number}.xlsx", FAR_CELL if number == 3 else b"") for number in range(4)]
    assert len(files[3].data) < 10_000
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path / "bad", files, worker_memory_mib=1024)
    assert refusal.value.file == "p/3.xlsx"
    assert "the process that read it" in refusal.value.rule
    assert "1024 MiB" in refusal.value.rule
    assert "\n" not in str(refusal.value)
    assert ingested(tmp_path / "good", [files[0]]).file_counts[0].accepted == 1


def test_a_file_that_takes_too_long_to_read_is_stopped_and_named(tmp_path: Path) -> None:
    files = [purchases("p/1.xlsx"), purchases("p/2.xlsx", many_rows(300_000))]
    started = time.monotonic()
    with pytest.raises(InputRefused, match="more than 1 seconds of processor time") as refusal:
        ingested(tmp_path, files, worker_seconds=1)
    assert refusal.value.file == "p/2.xlsx"
    assert time.monotonic() - started < 120


def test_a_file_beside_one_that_ends_its_process_is_not_blamed(tmp_path: Path) -> None:
    wrong = RawFile(
        "v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1")]).replace("金额".encode(), b"?"), "S000001"
    )
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [purchases("p/1.xlsx", FAR_CELL), wrong], worker_memory_mib=1024)
    assert refusal.value.file == "p/1.xlsx"


def test_a_list_of_deliveries_is_read_within_the_limits_too(tmp_path: Path) -> None:
    (tmp_path / "deliveries.csv").write_bytes(b"a," * 2**27)
    with pytest.raises(InputRefused) as refusal:
        ingest_folder(tmp_path, ingest_settings(worker_memory_mib=1024, worker_seconds=1), HMAC_KEY)
    assert refusal.value.file == str(tmp_path)
    assert "its files could not be listed" in refusal.value.rule
