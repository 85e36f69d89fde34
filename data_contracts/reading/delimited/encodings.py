"""Name the encoding of a text that is not UTF-8, from the characters it would contain in each candidate.

A name is for a message and for recognition. Text in a guessed encoding is never read: a wrong guess would still decode.
"""

from __future__ import annotations

import codecs
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_SAMPLE_BYTES = 2**16
_LEAST_SHARE = 0.8
_LEAST_NUL_SHARE = 0.2


def guessed_encoding(data: bytes) -> tuple[str, str] | None:
    """Return the name of the encoding of a text, and its codec, or None if none is likely.

    >>> guessed_encoding("日付/時間,注文番号".encode("cp932"))
    ('Shift-JIS', 'cp932')
    >>> guessed_encoding("Währung;Größe".encode("latin-1"))
    ('Windows-1252 (Latin-1) or a relative of it', 'cp1252')
    """
    sample = data[:_SAMPLE_BYTES]
    wide = _wide_encoding(sample)
    if wide is not None or sample.isascii():
        return wide
    best = max(_CANDIDATES, key=lambda codec: _likelihood(sample, codec))
    if _likelihood(sample, best) < _LEAST_SHARE:
        return None
    return _CANDIDATES[best][0], best


def other_encoding(data: bytes) -> str | None:
    """Return one clause that names the encoding of a text other than UTF-8, with the remedy; None if none is likely."""
    try:
        # The last character of the beginning of a file may be incomplete.
        codecs.getincrementaldecoder("utf-8")().decode(data)
        found = _wide_encoding(data[:_SAMPLE_BYTES])
    except UnicodeDecodeError:
        found = guessed_encoding(data)
    return None if found is None else f"its text is in {found[0]}, so open it in that encoding and save it as UTF-8"


def _wide_encoding(sample: bytes) -> tuple[str, str] | None:
    """Return UTF-16 if every second byte of a text of mostly Latin letters is NUL, or if its mark says so."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16", "utf-16"
    half = max(len(sample) // 2, 1)
    even, odd = (sample[start::2].count(0) / half for start in (0, 1))
    if max(even, odd) < _LEAST_NUL_SHARE or min(even, odd) > max(even, odd) / 4:
        return None
    return ("UTF-16", "utf-16-le") if odd > even else ("UTF-16", "utf-16-be")


def _likelihood(sample: bytes, codec: str) -> float:
    """Return the share of the characters outside ASCII that are common in texts of an encoding; -1 if it cannot be."""
    try:
        # The last character of the sample may be incomplete.
        text = codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeDecodeError:
        return -1.0
    strange = [character for character in text if not character.isascii()]
    is_common = _CANDIDATES[codec][1]
    return sum(map(is_common, strange)) / len(strange) if strange else -1.0


def _in_rows(codec: str, rows: Collection[int], least_trail: int = 0x40) -> Callable[[str], bool]:
    """Return whether a character has two bytes in a codec, the first in one of the rows of common characters."""

    def is_common(character: str) -> bool:
        code = character.encode(codec, "replace")
        return len(code) == 2 and code[0] in rows and code[1] >= least_trail

    return is_common


def _is_common_western(character: str) -> bool:
    return character in "–—‘’“”…€£§°·«»¿¡²³\u00a0" or unicodedata.name(character, "").startswith("LATIN ")


# In each encoding of two bytes, the first rows hold signs and syllables and the next the most common characters.
# The rows A4 and A5 of GB18030 and EUC-JP are Japanese syllables.
_CANDIDATES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "gb18030": ("GB18030 (GBK)", _in_rows("gb18030", {*range(0xA1, 0xA4), *range(0xB0, 0xD8)}, 0xA1)),
    "big5": ("Big5", _in_rows("big5", range(0xA1, 0xC7))),
    "cp932": ("Shift-JIS", _in_rows("cp932", range(0x81, 0x98))),
    "euc_jp": ("EUC-JP", _in_rows("euc_jp", range(0xA1, 0xD0), 0xA1)),
    "cp1252": ("Windows-1252 (Latin-1) or a relative of it", _is_common_western),
}
