"""From the bytes of a text file to UTF-8 that is certain, or a refusal: never text that is nearly right."""

from __future__ import annotations

from data_contracts.errors import ConfigurationRefused, InputRefused

_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
# In all of these a newline, comma, tab or quote byte is never part of another character's code except as itself.
_LINE_SAFE = {"utf-8", "ascii", "iso-8859-1", "latin-1", "cp1252", "gb18030", "gbk", "cp932", "shift_jis"}
# Two-byte Chinese text may look like UTF-8 by chance for a word or two, not for longer.
_CHANCE_LENGTH = 8


def utf8_bytes(data: bytes, encoding: str, file_name: str) -> bytes:
    """Gives the text of ``data`` as UTF-8 without byte-order mark, its line structure unchanged.

    Raises InputRefused for an empty file, NUL bytes, bytes the declared encoding does not know, or a file that is
    plainly in another encoding; ConfigurationRefused for an encoding whose lines could not be found byte by byte.
    """
    if encoding not in _LINE_SAFE:
        raise ConfigurationRefused(f"encoding {encoding!r} is not supported", f"declare one of {sorted(_LINE_SAFE)}")
    if not data.removeprefix(_UTF8_MARK).strip():
        raise InputRefused(file=file_name, rule="the file is empty", remedy="deliver the file again, with its header")
    _refuse_other_marks(data, encoding, file_name)
    nul = data.find(b"\0")
    if nul >= 0:
        raise _refusal(data, nul, file_name, "a NUL byte", "export the file as plain text")
    if encoding == "utf-8":
        text = data.removeprefix(_UTF8_MARK)
        _decoded(text, encoding, file_name)
        return text
    _refuse_utf8_lookalike(data, encoding, file_name)
    return _decoded(data, encoding, file_name).encode("utf-8")


def _refuse_other_marks(data: bytes, encoding: str, file_name: str) -> None:
    found = next((name for mark, name in _OTHER_MARKS.items() if data.startswith(mark)), None)
    if found is None and data.startswith(_UTF8_MARK) and encoding != "utf-8":
        found = "UTF-8"
    if found:
        raise InputRefused(
            file=file_name,
            row=1,
            rule=f"the file is {found} by its byte-order mark, the contract declares {encoding}",
            remedy=f"export the file as {encoding}",
        )


def _decoded(data: bytes, encoding: str, file_name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        rule = f"byte 0x{data[error.start]:02x} is not {encoding}"
        raise _refusal(data, error.start, file_name, rule, f"export the file as {encoding}") from error


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
            rule=f"the file reads as UTF-8, the contract declares {encoding}",
            remedy=f"export the file as {encoding}, or declare UTF-8 in the contract",
        )


def _refusal(data: bytes, position: int, file_name: str, rule: str, remedy: str) -> InputRefused:
    row = data.count(b"\n", 0, position) + 1
    return InputRefused(file=file_name, row=row, rule=f"{rule} at byte {position}", remedy=remedy)
