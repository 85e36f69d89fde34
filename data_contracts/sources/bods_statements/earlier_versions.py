"""Bring statements of the versions 0.2 and 0.3 of the standard into the form of version 0.4.

In the earlier versions there are no records: a statement is about the party of the statement that it replaces, and a
relationship names the statements about its two sides. Here the first statement of such a chain stands for the record.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KINDS = {"entityStatement": "entity", "personStatement": "person", "ownershipOrControlStatement": "relationship"}
_SIDES = ("describedByEntityStatement", "describedByPersonStatement")


def in_present_form(text_rows: pa.Table) -> pa.Table:
    """Return text rows in the form of version 0.4; a statement without a date has that of its publication."""
    dates: list[str] = [
        stated.strip() or published
        for stated, published in zip(*_texts(text_rows, "stated_at", "published_at"), strict=True)
    ]
    rows = with_column(text_rows, "stated_at", pa.array(dates, pa.string()))
    (kinds,) = _texts(rows, "record_kind")
    if _KINDS.keys().isdisjoint(kinds):
        return rows
    return _translated(rows, kinds)


def _translated(rows: pa.Table, kinds: Sequence[str]) -> pa.Table:
    numbers, records, replaced = _texts(rows, "statement_number", "record_number", "replaced_statements")
    before = {number: first for number, text in zip(numbers, replaced, strict=True) if (first := _first(text))}
    is_earlier = [kind in _KINDS for kind in kinds]
    columns = {
        "record_kind": [_KINDS.get(kind, kind) for kind in kinds],
        "record_number": [
            _record_of(number, before) if earlier else record
            for number, record, earlier in zip(numbers, records, is_earlier, strict=True)
        ],
    }
    for name in ("subject", "interested_party"):
        (texts,) = _texts(rows, name)
        columns[name] = [
            _side(text, before) if earlier else text for text, earlier in zip(texts, is_earlier, strict=True)
        ]
    (texts,) = _texts(rows, "interests")
    columns["interests"] = [_interests(text) for text in texts]
    for name, values in columns.items():
        rows = with_column(rows, name, pa.array(values, pa.string()))
    return rows


def _texts(rows: pa.Table, *names: str) -> list[list[str]]:
    columns: list[list[Any]] = [rows[name].to_pylist() for name in names]
    return [[text or "" for text in column] for column in columns]


def _first(text: str) -> str | None:
    """Return the first statement in a JSON list of those that a statement replaces."""
    listed = json.loads(text) if text else []
    return str(listed[0]) if isinstance(listed, list) and listed else None


def _record_of(number: str, before: Mapping[str, str]) -> str:
    """Return the first statement of the chain in which each one replaces the one before."""
    seen = {number}
    while number in before and before[number] not in seen:
        number = before[number]
        seen.add(number)
    return number


def _side(text: str, before: Mapping[str, str]) -> str:
    """Return a side of a relationship as the number of its record; an unspecified side stays an object."""
    given = json.loads(text) if text else None
    if not isinstance(given, dict):
        return text
    named = [given[side] for side in _SIDES if isinstance(given.get(side), str)]
    return json.dumps(_record_of(named[0], before)) if named else text


def _interests(text: str) -> str:
    """Return interests with kinds in camel case, which version 0.2 wrote with hyphens."""
    given = json.loads(text) if text else None
    if not isinstance(given, list):
        return text
    return json.dumps([_camel(one) for one in given], ensure_ascii=False)


def _camel(interest: object) -> object:
    if not isinstance(interest, dict) or not isinstance(interest.get("type"), str):
        return interest
    kind = re.sub("-([a-z])", lambda letter: letter[1].upper(), interest["type"])
    return {**interest, "type": kind}
