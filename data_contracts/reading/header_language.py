"""Recognition of header rows in a language or an alphabet that no contract lists."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from data_contracts.reading.heading_text import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from data_contracts.definition.contract import CompiledContract

_WORD = re.compile(r"[^\W\d_]{2,}")
# A row of fewer headings is too little to judge by; of this share of known words, it is in a known language.
_FEWEST_HEADINGS = 3
_KNOWN_SHARE = 0.2
_SHOWN = 3


def unknown_language(headings: Sequence[str], contracts: tuple[CompiledContract, ...]) -> str | None:
    """Return one clause if the headings seem to be in a language that no contract lists, else None."""
    headings = [heading for heading in headings if _WORD.search(heading)]
    if len(headings) < _FEWEST_HEADINGS:
        return None
    shown = ", ".join(repr(heading) for heading in headings[:_SHOWN])
    remedy = "add its headings to the contract as synonyms, or export the file in a language that it lists"
    known_words, known_alphabets = _vocabulary(contracts)
    alphabet = Counter(_alphabets("".join(headings))).most_common(1)[0][0]
    if alphabet not in known_alphabets:
        return f"its headings are in {alphabet.capitalize()} letters, which no contract lists: {shown}; {remedy}"
    if alphabet == "LATIN":
        words = [word for heading in headings for word in _words(heading)]
        if sum(word in known_words for word in words) < _KNOWN_SHARE * len(words):
            return f"its headings seem to be in a language that no contract lists: {shown}; {remedy}"
    return None


@functools.lru_cache(maxsize=4)
def _vocabulary(contracts: tuple[CompiledContract, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of all headings that the contracts know, and the alphabets they are written in."""
    columns = [column for contract in contracts for column in contract.columns]
    spellings = [spelling for column in columns for spelling in (column.header, *column.synonyms)]
    words = frozenset(word for spelling in spellings for word in _words(spelling))
    return words, frozenset(_alphabets("".join(spellings)))


def _words(heading: str) -> list[str]:
    # Names of JSON fields and of export columns are often written as oneWordAfterAnother.
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    return _WORD.findall(normalised(spaced))


def _alphabets(text: str) -> Iterable[str]:
    return (unicodedata.name(c, "UNKNOWN").split()[0] for c in text if c.isalpha())
