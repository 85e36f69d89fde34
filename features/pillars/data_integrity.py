"""Data integrity: do the records agree with each other, and do they look like trade that happened?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.pillars.quantities import share
from features.record import DerivedFeature, Feature

if TYPE_CHECKING:
    from features.record import FeatureRecord


RECORDS: tuple[FeatureRecord, ...] = (
    DerivedFeature(
        name="declared_over_sales_365d",
        pillar="data_integrity",
        family="triangulation",
        expression="CASE WHEN declared_365d IS NOT NULL AND platform_sales_365d + COALESCE(site_sales_365d, 0) > 0 "
        "THEN GREATEST("
        "declared_365d / (platform_sales_365d + COALESCE(site_sales_365d, 0)) - 1, 0) END",
        handles_missing=True,
        unit="ratio",
        direction=1,
        title_en="Exports declared beyond what was sold",
        title_zh="报关额超出销售额的部分",
        description="Declared amount over all sales of the last 365 days, as far as it exceeds 1: more declared than "
        "was ever sold.",
        missing="Declarations or settlements were not delivered for the window, or nothing was sold.",
        reference="common practice: customs, platform and invoice records held against each other",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="customs_to_sales_drift_180d",
        pillar="data_integrity",
        family="triangulation",
        expression="CASE WHEN declared_180d > 0 AND declared_360d - declared_180d > 0 "
        "AND platform_sales_180d > 0 AND platform_sales_360d - platform_sales_180d > 0 THEN ABS(LN("
        "(declared_180d / platform_sales_180d) "
        "/ ((declared_360d - declared_180d) / (platform_sales_360d - platform_sales_180d)))) END",
        unit="ln ratio",
        direction=1,
        title_en="Change of customs against sales, either way",
        title_zh="报关与销售比例的异动",
        description="Distance, in either direction, of the ratio of declared amount to platform sales in the last 180"
        " days from that of the 180 days before.",
        missing="Declarations or settlements were not delivered for 360 days, or a half-year has none.",
        reference="common practice: customs, platform and invoice records held against each other",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="purchase_to_declared_gap_365d",
        pillar="data_integrity",
        family="triangulation",
        expression="CASE WHEN purchases_365d > 0 AND declared_365d > 0 "
        "THEN ABS(LN(purchases_365d / declared_365d)) END",
        unit="ln ratio",
        direction=1,
        title_en="Distance between purchases and declared exports",
        title_zh="采购额与报关额的偏离",
        description="Distance, in either direction, between net purchases and declared amount of the last 365 days.",
        missing="Invoices or declarations were not delivered for the window, or there were none.",
        reference="common practice: customs, platform and invoice records held against each other",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="missing_source_count_365d",
        pillar="data_integrity",
        family="evidence",
        expression="CASE WHEN ledger_rows_365d IS NULL THEN 1 ELSE 0 END + "
        "CASE WHEN site_orders_365d IS NULL THEN 1 ELSE 0 END + "
        "CASE WHEN site_days_365d IS NULL THEN 1 ELSE 0 END + "
        "CASE WHEN purchase_invoices_365d IS NULL THEN 1 ELSE 0 END + "
        "CASE WHEN declaration_rows_365d IS NULL THEN 1 ELSE 0 END",
        handles_missing=True,
        unit="count",
        direction=1,
        title_en="Kinds of records not delivered",
        title_zh="缺失的数据来源数",
        description="How many of settlements, own-site orders, own-site traffic, invoices and declarations were not "
        "delivered for the last 365 days.",
        missing="Never missing.",
        stops_with_trading=True,
    ),
    Feature(
        name="orders_per_customer_day_max_365d",
        pillar="data_integrity",
        family="brushing",
        table="site_order",
        aggregate="max_per_key",
        where="customer_id IS NOT NULL",
        key="CONCAT(customer_id, ' ', event_date)",
        window_days=365,
        unit="count",
        direction=1,
        title_en="Most orders of one customer on one day",
        title_zh="单一客户单日最多订单数",
        description="Largest number of orders of one customer on one day in the last 365 days.",
        missing="The own site's orders were not delivered for the window, or there were none.",
        reference="Shopee 2020 rule against brushing, by buyer and hour; here by buyer and day",
        stops_with_trading=True,
    ),
    Feature(
        name="customer_top_share_365d",
        pillar="data_integrity",
        family="brushing",
        table="site_order",
        aggregate="top_share",
        key="customer_id",
        window_days=365,
        unit="share",
        direction=1,
        title_en="Share of the largest customer in orders",
        title_zh="最大客户订单占比",
        description="Orders of the customer who ordered most, of all orders in the last 365 days.",
        missing="The own site's orders were not delivered for the window, or there were none.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="late_row_share_365d",
        pillar="data_integrity",
        family="evidence",
        expression=share("ledger_late_rows_365d", "ledger_rows_365d"),
        unit="share",
        direction=1,
        title_en="Ledger entries that came to be known late",
        title_zh="迟报流水占比",
        description="Ledger entries known more than 60 days after they happened, of all of the last 365 days.",
        missing="The settlements were not delivered for the window, or hold nothing in it.",
        reference="common lending practice",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="purchase_round_share_365d",
        pillar="data_integrity",
        family="fabrication",
        expression=share("purchase_round_invoices_365d", "purchase_regular_invoices_365d"),
        unit="share",
        direction=1,
        title_en="Purchase invoices of round amounts",
        title_zh="整数金额采购发票占比",
        description="Invoices over whole multiples of 1,000 before tax, of valid invoices received in the last 365 "
        "days.",
        missing="The invoices were not delivered for the window, or hold no valid purchase.",
        stops_with_trading=True,
    ),
)
