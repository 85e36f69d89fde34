from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.dispatch import ReadResult, read_file, read_json_lines, read_json_records
from tests.factories.contracts import column, contract_of

SERVER = {"format": "json"}


def json_contract(columns: Sequence[Mapping[str, Any]], **custom: object) -> CompiledContract:
    properties = [{"property": key, "value": value} for key, value in custom.items()]
    return contract_of(columns, server={**SERVER, "customProperties": properties})


def records_contract(**custom: object) -> CompiledContract:
    return json_contract([column("entry", header="entryId"), column("total", header="declTotal")], **custom)


FLAT = records_contract()
ITEMS = contract_of(
    [column("entry", header="entryId"), column("code", header="decList.codeTs")],
    server={**SERVER, "customProperties": [{"property": "itemPath", "value": "decList"}]},
)


def rows(result: ReadResult) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in result.rows.to_pylist()]


def aside(result: ReadResult) -> list[tuple[int, str, str | None]]:
    return [(r["source_row"], r["rule_id"], r["column"]) for r in result.quarantined.to_pylist()]


def read(text: str, contract: CompiledContract = FLAT) -> ReadResult:
    return read_json_records(text.encode(), contract, "f.json")


def test_numbers_keep_every_digit() -> None:
    text = '[{"entryId": "001", "declTotal": 0.10}, {"entryId": 12345678901234567890, "declTotal": 1e2}]'
    assert rows(read(text)) == [("001", "0.10", 1), ("12345678901234567890", "1e2", 2)]


def test_absent_and_null_values_are_empty_and_booleans_are_words() -> None:
    text = '[{"entryId": null, "declTotal": true}, {"entryId": "1"}]'
    assert rows(read(text)) == [("", "true", 1), ("1", "", 2)]


def test_each_item_is_a_row_that_repeats_the_record() -> None:
    first = '{"entryId": "x", "decList": [{"codeTs": "1"}, {"codeTs": "2"}]}'
    second = '{"entryId": "y", "decList": [{"codeTs": 3}]}'
    result = read(f"[{first}, {second}]", ITEMS)
    assert result.rows.column_names == ["entry", "code", "source_row", "source_item"]
    assert rows(result) == [("x", "1", 1, 1), ("x", "2", 1, 2), ("y", "3", 2, 1)]


def test_bad_records_and_items_are_set_aside_with_their_text() -> None:
    records = [
        '{"entryId": "1", "entryId": "2", "decList": [{"codeTs": "1"}]}',
        '"word"',
        '{"entryId": "3", "decList": []}',
        '{"entryId": "4", "decList": [{"codeTs": NaN}, {"codeTs": "ok"}, 7, {"codeTs": {"a": 1}}]}',
        '{"entryId": "好\\u0000", "decList": [{"codeTs": "1"}]}',
    ]
    result = read("[" + ",\n ".join(records) + "]", ITEMS)
    assert rows(result) == [("4", "ok", 4, 2)]
    assert aside(result) == [
        (1, "json:repeated_key", None),
        (2, "json:record", None),
        (3, "json:items", "decList"),
        (4, "json:not_a_number", "code"),
        (4, "json:record", "decList"),
        (4, "json:value", "code"),
        (5, "json:value", "entry"),
    ]
    originals = result.quarantined["original"].to_pylist()
    assert [text.decode() for text in originals] == [*records[:4], records[3], records[3], records[4]]
    assert result.rows_in == 8


def test_a_key_repeated_deep_inside_sets_the_record_aside() -> None:
    result = read('[{"entryId": "1", "declTotal": "2", "more": [{"a": 1, "a": 2}]}]')
    assert aside(result) == [(1, "json:repeated_key", None)]


def test_records_are_found_at_the_path_of_the_contract() -> None:
    contract = records_contract(recordPath="data.list")
    text = '{"n": [1, {"list": 2}], "data": {"x": "]", "list": [{"entryId": "1", "declTotal": [2, 3]}]}}'
    result = read(text, contract)
    assert result.quarantined["original"].to_pylist() == [b'{"entryId": "1", "declTotal": [2, 3]}']
    for wrong in ('{"data": {"list": {}}}', '{"data": []}', "[]", "7"):
        with pytest.raises(InputRefused, match=r"no array of records at data\.list"):
            read(wrong, contract)


@pytest.mark.parametrize("text", ['[{"entryId": 1,]', '[{"entryId": 1}] x', "[", "'a'"])
def test_invalid_json_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(InputRefused, match=r"row 1: not valid JSON"):
        read(text)


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(InputRefused, match="nested too deeply"):
        read("[" * 200_000)


def test_a_field_missing_in_every_record_refuses_the_file() -> None:
    with pytest.raises(InputRefused, match="fields missing in every record: 'declTotal'"):
        read('[{"entryId": 1}, {"entryId": 2}]')


def test_an_empty_array_is_a_file_without_rows() -> None:
    result = read("[]")
    assert (result.rows.num_rows, result.rows_in) == (0, 0)


def test_unknown_fields_are_noted_or_refused() -> None:
    text = '[{"entryId": 1, "declTotal": 2, "new": 3}]'
    assert "'new'" in read(text).notes[0]
    assert read(text, records_contract(extraColumns="allow")).notes == ()
    with pytest.raises(InputRefused, match="not in the contract: 'new'"):
        read(text, records_contract(extraColumns="refuse"))


def lines_contract(**keywords: object) -> CompiledContract:
    columns = [column("key", header="id"), column("name", header="properties.name", **keywords)]
    return contract_of(columns, server={"format": "jsonl"})


def test_each_json_line_is_read_separately() -> None:
    lines = ['{"id": "1", "properties": {"name": ["a"]}}', "", "{broken", '{"id": "2", "properties": {}}']
    result = read_json_lines("\n".join(lines).encode(), lines_contract(), "f")
    assert rows(result) == [("1", "a", 1), ("2", "", 4)]
    assert aside(result) == [(3, "json:syntax", None)]
    assert result.quarantined["original"].to_pylist() == [b"{broken"]
    assert result.origin.original_of([4]) == [lines[3].encode()]


def test_a_list_of_several_values_needs_a_separator() -> None:
    line = json.dumps({"id": "1", "properties": {"name": ["a", "b"]}}).encode()
    assert aside(read_json_lines(line, lines_contract(), "f")) == [(1, "json:value", "name")]
    joined = lines_contract(custom={"listSeparator": ";"})
    assert rows(read_json_lines(line, joined, "f")) == [("1", "a;b", 1)]


def test_a_value_that_holds_the_separator_is_not_joined() -> None:
    line = json.dumps({"id": "1", "properties": {"name": ["a;b", "c"]}}).encode()
    assert aside(read_json_lines(line, lines_contract(custom={"listSeparator": ";"}), "f")) == [
        (1, "json:value", "name")
    ]


def test_a_json_text_column_keeps_any_value_with_the_digits_of_its_numbers() -> None:
    custom = [{"property": "jsonText", "value": True}]
    contract = contract_of([column("parts", customProperties=custom)], server=SERVER)
    text = (
        '[{"parts": [{"share": 0.10}, "é"]}, {"parts": "x"}, {"parts": null}, {"parts": [NaN]}, {"parts": ["\\u0000"]}]'
    )
    result = read(text, contract)
    assert rows(result) == [('[{"share":"0.10"},"é"]', 1), ('"x"', 2), ("", 3)]
    assert aside(result) == [(4, "json:not_a_number", "parts"), (5, "json:value", "parts")]


def test_the_format_of_the_contract_chooses_the_reader() -> None:
    assert read_file(b'[{"entryId": 1, "declTotal": 2}]', FLAT, "f").rows_in == 1
    with pytest.raises(ConfigurationRefused, match="not a jsonl source"):
        read_json_lines(b"{}", FLAT, "f")


LISTS = contract_of(
    [
        column("entry", header="entryId"),
        column("total", header="declTotal", custom={"recordOnly": True}),
        column("amount", header="sold.amount", synonyms=[{"synonym": "returned.amount"}]),
        column("reason", header="returned.reason", custom={"optionalHeader": True}),
    ],
    server={**SERVER, "customProperties": [{"property": "itemLists", "value": ["sold", "returned"]}]},
)


LISTS_LOOSE = contract_of(
    [column("entry", header="entryId")],
    server={**SERVER, "customProperties": [{"property": "itemLists", "value": ["sold"]}]},
)


def test_a_record_is_a_row_of_its_own_next_to_the_items_of_its_lists() -> None:
    text = json.dumps(
        [
            {"entryId": "1", "declTotal": 5, "sold": [{"amount": 7}], "returned": [{"amount": 2, "reason": "late"}]},
            {"entryId": "2", "declTotal": 0, "sold": None},
        ]
    )
    assert rows(read(text, LISTS)) == [
        ("1", "5", "", "", 1, 0),
        ("1", "", "7", "", 1, 1),
        ("1", "", "2", "late", 1, 2),
        ("2", "0", "", "", 2, 0),
    ]


def test_a_bad_item_of_a_list_sets_only_itself_aside() -> None:
    text = '[{"entryId": "1", "declTotal": 5, "sold": [3, {"amount": 7}], "returned": []}]'
    result = read(text, LISTS)
    assert rows(result) == [("1", "5", "", "", 1, 0), ("1", "", "7", "", 1, 2)]
    assert aside(result) == [(1, "json:record", "sold")]


def test_an_invalid_list_sets_its_record_aside() -> None:
    result = read(
        '[{"entryId": "1", "declTotal": 5, "sold": {"amount": 7}}, {"entryId": "2", "sold": []}]', LISTS_LOOSE
    )
    assert aside(result) == [(1, "json:items", "sold")]


def test_if_records_must_be_whole_a_bad_item_sets_all_items_aside() -> None:
    properties = [{"property": "itemPath", "value": "decList"}, {"property": "wholeRecords", "value": True}]
    contract = contract_of(
        [column("entry", header="entryId"), column("code", header="decList.codeTs")],
        server={**SERVER, "customProperties": properties},
    )
    torn = '{"entryId": "1", "decList": [{"codeTs": "1"}, {"codeTs": NaN}, {"codeTs": "3"}]}'
    result = read(f'[{torn}, {{"entryId": "2", "decList": [{{"codeTs": "4"}}]}}]', contract)
    assert rows(result) == [("2", "4", 2, 1)]
    assert sorted(aside(result), key=str) == [
        (1, "json:not_a_number", "code"),
        (1, "json:whole", None),
        (1, "json:whole", None),
    ]
    assert result.rows_in == 4


def test_a_list_that_is_json_inside_a_text_is_opened() -> None:
    columns = [column("id"), column("sku", header="lines.sku")]
    contract = json_contract(columns, itemPath="lines", jsonInText=["lines"])
    text = json.dumps([{"id": "1", "lines": json.dumps([{"sku": "a"}, {"sku": 2.50}])}, {"id": "2", "lines": "[oops"}])
    result = read(text, contract)
    assert rows(result) == [("1", "a", 1, 1), ("1", "2.5", 1, 2)]
    assert aside(result) == [(2, "json:items", "lines")]
    assert result.origin.original_of([2]) == [b'{"id": "2", "lines": "[oops"}']


def test_a_value_below_a_key_of_its_own_is_read_as_the_value() -> None:
    columns = [column("id", header="Id"), column("name", header="Body.Name")]
    contract = json_contract(columns, valueKey="$", otherRecordPaths=["records"])
    whole = {"Id": {"$": "1"}, "Body": {"Name": {"@lang": "en", "$": "x"}}}
    result = read(json.dumps({"records": [whole, {"Id": {"$": "2"}, "Body": []}]}), contract)
    assert rows(result) == [("1", "x", 1)]
    assert aside(result) == [(2, "json:value", "name")]
    assert rows(read('[{"Id": "1", "Body": {"Name": "x"}}]', contract)) == [("1", "x", 1)]


def test_one_record_may_stand_in_place_of_the_array_if_the_contract_says_so() -> None:
    contract = json_contract([column("a")], singleRecord=True)
    result = read(' {"a": ["x", "y"]}', contract)
    assert aside(result) == [(1, "json:value", "a")]
    assert result.origin.original_of([1]) == [b'{"a": ["x", "y"]}']
    assert rows(read('{"a": "x"}', contract)) == rows(read('[{"a": "x"}]', contract)) == [("x", 1)]
