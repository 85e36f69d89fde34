"""Match parties of registers by name: one row for each pair of parties, with the time from which it could be known.

No row changes another. Removing a row, or adding a later row on the same pair, undoes its consequences. The result as
of a day depends only on the names known by then: names are processed in the order in which they became known, and a
later name can change a decision from its own day on, through the next version of the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, product
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from data_contracts.definition.compiler import table_contract
from data_contracts.entities.blocking import candidate_pairs
from data_contracts.entities.company_names import parse_company_name
from data_contracts.entities.comparison import Party, compare
from data_contracts.entities.matching import RULES, Match, MatchingSettings, Override, match_parties, reviewed
from data_contracts.errors import ConfigurationRefused
from data_contracts.mapping.source_mapping import conformed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

PARTY_MATCH: Final = "party_match"
METHOD: Final = "name_parts@1"
"""Version of the matching method; it changes whenever the same names could get another score."""
LARGEST_GROUP: Final = 200
"""Maximum number of names connected by matches; in a larger group nothing is accepted, as such names say too little."""
_TOO_MANY: Final = "too many names are alike"

_Pair = tuple[str, str]


@dataclass(frozen=True)
class _Name:
    """One name of one party; ``party.ident`` numbers names in the order in which they became known."""

    party: Party
    party_id: str
    known_at: dt.datetime
    place: Mapping[str, Any]


@dataclass(frozen=True)
class _Known:
    """All names by ident, the possible matches of each, the settings and the reviewers' decisions."""

    names: Mapping[str, _Name]
    near: Mapping[str, Sequence[str]]
    settings: MatchingSettings
    decisions: Mapping[_Pair, Override]

    def parties(self, left: str, right: str) -> _Pair:
        """Return the parties of two names, the lower first."""
        low, high = sorted((self.names[left].party_id, self.names[right].party_id))
        return low, high


def party_matches(
    names: pa.Table,
    recorded_at: dt.datetime,
    settings: MatchingSettings | None = None,
    overrides: Sequence[Override] = (),
) -> pa.Table:
    """Match parties by their names and return the pairs that are similar enough, accepted or not.

    Args:
        names: ``party_id``, ``name`` and ``known_at``, and the other columns of ``register_names.NAME_SCHEMA`` if
            known. A party may have several names.
        recorded_at: time of the matching.
        settings: settings of the matching.
        overrides: reviewers' decisions on two parties, by party ID; each is effective from when both are known.

    Returns:
        The canonical table ``party_match``, ordered by pair and version. The most likely pair of names represents two
        parties, and the lineage of a row is that of the name known later.

    Raises:
        ConfigurationRefused: an override names an unknown party, or overrides contradict each other.
    """
    chosen = settings or MatchingSettings()
    ordered = _in_order_of_knowing(names)
    decisions = _by_name(overrides, ordered)
    known = _Known(
        {name.party.ident: name for name in ordered}, _neighbours(ordered, chosen, decisions), chosen, decisions
    )
    rows: dict[_Pair, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for known_at, arrived in groupby(ordered, key=lambda name: name.known_at):
        new = [name.party.ident for name in arrived]
        seen.update(new)
        for group in _groups_of(new, known.near, seen):
            found = _judged(group, known) if len(group) <= LARGEST_GROUP else _refused(group, known, rows)
            _note_changes(rows, found, known, known_at)
    return _table([row for versions in rows.values() for row in versions], recorded_at)


def _in_order_of_knowing(names: pa.Table) -> list[_Name]:
    """Return each name of a party once, from when it was first known, in that order."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for row in names.to_pylist():
        key = (row["party_id"], row["name"])
        if key not in first or _when(row) < _when(first[key]):
            first[key] = row
    ordered = sorted(first.values(), key=lambda row: (row["known_at"], row["party_id"], row["name"]))
    return [_named(f"{number:09}", row) for number, row in enumerate(ordered)]


def _when(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the sort key for rows of one name: the time, then more complete rows first, then the location."""
    facts = [(row.get(name) is None, row.get(name) or "") for name in ("country", "identifier")]
    return row["known_at"], *facts, row.get("source_file") or "", row.get("source_row") or 0


def _named(ident: str, row: Mapping[str, Any]) -> _Name:
    number = row.get("identifier")
    identifiers = ((row["identifier_kind"], number),) if number else ()
    party = Party(ident, parse_company_name(row["name"]), identifiers, row.get("country"))
    place = {name: row.get(name) for name in ("source", "source_file", "source_sha256", "source_row")}
    return _Name(party, row["party_id"], row["known_at"], place)


def _by_name(overrides: Sequence[Override], ordered: Sequence[_Name]) -> dict[_Pair, Override]:
    """Return the reviewers' decisions on parties as decisions on each pair of their names."""
    of_party: dict[str, list[str]] = {}
    for name in ordered:
        of_party.setdefault(name.party_id, []).append(name.party.ident)
    decisions: dict[_Pair, Override] = {}
    for one in sorted(overrides, key=lambda each: (*each.pair, each.reviewer, each.note)):
        for party in one.pair:
            if party not in of_party:
                raise ConfigurationRefused(f"an override names the unknown party {party!r}", "correct or remove it")
        for left, right in product(of_party[one.left], of_party[one.right]):
            word = Override(left, right, one.is_same, one.reviewer, one.note)
            if decisions.setdefault(word.pair, word).is_same != word.is_same:
                raise ConfigurationRefused(
                    f"overrides contradict each other on {one.left!r} and {one.right!r}", "keep one of them"
                )
    return decisions


def _neighbours(
    known: Sequence[_Name], settings: MatchingSettings, decisions: Iterable[_Pair]
) -> Mapping[str, Sequence[str]]:
    """Return, for each name, its possible matches: by score, by a reviewer's decision, or as names of one party."""
    near: dict[str, list[str]] = {name.party.ident: [] for name in known}
    parties = [name.party for name in known]
    alike = (
        (parties[left].ident, parties[right].ident)
        for left, right in candidate_pairs(parties, settings.largest_block)
        if compare(parties[left], parties[right], settings.evidence).score >= settings.evidence.accept_at
    )
    first_of: dict[str, str] = {}
    own = [(first_of.setdefault(name.party_id, name.party.ident), name.party.ident) for name in known]
    for left, right in (*alike, *own, *decisions):
        if left != right:
            near[left].append(right)
            near[right].append(left)
    return near


def _groups_of(new: Sequence[str], near: Mapping[str, Sequence[str]], seen: set[str]) -> list[list[str]]:
    """Return the groups of names known so far that are connected to a new name; a large group is cut off."""
    groups, placed = [], set[str]()
    for start in new:
        if start in placed:
            continue
        group, waiting = {start}, [start]
        while waiting and len(group) <= LARGEST_GROUP:
            for ident in near[waiting.pop()]:
                if ident in seen and ident not in group:
                    group.add(ident)
                    waiting.append(ident)
        placed |= group
        if len(group) > 1:
            groups.append(sorted(group))
    return groups


def _judged(group: Sequence[str], known: _Known) -> dict[_Pair, Match]:
    """Return the most likely match of each pair of parties among connected names."""
    present = set(group)
    overrides = [override for pair, override in known.decisions.items() if present.issuperset(pair)]
    best: dict[_Pair, Match] = {}
    for match in match_parties((known.names[ident].party for ident in group), known.settings, overrides).matches:
        pair = known.parties(match.left, match.right)
        counts = match.score >= known.settings.evidence.accept_at or match.decided_by != RULES
        if pair[0] != pair[1] and counts and _rank(match) > _rank(best.get(pair)):
            best[pair] = match
    return best


def _rank(match: Match | None) -> tuple[bool, bool, float]:
    """Return the priority of a match among those of two parties: a reviewer's, then accepted, then the likeliest."""
    return (False, False, -1.0) if match is None else (match.decided_by != RULES, match.is_accepted, match.score)


def _refused(
    group: Sequence[str], known: _Known, rows: Mapping[_Pair, Sequence[Mapping[str, Any]]]
) -> dict[_Pair, Match]:
    """Return a rejected match for each pair of a large group, unless it was already rejected or a reviewer decided."""
    present = set(group)
    found: dict[_Pair, Match] = {}
    for left in group:
        for right in known.near[left]:
            pair = known.parties(left, right)
            if right not in present or left > right or pair[0] == pair[1]:
                continue
            if pair not in rows or rows[pair][-1]["is_accepted"]:
                match = _of_large_group((left, right), known)
                found[pair] = max(match, found.get(pair, match), key=_rank)
    return found


def _of_large_group(pair: _Pair, known: _Known) -> Match:
    left, right = pair
    compared = compare(known.names[left].party, known.names[right].party, known.settings.evidence)
    decision = known.decisions.get(pair)
    if decision is not None:
        return reviewed(Match(left, right, round(compared.score, 6), is_accepted=False, reason=""), decision)
    return Match(left, right, round(compared.score, 6), is_accepted=False, reason=f"{_TOO_MANY}: {compared.reason}")


def _note_changes(
    rows: dict[_Pair, list[dict[str, Any]]], found: Mapping[_Pair, Match], known: _Known, known_at: dt.datetime
) -> None:
    """Add a row for each pair whose result has changed, and end the row before it."""
    for pair, match in sorted(found.items()):
        versions = rows.setdefault(pair, [])
        word = {name: getattr(match, name) for name in ("score", "is_accepted", "reason", "decided_by")}
        if versions and word.items() <= versions[-1].items():
            continue
        if versions:
            versions[-1]["superseded_at"] = known_at
        versions.append(
            {
                "party_match_id": "~".join(pair),
                "left_party_id": pair[0],
                "right_party_id": pair[1],
                **word,
                "method": METHOD,
                "event_date": known_at.date(),
                "known_at": known_at,
                "row_version": len(versions) + 1,
                "superseded_at": None,
                **known.names[max(match.left, match.right)].place,
            }
        )


def _table(rows: Sequence[Mapping[str, Any]], recorded_at: dt.datetime) -> pa.Table:
    ordered = sorted(rows, key=lambda row: (row["left_party_id"], row["right_party_id"], row["row_version"]))
    later = [None if row["superseded_at"] is None else recorded_at for row in ordered]
    schema = table_contract(PARTY_MATCH).arrow_schema
    plain = [
        pa.field(one.name, one.type.value_type if pa.types.is_dictionary(one.type) else one.type) for one in schema
    ]
    full = [
        {**row, "recorded_at": recorded_at, "superseded_recorded_at": end}
        for row, end in zip(ordered, later, strict=True)
    ]
    return conformed(pa.Table.from_pylist(full, schema=pa.schema(plain)), PARTY_MATCH)
