"""Texts that look equal but differ: letters of other alphabets, full-width forms, odd spaces, invisible characters."""

from __future__ import annotations

import unicodedata

# Letters of other alphabets that look like Latin ones, and dashes: those of Unicode's confusable characters (Unicode
# Technical Standard 39, confusables.txt) that people and input methods actually write into headers.
_DRAWN_LIKE = str.maketrans(
    # Cyrillic
    "АВЕЅІЈКМНОРСТУХаеорсуѕіјхԁһѵԛԝ"
    # Greek
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιν"
    # dashes, minus signs and apostrophes
    "‐‑‒–—−’‘ʼ“”",
    "ABESIJKMHOPCTYXaeopcysijxdhvqwABEZHIKMNOPTYXoiv------'''\"\"",
)


def skeleton(text: str) -> str:
    """Return the visual form of ``text``: NFKC normalised, look-alike letters as Latin letters, single plain spaces."""
    unified = unicodedata.normalize("NFKC", text).translate(_DRAWN_LIKE)
    return " ".join("".join(c for c in unified if unicodedata.category(c) != "Cf").split())


def looks_equal(one: str, other: str) -> bool:
    """Return whether two texts differ but look the same."""
    return one != other and skeleton(one) == skeleton(other)


def differing_characters(text: str, other: str) -> tuple[str, ...]:
    """Return the Unicode names of the characters of ``text`` that are missing in ``other``."""
    return tuple(unicodedata.name(c, f"U+{ord(c):04X}") for c in dict.fromkeys(text) if c not in other)
