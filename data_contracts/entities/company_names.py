"""Parse company names into region, trade name, trade and legal form, in Chinese characters, pinyin or English.

The name of a Chinese company has four parts in this order: 行政区划 (region), 字号 (trade name, two characters or
more), 行业 (trade), 组织形式 (legal form). Within one registration authority, no two companies of one trade may use
the same trade name (企业名称登记管理规定, in force since 2021-03-01, articles 6, 8 and 17). Region, trade name and
trade therefore distinguish companies, and the legal form hardly does. The words for regions, trades and legal forms are
in the TOML tables beside this module.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

from opencc import OpenCC
from pypinyin import lazy_pinyin

from data_contracts.entities.vocabulary import Words, legal_forms, pinyin_syllables, regions, trades

_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_NEITHER_LETTER_NOR_BRACKET = re.compile(r"[^\w()]+|_+")
_BLANK_BESIDE_IDEOGRAPH = re.compile(r"(?<=[\u3400-\u9fff()]) | (?=[\u3400-\u9fff()])")
_IN_BRACKETS = re.compile(r"\(([^()]*)\)")
_REGION_MARK = re.compile(r"(?:壮族|回族|维吾尔)?自治区|特别行政区|省|市")
_DISTRICT = re.compile(r"[\u4e00-\u9fff]{2}区(?=[\u4e00-\u9fff]{4})")
_CITY_MARKS = ("", "shi", "city")
_PROVINCE_MARKS = (*_CITY_MARKS, "sheng", "province")
_SHORTEST_TRADE_NAME = 2  # characters
_LONGEST_PHRASE = 6  # words of a trade or legal form in Latin letters
_FORGIVING = 4  # characters of a legal form that is still recognised with one of them wrong
_MOST_PASSES = 5


@dataclass(frozen=True)
class CompanyName:
    """A parsed company name; absent parts are None.

    Attributes:
        region: Identifier of the narrowest region named, such as ``shenzhen``.
        trade_name: The distinctive part of the name, in simplified characters or lower-case Latin words.
        trade: Identifiers of the trade words, in order and separated by spaces, such as ``international trading``.
        legal_form: Identifier of the legal form, such as ``china_limited``.
        key: The trade name in Latin letters without spaces; characters become pinyin, so that all scripts are
            comparable.
        syllables: The pinyin syllables of the key; empty if it cannot be read as pinyin.
        body: Trade name and trade as written, without region and legal form.
    """

    region: str | None
    trade_name: str
    trade: str | None
    legal_form: str | None
    key: str
    syllables: tuple[str, ...]
    body: str

    @property
    def is_chinese(self) -> bool:
        """Whether the trade name is written in Chinese characters."""
        return bool(_IDEOGRAPH.search(self.trade_name))


def normalised_name(text: str) -> str:
    """Normalise a name: NFKC, lower case, simplified characters, no accents, single spaces.

    Punctuation other than round brackets becomes spaces; spaces beside Chinese characters or brackets are removed.
    Normalising twice changes nothing.

    >>> normalised_name("Ｓｈｅｎｚｈｅｎ Huarui  Trading CO.,LTD"), normalised_name("深圳市 華銳貿易有限公司")
    ('shenzhen huarui trading co ltd', '深圳市华锐贸易有限公司')
    """
    for _ in range(_MOST_PASSES):  # compatibility forms of capitals and brackets need two or three
        passed = _one_pass(text)
        if passed == text:
            break
        text = passed
    return text


def parse_company_name(text: str) -> CompanyName:
    """Parse a name; whatever is not a region, trade or legal form stays in the trade name.

    >>> parse_company_name("深圳市华锐贸易有限公司").key, parse_company_name("Shenzhen Huarui Trading Co., Ltd.").key
    ('huarui', 'huarui')
    """
    name = normalised_name(text)
    region, name = _bracketed_region(name)
    if _IDEOGRAPH.search(name):
        return _chinese_name(re.sub(r"[() ]+", "", name), region)
    return _latin_name(re.sub(r"[()]+", " ", name).split(), region)


def _one_pass(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    apart = unicodedata.normalize("NFD", folded)
    plain = unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
    if _IDEOGRAPH.search(plain):
        plain = _simplifier().convert(plain)
    return _BLANK_BESIDE_IDEOGRAPH.sub("", _NEITHER_LETTER_NOR_BRACKET.sub(" ", plain).strip())


@functools.cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def _bracketed_region(name: str) -> tuple[str | None, str]:
    """Return the region in brackets and the name without it."""
    for found in _IN_BRACKETS.finditer(name):
        inside = _REGION_MARK.sub("", found.group(1))
        words = regions().words
        region = words.chinese.get(inside) or words.latin.get(inside.replace(" ", ""))
        if region:
            return region, f"{name[: found.start()]} {name[found.end() :]}".strip()
    return None, name


def _chinese_name(name: str, region: str | None) -> CompanyName:
    legal_form, rest = _without_chinese_form(name)
    region, rest = _without_marked_regions(rest, region)
    trade, trade_name = _without_chinese_trade(rest)
    body = rest
    if region is None:
        region, trade_name = _without_bare_regions(trade_name)
        body = rest[rest.index(trade_name) :] if region else rest
    syllables = tuple(sound.replace("v", "u") for sound in _sounds(trade_name))
    readable = all(sound in pinyin_syllables() for sound in syllables)
    return CompanyName(region, trade_name, trade, legal_form, "".join(syllables), syllables if readable else (), body)


@functools.lru_cache(maxsize=65_536)
def _sounds(characters: str) -> tuple[str, ...]:
    return tuple(re.sub(r"\W", "", sound) for sound in lazy_pinyin(characters))


@functools.cache
def _forms_by_length() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(legal_forms().chinese.items(), key=lambda item: (-len(item[0]), item[0])))


def _without_chinese_form(name: str) -> tuple[str | None, str]:
    """Return the legal form at the end and the rest; a long form with one wrong character precedes a short one."""
    long = [(text, form) for text, form in _forms_by_length() if len(text) >= _FORGIVING]
    short = [(text, form) for text, form in _forms_by_length() if len(text) < _FORGIVING]
    for forms, mistakes in ((long, 0), (long, 1), (short, 0)):
        for text, form in forms:
            end = name[-len(text) :]
            if len(name) > len(text) and sum(a != b for a, b in zip(end, text, strict=True)) <= mistakes:
                return form, name[: -len(text)]
    return None, name


def _leading_region(name: str) -> tuple[str, str] | None:
    """Return the region at the start and its characters."""
    known = regions().words.chinese
    return next(((known[name[:length]], name[:length]) for length in (4, 3, 2) if name[:length] in known), None)


def _without_marked_regions(name: str, region: str | None) -> tuple[str | None, str]:
    """Split off regions at the start that carry a suffix such as 市, and an unmarked province before such a city."""
    rest, waiting = name, name
    while found := _leading_region(waiting):
        waiting = waiting[len(found[1]) :]
        mark = _REGION_MARK.match(waiting)
        if mark:
            rest = waiting = waiting[mark.end() :]
            region = found[0]
        if found[0] in regions().cities:
            break
    if region and rest != name and (district := _DISTRICT.match(rest)):
        rest = rest[district.end() :]
    return region, rest


def _without_bare_regions(trade_name: str) -> tuple[str | None, str]:
    """Split off regions without suffix at the start as long as a trade name remains: 吉林森 is not in 吉林."""
    region, rest = None, trade_name
    while (found := _leading_region(rest)) and len(rest) - len(found[1]) >= _SHORTEST_TRADE_NAME:
        if region and region not in regions().within[found[0]]:
            break
        region, rest = found[0], rest[len(found[1]) :]
        if region in regions().cities:
            break
    return region, rest


def _without_chinese_trade(body: str) -> tuple[str | None, str]:
    """Split off trade words at the end, longest first, as long as a trade name remains."""
    known, found, rest = trades().chinese, list[str](), body
    while True:
        lengths = range(min(6, len(rest) - _SHORTEST_TRADE_NAME), 1, -1)
        word = next((rest[-length:] for length in lengths if rest[-length:] in known), None)
        if word is None:
            return " ".join(reversed(found)) or None, rest
        found.append(known[word])
        rest = rest[: -len(word)]


def _latin_name(tokens: list[str], region: str | None) -> CompanyName:
    between = "" if tokens[-2:] == ["gong", "si"] else " "  # pinyin written syllable by syllable
    legal_form, rest = _without_last_phrase(tokens, legal_forms(), between)
    region, rest = _without_latin_regions(rest, region)
    body, found = rest, list[str]()
    while True:
        word, rest = _without_last_phrase(rest, trades(), between)
        if word is None:
            break
        found.append(word)
    syllables = _read_as_pinyin("".join(rest))
    key = "".join(syllables) or "".join(rest)
    trade = " ".join(reversed(found)) or None
    return CompanyName(region, " ".join(rest), trade, legal_form, key, syllables, " ".join(body))


def _without_last_phrase(tokens: list[str], words: Words, between: str) -> tuple[str | None, list[str]]:
    """Return the longest known phrase at the end and the tokens before it; at least one token remains."""
    for length in range(min(_LONGEST_PHRASE, len(tokens) - 1), 0, -1):
        word = words.latin.get(between.join(tokens[-length:]))
        if word:
            return word, tokens[:-length]
    return None, tokens


def _without_latin_regions(tokens: list[str], region: str | None) -> tuple[str | None, list[str]]:
    while found := _leading_latin_region(tokens):
        if region and region not in regions().within[found[0]]:
            break
        region, tokens = found
        if region in regions().cities:
            break
    return region, tokens


def _leading_latin_region(tokens: list[str]) -> tuple[str, list[str]] | None:
    known, cities = regions().words.latin, regions().cities
    for length in range(min(3, len(tokens) - 1), 0, -1):
        written = "".join(tokens[:length])
        for mark in _PROVINCE_MARKS:
            region = known.get(written.removesuffix(mark)) if written.endswith(mark) else None
            if region and (mark in _CITY_MARKS or region not in cities):
                return region, tokens[length:]
    return None


@functools.lru_cache(maxsize=65_536)
def _read_as_pinyin(letters: str) -> tuple[str, ...]:
    """Return the letters split into pinyin syllables, long ones first; empty if they cannot be split."""
    known = pinyin_syllables()
    cut: dict[int, tuple[str, ...]] = {len(letters): ()}  # by the start of the rest
    for start in range(len(letters) - 1, -1, -1):
        for end in range(min(start + 6, len(letters)), start, -1):
            if end in cut and letters[start:end] in known:
                cut[start] = (known[letters[start:end]], *cut[end])
                break
    return cut.get(0, ())
