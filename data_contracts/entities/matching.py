"""Match parties that are one company: each match is a row with score and reason, and reviewers have the last word.

A match is a link between two parties, which are never merged. Groups are the connected components of the accepted links
and are derived anew each time, so removing a link or a reviewer's decision undoes all its consequences.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.entities.blocking import candidate_pairs
from data_contracts.entities.comparison import (
    EvidenceSettings,
    Party,
    compare,
    compared_identifiers,
    conflicting_parts,
    is_misspelt,
    other_trade_name,
)
from data_contracts.entities.identifiers import IDENTIFIES_ONE_COMPANY
from data_contracts.entities.vocabulary import regions
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MATCH_COLUMNS: dict[str, pa.DataType] = {
    "left": pa.string(),
    "right": pa.string(),
    "score": pa.float64(),
    "is_accepted": pa.bool_(),
    "reason": pa.string(),
    "decided_by": pa.string(),
}
MATCH_SCHEMA = pa.schema(_MATCH_COLUMNS)
RULES = "rules"


class MatchingSettings(BaseModel):
    """Settings of a matching."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    evidence: EvidenceSettings = EvidenceSettings()
    largest_block: int = Field(default=300, ge=2, description="Parties of a block up to which all pairs are compared.")


@dataclass(frozen=True)
class Override:
    """A reviewer's decision on two parties, in either order."""

    left: str
    right: str
    is_same: bool
    reviewer: str
    note: str

    @property
    def pair(self) -> tuple[str, str]:
        """The two parties, the lower first."""
        return _ordered(self.left, self.right)


@dataclass(frozen=True)
class Match:
    """Two compared parties: ``left`` is the lower of the two, and ``decided_by`` is ``rules`` or a reviewer."""

    left: str
    right: str
    score: float
    is_accepted: bool
    reason: str
    decided_by: str = RULES


@dataclass(frozen=True)
class Matching:
    """The result of a matching.

    Attributes:
        matches: Every compared pair, accepted or not, ordered by its parties.
        group_of: For every party the lowest party of its group; a party alone is its own group.
    """

    matches: tuple[Match, ...]
    group_of: Mapping[str, str]

    def table(self) -> pa.Table:
        """Return the matches as a table of ``MATCH_SCHEMA``."""
        columns = {name: [getattr(match, name) for match in self.matches] for name in MATCH_SCHEMA.names}
        return pa.table(columns, schema=MATCH_SCHEMA)


def match_parties(
    parties: Iterable[Party], settings: MatchingSettings | None = None, overrides: Sequence[Override] = ()
) -> Matching:
    """Compare parties and group those that are one company; the order of parties and overrides does not matter.

    Pairs that score at least ``accept_at`` are accepted, except ambiguous ones: a party that could be one of two
    different companies is assigned to the more likely one, or to neither if both are equally likely. A group never
    contains two countries or regions, identifiers of two companies, or two parties that a reviewer keeps apart; the
    weakest link is rejected instead.

    Raises:
        ConfigurationRefused: a party occurs twice, an override names an unknown party, or overrides contradict each
            other.
    """
    chosen = settings or MatchingSettings()
    by_ident = _by_ident(parties)
    decisions = _reviewed(overrides, by_ident)
    ordered = list(by_ident.values())
    matches = {pair: _judged(by_ident, pair, chosen.evidence) for pair in decisions}
    for left, right in candidate_pairs(ordered, chosen.largest_block):
        pair = (ordered[left].ident, ordered[right].ident)
        if pair not in matches:
            matches[pair] = _judged(by_ident, pair, chosen.evidence)
    _reject_ambiguous(matches, by_ident)
    for pair, override in decisions.items():
        matches[pair] = reviewed(matches[pair], override)
    return _grouped(matches, by_ident, decisions)


def reviewed(match: Match, decision: Override) -> Match:
    """Return a match with the decision of a reviewer."""
    verdict = "the same" if decision.is_same else "two companies"
    reason = f"reviewer says {verdict}: {decision.note}"
    return replace(match, is_accepted=decision.is_same, reason=reason, decided_by=decision.reviewer)


def _ordered(left: str, right: str) -> tuple[str, str]:
    return (left, right) if left <= right else (right, left)


def _by_ident(parties: Iterable[Party]) -> dict[str, Party]:
    ordered = sorted(parties, key=lambda party: party.ident)
    by_ident = {party.ident: party for party in ordered}
    if len(by_ident) < len(ordered):
        twice = next(a.ident for a, b in pairwise(ordered) if a.ident == b.ident)
        raise ConfigurationRefused(f"party {twice!r} occurs twice in one matching", "give each party its own ident")
    return by_ident


def _reviewed(overrides: Sequence[Override], by_ident: Mapping[str, Party]) -> dict[tuple[str, str], Override]:
    decisions: dict[tuple[str, str], Override] = {}
    for override in sorted(overrides, key=lambda each: (*each.pair, each.reviewer, each.note)):
        for ident in override.pair:
            if ident not in by_ident:
                raise ConfigurationRefused(f"an override names the unknown party {ident!r}", "correct or remove it")
        if override.left == override.right:
            raise ConfigurationRefused(f"an override compares {override.left!r} with itself", "remove it")
        if decisions.setdefault(override.pair, override).is_same != override.is_same:
            raise ConfigurationRefused(
                f"overrides contradict each other on {override.left!r} and {override.right!r}", "keep one of them"
            )
    return decisions


def _judged(by_ident: Mapping[str, Party], pair: tuple[str, str], evidence: EvidenceSettings) -> Match:
    found = compare(by_ident[pair[0]], by_ident[pair[1]], evidence)
    return Match(*pair, round(found.score, 6), found.score >= evidence.accept_at, found.reason)


def _reject_ambiguous(matches: dict[tuple[str, str], Match], by_ident: Mapping[str, Party]) -> None:
    """Reject the less likely of two matches of one party with different companies, or both if tied.

    Matches with a score of 1 are kept.
    """
    accepted: dict[str, list[Match]] = defaultdict(list)
    for match in matches.values():
        if match.is_accepted:
            accepted[match.left].append(match)
            accepted[match.right].append(match)
    rejected: set[tuple[str, str]] = set()
    for ident, found in accepted.items():
        if min(match.score for match in found) == 1:
            continue
        open_links = [match for match in found if _may_mislead(by_ident[_across(match, ident)], by_ident[ident])]
        for one, other in combinations(open_links, 2):
            if _are_two(by_ident[_across(one, ident)], by_ident[_across(other, ident)]):
                least = min(one.score, other.score)
                rejected.update((match.left, match.right) for match in (one, other) if match.score == least < 1)
    for pair in rejected:
        found_match = matches[pair]
        reason = f"ambiguous, another company is as like: {found_match.reason}"
        matches[pair] = replace(found_match, is_accepted=False, reason=reason)


def _across(match: Match, ident: str) -> str:
    return match.right if match.left == ident else match.left


def _may_mislead(neighbour: Party, party: Party) -> bool:
    """Return whether a neighbour could be another company: it is neither a plain misspelling nor the same name."""
    return neighbour.name != party.name and not is_misspelt(neighbour.name, party.name)


def _are_two(left: Party, right: Party) -> bool:
    """Return whether two parties are certainly two companies."""
    known = compared_identifiers(left, right)
    if known is not None:
        return known.conflict
    if left.country and right.country and left.country != right.country:
        return True
    return conflicting_parts(left.name, right.name) is not None or other_trade_name(left.name, right.name)


@dataclass
class _Group:
    """What the parties of a growing group state about the company."""

    members: list[str]
    regions: set[str]
    identifiers: dict[str, set[str]]
    countries: set[str]


def _grouped(
    matches: dict[tuple[str, str], Match], by_ident: Mapping[str, Party], decisions: Mapping[tuple[str, str], Override]
) -> Matching:
    """Join parties along accepted links, reviewers' links first, then by score; reject links between companies."""
    kept_apart = {pair for pair, override in decisions.items() if not override.is_same}
    groups = {ident: _alone(party) for ident, party in by_ident.items()}
    accepted = [match for match in matches.values() if match.is_accepted]
    for match in sorted(accepted, key=lambda each: (each.decided_by == RULES, -each.score, each.left, each.right)):
        ours, theirs = groups[match.left], groups[match.right]
        if ours is theirs:
            continue
        refusal = _refusal(ours, theirs, kept_apart, match.decided_by == RULES)
        if refusal is None:
            _join(ours, theirs, groups)
        elif match.decided_by == RULES:
            matches[match.left, match.right] = replace(match, is_accepted=False, reason=f"{refusal}: {match.reason}")
        else:
            raise ConfigurationRefused(
                f"overrides contradict each other on {match.left!r} and {match.right!r}: {refusal}", "remove one"
            )
    group_of = {ident: min(group.members) for ident, group in groups.items()}
    return Matching(tuple(matches[pair] for pair in sorted(matches)), group_of)


def _alone(party: Party) -> _Group:
    identifiers = {kind: {number} for kind, number in party.identifiers if kind in IDENTIFIES_ONE_COMPANY}
    countries = {party.country} if party.country else set()
    return _Group([party.ident], {party.name.region} if party.name.region else set(), identifiers, countries)


def _refusal(ours: _Group, theirs: _Group, kept_apart: set[tuple[str, str]], by_rules: bool) -> str | None:
    """Return why two groups must stay apart, or None; a reviewer's link overrides regions and identifiers."""
    if kept_apart and any(_ordered(a, b) in kept_apart for a in ours.members for b in theirs.members):
        return "would join parties whom a reviewer keeps apart"
    if not by_rules:
        return None
    shared = ours.identifiers.keys() & theirs.identifiers.keys()
    if any(not ours.identifiers[kind] & theirs.identifiers[kind] for kind in shared):
        return "would join parties whose identifiers conflict"
    if not all(regions().agree(a, b) for a in ours.regions for b in theirs.regions):
        return "would join parties of two regions"
    if len(ours.countries | theirs.countries) > 1 and not shared:
        return "would join parties of two countries"
    return None


def _join(ours: _Group, theirs: _Group, groups: dict[str, _Group]) -> None:
    larger, smaller = (ours, theirs) if len(ours.members) >= len(theirs.members) else (theirs, ours)
    larger.members += smaller.members
    larger.regions |= smaller.regions
    larger.countries |= smaller.countries
    for kind, numbers in smaller.identifiers.items():
        larger.identifiers.setdefault(kind, set()).update(numbers)
    for ident in smaller.members:
        groups[ident] = larger
