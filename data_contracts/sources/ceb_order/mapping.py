"""Map cross-border e-commerce orders, as filed with customs, to ``export_document``."""

from __future__ import annotations

from data_contracts.mapping.export_documents import SENT_ON, Message, message_mapping

MAPPING = message_mapping(
    Message(
        source="ceb_order",
        kind="order",
        identity="concat_ws(':', platform_code, order_number)",
        columns=f"""
            any_value(order_number) AS document_number,
            any_value(order_number) AS order_number,
            any_value(platform_code) AS platform_code,
            any_value(goods_value) AS amount,
            any_value(freight) AS freight_amount,
            {SENT_ON} AS event_date
        """,
        has_items=True,
    )
)
