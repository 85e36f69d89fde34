"""The keys of an issuer, and the list of issuers a lender trusts.

An issuer holds two secrets: an Ed25519 key that signs bundles and passports, and an HMAC key that turns identifiers
into pseudonyms. A demonstration profile creates its own keys; every other profile must be given them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.runs.storage_faults import report_disk_faults
from pipelines.signing.did_key import did_key, public_key_of
from pipelines.signing.json_members import RepeatedMember, unique_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.runs.stages import Place

log = logging.getLogger(__name__)

SIGNING_KEY_VARIABLE: Final = "PASSPORT_SIGNING_KEY_FILE"
HMAC_KEY_VARIABLE: Final = "PASSPORT_HMAC_KEY_FILE"
KEYS_FOLDER_VARIABLE: Final = "KEYS_DIR"
DEFAULT_KEYS_FOLDER: Final = ".keys"
TRUST_FILE: Final = "trust.json"
HMAC_KEY_BYTES: Final = 32
PSEUDONYM_HEX_DIGITS: Final = 32
# The group may read, because container platforms mount secrets that way. Nobody else may read or write.
FORBIDDEN_MODE_BITS: Final = stat.S_IRWXO | stat.S_IWGRP


@dataclass(frozen=True)
class KeyRing:
    """The secrets of one issuer. Neither appears in its ``repr``."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    hmac_key: bytes = field(repr=False)
    is_demonstration: bool

    @property
    def public_key(self) -> Ed25519PublicKey:
        """The key that others verify with."""
        return self.signing_key.public_key()

    @property
    def did(self) -> str:
        """The issuer's identifier, ``did:key:z6Mk…``."""
        return did_key(self.public_key)


class TrustedIssuer(BaseModel):
    """An issuer whose credentials are trusted: when it may issue, and when its key was revoked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    did: str
    name: str
    valid_from: date
    valid_until: date | None
    revoked_on: date | None

    @field_validator("did")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        public_key_of(value)
        return value

    def objection(self, issued_on: date, known_on: date) -> str | None:
        """Return why this key may not sign what is issued on a day, or None if it may.

        A key that is revoked by ``known_on`` signs nothing, whatever day is written on the document: who has stolen a
        key can write any day.
        """
        if self.revoked_on is not None and self.revoked_on <= max(issued_on, known_on):
            return f"the key of {self.name} was revoked on {self.revoked_on}"
        if issued_on < self.valid_from or (self.valid_until is not None and issued_on > self.valid_until):
            return f"{self.name} was not trusted to issue on {issued_on}"
        return None


class TrustList(BaseModel):
    """The issuers that a lender trusts, one entry per key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuers: tuple[TrustedIssuer, ...]

    @field_validator("issuers")
    @classmethod
    def _one_entry_a_key(cls, value: tuple[TrustedIssuer, ...]) -> tuple[TrustedIssuer, ...]:
        if len({entry.did for entry in value}) != len(value):
            raise ValueError("a did is listed twice")
        return value

    def issuer(self, did: str) -> TrustedIssuer | None:
        """Return the entry of a key, or None if it is not listed."""
        return next((entry for entry in self.issuers if entry.did == did), None)

    def signers(self, issued_on: date, today: date) -> tuple[TrustedIssuer, ...]:
        """Return the entries whose keys may sign what is issued on a day, as far as is known today."""
        return tuple(entry for entry in self.issuers if entry.objection(issued_on, today) is None)


def load_keys(profile_name: str, *, is_demonstration: bool, environment: Mapping[str, str]) -> KeyRing:
    """Load the keys of a profile from the files that its environment names, or from the keys folder.

    Only a demonstration profile creates missing keys. The keys folder (``KEYS_DIR``, default ``.keys``) is outside the
    outputs, so cleaning the outputs never loses a key.

    A damaged key file may still hold a valid key, only a different one. If there is a file ``<key file>.sha256`` (in
    the format of ``sha256sum``), the key must therefore match it; a demonstration profile writes that file too.

    Raises:
        ConfigurationRefused: a key is missing, unreadable, malformed, changed or open to others.
    """
    signing_path, hmac_path = _key_paths(profile_name, environment)
    if is_demonstration:
        with report_disk_faults(keys_folder(profile_name, environment)):
            _create_if_absent(signing_path, _new_signing_key)
            _create_if_absent(hmac_path, _new_hmac_key)
    signing_data = _read_secret(signing_path, SIGNING_KEY_VARIABLE)
    hmac_data = _read_secret(hmac_path, HMAC_KEY_VARIABLE)
    ring = KeyRing(
        _read_signing_key(signing_data, signing_path), _read_hmac_key(hmac_data, hmac_path), is_demonstration
    )
    for path, data in ((signing_path, signing_data), (hmac_path, hmac_data)):
        _require_remembered(path, data, remember=is_demonstration)
    return ring


def create_keys(profile_name: str, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Write a new signing key and a new HMAC key where ``load_keys`` looks for them, each with a digest file.

    Returns:
        The paths of the signing key and of the HMAC key.

    Raises:
        ConfigurationRefused: one of the files exists; a key is never replaced.
    """
    paths = _key_paths(profile_name, environment)
    for path in paths:
        if path.exists():
            raise ConfigurationRefused(
                f"key file {path} exists already",
                "keep it; to change keys, move it away first, and keep it as long as its passports are in force",
            )
    for path, make in zip(paths, (_new_signing_key, _new_hmac_key), strict=True):
        with report_disk_faults(path.parent):
            _create_if_absent(path, make)
            _require_remembered(path, path.read_bytes(), remember=True)
    return paths


def _key_paths(profile_name: str, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Return the paths of the signing and HMAC keys: those the environment names, else those in the keys folder."""
    folder = keys_folder(profile_name, environment)
    return (
        Path(environment.get(SIGNING_KEY_VARIABLE, folder / "signing_key.pem")),
        Path(environment.get(HMAC_KEY_VARIABLE, folder / "hmac_key.hex")),
    )


def keys_folder(profile_name: str, environment: Mapping[str, str]) -> Path:
    """Return the folder of a profile's keys, used if the environment names no key files."""
    return Path(environment.get(KEYS_FOLDER_VARIABLE, DEFAULT_KEYS_FOLDER)) / profile_name


def has_keys(profile_name: str, environment: Mapping[str, str]) -> bool:
    """Return whether there is an HMAC key where ``load_keys`` looks for it."""
    return _key_paths(profile_name, environment)[1].is_file()


def pseudonym(hmac_key: bytes, seller_id: str) -> str:
    """Return a seller's pseudonym in shared files: 32 hexadecimal digits that cannot be linked without the key."""
    return keyed_digest(hmac_key, "seller pseudonym", seller_id)[:PSEUDONYM_HEX_DIGITS]


def party_pseudonym(hmac_key: bytes, seller_id: str, party_id: str) -> str:
    """Return the pseudonym, on the passports of one seller, of a party that is no seller: an owner, an asset, a lender.

    On the passports of other sellers the party has other pseudonyms, so that passports cannot be joined by it.
    """
    return keyed_digest(hmac_key, "party pseudonym", seller_id, party_id)[:PSEUDONYM_HEX_DIGITS]


def subject_salt(hmac_key: bytes, *parts: str) -> str:
    """Return the salt (64 hexadecimal digits) of one passport's commitment; only the seller receives it."""
    return keyed_digest(hmac_key, "subject salt", *parts)


def subject_commitment(salt: str, subject_id: str) -> str:
    """Return a commitment to the subject's identifier; it can be checked with the salt and not guessed without it.

    HMAC-SHA256 with a salt of fixed length binds to one identifier and hides it. Raises ValueError for a salt that is
    not 64 hexadecimal digits.
    """
    key = bytes.fromhex(salt)
    if len(key) != hashlib.sha256().digest_size:
        raise ValueError("a salt has 64 hexadecimal digits")
    return hmac.new(key, subject_id.encode(), hashlib.sha256).hexdigest()


def keyed_digest(hmac_key: bytes, purpose: str, *parts: str) -> str:
    """Return the HMAC-SHA256 of ``parts`` for one purpose, 64 hexadecimal digits; no two lists of parts collide."""
    message = json.dumps([purpose, *parts], ensure_ascii=True).encode()
    return hmac.new(hmac_key, message, hashlib.sha256).hexdigest()


def hmac_key_fingerprint(hmac_key: bytes) -> str:
    """Return 16 hexadecimal digits that change with the key and do not reveal it."""
    return keyed_digest(hmac_key, "fingerprint of the HMAC key")[:16]


def read_trust_file(path: Path) -> TrustList:
    """Read the issuers that a trust file lists.

    Raises:
        ConfigurationRefused: the file is missing, not JSON, or not of the form ``{"issuers": [...]}``.
    """
    remedy = 'give a JSON file {"issuers": [{"did", "name", "valid_from", "valid_until", "revoked_on"}]}'
    try:
        data = path.read_bytes()
        # Parsed twice: pydantic keeps the last of several members with one name and does not say so.
        json.loads(data, object_pairs_hook=unique_members)
        return TrustList.model_validate_json(data)
    except OSError as error:
        raise ConfigurationRefused(f"trust file {path} cannot be read: {error.strerror}", remedy) from error
    except RepeatedMember as error:
        raise ConfigurationRefused(f"trust file {path}: {error}", "keep the one that is meant") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationRefused(f"trust file {path} is not JSON: {error}", remedy) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationRefused(f"trust file {path}: {place}: {first['msg']}", remedy) from error


def trust_file_for(keyring: KeyRing, name: str, valid_from: date) -> bytes:
    """Return a trust file that names only this issuer, to hand to lenders who trust it."""
    entry = TrustedIssuer(did=keyring.did, name=name, valid_from=valid_from, valid_until=None, revoked_on=None)
    return TrustList(issuers=(entry,)).model_dump_json(indent=2).encode() + b"\n"


@contextmanager
def report_other_keys(place: Place) -> Iterator[None]:
    """Add a remedy when a log below ``place`` is refused because it was signed with another key.

    Raises:
        IntegrityRefused: names the log, the variables for key files, and how to start over.
    """
    try:
        yield
    except IntegrityRefused as error:
        if not isinstance(error.__cause__, InvalidSignature):
            raise
        what = str(error).partition("; remedy: ")[0]
        raise IntegrityRefused(
            f"{what}; remedy: put back the keys that {place.root} was made with ({KEYS_FOLDER_VARIABLE} or "
            f"{SIGNING_KEY_VARIABLE} name them), or, if they are lost, move {place.root} away and make it again"
        ) from error


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _new_hmac_key() -> bytes:
    return os.urandom(HMAC_KEY_BYTES).hex().encode() + b"\n"


def _create_if_absent(path: Path, make: Callable[[], bytes]) -> None:
    """Write a new secret if there is none; if two processes try at once, the first one wins."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # 0600 from the start
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
        log.info("created key %s", path)
    except FileExistsError:
        log.info("key %s was created by another process", path)
    finally:
        Path(draft).unlink()


def _read_secret(path: Path, variable: str) -> bytes:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationRefused(
            f"key file {path} cannot be read: {error.strerror}",
            f"make keys with passport keys new --profile PROFILE, or set {variable} to the file of a key",
        ) from error
    if mode & FORBIDDEN_MODE_BITS:
        raise ConfigurationRefused(f"key file {path} is open to others", f"chmod 600 {path}")
    return data


def _require_remembered(path: Path, data: bytes, *, remember: bool) -> None:
    """Refuse a key that does not match its digest file; write that file first if ``remember`` is set."""
    digest = path.with_name(f"{path.name}.sha256")
    line = f"{sha256_bytes(data)}  {path.name}\n".encode()
    if remember:
        with report_disk_faults(path.parent):
            _create_if_absent(digest, lambda: line)
    if digest.is_file() and digest.read_bytes() != line:
        raise ConfigurationRefused(
            f"key file {path} does not match its digest file {digest.name}",
            f"restore the key; if it was replaced on purpose, remove {digest}",
        )


def _read_signing_key(data: bytes, path: Path) -> Ed25519PrivateKey:
    remedy = "give an unencrypted PKCS#8 PEM: openssl genpkey -algorithm ed25519"
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationRefused(f"key file {path} is no private key in PEM", remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationRefused(f"key file {path} holds no Ed25519 key", remedy)
    return key


def _read_hmac_key(data: bytes, path: Path) -> bytes:
    remedy = "give 64 or more hexadecimal digits: openssl rand -hex 32"
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError as error:
        raise ConfigurationRefused(f"key file {path} is not hexadecimal", remedy) from error
    if len(key) < HMAC_KEY_BYTES:
        raise ConfigurationRefused(f"key file {path} holds fewer than {HMAC_KEY_BYTES} bytes", remedy)
    return key
