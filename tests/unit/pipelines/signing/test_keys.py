"""Keys: which profiles need them, who may read them, and that they never leak."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.runs.stages import Place
from pipelines.signing.keys import (
    KeyRing,
    TrustList,
    create_keys,
    has_keys,
    hmac_key_fingerprint,
    keyed_digest,
    load_keys,
    pseudonym,
    read_trust_file,
    report_other_keys,
    subject_commitment,
    subject_salt,
    trust_file_for,
)


def demonstration_keys(folder: Path) -> KeyRing:
    return load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(folder)})


def test_a_demonstration_profile_makes_its_keys_once(tmp_path: Path) -> None:
    first, second = demonstration_keys(tmp_path), demonstration_keys(tmp_path)
    assert first.did == second.did
    assert first.did.startswith("did:key:z6Mk")
    assert first.hmac_key == second.hmac_key
    assert len(first.hmac_key) == 32


def test_created_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    demonstration_keys(tmp_path)
    files = sorted((tmp_path / "demo").iterdir())
    names = ["hmac_key.hex", "hmac_key.hex.sha256", "signing_key.pem", "signing_key.pem.sha256"]
    assert [file.name for file in files] == names
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "demo").stat().st_mode) == 0o700


def test_any_other_profile_refuses_without_keys_and_creates_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="PASSPORT_SIGNING_KEY_FILE"):
        load_keys("lender", is_demonstration=False, environment={"KEYS_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_key_files(tmp_path: Path) -> None:
    made = demonstration_keys(tmp_path)
    environment = {
        "PASSPORT_SIGNING_KEY_FILE": str(tmp_path / "demo" / "signing_key.pem"),
        "PASSPORT_HMAC_KEY_FILE": str(tmp_path / "demo" / "hmac_key.hex"),
    }
    assert load_keys("lender", is_demonstration=False, environment=environment).did == made.did


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    demonstration_keys(tmp_path)
    (tmp_path / "demo" / "signing_key.pem").chmod(0o644)
    with pytest.raises(ConfigurationRefused, match="chmod 600"):
        demonstration_keys(tmp_path)


@pytest.mark.parametrize(
    "content", [b"not a key", b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_malformed_signing_key_is_refused(tmp_path: Path, content: bytes) -> None:
    demonstration_keys(tmp_path)
    (tmp_path / "demo" / "signing_key.pem").write_bytes(content)
    with pytest.raises(ConfigurationRefused, match="PEM"):
        demonstration_keys(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    demonstration_keys(tmp_path)
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "demo" / "signing_key.pem").write_bytes(other)
    with pytest.raises(ConfigurationRefused, match="Ed25519"):
        demonstration_keys(tmp_path)


@pytest.mark.parametrize("content", [b"zz", b"00" * 31])
def test_a_short_or_unreadable_hmac_key_is_refused(tmp_path: Path, content: bytes) -> None:
    demonstration_keys(tmp_path)
    (tmp_path / "demo" / "hmac_key.hex").write_bytes(content)
    with pytest.raises(ConfigurationRefused, match="hmac_key"):
        demonstration_keys(tmp_path)


def test_no_secret_shows_in_a_printed_key_ring(tmp_path: Path) -> None:
    keyring = demonstration_keys(tmp_path)
    assert repr(keyring) == "KeyRing(is_demonstration=True)"


def test_a_pseudonym_depends_on_the_key_and_the_seller() -> None:
    assert pseudonym(b"a" * 32, "S000001") == pseudonym(b"a" * 32, "S000001")
    assert pseudonym(b"a" * 32, "S000001") != pseudonym(b"b" * 32, "S000001")
    assert pseudonym(b"a" * 32, "S000001") != pseudonym(b"a" * 32, "S000002")


def test_salts_of_split_and_joined_parts_differ() -> None:
    assert subject_salt(b"a" * 32, "S1", "2") != subject_salt(b"a" * 32, "S12")


def test_a_commitment_needs_its_salt_and_its_subject() -> None:
    salt = subject_salt(b"a" * 32, "S000001", "2025-06-30")
    commitment = subject_commitment(salt, "S000001")
    assert commitment == subject_commitment(salt, "S000001")
    assert commitment != subject_commitment(salt, "S000002")
    with pytest.raises(ValueError, match="64"):
        subject_commitment("00", "S000001")


def test_a_trust_file_written_for_a_key_ring_reads_back(tmp_path: Path) -> None:
    keyring = demonstration_keys(tmp_path)
    path = tmp_path / "trust.json"
    path.write_bytes(trust_file_for(keyring, "demo issuer", date(2025, 1, 1)))
    entry = read_trust_file(path).issuer(keyring.did)
    assert entry is not None
    assert (entry.name, entry.valid_from, entry.revoked_on) == ("demo issuer", date(2025, 1, 1), None)
    assert read_trust_file(path).issuer("did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"issuers": [{"did":"did:web:x","name":"x","valid_from":"2025-01-01","valid_until":null,"revoked_on":null}]}',
        '{"issuers": [], "more": 1}',
        '{"issuers": [{"did": "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"}]}',
    ],
)
def test_a_malformed_trust_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(content)
    with pytest.raises(ConfigurationRefused, match="trust file"):
        read_trust_file(path)


def test_a_trust_file_that_lists_a_key_twice_is_refused(tmp_path: Path) -> None:
    text = trust_file_for(demonstration_keys(tmp_path), "demo issuer", date(2025, 1, 1)).decode()
    entry = text[text.index("[") + 1 : text.rindex("]")]
    path = tmp_path / "trust.json"
    path.write_text(f'{{"issuers": [{entry},{entry}]}}')
    with pytest.raises(ConfigurationRefused, match="twice"):
        read_trust_file(path)


@pytest.mark.parametrize(
    ("twice", "name"),
    [
        ('"revoked_on": "2024-01-01", "revoked_on": null', "revoked_on"),
        ('"revoked_on": null, "revoked_on": null', "revoked_on"),
        ('"revoked_on": null, "valid_from": "2020-01-01"', "valid_from"),
    ],
)
def test_a_trust_file_that_repeats_a_member_is_refused(tmp_path: Path, twice: str, name: str) -> None:
    text = trust_file_for(demonstration_keys(tmp_path), "demo issuer", date(2025, 1, 1)).decode()
    path = tmp_path / "trust.json"
    path.write_text(text.replace('"revoked_on": null', twice))
    with pytest.raises(ConfigurationRefused, match=f"the member '{name}' is repeated"):
        read_trust_file(path)
    path.write_text(text.replace('"issuers": [', '"issuers": [], "issuers": [', 1))
    with pytest.raises(ConfigurationRefused, match="the member 'issuers' is repeated"):
        read_trust_file(path)


@pytest.mark.parametrize(
    ("change", "issued_on", "objection"),
    [
        ({}, date(2025, 1, 1), None),
        ({}, date(2024, 12, 31), "not trusted to issue on 2024-12-31"),
        ({"valid_until": date(2025, 6, 30)}, date(2025, 6, 30), None),
        ({"valid_until": date(2025, 6, 30)}, date(2025, 7, 1), "not trusted to issue on 2025-07-01"),
        ({"revoked_on": date(2025, 8, 1)}, date(2025, 2, 1), "was revoked on 2025-08-01"),
        ({"revoked_on": date(2025, 8, 2)}, date(2025, 2, 1), None),
        ({"revoked_on": date(2025, 9, 1)}, date(2025, 9, 1), "was revoked on 2025-09-01"),
    ],
)
def test_a_key_signs_within_its_dates_and_never_once_it_is_revoked(
    tmp_path: Path, change: dict[str, date], issued_on: date, objection: str | None
) -> None:
    data = trust_file_for(demonstration_keys(tmp_path), "demo issuer", date(2025, 1, 1))
    entry = TrustList.model_validate_json(data).issuers[0].model_copy(update=change)
    trust = TrustList(issuers=(entry,))
    today = date(2025, 8, 1)
    if objection is None:
        assert entry.objection(issued_on, today) is None
        assert trust.signers(issued_on, today) == (entry,)
    else:
        assert objection in str(entry.objection(issued_on, today))
        assert trust.signers(issued_on, today) == ()


def test_the_names_that_are_derived_from_the_hmac_key_stay_the_same() -> None:
    key = bytes(range(32))
    assert pseudonym(key, "S000001") == keyed_digest(key, "seller pseudonym", "S000001")[:32]
    assert (len(pseudonym(key, "S000001")), len(subject_salt(key, "S000001"))) == (32, 64)
    assert hmac_key_fingerprint(key) == keyed_digest(key, "fingerprint of the HMAC key")[:16]
    assert keyed_digest(key, "purpose", "é") == "3f5d03e8097abd5de2b203e5e1bb5f8ca6df894664c8ca446c8387d8ae3017c7"


def test_a_key_that_the_group_may_read_is_fine_and_one_it_may_write_is_not(tmp_path: Path) -> None:
    demonstration_keys(tmp_path)
    path = tmp_path / "demo" / "hmac_key.hex"
    path.chmod(0o640)
    demonstration_keys(tmp_path)
    for mode in (0o620, 0o604, 0o602, 0o601):
        path.chmod(mode)
        with pytest.raises(ConfigurationRefused, match="is open to others"):
            demonstration_keys(tmp_path)


def test_an_hmac_key_of_just_enough_digits_or_more_is_read(tmp_path: Path) -> None:
    demonstration_keys(tmp_path)
    path = tmp_path / "demo" / "hmac_key.hex"
    for digits in ("ab" * 32, "cd" * 40):
        path.with_name("hmac_key.hex.sha256").unlink()
        path.write_text(f" {digits}\n")
        assert demonstration_keys(tmp_path).hmac_key.hex() == digits


def test_a_trust_file_names_the_place_of_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_text('{"issuers": [{"did": "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"}]}')
    with pytest.raises(ConfigurationRefused, match=r"issuers\.0\.name: Field required"):
        read_trust_file(path)
    path.write_text("[]")
    with pytest.raises(ConfigurationRefused, match="the file: "):
        read_trust_file(path)
    for content in (b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ConfigurationRefused, match="is not JSON"):
            read_trust_file(path)
    with pytest.raises(ConfigurationRefused, match="cannot be read: No such file"):
        read_trust_file(tmp_path / "none.json")


def test_new_keys_are_never_written_over_others(tmp_path: Path) -> None:
    environment = {"KEYS_DIR": str(tmp_path)}
    assert not has_keys("lender", environment)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "signing_key.pem").touch()
    assert not has_keys("half", environment)
    signing, hmac_file = create_keys("lender", environment)
    assert has_keys("lender", environment)
    assert load_keys("lender", is_demonstration=False, environment=environment).is_demonstration is False
    before = (signing.read_bytes(), hmac_file.read_bytes())
    for kept in (signing, hmac_file):
        other = hmac_file if kept is signing else signing
        data = other.read_bytes()
        other.unlink()
        with pytest.raises(ConfigurationRefused, match=f"{kept.name} exists already"):
            create_keys("lender", environment)
        assert not other.exists()
        other.write_bytes(data)
        other.chmod(0o600)
    assert (signing.read_bytes(), hmac_file.read_bytes()) == before


@pytest.mark.parametrize("name", ["signing_key.pem", "hmac_key.hex"])
def test_a_key_that_differs_from_its_digest_file_is_refused(tmp_path: Path, name: str) -> None:
    environment = {"KEYS_DIR": str(tmp_path)}
    create_keys("lender", environment)
    create_keys("other", environment)
    (tmp_path / "lender" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ConfigurationRefused, match=f"{name} does not match its digest file"):
        load_keys("lender", is_demonstration=False, environment=environment)
    (tmp_path / "lender" / f"{name}.sha256").unlink()
    load_keys("lender", is_demonstration=False, environment=environment)
    assert not (tmp_path / "lender" / f"{name}.sha256").exists()


def test_a_log_of_other_keys_is_refused_with_what_to_do(tmp_path: Path) -> None:
    place = Place("demo", tmp_path)
    words = "ledger.jsonl: the head is not signed with the current key; remedy: use another; remedy: or not"
    with pytest.raises(IntegrityRefused) as caught, report_other_keys(place):
        raise IntegrityRefused(words) from InvalidSignature()
    text = str(caught.value)
    assert text.startswith("ledger.jsonl: the head is not signed with the current key; remedy: put back the keys that ")
    assert str(place.root) in text
    assert "use another" not in text
    with pytest.raises(IntegrityRefused, match="use another"), report_other_keys(place):
        raise IntegrityRefused(words)
