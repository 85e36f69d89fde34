"""A valid identifier has one normal form, an invalid one a reason."""

from __future__ import annotations

import pytest

from data_contracts.entities.identifiers import IDENTIFIER_KINDS, check_identifier
from data_contracts.errors import ConfigurationRefused
from simulator.population.names import credit_code

# Examples of the documentation of python-stdnum and of the standards' own texts.
VALID = {
    "uscc": ("91110000 600037341l", "91110000600037341L"),
    "lei": ("213800-KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D15"),
    "eu_vat": ("BE 0 403 019 261", "BE0403019261"),
    "gb_vat": ("GB 980 7806 84", "980780684"),
    "us_ein": ("91-1144442", "911144442"),
    "iban": ("GR16 0110 1050 0000 1054 7023 795", "GR1601101050000010547023795"),
    "bic": ("agriFRPP", "AGRIFRPP"),
}


@pytest.mark.parametrize("kind", IDENTIFIER_KINDS)
def test_a_valid_identifier_has_one_normal_form_however_it_is_spaced(kind: str) -> None:
    written, normal = VALID[kind]
    found = check_identifier(kind, written)
    assert found.is_valid
    assert (found.number, found.reason) == (normal, None)
    assert check_identifier(kind, normal) == found


def test_full_width_characters_are_accepted() -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in "91110000600037341L")
    assert check_identifier("uscc", wide).number == "91110000600037341L"


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("uscc", "91110000600037342L", "wrong check digit"),
        ("uscc", "9111000060003734", "wrong length"),
        ("uscc", "9111000060003734IL", "wrong format"),
        ("lei", "213800KUD8LAJWSQ9D14", "wrong check digit"),
        ("iban", "GR1601101050000010547023796", "wrong check digit"),
        ("eu_vat", "XX123456789", "invalid component"),
        ("us_ein", "07-1144442", "invalid component"),
        ("bic", "AGRIFRPP88", "wrong length"),
        ("gb_vat", "", "empty"),
        ("iban", " \u3000 ", "empty"),
    ],
)
def test_an_invalid_identifier_has_a_reason(kind: str, text: str, reason: str) -> None:
    found = check_identifier(kind, text)
    assert not found.is_valid
    assert (found.number, found.reason) == (None, reason)


@pytest.mark.parametrize("kind", IDENTIFIER_KINDS)
def test_text_that_is_not_a_number_is_invalid_and_raises_nothing(kind: str) -> None:
    for text in ("无", "n/a", "\x00", "9" * 500, "١٢٣", "🛒"):
        assert check_identifier(kind, text).reason


def test_credit_codes_of_the_synthetic_world_are_valid() -> None:
    assert all(check_identifier("uscc", credit_code(number)).is_valid for number in range(1, 200))


def test_an_unknown_kind_is_refused_with_a_list_of_the_known_kinds() -> None:
    with pytest.raises(ConfigurationRefused, match=r"unknown kind of identifier 'passport'.*uscc"):
        check_identifier("passport", "1")
