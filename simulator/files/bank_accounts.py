"""Bank accounts of sellers: payouts as they arrive, and what else comes in and goes out beside them.

The account is in the currency of the platform account. A payout arrives up to four days later, some less a fee. The
other entries are made up: transfers to an account in China, wages, tax, bank fees, buyers who pay directly, loans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.economy.state import REPORT_ITEMS
from simulator.files.amazon import deposit_day, settlement_number
from simulator.files.hosted_platforms import pay_day, report_total
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import to_cents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

OPENING_CENTS = 25_000_000
_LATEST_DAYS = 5  # a payout arrives less than so many days later
_FEE_SHARE = 0.15  # share of payouts that lose a fee on their way
_LARGEST_FEE, _FEE_RATE = 1_500, 0.008  # cents, and share of the payout
_KEPT_SHARE = 0.25  # share of a payout that stays in the account
_MONTH_DAYS = 30


class Entry(NamedTuple):
    """An entry of an account.

    Attributes:
        day: Day number.
        cents: Signed amount.
        who: Counterparty.
        said: Words of the entry.
        payout: Number of the settlement or report that it pays; empty for everything else.
    """

    day: int
    cents: int
    who: str
    said: str
    payout: str = ""


@dataclass(frozen=True)
class Account:
    """The entries of a seller's account in order of day, up to its closing or the world's end (``last_day``)."""

    seller: int
    is_euro: bool
    last_day: int
    entries: tuple[Entry, ...]


def has_bank_statements(world: World) -> NDArray[np.bool_]:
    """Return which sellers deliver the statements of their bank account, shape (sellers,)."""
    settings = world.settings
    chance = unit_interval(scatter(settings.observation_seed, "bank statements", _numbers(world)))
    delivers: NDArray[np.bool_] = chance < settings.observation.bank_statement_share
    return delivers


def bank_accounts(world: World, sellers: NDArray[np.int64]) -> Iterator[Account]:
    """Yield the accounts of sellers."""
    payouts = _payouts(world, sellers)
    for seller in sellers.tolist():
        own = np.flatnonzero(payouts["seller"] == seller)
        cells = (payouts[name][own].tolist() for name in ("day", "cents", "who", "said", "number"))
        paid = [Entry(*row) for row in zip(*cells, strict=True)]
        last = min(7 * int(world.closed_week[seller]), 7 * world.timeline.weeks) - 1
        entries = [*paid, *_own_transfers(world, seller, paid), *_monthly(world, seller, last), *_loans(world, seller)]
        kept = sorted((entry for entry in entries if entry.day <= last and entry.cents), key=lambda entry: entry.day)
        yield Account(seller, bool(world.firms.is_euro[seller]), last, tuple(kept))


def holder(world: World, seller: int) -> str:
    """Return the name in which a seller's account is held."""
    return f"卖家{world.seller_id(seller)}贸易有限公司"


def _numbers(world: World) -> NDArray[np.int64]:
    return world.number(np.arange(world.firms.count))


def _payouts(world: World, sellers: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    """Return the payouts of the marketplace and the hosted platforms as credits of the bank account."""
    parts = [
        _credits(world, part, *named)
        for part, named in (
            (_settlements(world, sellers), ("Amazon Payments Europe S.C.A.", "AMAZON ")),
            (_reports(world, sellers), ("ROADGET BUSINESS PTE. LTD.", "SHEIN ")),
        )
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _settlements(world: World, sellers: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    rows = _of(world, "statements", sellers)
    seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64)
    return {
        "seller": seller,
        "day": deposit_day(world, seller, week),
        "cents": to_cents(rows["total"].astype(np.float64)),
        "number": settlement_number(world, seller, week),
    }


def _reports(world: World, sellers: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    rows = _of(world, "reports", sellers)
    seller, week = rows["seller"].astype(np.int64), rows["week"].astype(np.int64)
    cents = {name: to_cents(rows[name].astype(np.float64)) for name in REPORT_ITEMS}
    return {
        "seller": seller,
        "day": pay_day(world, seller, week, rows["pay_week"].astype(np.int64)),
        "cents": report_total(cents),
        "number": world.number(seller) * 10_000 + week,
    }


def _of(world: World, table: str, sellers: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    columns = world.events.get(table, {})
    names = {"statements": ("seller", "week", "total"), "reports": ("seller", "week", "pay_week", *REPORT_ITEMS)}[table]
    if not columns:
        return {name: np.zeros(0) for name in names}
    at = np.flatnonzero(np.isin(columns["seller"], sellers))
    return {name: columns[name][at] for name in names}


def _credits(world: World, paid: dict[str, NDArray[np.int64]], who: str, prefix: str) -> dict[str, NDArray[np.generic]]:
    """Return positive payouts as they arrive; half of them name the number of what they pay."""
    is_paid = paid["cents"] > 0
    seller, number, cents = (paid[name][is_paid] for name in ("seller", "number", "cents"))
    bits = scatter(world.settings.seed, f"bank {prefix}", world.number(seller), number)
    fee = np.minimum(np.floor(_FEE_RATE * cents).astype(np.int64), _LARGEST_FEE)
    is_less = unit_interval(bits) < _FEE_SHARE
    tells = ((bits & np.uint64(1)) == 1).tolist()
    words = [prefix + (str(one) if told else "payout") for one, told in zip(number.tolist(), tells, strict=True)]
    return {
        "seller": seller,
        "day": paid["day"][is_paid] + (bits >> np.uint64(3)).astype(np.int64) % _LATEST_DAYS,
        "cents": cents - np.where(is_less, fee, 0),
        "who": np.full(len(seller), who, dtype=object),
        "said": np.array(words, dtype=object),
        "number": np.array([f"{prefix}{one}" for one in number.tolist()], dtype=object),
    }


def _own_transfers(world: World, seller: int, paid: list[Entry]) -> Iterator[Entry]:
    """Yield a transfer to the seller's account in China after each payout."""
    for entry in paid:
        yield Entry(entry.day + 2, -int((1 - _KEPT_SHARE) * entry.cents), holder(world, seller), "同名划转")


def _monthly(world: World, seller: int, last: int) -> Iterator[Entry]:
    """Yield wages, a bank fee, tax and interest each quarter, and now and then a buyer or a wallet."""
    first = 7 * int(world.firms.entry_week[seller])
    months = np.arange(max((last - first) // _MONTH_DAYS, 0))
    own = np.full(len(months), int(world.number(np.array([seller]))[0]))
    seed = world.settings.seed
    draws = [unit_interval(scatter(seed, f"bank {name}", own, months)) for name in ("pay", "buyer", "odd")]
    for month, pay, buyer, odd in zip(months.tolist(), *(draw.tolist() for draw in draws), strict=True):
        day = first + month * _MONTH_DAYS
        yield Entry(day + 9, -int(100_000 + 200_000 * pay), "", "代发工资")
        yield Entry(day + 15, -1_500, "", "手续费")
        if month % 3 == 2:
            yield Entry(day + 20, int(1_000 + 4_000 * odd), "", "结息")
            yield Entry(day + 21, -int(50_000 + 100_000 * odd), "国家税务总局", "税费")
        if buyer < 0.3:
            yield Entry(day + 4 + int(20 * odd), int(20_000 + 900_000 * pay), "Lighthouse Retail Ltd", "invoice")
        if buyer > 0.9:
            yield Entry(day + 12, int(30_000 + 500_000 * odd), "杭州乒乓智能技术有限公司", "PINGPONG 提现")


def _loans(world: World, seller: int) -> Iterator[Entry]:
    """Yield the loans that the seller took, in the currency of the account."""
    rows = world.events.get("loans", {})
    if not rows:
        return
    at = np.flatnonzero(rows["seller"] == seller)
    rates = world.timeline.cny_per_eur if world.firms.is_euro[seller] else world.timeline.cny_per_usd
    columns = (rows[name][at].tolist() for name in ("day", "lender", "principal"))
    for day, lender, principal in zip(*columns, strict=True):
        cents = int(100 * principal / rates[min(int(day) // 7, len(rates) - 1)])
        yield Entry(int(day), cents, f"第{int(lender)}银行", "贷款发放")
