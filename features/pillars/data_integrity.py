"""Data integrity: whether the records agree with each other and look like real trade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.formulas import share
from features.record import DerivedFeature, Feature

if TYPE_CHECKING:
    from features.record import FeatureRecord

_NO_ORDERS = "Own-shop orders were not delivered for the window, or there were none."
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
        title_en="Declared exports in excess of sales",
        title_zh="报关额超出销售额的比例",
        description="Declared amount divided by all sales of the last 365 days, minus 1; 0 when no more was declared "
        "than sold.",
        missing="Customs declarations or settlement reports were not delivered for the window, or nothing was sold.",
        reference="common practice: cross-checks of customs, platform and invoice records",
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
        title_en="Shift in the ratio of declared exports to sales",
        title_zh="报关额与销售额之比的异动",
        description="Absolute log change in the ratio of declared amount to platform sales, from the previous 180 days "
        "to the last 180 days.",
        missing="Customs declarations or settlement reports were not delivered for 360 days, or one half-year has "
        "none.",
        reference="common practice: cross-checks of customs, platform and invoice records",
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
        title_en="Gap between purchases and declared exports",
        title_zh="采购额与报关额的偏离度",
        description="Absolute log ratio of net purchases to declared amount in the last 365 days.",
        missing="Invoices or customs declarations were not delivered for the window, or there were none.",
        reference="common practice: cross-checks of customs, platform and invoice records",
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
        title_en="Number of data sources not delivered",
        title_zh="缺失数据来源数",
        description="How many of five sources were not delivered for the last 365 days: settlement reports, own-shop "
        "orders, own-shop traffic, invoices, customs declarations.",
        missing="Never missing.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="undelivered_account_count",
        pillar="data_integrity",
        family="undelivered_accounts",
        expression="CASE WHEN account_witnesses_365d > 0 "
        "THEN GREATEST(undelivered_accounts_365d, undelivered_unnamed_accounts_365d) END",
        unit="count",
        direction=1,
        title_en="Platform accounts seen but not delivered",
        title_zh="已发现但未提供数据的平台账户数",
        description="Platform accounts and own shops that consents, logins, receivables, bank credits, account health, "
        "reviews or shop traffic of the last 365 days show, although no payouts or orders of that time were "
        "delivered for them. What was first seen in the last 45 days does not count yet.",
        missing="Nothing that could show an account was delivered for the window.",
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
        title_en="Most orders by one customer in a day",
        title_zh="单一客户单日最多下单数",
        description="Largest number of orders by one customer on one day in the last 365 days.",
        missing=_NO_ORDERS,
        reference="Shopee 2020, rule against brushing by buyer and hour; here by buyer and day",
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
        title_en="Largest customer's share of own-shop orders",
        title_zh="独立站最大客户订单占比",
        description="Orders of the largest customer as a share of all orders in the last 365 days.",
        missing=_NO_ORDERS,
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="late_row_share_365d",
        pillar="data_integrity",
        family="evidence",
        expression=share("ledger_late_rows_365d", "ledger_rows_365d"),
        unit="share",
        direction=1,
        title_en="Share of settlement rows reported late",
        title_zh="结算流水迟报占比",
        description="Share of the settlement rows of the last 365 days that became known more than 60 days after the "
        "event.",
        missing="Settlement reports were not delivered for the window, or are empty.",
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
        title_en="Share of purchase invoices with round amounts",
        title_zh="整数金额进项发票占比",
        description="Share of valid purchase invoices in the last 365 days whose amount before tax is a whole multiple "
        "of 1,000.",
        missing="Invoices were not delivered for the window, or contain no valid purchase.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="invoice_round_share",
        pillar="data_integrity",
        family="invoice_fabrication",
        expression=share("sale_round_invoices_all", "sale_valid_invoices_all"),
        unit="share",
        direction=1,
        title_en="Share of sales invoices with round amounts",
        title_zh="整数金额销项发票占比",
        description="Share of valid sales invoices whose amount before tax is a whole multiple of 1,000.",
        missing="Invoices were not delivered up to the date, or contain no valid sale.",
    ),
)
