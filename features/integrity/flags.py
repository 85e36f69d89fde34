"""Which integrity rules concern which seller as of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.integrity.rules import columns_read, integrity_rules

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence


def integrity_flags(
    tables: Mapping[str, pa.Table], sellers_at: Mapping[dt.date, Sequence[str]], *, across_sellers: bool = True
) -> dict[tuple[str, dt.date], tuple[str, ...]]:
    """Return the codes of the rules that concern each seller, from what was known as of each day.

    A rule is silent where one of its tables was not delivered. Rules about shared documents and devices see all sellers
    of the tables, not only those asked about.

    Args:
        tables: canonical tables by name.
        sellers_at: the sellers that are asked about, by day.
        across_sellers: whether to ask the rules that compare sellers with each other as well.
    """
    rules = {
        code: rule
        for code, rule in integrity_rules().items()
        if rule.tables.keys() <= tables.keys() and (across_sellers or not rule.across_sellers)
    }
    used = {name for rule in rules.values() for name in rule.tables}
    read = {name: tables[name].select(columns) for name, columns in columns_read().items() if name in used}
    found: dict[tuple[str, dt.date], list[str]] = {}
    with DuckDbEngine() as engine:
        for name, table in read.items():
            engine.load(f"all_{name}", table)
        for day, asked in sorted(sellers_at.items()):
            engine.load("asked", pa.table({"seller_id": pa.array(sorted(set(asked)), pa.string())}))
            for code, rule in rules.items():
                for seller in engine.query(_as_of(rule.statement(day), rule.tables, day, rule.across_sellers))[0]:
                    found.setdefault((str(seller), day), []).append(code)
    return {key: tuple(codes) for key, codes in found.items()}


def _as_of(statement: str, tables: Mapping[str, tuple[str, ...]], day: dt.date, across_sellers: bool) -> str:
    """Return a formula over the rows known on the day, cut down to the sellers asked about."""
    known, asked = AsOf(day).condition(), "seller_id IN (SELECT seller_id FROM asked)"
    where = known if across_sellers else f"{known} AND {asked}"
    views = ", ".join(f"{name} AS (SELECT * FROM all_{name} WHERE {where})" for name in tables)  # noqa: S608
    return f"WITH {views}, concerned AS ({statement}) SELECT DISTINCT seller_id FROM concerned WHERE {asked}"  # noqa: S608
