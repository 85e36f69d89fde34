"""All tables of the credit data pool, as files in our own templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.files.pool.accounts import account_health, cash_balances, login_events
from simulator.files.pool.finance import financed, pledges, receivables, warehouse_receipts
from simulator.files.pool.market import rating_reviews, social_days
from simulator.files.pool.public_records import certificates, consents, public_records, training_consents
from simulator.files.pool.rows import own_files, pool_file
from simulator.files.pool.stock import inventory_snapshots, logistics_events, purchase_orders
from simulator.files.raw_file import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.economy.simulated_world import World
    from simulator.files.pool.rows import PoolRows
    from simulator.files.raw_file import RawFile
    from simulator.observation.availability import Observation

_OF_ALL_MEMBERS: tuple[Callable[[World], PoolRows], ...] = (
    inventory_snapshots, purchase_orders, logistics_events, receivables, cash_balances, account_health, login_events,
    rating_reviews, social_days, certificates, public_records,
)  # fmt: skip
_OF_FINANCED: tuple[Callable[[World], PoolRows], ...] = (pledges, warehouse_receipts)


def pool_files(world: World, observation: Observation) -> Iterator[RawFile]:
    """Yield all pool files of a district.

    Tables with rows from a seller's first weeks come from the pool's operator, in one file per district. Tables that
    may stay empty for years come seller by seller: in a common file, a seller's name alone would reveal that rows will
    follow.
    """
    for table in _OF_ALL_MEMBERS:
        yield pool_file(world, table(world))
    yield pool_file(world, consents(world, observation))
    yield pool_file(world, training_consents(world, observation), "training_consent")
    view = View(world, observation, np.arange(world.firms.count))
    is_financed = financed(world)
    for table in _OF_FINANCED:
        yield from own_files(view, table(world), is_financed)
