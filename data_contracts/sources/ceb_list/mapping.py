"""Map lists of exported goods, as filed with customs, to ``export_document``."""

from __future__ import annotations

from data_contracts.mapping.export_documents import Message, message_mapping

MAPPING = message_mapping(
    Message(
        source="ceb_list",
        kind="list",
        identity="concat_ws(':', merchant_code, own_number)",
        columns="""
            any_value(coalesce(customs_number, own_number)) AS document_number,
            any_value(order_number) AS order_number,
            any_value(waybill_number) AS waybill_number,
            any_value(customs_number) AS list_number,
            any_value(platform_code) AS platform_code,
            any_value(carrier_code) AS carrier_code,
            any_value(supervision) AS supervision_mode,
            any_value(declared_how) = 'B' AS is_summed_later,
            CAST(sum(item_value) AS DECIMAL(18, 4)) AS amount,
            any_value(freight) AS freight_amount,
            any_value(gross_weight) AS gross_weight_kg,
            any_value(exported_on) AS event_date
        """,
        happened="exported_on",
        has_items=True,
    )
)
