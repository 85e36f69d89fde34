"""Texts that look equal but are not: letters of other alphabets, full-width forms, odd blanks, invisible characters."""

from __future__ import annotations

import unicodedata

# Letters of other alphabets drawn like Latin ones, and dashes: the part of Unicode's list of confusable characters
# (Unicode Technical Standard 39, confusables.txt) that people and input methods do write into headers.
_DRAWN_LIKE = str.maketrans(
    # Cyrillic
    "АВЕЅІЈКМНОРСТУХаеорсуѕіјхԁһѵԛԝ"
    # Greek
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιν"
    # dashes, minus signs and marks of omission
    "‐‑‒–—−’‘ʼ“”",
    "ABESIJKMHOPCTYXaeopcysijxdhvqwABEZHIKMNOPTYXoiv------'''\"\"",
)


def skeleton(text: str) -> str:
    """Gives what the eye takes ``text`` for: compatible forms unified (NFKC), look-alikes Latin, blanks plain."""
    unified = unicodedata.normalize("NFKC", text).translate(_DRAWN_LIKE)
    return " ".join("".join(c for c in unified if unicodedata.category(c) != "Cf").split())


def looks_equal(one: str, other: str) -> bool:
    """Whether two texts differ and yet look the same."""
    return one != other and skeleton(one) == skeleton(other)


def differing_characters(text: str, other: str) -> tuple[str, ...]:
    """Gives the names of the characters of ``text`` that ``other`` has not, such as ``CYRILLIC SMALL LETTER O``."""
    return tuple(unicodedata.name(c, f"U+{ord(c):04X}") for c in dict.fromkeys(text) if c not in other)
