"""Figures of a simulated world, one at a time, to set beside published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.trade import PRODUCTION_WEEKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_WEEKS_A_YEAR = 52
_DAYS_A_MONTH = 30.4
_MILLION = 1e6


def marginals(world: World) -> dict[str, float]:
    """Return the figures of a world, or of one district, by name; shares as fractions, money in US dollars."""
    return {**_sizes(world), **_account(world), **_terms(world), **_goods(world), **_credit(world)}


def annual_sales_usd(world: World) -> NDArray[np.float64]:
    """Return sales over all channels, one value per seller and full year of trading, shape (seller-years,).

    A year is 52 weeks. Hosted sales are at supply price, the others at retail price.
    """
    timeline, firms = world.timeline, world.firms
    to_usd = np.where(firms.is_euro, (timeline.cny_per_eur / timeline.cny_per_usd)[:, None], 1.0)
    weekly = sum(world.weekly[name] for name in ("sales", "hosted_sales", "site_sales")) * to_usd
    found = []
    for first in range(0, timeline.weeks - _WEEKS_A_YEAR + 1, _WEEKS_A_YEAR):
        is_trading = (firms.entry_week <= first) & (world.closed_week >= first + _WEEKS_A_YEAR)
        found.append(weekly[first : first + _WEEKS_A_YEAR].sum(axis=0)[is_trading])
    return np.concatenate(found)


def gini_of_amounts(amounts: NDArray[np.float64]) -> float:
    """Return the Gini coefficient of non-negative amounts: 0 if all are equal, near 1 if one holds everything."""
    ordered = np.sort(amounts)
    rank = np.arange(1, len(ordered) + 1)
    return float((2 * rank - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def _sizes(world: World) -> dict[str, float]:
    sales = annual_sales_usd(world)
    largest = np.sort(sales)[-max(1, len(sales) // 10) :]
    firms, weeks = world.firms, world.timeline.weeks
    return {
        "annual_sales_usd_median": float(np.median(sales)),
        "annual_sales_usd_p90": float(np.quantile(sales, 0.9)),
        "share_below_1_million": float((sales < _MILLION).mean()),
        "share_1_to_10_million": float(((sales >= _MILLION) & (sales < 10 * _MILLION)).mean()),
        "share_above_10_million": float((sales >= 10 * _MILLION).mean()),
        "sales_gini": gini_of_amounts(sales),
        "sales_share_of_largest_tenth": float(largest.sum() / sales.sum()),
        "share_with_own_site": float((firms.site_week <= weeks).mean()),
        "share_with_hosted_sales": float((firms.hosted_share > 0).mean()),
    }


def _account(world: World) -> dict[str, float]:
    """Return the shares of the marketplace accounts, over the whole time of each seller."""
    rows, count = world.events["statements"], world.firms.count
    seller = rows["seller"].astype(np.int64)
    totals = {
        name: np.bincount(seller, rows[name].astype(np.float64), minlength=count)
        for name in ("principal", "refund", "advertising", "commission", "held", "total")
    }
    sold = totals["principal"] > 0
    refunds, advertising, commission = (
        totals[name][sold] / totals["principal"][sold] for name in ("refund", "advertising", "commission")
    )
    return {
        "refund_share_median": float(np.median(refunds)),
        "refund_share_p10": float(np.quantile(refunds, 0.1)),
        "refund_share_p90": float(np.quantile(refunds, 0.9)),
        "advertising_share_median": float(np.median(advertising)),
        "advertising_share_p90": float(np.quantile(advertising, 0.9)),
        "commission_share_median": float(np.median(commission)),
        "payout_over_sales": float(totals["total"].sum() / totals["principal"].sum()),
    }


def _terms(world: World) -> dict[str, float]:
    """Return how long money is outstanding: statements, suppliers, hosted settlements."""
    statements, reports = world.events["statements"], world.events.get("reports", {})
    order = np.lexsort((statements["week"], statements["seller"]))
    seller, week = statements["seller"][order].astype(np.int64), statements["week"][order].astype(np.int64)
    is_same = np.diff(seller) == 0
    found = {
        "statement_interval_days": 7.0 * float(np.median(np.diff(week)[is_same])),
        "supplier_balance_days_mean": 7.0 * float((PRODUCTION_WEEKS + world.firms.supplier_credit_weeks).mean()),
        "supplier_balance_days_longest": 7.0 * float((PRODUCTION_WEEKS + world.firms.supplier_credit_weeks).max()),
    }
    if reports:
        lag = 7.0 * (reports["pay_week"].astype(np.float64) - reports["week"].astype(np.float64))
        found |= {
            "hosted_settlement_days_median": float(np.median(lag)),
            "hosted_settlement_days_p10": float(np.quantile(lag, 0.1)),
            "hosted_settlement_days_p90": float(np.quantile(lag, 0.9)),
        }
    return found


def _goods(world: World) -> dict[str, float]:
    """Return weeks of stock (sellers that traded all year), the share of returning customers, and the basket."""
    orders, firms, weeks = world.events["orders"], world.firms, world.timeline.weeks
    ordered = np.zeros((weeks, firms.count))
    np.add.at(ordered, (orders["week"].astype(np.int64), orders["seller"].astype(np.int64)), orders["cost"])
    cover = []
    for first in range(0, weeks - _WEEKS_A_YEAR + 1, _WEEKS_A_YEAR):
        year = slice(first, first + _WEEKS_A_YEAR)
        bought = ordered[year].sum(axis=0)
        is_trading = (firms.entry_week <= first) & (world.closed_week >= first + _WEEKS_A_YEAR) & (bought > 0)
        stock = world.weekly["stock"][year].mean(axis=0)
        cover.append((stock / np.maximum(bought / _WEEKS_A_YEAR, 1e-9))[is_trading])
    has_site = firms.site_week <= weeks
    return {
        "stock_weeks_median": float(np.median(np.concatenate(cover))),
        "repurchase_share_mean": float(firms.site_repurchase[has_site].mean()),
        "basket_median": float(np.median(firms.site_basket[has_site])),
    }


def _credit(world: World) -> dict[str, float]:
    loans, applications = world.events["loans"], world.events["applications"]
    week = np.minimum(loans["day"].astype(np.int64) // 7, world.timeline.weeks - 1)
    principal = loans["principal"].astype(np.float64) / world.timeline.cny_per_usd[week]
    exposed, defaults = _exposure(world)
    years = world.firms.entry_week.clip(0)
    trading = (np.minimum(world.closed_week, world.timeline.weeks) - years).clip(0).sum() / _WEEKS_A_YEAR
    suspended = len(world.incidents("suspension")[0])
    return {
        "loan_usd_median": float(np.median(principal)),
        "loan_usd_p90": float(np.quantile(principal, 0.9)),
        "loan_term_months_median": float(np.median(loans["term"].astype(np.float64))),
        "loan_rate_pct_median": float(np.median(loans["rate_pct"].astype(np.float64))),
        "acceptance_share": float(applications["is_accepted"].mean()),
        "default_rate_a_borrower_year": defaults / exposed,
        "suspensions_a_seller_year": float(suspended / trading),
    }


def _exposure(world: World) -> tuple[float, int]:
    """Return the years that sellers spent with a running loan and not in default, and the number of defaults."""
    loans, weeks = world.events["loans"], world.timeline.weeks
    first = loans["day"].astype(np.int64) // 7
    last = np.minimum(first + np.ceil(loans["term"].astype(np.float64) * _DAYS_A_MONTH / 7).astype(np.int64), weeks)
    is_open = np.zeros((weeks + 1, world.firms.count))
    seller = loans["seller"].astype(np.int64)
    np.add.at(is_open, (np.minimum(first, weeks), seller), 1)
    np.add.at(is_open, (last, seller), -1)
    default_week = np.where(world.default_day >= 0, world.default_day // 7, weeks)
    is_exposed = (is_open.cumsum(axis=0)[:weeks] > 0) & (np.arange(weeks)[:, None] < default_week)
    return float(is_exposed.sum() / _WEEKS_A_YEAR), int((world.default_day >= 0).sum())
