from __future__ import annotations

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.delimited.decoding import utf8_bytes


def test_a_utf8_byte_order_mark_is_removed() -> None:
    assert utf8_bytes(b"\xef\xbb\xbfa,b\n", "utf-8", "f") == b"a,b\n"


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", "金额,税额"), ("cp932", "日付,合計"), ("cp1252", "Größe")])
def test_a_declared_encoding_is_decoded(encoding: str, text: str) -> None:
    assert utf8_bytes(text.encode(encoding), encoding, "f").decode() == text


@pytest.mark.parametrize("data", [b"", b"   \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused, match="empty"):
        utf8_bytes(data, "utf-8", "f")


def test_undecodable_bytes_are_refused_with_their_row() -> None:
    with pytest.raises(InputRefused, match=r"row 3.*0xe9 at offset 8 is not valid utf-8"):
        utf8_bytes(b"a,b\n1,2\n\xe9,4\n", "utf-8", "f.csv")


def test_nul_bytes_are_refused_with_their_row() -> None:
    with pytest.raises(InputRefused, match=r"row 2.*NUL"):
        utf8_bytes(b"a\n\0\n", "utf-8", "f")


def test_a_nul_byte_sets_only_its_line_aside_unless_it_is_the_first() -> None:
    assert utf8_bytes(b"a\n\0\n", "utf-8", "f", nul_spoils="line") == b"a\n\0\n"
    with pytest.raises(InputRefused, match=r"row 1.*NUL"):
        utf8_bytes(b"a\0\nb\n", "utf-8", "f", nul_spoils="line")


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_is_refused_by_name(mark: bytes) -> None:
    with pytest.raises(InputRefused, match="UTF-16"):
        utf8_bytes(mark + b"a\0", "utf-8", "f")


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030"])
def test_utf8_text_is_never_read_as_another_encoding(encoding: str) -> None:
    with pytest.raises(InputRefused, match=f"valid UTF-8, but the contract declares {encoding}"):
        utf8_bytes("深圳市跨境电子商务有限公司,金额\n".encode(), encoding, "f")


def test_chinese_words_that_look_like_utf8_by_chance_are_read() -> None:
    assert utf8_bytes("联通".encode("gb18030"), "gb18030", "f").decode() == "联通"


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("日付/時間,決済番号,トランザクションの種類", "cp932", "Shift-JIS"),
        ("注文番号,トランザクションの種類", "euc_jp", "EUC-JP"),
        ("訂單編號,商品名稱,單價,數量", "big5", "Big5"),
        ("开票日期,购方名称,金额,税率", "gb18030", "GB18030"),
        ("Datum/Uhrzeit,Umsätze,Verkaufsgebühren", "latin-1", "Windows-1252"),
        ("numéro de la commande,quantité", "cp1252", "Windows-1252"),
        ("date,amount\n2025-01-01,10.00\n", "utf-16-le", "UTF-16"),
        ("date,amount\n2025-01-01,10.00\n", "utf-16-be", "UTF-16"),
    ],
)
def test_a_refused_text_has_its_encoding_named_with_the_remedy(text: str, codec: str, name: str) -> None:
    with pytest.raises(InputRefused, match=rf"its text is in {name}.*save it as UTF-8"):
        utf8_bytes(text.encode(codec), "utf-8", "f")


def test_damaged_text_in_no_likely_encoding_has_none_named() -> None:
    with pytest.raises(InputRefused) as refusal:
        utf8_bytes(b"a,b\n\x81\x8d\xff\x90,4\n", "utf-8", "f")
    assert "its text is in" not in str(refusal.value)


def test_an_encoding_in_which_lines_cannot_be_found_is_a_contract_error() -> None:
    with pytest.raises(ConfigurationRefused, match="utf-16"):
        utf8_bytes(b"a", "utf-16", "f")
