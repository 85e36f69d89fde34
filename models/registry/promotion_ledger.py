"""The promotion ledger: who promoted which model, when, why, and the result of every gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from data_contracts.errors import InternalFault
from models.registry.chained_log import ChainedEntry, ChainedLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LEDGER_FILE: Final = "promotions.jsonl"


class GateLine(BaseModel):
    """The result of one gate for the candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    passed: bool
    measured: str
    limit: str


class Decision(BaseModel):
    """A candidate was promoted or refused; ``version`` is None for a candidate that was never registered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["promoted", "refused"]
    model_name: str
    version: str | None
    bundle_sha256: str
    decided_at: AwareDatetime
    approver: str
    reason: str
    gates: tuple[GateLine, ...]


class LedgerEntry(ChainedEntry, Decision):
    """A decision in its place in the chain."""

    previous_champion_sha256: str | None


def append_decision(folder: Path, decision: Decision, key: Ed25519PrivateKey) -> LedgerEntry:
    """Append a decision to the ledger in ``folder``.

    Raises:
        IntegrityRefused: the existing ledger is broken.
    """

    def made(entries: tuple[LedgerEntry, ...], sequence: int, previous_sha256: str) -> LedgerEntry:
        champion = champion_in_force(entries, decision.model_name)
        return LedgerEntry(
            **dict(decision),
            sequence=sequence,
            previous_champion_sha256=None if champion is None else champion.bundle_sha256,
            previous_sha256=previous_sha256,
        )

    entry = _ledger(folder).append(made, key)
    if entry is None:
        raise InternalFault("a decision was not written to the ledger")
    return entry


def read_ledger(folder: Path, public_key: Ed25519PublicKey) -> tuple[LedgerEntry, ...]:
    """Read every decision in order, after checking the chain and the signed head; empty if there is no ledger yet.

    Raises:
        IntegrityRefused: a line was changed; the message names the first.
    """
    return _ledger(folder).read(public_key)


def _ledger(folder: Path) -> ChainedLog[LedgerEntry]:
    return ChainedLog(folder / LEDGER_FILE, LedgerEntry, "promotion ledger")


def champion_in_force(entries: Sequence[LedgerEntry], model_name: str) -> LedgerEntry | None:
    """Return the last promotion of a model name, or None."""
    promoted = [entry for entry in entries if entry.outcome == "promoted" and entry.model_name == model_name]
    return promoted[-1] if promoted else None
