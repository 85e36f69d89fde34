"""Assets lose value, those bound to a platform most; what lines make follows the orders of the simulated economy."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.economy.simulated_world import World
from simulator.files.pool.assets import LINE, asset_register, assets, book_values, makers
from simulator.files.pool.production import finished_pieces, production_capacity, reporting_makers
from simulator.files.pool.rows import members
from tests.unit.simulator.files.pool.conftest import amounts, words


def test_full_hosted_sellers_have_most_of_their_assets_bound_and_others_none(crowd: World) -> None:
    owned = assets(crowd, np.ones(crowd.firms.count, dtype=bool))
    full = crowd.firms.full_hosted_share[owned.seller] > 0
    share = (owned.price * owned.is_bound)[full].sum() / owned.price[full].sum()
    assert 0.5 < share < 0.7  # the industry has about 60 %
    assert not owned.is_bound[crowd.firms.hosted_mode[owned.seller] == 0].any()
    mostly = crowd.firms.full_hosted_share[owned.seller] > 0.8
    assert owned.is_bound[mostly].mean() > owned.is_bound[full & ~mostly].mean() + 0.1


def test_book_values_fall_until_the_asset_is_taken_out(crowd: World) -> None:
    rows = asset_register(crowd)
    asset, step, book = words(rows, "asset_reference"), words(rows, "entry_type"), amounts(rows, "book_value")
    order = np.lexsort((rows.day, asset))
    same = asset[order][1:] == asset[order][:-1]
    assert same.sum() > 500
    assert (book[order][1:][same] < book[order][:-1][same]).all()
    assert (step[order][np.concatenate([[True], ~same])] == "acquired").all()
    assert (book[step == "disposed"] == 0).all()
    assert (book[step != "disposed"] > 0).all()
    ends = np.concatenate([~same, [True]])
    assert ends[step[order] == "disposed"].all()
    keys = list(zip(rows.seller.tolist(), rows.key.to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_an_asset_of_one_platform_brings_less_when_sold(crowd: World) -> None:
    rows = asset_register(crowd)
    bought = (words(rows, "entry_type") == "acquired") & np.isin(words(rows, "asset_type"), ("machinery", "mould"))
    bound = words(rows, "is_platform_bound") == "true"
    share = amounts(rows, "resale_value") / np.maximum(amounts(rows, "book_value"), 1.0)
    assert share[bought & bound].mean() < 0.6 * share[bought & ~bound].mean()


def test_bound_assets_lose_value_after_the_platform_removed_the_seller(crowd: World) -> None:
    owned = assets(crowd, np.ones(crowd.firms.count, dtype=bool))
    removed, week, _ = crowd.incidents("delisting")
    first = np.full(crowd.firms.count, 10_000)
    np.minimum.at(first, removed, week)
    hit = np.flatnonzero(
        (first[owned.seller] < 250)
        & (owned.start < 7 * first[owned.seller] - 7)
        & (owned.end > 7 * first[owned.seller] + 14)
    )
    before = book_values(crowd, owned, hit, 7 * first[owned.seller[hit]] - 7)
    after = book_values(crowd, owned, hit, 7 * first[owned.seller[hit]])
    bound = owned.is_bound[hit]
    assert bound.sum() > 20
    assert (after[bound] < 0.61 * before[bound]).all()
    assert (after[~bound] > before[~bound] - 0.02 * owned.price[hit][~bound]).all()


def test_growth_brings_further_lines(crowd: World) -> None:
    owned = assets(crowd, np.ones(crowd.firms.count, dtype=bool))
    later = (owned.kind == LINE) & (owned.turn == 0) & (owned.start > 7 * crowd.firms.entry_week[owned.seller])
    assert later.sum() > 20
    sales = crowd.weekly["sales"] + crowd.weekly["hosted_sales"] + crowd.weekly["site_sales"]
    total = np.cumsum(np.vstack([np.zeros((1, crowd.firms.count)), sales]), axis=0)
    seller, week = owned.seller[later], owned.start[later] // 7
    last_year = total[week, seller] - total[np.maximum(week - 54, 0), seller]
    assert (last_year > 1.2 * 52 * np.exp(crowd.firms.log_level[seller])).mean() > 0.9


def test_only_sellers_that_make_goods_report_lines_and_they_are_those_of_the_register(crowd: World) -> None:
    rows, register = production_capacity(crowd), asset_register(crowd)
    assert reporting_makers(crowd)[rows.seller].all()
    assert makers(crowd)[rows.seller].all()
    assert not makers(crowd)[crowd.firms.kind == 1].any()  # traders
    both = members(crowd, "asset_register", 0.55)[rows.seller]
    lines = set(words(rows, "line_id")[both].tolist())
    assert lines
    assert lines <= set(words(register, "asset_reference").tolist())
    bound = dict(zip(words(register, "asset_reference"), words(register, "is_platform_bound"), strict=True))
    assert all(
        bound[line] == told
        for line, told in zip(words(rows, "line_id")[both], words(rows, "is_platform_bound")[both], strict=True)
    )


def test_lines_make_a_part_of_the_goods_that_orders_finish_in_the_quarter(crowd: World) -> None:
    rows = production_capacity(crowd)
    made, capacity = amounts(rows, "produced_quantity"), amounts(rows, "capacity_quantity")
    assert (made <= 1.5 * capacity).all()
    keys, at = np.unique(np.stack([rows.seller, rows.day]), axis=1, return_inverse=True)
    seller, week = keys[0], keys[1] // 7
    total = np.bincount(at.ravel(), made)
    pieces = finished_pieces(crowd)
    finished = pieces[week + 1, seller] - pieces[np.maximum(week - 12, 0), seller]
    assert (total <= 1.25 * finished + 5).all()
    assert np.corrcoef(np.log1p(total), np.log1p(finished))[0, 1] > 0.9
    rate, cost = crowd.timeline.cny_per_usd, crowd.events["orders"]["cost"].astype(float)
    unit = np.maximum(crowd.firms.unit_price * crowd.firms.goods_cost_share, 0.5)[
        crowd.events["orders"]["seller"].astype(int)
    ]
    assert pieces[-1].sum() == pytest.approx((cost / rate[crowd.events["orders"]["week"].astype(int)] / unit).sum())


def test_good_sellers_reject_less_and_a_faulty_batch_shows(crowd: World) -> None:
    rows = production_capacity(crowd)
    made, rejected = amounts(rows, "produced_quantity"), amounts(rows, "rejected_quantity")
    assert (rejected <= made).all()
    share, quality = rejected / np.maximum(made, 1), crowd.weekly["quality"][rows.day // 7, rows.seller]
    many = made > 100
    assert np.corrcoef(quality[many], share[many])[0, 1] < -0.3
    seller, week, size = crowd.incidents("faulty batch")
    quarters = {(s, w) for s, w, z in zip(seller.tolist(), week.tolist(), size.tolist(), strict=True) if z > 0.3}
    faulty = np.array(
        [
            any((s, w - back) in quarters for back in range(12))
            for s, w in zip(rows.seller.tolist(), (rows.day // 7).tolist(), strict=True)
        ]
    )
    assert (faulty & many).sum() >= 5
    assert share[faulty & many].mean() > 1.5 * share[~faulty & many].mean()
