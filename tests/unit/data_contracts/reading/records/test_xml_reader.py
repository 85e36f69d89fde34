"""XML is read as records of text; possible attacks and torn files are refused in one line."""

from __future__ import annotations

import pytest

from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.contract_match import FileStart, match_contracts
from data_contracts.reading.dispatch import ReadResult, read_file, read_xml
from data_contracts.reading.records import xml_text
from tests.factories.contracts import column, contract_of

NAMESPACE = 'xmlns:c="http://example.com/customs"'


def xml_contract(*columns: tuple[str, str], **custom: object) -> CompiledContract:
    given = {"recordPath": "Message.Order", "ignoreNamespaces": True, **custom}
    properties = [{"property": name, "value": value} for name, value in given.items() if value is not None]
    return contract_of(
        [column(name, header=header) for name, header in columns],
        server={"format": "xml", "encoding": "UTF-8", "customProperties": properties},
    )


FLAT = xml_contract(("number", "Head.no"), ("amount", "Head.total"))
ITEMS = xml_contract(("number", "no"), ("code", "Item.code"), itemPath="Items.Item")


def read(text: str | bytes, contract: CompiledContract = FLAT) -> ReadResult:
    data = text if isinstance(text, bytes) else text.encode()
    return read_xml(data, contract, "f.xml")


def rows(result: ReadResult) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in result.rows.to_pylist()]


def aside(result: ReadResult) -> list[tuple[int, str, str | None]]:
    return [(r["source_row"], r["rule_id"], r["column"]) for r in result.quarantined.to_pylist()]


def order(number: str, total: str = "1.50") -> str:
    return f"<Order><Head><no>{number}</no><total>{total}</total></Head></Order>"


def message(*records: str) -> str:
    return f"<Message>{''.join(records)}</Message>"


def refusal(text: str | bytes, contract: CompiledContract = FLAT) -> str:
    with pytest.raises(InputRefused) as refused:
        read(text, contract)
    assert "\n" not in str(refused.value)
    assert "file f.xml" in str(refused.value)
    return str(refused.value)


def test_each_record_is_a_row_of_text_with_every_digit_and_space() -> None:
    result = read(message(order("001", "0.10"), order(" a ", "1e2")))
    assert rows(result) == [("001", "0.10", 1), (" a ", "1e2", 2)]
    assert result.headers == ("number", "amount")


def test_namespaces_are_ignored_if_the_contract_says_so() -> None:
    text = f"<c:Message {NAMESPACE}><c:Order><c:Head><c:no>1</c:no><c:total>2</c:total></c:Head></c:Order></c:Message>"
    assert rows(read(text)) == [("1", "2", 1)]
    strict = xml_contract(("number", "Head.no"), ("amount", "Head.total"), ignoreNamespaces=None)
    assert rows(read(message(order("1")), strict)) == [("1", "1.50", 1)]
    assert "no record at Message.Order" in refusal(text, strict)


def test_each_item_is_a_row_that_repeats_the_record_and_one_item_is_a_list_of_one() -> None:
    two = "<Order><no>x</no><Items><Item><code>1</code></Item><Item><code>2</code></Item></Items></Order>"
    one = "<Order><no>y</no><Items><Item><code>3</code></Item></Items></Order>"
    result = read(message(two, one), ITEMS)
    assert result.rows.column_names == ["number", "code", "source_row", "source_item"]
    assert rows(result) == [("x", "1", 1, 1), ("x", "2", 1, 2), ("y", "3", 2, 1)]
    assert result.notes == ()


def test_a_record_without_items_or_with_a_repeated_value_is_set_aside_with_its_bytes() -> None:
    records = [
        "<Order><no>1</no><Items/></Order>",
        "<Order/>",
        "<Order><no>3</no><no>4</no><Items><Item><code>1</code></Item></Items></Order>",
        "<Order><no>好</no><Items><Item><code><deep>1</deep></code></Item><Item><code>ok</code></Item></Items></Order>",
    ]
    result = read(message(*records), ITEMS)
    assert rows(result) == [("好", "ok", 4, 2)]
    assert aside(result) == [
        (1, "xml:items", "Item"),
        (2, "xml:record", None),
        (3, "xml:value", "number"),
        (4, "xml:value", "code"),
    ]
    assert result.quarantined["original"].to_pylist() == [text.encode() for text in records]
    assert result.rows_in == 5


def test_comments_cdata_and_character_references_are_resolved() -> None:
    record = "<Order><Head><no><![CDATA[<1>]]></no><total>&#50;&amp;<!-- b --></total></Head></Order>"
    text = f"<!-- a --><Message><?tool x?>{record}</Message>"
    assert rows(read(text)) == [("<1>", "2&", 1)]


def test_unknown_fields_are_noted_or_refused() -> None:
    text = (
        "<Message xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>"
        "<Order day='1'><Head>stray<no i:nil='false'>1</no>"
        "<total unit='kg'>2</total><new>3</new></Head></Order><Envelope><no>9</no></Envelope></Message>"
    )
    result = read(text)
    assert rows(result) == [("1", "2", 1)]
    fields, beside = result.notes
    assert all(f"'{name}'" in fields for name in ("@day", "Head.#text", "Head.total@unit", "Head.new"))
    assert beside == "elements beside the records were ignored: 'Envelope'"
    known = (("number", "Head.no"), ("amount", "Head.total"))
    assert read(text, xml_contract(*known, extraColumns="allow")).notes == ()
    assert "not in the contract" in refusal(text, xml_contract(*known, extraColumns="refuse"))
    assert rows(read(text, xml_contract(("number", "@day"), ("amount", "Head.total@unit")))) == [("1", "kg", 1)]


def test_a_field_missing_in_every_record_refuses_the_file() -> None:
    assert "fields missing in every record: 'Head.total'" in refusal(message("<Order><Head><no>1</no></Head></Order>"))


@pytest.mark.parametrize("text", ["<Other/>", message(), "<Message><Orders/></Message>", order("1")])
def test_a_file_without_records_at_the_path_of_the_contract_is_refused(text: str) -> None:
    assert "no record at Message.Order" in refusal(text)


def test_the_declared_encoding_is_used_if_the_contract_allows_it() -> None:
    def declared(name: str, codec: str) -> bytes:
        return f'<?xml version="1.0" encoding="{name}"?>{message(order("报关单"))}'.encode(codec)

    several = xml_contract(("number", "Head.no"), ("amount", "Head.total"), declaredEncodings=["GB18030"])
    for name, codec in (("UTF-8", "utf-8"), ("utf-8", "utf-8-sig"), ("gb2312", "gbk"), ("GBK", "gbk")):
        assert rows(read(declared(name, codec), several)) == [("报关单", "1.50", 1)]
    assert "declares the encoding 'GBK'" in refusal(declared("GBK", "gbk"))
    assert "declares the encoding 'martian'" in refusal(declared("martian", "utf-8"))
    assert "is not valid utf-8" in refusal(declared("UTF-8", "gbk"))
    assert "UTF-16" in refusal(message(order("1")).encode("utf-16"))


LAUGHS = '<!DOCTYPE lolz [<!ENTITY lol "lol">' + "".join(
    f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10)
)


@pytest.mark.parametrize(
    "text",
    [
        f"{LAUGHS}]>{message(order('&lol9;'))}",
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{message(order("&x;"))}',
        f'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://192.0.2.1/x.dtd"> %p;]>{message(order("1"))}',
        f'<!DOCTYPE Message SYSTEM "http://192.0.2.1/x.dtd">{message(order("1"))}',
        f"<!DOCTYPE Message>{message(order('1'))}",
    ],
    ids=["billion laughs", "external entity", "parameter entity", "outside document type", "plain document type"],
)
def test_document_types_and_entities_are_refused_before_they_are_expanded(text: str) -> None:
    assert "declares a document type or entity" in refusal(text)


def test_an_undeclared_entity_is_refused() -> None:
    assert "undefined entity" in refusal(message(order("&x;")))


@pytest.mark.parametrize("open_record", ["", "<Order>"])
def test_endless_nesting_is_refused(open_record: str) -> None:
    assert "nested more than 32 deep" in refusal(f"<Message>{open_record}" + "<a>" * 200_000)


def test_more_elements_attributes_or_bytes_than_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_text, "MOST_PARTS", 10)
    assert "more than 10 elements" in refusal(message(*[order("1")] * 3))
    attributes = " ".join(f"a{number}='1'" for number in range(11))
    assert "more than 10 elements" in refusal(f"<Message><Order {attributes}/></Message>")
    assert "a tag or text has" in refusal(message(order("1", "9" * 300_000)))
    monkeypatch.setattr(xml_text, "MOST_BYTES", 100)
    assert "bytes of XML; the limit is 100" in refusal(message(*[order("1")] * 3))


def test_a_file_cut_off_anywhere_is_refused_or_has_no_records() -> None:
    text = message(order("1"), order("2"))
    for length in range(len(text)):
        assert "input refused" in refusal(text[:length])
    assert "row 1: not well-formed XML: mismatched tag" in refusal(text.replace("</Order>", "</order>"))


def test_recognition_reads_the_beginning_of_a_file_and_refuses_what_the_reader_refuses() -> None:
    whole = message(*(order(str(number)) for number in range(9))).encode()
    (torn,) = match_contracts(FileStart(whole[:150], is_whole=False), [FLAT], "f.xml")
    assert (torn.is_match, torn.foreign) == (True, ())
    (other,) = match_contracts(FileStart(b"<Else><no>1</no></Else>", is_whole=True), [FLAT], "f.xml")
    assert other.problem == "it has no record at Message.Order; its root element is 'Else'"
    with pytest.raises(InputRefused, match="document type"):
        match_contracts(FileStart(b"<!DOCTYPE a>" + whole, is_whole=True), [FLAT], "f.xml")


def test_the_format_of_the_contract_chooses_the_reader() -> None:
    assert read_file(message(order("1")).encode(), FLAT, "f.xml").rows_in == 1
    with pytest.raises(ConfigurationRefused, match="not an xml source"):
        read_xml(b"<a/>", xml_contract(("number", "no"), recordPath=None), "f.xml")
