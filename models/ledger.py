"""The promotion ledger: who made which model champion, when, why, and what every gate said.

A JSON-lines file. Each decision carries the digest of the one before it, and the last line is a head signed over the
number of decisions and the digest of the last: an edited, removed, reordered, added or cut-off line is found. What no
file can show by itself is that it was replaced whole by an older state of itself; for that, keep a head elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from cryptography.exceptions import InvalidSignature
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from data_contracts.digest import sha256_bytes
from data_contracts.errors import IntegrityRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LEDGER_FILE: Final = "promotions.jsonl"
NOTHING_BEFORE: Final = "0" * 64


class GateLine(BaseModel):
    """What one gate said about the candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    passed: bool
    measured: str
    limit: str


class Decision(BaseModel):
    """A candidate was promoted, or turned away; ``version`` is None for a candidate that was never registered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["promoted", "refused"]
    model_name: str
    version: str | None
    bundle_sha256: str
    decided_at: AwareDatetime
    approver: str
    reason: str
    gates: tuple[GateLine, ...]


class LedgerEntry(Decision):
    """A decision in its place in the chain."""

    sequence: int = Field(ge=1)
    previous_champion_sha256: str | None
    previous_sha256: str


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: int
    last_sha256: str
    # Hexadecimal digits have two spellings, of which only this one was written.
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


def append_decision(folder: Path, decision: Decision, key: Ed25519PrivateKey) -> LedgerEntry:
    """Write a decision at the end of the ledger in ``folder``; IntegrityRefused when what stands there is broken."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        entries = read_ledger(folder, key.public_key())
        champion = champion_in_force(entries, decision.model_name)
        entry = LedgerEntry(
            **dict(decision),
            sequence=len(entries) + 1,
            previous_champion_sha256=None if champion is None else champion.bundle_sha256,
            previous_sha256=_digest(entries[-1]) if entries else NOTHING_BEFORE,
        )
        _write(folder / LEDGER_FILE, [*entries, entry], key)
    return entry


def read_ledger(folder: Path, public_key: Ed25519PublicKey) -> tuple[LedgerEntry, ...]:
    """Every decision in order, after checking the chain and the signed head; empty where there is no ledger yet.

    Raises:
        IntegrityRefused: naming the first line that is not as it was written.
    """
    path = folder / LEDGER_FILE
    if not path.exists():
        return ()
    lines = path.read_bytes().split(b"\n")
    if len(lines) < 3 or lines[-1] != b"":
        raise IntegrityRefused(f"{path}: the end of the ledger is cut off")
    entries = tuple(_entry(path, number, line) for number, line in enumerate(lines[:-2], start=1))
    previous = NOTHING_BEFORE
    for number, entry in enumerate(entries, start=1):
        if entry.sequence != number or entry.previous_sha256 != previous:
            raise IntegrityRefused(f"{path}: line {number} does not follow from the one before it")
        previous = _digest(entry)
    _check_head(path, lines[-2], entries, public_key)
    return entries


def champion_in_force(entries: Sequence[LedgerEntry], model_name: str) -> LedgerEntry | None:
    """The last promotion of a model name, or None."""
    promoted = [entry for entry in entries if entry.outcome == "promoted" and entry.model_name == model_name]
    return promoted[-1] if promoted else None


def champion_on(entries: Sequence[LedgerEntry], model_name: str, day: date) -> LedgerEntry | None:
    """Which promotion was in force at the end (UTC) of a day, or None."""
    return champion_in_force([entry for entry in entries if _utc_day(entry.decided_at) <= day], model_name)


def _utc_day(instant: datetime) -> date:
    offset = instant.utcoffset()
    return (instant if offset is None else instant - offset).date()


def _entry(path: Path, number: int, line: bytes) -> LedgerEntry:
    try:
        entry = LedgerEntry.model_validate_json(line)
    except ValidationError as error:
        raise IntegrityRefused(f"{path}: line {number} is no ledger entry") from error
    if _line(entry) != line:
        raise IntegrityRefused(f"{path}: line {number} is not spelt as it was written")
    return entry


def _check_head(path: Path, line: bytes, entries: Sequence[LedgerEntry], public_key: Ed25519PublicKey) -> None:
    last = _digest(entries[-1])
    try:
        head = _Head.model_validate_json(line)
        if (head.entries, head.last_sha256) != (len(entries), last) or _line(head) != line:
            raise IntegrityRefused(f"{path}: the signed head does not belong to these {len(entries)} lines")
        public_key.verify(bytes.fromhex(head.signature), _head_message(len(entries), last))
    except (ValueError, InvalidSignature) as error:
        raise IntegrityRefused(f"{path}: the head is not signed by the key of this ledger") from error


def _write(path: Path, entries: Sequence[LedgerEntry], key: Ed25519PrivateKey) -> None:
    """Replace the file in one step, so that no reader and no crash ever meets half a line."""
    last = _digest(entries[-1])
    signature = key.sign(_head_message(len(entries), last)).hex()
    head = _Head(entries=len(entries), last_sha256=last, signature=signature)
    records: list[LedgerEntry | _Head] = [*entries, head]
    draft = path.with_name(f".{path.name}.partial")  # the lock is held: what a killed process left is written over
    with draft.open("wb") as file:
        file.writelines(_line(record) + b"\n" for record in records)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _line(record: LedgerEntry | _Head) -> bytes:
    return json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def _digest(entry: LedgerEntry) -> str:
    return sha256_bytes(_line(entry))


def _head_message(count: int, last_sha256: str) -> bytes:
    return f"seller-credit-passport promotion ledger\n{count}\n{last_sha256}\n".encode()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / f".{LEDGER_FILE}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
