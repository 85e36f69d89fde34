"""Certificates, entries in public registers, and consents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import CATEGORIES, MARKETS
from simulator.economy.state import FLOWS
from simulator.files.pool.rows import Chances, PoolRows, members
from simulator.text_columns import cents_text, chosen, day_text, either, joined, to_cents, whole_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.observation.availability import Observation

_LONGEST_RENEWALS = 7
_KINDS_AT_HOME = ("fcc", "quality_system", "trademark")
_KINDS_IN_EUROPE = ("ce", "vat_registration", "epr_packaging")
_YEAR = 365


def certificates(world: World) -> PoolRows:
    """Return certificates by market, renewed every second year; low quality covers fewer products and renews late."""
    sellers = np.flatnonzero(members(world, "certificate", 0.7))
    seller, kind, turn = (part.ravel() for part in np.meshgrid(sellers, np.arange(3), np.arange(_LONGEST_RENEWALS)))
    chances = Chances(world, "certificate", seller, kind, turn)
    quality = world.firms.quality[seller]
    has_kind = Chances(world, "certificate kind", seller, kind).even("has") < 0.75 * np.exp(0.15 * quality)
    late = np.where(turn > 0, np.floor(60 * np.exp(-0.6 * quality) * chances.even("late") ** 3), 0).astype(np.int64)
    start = 7 * world.firms.entry_week[seller] + 10 * kind + turn * 2 * _YEAR + late
    end_day = 7 * np.minimum(world.closed_week[seller], world.timeline.weeks)
    kept = np.flatnonzero(has_kind & (start < end_day) & (chances.even("renewed") < 0.97))
    seller, kind, turn, start = seller[kept], kind[kept], turn[kept], start[kept]
    first = world.timeline.first_day
    required = 5 + np.floor(20 * Chances(world, "sku", seller).even("count")).astype(np.int64)
    covered = np.rint(required * np.clip(0.85 + 0.1 * quality[kept] + 0.1 * chances.bell("cover")[kept], 0.2, 1.0))
    market = world.firms.market[seller]
    in_europe = world.firms.is_euro[seller]
    number = joined("C", whole_text(world.number(seller), 6), "-", whole_text(kind), "-", whole_text(turn))
    return PoolRows(
        "certificate", seller, start, number,
        {
            "certificate_number": number,
            "certificate_kind": chosen([*_KINDS_AT_HOME, *_KINDS_IN_EUROPE], kind + 3 * in_europe),
            "entry_type": chosen(["granted", "renewed"], turn > 0),
            "market": chosen([m.country for m in MARKETS], market),
            "sku_group": chosen([c.name for c in CATEGORIES], world.firms.category[seller]),
            "valid_from": day_text(first, start), "valid_to": day_text(first, start + 2 * _YEAR),
            "covered_sku_count": whole_text(covered.astype(np.int64)), "required_sku_count": whole_text(required),
            "is_verified": chosen(["false", "true"], chances.even("verified")[kept] < 0.8),
        },
    )  # fmt: skip


def public_records(world: World) -> PoolRows:
    """Return registrations, tax by year, penalties after claims, and lawsuits that follow cash shortage and default."""
    parts = [_registrations(world), _tax(world), _penalties(world), _lawsuits(world)]
    seller, day, kind, cents, defendant = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    kept = np.flatnonzero((day < 7 * world.timeline.weeks) & (day >= 0) | (kind == 0))
    kept = kept[np.lexsort((kind[kept], day[kept], seller[kept]))]
    seller, day, kind, cents, defendant = (values[kept] for values in (seller, day, kind, cents, defendant))
    has_amount = cents >= 0
    return PoolRows(
        "public_record", seller, day, joined("PR-", whole_text(np.arange(len(seller)))),
        {
            "record_kind": chosen(_RECORD_KINDS, kind), "role": either(defendant > 0, "defendant", ""),
            "tax_kind": either(kind == 1, "income", either(kind == 2, "income", "")),
            "amount": either(has_amount, cents_text(np.maximum(cents, 0)), ""),
            "currency": either(has_amount, "CNY", ""), "country": "CN",
        },
    )  # fmt: skip


_RECORD_KINDS = ("registration", "tax_due", "tax_paid", "penalty", "lawsuit", "judgment", "dishonest_debtor")


def _rows(
    seller: NDArray[np.int64], day: NDArray[np.int64], kind: int, cents: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], ...]:
    """Return seller, day, kind, amount in CNY cents (-1 for none), and whether the seller is the defendant."""
    nothing = np.full(len(seller), -1)
    is_sued = np.full(len(seller), int(kind in {4, 5}))
    return seller, day, np.full(len(seller), kind), nothing if cents is None else cents, is_sued


def _stacked(*parts: tuple[NDArray[np.int64], ...]) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _registrations(world: World) -> tuple[NDArray[np.int64], ...]:
    sellers = np.arange(world.firms.count)
    return _rows(sellers, world.firms.founded_day, 0)


def _tax(world: World) -> tuple[NDArray[np.int64], ...]:
    """Return tax due and paid by calendar year, reported the next May; sellers short of cash paid less than was due."""
    year = world.timeline.week_start.astype("datetime64[Y]")
    years, starts = np.unique(year, return_index=True)
    paid = -np.add.reduceat(world.flows[FLOWS.index("tax_paid")], starts, axis=0)
    weekly = world.weekly["sales"] + world.weekly["hosted_sales"] + world.weekly["site_sales"]
    rate = np.where(world.firms.is_euro, world.timeline.cny_per_eur[:, None], world.timeline.cny_per_usd[:, None])
    due = np.add.reduceat(weekly * rate, starts, axis=0) * world.settings.economy.tax_share
    at, seller = np.nonzero(due > 100)
    told = ((years + 1).astype("datetime64[D]") + 125 - world.timeline.first_day).astype(np.int64)[at]
    open_then = told // 7 < world.closed_week[seller]
    at, seller, told = at[open_then], seller[open_then], told[open_then]
    due_cents = to_cents(np.maximum(due, paid)[at, seller])
    paid_cents = np.minimum(to_cents(paid[at, seller]), due_cents)
    return _stacked(_rows(seller, told, 1, due_cents), _rows(seller, told + 20, 2, paid_cents))


def _penalties(world: World) -> tuple[NDArray[np.int64], ...]:
    seller, week, _ = world.incidents("claim")
    chances = Chances(world, "penalty", seller, week)
    kept = chances.even("fined") < 0.3
    cents = to_cents(np.rint(2_000 * np.exp(chances.bell("amount"))))
    day = 7 * week + 60 + (60 * chances.even("day")).astype(np.int64)
    return _rows(seller[kept], day[kept], 3, cents[kept])


def _lawsuits(world: World) -> tuple[NDArray[np.int64], ...]:
    """Return lawsuits of suppliers and lenders: some before a default, most after it, and a few unrelated ones."""
    weeks = np.arange(2, world.timeline.weeks, 13)
    week, seller = (part.ravel() for part in np.meshgrid(weeks, np.arange(world.firms.count), indexing="ij"))
    chances = Chances(world, "lawsuit", seller, week)
    usual = 4 * np.exp(world.firms.log_level[seller]) * world.timeline.cny_per_usd[week]
    tight = np.clip(1 - world.cash[week, seller] / np.maximum(usual, 1.0), 0.0, 2.0)
    quality = world.weekly["quality"][week, seller]
    since = 7 * week - world.default_day[seller]
    is_after = (world.default_day[seller] >= 0) & (since > 30) & (since < 300)
    rate = np.where(is_after, 0.25, 0.004 * np.exp(0.9 * tight - 0.4 * quality))
    trades = (week >= world.firms.entry_week[seller]) & (week < world.closed_week[seller])
    at = np.flatnonzero(trades & (chances.even("filed") < rate))
    cents = to_cents(np.rint(0.3 * usual[at] * np.exp(0.6 * chances.bell("amount")[at])))
    day = 7 * week[at] + (80 * chances.even("day")[at]).astype(np.int64)
    judged = at[chances.even("judged")[at] < 0.6]
    place = np.searchsorted(at, judged)
    verdict_day = day[place] + 90 + (90 * chances.even("verdict")[judged]).astype(np.int64)
    evades = is_after[judged] & (chances.even("evades")[judged] < 0.4)
    return _stacked(
        _rows(seller[at], day, 4, cents), _rows(seller[judged], verdict_day, 5, cents[place]),
        _rows(seller[judged[evades]], verdict_day[evades] + 120, 6),
    )  # fmt: skip


def consents(world: World, observation: Observation) -> PoolRows:
    """Return consents to read each delivered source, granted when its history begins; a few are withdrawn later."""
    given = [
        (number, np.flatnonzero(first < world.timeline.weeks), first)
        for number, (_, first) in enumerate(observation.first_week.items())
    ]
    seller = np.concatenate([sellers for _, sellers, _ in given])
    source = np.repeat([number for number, _, _ in given], [len(sellers) for _, sellers, _ in given])
    start = np.concatenate([7 * first[sellers] for _, sellers, first in given])
    chances = Chances(world, "consent", seller, source)
    ends = start + 400 + (2_000 * chances.even("until")).astype(np.int64)
    withdrawn = np.flatnonzero((chances.even("withdrawn") < 0.01) & (ends < 7 * world.timeline.weeks))
    both = np.concatenate([np.arange(len(seller)), withdrawn])
    is_end = np.arange(len(both)) >= len(seller)
    first_day = world.timeline.first_day
    reference = joined("CR-S", whole_text(world.number(seller[both]), 6), "-", whole_text(source[both], 2))
    day = np.where(is_end, ends[both], start[both])
    return PoolRows(
        "consent", seller[both], day, joined(reference, chosen(["-G", "-W"], is_end)),
        {
            "consent_reference": reference, "consented_source": chosen(list(observation.first_week), source[both]),
            "purpose": "credit_assessment", "valid_from": day_text(first_day, start[both]),
            "withdrawn_on": either(is_end, day_text(first_day, day), ""),
        },
    )  # fmt: skip


def training_consents(world: World, observation: Observation) -> PoolRows:
    """Return consents to train models on everything delivered, given with the first source; a few are withdrawn."""
    first = np.minimum.reduce(list(observation.first_week.values()))
    seller = np.flatnonzero(first < world.timeline.weeks)
    chances = Chances(world, "training consent", seller)
    seller = seller[chances.even("given") < world.settings.observation.training_consent_share]
    start = 7 * first[seller]
    chances = Chances(world, "training consent", seller)
    ends = start + 400 + (2_000 * chances.even("until")).astype(np.int64)
    withdrawn = np.flatnonzero((chances.even("withdrawn") < 0.01) & (ends < 7 * world.timeline.weeks))
    both = np.concatenate([np.arange(len(seller)), withdrawn])
    is_end = np.arange(len(both)) >= len(seller)
    first_day = world.timeline.first_day
    reference = joined("TR-S", whole_text(world.number(seller[both]), 6))
    day = np.where(is_end, ends[both], start[both])
    return PoolRows(
        "consent", seller[both], day, joined(reference, chosen(["-G", "-W"], is_end)),
        {
            "consent_reference": reference, "consented_source": "all", "purpose": "model_training",
            "valid_from": day_text(first_day, start[both]),
            "withdrawn_on": either(is_end, day_text(first_day, day), ""),
        },
    )  # fmt: skip
