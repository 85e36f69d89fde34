"""Map parcel waybills, as filed with customs, to ``export_document``."""

from __future__ import annotations

from data_contracts.mapping.export_documents import SENT_ON, Message, message_mapping

MAPPING = message_mapping(
    Message(
        source="ceb_waybill",
        kind="waybill",
        identity="concat_ws(':', carrier_code, waybill_number)",
        columns=f"""
            any_value(waybill_number) AS document_number,
            any_value(waybill_number) AS waybill_number,
            any_value(carrier_code) AS carrier_code,
            CAST(NULL AS DECIMAL(18, 4)) AS amount,
            any_value(freight + coalesce(insurance, 0)) AS freight_amount,
            any_value(gross_weight) AS gross_weight_kg,
            {SENT_ON} AS event_date
        """,
    )
)
