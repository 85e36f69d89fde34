"""Devices and phones that unrelated sellers share: borrowed identities, and honest agencies.

A seller with a borrowed identity is run from another seller's device from its first weeks, often with that seller's
phone. Honest agencies run the shops of a few firms from a device of their own, which looks much the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import BORROWED_IDENTITY
from simulator.observation.fraud_cases import fraud_cases
from simulator.randomness import scatter, unit_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.economy.simulated_world import World

_CLIENTS = 3  # clients per agency of a district
_PHONE_SHARE = 0.4  # share of borrowed identities and of agency clients that share the phone, too


@dataclass(frozen=True)
class SharedDevice:
    """A seller's use of a device or phone that is not its own.

    Attributes:
        seller: Seller that uses it.
        kind: ``device`` or ``phone``.
        owner: Seller that owns it, -1 for an agency's.
        agency: Number of the agency in the district, -1 for a seller's.
        from_day: Day number of the first use.
    """

    seller: int
    kind: str
    owner: int
    agency: int
    from_day: int


def shared_devices(world: World) -> Iterator[SharedDevice]:
    """Yield all uses of shared devices and phones in a district."""
    borrowed = fraud_cases(world, BORROWED_IDENTITY)
    has_phone = unit_interval(scatter(world.settings.seed, "borrowed phone", borrowed.seller)) < _PHONE_SHARE
    users = zip(borrowed.seller.tolist(), borrowed.other.tolist(), borrowed.first_week.tolist(), has_phone, strict=True)
    for seller, owner, week, by_phone in users:
        for kind in ("device", "phone")[: 1 + by_phone]:
            yield SharedDevice(seller, kind, owner, -1, 7 * week)
    sellers = np.arange(world.firms.count)
    chance = unit_interval(scatter(world.settings.seed, "agency", sellers))
    clients = np.flatnonzero(chance < world.settings.fraud.agency_share)
    for place, seller in enumerate(clients[np.argsort(chance[clients])].tolist()):
        wait = int(scatter(world.settings.seed, "agency hired", sellers[seller : seller + 1])[0] % np.uint64(400))
        by_phone = chance[seller] < _PHONE_SHARE * world.settings.fraud.agency_share
        hired = 7 * int(world.firms.entry_week[seller]) + wait
        for kind in ("device", "phone")[: 1 + int(by_phone)] if hired < 7 * world.timeline.weeks - 30 else ():
            yield SharedDevice(seller, kind, -1, place // _CLIENTS, hired)
