"""Find the bytes of single records of a JSON array again when one of their rows is set aside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCANNER = json.JSONDecoder()


@dataclass(frozen=True)
class ArrayOriginals:
    """Finds the bytes of a record by its 1-based place; the text is scanned again only on request."""

    text: str
    record_path: tuple[str, ...]

    def __call__(self, source_rows: Sequence[int]) -> list[bytes | None]:
        """Return the bytes of each requested record, or None if the array has no such record."""
        wanted = set(source_rows)
        found = {number: part for number, part in self._parts() if number in wanted} if wanted else {}
        return [found.get(row) for row in source_rows]

    def _parts(self) -> Iterator[tuple[int, bytes]]:
        position = self._array_start()
        number = 0
        if self.text[position] == "{":
            # A single record is in place of the array.
            _, stop = _SCANNER.raw_decode(self.text, position)
            yield 1, self.text[position:stop].encode("utf-8")
            return
        while position >= 0:
            position = _skip_blanks(self.text, position + 1)
            if self.text[position] == "]":
                return
            _, stop = _SCANNER.raw_decode(self.text, position)
            number += 1
            yield number, self.text[position:stop].encode("utf-8")
            position = _skip_blanks(self.text, stop)
            if self.text[position] == "]":
                return

    def _array_start(self) -> int:
        position = _skip_blanks(self.text, 0)
        for key in self.record_path:
            position = _value_start(self.text, position, key)
        return position


def _skip_blanks(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def _value_start(text: str, position: int, wanted: str) -> int:
    """Return the start of the value of key ``wanted`` in the object at ``position``."""
    position = _skip_blanks(text, position + 1)
    found = -1
    while text[position] != "}":
        key, stop = _SCANNER.raw_decode(text, position)
        start = _skip_blanks(text, _skip_blanks(text, stop) + 1)
        _, stop = _SCANNER.raw_decode(text, start)
        found = start if key == wanted else found
        position = _skip_blanks(text, stop)
        position = _skip_blanks(text, position + 1) if text[position] == "," else position
    return found
