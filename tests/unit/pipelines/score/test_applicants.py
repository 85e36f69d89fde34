"""Applicant files: three formats with one meaning; every row comes out once, refused rows with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from data_contracts.errors import InputRefused
from pipelines.commands.blank_template import blank_template, write_blank_template
from pipelines.score.applicants import Applicants, join_codes, read_applicants

FEATURES = ("payout_sum", "refund_share")
HEADER = "applicant_id,seller_id,as_of,payout_sum,refund_share\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def opened(path: Path, as_of: date | None = None, features: tuple[str, ...] = FEATURES) -> Applicants:
    return read_applicants(path, features, as_of)


def rows(applicants: Applicants, size: int = 1000) -> list[dict[str, object]]:
    return [row for chunk in applicants.chunks(size) for row in chunk.to_pylist()]


def refusals(applicants: Applicants) -> list[str]:
    return [str(row["refusals"]) for row in rows(applicants)]


def test_suffixes_in_upper_case_mean_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.table({"applicant_id": ["A1"], "seller_id": ["S1"]}), tmp_path / "A.PARQUET")
    write(tmp_path / "A.CSV", "applicant_id,seller_id\nA1,S1\n")
    book = xlsxwriter.Workbook(str(tmp_path / "A.XLSX"))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["applicant_id", "seller_id"])
    sheet.write_row(1, 0, ["A1", "S1"])
    book.close()
    for name in ("A.PARQUET", "A.CSV", "A.XLSX"):
        found = rows(opened(tmp_path / name, date(2025, 6, 30)))
        assert [(row["applicant_id"], row["seller_id"], row["refusals"]) for row in found] == [("A1", "S1", "")], name


def test_csv_xlsx_and_parquet_of_the_same_rows_have_the_same_chunks(tmp_path: Path) -> None:
    table = pa.table(
        {
            "applicant_id": ["A1", "A2"],
            "seller_id": ["S000001", "S000002"],
            "as_of": pa.array([date(2025, 6, 30), date(2025, 3, 31)]),
            "payout_sum": [1234.5, None],
            "refund_share": [0.25, -3.0],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    text = HEADER + "A1,S000001,2025-06-30,1234.5,0.25\nA2,S000002,2025-03-31,,-3\n"
    write(tmp_path / "a.csv", text)
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, table.column_names)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for index, row in enumerate(table.to_pylist(), start=1):
        sheet.write_row(index, 0, [row["applicant_id"], row["seller_id"]])
        sheet.write_datetime(index, 2, datetime.combine(row["as_of"], datetime.min.time()), day)
        sheet.write_row(index, 3, ["" if row[name] is None else row[name] for name in FEATURES])
    book.close()
    of_parquet, of_csv, of_xlsx = (rows(opened(tmp_path / f"a.{suffix}")) for suffix in ("parquet", "csv", "xlsx"))
    for row in (*of_parquet, *of_csv, *of_xlsx):
        assert row.pop("source_row") in (1, 2, 3)  # physical: a header is a row of a text file and none of Parquet
    assert of_parquet == of_csv == of_xlsx
    assert of_csv[0] == {
        "applicant_id": "A1",
        "seller_id": "S000001",
        "as_of": date(2025, 6, 30),
        "refusals": "",
        "payout_sum": 1234.5,
        "refund_share": 0.25,
    }


def test_columns_may_be_in_any_order_and_extra_ones_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Refund_Share,AS OF, Seller_ID ,comment,payout_sum\n0.5,2025-06-30,S1,hello,7\n")
    applicants = opened(path)
    (row,) = rows(applicants)
    assert (row["seller_id"], row["refund_share"], row["payout_sum"]) == ("S1", 0.5, 7.0)
    assert "comment" in " ".join(applicants.notes)


def test_a_file_without_features_is_a_list_of_identifiers(tmp_path: Path) -> None:
    applicants = opened(write(tmp_path / "a.csv", "seller_id\nS1\nS2\n"), as_of=date(2025, 6, 30))
    assert applicants.kind == "identifiers"
    assert [(row["applicant_id"], row["as_of"]) for row in rows(applicants)] == [
        ("S1", date(2025, 6, 30)),
        ("S2", date(2025, 6, 30)),
    ]


def test_a_date_in_the_file_goes_before_the_date_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "seller_id,as_of\nS1,2025-03-31\nS2,\n")
    found = [row["as_of"] for row in rows(opened(path, as_of=date(2025, 6, 30)))]
    assert found == [date(2025, 3, 31), date(2025, 6, 30)]


def test_a_rows_missing_cells_are_named_and_the_other_rows_go_on(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        HEADER
        + "A1,S1,2025-06-30,1,2\n"
        + "A2,,2025-06-30,1,2\n"
        + "A3,S3,,1,2\n"
        + "A4,S4,2025-02-30,1,2\n"
        + 'A5,S5,2025-06-30,"1,5",x\n'
        + "A6,S6,2025-06-30,1e999,inf\n"
        + "too,short\n"
        + "A7,S\0,2025-06-30,1,2\n"
        + "A8,S8,2025-06-30,1,2,3\n",
    )
    assert refusals(opened(path)) == [
        "",
        "missing_seller_id",
        "missing_as_of",
        "unreadable_value:as_of",
        "unreadable_value:payout_sum;unreadable_value:refund_share",
        "unreadable_value:payout_sum;unreadable_value:refund_share",
        "unreadable_row",
        "unreadable_value:seller_id",
        "unreadable_row",
    ]
    assert [row["source_row"] for row in rows(opened(path))] == [2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_rows_of_the_same_applicant_and_date_are_all_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "seller_id,as_of\nS1,2025-06-30\nS2,2025-06-30\nS1,2025-03-31\nS1,2025-06-30\n",
    )
    assert refusals(opened(path)) == ["duplicate_applicant", "", "", "duplicate_applicant"]


def test_a_date_filled_in_can_make_a_duplicate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "seller_id,as_of\nS1,2025-06-30\nS1,\n")
    assert refusals(opened(path, as_of=date(2025, 6, 30))) == ["duplicate_applicant"] * 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_the_size_of_a_chunk_changes_nothing(tmp_path: Path, suffix: str, size: int) -> None:
    table = pa.table(
        {
            "seller_id": ["S1", "S2", "S1", None, "S5"],
            "as_of": ["2025-06-30", "2025-06-30", "2025-06-30", "2025-06-30", "nonsense"],
            "payout_sum": [1.0, float("inf"), 3.0, 4.0, 5.0],
            "refund_share": [1.0, 2.0, None, 4.0, 5.0],
        }
    )
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path, row_group_size=2)
    else:
        table.to_pandas().to_csv(path, index=False)
    assert next(chunk.num_rows for chunk in opened(path).chunks(size)) <= size
    assert rows(opened(path), size) == rows(opened(path), 5)
    assert refusals(opened(path)) == [
        "duplicate_applicant",
        "unreadable_value:payout_sum",
        "duplicate_applicant",
        "missing_seller_id",
        "unreadable_value:as_of",
    ]


def test_parquet_takes_the_types_other_programs_write(tmp_path: Path) -> None:
    table = pa.table(
        {
            "seller_id": pa.array(["S1", "S2"]).dictionary_encode(),
            "as_of": pa.array([datetime(2025, 6, 30, tzinfo=UTC), datetime(2025, 6, 30, 8, tzinfo=UTC)]),
            "payout_sum": pa.array([5, None], pa.int64()),
            "refund_share": pa.array([float("nan"), 0.5], pa.float32()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = rows(opened(tmp_path / "a.parquet"))
    assert (first["as_of"], first["payout_sum"], first["refund_share"]) == (date(2025, 6, 30), 5.0, None)
    assert (second["as_of"], second["refusals"]) == (None, "unreadable_value:as_of")


@pytest.mark.parametrize(
    ("column", "values"),
    [("seller_id", [1]), ("payout_sum", ["many"]), ("as_of", [20250630]), ("seller_id", [b"S1"])],
)
def test_a_parquet_column_of_the_wrong_type_is_refused_by_name(
    tmp_path: Path, column: str, values: list[object]
) -> None:
    columns: dict[str, list[Any]] = {"seller_id": ["S1"], "as_of": ["2025-06-30"]}
    columns |= {"payout_sum": [1.0], "refund_share": [1.0], column: values}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match=column):
        rows(opened(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", HEADER, "no applicants"),
        ("a.csv", "as_of,payout_sum,refund_share\n2025-06-30,1,2\n", "seller_id"),
        ("a.csv", "seller_id,payout_sum\nS1,1\n", "'refund_share'"),
        ("a.csv", "seller_id,seller_id\nS1,S2\n", "twice"),
        ("a.txt", "seller_id\nS1\n", "'.txt' is not read"),
        ("a.parquet", "seller_id\nS1\n", "not readable as Parquet"),
        ("a.xlsx", "seller_id\nS1\n", "workbook"),
        ("a.csv", "PK\x03\x04\n\0\n", "its content is a workbook or another ZIP archive, not CSV"),
        ("a.csv", "PAR1\n", "its content is Parquet, not CSV"),
    ],
)
def test_a_file_that_cannot_serve_is_refused_in_one_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputRefused, match=said) as caught:
        opened(path)
    assert str(path) in str(caught.value)
    assert "remedy" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("seller_id,名前と注文番号\nS1,セラー\n".encode("cp932"))
    with pytest.raises(InputRefused, match="Shift-JIS"):
        opened(tmp_path / "a.csv")


def test_a_cell_that_is_not_utf8_spoils_no_other_row_and_an_unused_one_not_even_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b'seller_id,as_of,note\nS1,2025-06-30,Stra\xdfe\n"S\n\xff2",2025-06-30,a\nS3,2025-\0-30,b\nS4,2025-06-30,c\n'
    )
    applicants = opened(tmp_path / "a.csv")
    assert refusals(applicants) == ["", "unreadable_value:seller_id", "unreadable_value:as_of", ""]
    assert [row["source_row"] for row in rows(applicants)] == [2, 3, 5, 6]
    assert "not UTF-8" in " ".join(applicants.notes)


def test_a_parquet_text_that_is_not_utf8_spoils_no_other_row(tmp_path: Path) -> None:
    texts = pa.array([b"S1", b"Stra\xdfe", None, b" "], pa.binary())
    for kind in (pa.string(), pa.large_string()):
        sellers = texts.cast(pa.large_binary() if kind == pa.large_string() else pa.binary()).view(kind)
        pq.write_table(pa.table({"seller_id": sellers, "as_of": ["2025-06-30"] * 4}), tmp_path / "a.parquet")
        found = refusals(opened(tmp_path / "a.parquet"))
        assert found == ["", "unreadable_value:seller_id", "missing_seller_id", "missing_seller_id"]


def test_a_blank_text_of_a_dictionary_is_missing(tmp_path: Path) -> None:
    table = pa.table({"seller_id": pa.array(["S1", " "]).dictionary_encode(), "as_of": ["2025-06-30"] * 2})
    pq.write_table(table, tmp_path / "a.parquet")
    assert refusals(opened(tmp_path / "a.parquet")) == ["", "missing_seller_id"]


@pytest.mark.parametrize(
    ("days", "kind"),
    [
        ([2**31 - 1, -(2**31), -719_163, 47_847], pa.date32()),
        ([2**63 - 1, -(2**63), 86_400_000 * 2_932_897, 4_133_980_800_000], pa.timestamp("ms", "Asia/Shanghai")),
        ([2**63 - 1, -(2**63), 10**18, 4_133_980_800_000_000], pa.timestamp("us")),
    ],
    ids=["days", "instants of a zone", "instants"],
)
def test_a_parquet_date_beyond_every_calendar_is_unreadable(tmp_path: Path, days: list[int], kind: pa.DataType) -> None:
    plain: Any = pa.array(days, pa.int32() if pa.types.is_date32(kind) else pa.int64())
    pq.write_table(pa.table({"seller_id": ["S1", "S2", "S3", "S4"], "as_of": plain.view(kind)}), tmp_path / "a.parquet")
    assert refusals(opened(tmp_path / "a.parquet")) == ["unreadable_value:as_of"] * 4


def test_a_parquet_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    columns = [pa.array(["S1"]), pa.array(["S2"]), pa.array(["x"]), pa.array(["y"])]
    for names in (["seller_id", "seller_id", "a", "b"], ["seller_id", "SELLER_ID", "a", "b"]):
        pq.write_table(pa.Table.from_arrays(columns, names=names), tmp_path / "a.parquet")
        with pytest.raises(InputRefused, match="column 'seller_id': the header occurs twice"):
            opened(tmp_path / "a.parquet")


def test_a_number_as_identifier_of_a_workbook_is_whole_or_refused(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    sheet = book.add_worksheet()
    for number, row in enumerate([["applicant_id", "seller_id"], ["A", 2.0], ["B", 2.2312025e17], [1e16, "S3"]]):
        sheet.write_row(number, 0, row)
    book.close()
    found = rows(opened(tmp_path / "a.xlsx", as_of=date(2025, 6, 30)))
    assert [row["seller_id"] for row in found] == ["2", "2.2312025E+17", "S3"]
    assert [row["refusals"] for row in found] == ["", "digits_lost:seller_id", "digits_lost:applicant_id"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_identifier_of_which_a_spreadsheet_lost_digits_is_refused(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"seller_id": ["2.23120E+17", "S2", "S3"], "as_of": ["2025-06-30"] * 3})
    if suffix == "csv":
        table.to_pandas().to_csv(tmp_path / "a.csv", index=False)
    else:
        pq.write_table(table, tmp_path / "a.parquet")
    assert refusals(opened(tmp_path / f"a.{suffix}")) == ["digits_lost:seller_id", "", ""]


def test_a_byte_order_mark_is_not_part_of_the_first_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("seller_id,as_of\nS1,2025-06-30\n".encode("utf-8-sig"))
    assert refusals(opened(tmp_path / "a.csv")) == [""]


def test_a_parquet_file_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    table = pa.table({"seller_id": [f"S{n:06d}" for n in range(500)], "as_of": ["2025-06-30"] * 500})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputRefused, match="not readable"):
        rows(opened(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file"):
        opened(tmp_path / "none.csv")


def test_codes_join_without_empty_ones() -> None:
    columns = (pa.array(["", "a", ""]), pa.array(["b", "c", ""]), pa.array(["", "", ""]))
    assert join_codes(*columns).to_pylist() == ["b", "a;c", ""]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize(
    "header",
    ["申请编号|卖家编号|数据截止日", "Application No.|Seller-Ref|As of", "Applicant ID|seller id|Cut-off date"],
)
def test_a_list_is_read_with_common_headers_separators_and_encodings(
    tmp_path: Path, header: str, encoding: str, delimiter: str
) -> None:
    text = f"{header}\nA-1|S-1042|2024/12/31\nA-2|S-7|{'2024年3月1日' if header > '~' else '2024/3/1'}\n".replace(
        "|", delimiter
    )
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    head, *lines = [line.split(delimiter) for line in text.splitlines()]
    pq.write_table(pa.table(dict(zip(head, zip(*lines, strict=True), strict=True))), tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        found = [(row["applicant_id"], row["seller_id"], row["as_of"]) for row in rows(opened(tmp_path / name))]
        assert found == [("A-1", "S-1042", date(2024, 12, 31)), ("A-2", "S-7", date(2024, 3, 1))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_template_of_a_list_can_be_scored_as_it_is(tmp_path: Path, language: Literal["en", "zh"]) -> None:
    write_blank_template(tmp_path / "a.csv", blank_template("applicants", language))
    (row,) = rows(opened(tmp_path / "a.csv"))
    assert (row["applicant_id"], row["seller_id"], row["as_of"]) == ("A-1", "S-1042", date(2024, 12, 31))
    assert row["refusals"] == ""
