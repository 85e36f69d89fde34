"""Offers of all products to all sellers as one Arrow table: status, limit, caps, price and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_contracts.errors import ConfigurationRefused, listed
from lending.limits import Numbers, caps, smallest, verified_payouts
from lending.policy.records import FIGURES
from lending.prices import advance_terms, rate_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lending.policy.records import Policy, Product

Flags = npt.NDArray[np.bool_]

STATUSES: Final = ("available", "available_if", "not_available")
CAPS: Final = ("payouts", "loss_budget", "group", "lender", "borrowing_base", "share_of_payouts", "lowest_balance")
PARTS: Final = ("funding", "expected_loss", "capital", "operating", "margin")
ADVANCE: Final = ("fee_usd", "days_to_repay_fast", "days_to_repay_middle", "days_to_repay_slow")
NO_LIMIT: Final = "limit_below_smallest"
TOO_DEAR: Final = "rate_above_legal_maximum"


def offers(sellers: pa.Table, policy: Policy) -> pa.Table:
    """Return one row for each product and seller, product by product in the order of ``policy``.

    ``sellers`` holds ``seller_id`` and the columns of ``FIGURES``, and ``lowest_balance_p10_usd`` where there
    is a forecast.
    The limit and the rate are empty where the product is not available; the caps are always shown.

    Raises:
        ConfigurationRefused: a column is missing.
    """
    missing = [name for name in ("seller_id", *FIGURES) if name not in sellers.column_names]
    if missing:
        raise ConfigurationRefused(f"offers: the table of sellers lacks {listed(missing)}", "add these columns")
    names = [*FIGURES, *(name for name in ("lowest_balance_p10_usd",) if name in sellers.column_names)]
    figures = {name: _numbers(sellers[name]) for name in names}
    ids = sellers["seller_id"].combine_chunks()
    return pa.concat_tables([_offers_of(product, ids, figures, policy) for product in policy.products])


def _offers_of(product: Product, ids: pa.Array[Any], figures: Mapping[str, Numbers], policy: Policy) -> pa.Table:
    found = caps(figures, product, policy)
    limit, binding = smallest(found)
    parts = rate_parts(figures, limit, product, policy)
    rate = np.sum(list(parts.values()), axis=0)
    unmet, shortfall = _unmet(product, figures)
    refused = _refused(figures, limit, rate, policy)
    closed = np.any(list(refused.values()), axis=0)
    place = np.where(closed, 2, np.where(unmet.any(axis=1), 1, 0))
    advance = _advance(product, limit, rate, figures, policy)
    columns = {
        "seller_id": ids,
        "product": pa.repeat(pa.scalar(product.id), len(ids)),
        "status": pa.array(STATUSES).take(place),
        "limit_usd": pa.array(limit, mask=closed),
        "binding_cap": pa.array(list(found)).take(binding),
        **{f"cap_{name}_usd": _shown(found.get(name), len(ids)) for name in CAPS},
        "rate": pa.array(rate, mask=closed),
        **{f"rate_{name}": pa.array(parts[name], mask=closed) for name in PARTS},
        **{name: pa.array(advance[name], mask=closed | ~np.isfinite(advance[name])) for name in ADVANCE},
        "unmet": _lists([condition.of for condition in product.conditions], unmet),
        "shortfall": _values(shortfall, unmet),
        "documents": _lists([condition.document for condition in product.conditions], unmet),
        "refused_because": _lists(list(refused), np.column_stack(list(refused.values()))),
    }
    return pa.table(columns)


def _advance(
    product: Product, limit: Numbers, rate: Numbers, figures: Mapping[str, Numbers], policy: Policy
) -> dict[str, Numbers]:
    if product.payout_share is None:
        return {name: np.full_like(limit, np.nan) for name in ADVANCE}
    return advance_terms(limit, rate, verified_payouts(figures), product, policy)


def _refused(figures: Mapping[str, Numbers], limit: Numbers, rate: Numbers, policy: Policy) -> dict[str, Flags]:
    """Return by reason which sellers are refused; an unknown figure of a refusal refuses."""
    found: dict[str, Flags] = {rule.of: ~(figures[rule.of] <= rule.at_most) for rule in policy.refusals}
    too_small = limit < policy.terms.smallest_limit_usd
    return {**found, NO_LIMIT: too_small, TOO_DEAR: (rate > policy.terms.legal_maximum_rate) & ~too_small}


def _unmet(product: Product, figures: Mapping[str, Numbers]) -> tuple[Flags, Numbers]:
    """Return which conditions are not met, and by how much; NaN where the figure is not known."""
    shape = (len(figures["pd_12m"]), len(product.conditions))
    short = np.zeros(shape)
    for place, condition in enumerate(product.conditions):
        short[:, place] = condition.at_least - figures[condition.of]
    return ~(short <= 0), short


def _numbers(column: pa.ChunkedArray[Any]) -> Numbers:
    return np.asarray(column.cast(pa.float64()).to_numpy())


def _shown(cap: Numbers | None, rows: int) -> pa.Array[Any]:
    return pa.nulls(rows, pa.float64()) if cap is None else pa.array(cap, mask=~np.isfinite(cap))


def _offsets(chosen: Flags) -> pa.Int32Array:
    counts = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
    return pa.array(counts, pa.int32())


def _lists(names: Sequence[str], chosen: Flags) -> pa.Array[Any]:
    """Return for each row the names whose flag is set."""
    values = pa.array(names, pa.string()).take(np.nonzero(chosen)[1])
    return pa.ListArray.from_arrays(_offsets(chosen), values)


def _values(numbers: Numbers, chosen: Flags) -> pa.Array[Any]:
    values = numbers[chosen]
    return pa.ListArray.from_arrays(_offsets(chosen), pa.array(values, mask=np.isnan(values)))
