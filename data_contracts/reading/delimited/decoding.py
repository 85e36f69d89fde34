"""Decode a text file to UTF-8 with certainty, or refuse it; never return text that is only nearly right."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal

from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.delimited.encodings import other_encoding

_OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
# In all of these encodings a newline, comma, tab or quote byte always stands for itself.
# Named as codecs.lookup names them, because an encoding has many spellings: ISO-8859-1, latin-1, iso8859_1.
_LINE_SAFE = {"utf-8", "ascii", "iso8859-1", "cp1252", "gb18030", "gbk", "cp932", "shift_jis"}
# A word or two of two-byte Chinese text can look like UTF-8 by chance, but not more.
_CHANCE_LENGTH = 8
_INK = re.compile(rb"\S")


@dataclass(frozen=True)
class Before:
    """Lines and bytes of a file that precede the part being read."""

    lines: int = 0
    byte_count: int = 0


START_OF_FILE = Before()


def utf8_bytes(data: bytes, encoding: str, file_name: str, *, nul_spoils: Literal["file", "line"] = "file") -> bytes:
    """Return the text of ``data`` as UTF-8 without byte-order mark and with unchanged lines.

    A NUL byte spoils the whole file. For a reader that sets lines aside it spoils only its line, unless that is the
    first.

    Raises:
        InputRefused: the file is empty, has such NUL bytes or bytes that the declared encoding does not define, or is
            clearly in another encoding.
        ConfigurationRefused: the lines of the encoding cannot be found byte by byte.
    """
    if codec_name(encoding) not in _LINE_SAFE:
        raise ConfigurationRefused(f"encoding {encoding!r} is not supported", f"declare one of {sorted(_LINE_SAFE)}")
    if _INK.search(data.removeprefix(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else data) is None:
        raise InputRefused(file=file_name, rule="the file is empty", remedy="deliver the file again with its header")
    _refuse_other_marks(data, encoding, file_name)
    _refuse_nul(data if nul_spoils == "file" else data[: data.find(b"\n") + 1] or data, file_name)
    if codec_name(encoding) == "utf-8":
        text = data.removeprefix(codecs.BOM_UTF8)
        _decoded(text, encoding, file_name, START_OF_FILE)
        return text
    _refuse_utf8_lookalike(data, encoding, file_name)
    return _decoded(data, encoding, file_name, START_OF_FILE).encode("utf-8")


def codec_name(encoding: str) -> str:
    """Return the one name of an encoding that has many spellings; an unknown one in lower case."""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return encoding.lower()


def require_utf8(data: bytes, file_name: str, before: Before) -> None:
    """Check a later part of a UTF-8 file that begins at a line start; raise InputRefused as ``utf8_bytes`` does."""
    _decoded(data, "utf-8", file_name, before)


def _refuse_other_marks(data: bytes, encoding: str, file_name: str) -> None:
    found = next((name for mark, name in _OTHER_MARKS.items() if data.startswith(mark)), None)
    if found is None and data.startswith(codecs.BOM_UTF8) and codec_name(encoding) != "utf-8":
        found = "UTF-8"
    if found:
        raise InputRefused(
            file=file_name,
            row=1,
            rule=f"the byte-order mark of the file says {found}, but the contract declares {encoding}",
            remedy=f"export the file as {encoding}{_in_other_words(data)}",
        )


def _refuse_nul(data: bytes, file_name: str) -> None:
    nul = data.find(b"\0")
    if nul >= 0:
        rule, remedy = "NUL byte at offset {offset}", "export the file as plain text"
        raise _refusal(data, nul, _Fault(file_name, rule, f"{remedy}{_in_other_words(data)}", START_OF_FILE))


def _decoded(data: bytes, encoding: str, file_name: str, before: Before) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        rule = f"byte 0x{data[error.start]:02x} at offset {{offset}} is not valid {encoding}"
        remedy = f"export the file as {encoding}{_in_other_words(data)}"
        raise _refusal(data, error.start, _Fault(file_name, rule, remedy, before)) from error


def _in_other_words(data: bytes) -> str:
    """Return the end of a remedy that names the encoding of the file, if it can be told."""
    words = other_encoding(data)
    return "" if words is None else f"; {words}"


def _refuse_utf8_lookalike(data: bytes, encoding: str, file_name: str) -> None:
    if data.isascii():
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if sum(not character.isascii() for character in text[:100_000]) >= _CHANCE_LENGTH:
        raise InputRefused(
            file=file_name,
            rule=f"the file is valid UTF-8, but the contract declares {encoding}",
            remedy=f"export the file as {encoding}, or declare UTF-8 in the contract",
        )


@dataclass(frozen=True)
class _Fault:
    file_name: str
    rule: str
    remedy: str
    before: Before


def _refusal(data: bytes, position: int, fault: _Fault) -> InputRefused:
    row = fault.before.lines + data.count(b"\n", 0, position) + 1
    rule = fault.rule.format(offset=fault.before.byte_count + position)
    return InputRefused(file=fault.file_name, row=row, rule=rule, remedy=fault.remedy)
