"""The promotion ledger: who promoted which model, when, why, and the result of every gate.

Four kinds of decision: a candidate is promoted or refused by the gates, or registered as challenger of the champion,
which stays; and a person restores a version that was promoted before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.registry.chained_log import ChainedEntry, ChainedLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LEDGER_FILE: Final = "promotions.jsonl"
_MADE_CHAMPION: Final = frozenset({"promoted", "restored"})

Promotion = Literal["champion", "earlier_champion", "not_promoted"]
"""What a ledger says of a bundle: in force, in force before, or no promotion on record."""


class GateLine(BaseModel):
    """The result of one gate for the candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    passed: bool
    measured: str
    limit: str


class Decision(BaseModel):
    """A candidate was promoted, refused or made challenger, or a version that passed its gates before was restored.

    ``version`` is None for a candidate that was never registered. ``gates`` of a restored version are those it passed.
    A challenger may have failed the comparison with the champion, and no other gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["promoted", "refused", "restored", "challenger"]
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


@dataclass(frozen=True)
class Ledger:
    """The ledger of a folder, the folders outside it that keep its head, and the file of the registry it is about."""

    folder: Path
    head_folders: tuple[Path, ...] = ()
    registry: Path | None = None

    @property
    def log(self) -> ChainedLog[LedgerEntry]:
        """The file of the ledger."""
        return ChainedLog(self.folder / LEDGER_FILE, LedgerEntry, "promotion ledger", self.head_folders, self.registry)

    def read(self, public_key: Ed25519PublicKey) -> tuple[LedgerEntry, ...]:
        """Read every decision in order, after checking the chain and the signed head; empty if there is no ledger yet.

        Raises:
            IntegrityRefused: a line was changed (the message names the first), or the ledger was set back.
        """
        return self.log.read(public_key)

    def append(self, decision: Decision, key: Ed25519PrivateKey) -> LedgerEntry | None:
        """Append a decision, unless it is there already: a run that was killed must not decide twice.

        Raises:
            IntegrityRefused: the existing ledger is broken or was set back.
        """

        def made(entries: tuple[LedgerEntry, ...], sequence: int, previous_sha256: str) -> LedgerEntry | None:
            if is_written(entries, decision):
                return None
            champion = champion_in_force(entries, decision.model_name)
            return LedgerEntry(
                **dict(decision),
                sequence=sequence,
                previous_champion_sha256=None if champion is None else champion.bundle_sha256,
                previous_sha256=previous_sha256,
            )

        return self.log.append(made, key)


def is_written(entries: Sequence[LedgerEntry], decision: Decision) -> bool:
    """Return whether this bundle is champion already, or the last entry on the model says the same of it."""
    champion = champion_in_force(entries, decision.model_name)
    if decision.outcome in _MADE_CHAMPION:
        return champion is not None and champion.bundle_sha256 == decision.bundle_sha256
    last = next((entry for entry in reversed(entries) if entry.model_name == decision.model_name), None)
    return last is not None and all(getattr(last, name) == value for name, value in decision if name != "decided_at")


def champion_in_force(entries: Sequence[LedgerEntry], model_name: str, on: date | None = None) -> LedgerEntry | None:
    """Return the entry that made the champion of a model name what it is, at the end of a day or now; or None."""
    found = [
        entry
        for entry in entries
        if entry.outcome in _MADE_CHAMPION
        and entry.model_name == model_name
        and (on is None or entry.decided_at.astimezone(UTC).date() <= on)
    ]
    return found[-1] if found else None


def challenger_in_force(entries: Sequence[LedgerEntry], model_name: str) -> LedgerEntry | None:
    """Return the entry that made a bundle challenger last, or None if there is none or it has become champion since."""
    found = [entry for entry in entries if entry.outcome == "challenger" and entry.model_name == model_name]
    if not found:
        return None
    later = promotions_of(entries[entries.index(found[-1]) :], model_name)
    return None if any(entry.bundle_sha256 == found[-1].bundle_sha256 for entry in later) else found[-1]


def incumbent_of(entries: Sequence[LedgerEntry], model_name: str, bundle_sha256: str) -> LedgerEntry | None:
    """Return the champion that a bundle is measured against: the one in force, or the one it replaced itself."""
    champion = champion_in_force(entries, model_name)
    if champion is None or champion.bundle_sha256 != bundle_sha256:
        return champion
    return champion_before(entries, model_name)


def champion_before(entries: Sequence[LedgerEntry], model_name: str) -> LedgerEntry | None:
    """Return the promotion of the bundle that the champion in force replaced when it passed its gates, or None."""
    champion = champion_in_force(entries, model_name)
    if champion is None:
        return None
    passed = promotion_of(entries, model_name, champion.bundle_sha256)
    replaced = None if passed is None else passed.previous_champion_sha256
    return None if replaced is None else promotion_of(entries, model_name, replaced)


def promotion_of(entries: Sequence[LedgerEntry], model_name: str, bundle_sha256: str) -> LedgerEntry | None:
    """Return the last entry with which a bundle passed its gates, or None if it never did."""
    found = [
        entry
        for entry in promotions_of(entries, model_name)
        if entry.outcome == "promoted" and entry.bundle_sha256 == bundle_sha256
    ]
    return found[-1] if found else None


def promotions_of(entries: Sequence[LedgerEntry], model_name: str) -> tuple[LedgerEntry, ...]:
    """Return the entries that made a bundle champion, in order."""
    return tuple(entry for entry in entries if entry.outcome in _MADE_CHAMPION and entry.model_name == model_name)


def promotion_state(entries: Sequence[LedgerEntry], bundle_sha256: str) -> Promotion:
    """Return what a ledger says of a bundle."""
    found = [entry for entry in entries if entry.outcome in _MADE_CHAMPION and entry.bundle_sha256 == bundle_sha256]
    if not found:
        return "not_promoted"
    champion = champion_in_force(entries, found[-1].model_name)
    is_in_force = champion is not None and champion.bundle_sha256 == bundle_sha256
    return "champion" if is_in_force else "earlier_champion"


def is_rolled_back(entries: Sequence[LedgerEntry], model_name: str, bundle_sha256: str) -> bool:
    """Return whether a person has put another version in the place of this bundle since it last became champion."""
    champion = champion_in_force(entries, model_name)
    if champion is None or champion.outcome != "restored" or champion.bundle_sha256 == bundle_sha256:
        return False
    return any(entry.bundle_sha256 == bundle_sha256 for entry in promotions_of(entries, model_name))
