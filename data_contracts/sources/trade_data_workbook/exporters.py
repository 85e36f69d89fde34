"""Find the exporter that a file of trade records is about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.entities.company_names import parse_company_name

if TYPE_CHECKING:
    from collections.abc import Mapping

RULE = "exporter:one"
_MOST_SHOWN = 3


def rows_of_other_exporters(raw: pa.Table) -> pa.Table:
    """Return, as a screen does, the rows of other exporters than the one with more than half of its file's rows.

    If no exporter of a file has more than half, nothing says whose records they are, and all its rows are returned.
    """
    names: list[Any] = raw["exporter_name"].to_pylist()
    places: list[Any] = list(zip(raw["row_order"].to_pylist(), raw["file_order"].to_pylist(), strict=True))
    keys = {name: parse_company_name(name).key for name in set(names) if name is not None}
    rows = [(row, file, name) for (row, file), name in zip(places, names, strict=True) if name is not None]
    counts: dict[int, Counter[str]] = {}
    for _, file, name in rows:
        counts.setdefault(file, Counter())[keys[name]] += 1
    prevailing = {file: _prevailing(count) for file, count in counts.items()}
    strange = [(row, file, name) for row, file, name in rows if keys[name] != prevailing[file]]
    undecided = {file: _shares(counts[file]) for file, key in prevailing.items() if key is None}
    reasons = [f"{name}{undecided.get(file, '')}" for _, file, name in strange]
    return pa.table(
        {
            "row_order": pa.array([row for row, _, _ in strange], pa.int64()),
            "reason": pa.array(reasons, pa.string()),
            "rule_id": pa.array([RULE] * len(strange), pa.string()),
        }
    )


def _prevailing(count: Mapping[str, int]) -> str | None:
    most = max(count, key=lambda key: count[key])
    return most if 2 * count[most] > sum(count.values()) else None


def _shares(count: Counter[str]) -> str:
    """Return the largest exporters of a file in which none prevails."""
    ordered = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{number} of {sum(count.values())}" for _, number in ordered[:_MOST_SHOWN])
    return f": no exporter has more than half of the rows ({shown}); export the records of the seller alone"
