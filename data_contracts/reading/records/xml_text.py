"""Parse XML safely: no document types, entities or external files, and limits on the size of everything.

The standard parser (expat) is configured to refuse dangerous XML. A document type declaration can define entities that
unpack to gigabytes or name files to fetch, so it is refused before anything in it is read. Everything else is limited:
bytes, depth, number of elements and attributes, and length of a tag or text.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

import numpy as np

from data_contracts.errors import InputRefused
from data_contracts.reading.delimited.decoding import codec_name, utf8_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_contracts.definition.contract import ReadSpec

MOST_BYTES = 2**26
# The parser keeps a whole tag in memory, and parses an unfinished tag again with every piece it receives.
LONGEST_STRETCH_BYTES = 2**18
MOST_PARTS = 2_000_000
DEEPEST = 32
_PIECE_BYTES = 2**20
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
# GB18030 is a superset of both.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030"}
# Attributes defined by the XML standards themselves; they are not data.
_MARKUP = ("http://www.w3.org/2001/XMLSchema-instance}", "http://www.w3.org/XML/1998/namespace}")


@dataclass
class _Element:
    """An open element: its name, its start, its text and its child elements."""

    name: str
    start_byte: int
    text: list[str] = field(default_factory=list)
    parts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class XmlRecord:
    """A record and the bytes at which it begins and ends in the UTF-8 text.

    ``value`` is text, or a dict of its contents by name: text, a dict, or a list if a name is repeated.
    ``name@attribute`` is an attribute of ``name``, ``@attribute`` one of the record, and ``#text`` text between
    elements.
    """

    value: object
    start_byte: int
    stop_byte: int


def xml_as_utf8(data: bytes, spec: ReadSpec, file_name: str) -> bytes:
    """Return the text of an XML file as UTF-8, decoded by the encoding it declares or else that of the contract.

    Raises:
        InputRefused: the file is too large, declares an encoding that the contract does not allow, or is not in the
            encoding it declares.
    """
    if len(data) > MOST_BYTES:
        raise InputRefused(
            file=file_name,
            rule=f"{len(data)} bytes of XML; the limit is {MOST_BYTES}",
            remedy="split the file and deliver the parts",
        )
    return utf8_bytes(data, xml_encoding(data, spec, file_name), file_name)


def xml_encoding(data: bytes, spec: ReadSpec, file_name: str) -> str:
    """Return the encoding that a file declares, else the contract's; raise InputRefused if it is not allowed."""
    declared = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8))
    if declared is None:
        return spec.encoding
    encoding = _xml_codec(declared[1].decode("ascii"))
    allowed = {_xml_codec(name) for name in (spec.encoding, *spec.declared_encodings)}
    if encoding not in allowed:
        named = ", ".join(sorted({spec.encoding, *spec.declared_encodings}))
        raise InputRefused(
            file=file_name,
            row=1,
            rule=f"the file declares the encoding {declared[1].decode('ascii')!r}, but the contract allows {named}",
            remedy="export the file in one of them",
        )
    return encoding


def _xml_codec(encoding: str) -> str:
    name = codec_name(encoding)
    return _WIDER.get(name, name)


class XmlRecords:
    """Parses a UTF-8 XML text and passes each record to a function as soon as it is complete."""

    def __init__(self, spec: ReadSpec, file_name: str, take: Callable[[XmlRecord], None]) -> None:
        self.root: str | None = None
        self.beside: dict[str, int] = {}
        self._spec, self._file_name, self._take = spec, file_name, take
        self._above: list[str] = []
        self._open: list[_Element] = []
        self._parts = 0
        self._text = b""

    def read(self, text: bytes, *, is_whole: bool = True) -> None:
        """Parse a text or the beginning of one; an incomplete end is then ignored.

        Raises:
            InputRefused: the text is not well-formed XML, declares a document type or an entity, or exceeds the limits.
        """
        self._text = text
        self._require_short_stretches(text)
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = lambda name, attributes: self._start(name, attributes, parser.CurrentByteIndex)
        parser.EndElementHandler = lambda _: self._end(parser.CurrentByteIndex)
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = lambda *_: self._refuse_document_type(parser.CurrentLineNumber)
        parser.EntityDeclHandler = lambda *_: self._refuse_document_type(parser.CurrentLineNumber)
        parser.ExternalEntityRefHandler = lambda *_: self._refuse_document_type(parser.CurrentLineNumber)
        try:
            for start in range(0, len(text), _PIECE_BYTES):
                # An error in a handler is raised at the end of a piece.
                parser.Parse(text[start : start + _PIECE_BYTES], is_whole and start + _PIECE_BYTES >= len(text))
        except expat.ExpatError as error:
            if is_whole:
                raise InputRefused(
                    file=self._file_name,
                    row=error.lineno,
                    rule=f"not well-formed XML: {expat.ErrorString(error.code)} at character {error.offset}",
                    remedy="export the complete file again",
                ) from error

    def _require_short_stretches(self, text: bytes) -> None:
        """Refuse a tag, or the text after one, that is longer than the limit; neither can contain another ``<``."""
        begins = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("<"))
        longest = int(np.diff(begins, append=len(text)).max(initial=0))
        if longest > LONGEST_STRETCH_BYTES:
            raise InputRefused(
                file=self._file_name,
                rule=f"a tag or text has {longest} bytes; the limit is {LONGEST_STRETCH_BYTES}",
                remedy="deliver the records in the form of the contract",
            )

    def _refuse_document_type(self, line: int) -> int:
        raise InputRefused(
            file=self._file_name,
            row=line,
            rule="it declares a document type or entity, which exports never need but attacks use",
            remedy="deliver the file without the declaration",
        )

    def _start(self, name: str, attributes: list[str], start_byte: int) -> None:
        self._parts += 1 + len(attributes) // 2
        if self._parts > MOST_PARTS or len(self._above) + len(self._open) >= DEEPEST:
            raise InputRefused(
                file=self._file_name,
                rule=f"more than {MOST_PARTS} elements and attributes, or elements nested more than {DEEPEST} deep",
                remedy="split the file, and deliver the records in the form of the contract",
            )
        element = _Element(self._name(name), start_byte)
        path = self._spec.record_path
        if self._open or (element.name == path[-1] and tuple(self._above) == path[:-1]):
            self._note_attributes(element, attributes)
            self._open.append(element)
            return
        self.root = element.name if self.root is None else self.root
        if tuple(self._above) == path[:-1]:
            self.beside[element.name] = self.beside.get(element.name, 0) + 1
        self._above.append(element.name)

    def _name(self, name: str) -> str:
        namespace, _, local = name.rpartition("}")
        return local if self._spec.ignore_namespaces or not namespace else f"{{{namespace}}}{local}"

    def _note_attributes(self, element: _Element, attributes: list[str]) -> None:
        place = self._open[-1].parts if self._open else element.parts
        owner = element.name if self._open else ""
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if not name.startswith(_MARKUP):
                _add(place, f"{owner}@{self._name(name)}", value)

    def _characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)

    def _end(self, byte: int) -> None:
        if not self._open:
            self._above.pop()
            return
        element = self._open.pop()
        value = _value(element)
        if self._open:
            _add(self._open[-1].parts, element.name, value)
            return
        # At an end tag this is its first byte, at an empty element the byte after it.
        stop = self._text.index(b">", byte) + 1 if self._text.startswith(b"</", byte) else byte
        self.root = element.name if self.root is None else self.root
        self._take(XmlRecord(value, element.start_byte, stop))


def _value(element: _Element) -> object:
    text = "".join(element.text)
    if not element.parts:
        return text
    if text.strip():
        _add(element.parts, "#text", text)
    return element.parts


def _add(parts: dict[str, object], name: str, value: object) -> None:
    if name not in parts:
        parts[name] = value
        return
    present = parts[name]
    if isinstance(present, list):
        present.append(value)
    else:
        parts[name] = [present, value]
