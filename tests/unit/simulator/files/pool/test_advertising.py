"""Advertising in the pool is that of the marketplace statements and of the traffic sheets."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.economy.simulated_world import World
from simulator.files.pool.advertising import ad_spend, advertisers, platform_advertising
from simulator.files.pool.rows import month_ends
from simulator.files.traffic import site_spend
from simulator.text_columns import to_cents
from tests.unit.simulator.files.pool.conftest import amounts, words


def test_spending_on_the_own_shop_is_that_of_the_traffic_sheet(crowd: World) -> None:
    rows, ends = ad_spend(crowd), month_ends(crowd)
    is_shop, spend, firms = words(rows, "channel") != "amazon_ads", amounts(rows, "spend"), crowd.firms
    checked = 0
    for seller in np.unique(rows.seller[is_shop])[:15].tolist():
        for month in (30, 55):
            at = is_shop & (rows.seller == seller) & (rows.day == ends[month])
            first = max(int(ends[month - 1]) + 1, 7 * max(int(firms.site_week[seller]), int(firms.entry_week[seller])))
            if not at.any():
                continue
            days = np.arange(first, int(ends[month]) + 1)
            true = to_cents(site_spend(crowd, np.full(len(days), seller), days)).sum() / 100
            assert spend[at].sum() == pytest.approx(true, abs=0.005)
            assert len(set(words(rows, "channel")[at])) == at.sum() == 2
            assert (amounts(rows, "period_days")[at] == len(days)).all()
            checked += 1
    assert checked >= 10


def test_spending_on_the_marketplace_is_that_of_the_statements(crowd: World) -> None:
    rows, statements = ad_spend(crowd), crowd.events["statements"]
    fees = platform_advertising(crowd)
    assert fees.sum() == pytest.approx(statements["advertising"].astype(float).sum())
    at, last = words(rows, "channel") == "amazon_ads", int(month_ends(crowd)[-1])
    told = np.bincount(rows.seller[at], amounts(rows, "spend")[at], minlength=crowd.firms.count)
    stays = advertisers(crowd) & crowd.firms.has_marketplace & (crowd.closed_week > crowd.timeline.weeks)
    true = fees[: last // 7].sum(axis=0)
    assert stays.sum() > 50
    assert (told[stays] >= true[stays] - 1).all()
    assert (told[stays] <= fees.sum(axis=0)[stays] + 1).all()


def test_channels_attribute_less_than_all_sales_and_less_to_weak_sellers(crowd: World) -> None:
    rows = ad_spend(crowd)
    spend, sales = amounts(rows, "spend"), amounts(rows, "attributed_sales")
    shown, clicks, orders = (amounts(rows, name) for name in ("impression_count", "click_count", "order_count"))
    assert (clicks <= shown).all()
    assert (orders <= clicks).all()
    new = amounts(rows, "new_customer_count")
    is_told = ~np.isnan(new)
    assert is_told.any()
    assert (new[is_told] <= orders[is_told]).all()
    good = sales > 100
    quality = crowd.weekly["quality"][rows.day // 7, rows.seller]
    assert np.corrcoef(quality[good], np.log(spend[good] / sales[good]))[0, 1] < -0.2
    total = crowd.weekly["sales"].sum(axis=0)
    at = words(rows, "channel") == "amazon_ads"
    by_seller = np.bincount(rows.seller[at], sales[at], minlength=crowd.firms.count)
    assert (by_seller <= 0.75 * total + 1).all()


def test_months_are_of_members_that_advertise_from_the_start(crowd: World) -> None:
    rows, firms = ad_spend(crowd), crowd.firms
    assert advertisers(crowd)[rows.seller].all()
    first = np.full(firms.count, 10**6)
    np.minimum.at(first, rows.seller, rows.day)
    named = np.unique(rows.seller)
    assert (first[named] <= 7 * firms.entry_week[named] + 62).all()
    keys = list(zip(rows.seller.tolist(), rows.key.to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)
