"""An append-only log that shows any other change.

A JSON-lines file. Each entry carries the digest of the one before it, and the last line is a signed head over the
number of entries and the digest of the last. An edited, removed, reordered, added or truncated line is detected. A file
cannot show by itself that it was replaced as a whole by an older state, or removed. The head is therefore also kept in
folders elsewhere, and a log that does not go as far as the head kept there is refused.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from cryptography.exceptions import InvalidSignature
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.sealed_folder import key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# A full or failing disk, which callers report as such.
_OF_THE_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
NOTHING_BEFORE: Final = "0" * 64


class ChainedEntry(BaseModel):
    """An entry in its place in the chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = Field(ge=1)
    previous_sha256: str


Entry = TypeVar("Entry", bound=ChainedEntry)


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: int
    last_sha256: str
    # Hexadecimal digits can be written in two cases; the log only has lower case.
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


@dataclass(frozen=True)
class ChainedLog(Generic[Entry]):
    """A log file of entries of one type; its title is signed with it, so that no log passes for another.

    ``head_folders``: where the head is kept outside the log's own folder, one file per log and key. ``registry``: the
    file of the models that the log is about. If it is gone as well as the log, the outputs were removed as a whole,
    nothing is left that an older state could mislead, and the log starts anew.
    """

    path: Path
    entry_type: type[Entry]
    title: str
    head_folders: tuple[Path, ...] = ()
    registry: Path | None = None

    def append(
        self, make: Callable[[tuple[Entry, ...], int, str], Entry | None], key: Ed25519PrivateKey
    ) -> Entry | None:
        """Append what ``make`` returns for the entries so far, the next number and the last digest.

        Nothing is added if it returns None. The heads that are kept elsewhere are brought up to date in either case,
        because a run may have been killed before it could.

        Raises:
            IntegrityRefused: the existing log is broken, or was set back to an older state.
            ConfigurationRefused: the head cannot be kept.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            entries = self.read(key.public_key())
            entry = make(entries, len(entries) + 1, _digest(entries[-1]) if entries else NOTHING_BEFORE)
            if entry is not None:
                entries = (*entries, entry)
                self._write(entries, key)
            if entries:
                self._keep(self._head(entries, key), key.public_key())
        return entry

    def read(self, public_key: Ed25519PublicKey) -> tuple[Entry, ...]:
        """Read every entry in order, after checking the chain and the signed head; empty if there is no log yet.

        Raises:
            IntegrityRefused: a line was changed (the message names the first), or the log was set back to an older
                state.
        """
        # Before the log: a head that is kept while the log is read may be newer than what was read.
        files = () if self._starts_anew else self.head_files(public_key)
        kept = {file: self._kept(file, public_key) for file in files if file.is_file()}
        entries = self._chain(public_key)
        for file, head in kept.items():
            if len(entries) < head.entries or _digest(entries[head.entries - 1]) != head.last_sha256:
                raise IntegrityRefused(
                    f"{self.path}: the {self.title} was set back: it has {len(entries)} entries, and {file} knows of "
                    f"{head.entries}; remedy: put back the latest copy of {self.path.name}; if it was removed on "
                    f"purpose, remove {file} too"
                )
        return entries

    def head_files(self, public_key: Ed25519PublicKey) -> tuple[Path, ...]:
        """Return where the heads of this log under a key are kept: other places and other keys have other logs."""
        place = sha256_bytes(str(self.path.resolve()).encode())[:16]
        name = f"{self.path.stem}-{place}-{key_id(public_key)}.json"
        return tuple(folder / name for folder in self.head_folders)

    @property
    def _starts_anew(self) -> bool:
        return self.registry is not None and not self.path.exists() and not self.registry.exists()

    def _chain(self, public_key: Ed25519PublicKey) -> tuple[Entry, ...]:
        if not self.path.exists():
            return ()
        lines = self.path.read_bytes().split(b"\n")
        if len(lines) < 3 or lines[-1] != b"":
            raise IntegrityRefused(f"{self.path}: the end of the {self.title} is missing")
        entries = tuple(self._entry(number, line) for number, line in enumerate(lines[:-2], start=1))
        previous = NOTHING_BEFORE
        for number, entry in enumerate(entries, start=1):
            if entry.sequence != number or entry.previous_sha256 != previous:
                raise IntegrityRefused(f"{self.path}: line {number} does not follow from the one before it")
            previous = _digest(entry)
        self._check_head(lines[-2], entries, public_key)
        return entries

    def _entry(self, number: int, line: bytes) -> Entry:
        try:
            entry = self.entry_type.model_validate_json(line)
        except ValidationError as error:
            raise IntegrityRefused(f"{self.path}: line {number} is not an entry of the {self.title}") from error
        if _line(entry) != line:
            raise IntegrityRefused(f"{self.path}: line {number} is not as it was written")
        return entry

    def _check_head(self, line: bytes, entries: Sequence[Entry], public_key: Ed25519PublicKey) -> None:
        last = _digest(entries[-1])
        try:
            head = _Head.model_validate_json(line)
            if (head.entries, head.last_sha256) != (len(entries), last) or _line(head) != line:
                raise IntegrityRefused(f"{self.path}: the signed head does not belong to these {len(entries)} lines")
            public_key.verify(bytes.fromhex(head.signature), self._head_message(len(entries), last))
        except (ValueError, InvalidSignature) as error:
            raise IntegrityRefused(
                f"{self.path}: the head is not signed with the current key; "
                f"remedy: use the key it was signed with, or move the {self.title} away to start another"
            ) from error

    def _write(self, entries: Sequence[Entry], key: Ed25519PrivateKey) -> None:
        """Replace the file in one step, so that neither a reader nor a crash ever sees half a line."""
        _replace_file(self.path, [*entries, self._head(entries, key)])

    def _head(self, entries: Sequence[Entry], key: Ed25519PrivateKey) -> _Head:
        last = _digest(entries[-1])
        signature = key.sign(self._head_message(len(entries), last)).hex()
        return _Head(entries=len(entries), last_sha256=last, signature=signature)

    def _keep(self, head: _Head, public_key: Ed25519PublicKey) -> None:
        """Keep a head outside the log's folder, after the log itself: a killed run leaves an older one."""
        for file in self.head_files(public_key):
            if file.is_file() and file.read_bytes() == _line(head) + b"\n":
                continue
            try:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _replace_file(file, [head])
            except OSError as error:
                if error.errno in _OF_THE_DISK:
                    raise
                raise ConfigurationRefused(
                    f"the head of the {self.title} cannot be kept in {file.parent}: {error.strerror}",
                    "make the folder writable",
                ) from error

    def _kept(self, file: Path, public_key: Ed25519PublicKey) -> _Head:
        try:
            head = _Head.model_validate_json(file.read_bytes())
            public_key.verify(bytes.fromhex(head.signature), self._head_message(head.entries, head.last_sha256))
        except (OSError, ValueError, InvalidSignature) as error:
            # Not raised from the signature's own fault, which would read as if the log had other keys.
            raise IntegrityRefused(
                f"{file}: the kept head of the {self.title} is damaged ({type(error).__name__}); "
                f"remedy: compare {self.path} with a copy; if it is complete, remove the damaged file"
            ) from None
        return head

    def _head_message(self, count: int, last_sha256: str) -> bytes:
        return f"seller-credit-passport {self.title}\n{count}\n{last_sha256}\n".encode()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_name(f".{self.path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _replace_file(path: Path, records: Sequence[BaseModel]) -> None:
    draft = path.with_name(f".{path.name}.partial")  # overwritten if a killed process left one
    with draft.open("wb") as file:
        file.writelines(_line(record) + b"\n" for record in records)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _line(record: BaseModel) -> bytes:
    return json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def _digest(entry: BaseModel) -> str:
    return sha256_bytes(_line(entry))
