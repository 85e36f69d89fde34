"""Parties that are one firm under two spellings: matches of names, and which of them the graph believes as of a date.

A match is a row of its own and changes no other: taking it back, or a reviewer's later word, undoes what followed.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.entities.company_names import parse_company_name
from data_contracts.entities.comparison import Party
from data_contracts.entities.matching import RULES, Match, MatchingSettings, Override, match_parties

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from features.cut import Cut

PARTY_MATCH: Final = "party_match"
_MOMENT = pa.timestamp("us", tz="UTC")
_MATCH_FIELDS: list[pa.Field[Any]] = [
    pa.field("left_party_id", pa.string(), nullable=False),
    pa.field("right_party_id", pa.string(), nullable=False),
    pa.field("score", pa.float64(), nullable=False),
    pa.field("is_accepted", pa.bool_(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("decided_by", pa.string(), nullable=False),
    pa.field("event_date", pa.date32(), nullable=False),
    pa.field("known_at", _MOMENT, nullable=False),
    pa.field("recorded_at", _MOMENT, nullable=False),
    pa.field("superseded_at", _MOMENT),
    pa.field("superseded_recorded_at", _MOMENT),
]
PARTY_MATCH_SCHEMA: Final = pa.schema(_MATCH_FIELDS)
"""A row a pair of parties that were compared: score, reason, who decided, and from when it could be known.

A later word on the same pair is a row of its own, and the ``superseded_at`` of the earlier one.
"""


def party_matches(
    names: pa.Table,
    recorded_at: dt.datetime,
    settings: MatchingSettings | None = None,
    overrides: Sequence[Override] = (),
) -> pa.Table:
    """Matches of parties by their names, known from when both names were.

    Args:
        names: ``party_id``, ``name`` and ``known_at``; a party may have several names.
        recorded_at: when the matching is made.
        settings: of the matching.
        overrides: a reviewer's word on two parties, by party id.

    Returns:
        A table of ``PARTY_MATCH_SCHEMA``, one row a pair of different parties (its likeliest names), in order of pairs.

    Raises:
        ConfigurationRefused: an override names an unknown party, or overrides contradict.
    """
    rows = sorted({(row["party_id"], row["name"], row["known_at"]) for row in names.to_pylist()})
    places: dict[str, list[str]] = {}
    parties, party_of, known = [], {}, {}
    for party_id, name, known_at in rows:
        ident = f"{party_id}\x1f{len(places.setdefault(party_id, []))}"
        places[party_id].append(ident)
        party_of[ident], known[ident] = party_id, known_at
        parties.append(Party(ident, parse_company_name(name)))
    spread = [
        Override(left, right, said.is_same, said.reviewer, said.note)
        for said in overrides
        for left, right in product(places.get(said.left, [said.left]), places.get(said.right, [said.right]))
    ]
    best: dict[tuple[str, str], Match] = {}
    for match in match_parties(parties, settings, spread).matches:
        pair = tuple(sorted((party_of[match.left], party_of[match.right])))
        if pair[0] != pair[1] and _rank(match) > _rank(best.get((pair[0], pair[1]))):
            best[pair[0], pair[1]] = match
    return _table(best, known, recorded_at)


def _rank(match: Match | None) -> tuple[bool, bool, float]:
    """Which match of two parties' names speaks for the parties: a reviewer's, an accepted one, the likeliest."""
    return (False, False, -1.0) if match is None else (match.decided_by != RULES, match.is_accepted, match.score)


def _table(best: dict[tuple[str, str], Match], known: dict[str, dt.datetime], recorded_at: dt.datetime) -> pa.Table:
    rows = []
    for (left, right), match in sorted(best.items()):
        known_at = max(known[match.left], known[match.right])
        plain = {"score": match.score, "is_accepted": match.is_accepted, "reason": match.reason}
        times = {"event_date": known_at.date(), "known_at": known_at, "recorded_at": recorded_at}
        rows.append({"left_party_id": left, "right_party_id": right, **plain, "decided_by": match.decided_by, **times})
    return pa.Table.from_pylist(rows, schema=PARTY_MATCH_SCHEMA)


def believed_pairs(matches: pa.Table, cut: Cut | None, least_score: float) -> pa.Table:
    """The pairs of parties the graph takes for one firm: ``left_party_id`` and ``right_party_id``.

    A cut of None takes every match that was not taken back. Believed is what a reviewer accepted, and what the rules
    accepted with ``least_score`` or more; a shared identifier scores 1.
    """
    visible = matches.filter(pc.is_null(matches["superseded_at"])) if cut is None else cut.visible(matches)
    is_sure = (pc.field("score") >= least_score) | (pc.field("decided_by") != RULES)
    return visible.filter(pc.field("is_accepted") & is_sure).select(["left_party_id", "right_party_id"])
