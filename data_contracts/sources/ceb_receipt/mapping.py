"""Map receipts of order payments, as filed with customs, to ``export_document``."""

from __future__ import annotations

from data_contracts.mapping.export_documents import Message, message_mapping

MAPPING = message_mapping(
    Message(
        source="ceb_receipt",
        kind="receipt",
        identity="""concat_ws(
            ':', platform_code, order_number, coalesce(payment_number, strftime(paid_at, '%Y%m%d%H%M%S'))
        )""",
        columns="""
            any_value(coalesce(payment_number, order_number)) AS document_number,
            any_value(order_number) AS order_number,
            any_value(platform_code) AS platform_code,
            any_value(paid_amount) AS amount,
            CAST(any_value(paid_at) + to_hours(8) AS DATE) AS event_date
        """,
        happened="paid_at",
    )
)
