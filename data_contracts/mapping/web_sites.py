"""Names of web sites: one site is written in several ways, and its days must meet under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from data_contracts.arrow import with_column
from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    import pyarrow as pa

# A path stays, because two shops may share a domain.
SITE_KEY: Final = r"""
    nullif(regexp_replace(regexp_replace(regexp_replace(lower(trim(nfc_normalize({name}))),
        '^([a-z][a-z0-9+.\-]*:)?//', ''), '^www\.', ''), '(:80|:443)?[./\s]*$', ''), '')
"""
"""SQL: the name of a site without protocol, ``www.``, capital letters and a slash at its end."""


def with_site_key(text_rows: pa.Table) -> pa.Table:
    """Return the rows with the account that a delivery names written in one way."""
    query = f"SELECT coalesce({SITE_KEY.format(name='account')}, account) AS account FROM text_rows ORDER BY row_order"  # noqa: S608 - our own column name
    return with_column(text_rows, "account", run_sql(query, text_rows=text_rows)["account"])
