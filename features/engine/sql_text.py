"""Small building blocks of SQL text.

Names come from contracts and feature records, which are checked when they are loaded. Values enter only through the
literals here. Nothing from a raw file ever becomes part of a text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

# Leaves out rows of sellers that are not queried.
OBSERVED = "seller_id IN (SELECT seller_id FROM observed)"


def select(
    columns: Sequence[str] | Mapping[str, str], source: str, where: str | None = None, group_by: str | None = None
) -> str:
    """Return a SELECT statement; a mapping of columns names each of them: ``{"n": "COUNT(*)"}``."""
    if isinstance(columns, Mapping):
        columns = [
            expression if expression == name else f"{expression} AS {name}" for name, expression in columns.items()
        ]
    parts = ["SELECT", "  " + ",\n  ".join(columns), f"FROM {source}"]
    if where is not None:
        parts.append(f"WHERE {where}")
    if group_by is not None:
        parts.append(f"GROUP BY {group_by}")
    return "\n".join(parts)


def nested(statement: str, name: str) -> str:
    """Return a statement in brackets that another can read from as ``name``."""
    return f"(\n{statement}\n) AS {name}"


def with_parts(parts: Mapping[str, str], last: str) -> str:
    """Return one text of named parts, each able to read those before it, ending in the statement ``last``."""
    return "WITH " + ",\n".join(f"{name} AS (\n{body}\n)" for name, body in parts.items()) + f"\n{last}"


def date_literal(day: dt.date) -> str:
    """Return a day as SQL text."""
    return f"DATE '{day.isoformat()}'"


def time_literal(instant: dt.datetime) -> str:
    """Return an instant as SQL text in UTC.

    Raises:
        ValueError: the instant has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"instant without a time zone: {instant}")
    return f"TIMESTAMP '{instant.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


def days_before(day: dt.date, days: int) -> str:
    """Return the day ``days`` before ``day`` as SQL text."""
    return date_literal(day - dt.timedelta(days=days))
