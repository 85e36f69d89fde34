"""Platform dependence: reliance on one platform or marketplace and on its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.formulas import SALE, share
from features.record import DerivedFeature, Feature

if TYPE_CHECKING:
    from features.record import FeatureRecord

_NO_SALES = "Settlement reports were not delivered for the window, or contain no sale."
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
        title_en="Largest marketplace's share of platform sales",
        title_zh="最大站点销售占比",
        description="Gross sales on the largest marketplace as a share of all platform sales in the last 365 days.",
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
        title_en="Largest platform's share of platform sales",
        title_zh="最大平台销售占比",
        description="Gross sales on the largest platform as a share of all platform sales in the last 365 days.",
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
        title_en="Number of platform stores",
        title_zh="平台店铺数",
        description="Distinct stores with a sale in the last 365 days.",
        missing="Settlement reports were not delivered for the window.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="own_site_share_365d",
        pillar="platform_dependence",
        family="own_channel",
        expression="site_sales_365d / NULLIF(site_sales_365d + platform_sales_365d, 0)",
        unit="share",
        direction=-1,
        title_en="Own-shop share of sales",
        title_zh="独立站销售占比",
        description="Own-shop sales divided by own-shop and platform sales of the last 365 days.",
        missing="Settlement reports or own-shop orders were not delivered for the window, or nothing was sold; a "
        "seller without a web shop has no own-shop orders.",
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
        title_en="Storage fees as a share of platform sales",
        title_zh="平台仓储费占销售额比例",
        description="Fees for stock in platform warehouses divided by gross sales of the last 180 days: stock tied to "
        "one platform.",
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
        title_en="Rise in platform fee rate, last 6 months vs previous 6",
        title_zh="近6个月平台费率环比升幅",
        description="Platform fees as a share of sales in the last 180 days, minus the same share in the 180 days "
        "before.",
        missing="Settlement reports were not delivered for 360 days, or one half-year has no sales.",
        reference="Zhang 2025 §4, one-sided changes of rules",
        stops_with_trading=True,
    ),
)
