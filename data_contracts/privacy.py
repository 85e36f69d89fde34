"""Personal data: keyed pseudonyms instead of personal values, and sealed originals of quarantined rows.

A plain hash of an e-mail address or telephone number can be reversed by trying every likely value, so every pseudonym
needs the key. Quarantined rows keep their original bytes. If a source has personal columns, those bytes are sealed with
a key derived from the same secret, so that only the holder of the secret can read them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_contracts.arrow import Values

MINIMUM_KEY_BYTES = 32
PSEUDONYM_HEX_DIGITS = 32
_SEAL_PURPOSE = b"seal quarantined originals"


def keyed_pseudonyms(values: Values, key: bytes, purpose: str) -> Values:
    """Return the HMAC-SHA256 pseudonym of each value: 32 hexadecimal digits, null if the value is null or blank.

    Values are trimmed and case-folded first, so that two spellings of one e-mail address get one pseudonym. The purpose
    separates domains: the same text under two purposes gets two unrelated pseudonyms.

    Raises:
        ConfigurationRefused: the key is shorter than 32 bytes.
    """
    require_key(key)
    encoded: Values = pc.utf8_trim_whitespace(values.cast(pa.string())).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    prefix = purpose.encode() + b"\x00"
    pseudonyms = [_pseudonym(text, key, prefix) for text in encoded.dictionary.to_pylist()]
    return pa.array(pseudonyms, pa.string()).take(encoded.indices)


def require_key(key: bytes) -> None:
    """Refuse a key that is too short to withstand a brute-force search.

    Raises:
        ConfigurationRefused: the key has fewer than 32 bytes.
    """
    if len(key) < MINIMUM_KEY_BYTES:
        raise ConfigurationRefused(
            f"the HMAC key has {len(key)} bytes; the minimum is {MINIMUM_KEY_BYTES}",
            remedy="provide a key of 32 or more random bytes",
        )


def original_sealer(key: bytes) -> Callable[[bytes], bytes]:
    """Return a function that seals bytes with AES-SIV. Equal bytes get equal seals, so reruns are byte-identical."""
    cipher = _seal_cipher(key)
    return lambda original: cipher.encrypt(original, [_SEAL_PURPOSE]) if original else b""


def open_sealed_original(sealed: bytes, key: bytes) -> bytes:
    """Return the bytes that ``original_sealer`` sealed with the same key.

    Raises:
        cryptography.exceptions.InvalidTag: the key is another one, or the bytes were changed.
    """
    return _seal_cipher(key).decrypt(sealed, [_SEAL_PURPOSE]) if sealed else b""


def _pseudonym(text: str | None, key: bytes, prefix: bytes) -> str | None:
    if not text:
        return None
    return hmac.digest(key, prefix + text.casefold().encode(), "sha256").hex()[:PSEUDONYM_HEX_DIGITS]


def _seal_cipher(key: bytes) -> AESSIV:
    require_key(key)
    return AESSIV(hmac.new(key, _SEAL_PURPOSE, hashlib.sha512).digest())
