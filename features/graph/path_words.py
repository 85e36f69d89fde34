"""The paths of links in one sentence, in English and in Chinese (``path_words.toml``)."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.graph.paths import Hub, Path, Tie

Language = Literal["en", "zh"]
# Links that are something that happened on a day, not a state that lasts.
EVENTS: Final = frozenset({"login", "pledge", "supplier", "buyer", "consignee"})
# Links that give two sellers something lasting in common; the first two begin at the party in common.
HOLDERS: Final = ("owner", "director")
LASTING: Final = frozenset({*HOLDERS, "address", "phone", "bank_account", "device"})
MEETING: Final = 2
"""Links of a path over one party in common."""


def path_in_words(path: Path, language: Language) -> str:
    """Return a path as one sentence: each link with its day and the row that states it, then what is bad at its end.

    Where no row is named, two sellers that have the same owner or use the same thing are told in one part.
    """
    parts = [_shared(path.ties, language)] if _is_shared(path.ties) else [_tie(tie, language) for tie in path.ties]
    if path.default_date is not None:
        parts.append(_part("default", language).format(seller=path.reaches, day=path.default_date.isoformat()))
    if path.days_late is not None:
        parts.append(_part("late", language).format(seller=path.reaches, days=path.days_late))
    return _part("between", language).join(parts)


def _is_shared(ties: Sequence[Tie]) -> bool:
    """Return whether two links of one type, both still in force and neither with its row, meet in one party."""
    if len(ties) != MEETING or any(tie.source_file or tie.valid_to or tie.link_type not in LASTING for tie in ties):
        return False
    here, there = ties
    return here.link_type == there.link_type and _met(here) == _met(there)


def _met(tie: Tie) -> str:
    return tie.start if tie.link_type in HOLDERS else tie.end


def _shared(ties: Sequence[Tie], language: Language) -> str:
    here, there = ties
    first, second = (tie.end if tie.link_type in HOLDERS else tie.start for tie in ties)
    said = words_of("shared", here.link_type, language).format(first=first, second=second, met=_met(here))
    days = [tie.valid_from for tie in (here, there) if tie.valid_from is not None]
    return said + (_part("since", language).format(day=max(days).isoformat()) if days else "")


def hub_in_words(hub: Hub, language: Language) -> str:
    """Return a link that was left out as one sentence with the reason."""
    return _part("hub", language).format(tie=_tie(hub.tie, language), sellers=hub.sellers)


def _tie(tie: Tie, language: Language) -> str:
    said = words_of("link", tie.link_type, language).format(start=tie.start, end=tie.end, lender=tie.lender)
    if tie.amount_usd is not None:
        said += _part("amount", language).format(amount=f"{tie.amount_usd:,.0f}")
    if tie.valid_from is not None:
        said += _part("on" if tie.link_type in EVENTS else "since", language).format(day=tie.valid_from.isoformat())
    if tie.valid_to is not None:
        said += _part("until", language).format(day=tie.valid_to.isoformat())
    if tie.source_file is not None:
        said += _part("source", language).format(file=tie.source_file, row=tie.source_row)
    return said


def words_of(table: str, name: str, language: Language) -> str:
    """Return a text of ``path_words.toml``."""
    return _words()[table][name][language]


def _part(name: str, language: Language) -> str:
    return words_of("part", name, language)


@functools.cache
def _words() -> Mapping[str, Mapping[str, Mapping[Language, str]]]:
    text = resources.files("features.graph").joinpath("path_words.toml").read_text(encoding="utf-8")
    words: Mapping[str, Mapping[str, Mapping[Language, str]]] = tomllib.loads(text)
    return words
