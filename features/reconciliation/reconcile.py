"""Reconciliation: does one source's account of a seller's trade agree with another's?

For every seller, quarter and claim (`features.reconciliation.claims`) the table has the amount of each source over up
to four quarters ending with it, the range it may lie in given the claim, and a grade. A source that was not delivered
for a quarter is absent from it, never zero. Two sources are compared over the quarters for which both were delivered.

A witness within its range agrees with the claim only if it could have contradicted it: it must show something (its
range begins above zero), and it must show more than a claim of half the amount would allow. So no witness agrees with a
claim and with its double. Any other witness within its range is compatible, and the claim not contradicted.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputRefused
from features.engine.as_of import AS_OF_COLUMNS, REPLAY_COLUMNS
from features.engine.coverage import stretches_sql
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import OBSERVED, date_literal, nested, select, with_parts
from features.reconciliation.claims import CLAIMS, FAMILIES, FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.engine.as_of import AsOf
    from features.reconciliation.claims import Claim, Family, Figure, Witness

CORROBORATED: Final = "corroborated"
NOT_CONTRADICTED: Final = "not_contradicted"
SINGLE_SOURCE: Final = "single_source"
CONTRADICTED: Final = "contradicted"
NOT_EVIDENCED: Final = "not_evidenced"
GRADES: Final = (CORROBORATED, NOT_CONTRADICTED, SINGLE_SOURCE, CONTRADICTED, NOT_EVIDENCED)
# Role of a row's amount: part of the claim; shown beside it; a witness without a claim or with too small an amount to
# judge; a witness that agrees with the claim, could not have contradicted it, or shows less or more than it could.
CLAIMED, BESIDE, ALONE, SMALL = "claimed", "beside", "alone", "small"
AGREES, COMPATIBLE, BELOW, ABOVE = "agrees", "compatible", "below", "above"

WINDOW_QUARTERS: Final = 4
# A list for a quarter may end within its last week; ours.
OPEN_END_DAYS: Final = 7
# Too small a yearly amount to tell a pattern from chance; ours.
SMALLEST_USD: Final = 10_000
COVERAGE: Final = "source_coverage"
_WORD: Final = re.compile(r"[a-z_]+")

_MONEY = pa.decimal128(18, 4)
_FIELDS: list[pa.Field[Any]] = [
    pa.field("seller_id", pa.string(), nullable=False),
    pa.field("quarter_end", pa.date32(), nullable=False),
    pa.field("claim", pa.string(), nullable=False),
    pa.field("grade", pa.string(), nullable=False),
    pa.field("source", pa.string()),
    pa.field("verdict", pa.string()),
    pa.field("quarters", pa.int32()),
    pa.field("usd", _MONEY),
    pa.field("claimed_usd", _MONEY),
    pa.field("ratio", pa.float64()),
    pa.field("lowest_usd", _MONEY),
    pa.field("highest_usd", _MONEY),
]
RECONCILIATION_SCHEMA: Final = pa.schema(_FIELDS)
"""One row per seller, quarter, claim and source: the source's amount over ``quarters`` quarters up to ``quarter_end``.

A witness also has the amount claimed for the same quarters, the ratio of its own to that, and the lowest and highest
amount it may show. A claim without any source has one row whose source is null.
"""


@dataclass(frozen=True)
class ReconciliationSettings:
    """How sources are compared.

    Attributes:
        last_quarters: how many quarters up to the date to return; None for all.
        threads: threads of the embedded engine; None for all processors. They change no bit of the result.
    """

    last_quarters: int | None = None
    threads: int | None = None


def reconcile(
    tables: Mapping[str, pa.Table],
    as_of: AsOf,
    sellers: Iterable[str] | None = None,
    settings: ReconciliationSettings | None = None,
) -> pa.Table:
    """Compare what the sources say about each claim, quarter by quarter, from what was known as of the date.

    Args:
        tables: canonical tables by name; without ``source_coverage`` nothing counts as delivered.
        as_of: the date and, when replaying, the instant of recording. The last quarter is the last that has ended.
        sellers: sellers to report; None for everyone with a delivery.
        settings: how sources are compared.

    Returns:
        A table of ``RECONCILIATION_SCHEMA``, sorted by seller, quarter, claim and source.

    Raises:
        InputRefused: an amount is too large to sum exactly, or a table lacks a column that every table has.
    """
    settings = settings or ReconciliationSettings()
    coverage = tables.get(COVERAGE)
    if coverage is None or coverage.num_rows == 0:
        return RECONCILIATION_SCHEMA.empty_table()
    asked = sorted({str(s) for s in (coverage["seller_id"].unique().to_pylist() if sellers is None else sellers)})
    quarters = _quarters(coverage, as_of.day)
    if not quarters or not asked:
        return RECONCILIATION_SCHEMA.empty_table()
    first_shown = quarters[0] if settings.last_quarters is None else quarters[-settings.last_quarters :][0]
    present = {family.table for family in FAMILIES} & set(tables)
    with DuckDbEngine(settings.threads) as engine:
        engine.load("observed", pa.table({"seller_id": pa.array(asked, pa.string())}))
        engine.load("quarter", pa.table({"quarter": pa.array(quarters, pa.date32())}))
        for name in (COVERAGE, *sorted(present)):
            engine.load(name, _needed(name, tables[name]))
        return engine.query(reconciliation_sql(as_of, present, first_shown)).cast(RECONCILIATION_SCHEMA)


def latest(reconciliation: pa.Table) -> pa.Table:
    """Return the rows of the last quarter of a reconciliation."""
    return reconciliation.filter(pc.equal(reconciliation["quarter_end"], pc.max(reconciliation["quarter_end"])))


def reconciliation_sql(as_of: AsOf, present: set[str], first_shown: dt.date) -> str:
    """Return the query over the tables ``present``, ``observed``, ``quarter`` and ``source_coverage``."""
    figures = [figure for figure in FIGURES if _family(figure).table in present]
    parts = {
        "stretch": _stretches(as_of),
        "delivered": _delivered(),
        "amount": "\nUNION ALL\n".join(_amounts(figure, as_of) for figure in figures) or _no_amounts(),
        "shown": _shown(figures),
        "wide": _wide(),
        "found": "\nUNION ALL\n".join(_rows_of(claim) for claim in CLAIMS),
        "judged": _judged(),
    }
    return with_parts(parts, _graded(first_shown))


def _quarters(coverage: pa.Table, as_of: dt.date) -> list[dt.date]:
    """Return the first days of the quarters that ended by the day, from the year of the first delivery on."""
    years = range(pc.min(coverage["period_from"]).as_py().year, as_of.year + 1)
    starts = (dt.date(year, month, 1) for year in years for month in (1, 4, 7, 10))
    return [start for start in starts if quarter_end(start) <= as_of]


def quarter_end(start: dt.date) -> dt.date:
    """Return the last day of the quarter that starts on a day."""
    after = dt.date(start.year + (start.month == 10), (start.month + 2) % 12 + 1, 1)
    return after - dt.timedelta(days=1)


def _needed(name: str, table: pa.Table) -> pa.Table:
    """Keep only the columns that a figure reads: copying texts takes longer than all sums.

    Raises:
        InputRefused: a column is missing that every canonical table has.
    """
    always = ("seller_id", *AS_OF_COLUMNS)
    absent = [column for column in always if column not in table.column_names]
    if absent:
        rule = "the column is missing"
        raise InputRefused(file=f"table {name}", column=absent[0], rule=rule, remedy="validate the table first")
    wanted = {*always, *REPLAY_COLUMNS, "covered_table", "delivered_source", "period_from", "period_to"}
    wanted |= {word for figure in FIGURES for word in _WORD.findall(f"{figure.value} {figure.where}")}
    return table.select([column for column in table.column_names if column in wanted])


def _family(figure: Figure) -> Family:
    return next(family for family in FAMILIES if family.name == figure.family)


def _text(name: str) -> str:
    return f"'{name}'"


def _stretches(as_of: AsOf) -> str:
    """Return SQL for the unbroken runs of deliveries by seller and family."""
    conditions = []
    for family in FAMILIES:
        condition = f"covered_table = {_text(family.table)}"
        if family.only:
            condition += f" AND delivered_source IN ({', '.join(map(_text, family.only))})"
        if family.without:
            condition += f" AND delivered_source NOT IN ({', '.join(map(_text, family.without))})"
        conditions.append(
            select(
                ["seller_id", f"{_text(family.name)} AS family", "period_from", "period_to"],
                COVERAGE,
                where=f"{as_of.condition()} AND {OBSERVED} AND {condition}",
            )
        )
    return stretches_sql(nested("\nUNION ALL\n".join(conditions), "known"), "seller_id, family")


def _delivered() -> str:
    """Return SQL for the quarters for which each family was delivered in full."""
    ends = f"CAST(quarter.quarter + INTERVAL 3 MONTH AS DATE) - {OPEN_END_DAYS + 1}"
    return select(
        ["DISTINCT stretch.seller_id", "family", "quarter.quarter"],
        f"stretch JOIN quarter ON period_from <= quarter.quarter AND period_to >= {ends}",
    )


def _amounts(figure: Figure, as_of: AsOf) -> str:
    quarter = "CAST(date_trunc('quarter', event_date) AS DATE)"
    return select(
        {
            "seller_id": "seller_id",
            "figure": _text(figure.name),
            "quarter": quarter,
            "usd": f"CAST(SUM({figure.value}) AS DECIMAL(24, 4))",
        },
        _family(figure).table,
        where=f"{as_of.condition()} AND {OBSERVED} AND {figure.where}",
        group_by=f"seller_id, {quarter}",
    )


def _no_amounts() -> str:
    nothing = ["'' AS seller_id", "'' AS figure", "NULL::DATE AS quarter", "NULL::DECIMAL(24, 4) AS usd"]
    return select(nothing, "quarter", where="FALSE")


def _shown(figures: list[Figure]) -> str:
    """Return SQL for the amount of every figure in every delivered quarter, 0 where nothing happened."""
    listed = ", ".join(f"({_text(f.name)}, {_text(f.family)})" for f in figures) or "('', '')"
    families = f"(VALUES {listed}) AS listed(figure, family)"
    heard = ", ".join(_text(family.name) for family in FAMILIES if family.must_have_spoken)
    spoken = nested(select(["DISTINCT seller_id", "figure"], "amount"), "spoken")
    return select(
        ["delivered.seller_id", "delivered.quarter", "listed.figure", "COALESCE(usd, 0) AS usd"],
        f"delivered JOIN {families} USING (family) LEFT JOIN amount ON amount.seller_id = delivered.seller_id "
        "AND amount.quarter = delivered.quarter AND amount.figure = listed.figure "
        f"LEFT JOIN {spoken} ON spoken.seller_id = delivered.seller_id AND spoken.figure = listed.figure",
        where=f"family NOT IN ({heard}) OR spoken.figure IS NOT NULL",
    )


def _wide() -> str:
    """Return SQL for one row per seller and quarter and one column per figure, null where not delivered."""
    start = select({"seller_id": "seller_id", "first": "MIN(quarter)"}, "delivered", group_by="seller_id")
    columns = {f.name: f"MAX(usd) FILTER (figure = {_text(f.name)})" for f in FIGURES}
    return select(
        {"seller_id": "entered.seller_id", "quarter": "quarter.quarter", **columns},
        f"{nested(start, 'entered')} JOIN quarter ON quarter.quarter >= entered.first LEFT JOIN shown "
        "ON shown.seller_id = entered.seller_id AND shown.quarter = quarter.quarter",
        group_by="entered.seller_id, quarter.quarter",
    )


_ORDER = f"PARTITION BY seller_id ORDER BY quarter RANGE BETWEEN INTERVAL {3 * (WINDOW_QUARTERS - 1)} MONTH PRECEDING"
_WINDOW = f"({_ORDER} AND CURRENT ROW)"
_NO_MONEY = "NULL::DECIMAL(24, 4)"


def _sum_of(figures: Iterable[str]) -> str:
    return " + ".join(f"COALESCE({name}, 0)" for name in figures)


def _any_of(figures: Iterable[str]) -> str:
    return f"COALESCE({', '.join(figures)}) IS NOT NULL"


def _rows_of(claim: Claim) -> str:
    """Return SQL for the rows of a claim before the verdict: parts, figures beside it, witnesses, or no source."""
    by_family: dict[str, list[str]] = {}
    for part in claim.parts:
        by_family.setdefault(next(f.family for f in FIGURES if f.name == part), []).append(part)
    rows = [_plain_row(claim, family, names, CLAIMED) for family, names in by_family.items()]
    rows += [_plain_row(claim, name, [name], BESIDE) for name in claim.beside]
    for witness in claim.witnesses:
        rows.append(_witness_row(claim, witness))
        rows.append(_plain_row(claim, witness.figure, [witness.figure], ALONE, f"NOT ({_any_of(claim.parts)})"))
    if claim.is_expected:
        everything = [*claim.parts, *(witness.figure for witness in claim.witnesses)]
        nobody = _row(claim, "NULL::VARCHAR", "NULL::VARCHAR", "0", (_NO_MONEY,) * 4)
        rows.append(select(nobody, "wide", where=f"NOT ({_any_of(everything)})"))
    return "\nUNION ALL\n".join(rows)


def _row(claim: Claim, source: str, verdict: str, quarters: str, amounts: tuple[str, ...]) -> dict[str, str]:
    named = dict(zip(("usd", "claimed_usd", "lowest_usd", "highest_usd"), amounts, strict=True))
    keys = {"seller_id": "seller_id", "quarter": "quarter", "claim": _text(claim.name)}
    return {**keys, "source": source, "verdict": verdict, "quarters": quarters, **named}


def _plain_row(claim: Claim, source: str, figures: list[str], verdict: str, where: str = "TRUE") -> str:
    amount = f"SUM({_sum_of(figures)}) OVER {_WINDOW}"
    columns = _row(claim, _text(source), _text(verdict), f"COUNT(*) OVER {_WINDOW}", (amount, *(_NO_MONEY,) * 3))
    return select(columns, "wide", where=f"{_any_of(figures)} AND {where}")


def _witness_row(claim: Claim, witness: Witness) -> str:
    """Return SQL for a witness over the quarters shared with the claim, with the range it may lie in."""
    quarters = f"COUNT(*) OVER {_WINDOW}"
    lowest = _weighted({part: witness.gaps[part].lowest for part in claim.parts})
    highest = _weighted({part: witness.gaps[part].highest for part in claim.parts})
    hosted = "1"
    if witness.is_less_hosted:
        every = f"SUM({_sum_of(CLAIMS[0].parts)}) OVER {_WINDOW}"
        share = f"CAST(SUM(COALESCE(full_hosted, 0)) OVER {_WINDOW} AS DOUBLE) / CAST({every} AS DOUBLE)"
        hosted = f"(1 - CASE WHEN {every} > 0 THEN GREATEST(LEAST({share}, 1), 0) ELSE 0 END)"
    carry = f"{witness.carry_quarters} / CAST({quarters} AS DOUBLE)"
    amounts = (
        f"SUM({witness.figure}) OVER {_WINDOW}",
        f"SUM({_sum_of(claim.parts)}) OVER {_WINDOW}",
        _cents(f"SUM({lowest}) OVER {_WINDOW}", f"{hosted} * GREATEST(1 - {carry}, 0)"),
        _cents(f"SUM({highest}) OVER {_WINDOW}", f"(1 + {carry})"),
    )
    both = f"{_any_of(claim.parts)} AND {witness.figure} IS NOT NULL"
    return select(_row(claim, _text(witness.figure), "NULL::VARCHAR", quarters, amounts), "wide", where=both)


def _weighted(shares: Mapping[str, Any]) -> str:
    return " + ".join(f"COALESCE({part}, 0) * {share}" for part, share in shares.items())


def _cents(amount: str, factor: str) -> str:
    """Return SQL for an exact amount times a factor, rounded to cents."""
    return f"CAST(ROUND(CAST({amount} AS DOUBLE) * {factor}, 2) AS DECIMAL(24, 4))"


def _judged() -> str:
    """Return SQL for the verdicts of the witnesses that have a claimed amount to be compared with."""
    verdict = (
        f"CASE WHEN verdict IS NOT NULL OR source IS NULL THEN verdict "
        f"WHEN GREATEST(usd, claimed_usd) < {SMALLEST_USD} THEN {_text(SMALL)} "
        f"WHEN usd < lowest_usd THEN {_text(BELOW)} WHEN usd > highest_usd THEN {_text(ABOVE)} "
        f"WHEN lowest_usd > 0 AND 2 * usd > highest_usd THEN {_text(AGREES)} ELSE {_text(COMPATIBLE)} END"
    )
    kept = ["seller_id", "quarter", "claim", "source", "quarters", "usd", "claimed_usd", "lowest_usd", "highest_usd"]
    return select([*kept, f"{verdict} AS verdict"], "found")


def _graded(first_shown: dt.date) -> str:
    all_of = "OVER (PARTITION BY seller_id, quarter, claim)"
    grade = (
        f"CASE WHEN BOOL_OR(verdict IN ({_text(BELOW)}, {_text(ABOVE)})) {all_of} THEN {_text(CONTRADICTED)} "
        f"WHEN BOOL_OR(verdict = {_text(AGREES)}) {all_of} THEN {_text(CORROBORATED)} "
        f"WHEN BOOL_OR(verdict = {_text(COMPATIBLE)}) {all_of} THEN {_text(NOT_CONTRADICTED)} "
        f"WHEN COUNT(source) FILTER (verdict <> {_text(BESIDE)}) {all_of} > 0 THEN {_text(SINGLE_SOURCE)} "
        f"ELSE {_text(NOT_EVIDENCED)} END"
    )
    columns = {
        "seller_id": "seller_id",
        "quarter_end": "CAST(quarter + INTERVAL 3 MONTH AS DATE) - 1",
        "claim": "claim",
        "grade": grade,
        "source": "source",
        "verdict": "verdict",
        "quarters": "CAST(quarters AS INTEGER)",
        "usd": "CAST(usd AS DECIMAL(18, 4))",
        "claimed_usd": "CAST(claimed_usd AS DECIMAL(18, 4))",
        "ratio": "CASE WHEN claimed_usd > 0 THEN CAST(usd AS DOUBLE) / CAST(claimed_usd AS DOUBLE) END",
        "lowest_usd": "CAST(lowest_usd AS DECIMAL(18, 4))",
        "highest_usd": "CAST(highest_usd AS DECIMAL(18, 4))",
    }
    shown = f"quarter >= {date_literal(first_shown)}"
    return f"{select(columns, 'judged', where=shown)}\nORDER BY seller_id, quarter_end, claim, source NULLS LAST"
