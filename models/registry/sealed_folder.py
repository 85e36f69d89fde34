"""A folder of files under one signature: nothing in it is parsed before all of it is verified.

``manifest.json`` (canonical JSON, RFC 8785) lists every other file with its size and SHA-256; ``manifest.sig`` holds
the key id and an Ed25519 signature of the manifest. Any added, missing, renamed, linked or changed file is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, IntegrityRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
FORMAT: Final = "credit-model-bundle/1"

# The signed text names its purpose, so that no other signature with the same key can be passed off as this one.
_CONTEXT = f"{FORMAT} {MANIFEST}\n".encode()
_SIGNATURE_LINE = re.compile(rb"([0-9a-f]{16}) ([0-9a-f]{128})\n")
_LARGEST_MANIFEST_BYTES = 1 << 20
_LARGEST_FILE_BYTES = 1 << 28
_MOST_FILES = 64


class ListedFile(BaseModel):
    """Size and digest of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=_LARGEST_FILE_BYTES)


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    about: dict[str, Any]
    files: dict[str, ListedFile] = Field(max_length=_MOST_FILES)


class Unsealed(NamedTuple):
    """The verified content: the issuer's statements, the bytes of each file, the digest, the key that signed."""

    about: dict[str, Any]
    files: dict[str, bytes]
    digest: str
    key_id: str


def key_id(public_key: Ed25519PublicKey) -> str:
    """Return the id of a public key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    raw = public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def seal(folder: Path, files: Mapping[str, bytes], about: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """Write ``files`` (path below the folder, with /, to bytes) with manifest and signature; return the digest.

    The digest is the SHA-256 of the manifest and so covers everything. ``about`` may hold text, whole numbers, true and
    false, lists and objects. The folder must be empty or absent.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationRefused(f"folder {folder.name} is not empty", "write the bundle to a new folder")
    listed = {path: {"sha256": sha256_bytes(data), "size": len(data)} for path, data in files.items()}
    content: dict[str, Any] = {"format": FORMAT, "about": dict(about), "files": listed}
    manifest = rfc8785.dumps(content)
    signature = f"{key_id(key.public_key())} {key.sign(_CONTEXT + manifest).hex()}\n".encode()
    for path, data in {**files, MANIFEST: manifest, SIGNATURE: signature}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return sha256_bytes(manifest)


def unseal(folder: Path, trusted_keys: Iterable[Ed25519PublicKey]) -> Unsealed:
    """Read a sealed folder. Each file is read once, and the bytes returned are the bytes verified.

    Raises:
        IntegrityRefused: no trusted key signed exactly what the folder contains.
    """
    present = _paths_below(folder)
    if MANIFEST not in present or SIGNATURE not in present:
        raise _refused(folder, f"{MANIFEST} or {SIGNATURE} is missing")
    manifest_bytes = _read(folder, MANIFEST, _LARGEST_MANIFEST_BYTES)
    signer = _verified_signer(folder, manifest_bytes, _read(folder, SIGNATURE, 1024), trusted_keys)
    manifest = _manifest(folder, manifest_bytes)
    listed = _with_folders(manifest.files) | {MANIFEST, SIGNATURE}
    for name in sorted(listed ^ present):
        raise _refused(folder, f"{name} is {'missing' if name in listed else 'not listed in the manifest'}")
    files = {}
    for name, facts in manifest.files.items():
        data = _read(folder, name, facts.size)
        if len(data) != facts.size or sha256_bytes(data) != facts.sha256:
            raise _refused(folder, f"file {name} differs from the one that was signed")
        files[name] = data
    return Unsealed(manifest.about, files, sha256_bytes(manifest_bytes), signer)


def _refused(folder: Path, reason: str) -> IntegrityRefused:
    return IntegrityRefused(f"bundle {folder.name} refused: {reason}; remedy: take the bundle from its issuer again")


def _with_folders(files: Iterable[str]) -> set[str]:
    """Return the paths of files and of the folders that contain them, the latter ending in /."""
    parts = [name.split("/") for name in files]
    return {"/".join(p) for p in parts} | {"/".join(p[:i]) + "/" for p in parts for i in range(1, len(p))}


def _paths_below(folder: Path) -> set[str]:
    """Return the paths of all files and (ending in /) folders below a folder; refuse anything that is neither."""
    if folder.is_symlink() or not folder.is_dir():
        raise _refused(folder, "it is not a folder")
    found: set[str] = set()
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                path = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    path = f"{path}/"
                    pending.append(path)
                elif not entry.is_file(follow_symlinks=False):
                    raise _refused(folder, f"{path} is not a plain file")
                found.add(path)
                if len(found) > _MOST_FILES:
                    raise _refused(folder, f"it holds more than {_MOST_FILES} files and folders")
    return found


def _read(folder: Path, name: str, most_bytes: int) -> bytes:
    """Read at most ``most_bytes`` + 1 bytes of a file, never through a link created since the listing."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _refused(folder, f"{name} is not a plain file")
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise _refused(folder, f"file {name} cannot be read ({error.strerror})") from error
    if len(data) > most_bytes:
        raise _refused(folder, f"file {name} is larger than allowed")
    return data


def _verified_signer(
    folder: Path, manifest: bytes, signature_line: bytes, trusted_keys: Iterable[Ed25519PublicKey]
) -> str:
    match = _SIGNATURE_LINE.fullmatch(signature_line)
    if match is None:
        raise _refused(folder, f"{SIGNATURE} is malformed")
    signer = match.group(1).decode()
    for key in trusted_keys:
        if key_id(key) != signer:
            continue
        try:
            key.verify(bytes.fromhex(match.group(2).decode()), _CONTEXT + manifest)
        except InvalidSignature:
            break
        return signer
    else:
        raise _refused(folder, f"it was signed by an unknown key {signer}")
    raise _refused(folder, "its signature is not valid")


def _manifest(folder: Path, data: bytes) -> _Manifest:
    try:
        parsed = json.loads(data)
        manifest = _Manifest.model_validate(parsed)
        canonical = rfc8785.dumps(parsed)
    except ValueError as error:  # also of pydantic and rfc8785
        raise _refused(folder, f"{MANIFEST} is malformed") from error
    if canonical != data or manifest.format != FORMAT:
        raise _refused(folder, f"{MANIFEST} is not canonical JSON of format {FORMAT}")
    return manifest
