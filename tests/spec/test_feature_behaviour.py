"""Features of small invented sellers, one text table per case.

A file under ``features/`` holds cases. A case starts with a line ``case: <sentence>``, followed by blocks separated by
empty lines. A block is the name of a canonical table and its rows, or ``covered`` (everything delivered of these
tables, unless ``from`` and ``to`` limit it), or ``expect <date>`` and the values of features for each seller; ``-``
means missing. In a row of a table ``-`` keeps the default and ``null`` is an empty cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from features.build import BuildSettings, build_features
from features.catalogue import select_features
from features.graph.edges import GraphSettings
from tests.factories.canonical_tables import canonical_tables, coverage_rows, observations

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "features"


@dataclass
class Case:
    file: str
    sentence: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    expected: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # date, feature, value by seller


def cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.txt")):
        for text in path.read_text(encoding="utf-8").split("case: ")[1:]:
            sentence, *blocks = text.strip().split("\n\n")
            case = Case(path.stem, sentence.strip())
            for block in blocks:
                read_block(case, [line.strip() for line in block.splitlines() if not line.startswith("#")])
            yield case


def read_block(case: Case, lines: list[str]) -> None:
    title, header, *rows = lines[0], [name.strip() for name in lines[1].split("|")], *lines[2:]
    read = [dict(zip(header, (cell.strip() for cell in line.split("|")), strict=True)) for line in rows]
    if title.startswith("expect "):
        for row in read:
            case.expected.append((title.removeprefix("expect "), row.pop("feature"), row))
    elif title == "covered":
        for row in read:
            period = {"period_from": row["from"], "period_to": row["to"]} if "from" in row else {}
            covered = coverage_rows([row["seller_id"]], row["tables"].split(), **period)
            case.rows.setdefault("source_coverage", []).extend(covered)
    else:
        filled = [{name: cell_value(cell) for name, cell in row.items() if cell not in {"", "-"}} for row in read]
        case.rows.setdefault(title, []).extend(filled)


def cell_value(cell: str) -> str | bool | None:
    known: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    return known.get(cell, cell)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.file}: {case.sentence}") for case in cases()])
def test_features_have_the_values_of_the_table(case: Case) -> None:
    tables = canonical_tables(**case.rows)
    settings = BuildSettings(graph=GraphSettings(hub_sellers=3, counterparty_hub_sellers=3), threads=1)
    for day, feature, wanted in case.expected:
        asked = observations([(seller, day) for seller in wanted])
        chosen = select_features("case", "1.0.0", [feature])
        built = build_features(tables, asked, chosen, settings=settings).table.to_pylist()
        found = {row["seller_id"]: row[feature] for row in built}
        for seller, text in wanted.items():
            value = None if text == "-" else pytest.approx(float(text), abs=1e-6)
            assert found[seller] == value, f"{feature} of {seller} as of {day}"


def test_there_are_cases_to_hold() -> None:
    assert sum(len(case.expected) for case in cases()) > 60
