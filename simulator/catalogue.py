"""Fixed vocabulary of the world: product categories, marketplaces, customs offices. Sizes are invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """A product category: HS codes (10 digits), cost, return and season character."""

    name: str
    name_zh: str
    commodity_codes: tuple[str, ...]
    unit_price: float  # account currency
    goods_cost_share: float  # landed goods cost over sales
    refund_share: float
    peak: float  # strength of the year-end peak
    summer: float  # strength of the summer peak (negative: winter goods)
    kg_per_unit: float
    tariff_sensitive: bool


CATEGORIES: tuple[Category, ...] = (
    Category("consumer electronics", "消费电子", ("8518300090", "8504401990", "8517799000"), 32.0, 0.33, 0.060, 0.55, 0.0, 0.35, True),
    Category("apparel", "服装", ("6110300090", "6204430090", "6109100010"), 24.0, 0.27, 0.110, 0.30, 0.10, 0.40, False),
    Category("home and kitchen", "家居厨具", ("7323930000", "3924100000", "9404904000"), 29.0, 0.31, 0.050, 0.35, 0.0, 1.30, True),
    Category("toys", "玩具", ("9503008900", "9503006000", "9504500090"), 21.0, 0.29, 0.040, 0.95, 0.0, 0.60, False),
    Category("garden", "园艺", ("8201300090", "9405410000", "3926909090"), 38.0, 0.32, 0.045, 0.0, 0.45, 2.20, True),
    Category("sports", "运动户外", ("9506919000", "6307900090", "4202920000"), 34.0, 0.31, 0.050, 0.20, 0.25, 1.10, False),
    Category("beauty", "美妆个护", ("3304990099", "8510100000", "9615110000"), 18.0, 0.26, 0.030, 0.30, 0.0, 0.25, False),
    Category("auto parts", "汽车配件", ("8708999990", "8512209000", "4016991090"), 41.0, 0.34, 0.060, 0.05, 0.05, 1.80, True),
)


@dataclass(frozen=True)
class Market:
    """A marketplace: its report name, account currency, country codes and shop clock."""

    name: str
    currency: str
    country: str
    country3: str
    shop_offset: str
    shop_offset_hours: int
    order_prefix: int


MARKETS: tuple[Market, ...] = (
    Market("Amazon.com", "USD", "US", "USA", "-0500", -5, 111),
    Market("Amazon.de", "EUR", "DE", "DEU", "+0100", 1, 302),
    Market("Amazon.fr", "EUR", "FR", "FRA", "+0100", 1, 402),
    Market("Amazon.it", "EUR", "IT", "ITA", "+0100", 1, 403),
    Market("Amazon.es", "EUR", "ES", "ESP", "+0100", 1, 404),
)
MARKET_WEIGHTS: tuple[float, ...] = (0.68, 0.16, 0.06, 0.05, 0.05)

CUSTOMS_OFFICES: tuple[str, ...] = ("5301", "5316", "2248", "3104", "5130", "3701", "2210", "4601")
SUPERVISION_MODES: tuple[str, ...] = ("0110", "9710", "9810", "1039", "9610", "1210")
SUPERVISION_WEIGHTS: tuple[float, ...] = (0.40, 0.15, 0.30, 0.06, 0.06, 0.03)

CITIES: tuple[str, ...] = ("深圳", "广州", "义乌", "杭州", "宁波", "厦门", "青岛", "东莞", "泉州", "郑州")
