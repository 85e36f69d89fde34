"""Ed25519 public keys as ``did:key`` identifiers, and the one base58btc spelling of a byte string.

Sources: W3C "Controlled Identifiers 1.0" (Multikey, multibase) and the ``did:key`` method.
"""

from __future__ import annotations

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MULTIBASE_BASE58BTC = "z"
ED25519_PUBLIC_PREFIX = b"\xed\x01"
DID_KEY_PREFIX = "did:key:"
KEY_BYTES = 32
# Base58 decoding is quadratic in the length, and nothing we read is longer than a 64-byte signature.
MAX_MULTIBASE_CHARACTERS = 100


def encode_multibase(data: bytes) -> str:
    """Encode bytes as base58btc text with the multibase prefix ``z``."""
    return MULTIBASE_BASE58BTC + str(base58.b58encode(data).decode("ascii"))


def decode_multibase(text: str) -> bytes:
    """Decode a base58btc multibase text.

    Raises:
        ValueError: another base, an invalid character, a text that is too long, or a spelling that is not canonical.
    """
    if not text.startswith(MULTIBASE_BASE58BTC) or len(text) > MAX_MULTIBASE_CHARACTERS:
        raise ValueError("not a base58btc multibase text of a key or signature")
    data = bytes(base58.b58decode(text[1:].encode("ascii")))
    if encode_multibase(data) != text:
        raise ValueError("not the canonical base58btc spelling")
    return data


def did_key(key: Ed25519PublicKey) -> str:
    """Return the ``did:key:z6Mk…`` identifier of an Ed25519 public key."""
    return DID_KEY_PREFIX + encode_multibase(ED25519_PUBLIC_PREFIX + key.public_bytes_raw())


def verification_method(did: str) -> str:
    """Return the only key of a ``did:key`` as a DID URL, ``did:key:X#X``."""
    return f"{did}#{did.removeprefix(DID_KEY_PREFIX)}"


def public_key_of(did: str) -> Ed25519PublicKey:
    """Return the Ed25519 public key that a ``did:key`` encodes.

    Raises:
        ValueError: not a ``did:key``, not Ed25519, or not canonically spelt.
    """
    if not did.startswith(DID_KEY_PREFIX):
        raise ValueError("not a did:key")
    data = decode_multibase(did.removeprefix(DID_KEY_PREFIX))
    if data[:2] != ED25519_PUBLIC_PREFIX or len(data) != len(ED25519_PUBLIC_PREFIX) + KEY_BYTES:
        raise ValueError("not an Ed25519 did:key")
    return Ed25519PublicKey.from_public_bytes(data[2:])
