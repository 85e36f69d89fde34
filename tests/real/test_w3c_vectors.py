"""The W3C test vectors of ``eddsa-jcs-2022`` (vc-di-eddsa, section on representation)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.signing.credential import CredentialRefused, check_proof, proof_options, secure, signing_input
from pipelines.signing.did_key import decode_multibase, did_key

# The published test key of the specification (also RFC 8037 appendix A): public on purpose, good for nothing else.
PUBLISHED_TEST_KEY = "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq"
PUBLISHED_TEST_DID = "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> Path:
    folder = shared_data / "w3c_eddsa_jcs_2022"
    if not folder.is_dir():
        pytest.skip(f"the W3C vectors are not at {folder}")
    return folder


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text().strip()


def document(folder: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / name).read_bytes())
    return loaded


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(decode_multibase(PUBLISHED_TEST_KEY)[2:])


def test_the_published_key_is_the_vectors_signer(key: Ed25519PrivateKey) -> None:
    assert did_key(key.public_key()) == PUBLISHED_TEST_DID


def test_canonical_forms_and_hashes_equal_the_vectors(vectors: Path) -> None:
    unsigned, options = document(vectors, "unsigned.json"), document(vectors, "proofConfigJCS.json")
    assert rfc8785.dumps(unsigned).decode() == text(vectors, "canonDocJCS.txt")
    assert rfc8785.dumps(options).decode() == text(vectors, "proofCanonJCS.txt")
    assert hashlib.sha256(rfc8785.dumps(unsigned)).hexdigest() == text(vectors, "docHashJCS.txt")
    assert hashlib.sha256(rfc8785.dumps(options)).hexdigest() == text(vectors, "proofHashJCS.txt")
    assert signing_input(unsigned, options).hex() == text(vectors, "combinedHashJCS.txt")


def test_our_proof_options_are_the_vectors(vectors: Path) -> None:
    options = document(vectors, "proofConfigJCS.json")
    assert proof_options(document(vectors, "unsigned.json"), PUBLISHED_TEST_DID, options["created"]) == options


def test_signing_returns_the_vectors_signature(vectors: Path, key: Ed25519PrivateKey) -> None:
    created = document(vectors, "proofConfigJCS.json")["created"]
    secured = secure(document(vectors, "unsigned.json"), key, created)
    assert secured == document(vectors, "signedJCS.json")
    assert secured["proof"]["proofValue"] == text(vectors, "sigBTC58JCS.txt")
    assert decode_multibase(secured["proof"]["proofValue"]).hex() == text(vectors, "sigHexJCS.txt")


def test_the_signed_vector_is_accepted_and_a_changed_one_is_not(vectors: Path) -> None:
    signed = document(vectors, "signedJCS.json")
    assert check_proof(signed) == PUBLISHED_TEST_DID
    for name in ("name", "validFrom", "id"):
        with pytest.raises(CredentialRefused, match="changed"):
            check_proof({**signed, name: signed[name] + "x"})
