"""Blocking: select the pairs of parties worth comparing, because they share an identifier, a key or a similar key."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from data_contracts.entities.company_names import CompanyName
    from data_contracts.entities.comparison import Party

_Block = tuple[str, ...]
_FEWEST_LETTERS = 4
_SHORTEST_BODY = 3


def candidate_pairs(parties: Sequence[Party], largest_block: int) -> list[tuple[int, int]]:
    """Return the pairs of positions that share a block, the lower position first, in order.

    Blocks are: an identifier; the key of the trade name; the key with one letter left out (within one region and trade,
    if one of the two names is not pinyin); and the region with trade name and trade in characters, one character left
    out. A block of more than ``largest_block`` parties is compared only within region and trade. Parties that agree in
    all name parts, identifiers and country are compared only with the first of them, and the first is compared with all
    others.
    """
    blocks: dict[_Block, list[int]] = defaultdict(list)
    unreadable = {form for party in parties if not party.name.syllables for form in _letter_forms(party)}
    found: set[tuple[int, int]] = set()
    first_of: dict[tuple[CompanyName, tuple[tuple[str, str], ...], str | None], int] = {}
    for place, party in enumerate(parties):
        first = first_of.setdefault((party.name, party.identifiers, party.country), place)
        if first != place:
            if party.name.key or party.identifiers:
                found.add((first, place))
            continue
        for block in _blocks(party, unreadable):
            blocks[block].append(place)
    for members in blocks.values():
        if len(members) > 1:
            for group in _divided(members, parties, largest_block):
                found.update(combinations(group, 2))
    return sorted(found)


def _blocks(party: Party, unreadable: set[_Block]) -> Iterator[_Block]:
    for kind, number in party.identifiers:
        yield ("identifier", kind, number)
    if party.name.key:
        yield ("key", party.name.key)
        yield from (form for form in _letter_forms(party) if form in unreadable)
        yield from _character_forms(party)


def _letter_forms(party: Party) -> Iterator[_Block]:
    name = party.name
    if len(name.key) >= _FEWEST_LETTERS:
        yield from (("letters", name.region or "", name.trade or "", form) for form in _with_one_less(name.key))


def _character_forms(party: Party) -> Iterator[_Block]:
    name = party.name
    if name.is_chinese and len(name.body) >= _SHORTEST_BODY:
        yield from (("characters", name.region or "", form) for form in _with_one_less(name.body))


def _with_one_less(text: str) -> set[str]:
    """Return the text with and without each of its characters; texts one edit apart have one of these in common."""
    return {text} | {text[:place] + text[place + 1 :] for place in range(len(text))}


def _divided(members: list[int], parties: Sequence[Party], largest_block: int) -> Iterable[list[int]]:
    if len(members) <= largest_block:
        return [members]
    parts: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
    for place in members:
        parts[parties[place].name.region, parties[place].name.trade].append(place)
    return parts.values()
