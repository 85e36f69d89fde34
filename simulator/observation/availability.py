"""Which sources each seller delivers, from which week, how late, and which it refuses.

The observation has its own seed: another observation of the same world shows other gaps and lags of the same truth.
Data is not missing at random. Sellers with something to hide refuse more often, and young sellers come with thin files:
only their platform's statements, from some weeks after entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.catalogue import HOSTED_MODES
from simulator.observation.fraud_cases import withheld_sources
from simulator.observation.name_spellings import observe_names
from simulator.randomness import scatter, stream, unit_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.observation.name_spellings import ObservedNames
    from simulator.population.firms import Firms

SELLER_SOURCES: tuple[str, ...] = (
    "amazon_settlement_v2", "shein_report", "shein_statement", "shopify_orders", "shop_traffic", "customs_declaration",
    "vat_invoices",
)  # fmt: skip
_YOUNG_DAYS = 180
_RELUCTANCE = 0.55  # how strongly refusals follow weakness
_PLATFORM_STATEMENTS = frozenset({"amazon_settlement_v2", "shein_report", "shein_statement"})
# Share of sellers that have the source at all, and the factor on its refusals; platform statements are refused least.
_HAVE = {
    "amazon_settlement_v2": 0.985,
    "shein_report": 0.985,
    "shein_statement": 0.985,
    "shopify_orders": 1.0,
    "shop_traffic": 0.60,
    "customs_declaration": 0.93,
    "vat_invoices": 0.98,
}
_REFUSED = {
    "amazon_settlement_v2": 0.3,
    "shein_report": 0.3,
    "shein_statement": 0.3,
    "shopify_orders": 1.3,
    "shop_traffic": 1.2,
    "customs_declaration": 1.0,
    "vat_invoices": 1.2,
}


@dataclass(frozen=True)
class Observation:
    """What is delivered of a world.

    Attributes:
        first_week: First delivered week by source; past the world's end for sources never delivered, shape (sellers,).
        delivery_lag_days: Days from the start of a delivery period to the delivery, shape (sellers,).
        delivery_second: Second of the day of deliveries, shape (sellers,).
        names: Spellings of the companies' names.
    """

    first_week: Mapping[str, NDArray[np.int64]]
    delivery_lag_days: NDArray[np.int64]
    delivery_second: NDArray[np.int64]
    names: ObservedNames


def observe(world: World) -> Observation:
    """Draw what each seller delivers, from the observation's seed."""
    settings, firms = world.settings, world.firms
    rng = stream(settings.observation_seed, "deliveries")
    never = world.timeline.weeks + 1
    late = np.where(rng.random(firms.count) < 0.10, rng.gamma(2.0, 18.0, firms.count), 0.0).astype(np.int64)
    withheld, reluctance = withheld_sources(world), _reluctance(firms)
    is_thin = rng.random(firms.count) < _thin_chance(world, reluctance)
    late = np.where(is_thin, late + rng.integers(8, 40, firms.count), late)
    first: dict[str, NDArray[np.int64]] = {}
    for source in SELLER_SOURCES:
        has = rng.random(firms.count) < _HAVE[source]
        chance = settings.observation.refusal_share * _REFUSED[source] * reluctance
        is_open = has & _trades_there(firms, source) & (rng.random(firms.count) >= chance) & (withheld != source)
        is_open &= ~is_thin | (source in _PLATFORM_STATEMENTS)
        start = np.maximum(firms.entry_week, firms.site_week) if source.startswith("shop") else firms.entry_week
        first[source] = np.where(is_open & (start + late < world.closed_week), start + late, never)
    first["shop_traffic"] = np.where(first["shopify_orders"] < never, first["shop_traffic"], never)
    return Observation(
        first_week=first, delivery_lag_days=rng.integers(0, 6, firms.count),
        delivery_second=rng.integers(0, 86_400, firms.count), names=observe_names(world),
    )  # fmt: skip


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = (values - values.mean()) / max(float(values.std()), 1e-9)
    return scaled


def _reluctance(firms: Firms) -> NDArray[np.float64]:
    """Return a factor on refusals, 1 on average and higher for sellers with something to hide, shape (sellers,).

    It rises with thin margins, no backing, appetite for debt, low quality and low honesty: owners know their firms
    before lenders do.
    """
    costs = firms.goods_cost_share + firms.fixed_cost_share + firms.advertising_share + firms.refund_share
    weakness = _standardised(costs) - _standardised(firms.backing) + _standardised(np.log(firms.appetite))
    weakness -= 0.7 * _standardised(firms.quality) + 0.5 * _standardised(firms.honesty)
    factor = np.exp(_RELUCTANCE * weakness)
    scaled: NDArray[np.float64] = factor / factor.mean()
    return scaled


def _thin_chance(world: World, reluctance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance of a thin file, three times as high within half a year of foundation, shape (sellers,)."""
    is_young = 7 * world.firms.entry_week - world.firms.founded_day < _YOUNG_DAYS
    return world.settings.observation.thin_file_share * np.where(is_young, 1.5, 0.5) * reluctance


def _trades_there(firms: Firms, source: str) -> NDArray[np.bool_]:
    """Return which sellers have an account at the source; web shops are left to their opening week."""
    if source == "amazon_settlement_v2":
        return firms.has_marketplace
    modes = {"shein_report": "full hosted", "shein_statement": "semi hosted"}
    if source not in modes:
        return np.ones(firms.count, dtype=bool)
    is_hosted: NDArray[np.bool_] = firms.hosted_mode == HOSTED_MODES.index(modes[source])
    return is_hosted


def booking_lag_days(world: World, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the days until a lender books a payment: 0 to 5, mostly 0 or 1."""
    chance = unit_interval(scatter(world.settings.observation_seed, "booking", numbers))
    return np.searchsorted(np.array([0.45, 0.75, 0.88, 0.94, 0.98]), chance, side="right").astype(np.int64)


def is_dirty(world: World, name: str, keys: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Return which rows (or files) of a source get a planted defect."""
    return unit_interval(scatter(world.settings.observation_seed, name, keys)) < share
