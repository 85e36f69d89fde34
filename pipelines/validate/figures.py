"""Figures of the validation report about money and time: amounts stated twice; rows, money and coverage by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from data_contracts.database import closed_database
from features.reconciliation.shared_statements import shared_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pyarrow as pa

    from features.engine.as_of import AsOf

EVENTS: Final = "money_event"
COVERAGE: Final = "source_coverage"
# The amount in US dollars that tells how much money the rows of a table are about.
_MONEY: Final = {
    EVENTS: "amount_usd",
    "bank_entry": "amount_usd",
    "trade_invoice": "net_amount_usd",
    "export_declaration": "declared_amount_usd",
    "site_order": "total_usd",
    "purchase_order": "amount_usd",
    "receivable": "amount_usd",
    "loan": "principal_usd",
    "repayment": "amount_usd",
}
_SOURCE: Final = "split_part(CAST(source AS VARCHAR), '@', 1)"


def doubled_money(tables: Mapping[str, pa.Table]) -> dict[str, Any] | None:
    """Return how much money several reports state and only one row counts; None if the tables hold no money events."""
    if EVENTS not in tables:
        return None
    query = f"""
        SELECT {_SOURCE} AS source, CAST(counted_in AS VARCHAR) AS counted_in, count(*) AS rows,
            count(DISTINCT seller_id) AS sellers, coalesce(sum(abs(amount_usd)), 0) AS usd
        FROM money_event WHERE counted_in IS NOT NULL GROUP BY ALL ORDER BY usd DESC, source, counted_in
    """  # noqa: S608 - constants of this module
    with closed_database({"threads": 1}) as database:
        database.register(EVENTS, tables[EVENTS].select(["seller_id", "source", "counted_in", "amount_usd"]))
        pairs = database.sql(query).to_arrow_table().to_pylist()
        sellers = database.sql("SELECT count(DISTINCT seller_id) FROM money_event WHERE counted_in IS NOT NULL")
        ((doubled,),) = sellers.fetchall()
    return {
        "rows": sum(pair["rows"] for pair in pairs),
        "usd": f"{sum(pair['usd'] for pair in pairs):.2f}",
        "sellers": doubled,
        "pairs": [{**pair, "usd": f"{pair['usd']:.2f}"} for pair in pairs],
    }


def statements_of_several_sellers(tables: Mapping[str, pa.Table], as_of: AsOf, shown: int) -> dict[str, Any] | None:
    """Return the statements and orders that several sellers deliver as theirs, as far as known by a date.

    Args:
        tables: canonical tables by name; None is returned without money events.
        as_of: the date.
        shown: the number of statements to list, those of most money first.
    """
    if EVENTS not in tables:
        return None
    known = [row for row in shared_statements(tables[EVENTS]).to_pylist() if row["known_from"] < as_of.known_before]
    sides: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in known:
        sides.setdefault((row["platform"], row["document"], row["number"]), []).append(row)
    dearest = sorted(sides, key=lambda key: (-max(row["usd"] for row in sides[key]), key))
    return {
        "statements": len(sides),
        "sellers": len({row["seller_id"] for row in known}),
        "usd": f"{sum(max(row['usd'] for row in rows) for rows in sides.values()):.2f}",
        "dearest": [
            {
                **dict(zip(("platform", "document", "number"), key, strict=True)),
                "sellers": [row["seller_id"] for row in sides[key]],
                "usd": f"{max(row['usd'] for row in sides[key]):.2f}",
            }
            for key in dearest[:shown]
        ],
    }


def figures_by_month(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Return, for each source, rows, US dollars and covered sellers by month (``2024-01``), in order of sources.

    Rows and money are those of accepted canonical rows in force, by the month of their event; ``usd`` is None for
    tables that are not about money. Money is the sum of absolute amounts without payouts, which repeat what was earned.
    """
    with closed_database({"threads": 1}) as database:
        database.sql("CREATE TABLE figures (source VARCHAR, month VARCHAR, rows BIGINT, usd DOUBLE)")
        for name, table in tables.items():
            if name != COVERAGE and {"source", "event_date", "superseded_at"} <= set(table.column_names):
                _add_rows(database, name, table)
        found = database.sql(
            "SELECT source, month, sum(rows), sum(usd) FROM figures GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        covered = _covered(database, tables[COVERAGE]) if COVERAGE in tables else []
    sources: dict[str, dict[str, Any]] = {}
    for source, month, rows, usd in found:
        entry = sources.setdefault(source, _empty(source))
        entry["rows"][month] = int(rows)
        if usd is not None:
            entry["usd"][month] = round(float(usd))
    for source, month, sellers in covered:
        sources.setdefault(source, _empty(source))["sellers"][month] = int(sellers)
    return [sources[source] for source in sorted(sources)]


def _empty(source: str) -> dict[str, Any]:
    return {"source": source, "rows": {}, "usd": {}, "sellers": {}}


def _add_rows(database: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    money = _MONEY.get(name)
    columns = [
        "source",
        "event_date",
        "superseded_at",
        *([money] if money else []),
        *(["event_type"] if name == EVENTS else []),
    ]
    database.register("rows_of_table", table.select(columns))
    amount = "NULL" if money is None else f"abs({money})"
    if name == EVENTS:
        amount = f"CASE WHEN CAST(event_type AS VARCHAR) NOT LIKE 'payout%' THEN {amount} END"
    database.sql(
        f"""
        INSERT INTO figures
        SELECT {_SOURCE}, strftime(event_date, '%Y-%m'), count(*), CAST(sum({amount}) AS DOUBLE)
        FROM rows_of_table WHERE superseded_at IS NULL GROUP BY ALL
        """  # noqa: S608 - constants of this module
    )
    database.unregister("rows_of_table")


def _covered(database: duckdb.DuckDBPyConnection, coverage: pa.Table) -> list[tuple[str, str, int]]:
    database.register("coverage", coverage.select(["seller_id", "delivered_source", "period_from", "period_to"]))
    query = """
        WITH periods AS (
            SELECT DISTINCT seller_id, CAST(delivered_source AS VARCHAR) AS source,
                date_trunc('month', period_from) AS first, date_trunc('month', period_to) AS last FROM coverage
        ), months AS (
            SELECT seller_id, source, unnest(generate_series(first, last, INTERVAL 1 MONTH)) AS month FROM periods
        )
        SELECT source, strftime(month, '%Y-%m'), count(DISTINCT seller_id) FROM months GROUP BY ALL ORDER BY ALL
    """
    return [(str(source), str(month), int(sellers)) for source, month, sellers in database.sql(query).fetchall()]
