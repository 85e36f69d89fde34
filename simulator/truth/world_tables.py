"""Truth tables of a world: what no source shows. They serve to judge the pipeline, which may not read them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from simulator.catalogue import CATEGORIES, MARKETS, SUPERVISION_MODES
from simulator.economy.fraud import KINDS, WITHHELD_SOURCE
from simulator.economy.shocks import SHOCKS, Shock
from simulator.economy.state import FLOWS
from simulator.files.amazon import settlement_number
from simulator.files.lenders import loan_text
from simulator.files.pool.claims import CLAIM_KINDS, all_ip_claims, claim_incidents, claim_numbers
from simulator.observation.brushing import CHECKS
from simulator.observation.fraud_cases import FraudCases, fraud_cases, withheld_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

TRUTH_NOTE = """Synthetic world: truth tables, written beside the raw files and never read by the pipeline.

sellers.csv            fixed attributes, hidden ones included; default and closing days (empty = never)
cash_by_year.csv       cash movements by cause and calendar year, CNY; opening + movements = closing
advances.csv           money that the marketplace lent or withheld with a statement, account currency
incidents.csv          suspensions, claims, supplier failures, faulty batches, losses no seller data shows
claims.csv             what each claim was about (a right or a product), with its number in the table of IP claims;
                       unfounded claims, and those of the seller against others, which cost it nothing
shocks.csv             dated shocks of the whole world, and the checks on brushing that became common
guarantees.csv         guarantees, and the circle each belongs to
guarantee_calls.csv    debts called from guarantors and from owners' other sellers
lies.csv               one row a case of deceit: who, what kind, from when to when (empty = to the end), the other
                       seller, or the loan or source it is about, and its size

Default: first day an instalment is 90 days past due, payments serving the oldest instalment first.
Size of a lie: brushing, fake over true orders; inflated_traffic, false over true visits; over_declaration, excess over
true value; round_trip, amounts a round in units of 0.4 of the leader's sales of four weeks; loan_diverted, share of the
money; forged_trade, forged over true orders to suppliers; 1 where a lie has no size.
Marketplace statement rows stand for groups of orders; own-site orders are single orders.
"""


def _dates(world: World, day: NDArray[np.int64], never: NDArray[np.bool_]) -> NDArray[np.datetime64]:
    return np.where(never, np.datetime64("NaT", "D"), world.timeline.first_day + day)


def _numbered(world: World, local: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(local >= 0, world.number(local), -1)


def _sellers(world: World) -> dict[str, object]:
    firms, network, weeks = world.firms, world.network, world.timeline.weeks
    plain = {
        name: getattr(firms, name)
        for name in firms.__dataclass_fields__
        if name not in {"category", "market", "supervision"}
    }
    return {
        "seller_id": world.seller_ids(),
        "category": [CATEGORIES[number].name for number in firms.category],
        "marketplace": [MARKETS[number].name for number in firms.market],
        "supervision_mode": [SUPERVISION_MODES[number] for number in firms.supervision],
        "control_group": _numbered(world, network.group), "service_address": _numbered(world, network.hub),
        "default_date": _dates(world, np.maximum(world.default_day, 0), world.default_day < 0),
        "closing_date": _dates(world, 7 * np.minimum(world.closed_week, weeks), world.closed_week > weeks),
        **plain,
    }  # fmt: skip


def _cash_by_year(world: World) -> dict[str, object]:
    """Return each seller's cash movements by year and cause, with opening and closing balance, CNY."""
    year = world.timeline.week_start.astype("datetime64[Y]").astype(np.int64) + 1970
    years, starts = np.unique(year, return_index=True)
    count = world.firms.count
    closing = np.stack([world.cash[end - 1] for end in [*starts[1:], len(year)]])
    opening = np.concatenate([np.zeros((1, count)), closing[:-1]])
    columns: dict[str, object] = {
        "seller_id": np.tile(world.seller_ids(), len(years)), "calendar_year": np.repeat(years, count),
        "opening_cny": opening.ravel(),
    }  # fmt: skip
    for cause, flows in zip(FLOWS, world.flows, strict=True):
        columns[f"{cause}_cny"] = np.round(np.add.reduceat(flows, starts, axis=0), 2).ravel()
    return {**columns, "closing_cny": closing.ravel()}


def _events(world: World, table: str, sellers: tuple[str, ...]) -> dict[str, object]:
    """Return an event table with seller references and dates instead of numbers."""
    rows = world.events.get(table, {})
    ids = world.seller_ids()
    shown: dict[str, object] = {name: ids[rows[name].astype(np.int64)] for name in sellers if name in rows}
    if "week" in rows:
        shown["week_start"] = world.timeline.week_start[
            np.minimum(rows["week"].astype(np.int64), world.timeline.weeks - 1)
        ]
    return shown | {name: values for name, values in rows.items() if name not in (*sellers, "week")}


def _advances(world: World) -> dict[str, object]:
    """Return what was lent or withheld with each statement, in account currency."""
    rows = world.events.get("statements", {name: np.zeros(0) for name in ("seller", "week", "advance", "repayment")})
    at = np.flatnonzero(rows["advance"].astype(np.float64) + rows["repayment"].astype(np.float64))
    seller, week = (rows[name][at].astype(np.int64) for name in ("seller", "week"))
    return {
        "seller_id": world.seller_ids()[seller], "week_start": world.timeline.week_start[week],
        "settlement_id": settlement_number(world, seller, week),
        "currency": np.where(world.firms.is_euro[seller], "EUR", "USD"),
        "advance": rows["advance"][at], "repayment": rows["repayment"][at],
    }  # fmt: skip


def _fraud_cases(world: World) -> dict[str, object]:
    """Return one row per fraud case, kind by kind."""
    hidden = withheld_sources(world)
    hiders, ids = np.flatnonzero(hidden != ""), world.seller_ids()
    found = [(kind, fraud_cases(world, kind)) for kind in KINDS]
    found.append((WITHHELD_SOURCE, _since_entry(world, hiders)))
    seller, first, end, other, loan = (
        np.concatenate([getattr(each, name) for _, each in found])
        for name in ("seller", "first_week", "end_week", "other", "loan")
    )
    last = 7 * np.minimum(end, world.closed_week[seller]) - 1
    never = (end >= world.timeline.weeks) & (world.closed_week[seller] >= world.timeline.weeks)
    reference = np.where(loan >= 0, loan_text(world, loan).to_numpy(zero_copy_only=False).astype(str), "")
    reference[len(seller) - len(hiders) :] = hidden[hiders]
    return {
        "seller_id": ids[seller], "kind": np.repeat([kind for kind, _ in found], [len(c.seller) for _, c in found]),
        "from": _dates(world, 7 * first, first < 0),
        "to": _dates(world, np.maximum(last, 7 * first), never),  # a case of the week of closing lasts a day
        "other_seller_id": np.where(other >= 0, ids[other], ""), "reference": reference,
        "size": np.concatenate([each.size for _, each in found]),
    }  # fmt: skip


def _since_entry(world: World, seller: NDArray[np.int64]) -> FraudCases:
    """Return cases that last as long as the sellers trade."""
    nobody = np.full(len(seller), -1)
    end = np.full(len(seller), world.timeline.weeks)
    return FraudCases(seller, world.firms.entry_week[seller], end, nobody, nobody, np.ones(len(seller)))


def _claims(world: World) -> dict[str, object]:
    """Return the claims about rights, and those about products, with what they cost."""
    rights, incidents = all_ip_claims(world), claim_incidents(world)
    products = np.flatnonzero(~incidents.is_ip)
    nothing = [""] * len(products)
    seller = np.concatenate([rights.seller, incidents.seller[products]])
    week = np.concatenate([rights.week, incidents.week[products]])
    return {
        "seller_id": world.seller_ids()[seller], "week_start": world.timeline.week_start[week],
        "about": ["right"] * len(rights.seller) + ["product"] * len(products),
        "kind": [CLAIM_KINDS[kind] for kind in rights.kind] + [CLAIM_KINDS[0]] * len(products),
        "claim_number": claim_numbers(world, rights.seller, rights.week).to_pylist() + nothing,
        "cost_cny": np.concatenate([rights.cost, incidents.cost[products]]),
    }  # fmt: skip


def _guarantees(world: World) -> dict[str, object]:
    ids, network = world.seller_ids(), world.network
    return {
        "guarantor": ids[network.guarantor],
        "guaranteed": ids[network.guaranteed],
        "circle": _numbered(world, network.circle),
    }


def truth_tables(world: World) -> dict[str, pa.Table]:
    """Return the truth of a world, or of one district, as tables by name."""
    found = {
        "sellers": _sellers(world), "cash_by_year": _cash_by_year(world),
        "advances": _advances(world), "incidents": _events(world, "incidents", ("seller",)),
        "claims": _claims(world), "guarantees": _guarantees(world),
        "lies": _fraud_cases(world),
        "guarantee_calls": _events(world, "guarantee_calls", ("guarantor", "guaranteed")),
    }  # fmt: skip
    return {
        name: pa.table({key: _column(values) for key, values in columns.items()}) for name, columns in found.items()
    }


def shock_table() -> pa.Table:
    """Return everything with fixed dates in all worlds: shocks, and the checks on brushing."""
    checks = [
        Shock(check.trace, "check", check.first_day, date(2099, 1, 1), ramp_weeks=0, size=1.0) for check in CHECKS
    ]
    dated = [*SHOCKS, *checks]
    columns = {
        name: _column([getattr(s, name) for s in dated]) for name in ("name", "effect", "first_day", "last_day", "size")
    }
    return pa.table(columns | {"markets": _column([" ".join(shock.markets) for shock in dated])})


def _column(values: Any) -> Any:  # noqa: ANN401 - lists and arrays of any kind, and the Arrow array of each
    return pa.array(values)
