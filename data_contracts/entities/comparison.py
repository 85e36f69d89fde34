"""Compare two parties: a similarity score from name parts and identifiers, and the reason in words.

A conflict in country, region, trade, legal form or identifier keeps two parties apart, whatever their trade names are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz.distance import OSA

from data_contracts.entities.identifiers import IDENTIFIES_ONE_COMPANY
from data_contracts.entities.vocabulary import family_of_forms, regions

if TYPE_CHECKING:
    from data_contracts.entities.company_names import CompanyName

_Share = Annotated[float, Field(gt=0, le=1)]
_FEWEST_LETTERS = 5  # of a key in which one letter may be wrong
_FEWEST_FOREIGN_LETTERS = 8  # of such a key that is not pinyin
_SHORTEST_BODY = 3  # characters
_CITY_MARK = "市"


class EvidenceSettings(BaseModel):
    """Weights of each kind of agreement; a score is the weight of the trade names times those for missing parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_at: _Share = Field(default=0.85, description="Score from which two parties are considered one.")
    across_scripts: _Share = Field(default=0.98, description="Same key, once in characters and once in letters.")
    same_sound: _Share = Field(default=0.89, description="One character differs and sounds the same.")
    one_apart: _Share = Field(default=0.88, description="One writing error apart.")
    doubtful: _Share = Field(default=0.84, description="A difference that may also be another company's name.")
    different: _Share = Field(default=0.70, description="Maximum for different trade names.")
    region_on_one_side: _Share = 0.95
    region_on_neither: _Share = 0.97
    trade_on_one_side: _Share = 0.88
    trade_on_neither: _Share = 0.97


@dataclass(frozen=True)
class Party:
    """A party to be matched.

    Attributes:
        ident: Identifier of the party, such as source, file and row; unique within one matching.
        name: Its parsed name.
        identifiers: Kinds and normal forms of its valid identifiers.
        country: Country of registration, ISO 3166 alpha-2, if known.
    """

    ident: str
    name: CompanyName
    identifiers: tuple[tuple[str, str], ...] = ()
    country: str | None = None


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two parties; ``conflict`` means that they cannot be the same company."""

    score: float
    reason: str
    conflict: bool = False


def compare(left: Party, right: Party, settings: EvidenceSettings) -> Comparison:
    """Return the similarity of two parties between 0 and 1, independent of their order, and the reason."""
    known = compared_identifiers(left, right)
    if known is not None:
        return known
    if left.country and right.country and left.country != right.country:
        return Comparison(0.0, "countries differ", conflict=True)
    a, b = left.name, right.name
    if breaks_trade_word(a, b) or breaks_trade_word(b, a):
        score, reason = settings.one_apart, "one character apart"
    else:
        if apart := conflicting_parts(a, b):
            return Comparison(0.0, apart, conflict=True)
        score, reason = _trade_names(a, b, settings)
        if score <= settings.different:
            return Comparison(score, reason)
        worth = {"both": 1.0, "one": settings.trade_on_one_side, "none": settings.trade_on_neither}
        score, reason = _discounted((score, reason), "trade", _presence(a.trade, b.trade), worth)
    worth = {"both": 1.0, "one": settings.region_on_one_side, "none": settings.region_on_neither}
    return Comparison(*_discounted((score, reason), "region", _presence(a.region, b.region), worth))


def compared_identifiers(left: Party, right: Party) -> Comparison | None:
    """Return what the identifiers alone show: the same company, two companies, or nothing (None)."""
    if not left.identifiers or not right.identifiers:
        return None
    for kind in sorted(IDENTIFIES_ONE_COMPANY):
        ours = {number for found, number in left.identifiers if found == kind}
        theirs = {number for found, number in right.identifiers if found == kind}
        if ours and theirs:
            if ours & theirs:
                return Comparison(1.0, f"same {kind}")
            return Comparison(0.0, f"identifiers conflict: {kind}", conflict=True)
    return None


def conflicting_parts(a: CompanyName, b: CompanyName) -> str | None:
    """Return the reason why two names belong to two companies, if any: region, trade or legal form."""
    if a.region and b.region and a.region != b.region and not regions().agree(a.region, b.region):
        return "regions differ"
    if a.trade and b.trade and a.trade != b.trade:
        return "trades differ"
    if a.legal_form != b.legal_form and a.legal_form and b.legal_form:
        families = family_of_forms()
        ours, theirs = families[a.legal_form], families[b.legal_form]
        if ours and theirs and ours != theirs:
            return "legal forms differ"
    return None


def breaks_trade_word(broken: CompanyName, whole: CompanyName) -> bool:
    """Return whether one wrong character makes a trade word unreadable in a name of one region: 恒瑞货易, 恒进出口."""
    if broken.trade == whole.trade or broken.trade_name == whole.trade_name:
        return False
    if not (broken.is_chinese and whole.is_chinese) or _trade_length(broken) >= _trade_length(whole):
        return False
    if broken.region and whole.region and not regions().agree(broken.region, whole.region):
        return False
    shorter = min(len(broken.body), len(whole.body))
    return shorter >= _SHORTEST_BODY and OSA.distance(broken.body, whole.body, score_cutoff=1) == 1


def is_misspelt(name: CompanyName, of: CompanyName) -> bool:
    """Return whether, of two names one edit apart, the first is certainly the misspelt one."""
    if breaks_trade_word(name, of):
        return True
    if name.is_chinese and of.is_chinese:
        return len(name.trade_name) > len(of.trade_name) and _is_slip(name.trade_name, of.trade_name)
    return not name.syllables and bool(of.syllables)


def other_trade_name(a: CompanyName, b: CompanyName) -> bool:
    """Return whether two trade names with the same number of syllables differ by more than syllable order."""
    if not a.syllables or a.key == b.key or len(a.syllables) != len(b.syllables):
        return False
    return sorted(a.syllables) != sorted(b.syllables)


def _trade_names(a: CompanyName, b: CompanyName, settings: EvidenceSettings) -> tuple[float, str]:
    if not (a.key and b.key):
        return 0.0, "a name without trade name"
    if a.key == b.key:
        return _of_one_key(a, b, settings)
    found = _in_characters(a, b, settings) if a.is_chinese and b.is_chinese else _in_letters(a, b, settings)
    return found or (settings.different * OSA.normalized_similarity(a.key, b.key), "trade names differ")


def _in_characters(a: CompanyName, b: CompanyName, settings: EvidenceSettings) -> tuple[float, str] | None:
    if _is_slip(a.trade_name, b.trade_name):
        return settings.one_apart, "one character of the trade name apart"
    if _has_one_more(a.trade_name, b.trade_name):
        return settings.doubtful, "one trade name has a character more"
    if len(a.trade_name) == 2 and a.trade_name == b.trade_name[::-1]:
        return settings.doubtful, "trade names of two characters in the other order"
    return None


def _in_letters(a: CompanyName, b: CompanyName, settings: EvidenceSettings) -> tuple[float, str] | None:
    if _is_letter_slip(a, b):
        return settings.one_apart, "one letter of the trade name apart"
    return None


def _of_one_key(a: CompanyName, b: CompanyName, settings: EvidenceSettings) -> tuple[float, str]:
    if a.is_chinese != b.is_chinese:
        return settings.across_scripts, "same trade name in characters and letters"
    if not a.is_chinese or a.trade_name == b.trade_name:
        return 1.0, "same trade name"
    if OSA.distance(a.trade_name, b.trade_name) == 1:
        return settings.same_sound, "one character of the trade name is another of the same sound"
    return settings.different, "trade names sound the same but are written otherwise"


def _is_slip(a: str, b: str) -> bool:
    """Return whether a character is doubled, 市 is inserted, or two of three or more characters are swapped."""
    if len(a) == len(b):
        return len(a) > 2 and sorted(a) == sorted(b) and OSA.distance(a, b, score_cutoff=1) == 1
    if not _has_one_more(a, b):
        return False
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return any(
        longer[:place] + longer[place + 1 :] == shorter
        and (sign == _CITY_MARK or sign in longer[place + 1 : place + 2])
        for place, sign in enumerate(longer)
    )


def _has_one_more(a: str, b: str) -> bool:
    return abs(len(a) - len(b)) == 1 and OSA.distance(a, b, score_cutoff=1) == 1


def _trade_length(name: CompanyName) -> int:
    """Return the number of characters of the trade words."""
    return len(name.body) - len(name.trade_name)


def _is_letter_slip(a: CompanyName, b: CompanyName) -> bool:
    """Return whether two keys are one letter apart and at least one is not pinyin; two pinyin keys are two names."""
    if a.syllables and b.syllables:
        return False
    fewest = _FEWEST_LETTERS if a.syllables or b.syllables else _FEWEST_FOREIGN_LETTERS
    return min(len(a.key), len(b.key)) >= fewest and OSA.distance(a.key, b.key, score_cutoff=1) == 1


def _presence(a: str | None, b: str | None) -> str:
    if a and b:
        return "both"
    return "one" if a or b else "none"


def _discounted(found: tuple[float, str], part: str, presence: str, worth: dict[str, float]) -> tuple[float, str]:
    score, reason = found
    if presence == "both":
        return score, reason
    where = "on one side only" if presence == "one" else "on neither side"
    return score * worth[presence], f"{reason}; {part} {where}"
