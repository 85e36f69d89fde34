"""Views computed as of a date, which features may read like tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.engine.instalments import INSTALMENT_COLUMNS, REPAYMENT_COLUMNS, instalment_view
from features.engine.latest_rows import LATEST
from features.engine.platform_accounts import ACCOUNT_TABLES, PLATFORM_ACCOUNT_COLUMNS, platform_account_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.engine.as_of import AsOf


@dataclass(frozen=True)
class AsOfView:
    """A view.

    Attributes:
        columns: its columns.
        tables: the canonical tables behind it, each with the columns it reads beyond seller, dates and lineage.
        covered: the table whose coverage its features need; None if the view itself says what was delivered.
        sql: its statement as of a date.
    """

    columns: tuple[str, ...]
    tables: Mapping[str, tuple[str, ...]]
    covered: str | None
    sql: Callable[[AsOf], str]


AS_OF_VIEWS: Mapping[str, AsOfView] = {
    "instalment": AsOfView(INSTALMENT_COLUMNS, {"repayment": REPAYMENT_COLUMNS}, "repayment", instalment_view),
    "platform_account": AsOfView(PLATFORM_ACCOUNT_COLUMNS, ACCOUNT_TABLES, None, platform_account_view),
    **{one.name: AsOfView(one.columns, {one.table: one.read}, one.table, one.sql) for one in LATEST},
}


def tables_behind(table: str) -> frozenset[str]:
    """Return the canonical tables that a feature over this table or view reads."""
    view = AS_OF_VIEWS.get(table)
    return frozenset({table}) if view is None else frozenset(view.tables)
