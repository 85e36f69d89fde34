from __future__ import annotations

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.delimited import reader
from data_contracts.reading.dispatch import ReadResult, read_delimited, read_file
from tests.factories.contracts import column, contract_of, delimited, text_contract

PLAIN = text_contract("a", "b")
QUOTED = text_contract("a", "b", "c", quote='"')
MULTILINE = text_contract("a", "b", "c", quote='"', quotedNewlines=True)


def cells(result: ReadResult) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in result.rows.to_pylist()]


def aside(result: ReadResult) -> list[tuple[int, str, bytes]]:
    return [(r["source_row"], r["rule_id"], r["original"]) for r in result.quarantined.to_pylist()]


def test_text_stays_text() -> None:
    result = read_delimited(b"A,B\n000123,NA\n1e5, x \n,\n", PLAIN, "f")
    assert cells(result) == [("000123", "NA", 2), ("1e5", " x ", 3), ("", "", 4)]
    assert result.rows_in == 3
    assert result.headers == ("a", "b")


def test_columns_are_in_contract_order_whatever_their_order_in_the_file() -> None:
    result = read_delimited(b"x,B,A\n0,2,1\n", PLAIN, "f")
    assert cells(result) == [("1", "2", 2)]
    assert "'x'" in result.notes[0]


def test_line_ends_may_be_mixed_and_the_last_may_be_missing() -> None:
    result = read_delimited(b"A,B\r\n1,2\n3,4\r\n5,6", PLAIN, "f")
    assert cells(result) == [("1", "2", 2), ("3", "4", 3), ("5", "6", 4)]
    assert any("truncated" in note for note in result.notes)


def test_only_line_feeds_end_lines() -> None:
    text = "A,B\n1,x\u2028y\x0bz\x0c\x85\n"
    assert cells(read_delimited(text.encode(), PLAIN, "f")) == [("1", "x\u2028y\x0bz\x0c\x85", 2)]


def test_blank_lines_are_not_rows_but_count_as_lines() -> None:
    result = read_delimited(b"A,B\n\n1,2\r\n\r\n3,4\n", PLAIN, "f")
    assert cells(result) == [("1", "2", 3), ("3", "4", 5)]
    assert result.rows_in == 2
    assert "2 blank lines" in result.notes[0]


def test_lines_of_the_wrong_width_are_set_aside_with_their_bytes() -> None:
    result = read_delimited(b"A,B\n1\n1,2\n1,2,3\r\n4,5\n", PLAIN, "f")
    assert cells(result) == [("1", "2", 3), ("4", "5", 5)]
    assert aside(result) == [(2, "line:width", b"1"), (4, "line:width", b"1,2,3")]
    assert result.quarantined["value"].to_pylist() == ["1 fields instead of 2", "3 fields instead of 2"]
    assert result.rows_in == 4


def test_a_repeated_header_is_set_aside() -> None:
    result = read_delimited(b"A,B\n1,2\nA,B\n3,4\n", PLAIN, "f")
    assert aside(result) == [(3, "line:repeated_header", b"A,B")]


def test_a_stray_carriage_return_sets_only_its_line_aside() -> None:
    result = read_delimited(b"A,B\n1,2\rx\n3,4\r\r\n5,6\n", PLAIN, "f")
    assert cells(result) == [("5", "6", 4)]
    assert [rule for _, rule, _ in aside(result)] == ["line:carriage_return"] * 2


def test_without_a_quote_character_quotes_are_text() -> None:
    assert cells(read_delimited(b'A,B\n"1,2"\n', PLAIN, "f")) == [('"1', '2"', 2)]


def test_a_file_with_only_a_header_has_no_rows() -> None:
    result = read_delimited(b"A,B\n", PLAIN, "f")
    assert (result.rows.num_rows, result.rows_in) == (0, 0)
    assert result.rows.column_names == ["a", "b", "source_row"]


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_a_file_without_header_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused, match="empty"):
        read_delimited(data, PLAIN, "f.csv")


def test_a_missing_column_refuses_the_file() -> None:
    with pytest.raises(InputRefused, match=r"file f.csv, row 1, column 'B': missing columns: 'B'"):
        read_delimited(b"A,C\n1,2\n", PLAIN, "f.csv")


def test_a_file_with_carriage_returns_only_is_refused() -> None:
    with pytest.raises(InputRefused, match="missing columns"):
        read_delimited(b"A,B\r1,2\r3,4\r", PLAIN, "f")


def test_the_header_is_found_below_a_preamble() -> None:
    contract = text_contract("a", "b", preamble=True, quote='"')
    result = read_delimited(b'"Report of May"\n"All amounts, in USD"\n\n"B","A"\n2,1\n', contract, "f")
    assert cells(result) == [("1", "2", 5)]


def test_a_preamble_is_refused_if_the_contract_has_none() -> None:
    with pytest.raises(InputRefused, match="missing columns"):
        read_delimited(b"Report of May\nA,B\n1,2\n", PLAIN, "f")


def test_quoted_fields_hold_delimiters_and_doubled_quotes() -> None:
    result = read_delimited(b'A,B,C\n"1,5","say ""hi""",""\n"""","",x\n', QUOTED, "f")
    assert cells(result) == [("1,5", 'say "hi"', "", 2), ('"', "", "x", 3)]


@pytest.mark.parametrize(
    "line", [b'1,"x,2', b'1,x"y,2', b'1,"x"y,2', b'1, "x",2', b'1,"x" ,2', b'1,"x""y,2', b'"1,2,3']
)
def test_a_misplaced_quote_sets_only_its_line_aside(line: bytes) -> None:
    for contract in (QUOTED, MULTILINE):
        result = read_delimited(b'A,B,C\n"a",b,c\n' + line + b'\nd,"e",f\ng,h,i\n', contract, "f")
        assert cells(result) == [("a", "b", "c", 2), ("d", "e", "f", 4), ("g", "h", "i", 5)]
        assert aside(result) == [(3, "line:quote", line)]


def test_a_quoted_field_may_span_lines_if_the_contract_allows_it() -> None:
    data = b'A,B,C\n1,"first\n\nthird, line ""x""",2\n3,4,5\n6,"a\r\nb","c\nd"\n'
    result = read_delimited(data, MULTILINE, "f")
    assert cells(result) == [
        ("1", 'first\n\nthird, line "x"', "2", 2),
        ("3", "4", "5", 5),
        ("6", "a\r\nb", "c\nd", 6),
    ]
    assert result.notes == ()
    assert result.origin.original_of([5, 2]) == [b"3,4,5", b'1,"first\n\nthird, line ""x""",2']


def test_a_quoted_field_over_lines_is_set_aside_if_the_contract_forbids_it() -> None:
    result = read_delimited(b'A,B,C\n1,"a\nb",2\n3,4,5\n', QUOTED, "f")
    assert cells(result) == [("3", "4", "5", 4)]
    assert [row for row, _, _ in aside(result)] == [2, 3]


def test_an_unclosed_quote_does_not_swallow_later_rows() -> None:
    data = b'A,B,C\n1,"lost,2\n3,4,5\n6,"7",8\n'
    result = read_delimited(data, MULTILINE, "f")
    assert cells(result) == [("3", "4", "5", 3), ("6", "7", "8", 4)]
    assert aside(result) == [(2, "line:quote", b'1,"lost,2')]


def test_lines_that_are_one_row_or_several_are_all_set_aside() -> None:
    result = read_delimited(b'A,B,C\n1,"lost,2\n3,4,5\n\n6,7",8\n9,9,9\n', MULTILINE, "f")
    assert cells(result) == [("9", "9", "9", 6)]
    assert [(row, rule) for row, rule, _ in aside(result)] == [(row, "line:quote") for row in (2, 3, 4, 5)]
    assert result.rows_in == 5


def test_two_missing_quotes_far_apart_set_only_their_lines_aside() -> None:
    data = b'A,B,C\n1,"lost,2\n' + b"3,4,5\n" * 200 + b'6,7",8\n'
    result = read_delimited(data, MULTILINE, "f")
    assert result.rows.num_rows == 200
    assert [row for row, _, _ in aside(result)] == [2, 203]


def test_a_carriage_return_inside_quotes_is_text_if_fields_may_span_lines() -> None:
    assert cells(read_delimited(b'A,B,C\n1,"a\rb",2\n', MULTILINE, "f")) == [("1", "a\rb", "2", 2)]
    assert aside(read_delimited(b'A,B,C\n1,"a\rb",2\n', QUOTED, "f"))[0][1] == "line:carriage_return"
    assert aside(read_delimited(b'A,B,C\n1,"a",2\rb\n', MULTILINE, "f"))[0][1] == "line:carriage_return"


def test_a_byte_order_mark_inside_the_file_stays_text() -> None:
    assert cells(read_delimited("A,B\n\ufeff1,2\n".encode(), PLAIN, "f")) == [("\ufeff1", "2", 2)]


def test_originals_are_the_delivered_bytes_in_any_encoding() -> None:
    contract = contract_of(
        [column("a", header="金额"), column("b", header="b")], server={**delimited(), "encoding": "gb18030"}
    )
    data = "金额,b\n十,二\n三\n".encode("gb18030")
    result = read_delimited(data, contract, "f")
    assert cells(result) == [("十", "二", 2)]
    assert result.origin.original_of([2]) == ["十,二".encode("gb18030")]
    assert aside(result) == [(3, "line:width", "三".encode("gb18030"))]


def test_a_column_that_may_be_absent_is_empty_and_not_among_the_headers() -> None:
    columns = [column("a", header="A"), column("b", header="B", custom={"optionalHeader": True})]
    result = read_delimited(b"A\n1\n", contract_of(columns, server=delimited()), "f")
    assert cells(result) == [("1", "", 2)]
    assert result.headers == ("a",)


def test_a_column_with_an_empty_header_is_read() -> None:
    contract = contract_of([column("label", header=""), column("a", header="A")], server=delimited("\t"))
    assert cells(read_delimited(b"\tA\n7\t1\n", contract, "f")) == [("7", "1", 2)]


def test_the_origin_names_the_bytes_that_were_read() -> None:
    origin = read_file(b"A,B\n", PLAIN, "x/f.csv").origin
    assert (origin.source, origin.source_file) == ("tiny@1.0.0", "x/f.csv")
    assert len(origin.source_sha256 or "") == 64


def test_a_source_in_another_format_is_not_read_as_delimited_text() -> None:
    with pytest.raises(ConfigurationRefused, match="not a delimited source"):
        read_delimited(b"[]", contract_of([column("a")], server={"format": "json"}), "f")


def test_a_table_contract_reads_no_file() -> None:
    with pytest.raises(ConfigurationRefused, match="does not describe a raw file"):
        read_file(b"x", contract_of([column("a")]), "f")


def test_a_large_file_with_few_bad_lines_loses_only_those() -> None:
    good = b"".join(b"%d,%d\n" % (i, i) for i in range(30_000))
    data = b"A,B\n" + good + b"bad\n" + good + b"A,B\n" + good
    result = read_delimited(data, PLAIN, "f")
    assert result.rows.num_rows == 90_000
    assert [row for row, _, _ in aside(result)] == [30_002, 60_003]
    assert result.rows["source_row"][30_000].as_py() == 30_003


def test_a_quoted_line_break_may_fall_between_two_blocks_of_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_SMALL_FILE_BYTES", 64)
    expected = [("1" * length, "first\nsecond, and third", "x") for length in range(1, 90)]
    text = "A,B,C\n" + "".join(f'{a},"{b}",{c}\n' for a, b, c in expected)
    result = read_delimited(text.encode(), MULTILINE, "f")
    assert [row[:3] for row in cells(result)] == expected
    assert [row[3] for row in cells(result)] == list(range(2, 2 + 2 * len(expected), 2))
    assert result.quarantined.num_rows == 0


@pytest.mark.parametrize(("breaks", "is_one"), [(101, True), (1000, True), (1001, False)])
def test_a_cell_may_hold_a_thousand_line_breaks(breaks: int, is_one: bool) -> None:
    cell = "x\n" * breaks + "y"
    result = read_delimited(f'A,B,C\n1,"{cell}",3\n4,5,6\n'.encode(), MULTILINE, "f")
    assert cells(result)[-1] == ("4", "5", "6", breaks + 3)
    assert (cells(result)[0] == ("1", cell, "3", 2)) is is_one
    assert (result.quarantined.num_rows == 0) is is_one


@pytest.mark.parametrize(("between", "doubtful"), [(99, True), (100, False)])
def test_a_quote_that_may_span_whole_records_is_doubtful_only_over_a_hundred_lines(
    between: int, doubtful: bool
) -> None:
    rows = "".join(f"{number},b,c\n" for number in range(between))
    result = read_delimited(f'A,B,C\n1,"open,2\n{rows}3,close",4\n'.encode(), MULTILINE, "f")
    assert (result.rows.num_rows == 0) is doubtful
    assert result.rows.num_rows == (0 if doubtful else between)
