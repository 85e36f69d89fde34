"""Checks and normal forms of the numbers by which companies and accounts are known, by python-stdnum.

A check digit shows that a number was copied well, not that anyone holds it.
"""

from __future__ import annotations

import importlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidFormat, InvalidLength, ValidationError

from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable

# Kind of identifier: the module of python-stdnum that knows it.
_MODULES = {
    "uscc": "stdnum.cn.uscc",
    "lei": "stdnum.lei",
    "eu_vat": "stdnum.eu.vat",
    "gb_vat": "stdnum.gb.vat",
    "us_ein": "stdnum.us.ein",
    "iban": "stdnum.iban",
    "bic": "stdnum.bic",
}
IDENTIFIER_KINDS: tuple[str, ...] = tuple(_MODULES)
# Kinds of which a company has one; it may have many accounts, and a VAT number in every country.
IDENTIFIES_ONE_COMPANY: frozenset[str] = frozenset({"uscc", "lei", "us_ein"})
_REASONS: tuple[tuple[type[ValidationError], str], ...] = (
    (InvalidLength, "wrong length"),
    (InvalidFormat, "wrong form"),
    (InvalidChecksum, "wrong check digit"),
    (InvalidComponent, "a part of it does not exist"),
)


@dataclass(frozen=True)
class IdentifierCheck:
    """What became of one identifier.

    Attributes:
        kind: Kind of identifier, one of ``IDENTIFIER_KINDS``.
        number: Normal form without blanks and marks; None when invalid.
        reason: Why it is invalid; None when valid.
    """

    kind: str
    number: str | None
    reason: str | None

    @property
    def is_valid(self) -> bool:
        """Whether form, parts and check digits hold."""
        return self.number is not None


def check_identifier(kind: str, text: str) -> IdentifierCheck:
    """Give the normal form of an identifier, or the reason why it is none; full-width signs and blanks are forgiven.

    Raises:
        ConfigurationRefused: there is no such kind.

    >>> check_identifier("uscc", "91110000 600037341l")
    IdentifierCheck(kind='uscc', number='91110000600037341L', reason=None)
    >>> check_identifier("lei", "213800KUD8LAJWSQ9D14").reason
    'wrong check digit'
    """
    validate = _validator(kind)
    written = unicodedata.normalize("NFKC", text).strip().upper()
    if not written:
        return IdentifierCheck(kind, None, "empty")
    try:
        return IdentifierCheck(kind, validate(written), None)
    except ValidationError as error:
        reason = next((said for broken, said in _REASONS if isinstance(error, broken)), "not valid")
        return IdentifierCheck(kind, None, reason)


def _validator(kind: str) -> Callable[[str], str]:
    if kind not in _MODULES:
        raise ConfigurationRefused(
            f"there is no kind of identifier {kind!r}", f"use one of {', '.join(IDENTIFIER_KINDS)}"
        )
    # The name is one of our own list, so nothing foreign can be imported here.
    validate: Callable[[str], str] = importlib.import_module(_MODULES[kind]).validate
    return validate
