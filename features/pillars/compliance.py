"""Compliance: fines, customs regimes and the discipline of invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.pillars.quantities import share
from features.record import DerivedFeature, Feature

if TYPE_CHECKING:
    from features.record import FeatureRecord

_NO_SALES = "The settlements were not delivered for the window, or hold no sales in it."
_NO_ITEMS = "The customs declarations were not delivered for the window, or there were none."

RECORDS: tuple[FeatureRecord, ...] = (
    DerivedFeature(
        name="penalty_share_365d",
        pillar="compliance",
        family="penalties",
        expression=share("penalties_365d", "platform_sales_365d"),
        unit="share",
        direction=1,
        title_en="Fines by platforms, share of sales",
        title_zh="平台罚款占销售比例",
        description="Fines over gross sales of the last 365 days.",
        missing=_NO_SALES,
        reference="Zhang 2025 §4, compliance turning into credit risk",
        stops_with_trading=True,
    ),
    Feature(
        name="penalty_count_365d",
        pillar="compliance",
        family="penalties",
        table="money_event",
        aggregate="count",
        where="event_type = 'penalty'",
        window_days=365,
        unit="count",
        direction=1,
        title_en="Fines by platforms",
        title_zh="平台罚款次数",
        description="Fines booked in the last 365 days.",
        missing="The settlements were not delivered for the window.",
        reference="Zhang 2025 §4, compliance turning into credit risk",
        stops_with_trading=True,
    ),
    Feature(
        name="supervision_mode_count_365d",
        pillar="compliance",
        family="customs_regimes",
        table="export_declaration",
        aggregate="count_distinct",
        key="supervision_mode",
        window_days=365,
        unit="count",
        direction=1,
        title_en="Customs regimes used",
        title_zh="使用的海关监管方式数",
        description="Distinct supervision modes declared in the last 365 days: changing regimes is harder to follow.",
        missing="The customs declarations were not delivered for the window.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="declared_ecommerce_share_365d",
        pillar="compliance",
        family="customs_regimes",
        expression=share("declared_ecommerce_365d", "declared_365d"),
        unit="share",
        direction=-1,
        title_en="Exports under e-commerce regimes",
        title_zh="跨境电商监管方式出口占比",
        description="Amount declared under 1210, 9610, 9710 and 9810 of all declared in the last 365 days: traceable "
        "to single orders or stores.",
        missing=_NO_ITEMS,
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="declared_unnamed_share_365d",
        pillar="compliance",
        family="customs_parties",
        expression=share("declared_unnamed_365d", "declared_365d"),
        unit="share",
        direction=1,
        title_en="Exports to no named consignee",
        title_zh="未列名收货人出口占比",
        description="Amount declared to order or without a named consignee, of all declared in the last 365 days.",
        missing=_NO_ITEMS,
        stops_with_trading=True,
    ),
    Feature(
        name="customs_office_count_365d",
        pillar="compliance",
        family="customs_parties",
        table="export_declaration",
        aggregate="count_distinct",
        key="customs_office",
        window_days=365,
        unit="count",
        direction=1,
        title_en="Customs offices used",
        title_zh="使用的申报海关数",
        description="Distinct customs offices declared at in the last 365 days.",
        missing="The customs declarations were not delivered for the window.",
        stops_with_trading=True,
    ),
    DerivedFeature(
        name="purchase_void_share_365d",
        pillar="compliance",
        family="invoice_discipline",
        expression=share("purchase_void_invoices_365d", "purchase_invoices_365d"),
        unit="share",
        direction=1,
        title_en="Void invoices among purchases",
        title_zh="采购作废发票占比",
        description="Void invoices of all invoices received in the last 365 days.",
        missing="The invoices were not delivered for the window, or hold no purchase.",
        stops_with_trading=True,
    ),
)
