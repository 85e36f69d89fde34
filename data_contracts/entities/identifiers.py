"""Validate and normalise the identifiers of companies and accounts with python-stdnum.

A check digit shows that a number was copied correctly, not that anyone holds it.
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

# Kind of identifier and the python-stdnum module that validates it.
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
# A company has only one identifier of these kinds; it may have many accounts, and a VAT number in every country.
IDENTIFIES_ONE_COMPANY: frozenset[str] = frozenset({"uscc", "lei", "us_ein"})
_REASONS: tuple[tuple[type[ValidationError], str], ...] = (
    (InvalidLength, "wrong length"),
    (InvalidFormat, "wrong format"),
    (InvalidChecksum, "wrong check digit"),
    (InvalidComponent, "invalid component"),
)


@dataclass(frozen=True)
class IdentifierCheck:
    """The result of checking one identifier.

    Attributes:
        kind: Kind of identifier, one of ``IDENTIFIER_KINDS``.
        number: Normal form without spaces and punctuation; None if invalid.
        reason: Why it is invalid; None if valid.
    """

    kind: str
    number: str | None
    reason: str | None

    @property
    def is_valid(self) -> bool:
        """Whether form, components and check digits are valid."""
        return self.number is not None


def check_identifier(kind: str, text: str) -> IdentifierCheck:
    """Return the normal form of an identifier, or the reason why it is invalid.

    Full-width characters and spaces are accepted.

    Raises:
        ConfigurationRefused: the kind is unknown.

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
        reason = next((words for broken, words in _REASONS if isinstance(error, broken)), "not valid")
        return IdentifierCheck(kind, None, reason)


def _validator(kind: str) -> Callable[[str], str]:
    if kind not in _MODULES:
        raise ConfigurationRefused(f"unknown kind of identifier {kind!r}", f"use one of {', '.join(IDENTIFIER_KINDS)}")
    # The name is in our own list, so no other code can be imported here.
    validate: Callable[[str], str] = importlib.import_module(_MODULES[kind]).validate
    return validate
