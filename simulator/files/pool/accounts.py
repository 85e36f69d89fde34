"""Bank balances, account health and logins of pool members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import BORROWED_IDENTITY
from simulator.economy.state import FLOWS
from simulator.files.pool.rows import Chances, PoolRows, members, moments, month_ends
from simulator.observation.fraud_cases import fraud_cases
from simulator.observation.shared_devices import shared_devices
from simulator.population.network import SHARED_TIES
from simulator.text_columns import cents_text, chosen, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_PLATFORM_FLOWS = ("marketplace_deposit", "hosted_payout", "site_payout")
_LOGIN_WEEKS = 3


def cash_balances(world: World) -> PoolRows:
    """Return month-end balances with the inflow and outflow since the last one; they show diverted loans."""
    ends = month_ends(world)
    at = moments(world, members(world, "cash_balance", 0.6), ends)
    gross_in = np.cumsum(np.maximum(world.flows, 0.0).sum(axis=0), axis=0)
    gross_out = np.cumsum(np.maximum(-world.flows, 0.0).sum(axis=0), axis=0)
    platform = np.cumsum(
        np.maximum(world.flows[[FLOWS.index(name) for name in _PLATFORM_FLOWS]], 0.0).sum(axis=0), axis=0
    )
    place = np.searchsorted(ends, at.day)
    days = at.day - np.where(place > 0, ends[np.maximum(place - 1, 0)], -1)
    before = np.maximum(at.week - days // 7, 0)
    noise = 1 + 0.03 * Chances(world, "cash_balance", at.seller, at.week).bell("elsewhere")
    inflow, outflow, of_platforms = (
        to_cents((total[at.week, at.seller] - total[before, at.seller]) * np.maximum(noise, 0.8))
        for total in (gross_in, gross_out, platform)
    )
    balance = to_cents(world.cash[at.week, at.seller] * np.maximum(noise, 0.8))
    number = whole_text(world.number(at.seller), 6)
    return PoolRows(
        "cash_balance", at.seller, at.day, joined("CB-", whole_text(at.week)),
        {
            "account_number": joined("6222019", number), "account_type": "bank", "account_purpose": "operating",
            "balance": cents_text(balance), "inflow": cents_text(inflow),
            "platform_inflow": cents_text(np.minimum(of_platforms, inflow)), "outflow": cents_text(outflow),
            "period_days": whole_text(days), "currency": "CNY",
        },
    )  # fmt: skip


def _is_suspended(world: World) -> NDArray[np.bool_]:
    """Return whether the marketplace account is suspended, shape (weeks, sellers)."""
    found = np.zeros((world.timeline.weeks, world.firms.count), dtype=bool)
    for seller, week, weeks in zip(*(part.tolist() for part in world.incidents("suspension")), strict=True):
        found[week : week + int(weeks), seller] = True
    return found


def account_health(world: World) -> PoolRows:
    """Return the marketplace's monthly metrics of each member with their limits, and the standing of the account."""
    at = moments(world, members(world, "account_health", 0.8), month_ends(world))
    chances = Chances(world, "account_health", at.seller, at.week)
    defects = np.clip(0.40 * np.exp(-0.55 * at.quality + 0.5 * chances.bell("defects")), 0.0, 30.0)
    late = np.clip(1.5 * np.exp(-0.35 * at.quality + 0.5 * at.tightness + 0.4 * chances.bell("late")), 0.0, 60.0)
    suspended = _is_suspended(world)[at.week, at.seller]
    is_near = (defects > 0.8) | (late > 3.2)
    both = np.repeat(np.arange(len(at.seller)), 2)
    second = np.arange(len(both)) % 2 == 1
    orders = np.rint(at.sales / world.firms.unit_price[at.seller]).astype(np.int64)
    measured = np.where(second, late[both], defects[both])
    standing = np.where(suspended, 2, is_near.astype(np.int64))
    return PoolRows(
        "account_health", at.seller[both], at.day[both],
        joined("AH-", whole_text(at.week[both]), chosen(["-D", "-L"], second)),
        {
            "platform": "amazon", "store_id": joined("A", whole_text(world.number(at.seller[both]), 9)),
            "standing": chosen(["good", "at_risk", "suspended"], standing[both]),
            "measure": chosen(["order_defect_rate", "late_shipment_rate"], second),
            "measured": cents_text(to_cents(measured)), "limit_value": chosen(["1.00", "4.00"], second),
            "limit_side": "maximum", "window_days": chosen(["60", "30"], second),
            "order_count": whole_text(orders[both]),
        },
    )  # fmt: skip


def login_events(world: World) -> PoolRows:
    """Return members' logins in every third week: device, address and user.

    Unrelated sellers on one device are borrowed identities or clients of an agency. Members of a control group that
    shares a device use it, too. Sellers at one service address share an internet line.
    """
    weeks = np.arange(2, world.timeline.weeks, _LOGIN_WEEKS)
    at = moments(world, members(world, "login_event", 0.7), 7 * weeks + 1)
    chances = Chances(world, "login_event", at.seller, at.week)
    number = world.number(at.seller)
    device, line = _devices(world, at.seller, at.day, chances.even("which"))
    abroad = chances.even("abroad") < 0.05
    user = joined("op-", whole_text(number, 6), "-", whole_text((2 * chances.even("user")).astype(np.int64)))
    logins = 1 + chances.count("logins", np.full(len(number), 5.0))
    failed = chances.count("failed", 0.3 + 0.4 * at.tightness)
    return PoolRows(
        "login_event", at.seller, at.day + (5 * chances.even("day")).astype(np.int64),
        joined("LG-", whole_text(at.week)),
        {
            "platform": "amazon", "user_name": user, "device": joined("device-", whole_text(device, 9)),
            "ip_address": joined("113.", whole_text(line // 65_536 % 256), ".", whole_text(line // 256 % 256), ".",
                                 whole_text(line % 256)),
            "login_count": whole_text(logins), "failed_count": whole_text(failed),
            "country": either(abroad, "US", "CN"),
            "changed_account": chosen(["false", "true"], chances.even("changed") < 0.01 + 0.01 * at.tightness),
        },
    )  # fmt: skip


def _devices(
    world: World, seller: NDArray[np.int64], day: NDArray[np.int64], which: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the device and the internet line of each login as numbers that are unique in the world."""
    network, own = world.network, world.number(np.arange(world.firms.count))
    shares = np.append(network.group_ties[:, SHARED_TIES.index("device")], False)[network.group]
    usual = np.where(shares, 200_000_000 + world.number(network.group), own)
    foreign, since = usual.copy(), np.full(len(own), 10**9)
    for tie in shared_devices(world):
        if tie.kind == "device":
            agency = 300_000_000 + world.first_seller + tie.agency
            foreign[tie.seller] = usual[tie.owner] if tie.owner >= 0 else agency
            since[tie.seller] = tie.from_day
    lines = np.where(network.hub >= 0, 16_000_000 - 1 - world.number(np.maximum(network.hub, 0)), 3 * own)
    borrowed = fraud_cases(world, BORROWED_IDENTITY)
    lines[borrowed.seller] = lines[borrowed.other]
    is_foreign = (day >= since[seller]) & (which < 0.85)
    return np.where(is_foreign, foreign[seller], usual[seller]), lines[seller]
