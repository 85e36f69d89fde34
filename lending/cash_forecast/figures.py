"""What is read about sellers as of a date, as arrays: one row a seller, or one row a seller's channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.definition.compiler import table_contract
from features.engine.as_of import AS_OF_COLUMNS, REPLAY_COLUMNS
from features.engine.coverage import CoverageNeed, coverage_sql
from features.engine.views import AS_OF_VIEWS
from lending.cash_forecast import statements
from lending.cash_forecast.settings import DAYS, HISTORY_WEEKS, WEEKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.mapping.currency import ExchangeRates
    from features.engine.as_of import AsOf
    from features.engine.duckdb_engine import DuckDbEngine
    from lending.cash_forecast.settings import CashForecastSettings

Floats = NDArray[np.float64]

SOURCES: Final = ("money_event", "cash_balance", "purchase_order", "repayment", "debt", "receivable", "bank_entry")
"""Tables that a forecast reads; each of them may be missing."""
_COVERED_DAYS: Final = 120
_MONTHS: Final = 3
_OWN_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "money_event": ("platform", "statement_id", "event_type", "amount", "currency", "amount_usd", "available_on"),
    "repayment": (*AS_OF_VIEWS["instalment"].tables["repayment"], "currency"),
    "purchase_order": ("order_number", "entry_type", "amount", "currency", "amount_usd", "payment_terms_days"),
    "bank_entry": ("counterparty_kind", "amount_usd"),
    "source_coverage": ("covered_table", "period_from", "period_to"),
    **{table: AS_OF_VIEWS[f"latest_{table}"].tables[table] for table in ("cash_balance", "debt")},
    "receivable": AS_OF_VIEWS["latest_receivable"].tables["receivable"],
}


@dataclass(frozen=True)
class Channels:
    """Channels of sellers, one row each.

    Attributes:
        seller: position of the seller.
        sales: sales by weeks before the date (0 = the last week), US dollars, shape (channels, weeks).
        earned: sales less refunds and fees, likewise.
        last_sale: days from the date to the last day with a sale that is known (0 or negative).
        first_sale: days to the first day with a sale.
        last_payout: days to the last payout sent or announced; NaN if there was none.
        gap: days between two payouts; NaN if unknown.
        lag: days from a sale to its payout; NaN if unknown.
        payouts: payouts in the last thirteen weeks.
        held: reserve that the platform holds.
        advance_owed: advances not yet repaid.
        withheld: advances withheld from the payouts of the last thirteen weeks.
    """

    seller: NDArray[np.int64]
    sales: Floats
    earned: Floats
    last_sale: Floats
    first_sale: Floats
    last_payout: Floats
    gap: Floats
    lag: Floats
    payouts: Floats
    held: Floats
    advance_owed: Floats
    withheld: Floats


@dataclass(frozen=True)
class Figures:
    """Figures of sellers, one row each; amounts in US dollars, cumulative ones of shape (sellers, weeks).

    Attributes:
        sellers: identifiers.
        channels: their channels.
        delivered: whether each table of ``SOURCES`` was delivered, shape (sellers, sources).
        settled: announced payouts, settled earnings and receivables arriving by the end of each week.
        debt_due: instalments, arrears and declared debt falling due by the end of each week.
        arrears: instalments overdue at the date, a part of ``debt_due``.
        payable: stocking orders placed, in full, whose balance falls due by the end of each week.
        ordered: orders of the last half year; NaN if none are known.
        terms: usual payment terms in days.
        balance: operating balance; NaN if unknown.
        balance_age: its age in days.
        arrived: payouts that arrived since the balance was read.
        credited: mean weekly payouts at the bank; NaN if unknown.
    """

    sellers: pa.Array[Any]
    channels: Channels
    delivered: NDArray[np.bool_]
    settled: Floats
    debt_due: Floats
    arrears: Floats
    payable: Floats
    ordered: Floats
    terms: Floats
    balance: Floats
    balance_age: Floats
    arrived: Floats
    credited: Floats

    def has(self, source: str) -> NDArray[np.bool_]:
        """Return whether a source was delivered, by seller."""
        found: NDArray[np.bool_] = self.delivered[:, SOURCES.index(source)]
        return found


def load_tables(
    engine: DuckDbEngine, tables: Mapping[str, pa.Table], sellers: pa.Array[Any], as_of: AsOf, rates: ExchangeRates
) -> None:
    """Load the columns that a forecast reads into the engine, with positions in place of seller identifiers."""
    common = AS_OF_COLUMNS if as_of.recorded_until is None else (*AS_OF_COLUMNS, *REPLAY_COLUMNS)
    currencies: set[str] = set()
    for name, own in _OWN_COLUMNS.items():
        table = tables.get(name)
        if table is None:
            table = table_contract(name).arrow_schema.empty_table()
        table = table.select(list(dict.fromkeys(["seller_id", *common, *own])))
        numbers = pc.index_in(table["seller_id"].cast(pa.string()), value_set=sellers)
        engine.load(name, table.set_column(0, "seller_id", numbers).filter(pc.is_valid(numbers)))
        if "currency" in table.column_names:
            currencies |= {str(code) for code in table["currency"].unique().to_pylist()}
    known = {code: rates.usd_per_unit(code, as_of.day) for code in sorted(currencies)}
    rated = {code: float(rate) for code, rate in known.items() if rate is not None}
    engine.load("usd_rate", pa.table({
        "currency": pa.array(rated, pa.string()), "usd_per_unit": pa.array(rated.values(), pa.float64()),
    }))  # fmt: skip


def read_figures(
    engine: DuckDbEngine, sellers: pa.Array[Any], first: int, as_of: AsOf, settings: CashForecastSettings
) -> Figures:
    """Read the figures of a chunk of sellers from loaded tables.

    Args:
        engine: the engine with the loaded tables.
        sellers: the sellers of the chunk.
        first: position of the first of them among all sellers loaded.
        as_of: what counts as known.
        settings: what is assumed.
    """
    reader = _Reader(engine, first, len(sellers))
    engine.load("observed", pa.table({"seller_id": pa.array(np.arange(first, first + len(sellers)), pa.int32())}))
    delivered = _delivered(reader, as_of)
    overdue = reader.by_week(statements.arrears(as_of))
    loans = reader.by_week(statements.instalments(as_of)) + overdue
    declared = reader.by_week(statements.declared_debt(as_of, _MONTHS))
    has_loans = delivered[:, SOURCES.index("repayment"), None]
    settled = (statements.announced(as_of), statements.earned_unpaid(as_of), statements.claims(as_of))
    balance = reader.by_seller(statements.balances(as_of, settings), ("balance", "age_days"))
    ordering = reader.by_seller(statements.ordering(as_of, settings), ("ordered", "terms"))
    return Figures(
        sellers=sellers, channels=_channels(reader, as_of), delivered=delivered,
        settled=np.maximum(sum(reader.by_week(each) for each in settled), 0.0),
        debt_due=np.where(has_loans, loans, declared), arrears=np.where(has_loans[:, 0], overdue[:, 0], 0.0),
        payable=reader.by_week(statements.payables(as_of, settings)),
        ordered=ordering[:, 0], terms=np.where(np.isnan(ordering[:, 1]), settings.usual_terms_days, ordering[:, 1]),
        balance=balance[:, 0], balance_age=np.nan_to_num(balance[:, 1]),
        arrived=_arrived(reader, as_of, settings, balance[:, 1]),
        credited=reader.by_seller(statements.credited(as_of), ("weekly",))[:, 0],
    )  # fmt: skip


class _Reader:
    """Results of statements as arrays over the sellers of a chunk."""

    def __init__(self, engine: DuckDbEngine, first: int, count: int) -> None:
        self._engine, self._first, self.count = engine, first, count

    def rows(self, sql: str) -> dict[str, NDArray[Any]]:
        """Return the columns of a result, with positions in the chunk."""
        table = self._engine.query(sql)
        found = {name: table[name].to_numpy() for name in table.column_names}
        return found | {"seller_id": found["seller_id"].astype(np.int64) - self._first}

    def by_seller(self, sql: str, names: Sequence[str]) -> Floats:
        """Return columns by seller, NaN where a seller has no row, shape (sellers, columns)."""
        rows = self.rows(sql)
        found = np.full((self.count, len(names)), np.nan)
        found[rows["seller_id"]] = np.stack([rows[name].astype(np.float64) for name in names], axis=1)
        return found

    def by_week(self, sql: str) -> Floats:
        """Return cumulative amounts by the end of each week, shape (sellers, weeks)."""
        rows, found = self.rows(sql), np.zeros((self.count, WEEKS))
        ahead = rows["days_ahead"].astype(np.int64)
        is_within = (ahead >= 1) & (ahead <= DAYS)
        np.add.at(found, (rows["seller_id"][is_within], (ahead[is_within] - 1) // 7), rows["usd"][is_within])
        return np.cumsum(found, axis=1)


def _delivered(reader: _Reader, as_of: AsOf) -> NDArray[np.bool_]:
    needs = [CoverageNeed(table, None) for table in SOURCES]
    sql = coverage_sql(needs, as_of, dict.fromkeys(SOURCES, _COVERED_DAYS))
    return np.asarray(reader.by_seller(sql, [need.column for need in needs]) == 1)


def _channels(reader: _Reader, as_of: AsOf) -> Channels:
    listed = reader.rows(f"{statements.channels(as_of)} ORDER BY 1, 2")
    places = {key: place for place, key in enumerate(zip(listed["seller_id"], listed["channel"], strict=True))}
    count = len(places)

    def place_of(rows: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        keys = zip(rows["seller_id"], rows["channel"], strict=True)
        return np.fromiter((places.get(key, count) for key in keys), np.int64, len(rows["seller_id"]))

    weekly, schedule = reader.rows(statements.weekly_sales(as_of)), reader.rows(statements.schedules(as_of))
    sums = {name: np.zeros((count + 1, HISTORY_WEEKS)) for name in ("sales", "earned")}
    for name, target in sums.items():
        target[place_of(weekly), weekly["weeks_back"].astype(np.int64)] = weekly[name]
    seen = {name: np.full(count + 1, np.nan) for name in ("last_payout", "gap", "lag", "payouts")}
    for name, column in seen.items():
        column[place_of(schedule)] = schedule[name].astype(np.float64)
    own = {
        name: listed[name].astype(np.float64)
        for name in ("last_sale", "first_sale", "held", "advance_owed", "withheld")
    }
    return Channels(
        seller=listed["seller_id"], sales=sums["sales"][:count], earned=sums["earned"][:count],
        last_sale=own["last_sale"], first_sale=own["first_sale"], held=np.maximum(own["held"], 0.0),
        advance_owed=np.maximum(own["advance_owed"], 0.0), withheld=np.maximum(own["withheld"], 0.0),
        **{name: column[:count] for name, column in seen.items()},
    )  # fmt: skip


def _arrived(reader: _Reader, as_of: AsOf, settings: CashForecastSettings, age: Floats) -> Floats:
    """Return the payouts that arrived after the balance was read, by seller."""
    rows = reader.rows(f"{statements.arrived(as_of, settings)} ORDER BY 1, 2")
    found = np.zeros(reader.count)
    is_since = rows["days_back"] < age[rows["seller_id"]]
    np.add.at(found, rows["seller_id"][is_since], rows["usd"][is_since])
    return found
