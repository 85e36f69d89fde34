"""Fixed vocabulary of the world: product categories, marketplaces and customs offices. All sizes are invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """A product category.

    Attributes:
        name: English name.
        name_zh: Chinese name, as used in customs declarations and invoices.
        commodity_codes: Three 10-digit HS codes of the category.
        unit_price: Mean unit price, account currency.
        goods_cost_share: Landed goods cost over sales.
        refund_share: Refunds over sales.
        peak: Strength of the year-end peak.
        summer: Strength of the summer peak.
        kg_per_unit: Net weight of a unit, kg.
    """

    name: str
    name_zh: str
    commodity_codes: tuple[str, ...]
    unit_price: float
    goods_cost_share: float
    refund_share: float
    peak: float
    summer: float
    kg_per_unit: float

    @property
    def hs_chapters(self) -> frozenset[str]:
        """HS chapters (first two digits) of the commodity codes."""
        return frozenset(code[:2] for code in self.commodity_codes)


CATEGORIES: tuple[Category, ...] = (
    Category(
        name="consumer electronics", name_zh="消费电子", commodity_codes=("8518300090", "8504401990", "8517799000"),
        unit_price=32.0, goods_cost_share=0.33, refund_share=0.06, peak=0.55, summer=0.0, kg_per_unit=0.35,
    ),
    Category(
        name="apparel", name_zh="服装", commodity_codes=("6110300090", "6204430090", "6109100010"),
        unit_price=24.0, goods_cost_share=0.27, refund_share=0.11, peak=0.3, summer=0.1, kg_per_unit=0.4,
    ),
    Category(
        name="home and kitchen", name_zh="家居厨具", commodity_codes=("7323930000", "3924100000", "9404904000"),
        unit_price=29.0, goods_cost_share=0.31, refund_share=0.05, peak=0.35, summer=0.0, kg_per_unit=1.3,
    ),
    Category(
        name="toys", name_zh="玩具", commodity_codes=("9503008900", "9503006000", "9504500090"),
        unit_price=21.0, goods_cost_share=0.29, refund_share=0.04, peak=0.95, summer=0.0, kg_per_unit=0.6,
    ),
    Category(
        name="garden", name_zh="园艺", commodity_codes=("8201300090", "9405410000", "3926909090"),
        unit_price=38.0, goods_cost_share=0.32, refund_share=0.045, peak=0.0, summer=0.45, kg_per_unit=2.2,
    ),
    Category(
        name="sports", name_zh="运动户外", commodity_codes=("9506919000", "6307900090", "4202920000"),
        unit_price=34.0, goods_cost_share=0.31, refund_share=0.05, peak=0.2, summer=0.25, kg_per_unit=1.1,
    ),
    Category(
        name="beauty", name_zh="美妆个护", commodity_codes=("3304990099", "8510100000", "9615110000"),
        unit_price=18.0, goods_cost_share=0.26, refund_share=0.03, peak=0.3, summer=0.0, kg_per_unit=0.25,
    ),
    Category(
        name="auto parts", name_zh="汽车配件", commodity_codes=("8708999990", "8512209000", "4016991090"),
        unit_price=41.0, goods_cost_share=0.34, refund_share=0.06, peak=0.05, summer=0.05, kg_per_unit=1.8,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Market:
    """A marketplace: name in reports, account currency, country codes and the shop's time zone."""

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

# Kinds of firms: makes goods, trades in others' goods, or sells goods of its own design under its own name.
FIRM_KINDS: tuple[str, ...] = ("factory", "trader", "product seller")
FIRM_KIND_WEIGHTS: tuple[float, ...] = (0.30, 0.32, 0.38)

# Role of a hosting platform: none; the platform sells and the seller keeps stock abroad (semi hosted); the platform
# sets the supply price, stocks, sells and delivers (full hosted). Shares by kind of firm.
HOSTED_MODES: tuple[str, ...] = ("none", "semi hosted", "full hosted")
HOSTED_MODE_WEIGHTS: tuple[tuple[float, ...], ...] = ((0.52, 0.12, 0.36), (0.62, 0.16, 0.22), (0.80, 0.13, 0.07))

CITIES: tuple[str, ...] = ("深圳", "广州", "义乌", "杭州", "宁波", "厦门", "青岛", "东莞", "泉州", "郑州")
