"""The kinds of bank entries: who paid, and why, by the words of ``words.toml``."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any, Final

OWN_TRANSFER: Final = "own_transfer"
OTHER: Final = "other"
PAYOUT_KINDS: Final = ("platform_payout", "wallet_payout")
# The words of other kinds may name people.
KINDS_WITH_REFERENCE: Final = (*PAYOUT_KINDS, "tax", "loan_advance", "loan_repayment", "interest")


@functools.cache
def bank_words() -> dict[str, Any]:
    """Return the rules: ``payer`` for platforms and wallets, ``reason`` for everything else."""
    text = resources.files("data_contracts.mapping.bank").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def payer_sql() -> str:
    """Return SQL for the platform or wallet that an entry names: by ``who``, else, for money in, by ``said``."""
    rules = bank_words()["payer"]
    by_name = [_when(f"regexp_matches(who, {_text(rule['words'])})", rule["platform"]) for rule in rules]
    by_words = [
        _when(f"amount > 0 AND regexp_matches(said, {_text(rule['words'])})", rule["platform"]) for rule in rules
    ]
    return f"CASE {' '.join((*by_name, *by_words))} END"


def kind_sql() -> str:
    """Return SQL for the kind of an entry over ``who``, ``said``, ``amount``, ``payer`` and ``is_own``.

    Money that goes out to a platform or wallet is no payout. To a wallet it is the seller's own money.
    """
    reasons = [_reason(rule) for rule in bank_words()["reason"]]
    payers = bank_words()["payer"]
    paid = [
        _when(f"amount > 0 AND payer IN ({', '.join(_text(name) for name in _platforms(payers, kind))})", kind)
        for kind in PAYOUT_KINDS
    ]
    wallets = ", ".join(_text(name) for name in _platforms(payers, "wallet_payout"))
    parts = [_when("is_own", OWN_TRANSFER), *reasons, *paid, _when(f"payer IN ({wallets})", OWN_TRANSFER)]
    return f"CASE {' '.join(parts)} ELSE {_text(OTHER)} END"


def _reason(rule: dict[str, Any]) -> str:
    where = [f"regexp_matches(who || ' ' || said, {_text(rule['words'])})"]
    if "side" in rule:
        where.append("amount > 0" if rule["side"] == "in" else "amount < 0")
    if rule.get("unless_payer"):
        where.append("payer IS NULL")
    return _when(" AND ".join(where), rule["kind"])


def _platforms(payers: list[dict[str, str]], kind: str) -> list[str]:
    return [payer["platform"] for payer in payers if payer["kind"] == kind]


def _when(condition: str, value: str) -> str:
    return f"WHEN {condition} THEN {_text(value)}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
