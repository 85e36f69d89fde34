"""Devices and phones that sellers share without being related: borrowed identities, and honest agencies.

A seller under a borrowed identity is run from the device of another one from its first day, often by that one's phone
too. Agencies run the shops of a few honest firms each from a device of their own, which looks much the same.
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

_CLIENTS = 3  # of an agency in a district
_PHONE_SHARE = 0.4  # of borrowed identities and of agencies' clients are reached by the same phone, too


@dataclass(frozen=True)
class SharedDevice:
    """A tie of a seller to a device or phone that is not its own.

    Attributes:
        seller: Who uses it.
        kind: ``device`` or ``phone``.
        owner: Seller whose own it is, -1 for an agency's.
        agency: Number of the agency in the district, -1 for a seller's.
        from_day: Day number of the first use.
    """

    seller: int
    kind: str
    owner: int
    agency: int
    from_day: int


def shared_devices(world: World) -> Iterator[SharedDevice]:
    """All such ties of a district."""
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
