"""Insurance of pool members: policies that begin, are renewed or end early, and losses claimed under them.

Better managed sellers insure more; sellers short of cash let policies lapse. Losses follow the incidents of the world:
claims and faulty batches (product liability, IP), failed suppliers that keep a deposit (credit), and goods damaged on
the way, more often while freight is disturbed (cargo). A liability insurer pays the injured party, not the seller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import MARKETS
from simulator.economy.shocks import shock_paths
from simulator.economy.state import FLOWS
from simulator.economy.trade import DEPOSIT_SHARE, PRODUCTION_WEEKS, TRANSIT_WEEKS
from simulator.files.pool.claims import claim_incidents
from simulator.files.pool.rows import Chances, Moments, PoolRows, members, states
from simulator.text_columns import cents_text, chosen, day_text, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.text_columns import Text

COVERS = ("product_liability", "cargo", "credit", "intellectual_property")
LIABILITY, CARGO, CREDIT, RIGHTS = range(len(COVERS))
_STEPS = ("bound", "claimed", "paid", "refused", "ended")
BOUND, CLAIMED, PAID, REFUSED, ENDED = range(len(_STEPS))
_HAVE = np.array([0.35, 0.40, 0.15, 0.12])  # share of sellers of quality 0 and usual discipline
_INSURED_WEEKS = np.array([26.0, 6.0, 10.0, 8.0])  # sum insured in weeks of sales
_PREMIUM_SHARE = np.array([0.008, 0.004, 0.011, 0.022])  # of the sum insured
_TERM = 365
_MOST_TERMS = 7
_LATEST_START = 700
_USUAL_DISCIPLINE = 1.5  # mean of its logarithm
_LEAST_INSURED = 50_000
_ROUND_TO = 10_000
_DAMAGED_SHARE = 0.02  # of shipments, in quiet times
_REFUSED_SHARE = 0.15  # of the losses of honest sellers


@dataclass(frozen=True)
class Policies:
    """Years of cover; arrays of shape (policies,), in order of seller, cover and start.

    Attributes:
        seller: Insured seller.
        cover: Index into ``COVERS``.
        turn: Renewals before this year of cover.
        start: First day of cover.
        end: Day on which cover ended early, else the first day after it.
        insured: Sum insured, CNY.
    """

    seller: NDArray[np.int64]
    cover: NDArray[np.int64]
    turn: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    insured: NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Losses of sellers, insured or not; arrays of shape (losses,). ``amount`` in CNY."""

    seller: NDArray[np.int64]
    cover: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: NDArray[np.float64]


def insured_members(world: World) -> NDArray[np.bool_]:
    """Return the members that state their insurance, shape (sellers,); some have none."""
    return members(world, "insurance", 0.5)


def _usual_sales(world: World, at: Moments) -> NDArray[np.float64]:
    """Return weekly sales in CNY, at least half of those at entry."""
    usual: NDArray[np.float64] = np.maximum(at.sales / 4, 0.5 * np.exp(world.firms.log_level[at.seller])) * at.rate
    return usual


def policies(world: World, is_member: NDArray[np.bool_]) -> Policies:
    """Draw the policies of members: who takes which cover, when, and until when it is renewed."""
    firms, covers = world.firms, np.arange(len(COVERS))
    seller, cover = (part.ravel() for part in np.meshgrid(np.flatnonzero(is_member), covers, indexing="ij"))
    care = 0.3 * firms.quality[seller] + 0.5 * (np.log(firms.discipline[seller]) - _USUAL_DISCIPLINE)
    taker = Chances(world, "insurance taker", seller, cover)
    kept = np.flatnonzero(taker.even("takes") < _HAVE[cover] * np.exp(care))
    wait = np.floor(_LATEST_START * taker.even("wait")[kept] ** 2).astype(np.int64)
    first = 7 * firms.entry_week[seller[kept]] + 14 + wait
    row, turn = (part.ravel() for part in np.meshgrid(kept, np.arange(_MOST_TERMS), indexing="ij"))
    seller, cover, start = seller[row], cover[row], np.repeat(first, _MOST_TERMS) + _TERM * turn
    last = 7 * np.minimum(world.closed_week[seller], world.timeline.weeks)
    at, chances = states(world, seller, start), Chances(world, "insurance", seller, cover, turn)
    renews = (turn == 0) | (chances.even("renews") >= 0.05 * np.exp(1.1 * at.tightness - 0.3 * at.quality))
    middle = states(world, seller, start + _TERM // 2)
    stays = chances.even("stays") >= 0.015 * np.exp(1.2 * middle.tightness)
    before = np.concatenate([[True], stays[:-1]]) | (turn == 0)
    runs = np.logical_and.accumulate((renews & before).reshape(-1, _MOST_TERMS), axis=1).ravel() & (start < last)
    weekly = _usual_sales(world, at)
    insured = _INSURED_WEEKS[cover] * weekly * np.exp(0.3 * taker.bell("size")[row])
    insured = np.maximum(np.ceil(insured / _ROUND_TO) * _ROUND_TO, _LEAST_INSURED)
    ends = np.where(stays, start + _TERM, start + _TERM // 2)
    on = np.flatnonzero(runs)
    return Policies(seller[on], cover[on], turn[on], start[on], ends[on], insured[on])


def losses(world: World) -> Losses:
    """Return what sellers lost through incidents: claims, faulty batches, failed suppliers and damaged goods."""
    claims = claim_incidents(world)
    batch, batch_week, _ = world.incidents("faulty batch")
    recalled = np.abs(world.flows[FLOWS.index("claim_paid"), batch_week, batch])
    parts = [
        (claims.seller, np.where(claims.is_ip, RIGHTS, LIABILITY), claims.week, claims.cost),
        (batch, np.full(len(batch), LIABILITY), batch_week, recalled),
        _kept_deposits(world),
        _damaged_goods(world),
    ]
    seller, cover, week, amount = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    day = 7 * week + np.floor(7 * Chances(world, "insurance loss", seller, cover, week).even("day")).astype(np.int64)
    kept = np.flatnonzero(amount > 0)
    return Losses(seller[kept], cover[kept], day[kept], amount[kept])


def _loss_columns(
    seller: NDArray[np.int64], cover: int, week: NDArray[np.int64], amount: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    return seller, np.full(len(seller), cover), week, amount


def _kept_deposits(
    world: World,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the deposits on goods under way that failed suppliers keep."""
    seller, week, share = world.incidents("supplier failure")
    rows, ordered = world.events.get("orders", {}), np.zeros((world.timeline.weeks, world.firms.count))
    if rows:
        np.add.at(ordered, (rows["week"].astype(np.int64), rows["seller"].astype(np.int64)), rows["cost"].astype(float))
    total = np.cumsum(np.vstack([np.zeros((1, world.firms.count)), ordered]), axis=0)
    since = np.maximum(week - PRODUCTION_WEEKS - TRANSIT_WEEKS, 0)
    under_way = total[week, seller] - total[since, seller]
    return _loss_columns(seller, CREDIT, week, np.round(DEPOSIT_SHARE * share * under_way, 2))


def _damaged_goods(
    world: World,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return a small part of some shipments; more are damaged while freight is dear and goods wait in ports."""
    rows = world.events.get("orders", {name: np.zeros(0) for name in ("seller", "arrival_week", "cost")})
    seller, week, cost = (rows[name].astype(np.float64) for name in ("seller", "arrival_week", "cost"))
    came = week < world.timeline.weeks
    at, when, worth = seller[came].astype(np.int64), week[came].astype(np.int64), cost[came]
    chances = Chances(world, "cargo loss", at, when)
    hit = np.flatnonzero(chances.even("damaged") < _DAMAGED_SHARE * shock_paths(world.timeline).freight[when])
    amount = np.round(worth[hit] * (0.04 + 0.3 * chances.even("share")[hit] ** 2), 2)
    return _loss_columns(at[hit], CARGO, when[hit], amount)


def _policy_of(found: Policies, lost: Losses) -> NDArray[np.int64]:
    """Return the policy in force for each loss, -1 where it was not insured."""
    span = 100_000  # more days than a world has

    def key(rows: Policies | Losses, day: NDArray[np.int64]) -> NDArray[np.int64]:
        return (rows.seller * len(COVERS) + rows.cover) * span + day

    place = np.searchsorted(key(found, found.start), key(lost, lost.day), side="right") - 1
    at = np.maximum(place, 0)
    if not len(found.seller):
        return np.full(len(lost.seller), -1)
    is_same = (found.seller[at] == lost.seller) & (found.cover[at] == lost.cover)
    return np.where((place >= 0) & is_same & (lost.day < found.end[at]), at, -1)


@dataclass(frozen=True)
class _Entries:
    """Entries of policies; arrays of shape (entries,). ``amount`` is the premium or the loss, cents, -1 for none."""

    policy: NDArray[np.int64]
    day: NDArray[np.int64]
    step: NDArray[np.int64]
    amount: NDArray[np.int64]


def _premiums(world: World, found: Policies, claimed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the premium of each year of cover, cents; a loss claimed in the year before raises it."""
    chances = Chances(world, "premium", found.seller, found.cover, found.turn)
    before = np.concatenate([[0], claimed[:-1]]) if len(claimed) else claimed
    dearer = np.where(found.turn > 0, np.minimum(before, 3), 0)
    share = _PREMIUM_SHARE[found.cover] * (1 + 0.25 * dearer) * np.exp(0.15 * chances.bell("price"))
    return to_cents(np.round(found.insured * share))


def _entries(world: World, found: Policies) -> _Entries:
    """Return starts and early ends of cover, and the steps of each insured loss."""
    lost = losses(world)
    policy = _policy_of(found, lost)
    at = np.flatnonzero(policy >= 0)
    policy, day, amount = policy[at], lost.day[at], lost.amount[at]
    chances = Chances(world, "insurance claim", lost.seller[at], lost.cover[at], day)
    told = day + 2 + np.floor(20 * chances.even("told")).astype(np.int64)
    decided = told + 25 + np.floor(110 * chances.even("decided")).astype(np.int64)
    refusal = _REFUSED_SHARE * np.exp(-0.3 * world.firms.honesty[lost.seller[at]])
    is_refused = chances.even("refused") < refusal
    settled = np.minimum(amount, found.insured[policy]) * (0.6 + 0.35 * chances.even("part"))
    rows, early = np.arange(len(found.seller)), np.flatnonzero(found.end < found.start + _TERM)
    claimed = np.bincount(policy, minlength=len(rows))
    parts = (
        (rows, found.start, np.full(len(rows), BOUND), _premiums(world, found, claimed)),
        (early, found.end[early], np.full(len(early), ENDED), np.full(len(early), -1)),
        (policy, told, np.full(len(at), CLAIMED), to_cents(amount)),
        (policy, decided, np.where(is_refused, REFUSED, PAID), to_cents(np.where(is_refused, amount, settled))),
    )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    last = 7 * np.minimum(world.closed_week[found.seller[columns[0]]], world.timeline.weeks)
    kept = np.flatnonzero(columns[1] < last)
    return _Entries(*(column[kept] for column in columns))


def insurance(world: World) -> PoolRows:
    """Return the entries of members' policies: cover began or ended early, losses claimed, paid or refused."""
    found = policies(world, insured_members(world))
    rows = _entries(world, found)
    order = np.lexsort((rows.step, rows.day, rows.policy))
    policy, day, step, amount = (values[order] for values in (rows.policy, rows.day, rows.step, rows.amount))
    seller, cover = found.seller[policy], found.cover[policy]
    number = _policy_number(world, found, policy)
    insurer = 1 + np.floor(9 * Chances(world, "insurer", seller, cover).even("name")).astype(np.int64)
    start, first = found.start[policy], world.timeline.first_day
    is_loss = np.isin(step, (CLAIMED, PAID, REFUSED))
    money = cents_text(np.maximum(amount, 0))
    nth = np.arange(len(policy)) - np.searchsorted(policy, policy)
    abroad = chosen([market.country for market in MARKETS], world.firms.market[seller])
    return PoolRows(
        "insurance", seller, day, joined(number, "-", whole_text(nth)),
        {
            "policy_number": number, "insurer_id": joined("IN", whole_text(insurer, 2)),
            "cover_type": chosen(COVERS, cover), "entry_type": chosen(_STEPS, step),
            "insured_amount": cents_text(to_cents(found.insured[policy])),
            "premium": either(step == BOUND, money, ""), "loss_amount": either(is_loss, money, ""),
            "currency": "CNY", "valid_from": day_text(first, start),
            "valid_to": day_text(first, start + _TERM - 1),
            "market": either(np.isin(cover, (LIABILITY, RIGHTS)), abroad, ""),
        },
    )  # fmt: skip


def _policy_number(world: World, found: Policies, policy: NDArray[np.int64]) -> Text:
    seller, cover, turn = found.seller[policy], found.cover[policy], found.turn[policy]
    return joined("P", whole_text(world.number(seller), 6), "-", whole_text(cover), "-", whole_text(turn))
