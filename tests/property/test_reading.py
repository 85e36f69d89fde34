"""Reading never changes, loses or invents a row, for any text."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import ReadResult, read_delimited, read_json_lines, read_json_records
from data_contracts.values.casting import cast_columns
from tests.factories.contracts import column, contract_of, delimited, text_contract

# A busy machine must not decide a test.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLAIN = text_contract("a", "b", "c")
QUOTED = text_contract("a", "b", "c", quote='"')
MULTILINE = text_contract("a", "b", "c", quote='"', quotedNewlines=True)
ONE_COLUMN = text_contract("a", quote='"', quotedNewlines=True)

# Characters that other readers trip over: separators, quotes, line ends of many kinds, marks, wide and narrow letters.
HOSTILE = st.text(
    st.sampled_from([*"ab1 ,;\t\"'\\|#", "\n", "\r", "\x0b", "\x85", "\u2028", "\ufeff", "名", "é"]), max_size=8
)
ONE_LINE = HOSTILE.map(lambda text: text.replace("\n", "").replace("\r", ""))
SIMPLE = ONE_LINE.map(lambda text: text.replace(",", ""))


def read_rows(result: ReadResult) -> list[tuple[str, ...]]:
    columns = [name for name in result.rows.column_names if name != "source_row"]
    return [tuple(row[name] for name in columns) for row in result.rows.to_pylist()]


def accounted(result: ReadResult) -> bool:
    return result.rows_in == result.rows.num_rows + result.quarantined.num_rows


def written(rows: list[tuple[str, ...]], line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    file = io.StringIO()
    file.write("A,B,C" + line_end)
    csv.writer(file, lineterminator=line_end, quoting=quoting).writerows(rows)
    return file.getvalue().encode()


@unhurried
@given(st.lists(st.tuples(SIMPLE, SIMPLE, SIMPLE), max_size=8))
def test_unquoted_text_is_read_unchanged(rows: list[tuple[str, ...]]) -> None:
    data = "\n".join(["A,B,C", *(",".join(row) for row in rows)]).encode()
    result = read_delimited(data, PLAIN, "f")
    assert read_rows(result) == rows
    assert accounted(result)


@unhurried
@given(st.lists(st.tuples(ONE_LINE, ONE_LINE, ONE_LINE), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_quoted_text_is_read_unchanged(rows: list[tuple[str, ...]], line_end: str) -> None:
    for contract in (QUOTED, MULTILINE):
        result = read_delimited(written(rows, line_end), contract, "f")
        assert read_rows(result) == rows
        assert result.quarantined.num_rows == 0


def holds_a_row(cell: str) -> bool:
    """Return whether a line inside the cell could be a row of its own: such cells are set aside on purpose."""
    return any(line.count(",") >= 2 for line in cell.split("\n"))


@unhurried
@given(st.lists(st.tuples(ONE_LINE, HOSTILE.filter(lambda cell: not holds_a_row(cell)), ONE_LINE), max_size=8))
def test_fields_over_several_lines_are_read_unchanged(rows: list[tuple[str, ...]]) -> None:
    # Left to itself the csv module does not quote a carriage return.
    data = written(rows, quoting=csv.QUOTE_ALL)
    result = read_delimited(data, MULTILINE, "f")
    assert read_rows(result) == rows
    originals = result.origin.original_of(result.rows["source_row"].to_pylist())
    assert b"".join(original + b"\n" for original in originals if original is not None) == data[len(b"A,B,C\n") :]


@unhurried
@given(st.binary(max_size=60))
@example(b'"')
@example(b'1,"\n"x,2,3\n4,5,6\n')
def test_each_line_of_any_bytes_below_a_header_is_read_or_set_aside(tail: bytes) -> None:
    for contract in (PLAIN, QUOTED, MULTILINE):
        refused = False
        try:
            result = read_delimited(b"A,B,C\n" + tail, contract, "f")
        except InputRefused:
            refused = True
        assert refused is not decodes(tail)
        if refused:
            continue
        assert accounted(result)
        assert covers_every_line(b"A,B,C\n" + tail, result)


def decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def covers_every_line(data: bytes, result: ReadResult) -> bool:
    """Return whether rows and quarantine contain every byte except header, line ends and blank lines."""
    numbers = [*result.rows["source_row"].to_pylist(), *result.quarantined["source_row"].to_pylist()]
    originals = [original or b"" for original in result.origin.original_of(numbers)]
    lines = data.split(b"\n")
    taken: set[int] = set()
    for number, original in zip(numbers, originals, strict=True):
        span = set(range(number - 1, number + original.count(b"\n")))
        assert not span & taken, "a line was used twice"
        assert original.split(b"\n")[0] == lines[number - 1].removesuffix(b"\r") or number == len(lines)
        taken |= span
    left = [line for place, line in enumerate(lines) if place not in taken and place > 0]
    return all(line in {b"", b"\r"} for line in left)


@unhurried
@given(st.lists(st.tuples(ONE_LINE, ONE_LINE, ONE_LINE), min_size=3, max_size=8), st.data())
def test_one_damaged_line_affects_no_other(rows: list[tuple[str, ...]], data: st.DataObject) -> None:
    lines = written(rows).decode().split("\n")[:-1]
    hurt = data.draw(st.integers(1, len(rows)))
    place = data.draw(st.integers(0, len(lines[hurt])))
    lines[hurt] = lines[hurt][:place] + '"' + lines[hurt][place:]
    result = read_delimited("\n".join([*lines, ""]).encode(), QUOTED, "f")
    kept = dict(zip(result.rows["source_row"].to_pylist(), read_rows(result), strict=True))
    for number, row in enumerate(rows, start=1):
        assert number == hurt or kept[number + 1] == row
    assert accounted(result)


@unhurried
@given(st.lists(HOSTILE, max_size=6))
def test_a_single_column_is_read(cells: list[str]) -> None:
    data = b"A\n" + b"".join(b'"%s"\n' % cell.replace('"', '""').encode() for cell in cells)
    result = read_delimited(data, ONE_COLUMN, "f")
    assert accounted(result)
    assert all(row[0] in cells for row in read_rows(result))


TYPED: CompiledContract = contract_of(
    [column("amount", "number", header="A"), column("day", "date", header="B"), column("label", header="C")],
    server=delimited(),
)
AMOUNTS = st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=4, allow_nan=False)
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))


@unhurried
@given(st.lists(st.tuples(AMOUNTS, DAYS), max_size=10))
def test_amounts_and_dates_are_read_exactly(rows: list[tuple[Decimal, date]]) -> None:
    lines = [f"{amount:f},{day.isoformat()},x" for amount, day in rows]
    data = "\n".join(["A,B,C", *lines]).encode()
    result = cast_columns(read_delimited(data, TYPED, "f"), TYPED)
    assert [(row["amount"], row["day"]) for row in result.rows.to_pylist()] == rows


@unhurried
@given(st.lists(st.tuples(SIMPLE, SIMPLE, SIMPLE), max_size=8))
def test_a_cell_is_cast_missing_or_sets_its_row_aside(rows: list[tuple[str, ...]]) -> None:
    data = "\n".join(["A,B,C", *(",".join(row) for row in rows)]).encode()
    result = cast_columns(read_delimited(data, TYPED, "f"), TYPED)
    assert accounted(result)
    for row in result.rows.to_pylist():
        amount, day, _ = rows[row["source_row"] - 2]
        assert row["amount"] == (Decimal(amount.strip()) if amount.strip() else None)
        assert row["day"] is None
        assert not day.strip()


JSON_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=2), max_size=2)
)
JSON_FIELDS = st.fixed_dictionaries({"id": JSON_VALUES, "total": JSON_VALUES})
JSON_COLUMNS = [column("key", header="id"), column("amount", header="total")]
RECORDS = contract_of(JSON_COLUMNS, server={"format": "json"})
LINES = contract_of(JSON_COLUMNS, server={"format": "jsonl"})


@unhurried
@given(st.lists(JSON_FIELDS, max_size=6))
def test_json_records_and_lines_agree(records: list[dict[str, object]]) -> None:
    as_array = read_json_records(json.dumps(records).encode(), RECORDS, "f")
    assert as_array.rows_in == len(records)
    for row in as_array.rows.to_pylist():
        record = records[row["source_row"] - 1]
        if isinstance(record["id"], str):
            assert row["key"] == record["id"]
    if records:
        lines = "\n".join(json.dumps(record) for record in records)
        assert read_json_lines(lines.encode(), LINES, "f").rows.equals(as_array.rows)


@unhurried
@given(st.text(max_size=40))
def test_any_text_as_json_is_read_set_aside_or_refused(text: str) -> None:
    for read, contract in ((read_json_records, RECORDS), (read_json_lines, LINES)):
        try:
            assert accounted(read(text.encode(), contract, "f"))
        except InputRefused as refusal:
            message = str(refusal)
            if not message.isprintable():
                raise
