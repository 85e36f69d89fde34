"""Platform dependence: how much hangs on one platform, one marketplace and their terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.pillars.parts import SALE
from features.pillars.quantities import share
from features.record import DerivedFeature, Feature

if TYPE_CHECKING:
    from features.record import FeatureRecord

_NO_SALES = "The settlements were not delivered for the window, or hold no sales in it."

RECORDS: tuple[FeatureRecord, ...] = (
    Feature(
        name="marketplace_top_share_365d",
        pillar="platform_dependence",
        family="channels",
        table="money_event",
        aggregate="top_share",
        value="amount_usd",
        where=SALE,
        key="marketplace",
        window_days=365,
        unit="share",
        direction=1,
        title_en="Share of the largest marketplace",
        title_zh="最大站点销售占比",
        description="Gross sales of the marketplace that sells most, of all on platforms in the last 365 days.",
        missing=_NO_SALES,
        reference="Zhang 2025 §5.4, hosted share at most 60 %",
        stops_with_trading=True,
    ),
    Feature(
        name="platform_top_share_365d",
        pillar="platform_dependence",
        family="channels",
        table="money_event",
        aggregate="top_share",
        value="amount_usd",
        where=SALE,
        key="platform",
        window_days=365,
        unit="share",
        direction=1,
        title_en="Share of the largest platform",
        title_zh="最大平台销售占比",
        description="Gross sales of the platform that sells most, of all platforms in the last 365 days.",
        missing=_NO_SALES,
        reference="Zhang 2025 §5.4, hosted share at most 60 %",
        stops_with_trading=True,
    ),
    Feature(
        name="store_count_365d",
        pillar="platform_dependence",
        family="channels",
        table="money_event",
        aggregate="count_distinct",
        where=SALE,
        key="store_id",
        window_days=365,
        unit="count",
        direction=-1,
        title_en="Stores on platforms",
        title_zh="平台店铺数",
        description="Distinct stores with a sale in the last 365 days.",
        missing="The settlements were not delivered for the window.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="own_site_share_365d",
        pillar="platform_dependence",
        family="own_channel",
        expression="site_sales_365d / NULLIF(site_sales_365d + platform_sales_365d, 0)",
        unit="share",
        direction=-1,
        title_en="Share of the own site in sales",
        title_zh="独立站销售占比",
        description="Own-site sales over own-site and platform sales of the last 365 days.",
        missing="Settlements or own-site orders were not delivered for the window, or nothing was sold; a seller "
        "without a site has none.",
        reference="Zhang 2025 §5.4, hosted share at most 60 %",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="storage_fee_share_180d",
        pillar="platform_dependence",
        family="platform_terms",
        expression=share("storage_fees_180d", "platform_sales_180d"),
        unit="share",
        direction=1,
        title_en="Storage fees of platforms, share of sales",
        title_zh="平台仓储费占销售比例",
        description="Fees for stock in the platform's store over gross sales of the last 180 days: stock bound to one"
        " platform.",
        missing=_NO_SALES,
        reference="Zhang 2025 §4, stock risk",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="platform_fee_rise_180d",
        pillar="platform_dependence",
        family="platform_terms",
        expression="CASE WHEN platform_sales_180d > 0 AND platform_sales_360d - platform_sales_180d > 0 "
        "THEN platform_fees_180d / platform_sales_180d - (platform_fees_360d - platform_fees_180d) "
        "/ (platform_sales_360d - platform_sales_180d) END",
        unit="share",
        direction=1,
        title_en="Rise of platform fees against the half-year before",
        title_zh="平台费率较前半年的上升",
        description="Fee share of the last 180 days less that of the 180 days before.",
        missing="The settlements were not delivered for 360 days, or a half-year has no sales.",
        reference="Zhang 2025 §4, one-sided changes of rules",
        stops_with_trading=True,
    ),
)
