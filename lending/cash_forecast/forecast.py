"""The cash forecast of sellers as of a date: thirteen weeks as a distribution, and what follows from it.

A seller's result depends on nothing but its own rows, the date, the peer figures and the settings: not on the other
sellers asked for, nor on how they are split into chunks.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from features.engine.duckdb_engine import DuckDbEngine
from lending.cash_forecast.figures import SOURCES, load_tables, read_figures
from lending.cash_forecast.model import WIDENING_SOURCES, distribution, drivers_of
from lending.cash_forecast.peers import packaged_peers
from lending.cash_forecast.sales import sales_outlook
from lending.cash_forecast.settings import WEEKS, CashForecastSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from data_contracts.mapping.currency import ExchangeRates
    from features.engine.as_of import AsOf
    from lending.cash_forecast.figures import Figures
    from lending.cash_forecast.model import Distribution, Drivers
    from lending.cash_forecast.peers import PeerFigures
    from lending.cash_forecast.sales import Outlook

    Floats = NDArray[np.float64]

_WEEKLY: Final = (
    "balance_p10_usd", "balance_p50_usd", "balance_p90_usd", "inflow_p50_usd", "outflow_p50_usd", "breach_probability",
)  # fmt: skip
_BY_SELLER: Final = (
    "opening_usd", "safety_line_usd", "trough_p10_usd", "reserve_held_usd", "debt_service_usd", "known_share",
    "forecast_share", "assumed_share",
)  # fmt: skip


def _field(name: str, kind: pa.DataType, *, is_nullable: bool = False) -> pa.Field[Any]:
    return pa.field(name, kind, nullable=is_nullable)


WEEK_SCHEMA: Final = pa.schema(
    [
        _field("seller_id", pa.string()),
        _field("week", pa.int8()),
        _field("week_start", pa.date32()),
        *(_field(name, pa.float64()) for name in _WEEKLY),
    ]
)
SELLER_SCHEMA: Final = pa.schema(
    [
        _field("seller_id", pa.string()),
        _field("status", pa.string()),
        *(_field(name, pa.float64(), is_nullable=True) for name in _BY_SELLER),
        _field("is_opening_known", pa.bool_(), is_nullable=True),
        _field("sources_missing", pa.list_(pa.string())),
        _field("first_breach_week", pa.int8(), is_nullable=True),
        _field("action", pa.string()),
    ]
)
FORECAST: Final = "forecast"
NO_SALES: Final = "no sales known"
NO_ACTION: Final = "none"
FREEZE: Final = "freeze spending"
EMERGENCY: Final = "seek emergency finance"


@dataclass(frozen=True)
class CashForecast:
    """The forecast of all sellers asked for.

    Attributes:
        weeks: one row a seller and week, of ``WEEK_SCHEMA``; none for a seller without known sales.
        sellers: one row a seller, of ``SELLER_SCHEMA``, in order of seller.
    """

    weeks: pa.Table
    sellers: pa.Table


@dataclass(frozen=True)
class Basis:
    """What a forecast rests on beside the rows of the sellers.

    Attributes:
        rates: exchange rates, for amounts that are not due yet.
        settings: the lender's settings.
        peers: figures measured on peers; those of the package if none are given.
    """

    rates: ExchangeRates
    settings: CashForecastSettings = field(default_factory=CashForecastSettings)
    peers: PeerFigures | None = None


def forecast_cash(
    tables: Mapping[str, pa.Table],
    sellers: pa.Array[Any],
    as_of: AsOf,
    basis: Basis,
) -> CashForecast:
    """Return the cash forecast of sellers for the thirteen weeks after a date from what was known by its end.

    Args:
        tables: canonical tables by name; an absent one counts as not delivered.
        sellers: the sellers, in any order; each counts once.
        as_of: the date, and optionally the moment up to which rows were recorded.
        basis: exchange rates, settings and peer figures.
    """
    settings, peers = basis.settings, basis.peers or packaged_peers()
    asked = pa.array(sorted({str(name) for name in sellers.to_pylist()}), pa.string())
    weeks, summaries = [WEEK_SCHEMA.empty_table()], [SELLER_SCHEMA.empty_table()]
    with DuckDbEngine() as engine:
        load_tables(engine, tables, asked, as_of, basis.rates)
        for first in range(0, len(asked), settings.sellers_at_once):
            chunk = asked[first : first + settings.sellers_at_once]
            figures = read_figures(engine, chunk, first, as_of, settings)
            part = forecast_figures(figures, as_of.day, peers, settings)
            weeks.append(part.weeks)
            summaries.append(part.sellers)
    return CashForecast(pa.concat_tables(weeks).combine_chunks(), pa.concat_tables(summaries).combine_chunks())


def forecast_figures(
    figures: Figures, day: dt.date, peers: PeerFigures, settings: CashForecastSettings
) -> CashForecast:
    """Return the cash forecast of a chunk of sellers from their figures."""
    outlook = sales_outlook(figures.channels, len(figures.sellers), day, peers, settings)
    drivers = drivers_of(figures, outlook, day, peers, settings)
    found = distribution(drivers, {name: figures.has(name) for name in WIDENING_SOURCES}, peers)
    flows = _flows(drivers, found)
    line = settings.safety_line_weeks * flows.outflow.mean(axis=1)
    breach = found.below(line)
    is_forecast = ~np.isnan(drivers.scale)
    result = _Result(outlook, drivers, found, flows, line, breach)
    return CashForecast(_weeks(figures, day, result, is_forecast), _sellers(figures, result, is_forecast, settings))


@dataclass(frozen=True)
class _Flows:
    """Median flows by week, and how much of all flows is known and forecast; the rest is assumed."""

    inflow: Floats
    outflow: Floats
    known: Floats
    forecast: Floats


@dataclass(frozen=True)
class _Result:
    outlook: Outlook
    drivers: Drivers
    balance: Distribution
    flows: _Flows
    line: Floats
    breach: Floats


def _flows(drivers: Drivers, found: Distribution) -> _Flows:
    """Return inflow and outflow that add up from the opening balance to the median of each week."""
    zero = np.zeros((len(drivers.scale), 1))
    settled, sales, debt, bills, orders = (
        np.diff(values, axis=1, prepend=zero)
        for values in (drivers.settled, drivers.forecast_sales, drivers.debt_due, drivers.payable, drivers.new_orders)
    )
    net = np.diff(found.median(), axis=1, prepend=drivers.opening[:, None])
    expected = settled + np.maximum(sales, 0.0)
    outflow = np.maximum(expected - net, debt + bills)
    inflow = net + outflow
    # Negative inflow would be an outflow of the same size.
    turned = np.minimum(inflow, 0.0)
    inflow, outflow = inflow - turned, outflow - turned
    known_in = np.minimum(settled, inflow)
    known_out = np.minimum(debt + bills, outflow)
    forecast = np.minimum(np.maximum(sales, 0.0), inflow - known_in) + np.minimum(orders, outflow - known_out)
    return _Flows(inflow, outflow, known_in + known_out, forecast)


def _weeks(figures: Figures, day: dt.date, result: _Result, use: NDArray[np.bool_]) -> pa.Table:
    count, found, flows = int(use.sum()), result.balance, result.flows
    starts = [day + dt.timedelta(days=1 + 7 * week) for week in range(WEEKS)]
    amounts = (found.low(), found.median(), found.high(), flows.inflow, flows.outflow)
    return pa.table(
        [
            figures.sellers.take(np.repeat(np.flatnonzero(use), WEEKS)),
            pa.array(np.tile(np.arange(1, WEEKS + 1, dtype=np.int8), count)),
            pa.array(starts * count, pa.date32()),
            *(pa.array(np.round(values[use].ravel(), 2)) for values in amounts),
            pa.array(np.round(result.breach[use].ravel(), 4)),
        ],
        schema=WEEK_SCHEMA,
    )


def _sellers(figures: Figures, result: _Result, use: NDArray[np.bool_], settings: CashForecastSettings) -> pa.Table:
    flows, breach = result.flows, result.breach
    total = np.maximum((flows.inflow + flows.outflow).sum(axis=1), 1e-9)
    known, forecast = flows.known.sum(axis=1) / total, flows.forecast.sum(axis=1) / total
    watched = breach >= settings.watched_probability
    first = np.where(watched.any(axis=1), watched.argmax(axis=1) + 1, 0)
    worst = np.nan_to_num(breach).max(axis=1)
    action = np.select([worst >= settings.emergency_probability, worst >= settings.watched_probability],
                       [EMERGENCY, FREEZE], NO_ACTION)  # fmt: skip
    amounts = {
        "opening_usd": result.drivers.opening, "safety_line_usd": result.line,
        "trough_p10_usd": result.balance.low().min(axis=1), "reserve_held_usd": result.outlook.reserve,
        "debt_service_usd": result.drivers.debt_due[:, -1],
    }  # fmt: skip
    shares = {"known_share": known, "forecast_share": forecast, "assumed_share": 1 - known - forecast}
    empty = ~use
    columns: dict[str, Any] = {
        "seller_id": figures.sellers,
        "status": pa.array(np.where(use, FORECAST, NO_SALES).tolist(), pa.string()),
        **{name: pa.array(np.round(values, 2), mask=empty) for name, values in amounts.items()},
        **{name: pa.array(np.round(values, 4), mask=empty) for name, values in shares.items()},
        "is_opening_known": pa.array(result.drivers.is_known, mask=empty),
        "sources_missing": [
            [name for name, is_there in zip(SOURCES, row, strict=True) if not is_there] for row in figures.delivered
        ],
        "first_breach_week": pa.array(first.astype(np.int8), mask=empty | (first == 0)),
        "action": pa.array(np.where(use, action, NO_ACTION).tolist(), pa.string()),
    }
    return pa.table(columns, schema=SELLER_SCHEMA)
