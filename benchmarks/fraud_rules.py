"""Fraud found by simple rules: recall at 1 % alerts by kind of fraud, over several synthetic worlds.

Each world is written, read through the pipeline's own ingest, and scored by one simple rule per kind: a sum of a few
clipped robust z-scores of a seller's year. For each kind, the 1 % of seller-years with the highest scores are alerts. A
case is found if a year in which it ran for at least sixty days is an alert. Cases of sellers that did not deliver the
rule's sources are out of view and counted separately. The target is that rules find 40 to 70 % of the cases in view
over all kinds: below it, nobody could find the traces; above it, the fraud is too obvious. A withheld source leaves
only a gap, which honest refusals leave as well, so no rule looks for it. Writes JSON; exit code 1 if the target is
missed.

    python benchmarks/fraud_rules.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from scipy import stats

from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.settings import WorldSettings
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

ALERT_SHARE = 0.01
BAR = (0.40, 0.70)
YEARS = (2020, 2024)
_FEWEST_DAYS = 60
_KEY = b"benchmark key, not a secret: it only makes pseudonyms".ljust(32)
_RECORDED_AT = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Rule:
    """A rule for one kind of fraud.

    Attributes:
        kind: The kind, as in the truth tables.
        sources: Sources it reads.
        looks_at: What it looks at, in words.
        parts: Columns of ``sql`` whose clipped z-scores within a year add up to the score.
        sql: Query that returns ``seller_id``, ``year`` and the parts.
    """

    kind: str
    sources: tuple[str, ...]
    looks_at: str
    parts: tuple[str, ...]
    sql: str


RULES: tuple[Rule, ...] = (
    Rule(
        "brushing",
        ("shopify_orders",),
        "few buyers, unsent orders, one sum again and again, orders at night, buyers known in other shops",
        ("top_buyers", "unsent", "same_sum", "at_night", "known_elsewhere"),
        """
        WITH orders AS (
            SELECT seller_id, year(event_date) AS year, customer_id, total_amount, is_fulfilled, is_cancelled, event_at,
                destination_country
            FROM site_order
        ), shops AS (
            SELECT customer_id, count(DISTINCT seller_id) AS shops FROM orders GROUP BY customer_id
        ), sums AS (
            SELECT seller_id, year, max(n) AS most FROM (
                SELECT seller_id, year, count(*) AS n FROM orders GROUP BY seller_id, year, total_amount)
            GROUP BY seller_id, year
        ), buyers AS (
            SELECT seller_id, year, sum(n) AS most FROM (
                SELECT seller_id, year, count(*) AS n FROM orders GROUP BY seller_id, year, customer_id
                QUALIFY row_number() OVER (PARTITION BY seller_id, year ORDER BY n DESC) <= 5)
            GROUP BY seller_id, year
        ), hours AS (
            SELECT seller_id, year, max(n) AS most FROM (
                SELECT seller_id, year, count(*) AS n FROM orders GROUP BY seller_id, year, hour(event_at) // 4)
            GROUP BY seller_id, year
        )
        SELECT seller_id, year, any_value(buyers.most) / count(*) AS top_buyers,
            count(*) FILTER (NOT is_fulfilled AND NOT is_cancelled) / count(*) AS unsent,
            any_value(sums.most) / count(*) AS same_sum, any_value(hours.most) / count(*) AS at_night,
            2 * sqrt(count(*) FILTER (shops > 1) / count(*)) AS known_elsewhere
        FROM orders JOIN shops USING (customer_id) JOIN sums USING (seller_id, year)
            JOIN hours USING (seller_id, year) JOIN buyers USING (seller_id, year)
        GROUP BY seller_id, year HAVING count(*) >= 12
        """,
    ),
    Rule(
        "inflated_traffic",
        ("shopify_orders", "shop_traffic"),
        "visits for each order, visits of the best quarter over those of a usual one, visitors who come once",
        ("per_order", "jump", "once_only", "odd_bounce"),
        """
        WITH orders AS (
            SELECT seller_id, year(event_date) AS year, count(*) AS orders FROM site_order GROUP BY ALL
        ), quarters AS (
            SELECT seller_id, year(event_date) AS year, quarter(event_date) AS quarter, sum(session_count) AS sessions,
                sum(visitor_count) AS visitors, sum(bounce_count) AS bounces
            FROM site_day GROUP BY ALL HAVING count(*) > 60
        ), usual AS (SELECT seller_id, median(sessions) AS usual FROM quarters GROUP BY seller_id)
        SELECT seller_id, year, ln(sum(sessions) / any_value(orders)) AS per_order,
            ln(max(sessions) / any_value(usual)) AS jump, max(visitors / sessions) AS once_only,
            max(abs(bounces / sessions - 0.48)) AS odd_bounce
        FROM quarters JOIN orders USING (seller_id, year) JOIN usual USING (seller_id)
        WHERE sessions > 0 AND usual > 0
        GROUP BY seller_id, year HAVING sum(sessions) > 500
        """,
    ),
    Rule(
        "over_declaration",
        ("customs_declaration", "vat_invoices"),
        "declared value over purchases, and the price of a piece against others with the same tariff code",
        ("over_purchases", "dear_pieces", "dear_weight"),
        """
        WITH items AS (
            SELECT seller_id, year(event_date) AS year, declared_amount_usd AS amount,
                ln(CAST(declared_amount AS DOUBLE) / CAST(quantity AS DOUBLE)) AS price,
                ln(CAST(declared_amount AS DOUBLE) / CAST(net_weight_kg AS DOUBLE)) AS by_weight, hs6
            FROM export_declaration WHERE quantity > 0 AND declared_amount > 0 AND net_weight_kg > 0
        ), compared AS (
            SELECT *, price - median(price) OVER (PARTITION BY hs6, year) AS dear,
                by_weight - median(by_weight) OVER (PARTITION BY hs6, year) AS dear_by_weight FROM items
        ), declared AS (
            SELECT seller_id, year, CAST(sum(amount) AS DOUBLE) AS declared, median(dear) AS dear_pieces,
                median(dear_by_weight) AS dear_weight
            FROM compared GROUP BY seller_id, year
        ), bought AS (
            SELECT seller_id, year(event_date) AS year, CAST(sum(net_amount_usd) AS DOUBLE) AS bought FROM trade_invoice
            WHERE direction = 'purchase' AND status = 'valid' GROUP BY ALL
        )
        SELECT seller_id, year, ln(declared / bought) AS over_purchases, dear_pieces, dear_weight
        FROM declared JOIN bought USING (seller_id, year) WHERE bought > 0
        """,
    ),
    Rule(
        "round_trip",
        ("vat_invoices",),
        "domestic sales answered by a purchase of nearly the same amount within a fortnight",
        ("answered", "times"),
        """
        WITH sold AS (
            SELECT invoice_id, seller_id, event_date, CAST(gross_amount AS DOUBLE) AS amount FROM trade_invoice
            WHERE direction = 'sale' AND status = 'valid' AND tax_amount > 0
        ), bought AS (
            SELECT seller_id, event_date, CAST(gross_amount AS DOUBLE) AS amount FROM trade_invoice
            WHERE direction = 'purchase' AND status = 'valid' AND gross_amount > 0
        ), answered AS (
            SELECT sold.invoice_id FROM sold JOIN bought ON sold.seller_id = bought.seller_id
                AND bought.event_date BETWEEN sold.event_date - 14 AND sold.event_date + 14
                AND bought.amount BETWEEN 0.96 * sold.amount AND 1.04 * sold.amount
            GROUP BY 1
        )
        SELECT sellers.seller_id, year, ln(1 + count(answered.invoice_id)) AS times,
            coalesce(sum(sold.amount) FILTER (answered.invoice_id IS NOT NULL), 0) / any_value(total) AS answered
        FROM (
            SELECT seller_id, year(event_date) AS year, CAST(sum(gross_amount) AS DOUBLE) AS total FROM trade_invoice
            WHERE direction = 'sale' AND status = 'valid' GROUP BY ALL HAVING total > 0
        ) AS sellers LEFT JOIN sold ON sold.seller_id = sellers.seller_id AND year(sold.event_date) = year
            LEFT JOIN answered USING (invoice_id)
        GROUP BY sellers.seller_id, year
        """,
    ),
    Rule(
        "loan_diverted",
        ("lender_loans", "vat_invoices", "customs_declaration", "template_cash_balance"),
        "money that left the account in the month of a loan beyond the usual; few purchases and exports in the four "
        "months in which goods bought with it would be invoiced, given what was sold",
        ("left_at_once", "fewer_purchases", "fewer_exports"),
        """
        WITH loans AS (
            SELECT seller_id, event_date AS day, CAST(principal_usd AS DOUBLE) AS principal FROM loan
        ), months AS (
            SELECT seller_id, last_day(event_date) AS month, sum(CAST(outflow_usd AS DOUBLE)) AS outflow,
                sum(CAST(platform_inflow_usd AS DOUBLE)) AS earned
            FROM cash_balance WHERE outflow_usd IS NOT NULL GROUP BY ALL
        ), spent AS (
            SELECT seller_id, day, max(outflow - earned) FILTER (month = last_day(day))
                - median(outflow - earned) FILTER (month <> last_day(day)) AS beyond
            FROM loans JOIN months USING (seller_id)
            WHERE month BETWEEN last_day(day) - 130 AND last_day(day) + 100 GROUP BY seller_id, day
        ), flows AS (
            SELECT seller_id, event_date, direction AS kind, CAST(net_amount_usd AS DOUBLE) AS amount FROM trade_invoice
            WHERE status = 'valid'
            UNION ALL
            SELECT seller_id, event_date, 'export', CAST(declared_amount_usd AS DOUBLE) FROM export_declaration
        ), around AS (
            SELECT seller_id, day, kind, any_value(principal) AS principal,
                greatest(coalesce(sum(amount) FILTER (event_date > day + 21), 0), 0) + any_value(principal) / 10
                    AS after,
                greatest(coalesce(sum(amount) FILTER (event_date <= day + 21), 0), 0) / 2
                    + any_value(principal) / 10 AS usual
            FROM loans JOIN flows USING (seller_id)
            WHERE event_date BETWEEN day - 203 AND day + 133 GROUP BY seller_id, day, kind
        ), falls AS (
            SELECT seller_id, day, any_value(principal) AS principal,
                coalesce(any_value(ln(usual / after)) FILTER (kind = 'purchase'), 0) AS purchase,
                coalesce(any_value(ln(usual / after)) FILTER (kind = 'sale'), 0) AS sale,
                coalesce(any_value(ln(usual / after)) FILTER (kind = 'export'), 0) AS export
            FROM around GROUP BY seller_id, day
        )
        SELECT seller_id, year(day) AS year, max(greatest(-1, least(beyond / principal, 1.5))) AS left_at_once,
            max(purchase - sale) AS fewer_purchases, max(export - sale) AS fewer_exports
        FROM spent JOIN falls USING (seller_id, day) WHERE beyond IS NOT NULL GROUP BY seller_id, year
        """,
    ),
    Rule(
        "borrowed_identity",
        ("company_links",),
        "a device, and worse a phone too, in common with a seller of other owners, directors, addresses and accounts",
        ("foreign_device", "foreign_phone"),
        """
        WITH ties AS (
            SELECT company.seller_id, link_type, CASE WHEN link_type IN ('owner', 'director') THEN from_party_id
                ELSE to_party_id END AS node, valid_from
            FROM party_link JOIN party AS company
                ON company.party_id = CASE WHEN link_type IN ('owner', 'director') THEN to_party_id
                ELSE from_party_id END
            WHERE company.seller_id IS NOT NULL AND link_type <> 'guarantee'
        ), pairs AS (
            SELECT a.seller_id, b.seller_id AS other, a.link_type, greatest(a.valid_from, b.valid_from) AS since
            FROM ties AS a JOIN ties AS b ON a.node = b.node AND a.seller_id <> b.seller_id
        ), known AS (
            SELECT seller_id, other, bool_or(link_type IN ('owner', 'director', 'address', 'bank_account')) AS related,
                min(since) FILTER (link_type = 'device') AS device, min(since) FILTER (link_type = 'phone') AS phone
            FROM pairs GROUP BY seller_id, other
        ), strangers AS (SELECT *, count(*) OVER (PARTITION BY seller_id) AS others FROM known WHERE NOT related),
        sellers AS (
            SELECT seller_id, year FROM (SELECT seller_id, year(min(valid_from)) AS first FROM ties
            WHERE link_type = 'device' GROUP BY seller_id), range(2020, 2025) AS years(year) WHERE year >= first
        )
        SELECT seller_id, year,
            coalesce(max(CASE WHEN year(device) <= year THEN 1 / sqrt(others) END), 0) AS foreign_device,
            coalesce(max(CASE WHEN year(device) <= year AND year(phone) <= year THEN 1 END), 0) AS foreign_phone
        FROM sellers LEFT JOIN strangers USING (seller_id) GROUP BY seller_id, year
        """,
    ),
    Rule(
        "double_pledge",
        ("template_pledge",),
        "one asset pledged to two lenders at a time, beyond its value",
        ("lenders", "over_value"),
        """
        WITH spans AS (
            SELECT seller_id, asset_id, secured_loan_id, any_value(lender_id) AS lender_id,
                min(event_date) FILTER (entry_type = 'pledged') AS first,
                coalesce(min(event_date) FILTER (entry_type <> 'pledged'), DATE '2099-01-01') AS ended,
                any_value(CAST(asset_value_usd AS DOUBLE)) AS worth, any_value(CAST(secured_usd AS DOUBLE)) AS secured
            FROM pledge GROUP BY seller_id, asset_id, secured_loan_id
        ), twice AS (
            SELECT a.seller_id, greatest(a.first, b.first) AS day,
                (a.secured + b.secured) / greatest(a.worth, 1) AS share
            FROM spans AS a JOIN spans AS b ON a.seller_id = b.seller_id AND a.asset_id = b.asset_id
                AND a.secured_loan_id < b.secured_loan_id AND a.lender_id <> b.lender_id
                AND a.first < b.ended AND b.first < a.ended
        ), sellers AS (
            SELECT DISTINCT seller_id, year FROM source_coverage, range(2020, 2025) AS years(year)
            WHERE covered_table = 'pledge' AND year BETWEEN year(period_from) AND year(period_to)
        )
        SELECT sellers.seller_id, sellers.year, count(day) AS lenders,
            greatest(coalesce(max(share), 0) - 1, 0) AS over_value
        FROM sellers LEFT JOIN twice ON twice.seller_id = sellers.seller_id AND year(day) = sellers.year
        GROUP BY sellers.seller_id, sellers.year
        """,
    ),
    Rule(
        "forged_trade",
        ("template_purchase_order", "template_logistics_event", "vat_invoices"),
        "ordered goods nobody invoiced, from suppliers who never invoice; waybills of others; round sums",
        ("not_invoiced", "unknown_supplier", "foreign_waybill", "round_sums"),
        """
        WITH placed AS (
            SELECT seller_id, year(event_date) AS year, supplier_id, CAST(amount AS DOUBLE) AS amount
            FROM purchase_order WHERE entry_type = 'placed'
        ), invoiced AS (
            SELECT seller_id, year(event_date) AS year, CAST(sum(gross_amount) AS DOUBLE) AS bought
            FROM trade_invoice WHERE direction = 'purchase' AND status = 'valid' GROUP BY ALL
        ), known AS (SELECT DISTINCT seller_id, counterparty_id AS supplier_id, true AS invoices FROM trade_invoice),
        bills AS (
            SELECT seller_id, year(event_date) AS year, waybill_number FROM logistics_event
            WHERE milestone = 'picked_up' AND waybill_number IS NOT NULL
        ), shared AS (
            SELECT waybill_number FROM bills GROUP BY waybill_number HAVING count(DISTINCT seller_id) > 1
        ), carried AS (
            SELECT seller_id, year, avg(CAST(shared.waybill_number IS NOT NULL AS INTEGER)) AS foreign_waybill
            FROM bills LEFT JOIN shared USING (waybill_number) GROUP BY seller_id, year
        )
        SELECT seller_id, year, ln(sum(amount) / any_value(bought)) AS not_invoiced,
            avg(CAST(invoices IS NULL AS INTEGER)) AS unknown_supplier,
            avg(CAST(amount = round(amount / 1000) * 1000 AS INTEGER)) AS round_sums,
            coalesce(any_value(foreign_waybill), 0) AS foreign_waybill
        FROM placed JOIN invoiced USING (seller_id, year) LEFT JOIN known USING (seller_id, supplier_id)
            LEFT JOIN carried USING (seller_id, year)
        WHERE bought > 0 GROUP BY seller_id, year
        """,
    ),
)


@dataclass(frozen=True)
class Found:
    """Results of a rule in a world: cases in view, cases found, cases out of view, and seller-years scored."""

    kind: str
    in_view: int
    found: int
    out_of_view: int
    scored: int


def canonical_tables(settings: WorldSettings, folder: Path) -> dict[str, pa.Table]:
    """Write a world and return its canonical tables, as ingest makes them from the sources that rules read."""
    write_world(settings, folder)
    sources = tuple(sorted({source for rule in RULES for source in rule.sources}))
    wanted = IngestSettings(layout="deliveries", recorded_at=_RECORDED_AT, sources=sources)
    return ingest_folder(folder / "raw", wanted, _KEY).tables


def alerts(connection: duckdb.DuckDBPyConnection, rule: Rule) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Return the seller-years a rule scores, and its alerts: the 1 % with the highest scores, ties broken by digest."""
    zs = [
        f"greatest(-1, least(6, ({part} - median({part}) OVER w) / "
        f"greatest(1.4826 * mad({part}) OVER w, 0.3 * stddev_pop({part}) OVER w, 1e-9)))"
        for part in rule.parts
    ]
    rows = connection.execute(
        f"SELECT seller_id, year FROM (SELECT *, {' + '.join(zs)} AS score FROM ({rule.sql}) "  # noqa: S608 - text of this module
        "WHERE year BETWEEN ? AND ? WINDOW w AS (PARTITION BY year)) ORDER BY score DESC, md5(seller_id || year)",
        list(YEARS),
    ).fetchall()
    scored = [(str(seller), int(year)) for seller, year in rows]
    return set(scored), set(scored[: round(ALERT_SHARE * len(scored))])


def judged(connection: duckdb.DuckDBPyConnection, rule: Rule, truth: Path) -> Found:
    """Compare a rule's alerts with the truth."""
    scored, alerted = alerts(connection, rule)
    cases = connection.execute(
        "SELECT number, seller_id, year FROM (SELECT *, row_number() OVER () AS number "
        "FROM read_csv(?, header = true, all_varchar = true)), range(?, ?) AS years(year) WHERE kind = ? AND "
        "date_diff('day', greatest(CAST(\"from\" AS DATE), make_date(year, 1, 1)), "
        "least(coalesce(try_cast(\"to\" AS DATE), DATE '2024-12-31'), make_date(year, 12, 31))) >= ?",
        [str(truth), YEARS[0], YEARS[1] + 1, rule.kind, _FEWEST_DAYS],
    ).fetchall()
    years_of: dict[int, set[tuple[str, int]]] = {}
    for number, seller, year in cases:
        years_of.setdefault(int(number), set()).add((str(seller), int(year)))
    in_view = [years for years in years_of.values() if years & scored]
    found = sum(bool(years & alerted) for years in in_view)
    return Found(rule.kind, len(in_view), found, len(years_of) - len(in_view), len(scored))


def one_world(seed: int, sellers: int) -> list[Found]:
    """Write, read and judge one world."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = canonical_tables(WorldSettings(seller_count=sellers, seed=seed), folder)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table, rows in tables.items():
            connection.register(table, rows)
        return [judged(connection, rule, folder / "truth/lies.csv") for rule in RULES]


def interval(values: Sequence[float]) -> dict[str, float]:
    """Return the mean with a 95 % t-interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": mean}
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def summary(worlds: Mapping[int, Sequence[Found]]) -> dict[str, object]:
    """Return recall by kind and overall, with intervals over worlds."""
    kinds = {}
    for place, rule in enumerate(RULES):
        found = [results[place] for results in worlds.values()]
        recalls = [each.found / each.in_view for each in found if each.in_view]
        kinds[rule.kind] = {
            "looks_at": rule.looks_at, "recall": interval(recalls) if recalls else None,
            "cases_in_view": sum(each.in_view for each in found), "found": sum(each.found for each in found),
            "cases_out_of_view": sum(each.out_of_view for each in found),
            "seller_years_scored": sum(each.scored for each in found),
        }  # fmt: skip
    overall = [sum(e.found for e in results) / sum(e.in_view for e in results) for results in worlds.values()]
    mean = interval(overall)
    return {"kinds": kinds, "overall": mean, "bar": BAR, "meets_bar": BAR[0] <= mean["mean"] <= BAR[1]}


def main() -> int:
    """Run the worlds and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default=",".join(str(seed) for seed in range(1, 11)))
    parser.add_argument("--sellers", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    worlds: dict[int, list[Found]] = {}
    for seed in (int(text) for text in options.seeds.split(",")):
        start = time.perf_counter()
        worlds[seed] = one_world(seed, options.sellers)
        shown = ", ".join(f"{each.kind} {each.found}/{each.in_view}" for each in worlds[seed])
        print(f"seed {seed}: {shown} ({time.perf_counter() - start:.0f} s)", flush=True)
    report = {
        "benchmark": "fraud_rules", "made_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": platform.machine(), "data": "synthetic worlds", "alert_share": ALERT_SHARE,
        "sellers_a_world": options.sellers, "seeds": sorted(worlds), **summary(worlds),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "fraud_rules.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"overall": report["overall"], "meets_bar": report["meets_bar"]}))
    return 0 if report["meets_bar"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
