"""Claims against sellers: which incidents were about a right and which about a product, and the steps of IP claims.

Each incident "claim" of the world is one or the other. Claims that end upheld or settled follow an incident, in which
the seller lost stock and money. Others are unfounded: they freeze money for some weeks and end dismissed or withdrawn.
Some sellers, more of the dishonest ones, do not report a claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import FIRM_KINDS, MARKETS
from simulator.economy.state import FLOWS
from simulator.files.pool.rows import Chances, PoolRows, currencies, members, states
from simulator.text_columns import cents_text, chosen, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

RIGHTS = ("patent", "trademark", "design", "copyright")
_STEPS = ("filed", "upheld", "dismissed", "settled", "withdrawn")
FILED, UPHELD, DISMISSED, SETTLED, WITHDRAWN = range(len(_STEPS))
CLAIM_KINDS = ("founded", "unfounded", "own")
FOUNDED, UNFOUNDED, OWN = range(len(CLAIM_KINDS))
_IP_SHARE = 0.55  # of the incidents
_LEFT_OUT_SHARE = 0.10  # of the founded claims against sellers of average honesty
_QUARTER_WEEKS = 13
_UNFOUNDED_RATE = 0.012  # per quarter
_OWN_RATE = 0.015  # per quarter, of sellers that sell goods of their own design
_COURT_SHARE = 0.25


@dataclass(frozen=True)
class Incidents:
    """The world's claims; arrays of shape (claims,).

    Attributes:
        seller: Seller that the claim is against.
        week: Week of the claim.
        is_ip: Whether it is about a right; else about a product.
        cost: Legal costs and damages paid in that week, CNY.
    """

    seller: NDArray[np.int64]
    week: NDArray[np.int64]
    is_ip: NDArray[np.bool_]
    cost: NDArray[np.float64]


def claim_incidents(world: World) -> Incidents:
    """Return all claims of the world in order of seller and week, each about a right or about a product."""
    seller, week, _ = world.incidents("claim")
    order = np.lexsort((week, seller))
    seller, week = seller[order], week[order]
    is_ip = Chances(world, "claim kind", seller, week).even("right") < _IP_SHARE
    return Incidents(seller, week, is_ip, np.abs(world.flows[FLOWS.index("claim_paid"), week, seller]))


@dataclass(frozen=True)
class IpClaims:
    """IP claims of all sellers; arrays of shape (claims,).

    Attributes:
        seller: Seller.
        week: Week in which the claim was filed.
        kind: ``FOUNDED``, ``UNFOUNDED`` (both against the seller) or ``OWN`` (the seller's own claim).
        cost: What a founded claim cost the seller, CNY.
    """

    seller: NDArray[np.int64]
    week: NDArray[np.int64]
    kind: NDArray[np.int64]
    cost: NDArray[np.float64]


def all_ip_claims(world: World) -> IpClaims:
    """Return the world's IP claims, and the unfounded and own ones drawn beside them, one a seller and week."""
    found = claim_incidents(world)
    weeks = np.arange(0, world.timeline.weeks - _QUARTER_WEEKS, _QUARTER_WEEKS)
    week, seller = (part.ravel() for part in np.meshgrid(weeks, np.arange(world.firms.count), indexing="ij"))
    chances = Chances(world, "ip_claim draw", seller, week)
    week = week + np.floor(_QUARTER_WEEKS * chances.even("week")).astype(np.int64)
    trades = (week >= world.firms.entry_week[seller]) & (week < world.closed_week[seller])
    is_own_design = world.firms.kind[seller] == FIRM_KINDS.index("product seller")
    unfounded = trades & (chances.even("unfounded") < _UNFOUNDED_RATE)
    own = trades & ~unfounded & is_own_design & (chances.even("own") < _OWN_RATE)
    parts = [np.flatnonzero(found.is_ip), np.flatnonzero(unfounded), np.flatnonzero(own)]
    sellers = np.concatenate([found.seller[parts[0]], seller[parts[1]], seller[parts[2]]])
    when = np.concatenate([found.week[parts[0]], week[parts[1]], week[parts[2]]])
    kind = np.repeat([FOUNDED, UNFOUNDED, OWN], [len(part) for part in parts])
    cost = np.concatenate([found.cost[parts[0]], np.zeros(len(parts[1]) + len(parts[2]))])
    order = np.lexsort((kind, when, sellers))
    _, firsts = np.unique(sellers[order] * 10_000 + when[order], return_index=True)
    kept = order[firsts]
    return IpClaims(sellers[kept], when[kept], kind[kept], cost[kept])


def claim_numbers(world: World, seller: NDArray[np.int64], week: NDArray[np.int64]) -> Text:
    """Return the number of each IP claim; it does not say whether the claim is founded."""
    return joined("IP-S", whole_text(world.number(seller), 6), "-", whole_text(week, 4))


def is_reported(world: World, claims: IpClaims) -> NDArray[np.bool_]:
    """Return which claims the sellers report; founded ones are left out now and then."""
    hides = Chances(world, "ip_claim told", claims.seller, claims.week).even("left out")
    share = np.minimum(_LEFT_OUT_SHARE * np.exp(-0.7 * world.firms.honesty[claims.seller]), 0.5)
    return np.asarray((claims.kind != FOUNDED) | (hides >= share), dtype=np.bool_)


def claimed_members(world: World) -> NDArray[np.bool_]:
    """Return the members that report IP claims, shape (sellers,); most of them have none for years."""
    return members(world, "ip_claim", 0.5)


def _outcomes(kind: NDArray[np.int64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the last step of each claim."""
    founded = np.where(draw < 0.6, SETTLED, UPHELD)
    unfounded = np.where(draw < 0.55, DISMISSED, WITHDRAWN)
    own = np.select([draw < 0.45, draw < 0.75], [SETTLED, UPHELD], DISMISSED)
    return np.select([kind == FOUNDED, kind == UNFOUNDED], [founded, unfounded], own)


def ip_claims(world: World) -> PoolRows:
    """Return the reported claims: filed with the amount claimed and frozen, later their end with what it came to."""
    found = all_ip_claims(world)
    kept = np.flatnonzero(claimed_members(world)[found.seller] & is_reported(world, found))
    seller, week, kind, cost = found.seller[kept], found.week[kept], found.kind[kept], found.cost[kept]
    chances, firms = Chances(world, "ip_claim", seller, week), world.firms
    filed = 7 * week + np.floor(7 * chances.even("day")).astype(np.int64)
    shortest, longest = np.where(kind == UNFOUNDED, 15, 40), np.where(kind == UNFOUNDED, 100, 260)
    ended = filed + (shortest + (longest - shortest) * chances.even("length")).astype(np.int64)
    at = states(world, seller, filed)
    usual = np.maximum(at.sales, 2 * np.exp(firms.log_level[seller]))  # of four weeks
    paid = np.maximum(cost / at.rate, 0.05 * usual) * np.where(kind == FOUNDED, 1.0, 0.8 * chances.even("size"))
    claimed = paid * (1.3 + 2.5 * chances.even("demand"))
    in_court = chances.even("court") < _COURT_SHARE
    frozen = np.where((kind == OWN) | in_court, 0.0, usual / 4 * (0.3 + 1.2 * chances.even("frozen")))
    last = 7 * np.minimum(world.closed_week[seller], world.timeline.weeks)
    both = np.concatenate([np.arange(len(seller)), np.flatnonzero(ended < last)])
    is_end = np.arange(len(both)) >= len(seller)
    step = np.where(is_end, _outcomes(kind, chances.even("outcome"))[both], FILED)
    has_amount = np.isin(step, (FILED, UPHELD, SETTLED))
    amount = to_cents(np.where(is_end, paid[both], claimed[both]))
    number = claim_numbers(world, seller[both], week[both])
    products = 1 + np.floor(8 * chances.even("products") ** 2).astype(np.int64)
    holder = np.floor(400 * chances.even("holder")).astype(np.int64)
    platform = either(in_court[both], "", chosen(["shein", "amazon"], firms.has_marketplace[seller[both]]))
    return PoolRows(
        "ip_claim", seller[both], np.where(is_end, ended[both], filed[both]),
        joined(number, chosen(["-F", "-E"], is_end)),
        {
            "claim_number": number, "role": chosen(["accused", "claimant"], kind[both] == OWN),
            "right_type": chosen(RIGHTS, _rights(chances.even("right"))[both]), "entry_type": chosen(_STEPS, step),
            "opponent_name": joined("Rights Holder ", whole_text(holder[both], 3), " LLC"), "platform": platform,
            "market": chosen([m.country for m in MARKETS], firms.market[seller[both]]),
            "sku_count": whole_text(products[both]), "amount": either(has_amount, cents_text(amount), ""),
            "frozen_amount": cents_text(to_cents(np.where(is_end, 0.0, frozen[both]))),
            "currency": currencies(world, seller[both]),
        },
    )  # fmt: skip


def _rights(draw: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted([0.3, 0.65, 0.85], draw, side="right").astype(np.int64)
