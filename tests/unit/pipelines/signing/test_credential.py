"""Issued credentials are accepted, and nothing else is."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.signing.credential import (
    CREDENTIALS_CONTEXT,
    CredentialRefused,
    check_proof,
    issue,
    parse_canonical,
    proof_options,
    secure,
    signing_input,
    verify_credential,
)
from pipelines.signing.did_key import decode_multibase, did_key, encode_multibase, public_key_of
from pipelines.signing.keys import TrustedIssuer, TrustList

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DID = did_key(KEY.public_key())
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
CREATED = "2025-07-01T00:00:00Z"
IN_FORCE = date(2025, 8, 1)
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def document(**changes: object) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_CONTEXT],
        "type": ["VerifiableCredential"],
        "issuer": {"id": DID, "name": "issuer"},
        "validFrom": "2025-07-01T00:00:00Z",
        "validUntil": "2025-09-30T23:59:59Z",
        "credentialSubject": {"id": "urn:x", "score": "612", "name": "卖家 é"},
        **changes,
    }


def trust(**changes: object) -> TrustList:
    entry = {"did": DID, "name": "issuer", "valid_from": "2025-01-01", "valid_until": None, "revoked_on": None}
    return TrustList(issuers=(TrustedIssuer.model_validate({**entry, **changes}),))


def refusal(data: bytes, on: date = IN_FORCE, trusted: TrustList | None = None) -> str:
    with pytest.raises(CredentialRefused) as caught:
        verify_credential(data, on, trusted if trusted is not None else trust())
    return caught.value.code


def test_an_issued_passport_is_accepted_and_comes_back_unchanged() -> None:
    verified = verify_credential(issue(document(), KEY, CREATED), IN_FORCE, trust())
    assert verified.document == document()
    assert verified.issuer == DID


def test_issuing_twice_writes_the_same_bytes() -> None:
    assert issue(document(), KEY, CREATED) == issue(document(), KEY, CREATED)


def test_every_single_byte_change_is_refused_at_every_position() -> None:
    data = issue(document(), KEY, CREATED)
    trusted = trust()
    verify_credential(data, IN_FORCE, trusted)  # the control: unchanged bytes pass
    for position in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            changed = data[:position] + bytes([data[position] ^ flip]) + data[position + 1 :]
            with pytest.raises(CredentialRefused):
                verify_credential(changed, IN_FORCE, trusted)


def test_every_deletion_and_insertion_of_a_byte_is_refused() -> None:
    data = issue(document(), KEY, CREATED)
    for position in range(len(data)):
        for changed in (data[:position] + data[position + 1 :], data[:position] + b" " + data[position:]):
            with pytest.raises(CredentialRefused):
                verify_credential(changed, IN_FORCE, trust())
    assert refusal(data + b"\n") == "not_canonical"


def test_a_changed_value_is_named_as_changed() -> None:
    data = issue(document(), KEY, CREATED)
    assert refusal(data.replace(b'"score":"612"', b'"score":"812"')) == "changed"


def test_the_same_document_spelt_otherwise_is_not_canonical() -> None:
    data = issue(document(), KEY, CREATED)
    assert refusal(json.dumps(json.loads(data), indent=1).encode()) == "not_canonical"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b'{"a":1,"a":1}', b"\xff\xfe", b'{"a":NaN}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"],
)
def test_a_document_that_is_not_a_json_object_is_malformed(data: bytes) -> None:
    assert refusal(data) == "malformed"


def test_an_over_long_file_is_malformed() -> None:
    assert refusal(b'{"a":"' + b"x" * 2_000_000 + b'"}') == "malformed"


@pytest.mark.parametrize("value", [b"9007199254740993", b'"\\ud800"', b"1e400"])
def test_a_value_without_canonical_form_is_refused(value: bytes) -> None:
    assert refusal(b'{"a":' + value + b"}") == "not_canonical"


def test_a_repeated_member_is_refused_even_under_a_valid_signature() -> None:
    data = issue(document(), KEY, CREATED)
    assert refusal(data.replace(b'"score":"612"', b'"score":"812","score":"612"')) == "malformed"


def test_a_signature_with_its_scalar_shifted_by_the_group_order_is_refused() -> None:
    secured = secure(document(), KEY, CREATED)
    signature = decode_multibase(secured["proof"]["proofValue"])
    shifted = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    secured["proof"]["proofValue"] = encode_multibase(signature[:32] + shifted.to_bytes(32, "little"))
    assert refusal(rfc8785.dumps(secured)) == "changed"


@pytest.mark.parametrize("spelling", ["{0}1", "z1{1}", "{0} ", "m{1}", "z", "{0}0", "z" * 5000])
def test_a_proof_value_in_another_spelling_is_refused(spelling: str) -> None:
    secured = secure(document(), KEY, CREATED)
    value = secured["proof"]["proofValue"]
    secured["proof"]["proofValue"] = spelling.format(value, value[1:])
    assert refusal(rfc8785.dumps(secured)) == "malformed"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("proofPurpose", "authentication"),
        ("type", "Ed25519Signature2020"),
        ("cryptosuite", "eddsa-rdfc-2022"),
        ("verificationMethod", DID),
        ("verificationMethod", f"{DID}#other"),
        ("verificationMethod", "https://vc.example/key"),
        ("verificationMethod", 5),
        ("proofValue", None),
        ("challenge", "x"),
    ],
)
def test_a_proof_of_another_kind_is_malformed(member: str, value: object) -> None:
    secured = secure(document(), KEY, CREATED)
    secured["proof"][member] = value
    assert refusal(rfc8785.dumps(secured)) == "malformed"


def test_a_document_without_a_proof_is_malformed() -> None:
    assert refusal(rfc8785.dumps(document())) == "malformed"
    no_proofs: tuple[object, ...] = ({}, "x", None, [])
    for proof in no_proofs:
        assert refusal(rfc8785.dumps(document(proof=proof))) == "malformed"


def test_another_issuers_name_cannot_be_borrowed() -> None:
    assert refusal(issue(document(), OTHER, CREATED)) == "malformed"


def test_a_foreign_issuer_is_unknown_with_a_trust_file_and_everyone_is_without() -> None:
    foreign = issue(document(issuer=did_key(OTHER.public_key())), OTHER, CREATED)
    assert refusal(foreign) == "unknown_issuer"
    with pytest.raises(CredentialRefused, match="signed by an unknown issuer") as caught:
        verify_credential(issue(document(), KEY, CREATED), IN_FORCE, None)
    assert caught.value.code == "unknown_issuer"


def test_dates_decide_from_the_first_day_to_the_last() -> None:
    data = issue(document(), KEY, CREATED)
    assert refusal(data, on=date(2025, 6, 30)) == "not_yet_valid"
    verify_credential(data, date(2025, 7, 1), trust())
    verify_credential(data, date(2025, 9, 30), trust())
    assert refusal(data, on=date(2025, 10, 1)) == "expired"


@pytest.mark.parametrize("value", ["2025-07-01", "2025-02-30T00:00:00Z", "٢٠٢٥-07-01T00:00:00Z", 5, None])
def test_a_credential_without_a_readable_date_is_malformed(value: object) -> None:
    assert refusal(issue(document(validFrom=value), KEY, CREATED)) == "malformed"


def test_a_revoked_key_is_refused_from_that_day_on_whenever_it_signed() -> None:
    data = issue(document(), KEY, CREATED)
    revoked = trust(revoked_on="2025-08-01")
    verify_credential(data, date(2025, 7, 31), revoked)
    assert refusal(data, on=date(2025, 8, 1), trusted=revoked) == "revoked_issuer"


@pytest.mark.parametrize("window", [{"valid_from": "2025-07-02"}, {"valid_until": "2025-06-30"}])
def test_an_issuer_outside_its_time_of_trust_is_unknown(window: dict[str, str]) -> None:
    assert refusal(issue(document(), KEY, CREATED), trusted=trust(**window)) == "unknown_issuer"


def test_a_changed_document_of_an_unknown_issuer_is_named_as_changed() -> None:
    data = issue(document(), KEY, CREATED).replace(b"612", b"613")
    with pytest.raises(CredentialRefused) as caught:
        verify_credential(data, IN_FORCE, None)
    assert caught.value.code == "changed"


def test_the_context_cannot_be_swapped_below_the_proof() -> None:
    secured = secure(document(), KEY, CREATED)
    with pytest.raises(CredentialRefused, match="context"):
        check_proof({**secured, "@context": ["https://example.org/other"]})
    longer = {**secured, "@context": [CREDENTIALS_CONTEXT, "https://example.org/other"]}
    assert check_proof(longer) == DID  # the suite lets a document's context grow ...
    assert refusal(rfc8785.dumps(longer)) == "malformed"  # ... a passport's may not


def test_values_that_json_cannot_express_are_not_signed() -> None:
    with pytest.raises(ValueError, match="not representable"):
        issue(document(extra=float("nan")), KEY, CREATED)
    with pytest.raises(ValueError, match="signed already"):
        secure(secure(document(), KEY, CREATED), KEY, CREATED)


def test_a_did_key_reads_back_and_foreign_ones_are_refused() -> None:
    assert did_key(public_key_of(DID)) == DID
    assert DID.startswith("did:key:z6Mk")
    for text in (
        "did:web:example.org",
        "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
        "did:key:z",
        "z6Mk",
    ):
        with pytest.raises(ValueError, match=r"did:key|Ed25519"):
            public_key_of(text)


@pytest.mark.parametrize("data", [b"\xed\x01" + bytes(31), b"\xed\x01" + bytes(33), b"\xec\x01" + bytes(32), b""])
def test_a_did_key_of_another_kind_or_length_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an Ed25519 did:key"):
        public_key_of("did:key:" + encode_multibase(data))


def test_a_multibase_text_has_one_spelling_and_at_most_a_hundred_characters() -> None:
    for size, is_read in ((72, True), (73, False)):
        text = encode_multibase(b"\xff" * size)
        assert len(text) == (100 if is_read else 101)
        if is_read:
            assert decode_multibase(text) == b"\xff" * size
        else:
            with pytest.raises(ValueError, match="not a base58btc multibase text"):
                decode_multibase(text)
    with pytest.raises(ValueError, match="not the canonical base58btc spelling"):
        decode_multibase("zz ")


def test_canonical_bytes_parse_to_their_document() -> None:
    assert parse_canonical(rfc8785.dumps(document())) == document()


def test_a_file_of_just_the_longest_length_is_read() -> None:
    longest = b'{"a":"' + b"x" * (2**20 - 8) + b'"}'
    assert len(longest) == 2**20
    assert len(parse_canonical(longest)["a"]) == 2**20 - 8
    with pytest.raises(CredentialRefused, match="longer than 1048576 bytes"):
        parse_canonical(longest.replace(b"x", b"xx", 1))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"issuer": DID}, None, ""),
        ({"issuer": {"name": "issuer"}}, "malformed", "the key that signed is not the issuer's"),
        ({"validFrom": 5}, "malformed", "validFrom is missing or no UTC instant"),
        ({"validUntil": "2025-02-30T00:00:00Z"}, "malformed", "validUntil is no date"),
        ({"validFrom": "2025-08-02T00:00:00Z"}, "not_yet_valid", "valid from 2025-08-02, asked for 2025-08-01"),
        ({"validUntil": "2025-07-31T00:00:00Z"}, "expired", "valid until 2025-07-31, asked for 2025-08-01"),
    ],
)
def test_a_refusal_says_which_part_of_the_document_it_is_about(
    change: dict[str, object], code: str | None, message: str
) -> None:
    data = issue(document(**change), KEY, CREATED)
    if code is None:
        verified = verify_credential(data, IN_FORCE, trust())
        assert (verified.valid_from, verified.valid_until) == (date(2025, 7, 1), date(2025, 9, 30))
        return
    with pytest.raises(CredentialRefused, match=message) as caught:
        verify_credential(data, IN_FORCE, trust())
    assert caught.value.code == code


def test_a_proof_without_a_context_of_its_own_holds_for_its_document_and_is_no_passport() -> None:
    options = {name: value for name, value in proof_options(document(), DID, CREATED).items() if name != "@context"}
    value = encode_multibase(KEY.sign(signing_input(document(), options)))
    secured = {**document(), "proof": {**options, "proofValue": value}}
    assert check_proof(secured) == DID
    with pytest.raises(CredentialRefused, match="made for another context"):
        verify_credential(rfc8785.dumps(secured), IN_FORCE, trust())


def test_a_context_may_be_one_text_or_a_list_that_begins_with_it() -> None:
    one = document(**{"@context": CREDENTIALS_CONTEXT})
    secured = secure(one, KEY, CREATED)
    assert check_proof(secured) == DID
    assert check_proof({**secured, "@context": [CREDENTIALS_CONTEXT, "https://example.org/more"]}) == DID
    with pytest.raises(CredentialRefused, match="context is not the one that was signed") as caught:
        check_proof({**secured, "@context": ["https://example.org/more", CREDENTIALS_CONTEXT]})
    assert caught.value.code == "changed"
