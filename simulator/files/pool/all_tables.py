"""All tables of the credit data pool, as files in our own templates."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np

from simulator.files.pool.accounts import account_health, cash_balances, login_events
from simulator.files.pool.advertising import ad_spend
from simulator.files.pool.assets import asset_register
from simulator.files.pool.claims import claimed_members, ip_claims
from simulator.files.pool.debts import debts
from simulator.files.pool.finance import financed, pledges, receivables, warehouse_receipts
from simulator.files.pool.insurance import insurance, insured_members
from simulator.files.pool.market import rating_reviews, social_days
from simulator.files.pool.production import production_capacity
from simulator.files.pool.public_records import certificates, consents, public_records, training_consents
from simulator.files.pool.rows import own_files, pool_file
from simulator.files.pool.stock import inventory_snapshots, logistics_events, purchase_orders
from simulator.files.raw_file import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.files.pool.rows import PoolRows
    from simulator.files.raw_file import RawFile
    from simulator.observation.availability import Observation

_OF_ALL_MEMBERS: Mapping[str, Callable[[World], PoolRows]] = {
    "inventory_snapshot": inventory_snapshots, "purchase_order": purchase_orders, "logistics_event": logistics_events,
    "receivable": receivables, "cash_balance": cash_balances, "account_health": account_health,
    "login_event": login_events, "rating_review": rating_reviews, "social_day": social_days,
    "certificate": certificates, "public_record": public_records, "ad_spend": ad_spend, "debt": debts,
    "asset_register": asset_register, "production_capacity": production_capacity,
}  # fmt: skip
_BY_SELLER: Mapping[str, tuple[Callable[[World], PoolRows], Callable[[World], NDArray[np.bool_]]]] = {
    "pledge": (pledges, financed), "warehouse_receipt": (warehouse_receipts, financed),
    "insurance": (insurance, insured_members), "ip_claim": (ip_claims, claimed_members),
}  # fmt: skip


def described_tables() -> tuple[tuple[str, str, str], ...]:
    """Return each table of the pool with how it is delivered and what is in it, in the words of its function."""
    common: dict[str, Callable[..., PoolRows]] = {**_OF_ALL_MEMBERS, "consent": consents}
    own = {name: table for name, (table, _) in _BY_SELLER.items()}
    said = {name: (inspect.getdoc(table) or "").split("\n\n")[0] for name, table in {**common, **own}.items()}
    return tuple(
        (name, "by seller" if name in own else "by district", text.removeprefix("Return ").replace("\n", " "))
        for name, text in said.items()
    )


def pool_files(world: World, observation: Observation) -> Iterator[RawFile]:
    """Yield all pool files of a district.

    Tables with rows from a seller's first weeks come from the pool's operator, in one file per district. Tables that
    may stay empty for years come seller by seller: in a common file, a seller's name alone would reveal that rows will
    follow.
    """
    for table in _OF_ALL_MEMBERS.values():
        yield pool_file(world, table(world))
    yield pool_file(world, consents(world, observation))
    yield pool_file(world, training_consents(world, observation), "training_consent")
    view = View(world, observation, np.arange(world.firms.count))
    for table, delivers in _BY_SELLER.values():
        yield from own_files(view, table(world), delivers(world))
