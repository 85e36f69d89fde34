from __future__ import annotations

import pyarrow as pa
import pytest
from cryptography.exceptions import InvalidTag

from data_contracts.errors import ConfigurationRefused
from data_contracts.privacy import keyed_pseudonyms, open_sealed_original, original_sealer

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def pseudonym(text: str | None, key: bytes = KEY, purpose: str = "customer") -> str | None:
    found: str | None = keyed_pseudonyms(pa.array([text], pa.string()), key, purpose)[0].as_py()
    return found


def test_a_pseudonym_is_32_hexadecimal_digits_that_reveal_nothing() -> None:
    found = pseudonym("anna@example.com") or ""
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")


@pytest.mark.parametrize("same", ["Anna@Example.COM", "  anna@example.com "])
def test_spellings_of_one_mailbox_have_one_pseudonym(same: str) -> None:
    assert pseudonym(same) == pseudonym("anna@example.com")


def test_another_key_purpose_or_value_changes_the_pseudonym() -> None:
    found = [pseudonym("a"), pseudonym("b"), pseudonym("a", OTHER_KEY), pseudonym("a", purpose="consignee")]
    assert len(set(found)) == 4


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_missing_values_have_no_pseudonym(nothing: str | None) -> None:
    assert pseudonym(nothing) is None


def test_order_and_repetition_are_kept() -> None:
    values = pa.chunked_array([["b", "a"], ["b", None]])
    found = keyed_pseudonyms(values, KEY, "customer").to_pylist()
    assert found[0] == found[2] != found[1]
    assert found[3] is None


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="32"):
        pseudonym("a", b"short")


def test_a_seal_opens_only_with_its_key() -> None:
    sealed = original_sealer(KEY)(b"#1,anna@example.com")
    assert b"anna" not in sealed
    assert open_sealed_original(sealed, KEY) == b"#1,anna@example.com"
    with pytest.raises(InvalidTag):
        open_sealed_original(sealed, OTHER_KEY)


def test_equal_bytes_have_equal_seals_so_that_reruns_are_identical() -> None:
    seal = original_sealer(KEY)
    assert seal(b"x") == original_sealer(KEY)(b"x") != seal(b"y")
