"""Issue and verify W3C Verifiable Credentials 2.0 with ``eddsa-jcs-2022`` proofs.

The proof follows the W3C Recommendation "Data Integrity EdDSA Cryptosuites v1.0": an Ed25519 signature over the
SHA-256 of the canonical proof options followed by the SHA-256 of the canonical document, both in JCS (RFC 8785).

An issued credential *is* its canonical bytes. A file that parses to the same document but is spelt differently is
refused, so no byte can change unnoticed, even where JSON would not care.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

import rfc8785
from cryptography.exceptions import InvalidSignature

from data_contracts.errors import IntegrityRefused
from pipelines.signing.did_key import decode_multibase, did_key, encode_multibase, public_key_of, verification_method
from pipelines.signing.json_members import unique_members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pipelines.signing.keys import TrustList

CRYPTOSUITE: Final = "eddsa-jcs-2022"
PROOF_TYPE: Final = "DataIntegrityProof"
PROOF_PURPOSE: Final = "assertionMethod"
CREDENTIALS_CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
UNDEFINED_TERMS_CONTEXT: Final = "https://www.w3.org/ns/credentials/undefined-terms/v2"
MAX_CREDENTIAL_BYTES: Final = 1_048_576
SIGNATURE_BYTES: Final = 64
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_PROOF_MEMBERS = frozenset(
    {"@context", "type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue"}
)

Code = Literal[
    "ok",
    "malformed",
    "not_canonical",
    "changed",
    "unknown_issuer",
    "revoked_issuer",
    "not_yet_valid",
    "expired",
    "stale_data",
    "subject_mismatch",
    "page_differs",
]


class CredentialRefused(IntegrityRefused):
    """A credential that is not accepted, with a code for programs and a sentence for people."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message


@dataclass(frozen=True)
class VerifiedCredential:
    """A valid credential in force: the document without its proof, the signer and the period of validity."""

    document: Mapping[str, Any]
    issuer: str
    valid_from: date
    valid_until: date


def proof_options(document: Mapping[str, Any], did: str, created: str) -> dict[str, Any]:
    """Return the proof of a document by the key ``did``, without its value; ``created`` is an ISO instant in UTC."""
    return {
        "@context": document["@context"],
        "type": PROOF_TYPE,
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method(did),
        "proofPurpose": PROOF_PURPOSE,
    }


def signing_input(document: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
    """Return the 64 bytes to sign: SHA-256 of the canonical options, then of the canonical document."""
    return (
        hashlib.sha256(rfc8785.dumps(dict(options))).digest() + hashlib.sha256(rfc8785.dumps(dict(document))).digest()
    )


def secure(document: Mapping[str, Any], key: Ed25519PrivateKey, created: str) -> dict[str, Any]:
    """Return the document with its proof.

    Raises:
        ValueError: the document already has a proof, or holds a value that JCS cannot spell (a decimal, NaN, 2**53).
    """
    if "proof" in document:
        raise ValueError("the document is signed already")
    options = proof_options(document, did_key(key.public_key()), created)
    signature = key.sign(signing_input(document, options))
    return {**document, "proof": {**options, "proofValue": encode_multibase(signature)}}


def issue(document: Mapping[str, Any], key: Ed25519PrivateKey, created: str) -> bytes:
    """Return the signed credential as the bytes to publish (JCS, no newline); raise what ``secure`` raises."""
    return rfc8785.dumps(secure(document, key, created))


def check_proof(secured: Mapping[str, Any]) -> str:
    """Check the proof of a signed document and return the ``did:key`` that signed it.

    Raises:
        CredentialRefused: ``malformed`` if it is no ``eddsa-jcs-2022`` proof, ``changed`` if the signature is invalid.
    """
    proof = secured.get("proof")
    if not isinstance(proof, dict) or not {*proof} >= _PROOF_MEMBERS - {"@context"} or not {*proof} <= _PROOF_MEMBERS:
        raise CredentialRefused("malformed", "it carries no single eddsa-jcs-2022 proof")
    expected = {"type": PROOF_TYPE, "cryptosuite": CRYPTOSUITE, "proofPurpose": PROOF_PURPOSE}
    for name, value in expected.items():
        if proof[name] != value:
            raise CredentialRefused("malformed", f"the proof's {name} is {proof[name]!r}, not {value!r}")
    document = {name: value for name, value in secured.items() if name != "proof"}
    if "@context" in proof:
        document["@context"] = _shared_context(secured.get("@context"), proof["@context"])
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    did, signature = _signer_and_signature(proof)
    try:
        public_key_of(did).verify(signature, signing_input(document, options))
    except (InvalidSignature, ValueError) as error:
        raise CredentialRefused("changed", "the signature does not hold: the content was changed") from error
    return did


def parse_canonical(data: bytes) -> dict[str, Any]:
    """Parse a JSON object whose bytes must be exactly its canonical form.

    Raises:
        CredentialRefused: ``malformed`` if it is not a JSON object, ``not_canonical`` if it is spelt differently.
    """
    if len(data) > MAX_CREDENTIAL_BYTES:
        raise CredentialRefused("malformed", f"longer than {MAX_CREDENTIAL_BYTES} bytes")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CredentialRefused("malformed", f"not readable as JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise CredentialRefused("malformed", "not a JSON object")
    try:
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise CredentialRefused("not_canonical", "holds a value that has no canonical form") from error
    if canonical != data:
        raise CredentialRefused("not_canonical", "its bytes are not its canonical form")
    return value


def verify_credential(data: bytes, on: date, trust: TrustList | None) -> VerifiedCredential:
    """Check an issued credential: bytes, proof, issuer, dates, in that order, so the gravest reason is reported.

    ``on`` is the date to check against; without a trust list every issuer is unknown.

    Raises:
        CredentialRefused: with the code of the first check that fails.
    """
    secured = parse_canonical(data)
    did = check_proof(secured)
    document = {name: value for name, value in secured.items() if name != "proof"}
    if secured["proof"].get("@context") != document.get("@context"):
        raise CredentialRefused("malformed", "the proof was made for another context")
    if _issuer_of(document) != did:
        raise CredentialRefused("malformed", "the key that signed is not the issuer's")
    valid_from, valid_until = (_day(document, name) for name in ("validFrom", "validUntil"))
    _check_issuer(did, valid_from, on, trust)
    if on < valid_from:
        raise CredentialRefused("not_yet_valid", f"valid from {valid_from}, asked for {on}")
    if on > valid_until:
        raise CredentialRefused("expired", f"valid until {valid_until}, asked for {on}")
    return VerifiedCredential(document, did, valid_from, valid_until)


def _check_issuer(did: str, issued: date, on: date, trust: TrustList | None) -> None:
    """Refuse an issuer whom the trust list, as of ``on``, does not let issue on the day ``issued``."""
    entry = None if trust is None else trust.issuer(did)
    if entry is None:
        raise CredentialRefused("unknown_issuer", f"signed by an unknown issuer {did}")
    objection = entry.objection(issued, on)
    if objection is not None:
        is_revoked = entry.revoked_on is not None and on >= entry.revoked_on
        raise CredentialRefused("revoked_issuer" if is_revoked else "unknown_issuer", objection)


def _signer_and_signature(proof: Mapping[str, Any]) -> tuple[str, bytes]:
    method, value = proof["verificationMethod"], proof["proofValue"]
    if not isinstance(method, str) or not isinstance(value, str):
        raise CredentialRefused("malformed", "the proof's key and value must be texts")
    did = method.partition("#")[0]
    try:
        public_key_of(did)
        signature = decode_multibase(value)
    except ValueError as error:
        raise CredentialRefused("malformed", f"the proof's key or value is unreadable: {error}") from error
    if method != verification_method(did) or len(signature) != SIGNATURE_BYTES:
        raise CredentialRefused("malformed", "the proof's key or value has the wrong form")
    return did, signature


def _shared_context(document_context: object, proof_context: object) -> object:
    """Return the proof's context; the document's must start with it (verification algorithm of the suite)."""
    of_document = document_context if isinstance(document_context, list) else [document_context]
    of_proof = proof_context if isinstance(proof_context, list) else [proof_context]
    if of_document[: len(of_proof)] != of_proof:
        raise CredentialRefused("changed", "the document's context is not the one that was signed")
    return proof_context


def _issuer_of(document: Mapping[str, Any]) -> object:
    issuer = document.get("issuer")
    return issuer.get("id") if isinstance(issuer, dict) else issuer


def _day(document: Mapping[str, Any], name: str) -> date:
    value = document.get(name)
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise CredentialRefused("malformed", f"{name} is missing or no UTC instant")
    try:
        return date.fromisoformat(found.group(1))
    except ValueError as error:
        raise CredentialRefused("malformed", f"{name} is no date") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
