"""Shared parts of the sources of ``site_order``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.source_mapping import MappingContext, Tables, canonical_table
from data_contracts.privacy import keyed_pseudonyms

if TYPE_CHECKING:
    import pyarrow as pa

_USD_OF = {"total_usd": "total_amount", "refunded_usd": "refunded_amount", "discount_usd": "discount_amount"}


def site_order_table(mapped: pa.Table, customer: str, context: MappingContext) -> Tables:
    """Convert mapped columns to the canonical table ``site_order``.

    The text column ``customer`` becomes the keyed pseudonym ``customer_id``.
    """
    pseudonyms = keyed_pseudonyms(mapped[customer], context.hmac_key, "customer")
    mapped = mapped.append_column("customer_id", pseudonyms)
    return {"site_order": canonical_table("site_order", mapped, context, _USD_OF)}
