"""The credit data pool: our own templates filled by the world; they follow hidden quality and include forgeries."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pytest

from pipelines.ingest.stage import IngestResult, ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings
from simulator.economy import fraud
from simulator.economy.simulation import simulate
from simulator.files.pool.accounts import account_health, login_events
from simulator.files.pool.all_tables import described_tables, pool_files
from simulator.files.pool.finance import drawn_pledges, financed, pledges
from simulator.files.pool.market import rating_reviews
from simulator.files.pool.public_records import public_records
from simulator.files.pool.rows import PoolRows, members
from simulator.files.pool.stock import inventory_snapshots, purchase_orders, supplier_orders
from simulator.observation.availability import observe
from simulator.observation.fraud_cases import fraud_cases
from simulator.settings import FraudSettings, WorldSettings

if TYPE_CHECKING:
    from simulator.economy.simulated_world import World
    from tests.unit.simulator.conftest import Written

TABLES = (
    "inventory_snapshot", "purchase_order", "logistics_event", "receivable", "cash_balance", "account_health",
    "login_event", "rating_review", "social_day", "certificate", "public_record", "consent", "pledge",
    "warehouse_receipt", "ad_spend", "debt", "asset_register", "production_capacity", "insurance", "ip_claim",
)  # fmt: skip
MANY = FraudSettings(forged_trade_rate=0.08, double_pledge_share=0.2, borrowed_identity_share=0.4)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(WorldSettings(seller_count=600, seed=4, fraud=MANY))


@pytest.fixture(scope="module")
def ingested(written: Written) -> IngestResult:
    settings = IngestSettings(
        layout="deliveries", recorded_at=dt.datetime(2025, 1, 15, tzinfo=dt.UTC), worker_count=1,
        sources=tuple(f"template_{table}" for table in TABLES),
    )  # fmt: skip
    return ingest_folder(written.raw, settings, b"test key for pseudonyms".ljust(32))


def numbers(rows: PoolRows, name: str) -> np.ndarray:
    values = rows.columns[name]
    assert not isinstance(values, str)
    return pc.cast(values, "float64").to_numpy()


def test_ingest_accepts_every_pool_row_but_the_planted_defects(written: Written, ingested: IngestResult) -> None:
    planted = sum(written.record.planted.get(f"template_{table}", 0) for table in TABLES)
    assert ingested.quarantine.num_rows == planted
    for table in TABLES:
        source = f"template_{table}"
        accepted = ingested.tables[table].num_rows
        set_aside = written.record.planted[source] + written.record.repeated[source]
        assert accepted == written.record.rows[source] - set_aside > 0, table


def test_pool_rows_stay_below_a_quarter_of_all_others(written: Written) -> None:
    pool = sum(rows for source, rows in written.record.rows.items() if source.startswith("template_"))
    assert 0 < pool < 0.25 * (sum(written.record.rows.values()) - pool)


def test_pool_membership_is_not_random(world: World) -> None:
    crowd = simulate(world.settings.model_copy(update={"seller_count": 3_000}))
    joined = members(crowd, "inventory_snapshot")
    assert crowd.firms.quality[joined].mean() > crowd.firms.quality[~joined].mean() + 0.1
    assert not members(crowd, "inventory_snapshot", 0.5)[~joined].any()


def test_monthly_rows_come_from_members_that_trade(world: World) -> None:
    for rows in (inventory_snapshots(world), rating_reviews(world), account_health(world)):
        assert members(world, rows.table)[rows.seller].all()
        assert (rows.day // 7 >= world.firms.entry_week[rows.seller]).all()
        assert (rows.day // 7 < world.closed_week[rows.seller]).all()


def test_good_sellers_have_better_stars_and_fewer_defects(world: World) -> None:
    rows = rating_reviews(world)
    ones, fives = numbers(rows, "one_star_count"), numbers(rows, "five_star_count")
    quality = world.weekly["quality"][rows.day // 7, rows.seller]
    rated = ones + fives > 20
    assert np.corrcoef(quality[rated], ones[rated] / (ones + fives)[rated])[0, 1] < -0.3
    health = account_health(world)
    quality = world.weekly["quality"][health.day // 7, health.seller]
    assert np.corrcoef(quality, np.log(numbers(health, "measured") + 0.01))[0, 1] < -0.2


def test_ages_of_stock_add_up_to_the_stock(world: World) -> None:
    rows = inventory_snapshots(world)
    ages = [name for name in rows.columns if name.startswith("aged_")]
    assert np.array_equal(sum(numbers(rows, name) for name in ages), numbers(rows, "on_hand_quantity"))


def test_true_orders_are_the_worlds_and_forged_ones_were_never_paid(world: World) -> None:
    orders = supplier_orders(world)
    true_cost = orders.cost[~orders.is_forged].sum()
    assert true_cost == pytest.approx(world.events["orders"]["cost"].sum())
    forgers = set(fraud_cases(world, fraud.FORGED_TRADE).seller.tolist())
    assert set(orders.seller[orders.is_forged].tolist()) <= forgers
    assert orders.is_forged.sum() > 20
    references = Counter(zip(orders.seller.tolist(), orders.number.tolist(), strict=True))
    assert max(references.values()) == 1
    assert len(purchase_orders(world).seller) > 0


def test_a_statement_pledged_twice_is_one_asset_under_two_lenders(world: World) -> None:
    found, doubles = drawn_pledges(world), fraud_cases(world, fraud.DOUBLE_PLEDGE)
    assert financed(world)[found.seller].all()
    lenders: dict[int, set[int]] = defaultdict(set)
    for statement, lender in zip(found.statement.tolist(), found.lender.tolist(), strict=True):
        lenders[statement].add(lender)
    is_double = np.isin(found.loan, doubles.loan)
    shared = np.array([len(lenders[statement]) > 1 for statement in found.statement.tolist()])
    assert is_double.sum() > 10
    assert shared[is_double].mean() > 0.7
    assert 0 < shared[~is_double].mean() < 0.3  # their first pledges, refinancing, and statements pledged in parts
    assert 0 < found.is_respelt[is_double].mean() < 0.7
    assert not found.is_respelt[~is_double].any()


def test_pledges_end_released_or_after_a_default_enforced(world: World) -> None:
    rows = pledges(world)
    kinds = rows.columns["entry_type"]
    assert not isinstance(kinds, str)
    counted = Counter(kinds.to_pylist())
    assert counted["pledged"] > counted["released"] > counted["enforced"] > 0
    enforced = np.array([kind == "enforced" for kind in kinds.to_pylist()])
    assert (world.default_day[rows.seller[enforced]] >= 0).all()


def test_lawsuits_follow_default(world: World) -> None:
    rows = public_records(world)
    kinds = rows.columns["record_kind"]
    assert not isinstance(kinds, str)
    is_suit = np.array([kind == "lawsuit" for kind in kinds.to_pylist()])
    sued = np.bincount(rows.seller[is_suit], minlength=world.firms.count) > 0
    defaulted = world.default_day >= 0
    assert sued[defaulted].mean() > 1.5 * sued[~defaulted].mean() > 0


def test_logins_from_a_borrowed_device_are_the_owners_device(world: World) -> None:
    rows = login_events(world)
    devices = rows.columns["device"]
    assert not isinstance(devices, str)
    used: dict[int, set[str]] = defaultdict(set)
    for seller, device in zip(rows.seller.tolist(), devices.to_pylist(), strict=True):
        used[seller].add(device)
    borrowed = fraud_cases(world, fraud.BORROWED_IDENTITY)
    pairs = [
        (a, b) for a, b in zip(borrowed.seller.tolist(), borrowed.other.tolist(), strict=True) if {a, b} <= set(used)
    ]
    assert pairs
    assert np.mean([bool(used[a] & used[b]) for a, b in pairs]) > 0.6


def test_pool_files_of_a_district_do_not_depend_on_what_else_is_written(world: World) -> None:
    observation = observe(world)
    first, second = ({f.path: b"".join(map(bytes, f.parts)) for f in pool_files(world, observation)} for _ in range(2))
    assert first == second
    assert {path.split("/")[0] for path in first} == {f"template_{table}" for table in TABLES}


def test_every_table_of_the_pool_is_described_once(world: World) -> None:
    written = {f.path.split("/")[0] for f in pool_files(world, observe(world))}
    described = described_tables()
    assert sorted(f"template_{name}" for name, _, _ in described) == sorted(written)
    assert all(how in {"by district", "by seller"} and len(text) > 20 for _, how, text in described)
    by_seller = {f.source for f in pool_files(world, observe(world)) if f.seller_ref}
    assert by_seller == {f"template_{name}" for name, how, _ in described if how == "by seller"}
