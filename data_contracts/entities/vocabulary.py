"""The vocabulary of company names: regions, trades and legal forms in Chinese characters, pinyin and English."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

if TYPE_CHECKING:
    from collections.abc import Mapping

CHINA = "china"
_OUTSIDE_THE_MAINLAND = frozenset({CHINA, "hongkong", "macau", "taiwan"})
_SOUNDS_OF_U = {"lv": "lu", "nv": "nu", "lyu": "lu", "nyu": "nu"}  # spellings of ü in passports and on keyboards


@dataclass(frozen=True)
class Words:
    """Words of one kind, mapped to their identifiers.

    Attributes:
        chinese: By simplified characters.
        latin: By lower-case Latin words, with and without spaces.
    """

    chinese: Mapping[str, str]
    latin: Mapping[str, str]


@dataclass(frozen=True)
class Regions:
    """Regions by spelling, the wider regions that contain each of them, and which of them are cities."""

    words: Words
    within: Mapping[str, frozenset[str]]
    cities: frozenset[str]

    def agree(self, left: str, right: str) -> bool:
        """Return whether two regions are the same or one contains the other."""
        return left == right or left in self.within[right] or right in self.within[left]


@functools.cache
def regions() -> Regions:
    """Return the regions of ``regions.toml``."""
    table = _table("regions.toml")
    chinese: dict[str, str] = {}
    within: dict[str, frozenset[str]] = {}
    cities: set[str] = set()
    for province, entry in table["provinces"].items():
        chinese[entry["zh"]] = province
        above = frozenset[str]() if province in _OUTSIDE_THE_MAINLAND else frozenset({CHINA})
        within[province] = above
        for city, characters in entry["cities"].items():
            chinese[characters] = city
            cities.add(city)
            within[city] = within.get(city, frozenset()) | above | {province}
    latin = {region: region for region in within}
    for region, spellings in table["other_latin"].items():
        latin.update({_joined(spelling): region for spelling in spellings})
    return Regions(Words(chinese, latin), within, frozenset(cities))


@functools.cache
def trades() -> Words:
    """Return the trade words of ``trades.toml``."""
    return _words(_table("trades.toml"))


@functools.cache
def legal_forms() -> Words:
    """Return the legal forms of ``legal_forms.toml``."""
    return _words(_table("legal_forms.toml"))


@functools.cache
def family_of_forms() -> Mapping[str, str]:
    """Return the family of each legal form; empty if the form is compatible with any."""
    return {form: entry["family"] for form, entry in _table("legal_forms.toml").items()}


@functools.cache
def pinyin_syllables() -> Mapping[str, str]:
    """Return every pinyin syllable without tones and its spelling in keys: ``lv`` and ``lyu`` become ``lu``."""
    readings = {reading for readings in PINYIN_DICT.values() for reading in readings.split(",")}
    plain = {to_normal(reading) for reading in readings}
    # With interjections such as "m" and "ng", almost any letters could be read as pinyin.
    syllables = {text for text in plain if text.isascii() and any(vowel in text for vowel in "aeiouv")}
    return {text: text.replace("v", "u") for text in syllables} | _SOUNDS_OF_U


def _words(table: Mapping[str, Any]) -> Words:
    chinese = {text: word for word, entry in table.items() for text in entry.get("zh", [])}
    written = {text: word for word, entry in table.items() for text in entry.get("latin", [])}
    return Words(chinese, {_joined(text): word for text, word in written.items()} | written)


def _joined(text: str) -> str:
    return text.replace(" ", "")


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
