"""Classify amounts by event type, with the rules in the ``event_types.toml`` of each source."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.source_mapping import MappingContext, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNKNOWN = "other"
# Words of money lent and repaid, in the languages of the sources. They name an unknown kind; they decide no event type.
_LOAN_WORDS = (
    r"\b(loans?|lend(ing)?|advances?|financing|repays?|repayments?|instalments?|installments?|credit line|capital"
    r"|darlehen|kredit|prêt|préstamo|empréstimo|prestito|lening|pożyczka|pinjaman)\b|贷|借款|融资|还款|保理"
)


@functools.cache
def event_type_rules(package: str) -> tuple[dict[str, str], ...]:
    """Return the rules of a source package: a pattern for each field of a kind, and the ``event_type``."""
    text = resources.files(package).joinpath("event_types.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["rule"])


def event_type_of(kind: Mapping[str, str | None], rules: Sequence[Mapping[str, str]]) -> str:
    """Return the event type of the first rule that matches a kind, or ``other`` if none does.

    A field that a rule does not name matches anything. Patterns ignore case, and * matches any characters.

    >>> rules = [{"why": "*refund*", "event_type": "refund"}]
    >>> event_type_of({"why": "Customer REFUND deduction"}, rules), event_type_of({"why": None}, rules)
    ('refund', 'other')
    """
    for rule in rules:
        parts = ((part, rule[part]) for part in rule if part != "event_type")
        if all(fnmatch.fnmatchcase((kind[part] or "").casefold(), pattern.casefold()) for part, pattern in parts):
            return rule["event_type"]
    return UNKNOWN


def event_types(raw: pa.Table, parts: Sequence[str], rules: Sequence[Mapping[str, str]]) -> pa.Table:
    """Return the distinct kinds in the columns ``parts`` of a raw table, each with its ``event_type``."""
    kinds = run_sql(f"SELECT DISTINCT {', '.join(parts)} FROM raw", raw=raw)  # noqa: S608 - our own column names
    found = [event_type_of(kind, rules) for kind in kinds.to_pylist()]
    return kinds.append_column("event_type", pa.array(found, pa.string()))


def unknown_kinds(raw: pa.Table, parts: Sequence[str], rules: Sequence[Mapping[str, str]]) -> pa.Table:
    """Return, as remarks, the rows whose kind matches no rule; they count as ``other``.

    A kind in words of a loan has a remark of its own: it may be debt that is served before a payout reaches the bank.
    """
    query = f"""
        SELECT row_order, CASE WHEN regexp_matches(all_parts, $loan_words, 'i') THEN 'amount in words of a loan / '
            ELSE 'amount of unknown kind / ' END || all_parts AS reason
        FROM (SELECT *, concat_ws(' / ', {", ".join(parts)}) AS all_parts FROM raw) AS raw
        JOIN kinds ON {" AND ".join(f"raw.{part} IS NOT DISTINCT FROM kinds.{part}" for part in parts)}
        WHERE event_type = $unknown
        ORDER BY row_order
    """  # noqa: S608 - our own column names
    return run_sql(
        query, {"unknown": UNKNOWN, "loan_words": _LOAN_WORDS}, raw=raw, kinds=event_types(raw, parts, rules)
    )


def money_event_table(mapped: pa.Table, context: MappingContext) -> Tables:
    """Convert mapped columns to the canonical table ``money_event``, with amounts in US dollars."""
    return {"money_event": canonical_table("money_event", mapped, context, {"amount_usd": "amount"})}


def money_events(raw: pa.Table, parts: Sequence[str], package: str, query: str, context: MappingContext) -> Tables:
    """Map ``raw`` to ``money_event`` with a query over ``raw`` and ``event_types``.

    ``event_types`` holds the kinds in the columns ``parts`` of ``raw`` with their event type. ``package`` is the
    package of the source, which holds the rules. The query may use ``$known_lag_days``.
    """
    types = event_types(raw, parts, event_type_rules(package))
    return money_event_table(run_sql(query, context.parameters, raw=raw, event_types=types), context)
