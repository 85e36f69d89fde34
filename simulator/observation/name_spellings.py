"""How people write a company's name from memory: in other scripts, shortened or mistyped.

Every spelling has a kind, so name matching can be measured kind by kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from simulator.population.names import CONFUSED, company_name, entity_name, sibling_name
from simulator.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from simulator.economy.simulated_world import World
    from simulator.population.names import CompanyName

REGISTERED = "registered"
_FULL_WIDTH_OFFSET = 0xFEE0  # from an ASCII character to its full-width twin
CUSTOMS_SPELLINGS = 4
# Share of declarations by spelling of the consignee, in the order of ``entity_spellings``.
ENTITY_SHARES: tuple[float, ...] = (0.78, 0.10, 0.10, 0.01, 0.01)
_ENGLISH_FORMS = ("Co., Ltd.", "Co. Ltd", "CO.,LTD", "Company Limited", "Limited")


@dataclass(frozen=True)
class Spelling:
    """One spelling of a company's name, and the kind of its deviation."""

    text: str
    kind: str


def company_names(world: World) -> list[CompanyName]:
    """Return the names of all sellers of a district; half of the control groups use one brand for all members."""
    names = [company_name(seller + world.first_seller + 1) for seller in range(world.firms.count)]
    members: dict[int, list[int]] = {}
    for seller, group in enumerate(world.network.group.tolist()):
        if group >= 0:
            members.setdefault(group, []).append(seller)
    for group, sellers in members.items():
        if group % 2 == 0:
            for place, seller in enumerate(sellers[1:], start=1):
                names[seller] = sibling_name(names[sellers[0]], place)
    return names


def _brand(name: CompanyName) -> str:
    return "".join(word.simplified for word in name.brand)


def _traditional(name: CompanyName, _: np.random.Generator) -> str:
    brand = "".join(word.traditional for word in name.brand)
    return f"{name.region.word.traditional}市{brand}{name.trade.traditional}{name.form.traditional}"


def _region_in_brackets(name: CompanyName, rng: np.random.Generator) -> str:
    left, right = (("(", ")"), ("（", "）"))[int(rng.integers(2))]
    return f"{_brand(name)}{left}{name.region.word.simplified}{right}{name.trade.simplified}{name.form.simplified}"


def _without_region(name: CompanyName, _: np.random.Generator) -> str:
    return f"{_brand(name)}{name.trade.simplified}{name.form.simplified}"


def _without_city_mark(name: CompanyName, _: np.random.Generator) -> str:
    return name.chinese().replace("市", "", 1)


def _other_form(name: CompanyName, rng: np.random.Generator) -> str:
    body = name.chinese().removesuffix(name.form.simplified)
    others = [form for form in ("有限公司", "有限责任公司", "") if form != name.form.simplified]
    return body + others[int(rng.integers(len(others)))]


def _spaced(name: CompanyName, rng: np.random.Generator) -> str:
    text, blank = name.chinese(), (" ", "\u3000")[int(rng.integers(2))]
    place = int(rng.integers(2, len(text) - 2))
    return text[:place] + blank + text[place:] + (" " if rng.random() < 0.5 else "")


def _mistyped(name: CompanyName, rng: np.random.Generator) -> str:
    """Replace a character by one that sounds or looks alike, or leave out, double or swap a character."""
    text = name.chinese()
    alike = [place for place, sign in enumerate(text) if sign in CONFUSED]
    how = int(rng.integers(8))
    if alike and how < 5:
        place = alike[int(rng.integers(len(alike)))]
        return text[:place] + CONFUSED[text[place]] + text[place + 1 :]
    place = 3 + int(rng.integers(len(name.brand)))  # within the trade name, after the city and 市
    if how == 5:
        return text[:place] + text[place + 1 :]
    if how == 6:
        return text[:place] + text[place] + text[place:]
    return text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]


def _latin_brand(name: CompanyName) -> str:
    return "".join(word.pinyin for word in name.brand).capitalize()


def _pinyin(name: CompanyName, rng: np.random.Generator) -> str:
    brand = " ".join(word.pinyin.capitalize() for word in name.brand) if rng.random() < 0.4 else _latin_brand(name)
    text = f"{name.region.word.pinyin.capitalize()} {brand} {name.trade.pinyin.title()} {name.form.pinyin.title()}"
    return text.upper() if rng.random() < 0.3 else text


def _english(name: CompanyName, rng: np.random.Generator) -> str:
    form = _ENGLISH_FORMS[int(rng.integers(len(_ENGLISH_FORMS)))]
    text = f"{name.region.word.pinyin.capitalize()} {_latin_brand(name)} {name.trade.english} {form}"
    return text.upper() if rng.random() < 0.3 else text


def _english_mistyped(name: CompanyName, rng: np.random.Generator) -> str:
    text = _english(name, rng)
    start = len(name.region.word.pinyin) + 1
    place = start + 1 + int(rng.integers(max(len(_latin_brand(name)) - 2, 1)))
    if rng.random() < 0.5:
        return text[:place] + text[place + 1 :]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _full_width(name: CompanyName, rng: np.random.Generator) -> str:
    """Return the English name in full-width characters, as some input methods write it."""
    text = _english(name, rng)
    return "".join("\u3000" if sign == " " else chr(ord(sign) + _FULL_WIDTH_OFFSET) for sign in text)


_Noise = tuple[str, float, "Callable[[CompanyName, np.random.Generator], str]"]
CHINESE_NOISE: tuple[_Noise, ...] = (
    ("other legal form", 0.22, _other_form),
    ("missing region", 0.12, _without_region),
    ("city without its mark", 0.16, _without_city_mark),
    ("region in brackets", 0.12, _region_in_brackets),
    ("spaces", 0.16, _spaced),
    ("traditional", 0.10, _traditional),
    ("typo", 0.12, _mistyped),
)
LATIN_NOISE: tuple[_Noise, ...] = (
    ("english", 0.55, _english),
    ("pinyin", 0.30, _pinyin),
    ("full width", 0.08, _full_width),
    ("english typo", 0.07, _english_mistyped),
)


def noisy_spelling(name: CompanyName, noises: tuple[_Noise, ...], rng: np.random.Generator) -> Spelling:
    """Draw a spelling of a name that differs from the registered one."""
    chosen = rng.choice(len(noises), p=[share for _, share, _ in noises])
    kind, _, write = noises[int(chosen)]
    return Spelling(write(name, rng), kind)


@dataclass(frozen=True)
class ObservedNames:
    """Spellings of the companies of a district, by seller.

    Attributes:
        registered: Name in the company register.
        in_customs: Spellings in export declarations: the registered name, then ``CUSTOMS_SPELLINGS - 1`` others.
        alias: English or pinyin name in the register, None where it has none.
    """

    registered: tuple[str, ...]
    in_customs: tuple[tuple[Spelling, ...], ...]
    alias: tuple[Spelling | None, ...]


def observe_names(world: World) -> ObservedNames:
    """Draw the spellings of all sellers of a district from the observation's seed."""
    settings = world.settings
    rng = stream(settings.observation_seed, "names")
    names = company_names(world)
    in_customs = tuple(
        (
            Spelling(name.chinese(), REGISTERED),
            *(noisy_spelling(name, CHINESE_NOISE, rng) for _ in range(1, CUSTOMS_SPELLINGS)),
        )
        for name in names
    )
    has_alias = rng.random(len(names)) < settings.observation.alias_share
    alias = tuple(
        noisy_spelling(name, LATIN_NOISE, rng) if has else None for name, has in zip(names, has_alias, strict=True)
    )
    return ObservedNames(tuple(name.chinese() for name in names), in_customs, alias)


def entity_spellings(number: int) -> tuple[Spelling, ...]:
    """Return a spelling of an overseas entity for each of ``ENTITY_SHARES``; only name matching unites the last two."""
    name = entity_name(number)
    brand, form = name.rsplit(" ", 1)
    return (
        Spelling(name, REGISTERED),
        Spelling(f"{brand.title()} {form}", "case"),
        Spelling(f"{brand}, {form}.", "punctuation"),
        Spelling(f"{brand.replace(' ', '', 1)} {form}", "spaces"),
        Spelling(f"{brand[:-2]}{brand[-1]}{brand[-2]} {form}", "typo"),
    )


def names_table(world: World, names: ObservedNames) -> dict[str, pa.Array[Any]]:
    """Return every spelling of every seller: ``seller_id``, ``spelling``, ``source``, ``kind``."""
    rows = [
        (seller, spelling.text, source, spelling.kind)
        for seller, (registered, written, alias) in enumerate(
            zip(names.registered, names.in_customs, names.alias, strict=True)
        )
        for source, found in (
            ("company_links", (Spelling(registered, REGISTERED), *([alias] if alias else []))),
            ("customs_declaration", written),
        )
        for spelling in found
    ]
    distinct = list(dict.fromkeys(rows))
    columns = {
        "seller_id": [world.seller_id(seller) for seller, *_ in distinct],
        "spelling": [text for _, text, _, _ in distinct],
        "source": [source for _, _, source, _ in distinct],
        "kind": [kind for *_, kind in distinct],
    }
    return {name: pa.array(values, type=pa.string()) for name, values in columns.items()}
