"""The sellers: fixed attributes, entry dates, and hidden attributes that no source shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.catalogue import (
    CATEGORIES,
    CITIES,
    FIRM_KIND_WEIGHTS,
    FIRM_KINDS,
    HOSTED_MODE_WEIGHTS,
    HOSTED_MODES,
    MARKET_WEIGHTS,
    MARKETS,
    SUPERVISION_WEIGHTS,
)
from simulator.population.network import Network, draw_network
from simulator.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.settings import WorldSettings
    from simulator.timeline import Timeline

# Factor on the category's goods cost by kind of firm: factories buy cheaply, brands sell at higher prices.
_GOODS_COST_BY_KIND = (0.96, 1.03, 0.98)
_ONLY_HOSTED = 0.4  # share of full hosted sellers without a marketplace account
_HOSTED_FIXED_COST_SAVED = 0.52  # share of fixed costs saved: no staff for listing, service or advertising


@dataclass(frozen=True)
class Firms:
    """Fixed attributes of the sellers; every array has shape (sellers,). Money in account currency unless noted.

    Attributes:
        entry_week: First week of sales; sellers older than the world enter in week 0.
        founded_day: Days from the world's first day to the company's registration (negative = before).
        kind: Index into ``FIRM_KINDS``.
        region: Index into ``CITIES``.
        category: Index into ``CATEGORIES``.
        market: Index into ``MARKETS``.
        quality: Hidden quality at entry, standard normal, correlated within control groups.
        honesty: Hidden honesty, standard normal.
        discipline: Hidden cash discipline: weeks of outflow kept before the owner withdraws cash.
        optimism: Hidden factor on stock orders.
        appetite: Hidden factor on borrowing.
        backing: Hidden outside wealth of the owner, 0 to 1; it makes a rescue likelier.
        other_share: Hidden size of the owner's other business over marketplace sales at entry.
        is_forgetful: Whether instalments are often paid late although there is cash.
        log_level: Log weekly demand at entry.
        goods_cost_share: Hidden goods cost over sales.
        refund_share: Refunds over sales at the seller's quality at entry.
        advertising_share: Advertising over sales.
        fixed_cost_share: Payroll and rent over expected sales at entry.
        hosted_mode: Index into ``HOSTED_MODES``.
        hosted_share: Share of demand served through the hosted platform; 1 = no marketplace account of its own.
        hosted_price_share: Supply price of the hosted platform at entry over the retail price.
        settlement_weeks: Weeks from a hosted report to its payout, in quiet times.
        noise_sd: Standard deviation of weekly demand noise.
        unit_price: Mean unit price.
        is_fulfilled_by_market: Whether the marketplace stores and ships (AFN) or the seller (MFN).
        site_week: Week in which the own site opens; past the world's end for none.
        site_share: Own-site sales over marketplace sales once the site has grown.
        site_basket: Mean own-site order value.
        site_repurchase: Probability that an own-site order comes from an earlier buyer, at quality 0.
        supervision: Index into ``SUPERVISION_MODES``.
        entry_cash_weeks: Cash at entry, in weeks of outflow.
        supplier_credit_weeks: Weeks from finished goods to the balance payment.
        is_brusher: Whether the seller is ready to fake own-site orders.
        is_withholder: Whether the seller withholds its worse source.
        takes_advances: Whether the seller takes advances of the marketplace.
    """

    entry_week: NDArray[np.int64]
    founded_day: NDArray[np.int64]
    kind: NDArray[np.int64]
    region: NDArray[np.int64]
    category: NDArray[np.int64]
    market: NDArray[np.int64]
    quality: NDArray[np.float64]
    honesty: NDArray[np.float64]
    discipline: NDArray[np.float64]
    optimism: NDArray[np.float64]
    appetite: NDArray[np.float64]
    backing: NDArray[np.float64]
    other_share: NDArray[np.float64]
    is_forgetful: NDArray[np.bool_]
    log_level: NDArray[np.float64]
    goods_cost_share: NDArray[np.float64]
    refund_share: NDArray[np.float64]
    advertising_share: NDArray[np.float64]
    fixed_cost_share: NDArray[np.float64]
    hosted_mode: NDArray[np.int64]
    hosted_share: NDArray[np.float64]
    hosted_price_share: NDArray[np.float64]
    settlement_weeks: NDArray[np.int64]
    noise_sd: NDArray[np.float64]
    unit_price: NDArray[np.float64]
    is_fulfilled_by_market: NDArray[np.bool_]
    site_week: NDArray[np.int64]
    site_share: NDArray[np.float64]
    site_basket: NDArray[np.float64]
    site_repurchase: NDArray[np.float64]
    supervision: NDArray[np.int64]
    entry_cash_weeks: NDArray[np.float64]
    supplier_credit_weeks: NDArray[np.int64]
    is_brusher: NDArray[np.bool_]
    is_withholder: NDArray[np.bool_]
    takes_advances: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of sellers."""
        return len(self.entry_week)

    @property
    def is_euro(self) -> NDArray[np.bool_]:
        """Whether the account currency is the euro, shape (sellers,)."""
        return np.array([m.currency == "EUR" for m in MARKETS])[self.market]

    @property
    def has_marketplace(self) -> NDArray[np.bool_]:
        """Whether the seller runs a marketplace account of its own, shape (sellers,)."""
        return self.hosted_share < 1

    @property
    def full_hosted_share(self) -> NDArray[np.float64]:
        """Share of demand served through a full hosted platform, shape (sellers,)."""
        return np.where(self.hosted_mode == HOSTED_MODES.index("full hosted"), self.hosted_share, 0.0)

    @property
    def revenue_share(self) -> NDArray[np.float64]:
        """Revenue over the retail price of all sales, at entry prices, shape (sellers,)."""
        paid: NDArray[np.float64] = 1 - self.hosted_share * (1 - self.hosted_price_share)
        return paid


def _correlated(network: Network, correlation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw standard normal numbers that are equally correlated within control groups."""
    own = rng.standard_normal(len(network.group))
    shared = rng.standard_normal(len(network.group_ties) + 1)[network.group]
    mixed = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return np.where(network.group >= 0, mixed, own)


def _entries(
    settings: WorldSettings, weeks: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw entry weeks and registration days; over a third of the sellers are older than the world."""
    count = settings.seller_count
    entry = np.floor(rng.random(count) ** 1.15 * weeks * 0.74).astype(np.int64)
    is_old = rng.random(count) < 0.38
    entry[is_old] = 0
    age_days = np.where(is_old, rng.gamma(2.0, 500.0, count), rng.gamma(1.5, 160.0, count)).astype(np.int64) + 30
    return entry, entry * 7 - age_days


def _costs(
    settings: WorldSettings,
    category: NDArray[np.int64],
    kind: NDArray[np.int64],
    characters: dict[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Draw cost shares: category means, hidden firm effects, and a noisy effect of quality."""
    economy, count, quality = settings.economy, len(category), characters["quality"]
    goods = np.array([c.goods_cost_share for c in CATEGORIES])[category]
    refunds = np.array([c.refund_share for c in CATEGORIES])[category]
    goods = goods * np.array(_GOODS_COST_BY_KIND)[kind]
    return {
        "goods_cost_share": np.clip(goods + economy.margin_sd * characters.pop("waste"), 0.12, 0.55),
        "refund_share": np.clip(refunds * np.exp(0.22 * rng.standard_normal(count) - 0.40 * quality), 0.005, 0.30),
        "advertising_share": np.clip(0.085 * np.exp(0.48 * rng.standard_normal(count) - 0.20 * quality), 0.01, 0.25),
        "fixed_cost_share": np.clip(economy.fixed_cost_share + 0.02 * rng.standard_normal(count), 0.03, 0.2),
        "noise_sd": economy.weekly_noise_sd * np.exp(0.35 * rng.standard_normal(count)),
    }


def _hosting(kind: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Any]:
    """Draw how much each firm sells through a hosted platform, the supply price and the settlement term."""
    count, draw = len(kind), rng.random(len(kind))
    limits = np.cumsum(np.array(HOSTED_MODE_WEIGHTS), axis=1)[kind]
    mode = (draw[:, None] >= limits[:, :-1]).sum(axis=1)
    is_full = mode == HOSTED_MODES.index("full hosted")
    part = np.where(is_full, 0.25 + 0.65 * rng.beta(2.0, 1.6, count), 0.15 + 0.5 * rng.beta(2.0, 2.0, count))
    share = np.where(is_full & (rng.random(count) < _ONLY_HOSTED), 1.0, part)
    weeks = np.where(is_full, rng.integers(6, 10, count), rng.integers(3, 6, count))
    price = np.where(is_full, 0.448, 0.79) * np.exp(0.035 * rng.standard_normal(count))
    return {
        "hosted_mode": mode,
        "hosted_share": np.where(mode == 0, 0.0, share),
        "hosted_price_share": np.where(mode == 0, 1.0, price),
        "settlement_weeks": np.where(mode == 0, 0, weeks),
    }


def _characters(network: Network, settings: WorldSettings, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Draw the hidden attributes: quality, honesty, discipline, optimism, appetite and others."""
    correlation, count = settings.network.quality_correlation, settings.seller_count
    return {
        "quality": _correlated(network, correlation, rng),
        "honesty": _correlated(network, correlation, rng),
        "waste": _correlated(network, correlation, rng),
        "discipline": np.clip(np.exp(1.50 + 0.45 * _correlated(network, correlation, rng)), 1.5, 16.0),
        "optimism": np.exp(0.05 + 0.16 * rng.standard_normal(count)),
        "appetite": np.exp(0.45 * rng.standard_normal(count)),
        "backing": rng.beta(0.8, 1.0, count),
        "other_share": rng.gamma(0.6, settings.economy.other_business_share / 0.6, count),
        "log_level": np.log(settings.economy.median_annual_sales / 52)
        + settings.economy.log_size_sd * rng.standard_normal(count),
        "entry_cash_weeks": np.exp(1.75 + 0.5 * rng.standard_normal(count)),
    }


def _site(
    entry: NDArray[np.int64], log_level: NDArray[np.float64], weeks: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Draw the own web shops of nearly half of the sellers, some opened long after entry.

    Shops differ in how often they sell: many small baskets to returning buyers, or few large ones.
    """
    count = len(entry)
    pace = rng.standard_normal(count)
    share = np.clip(rng.gamma(1.6, 0.07, count), 0.01, 0.6)
    orders_a_week = np.clip(np.exp(0.7 * pace - 0.50), 0.08, 4.0)
    has_site = rng.random(count) < 0.48
    wait = np.where(rng.random(count) < 0.68, 0.0, rng.gamma(2.0, 26.0, count))
    return {
        "site_week": np.where(has_site, entry + wait, weeks + 1),
        "site_share": share,
        "site_basket": np.maximum(np.exp(log_level) * share / orders_a_week, 18.0),
        "site_repurchase": np.clip(rng.beta(2.2, 5.0, count) * np.exp(0.2 * pace), 0.02, 0.85),
    }


def _takers(
    settings: WorldSettings, hosted_share: NDArray[np.float64], appetite: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Draw who takes advances of the marketplace: sellers with an account, more of those with an appetite for debt."""
    chance = stream(settings.seed, "advances").random(len(appetite))
    takes: NDArray[np.bool_] = (hosted_share < 1) & (chance < settings.credit.advance_share * appetite)
    return takes


def draw_firms(settings: WorldSettings, timeline: Timeline) -> tuple[Firms, Network]:
    """Draw the sellers and their relations from the world's seed."""
    rng = stream(settings.seed, "firms")
    count = settings.seller_count
    category = rng.integers(0, len(CATEGORIES), count)
    network = draw_network(settings, category)
    entry, founded = _entries(settings, timeline.weeks, rng)
    characters = _characters(network, settings, rng)
    kind = rng.choice(len(FIRM_KINDS), count, p=FIRM_KIND_WEIGHTS)
    hosting = _hosting(kind, rng)
    is_full = hosting["hosted_mode"] == HOSTED_MODES.index("full hosted")
    costs = _costs(settings, category, kind, characters, rng)
    costs["fixed_cost_share"] *= 1 - _HOSTED_FIXED_COST_SAVED * hosting["hosted_share"] * is_full
    site = _site(entry, characters["log_level"], timeline.weeks, rng)
    prices = np.array([c.unit_price for c in CATEGORIES])[category]
    has_site = site["site_week"] <= timeline.weeks
    dishonest = characters["honesty"] < np.quantile(characters["honesty"], 0.3)
    fraud = settings.fraud
    return Firms(
        entry_week=entry,
        founded_day=founded,
        kind=kind,
        region=rng.integers(0, len(CITIES), count),
        category=category,
        market=rng.choice(len(MARKETS), count, p=MARKET_WEIGHTS),
        is_forgetful=rng.random(count) < settings.credit.forgetful_share,
        unit_price=prices * np.exp(0.35 * rng.standard_normal(count)),
        is_fulfilled_by_market=rng.random(count) < 0.68,
        supervision=rng.choice(len(SUPERVISION_WEIGHTS), count, p=SUPERVISION_WEIGHTS),
        supplier_credit_weeks=rng.choice((0, 4, 6, 8), count, p=(0.40, 0.25, 0.20, 0.15)),
        hosted_mode=hosting["hosted_mode"],
        hosted_share=hosting["hosted_share"],
        hosted_price_share=hosting["hosted_price_share"],
        settlement_weeks=hosting["settlement_weeks"],
        is_brusher=has_site & dishonest & (rng.random(count) < fraud.brusher_share / 0.3),
        is_withholder=dishonest & (rng.random(count) < fraud.withholder_share / 0.3),
        takes_advances=_takers(settings, hosting["hosted_share"], characters["appetite"]),
        site_week=site.pop("site_week").astype(np.int64),
        **characters,
        **costs,
        **site,
    ), network
