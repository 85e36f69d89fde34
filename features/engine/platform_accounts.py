"""Accounts of a seller with platforms, seen in any table as of a date, and whether their payouts were delivered.

A seller may leave out the account with the bad figures. Consents, logins, receivables, bank credits, the health and
the reviews of a shop, and the traffic of an own shop show that it exists. The first word of a platform's name is also
the first word of the names of its sources: ``Mercado Libre``, ``mercado_release``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from data_contracts.definition.templates import PREFIX
from data_contracts.sources.registry import mapped_sources, source_mapping
from features.engine.sql_text import date_literal, days_before, nested, select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.engine.as_of import AsOf

PLATFORM_ACCOUNT_COLUMNS: tuple[str, ...] = ("seller_id", "event_date", "account", "is_delivered")
ACCOUNT_TABLES: Mapping[str, tuple[str, ...]] = {
    "money_event": ("platform",),
    "bank_entry": ("platform", "counterparty_kind"),
    "login_event": ("platform",),
    "account_health": ("platform",),
    "rating_review": ("platform",),
    "ip_claim": ("platform",),
    "receivable": ("debtor_type",),
    "site_day": (),
    "consent": ("consent_reference", "consented_source", "valid_from", "valid_to", "withdrawn_on"),
    "source_coverage": ("covered_table", "delivered_source", "period_from", "period_to"),
}
# A settlement is delivered weeks after its first sale, so what was seen only since then is no sign of a gap.
SETTLED_DAYS: Final = 45
SEEN_DAYS: Final = 365
_OWN_SHOP: Final = "own shop"
# A receivable keeps its debtor secret: it shows that there is a platform, not which.
SOME_PLATFORM: Final = "some platform"
_NAMED: Final = ("bank_entry", "login_event", "account_health", "rating_review", "ip_claim")


def platform_account_view(as_of: AsOf) -> str:
    """Return SQL for the view ``platform_account``, which features may read like a table.

    One row per account seen as of the date: ``event_date`` (when it was last seen), ``account`` and ``is_delivered``
    (whether a source with its payouts or orders was delivered for the last year). A further row without ``account``
    for each table that was delivered and could show one.
    """
    seen = nested("\nUNION ALL\n".join(_seen(as_of)), "shown")
    last = select(
        {"seller_id": "seller_id", "account": "account", "event_date": "MAX(event_date)"}, seen, group_by="1, 2"
    )
    source = (
        f"{nested(last, 'seen')}\nLEFT JOIN {nested(_delivered(as_of), 'delivered')}\n"
        "ON delivered.seller_id = seen.seller_id AND delivered.account = seen.account"
    )
    columns = {name: f"seen.{name}" for name in ("seller_id", "event_date", "account")}
    return select({**columns, "is_delivered": "delivered.account IS NOT NULL"}, source)


@functools.cache
def sources_feeding(table: str) -> tuple[str, ...]:
    """Return the exports that feed a canonical table, in alphabetical order; our own templates name no platform."""
    exports = (name for name in mapped_sources() if not name.startswith(PREFIX))
    return tuple(sorted(name for name in exports if table in source_mapping(name).covered_tables))


def _seen(as_of: AsOf) -> list[str]:
    """Return the statements that find accounts: seller, account and day."""
    settled = days_before(as_of.day, SETTLED_DAYS)
    known = f"{as_of.condition(SEEN_DAYS - 1)} AND event_date <= {settled}"
    named = [_rows(_first_word("platform"), table, f"{known} AND platform IS NOT NULL") for table in _NAMED[1:]]
    paid = f"{known} AND platform IS NOT NULL AND counterparty_kind = 'platform_payout'"
    return [
        _rows(_first_word("platform"), _NAMED[0], paid),
        *named,
        _rows(f"'{SOME_PLATFORM}'", "receivable", f"{known} AND debtor_type = 'platform'"),
        _rows(f"'{_OWN_SHOP}'", "site_day", known),
        *(_consented(as_of, settled, of, account) for of, account in _consented_accounts().items()),
        _witnesses(as_of),
    ]


def _consented_accounts() -> dict[str, str]:
    """Return the tables that consented sources feed, with SQL for the account that such a consent shows."""
    return {"money_event": _first_word("consented_source", "_"), "site_order": f"'{_OWN_SHOP}'"}


def _consented(as_of: AsOf, settled: str, table: str, account: str) -> str:
    """Return the consents to sources of a table that are in force; one that was ever withdrawn shows nothing."""
    given = (
        f"{as_of.condition()} AND valid_from <= {settled} AND consented_source IN ({_texts(sources_feeding(table))})"
    )
    in_force = (
        f"HAVING COUNT(withdrawn_on) = 0 AND (COUNT(*) > COUNT(valid_to) OR MAX(valid_to) >= {date_literal(as_of.day)})"
    )
    columns = {"seller_id": "seller_id", "account": account, "event_date": settled}
    keys = "seller_id, consent_reference, consented_source"
    return f"{select(columns, 'consent', where=given, group_by=keys)}\n{in_force}"


def _witnesses(as_of: AsOf) -> str:
    """Return one row without an account for each delivery of a table that could show one."""
    tables = [name for name in ACCOUNT_TABLES if name not in {"money_event", "source_coverage"}]
    where = f"{as_of.condition()} AND covered_table IN ({_texts(tables)})"
    columns = {
        "seller_id": "seller_id",
        "account": "NULL",
        "event_date": f"LEAST(period_to, {date_literal(as_of.day)})",
    }
    return select(columns, "source_coverage", where=where)


def _delivered(as_of: AsOf) -> str:
    """Return the accounts whose payouts or orders of the last year were delivered."""
    recent = f"{as_of.condition()} AND period_to > {days_before(as_of.day, SEEN_DAYS)}"
    orders = sources_feeding("site_order")
    shops = sorted({name.partition("_")[0] for name in orders})
    paying = f"{recent} AND covered_table IN ('money_event', 'site_order')"
    of_shop = f"(covered_table = 'site_order' OR {_first_word('delivered_source', '_')} IN ({_texts(shops)}))"
    statements = (
        _account(_first_word("platform"), as_of.condition(SEEN_DAYS - 1), "money_event"),
        _account(_first_word("delivered_source", "_"), paying),
        _account(f"'{_OWN_SHOP}'", f"{paying} AND {of_shop}"),
        _account(f"'{SOME_PLATFORM}'", f"{recent} AND covered_table = 'money_event'"),
    )
    return "\nUNION\n".join(statements)


def _rows(account: str, table: str, where: str) -> str:
    return select({"seller_id": "seller_id", "account": account, "event_date": "event_date"}, table, where=where)


def _account(account: str, where: str, table: str = "source_coverage") -> str:
    return select({"seller_id": "seller_id", "account": account}, table, where=where)


def _first_word(column: str, separator: str = " ") -> str:
    return f"SPLIT_PART(LOWER(CAST({column} AS VARCHAR)), '{separator}', 1)"


def _texts(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
